//! A proxy before an HTTP server that spoils commits on purpose: whether the server did the work is known here, and to
//! nobody else.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing bad.
    None,
    /// The server does the work, the answer is lost.
    LoseAnswer,
    /// The server does the work, half of the answer arrives.
    CutAnswer,
    /// The server does the work, the client is told that nobody knows.
    BadGateway,
    /// The server never sees it, and says so.
    NotReady,
    /// The server never sees it, the connection just ends.
    LoseRequest,
}

/// All of them.
pub(crate) const FAULTS: [Fault; 6] =
    [Fault::None, Fault::LoseAnswer, Fault::CutAnswer, Fault::BadGateway, Fault::NotReady, Fault::LoseRequest];

/// Listens until the test ends.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    faults: Arc<Mutex<VecDeque<Fault>>>,
}

impl Proxy {
    pub(crate) fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let faults = Arc::new(Mutex::new(VecDeque::new()));
        let shared = Arc::clone(&faults);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let faults = Arc::clone(&shared);
                std::thread::spawn(move || serve(&client, server, &faults));
            }
        });
        Self { port, faults }
    }

    /// What becomes of the next commits, one after another; those after them are left alone.
    pub(crate) fn arm(&self, faults: &[Fault]) {
        self.faults.lock().unwrap().extend(faults);
    }

    /// Faults that no commit met.
    pub(crate) fn left(&self) -> usize {
        self.faults.lock().unwrap().len()
    }
}

/// One request for each connection.
fn serve(client: &TcpStream, server: u16, faults: &Mutex<VecDeque<Fault>>) {
    let Some(request) = read_request(client) else { return };
    let is_commit = request.starts_with(b"POST ") && request.windows(8).any(|part| part == b"/tables/");
    let fault = if is_commit { faults.lock().unwrap().pop_front() } else { None };
    let whole = || forward(server, &request);
    let answer = match fault.unwrap_or(Fault::None) {
        Fault::None => whole(),
        Fault::LoseAnswer => {
            whole();
            Vec::new()
        }
        Fault::CutAnswer => {
            let answer = whole();
            answer[..answer.len() / 2].to_vec()
        }
        Fault::BadGateway => {
            whole();
            error(502, "BadGateway")
        }
        Fault::NotReady => error(503, "ServiceUnavailable"),
        Fault::LoseRequest => Vec::new(),
    };
    let _sent = { client }.write_all(&answer);
    let _closed = client.shutdown(Shutdown::Both);
}

fn error(status: u16, kind: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} {kind}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
}

/// The whole request, with `Connection: close`.
pub(crate) fn read_request(client: &TcpStream) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(client);
    let mut head = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if lower.starts_with("expect:") {
            { client }.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        } else if !lower.starts_with("connection:") {
            head.extend_from_slice(line.as_bytes());
        }
    }
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    head.extend(body);
    Some(head)
}

pub(crate) fn forward(server: u16, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", server)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}
