use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// As `sluice-durable` reads it.
const PAUSE_VARIABLE: &str = "SLUICE_PAUSE_POINT";
const TIMEOUT: Duration = Duration::from_secs(120);

/// A process that stands still at a durable step, so that a test decides what others do meanwhile.
#[derive(Debug)]
pub struct Paused {
    process: Option<Child>,
}

impl Paused {
    /// Starts a command, and waits until it stands at the point: `plan.before`, `end.after:2`.
    #[must_use]
    pub fn at(point: &str, mut command: Command) -> Self {
        command.env(PAUSE_VARIABLE, point).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        let began = Instant::now();
        while !stands_still(process.id()) {
            let ended = process.try_wait().expect("a started program can be looked at");
            assert!(ended.is_none(), "ended with {ended:?} without having come to {point}");
            assert!(began.elapsed() < TIMEOUT, "does not come to {point}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { process: Some(process) }
    }

    /// Lets it go on to its end.
    #[must_use]
    pub fn go_on(mut self) -> Output {
        let process = self.process.take().expect("it goes on once");
        signal("-CONT", process.id());
        process.wait_with_output().expect("a started program can be waited for")
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _killed = process.kill();
            let _ended = process.wait();
        }
    }
}

fn signal(name: &str, id: u32) {
    let sent = Command::new("kill").args([name, &id.to_string()]).status().expect("`kill` starts");
    assert!(sent.success(), "process {id} is gone");
}

fn stands_still(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything.
    stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
}
