use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::python::interpreter;

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// An object store and an Iceberg REST catalog, as a process of its own that ends with its owner.
#[derive(Debug)]
pub struct Ministack {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Ministack {
    /// A store with one bucket, which believes everybody.
    #[must_use]
    pub fn with_bucket(bucket: &str) -> Self {
        let server = Self::start(false);
        let made = server.request(&format!("PUT /{bucket}"), "");
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
        server
    }

    /// A server that checks every signature, and an access key and its secret that it knows.
    #[must_use]
    pub fn with_user() -> (Self, String, String) {
        let server = Self::start(true);
        let iam = |what: &str| server.request("POST /", &format!("{what}&UserName=u&Version=2010-05-08"));
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
        iam("Action=CreateUser");
        iam(&format!("Action=PutUserPolicy&PolicyName=p&PolicyDocument={policy}"));
        let made = iam("Action=CreateAccessKey");
        let part = |name: &str| {
            let rest = made.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("expected {name} in {made}")).1;
            rest.split('<').next().unwrap_or_default().to_owned()
        };
        let (key, secret) = (part("AccessKeyId"), part("SecretAccessKey"));
        (server, key, secret)
    }

    fn start(checks_signatures: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        drop(listener);
        let mut command = Command::new(interpreter().with_file_name("ministack"));
        command.current_dir(folder.path()).env_clear().env("HOME", folder.path()).env("PATH", "/usr/bin:/bin");
        command.env("BIND_HOST", "127.0.0.1").env("MINISTACK_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
        command.env("AUTH", checks_signatures.to_string());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ministack starts");
        let server = Self { process, port, _folder: folder };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < START_TIMEOUT, "ministack does not answer on port {port}");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// Its address as a URI.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What every AWS tool needs to find it, and nothing else.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ENDPOINT_URL", self.uri()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Puts an object.
    pub fn put(&self, bucket: &str, key: &str, body: &str) {
        let put = self.request(&format!("PUT /{bucket}/{key}"), body);
        assert!(put.starts_with("HTTP/1.1 200"), "{put}");
    }

    /// Removes an object.
    pub fn delete(&self, bucket: &str, key: &str) {
        let deleted = self.request(&format!("DELETE /{bucket}/{key}"), "");
        assert!(deleted.starts_with("HTTP/1.1 204"), "{deleted}");
    }

    /// The keys in a bucket below a prefix.
    #[must_use]
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let listed = self.request(&format!("GET /{bucket}?list-type=2&prefix={prefix}"), "");
        let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        keys.map(|(key, _)| key.to_owned()).collect()
    }

    fn request(&self, line: &str, body: &str) -> String {
        self.request_to("iam", line, body)
    }

    /// As the server's own root, whose signature it never checks.
    pub(crate) fn request_to(&self, service: &str, line: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("ministack listens");
        let scope = format!("20260101/us-east-1/{service}/aws4_request");
        let root = format!("AWS4-HMAC-SHA256 Credential=test/{scope}, SignedHeaders=host, Signature=x");
        let form = "application/x-www-form-urlencoded";
        let length = body.len();
        let authorization =
            if !line.starts_with("POST") { String::new() } else { format!("Authorization: {root}\r\n") };
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {form}\r\n{authorization}\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .expect("ministack reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("ministack answers");
        answer
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}
