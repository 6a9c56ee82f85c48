use std::fmt::Write;

use crate::ministack::Ministack;

const ACCOUNT: &str = "000000000000";
const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:";

/// A queue of a server, and the one that its dead letters go to.
#[derive(Debug)]
pub struct ServerQueue<'a> {
    server: &'a Ministack,
    name: String,
}

impl Ministack {
    /// A queue that is told of each object that is created in a bucket. What is received more than `receive_max` times
    /// goes to its dead letters.
    #[must_use]
    pub fn notify(&self, bucket: &str, name: &str, receive_max: u32) -> ServerQueue<'_> {
        let queue = ServerQueue { server: self, name: name.to_owned() };
        let policy = format!(r#"{{"deadLetterTargetArn":"{ARN}{name}-dead","maxReceiveCount":"{receive_max}"}}"#);
        queue.ask(&[("Action", "CreateQueue"), ("QueueName", &format!("{name}-dead"))]);
        let attribute = [("Attribute.1.Name", "RedrivePolicy"), ("Attribute.1.Value", policy.as_str())];
        queue.ask(&[&[("Action", "CreateQueue"), ("QueueName", name)], &attribute[..]].concat());
        let rule = format!(
            "<NotificationConfiguration><QueueConfiguration><Id>sluice</Id><Queue>{ARN}{name}</Queue>\
             <Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
        );
        let made = self.request_to("s3", &format!("PUT /{bucket}?notification"), &rule);
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
        queue
    }

    /// Jobs of this name in a queue of its AWS Batch.
    #[must_use]
    pub fn jobs(&self, queue: &str, name: &str) -> usize {
        let asked = format!(r#"{{"jobQueue":"{queue}","filters":[{{"name":"JOB_NAME","values":["{name}"]}}]}}"#);
        self.request_to("batch", "POST /v1/listjobs", &asked).matches(&format!("\"{name}\"")).count()
    }
}

impl ServerQueue<'_> {
    /// As programs name it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/{ACCOUNT}/{}", self.server.uri(), self.name)
    }

    /// Adds a message.
    pub fn send(&self, body: &str) {
        self.ask(&[("Action", "SendMessage"), ("QueueUrl", &self.url()), ("MessageBody", body)]);
    }

    /// Removes all messages.
    pub fn purge(&self) {
        self.ask(&[("Action", "PurgeQueue"), ("QueueUrl", &self.url())]);
    }

    /// Messages that are in it, hidden ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        Self::count(&self.attributes(&self.url()))
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages among its dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> usize {
        Self::count(&self.attributes(&format!("{}-dead", self.url())))
    }

    fn attributes(&self, url: &str) -> String {
        self.ask(&[("Action", "GetQueueAttributes"), ("QueueUrl", url), ("AttributeName.1", "All")])
    }

    fn count(attributes: &str) -> usize {
        let value = |name: &str| {
            let rest = attributes.split_once(&format!("<Name>{name}</Name><Value>"));
            let rest = rest.unwrap_or_else(|| panic!("expected {name} in {attributes}")).1;
            rest.split('<').next().and_then(|digits| digits.parse::<usize>().ok()).unwrap_or_default()
        };
        value("ApproximateNumberOfMessages") + value("ApproximateNumberOfMessagesNotVisible")
    }

    fn ask(&self, fields: &[(&str, &str)]) -> String {
        let mut form = String::from("Version=2012-11-05");
        for (name, value) in fields {
            let escaped = value.bytes().fold(String::new(), |mut text, byte| {
                let _written = write!(text, "%{byte:02X}");
                text
            });
            let _written = write!(form, "&{name}={escaped}");
        }
        let answer = self.server.request_to("sqs", "POST /", &form);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }
}
