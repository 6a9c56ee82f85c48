use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::spec::{CaptureSpec, RankTruth};
use super::training::Training;
use crate::Error;

/// Writes rank 0 of a long window to one file of at least `bytes` bytes, step after step, in little memory.
///
/// The other ranks are simulated so that rank 0 waits for them, and are not written.
pub fn write_large(seed: u64, bytes: u64, path: &Path) -> Result<RankTruth, Error> {
    let spec =
        CaptureSpec { seed, ranks: 3, straggler: 1, loudest: 2, kernels_per_collective: 64, ..CaptureSpec::default() };
    let mut training = Training::new(&spec);
    let mut run = || {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let head = training.ranks[0].head(&spec);
        file.write_all(head.as_bytes())?;
        let mut written = head.len() as u64;
        while written < bytes {
            training.step();
            for rank in &mut training.ranks {
                if rank.is_written() {
                    written += (rank.recorder.cpu.len() + rank.recorder.gpu.len()) as u64;
                    file.write_all(rank.recorder.cpu.as_bytes())?;
                    file.write_all(rank.recorder.gpu.as_bytes())?;
                }
                rank.recorder.cpu.clear();
                rank.recorder.gpu.clear();
            }
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        file.write_all(training.ranks[0].foot(&name).as_bytes())?;
        file.flush()
    };
    run().map_err(Error::write(path))?;
    Ok(training.ranks[0].recorder.truth.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_json_of_the_size_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large.json");
        let truth = write_large(3, 1 << 20, &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() > 1 << 20 && bytes.len() < 3 << 20, "{} bytes", bytes.len());
        let trace: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(trace["traceEvents"].as_array().unwrap().len() as u64, truth.events);
    }
}
