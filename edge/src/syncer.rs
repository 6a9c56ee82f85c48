use std::fs::File;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// More finished files than this wait for nobody: flattening goes at the pace of the disk then.
const FILES_WAITING: usize = 64;

/// Makes finished files durable on a thread of its own: a disk takes longer for it than the columns take to make, and
/// the threads that make them need not wait.
#[derive(Debug)]
pub(crate) struct Syncer {
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    files: SyncSender<File>,
    thread: JoinHandle<io::Result<()>>,
}

impl Syncer {
    pub(crate) fn start() -> io::Result<Self> {
        let (files, queue) = sync_channel::<File>(FILES_WAITING);
        let sync_all = move || queue.into_iter().try_for_each(|file| file.sync_all());
        let thread = std::thread::Builder::new().name("syncer".into()).spawn(sync_all)?;
        Ok(Self { running: Mutex::new(Some(Running { files, thread })) })
    }

    /// Hands over a file; what fails is told by [`Syncer::finish`].
    pub(crate) fn sync(&self, file: File) {
        if let Some(running) = self.running().as_ref() {
            // Nobody listens after a failure, which `finish` tells.
            let _stopped = running.files.send(file);
        }
    }

    /// Waits until every file is durable.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let Some(Running { files, thread }) = self.running().take() else { return Ok(()) };
        drop(files);
        thread.join().unwrap_or_else(|_| Err(io::Error::other("expected the syncing thread to end, found a panic")))
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_synced_is_told() {
        let good = tempfile::tempfile().unwrap();
        let syncer = Syncer::start().unwrap();
        syncer.sync(good.try_clone().unwrap());
        syncer.finish().unwrap();

        // A pipe has no disk below it: `fsync` refuses it.
        let (_reader, writer) = io::pipe().unwrap();
        let syncer = Syncer::start().unwrap();
        syncer.sync(File::from(std::os::fd::OwnedFd::from(writer)));
        syncer.sync(good);
        assert!(syncer.finish().is_err());
    }
}
