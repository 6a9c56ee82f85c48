//! Payloads that are broken in a known way, each of which must end in quarantine with its neighbours unharmed.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use flate2::{Compress, Compression, Crc, FlushCompress};

use crate::Error;

/// Cuts a file to its first `bytes` bytes.
pub fn truncate(path: &Path, bytes: u64) -> Result<(), Error> {
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(bytes)).map_err(Error::write(path))
}

/// Cuts a file in the middle.
pub fn cut_in_half(path: &Path) -> Result<(), Error> {
    let size = std::fs::metadata(path).map_err(Error::write(path))?.len();
    truncate(path, size / 2)
}

/// Makes an ENVI header claim another number of lines than the image has.
pub fn lie_about_lines(header: &Path, lines: u32) -> Result<(), Error> {
    let mut text = String::new();
    File::open(header).and_then(|mut file| file.read_to_string(&mut text)).map_err(Error::write(header))?;
    let lied: String = text
        .lines()
        .map(|line| if line.starts_with("lines = ") { format!("lines = {lines}\n") } else { format!("{line}\n") })
        .collect();
    std::fs::write(header, lied).map_err(Error::write(header))
}

/// Writes a file without a byte.
pub fn empty(path: &Path) -> Result<(), Error> {
    File::create(path).map(drop).map_err(Error::write(path))
}

/// Writes a gzip file that is a valid trace once `mib` MiB of white space in it are expanded: about a thousandth of
/// that on disk.
pub fn gzip_bomb(path: &Path, mib: u32) -> Result<(), Error> {
    write_bomb(path, mib).map_err(Error::write(path))
}

fn write_bomb(path: &Path, mib: u32) -> std::io::Result<()> {
    const HEAD: &[u8] = b"{\"traceEvents\": [";
    const TAIL: &[u8] = b"]}";
    let spaces = vec![b' '; 1 << 20];
    // A block that ends with a full flush starts on a byte and refers to nothing before it, so it can be repeated.
    let block = deflate(&spaces, FlushCompress::Full)?;
    let crc_of = |bytes: &[u8]| {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc
    };
    let mut crc = crc_of(HEAD);
    let space_crc = crc_of(&spaces);
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])?;
    file.write_all(&deflate(HEAD, FlushCompress::Full)?)?;
    for _ in 0..mib {
        file.write_all(&block)?;
        crc.combine(&space_crc);
    }
    file.write_all(&deflate(TAIL, FlushCompress::Finish)?)?;
    crc.combine(&crc_of(TAIL));
    file.write_all(&crc.sum().to_le_bytes())?;
    file.write_all(&crc.amount().to_le_bytes())?;
    file.flush()
}

fn deflate(bytes: &[u8], flush: FlushCompress) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() / 100 + 4096);
    Compress::new(Compression::best(), false).compress_vec(bytes, &mut out, flush)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_small_and_expands_to_a_valid_trace() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bomb.json.gz");
        gzip_bomb(&path, 5).unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        assert!(size < 5 << 14, "{size} bytes");
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text.len(), (5 << 20) + 19);
        assert_eq!(text.replace(' ', ""), "{\"traceEvents\":[]}");
    }

    #[test]
    fn a_header_lies_about_its_lines_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.hdr");
        std::fs::write(&path, "ENVI\nsamples = 3\nlines = 4\nbands = 5\n").unwrap();
        lie_about_lines(&path, 4000).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "ENVI\nsamples = 3\nlines = 4000\nbands = 5\n");
    }
}
