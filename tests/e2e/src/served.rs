use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::Lake;

/// A running `sluice serve`; it ends with its owner.
#[derive(Debug)]
pub struct Served {
    process: Child,
    uri: String,
}

impl Served {
    /// Serves a lake on a free port.
    #[must_use]
    pub fn start(lake: &Lake, arguments: &[&str]) -> Self {
        let mut command = lake.command();
        command.args(["serve", "--bind", "127.0.0.1:0"]).args(arguments);
        Self::of(command)
    }

    /// [`Served::start`] with a token in the environment.
    #[must_use]
    pub fn with_token(lake: &Lake, token: &str) -> Self {
        let mut command = lake.command();
        command.args(["serve", "--bind", "127.0.0.1:0"]).env("SLUICE_SERVE_TOKEN", token);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let stdout = process.stdout.take().expect("its output was asked for");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let uri = line.split_whitespace().find(|word| word.starts_with("http://"));
        let uri = uri.unwrap_or_else(|| panic!("expected an address, found `{line}`")).to_owned();
        Self { process, uri }
    }

    /// Where it listens.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}
