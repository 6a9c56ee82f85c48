//! S3 stores for tests, with a proxy before each that may answer in its place. A store is found by environment
//! variables alone, which belong to a process: so a test runs itself again as a child that has them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::ministack::{free_port, program};
use crate::proxy::{forward, read_request};

const START_TIMEOUT: Duration = Duration::from_secs(60);
const STORE: &str = "SLUICE_TEST_S3_STORE";
const PORT: &str = "SLUICE_TEST_S3_PORT";
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
pub(crate) const BUCKET: &str = "lake";
/// Whom the stores believe without looking at the signature.
const SOMEBODY: &str =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x";

/// What a server is lenient about differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Takes parts of any size; compares checksums that it is given, and keeps to `copy-source-if-match`.
    Ministack,
    /// Refuses small parts; reports no checksums, and copies whatever the condition.
    Moto,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Ministack => "ministack",
            Self::Moto => "moto",
        }
    }
}

/// The store of a test that runs as a child.
pub(crate) struct Store {
    pub(crate) kind: Kind,
    server: u16,
    answers: Answers,
}

/// Looks at a request; what it returns is the answer, else the store gives it.
pub(crate) type Answer = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>> + Send>;
type Answers = Arc<Mutex<Option<Answer>>>;

impl Store {
    /// In a child, its store. Else the test of this name is run as a child, once with each kind of store; it must pass.
    pub(crate) fn of_child(test: &str, kinds: &[Kind]) -> Option<Self> {
        if let Some(name) = std::env::var_os(STORE) {
            let kind = if name == Kind::Moto.name() { Kind::Moto } else { Kind::Ministack };
            return Some(Self::behind_proxy(kind));
        }
        for kind in kinds {
            let server = Server::start(*kind);
            let made = request(server.port, &format!("PUT /{BUCKET}"), &[], b"");
            assert_eq!(made.status, 200, "{made:?}");
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", test, "--nocapture"])
                .env(STORE, kind.name())
                .env(PORT, server.port.to_string())
                .env(ENDPOINT, format!("http://127.0.0.1:{}", free_port()))
                .env("AWS_REGION", "us-east-1")
                .env("AWS_ACCESS_KEY_ID", "test")
                .env("AWS_SECRET_ACCESS_KEY", "test")
                .env("AWS_EC2_METADATA_DISABLED", "true")
                .output()
                .unwrap();
            let told = [output.stdout, output.stderr].concat();
            let told = String::from_utf8_lossy(&told);
            assert!(output.status.success(), "{kind:?}: {told}");
            assert!(told.contains("1 passed"), "{kind:?}: no test is named `{test}`: {told}");
        }
        None
    }

    fn behind_proxy(kind: Kind) -> Self {
        let port = |name: &str| {
            std::env::var_os(name).unwrap().to_str().unwrap().rsplit(':').next().unwrap().parse::<u16>().unwrap()
        };
        let (server, proxy) = (port(PORT), port(ENDPOINT));
        let answers = Answers::default();
        let listener = TcpListener::bind(("127.0.0.1", proxy)).unwrap();
        let shared = Arc::clone(&answers);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let answers = Arc::clone(&shared);
                std::thread::spawn(move || serve(&client, server, &answers));
            }
        });
        Self { kind, server, answers }
    }

    /// From now on requests are looked at by this.
    pub(crate) fn answer(&self, answer: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static) {
        *self.answers.lock().unwrap() = Some(Box::new(answer));
    }

    /// The store itself, past the proxy.
    pub(crate) fn direct(&self) -> Direct {
        Direct { port: self.server }
    }
}

/// One request for each connection.
fn serve(client: &TcpStream, server: u16, answers: &Mutex<Option<Answer>>) {
    let Some(request) = read_request(client) else { return };
    let answered = answers.lock().unwrap().as_mut().and_then(|answer| answer(&request));
    let answer = answered.unwrap_or_else(|| forward(server, &request));
    let _sent = { client }.write_all(&answer);
    let _closed = client.shutdown(Shutdown::Both);
}

/// Requests that no test answers.
#[derive(Clone, Copy)]
pub(crate) struct Direct {
    port: u16,
}

impl Direct {
    pub(crate) fn put(self, key: &str, bytes: &[u8], headers: &[(&str, &str)]) {
        let put = request(self.port, &format!("PUT /{BUCKET}/{key}"), headers, bytes);
        assert_eq!(put.status, 200, "{put:?}");
    }

    pub(crate) fn get(self, key: &str) -> Option<Vec<u8>> {
        let got = request(self.port, &format!("GET /{BUCKET}/{key}"), &[], b"");
        (got.status == 200).then_some(got.body)
    }

    pub(crate) fn delete(self, key: &str) {
        request(self.port, &format!("DELETE /{BUCKET}/{key}"), &[], b"");
    }

    /// Uploads that were begun, and neither completed nor aborted.
    pub(crate) fn open_uploads(self) -> usize {
        let listed = request(self.port, &format!("GET /{BUCKET}?uploads"), &[], b"");
        assert_eq!(listed.status, 200, "{listed:?}");
        String::from_utf8_lossy(&listed.body).matches("<UploadId>").count()
    }

    pub(crate) fn uri(self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Passes a request on.
    pub(crate) fn forward(self, request: &[u8]) -> Vec<u8> {
        forward(self.port, request)
    }
}

/// An answer of a store that says no.
pub(crate) fn refusal(status: u16, code: &str) -> Vec<u8> {
    let body = format!("<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>");
    let length = body.len();
    format!("HTTP/1.1 {status} {code}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes()
}

/// Whether a request has the store copy a part.
pub(crate) fn is_copy(request: &[u8]) -> bool {
    head(request).contains("\r\nx-amz-copy-source:")
}

/// The lines of a request before its body, in lower case.
pub(crate) fn head(request: &[u8]) -> String {
    let end = request.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or(request.len());
    String::from_utf8_lossy(&request[..end]).to_ascii_lowercase()
}

#[derive(Debug)]
struct Response {
    status: u16,
    body: Vec<u8>,
}

fn request(port: u16, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {SOMEBODY}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let status = head_status(&answer[..end]);
    Response { status, body: answer.split_off(end + 4) }
}

fn head_status(head: &[u8]) -> u16 {
    String::from_utf8_lossy(head).split(' ').nth(1).unwrap().parse().unwrap()
}

/// A process that ends with its owner.
struct Server {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = match kind {
            Kind::Ministack => Command::new(program("ministack")),
            Kind::Moto => {
                let mut command = Command::new(program("moto_server"));
                command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
                command
            }
        };
        command.current_dir(folder.path()).env_clear().env("HOME", folder.path()).env("PATH", "/usr/bin:/bin");
        command.env("BIND_HOST", "127.0.0.1").env("MINISTACK_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(process.try_wait().unwrap().is_none(), "{kind:?} ended at once");
            assert!(began.elapsed() < START_TIMEOUT, "{kind:?} does not answer on port {port}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { process, port, _folder: folder }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// Runs a script of `tests/interop`, which must end well.
pub(crate) fn python(script: &str, arguments: &[&str]) -> String {
    let interop = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/interop");
    let mut command = Command::new(program("python"));
    command.arg(interop.join(script)).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    stdout.into_owned()
}
