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
    /// A store with one bucket.
    #[must_use]
    pub fn with_bucket(bucket: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        drop(listener);
        let mut command = Command::new(interpreter().with_file_name("ministack"));
        command.current_dir(folder.path()).env_clear().env("HOME", folder.path()).env("PATH", "/usr/bin:/bin");
        command.env("BIND_HOST", "127.0.0.1").env("MINISTACK_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ministack starts");
        let server = Self { process, port, _folder: folder };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < START_TIMEOUT, "ministack does not answer on port {port}");
            std::thread::sleep(Duration::from_millis(50));
        }
        let made = server.request(&format!("PUT /{bucket}"));
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
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

    /// The keys in a bucket below a prefix.
    #[must_use]
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let listed = self.request(&format!("GET /{bucket}?list-type=2&prefix={prefix}"));
        let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        keys.map(|(key, _)| key.to_owned()).collect()
    }

    fn request(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("ministack listens");
        write!(stream, "{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
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
