//! Every attack, with what stops it.

use sluice_api::Class;
use sluice_plugin_host::{Error, Limit, Limits};

use crate::support::{chain, config, host_with, hostile, part, payload_bytes, run, small_limits};

/// Attacks that a limit stops.
const LIMITED: [(&str, Limit); 17] = [
    ("spin", Limit::CallTime),
    ("spin-and-read", Limit::CallTime),
    ("spin-in-plan", Limit::PlanTime),
    ("grow", Limit::Memory),
    ("flood-rows", Limit::BatchRows),
    ("flood-bytes", Limit::CallBytes),
    ("flood-log", Limit::LogBytes),
    ("flood-stderr", Limit::LogBytes),
    ("flood-reasons", Limit::Reasons),
    ("endless-batches", Limit::EmptyBatches),
    ("endless-rows", Limit::Rows),
    ("many-streams", Limit::Streams),
    ("gzip-bomb", Limit::DecompressedBytes),
    ("huge-name", Limit::NameBytes),
    ("many-columns", Limit::Columns),
    ("shared-flood", Limit::SharedBytes),
    ("read-again", Limit::ReadBytes),
];

/// Attacks that are found out, with a word of what the error says.
const LIES: [(&str, &str); 17] = [
    ("unequal-columns", "rows, as the batch says"),
    ("missing-column", "20 columns"),
    ("wrong-type", "declared type `Int64`"),
    ("bad-offsets", "offsets from `0`"),
    ("offsets-outside", "offsets that end at"),
    ("bad-utf8", "UTF-8 text"),
    ("bad-key", "keys below 2"),
    ("bad-boolean", "`0` or `1`"),
    ("bad-validity", "bytes of validity"),
    ("nulls-in-required", "no nulls"),
    ("wrong-table", "a table below 1"),
    ("miscount", "`rows-out` of the summary"),
    ("miscount-rejected", "`rows-rejected` of the summary"),
    ("twin-columns", "each column once"),
    ("partition-by-row", "constant columns only"),
    ("range-outside", "bytes of the parts"),
    ("error", "expected magic `HOST`, found `TILE`"),
];

/// Attacks that trap.
const TRAPS: [&str; 4] = ["trap", "trap-in-plan", "exit", "overflow"];

fn limits() -> Limits {
    let mut limits = small_limits();
    limits.read.floor = 8 << 20;
    limits.read.ratio = 1;
    limits
}

/// A gzip stream that grows a thousandfold, which is also a fine payload of words.
fn bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &vec![0; 32 << 20]).unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes.truncate(bytes.len() / 8 * 8);
    bytes
}

#[test]
fn every_attack_is_stopped_by_its_limit_and_a_neighbour_lands() {
    let host = host_with(limits(), 2);
    let plugin = hostile(&host);
    let (bomb, words) = (part(bomb()), part(payload_bytes(3000)));
    for (attack, limit) in LIMITED {
        let parts = if attack == "gzip-bomb" { &bomb } else { &words };
        let (outcome, neighbour) = std::thread::scope(|scope| {
            let attacked = scope.spawn(|| run(&plugin, parts, &config(attack)));
            let neighbour = scope.spawn(|| run(&plugin, &words, &config("polite")));
            (attacked.join().unwrap(), neighbour.join().unwrap())
        });
        let error = outcome.expect_err(attack);
        assert!(matches!(&error, Error::Limit(exceeded) if exceeded.limit == limit), "{attack}: {}", chain(&error));
        assert_eq!(error.class(), Class::Rejected, "{attack}");
        assert_eq!(neighbour.unwrap().0.rows_out, 3000, "the neighbour of {attack}");
    }
}

#[test]
fn every_lie_is_found_out() {
    let host = host_with(limits(), 2);
    let plugin = hostile(&host);
    let parts = part(payload_bytes(3000));
    for (attack, word) in LIES {
        let error = run(&plugin, &parts, &config(attack)).expect_err(attack);
        assert_eq!(error.class(), Class::Rejected, "{attack}");
        assert!(chain(&error).contains(word), "{attack}: {}", chain(&error));
    }
}

#[test]
fn a_trap_rejects_the_payload_and_repeats_the_guests_last_words() {
    let host = host_with(limits(), 2);
    let plugin = hostile(&host);
    let parts = part(payload_bytes(3000));
    for attack in TRAPS {
        let error = run(&plugin, &parts, &config(attack)).expect_err(attack);
        assert!(matches!(error, Error::Trap { .. }), "{attack}: {}", chain(&error));
        assert_eq!(error.class(), Class::Rejected);
        let expected = match attack {
            "exit" => "asked to exit",
            "overflow" => "stack",
            _ => "a hostile guest gives up",
        };
        assert!(chain(&error).contains(expected), "{attack}: {}", chain(&error));
    }
    assert_eq!(run(&plugin, &parts, &config("polite")).unwrap().0.rows_out, 3000);
}

#[test]
fn one_failed_split_stops_the_others_and_finishes_none_of_them_wrongly() {
    let host = host_with(limits(), 2);
    let plugin = hostile(&host);
    let parts = part(payload_bytes(200_000));
    let text = r#"{"attack":"miscount","splits":50}"#;
    let plan = crate::support::plan(&plugin, &parts, text).unwrap();
    let landed = crate::support::Landed::default();
    let error = plugin.flatten(&parts, text, &plan, &|split| landed.sink(split), &|_| {}).unwrap_err();
    assert!(matches!(error, Error::Broken { call: "finish", .. }), "{}", chain(&error));
    assert_eq!(landed.splits(), 0);
}
