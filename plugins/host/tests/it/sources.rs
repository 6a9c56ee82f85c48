//! Sources that are slow, that fail, that are compressed.

use std::io::Write;
use std::time::Duration;

use sluice_api::{Class, FactValue, Facts};
use sluice_plugin_host::{Error, Planned};

use crate::support::{Unsteady, chain, config, host_with, hostile, part, payload_bytes, run, small_limits};

#[test]
fn a_slow_source_is_not_a_guest_that_spins() {
    let mut limits = small_limits();
    limits.call_time_max = Duration::from_millis(100);
    limits.plan_time_max = Duration::from_millis(100);
    let host = host_with(limits, 1);
    let plugin = hostile(&host);
    for declare in [true, false] {
        let delay = Duration::from_millis(250);
        let parts = part(Unsteady { bytes: payload_bytes(512), delay, ..Unsteady::default() });
        let text = format!(r#"{{"attack":"polite","declare_ranges":{declare}}}"#);
        let (flattened, _) = run(&plugin, &parts, &text).unwrap();
        assert_eq!(flattened.rows_out, 512);
        assert!(flattened.timing.waiting >= Duration::from_millis(200), "{:?}", flattened.timing);
        assert!(flattened.timing.guest < Duration::from_millis(200), "{:?}", flattened.timing);
        // The same within `plan`, through a stream.
        let planned = plugin.plan(&parts, &config("read-in-plan"), &Facts::new()).unwrap();
        assert!(matches!(planned, Planned::Ready(_)));
    }
}

#[test]
fn a_source_that_fails_for_now_is_transient_whatever_the_guest_says() {
    let host = host_with(small_limits(), 2);
    let plugin = hostile(&host);
    // Polite guests pass the error on; this one goes on as if nothing had happened.
    for (attack, declare) in [("polite", true), ("polite", false), ("ignore-read-errors", false)] {
        let fails_from = if attack == "polite" { 20_000 } else { 0 };
        let parts = part(Unsteady { bytes: payload_bytes(5000), fails_from: Some(fails_from), ..Unsteady::default() });
        let text = format!(r#"{{"attack":"{attack}","declare_ranges":{declare}}}"#);
        let error = run(&plugin, &parts, &text).expect_err(attack);
        assert_eq!(error.class(), Class::Transient, "{attack}: {}", chain(&error));
        assert_eq!(chain(&error), "read part `a.hostile`: the link is down");
    }
}

#[test]
fn a_stream_that_fails_for_now_is_transient_within_plan_too() {
    let host = host_with(small_limits(), 1);
    let plugin = hostile(&host);
    let parts = part(Unsteady { bytes: payload_bytes(5000), fails_from: Some(0), ..Unsteady::default() });
    let error = plugin.plan(&parts, &config("read-in-plan"), &Facts::new()).unwrap_err();
    assert_eq!(error.class(), Class::Transient, "{}", chain(&error));
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_rejected_as_changed() {
    let host = host_with(small_limits(), 1);
    let plugin = hostile(&host);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.hostile");
    std::fs::write(&path, payload_bytes(5000)).unwrap();
    let parts = part(sluice_plugin_host::FileSource::open(&path).unwrap());
    let plan = crate::support::plan(&plugin, &parts, &config("polite")).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(10_000).unwrap();
    let landed = crate::support::Landed::default();
    let error = plugin.flatten(&parts, &config("polite"), &plan, &|split| landed.sink(split), &|_| {}).unwrap_err();
    assert!(matches!(error, Error::Changed { expected: 40_000, found: 10_000, .. }), "{}", chain(&error));
    assert_eq!(error.class(), Class::Rejected);
}

#[test]
fn gzip_and_zstd_parts_are_streamed_as_what_they_hold() {
    let host = host_with(small_limits(), 1);
    let plugin = hostile(&host);
    let plain = payload_bytes(100_000);
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let stored = [plain.clone(), gzip.finish().unwrap(), zstd::bulk::compress(&plain, 3).unwrap()];
    for bytes in stored {
        let planned = plugin.plan(&part(bytes), &config("read-in-plan"), &Facts::new()).unwrap();
        let Planned::Ready(plan) = planned else { panic!("expected a plan, found {planned:?}") };
        assert_eq!(plan.facts["length"], FactValue::Integer(800_000));
    }
}
