//! The main job on sample payloads: land them, then ask what people ask.

use std::path::{Path, PathBuf};

use anyhow::Context;
use sluice_lakehouse::Lake;

use crate::cli::{DemoArgs, Format, LandArgs};
use crate::verb::land::land;
use crate::{Exit, output};

/// A question, asked where its tables exist.
struct Question {
    title: &'static str,
    note: &'static str,
    sql: &'static str,
}

const QUESTIONS: [Question; 4] = [
    Question {
        title: "NDVI by crop, from the cube and its map of classes",
        note: "The scene holds radiance-like counts, not reflectance: compare classes with each other, not with a book.",
        sql: "WITH legend AS (
  SELECT payload_id, replace(trim(BOTH '[]' FROM facts['classes']), '\"', '') AS names
  FROM bronze.payloads WHERE dataset = 'indian_pines_class'
)
SELECT trim(split_part(l.names, ',', CAST(c.b001 AS BIGINT) + 1)) AS crop, count(*) AS pixels, round(avg(i.mean), 3) AS ndvi
FROM gold.indian_pines_index i
JOIN silver.indian_pines_class_pixels c ON c.line = i.line_first AND c.sample = i.sample_first
JOIN legend l ON l.payload_id = c.payload_id
WHERE i.index = 'ndvi' AND c.b001 > 0
GROUP BY 1 ORDER BY ndvi DESC",
    },
    Question {
        title: "Which rank makes the others wait?",
        note: "The straggler is the rank that arrives last in most collectives; the rank with the most NCCL time waits for it.",
        sql: "SELECT substr(capture_id, 1, 12) AS capture, ranks_landed, collectives, straggler_rank, times_last,
       round(total_delay_ns / 1e3, 1) AS delay_us, most_nccl_rank, round(most_nccl_ns / 1e3, 1) AS most_nccl_us
FROM gold.traces_straggler",
    },
    Question {
        title: "The collectives with the longest wait",
        note: "delay: last start minus second-last start.",
        sql: "SELECT coll, match_by, ranks_landed, last_rank, round(delay_ns / 1e3, 1) AS delay_us, round(busbw / 1e9, 2) AS busbw_gb_s
FROM gold.traces_collective ORDER BY delay_ns DESC LIMIT 5",
    },
    Question {
        title: "Where the GPUs spend their time",
        note: "Over all ranks.",
        sql: "SELECT kernel_type, substr(name, 1, 60) AS kernel, sum(count) AS calls, round(sum(time_ns) / 1e6, 3) AS ms
FROM gold.traces_kernel_stats GROUP BY kernel_type, name ORDER BY ms DESC LIMIT 8",
    },
];

pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<Exit> {
    let payloads = match args.payloads {
        Some(payloads) => payloads,
        None => generate(&args.dir.join("payloads"))?,
    };
    let lake = Lake::init(&args.dir.join("lake"))?;
    output::line(&format!("lake: {}\npayloads: {}\n", lake.root().display(), payloads.display()))?;
    let routes = Some(payloads.join(sluice_edge::ROUTES_FILE)).filter(|file| file.is_file());
    let land_args = LandArgs {
        paths: vec![payloads.clone()],
        routes,
        threads: None,
        skip_gold: false,
        branch: None,
        announce_only: false,
        format: Format::Table,
    };
    let exit = land(&lake, land_args).await?;
    for question in QUESTIONS {
        ask(&lake, &question).await?;
    }
    let shown = lake.root().display();
    output::line(&format!(
        "Go on:\n  sluice --lake {shown} tables\n  sluice --lake {shown} describe silver.traces_kernel\n  \
         sluice --lake {shown} sql \"SELECT ...\"\n  sluice --lake {shown} land YOUR-FILES\n\
         The tables are plain Iceberg: PyIceberg opens sqlite:///{shown}/catalog.db as catalog `sluice`."
    ))?;
    Ok(exit)
}

async fn ask(lake: &Lake, question: &Question) -> anyhow::Result<()> {
    let tables = lake.tables().await?;
    let known = |name: &str| tables.iter().any(|table| table.to_string() == name);
    let words = question.sql.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
    let mut needed = words.filter(|word| word.starts_with("gold.") || word.starts_with("silver."));
    if let Some(missing) = needed.find(|word| !known(word)) {
        return output::line(&format!("\n{}\nnot asked: these payloads made no table {missing}", question.title));
    }
    let rows = lake.sql(question.sql, None).await.with_context(|| format!("answer `{}`", question.title))?;
    output::line(&format!("\n{}\n{}\n\n{}", question.title, question.note, question.sql))?;
    output::print_batches(&rows.schema, &rows.batches, Format::Table)
}

/// A small capture and a small cube with planted facts, for a look without any file at hand.
fn generate(folder: &Path) -> anyhow::Result<PathBuf> {
    sluice_testkit::write_demo(folder).with_context(|| format!("make payloads in `{}`", folder.display()))?;
    Ok(folder.to_owned())
}
