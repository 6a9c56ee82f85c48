//! `sluice ingest lambda`: the bundler as a function, behind a stand-in for the runtime API of AWS Lambda.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_e2e::{Lake, Ministack};
use sluice_testkit::cube::{self, CubeSpec};

const BUCKET: &str = "lakes";

/// Gives each event to the function that asks next, and its answer back.
struct RuntimeApi {
    address: String,
    events: SyncSender<Value>,
    answers: Receiver<(String, Value)>,
}

impl RuntimeApi {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, next) = sync_channel::<Value>(8);
        let (answered, answers) = sync_channel(8);
        std::thread::spawn(move || {
            let mut calls = 0;
            for stream in listener.incoming() {
                let (line, body) = read(stream.as_ref().unwrap());
                let mut stream = stream.unwrap();
                if line.starts_with("GET") {
                    let Ok(event) = next.recv() else { return };
                    calls += 1;
                    let headers = format!(
                        "Lambda-Runtime-Aws-Request-Id: {calls}\r\nLambda-Runtime-Deadline-Ms: 99999999999999\r\n\
                         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:0:function:f\r\n"
                    );
                    reply(&mut stream, "200 OK", &headers, &event.to_string());
                } else {
                    reply(&mut stream, "202 Accepted", "", "");
                    answered.send((line, serde_json::from_str(&body).unwrap_or(Value::String(body)))).unwrap();
                }
            }
        });
        Self { address, events, answers }
    }

    fn call(&self, event: Value) -> (String, Value) {
        self.events.send(event).unwrap();
        self.answers.recv_timeout(Duration::from_secs(120)).unwrap()
    }
}

fn reply(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .unwrap();
}

/// The request line and the body, whole or in chunks.
fn read(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request).unwrap();
    let (mut length, mut is_chunked) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(digits) = header.strip_prefix("content-length:") {
            length = digits.trim().parse().unwrap();
        }
        is_chunked |= header == "transfer-encoding: chunked";
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    while is_chunked {
        let mut size = String::new();
        reader.read_line(&mut size).unwrap();
        let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).unwrap() + 2];
        reader.read_exact(&mut chunk).unwrap();
        is_chunked = chunk.len() > 2;
        body.extend(&chunk[..chunk.len() - 2]);
    }
    (request, String::from_utf8(body).unwrap())
}

/// Ends with the test.
struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn start(lake: &Lake, api: &RuntimeApi) -> Function {
    let mut command = lake.command();
    command.args(["ingest", "lambda"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("SLUICE_JOB_QUEUE", "spot").env("SLUICE_JOB_DEFINITION", "sluice-work");
    command.env("AWS_LAMBDA_RUNTIME_API", &api.address).env("AWS_LAMBDA_FUNCTION_NAME", "bundle");
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128").env("AWS_LAMBDA_FUNCTION_VERSION", "1");
    Function(command.spawn().unwrap())
}

fn announced(lake: &Lake, seed: u64) -> String {
    let spec = CubeSpec { seed, bands: 5, lines: 4, samples: 6, ..CubeSpec::default() };
    let files = cube::write(&spec, &lake.scratch().join("in"), &format!("c{seed}")).unwrap();
    let output = lake.land_command([&files.header]).arg("--announce-only").output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    listed[0]["announcement"].as_str().unwrap().to_owned()
}

fn message(id: &str, body: &str) -> Value {
    json!({"messageId": id, "receiptHandle": "r", "body": body, "attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs"})
}

#[test]
fn a_call_plans_claims_and_dispatches_what_it_understands_and_gives_back_the_rest() {
    let store = Ministack::with_bucket(BUCKET);
    let catalog = format!("{}/iceberg", store.uri());
    let arguments = ["--catalog", "rest", "--uri", &catalog, "--warehouse", "000000000000"];
    let lake = Lake::in_bucket("s3://lakes/main", &arguments, store.environment());
    let (first, second) = (announced(&lake, 1), announced(&lake, 2));
    let api = RuntimeApi::start();
    let _function = start(&lake, &api);

    let good = format!("s3://{BUCKET}/main/{first}");
    let event = json!({"Records": [message("good", &good), message("bad", "hello"), message("again", &good)]});
    let (line, answer) = api.call(event.clone());
    assert!(line.contains("/response"), "{line} {answer}");
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "bad"}]}));
    let plans = || store.keys(BUCKET, "main/ledger/batches/").into_iter().filter(|key| key.ends_with("plan.json"));
    assert_eq!(plans().count(), 1);
    let batch_id = plans().next().unwrap().split('/').nth(3).unwrap().to_owned();
    assert_eq!(store.jobs("spot", &format!("sluice-{batch_id}")), 1, "one job, named by the batch");

    let (_, answer) = api.call(json!({"Records": [message("told again", &good)]}));
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(plans().count(), 1, "a duplicate is no batch");

    // Nobody told of the second one, and nobody has worked on the first yet.
    let (line, _) = api.call(json!({"detail-type": "Scheduled Event", "source": "aws.events"}));
    assert!(line.contains("/response"), "{line}");
    assert_eq!(plans().count(), 2, "{second} is planned");
    let (line, told) = api.call(json!({"what": "is this"}));
    assert!(line.contains("/error"), "{line} {told}");
    assert!(told.to_string().contains("Records"), "{told}");

    let swept = lake.json(["ingest", "sweep"]);
    assert_eq!(swept["landed"], 2, "{swept}");
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 2);
}
