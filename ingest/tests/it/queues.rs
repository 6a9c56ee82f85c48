//! The contract of queues over the embedded one, and over servers that speak SQS.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use sluice_api::Class;
use sluice_e2e::{Ministack, setting};
use sluice_ingest::{EmbeddedQueue, Queue, SqsQueue};

use crate::contract::{Maker, Subject, expect_contract};

struct Embedded;

#[async_trait]
impl Maker for Embedded {
    async fn make(&self, hidden: Duration) -> Box<dyn Subject> {
        Box::new(EmbeddedQueue::new(hidden))
    }
}

#[async_trait]
impl Subject for EmbeddedQueue {
    fn queue(&self) -> &dyn Queue {
        self
    }

    async fn send(&self, body: &str) {
        EmbeddedQueue::send(self, body.to_owned());
    }
}

/// A server that speaks SQS.
struct Server {
    config: SdkConfig,
    client: aws_sdk_sqs::Client,
    queues: AtomicU32,
}

impl Server {
    fn at(endpoint: &str) -> Self {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let credentials = Credentials::new("test", "test", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new("us-east-1"))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let client = aws_sdk_sqs::Client::new(&config);
        Self { config, client, queues: AtomicU32::new(0) }
    }
}

struct OnServer {
    queue: SqsQueue,
    client: aws_sdk_sqs::Client,
    url: String,
}

#[async_trait]
impl Maker for Server {
    async fn make(&self, hidden: Duration) -> Box<dyn Subject> {
        let name = format!("contract-{}-{}", std::process::id(), self.queues.fetch_add(1, Ordering::Relaxed));
        let made = self.client.create_queue().queue_name(name).send().await.unwrap();
        let url = made.queue_url.unwrap();
        let queue = SqsQueue::with_config(&self.config, &url, hidden);
        Box::new(OnServer { queue, client: self.client.clone(), url })
    }
}

#[async_trait]
impl Subject for OnServer {
    fn queue(&self) -> &dyn Queue {
        &self.queue
    }

    async fn send(&self, body: &str) {
        self.client.send_message().queue_url(&self.url).message_body(body).send().await.unwrap();
    }
}

#[tokio::test]
async fn the_embedded_queue_keeps_the_contract() {
    expect_contract(&Embedded).await;
}

#[tokio::test]
async fn sqs_on_ministack_keeps_the_contract() {
    let server = Ministack::with_bucket("unused");
    expect_contract(&Server::at(&server.uri())).await;
}

#[tokio::test]
#[ignore = "needs ElasticMQ: SLUICE_TEST_ELASTICMQ names its endpoint"]
async fn sqs_on_elasticmq_keeps_the_contract() {
    let endpoint = setting("SLUICE_TEST_ELASTICMQ").unwrap();
    expect_contract(&Server::at(&endpoint)).await;
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_a_matter_for_a_person_and_one_that_does_not_answer_is_not() {
    let server = Ministack::with_bucket("unused");
    let Server { config, .. } = Server::at(&server.uri());
    let missing = format!("{}/000000000000/missing", server.uri());
    let error = SqsQueue::with_config(&config, &missing, Duration::from_secs(1)).receive(1, Duration::ZERO).await;
    let error = error.unwrap_err();
    assert_eq!(error.class(), Class::Fatal, "{}", sluice_api::chain(&error));
    assert!(sluice_api::chain(&error).contains(&missing), "{}", sluice_api::chain(&error));
    drop(server);
    let error = SqsQueue::with_config(&config, &missing, Duration::from_secs(1)).receive(1, Duration::ZERO).await;
    assert_eq!(error.unwrap_err().class(), Class::Transient);
    let error = SqsQueue::connect("sluice-queue", Duration::from_secs(1)).await.unwrap_err();
    assert!(sluice_api::chain(&error).contains("expected the URL of a queue"));
}
