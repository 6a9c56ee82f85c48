use std::time::Duration;

use tokio::sync::watch;

/// Asks a service to stop at the next safe point.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Whether a service was asked to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stopper {
    /// The one who asks, and what the service looks at.
    #[must_use]
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(receiver))
    }

    /// Asks; once is enough.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    pub(super) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Never where the one who asks is gone: nobody asked.
    pub(super) async fn requested(&self) {
        let mut requested = self.0.clone();
        if requested.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits, and no longer once it is to stop.
    pub(super) async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.requested() => {}
        }
    }
}
