//! The generators as a command, for scripts and benchmarks. What was planted is printed as JSON.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use serde_json::json;
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, ByteOrder, CubeSpec, DataType, References};
use sluice_testkit::malformed;

/// Makes payloads for tests, demo and benchmarks.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    make: Make,
}

#[derive(Subcommand)]
enum Make {
    /// An ENVI cube.
    Cube(Cube),
    /// A capture: one trace per rank.
    Capture(Capture),
    /// One long trace.
    Large {
        /// The file to write.
        #[arg(long)]
        out: PathBuf,
        /// At least so many MiB.
        #[arg(long, default_value_t = 256)]
        mib: u64,
        /// Everything random comes from it.
        #[arg(long, default_value_t = 7)]
        seed: u64,
    },
    /// A gzip file that expands a thousandfold.
    Bomb {
        /// The file to write.
        #[arg(long)]
        out: PathBuf,
        /// Expanded size.
        #[arg(long, default_value_t = 1024)]
        mib: u32,
    },
}

#[derive(clap::Args)]
struct Cube {
    /// The folder to write into.
    #[arg(long)]
    out: PathBuf,
    /// The files' stem.
    #[arg(long, default_value = "cube")]
    name: String,
    /// Everything random comes from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Along track.
    #[arg(long, default_value_t = 64)]
    lines: u32,
    /// Across track.
    #[arg(long, default_value_t = 128)]
    samples: u32,
    /// Spectral.
    #[arg(long, default_value_t = 224)]
    bands: u32,
    /// bsq, bil or bip.
    #[arg(long, default_value = "bil")]
    interleave: cube::Interleave,
    /// ENVI's code.
    #[arg(long, default_value_t = 12)]
    data_type: u32,
    /// Big endian.
    #[arg(long)]
    big_endian: bool,
    /// Bytes before the first value.
    #[arg(long, default_value_t = 0)]
    header_offset: u64,
    /// Frames of a dark and of a white reference beside it; 0: none.
    #[arg(long, default_value_t = 0)]
    reference_lines: u32,
    /// Whether the image is gzip.
    #[arg(long)]
    gzip: bool,
    /// A header field, `name=value`, any number of times.
    #[arg(long)]
    field: Vec<String>,
}

#[derive(clap::Args)]
struct Capture {
    /// The folder to write into.
    #[arg(long)]
    out: PathBuf,
    /// Everything random comes from it.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// World size.
    #[arg(long, default_value_t = 8)]
    ranks: u32,
    /// Profiler steps.
    #[arg(long, default_value_t = 3)]
    steps: u32,
    /// The rank that works slowly.
    #[arg(long, default_value_t = 5)]
    straggler: u32,
    /// The rank that waits longest.
    #[arg(long, default_value_t = 2)]
    loudest: u32,
    /// Whether files are gzip.
    #[arg(long)]
    gzip: bool,
    /// A name for the training.
    #[arg(long)]
    job_id: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let report = match Arguments::parse().make {
        Make::Cube(arguments) => make_cube(arguments)?,
        Make::Capture(arguments) => make_capture(arguments)?,
        Make::Large { out, mib, seed } => {
            let truth = capture::write_large(seed, mib << 20, &out)?;
            json!({ "file": out, "events": truth.events, "kernels": truth.kernels, "kernel_ns": truth.kernel_ns })
        }
        Make::Bomb { out, mib } => {
            malformed::gzip_bomb(&out, mib)?;
            json!({ "file": out })
        }
    };
    writeln!(std::io::stdout(), "{report:#}")?;
    Ok(())
}

fn make_cube(arguments: Cube) -> Result<serde_json::Value, Box<dyn Error>> {
    let field = |text: String| match text.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(format!("expected a header field of `name=value`, found `{text}`")),
    };
    let spec = CubeSpec {
        seed: arguments.seed,
        lines: arguments.lines,
        samples: arguments.samples,
        bands: arguments.bands,
        interleave: arguments.interleave,
        data_type: DataType::from_code(arguments.data_type)?,
        byte_order: if arguments.big_endian { ByteOrder::Big } else { ByteOrder::Little },
        header_offset: arguments.header_offset,
        references: (arguments.reference_lines > 0)
            .then_some(References { dark_lines: arguments.reference_lines, white_lines: arguments.reference_lines }),
        gzip: arguments.gzip,
        extra_fields: arguments.field.into_iter().map(field).collect::<Result<_, _>>()?,
    };
    let files = cube::write(&spec, &arguments.out, &arguments.name)?;
    Ok(json!({ "header": files.header, "image": files.image, "body_bytes": spec.body_bytes() }))
}

fn make_capture(arguments: Capture) -> Result<serde_json::Value, Box<dyn Error>> {
    let spec = CaptureSpec {
        seed: arguments.seed,
        ranks: arguments.ranks,
        steps: arguments.steps,
        straggler: arguments.straggler,
        loudest: arguments.loudest,
        gzip: arguments.gzip,
        job_id: arguments.job_id,
        ..CaptureSpec::default()
    };
    let written = capture::write(&spec, &arguments.out)?;
    let truth = written.truth;
    Ok(json!({
        "files": written.files,
        "straggler": truth.straggler,
        "loudest": truth.loudest,
        "last_ranks": truth.last_ranks,
        "delays_ns": truth.delays_ns,
        "events": truth.by_rank.iter().map(|rank| rank.events).collect::<Vec<_>>(),
        "kernel_ns": truth.by_rank.iter().map(|rank| rank.kernel_ns).collect::<Vec<_>>(),
    }))
}
