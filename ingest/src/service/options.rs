use std::time::Duration;

/// How a [`super::Service`] runs.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// End when nothing is left to do.
    pub until_idle: bool,
    /// For how long a received message is hidden at once; it is extended while it waits.
    pub hidden: Duration,
    /// How often to look for what no message told of.
    pub sweep_every: Duration,
    /// Upload days to look through, today being the first; all where absent, no sweep at all where 0.
    pub sweep_days: Option<u32>,
    /// Batches that may wait for a worker of this process before nothing more is received.
    pub backlog_max: usize,
    /// How long batches may go on after it was stopped.
    pub grace: Duration,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            until_idle: false,
            hidden: Duration::from_secs(600),
            sweep_every: Duration::from_secs(300),
            sweep_days: Some(2),
            backlog_max: 8,
            grace: Duration::from_secs(20),
        }
    }
}
