//! Manifests of earlier versions, kept as they were written, are read for ever.

use sluice_api::{MANIFEST_VERSION, PayloadManifest};

const V1: &[u8] = include_bytes!("fixtures/manifest_v1.json");
const V2: &[u8] = include_bytes!("fixtures/manifest_v2.json");

#[test]
fn every_version_says_the_same_of_the_same_payload() {
    let (old, new) = (PayloadManifest::from_json(V1).unwrap(), PayloadManifest::from_json(V2).unwrap());
    assert_eq!((old.version, new.version), (1, 2));
    assert_eq!((old.payload_id, &old.parts, &old.facts), (new.payload_id, &new.parts, &new.facts));
    assert_eq!(old.tables.len(), 3);
    for (old, new) in old.tables.iter().zip(&new.tables) {
        assert_eq!((&old.spec, old.files.len()), (&new.spec, 1));
        assert_eq!((old.files[0].size, old.files[0].blake3), (new.files[0].size, new.files[0].blake3));
        assert!(old.files[0].crc64nvme.is_none() && new.files[0].crc64nvme.is_some());
    }
}

#[test]
fn what_is_read_is_written_again_as_it_was() {
    for kept in [V1, V2] {
        let manifest = PayloadManifest::from_json(kept).unwrap();
        assert_eq!(String::from_utf8(manifest.to_json()).unwrap(), String::from_utf8_lossy(kept).trim_end());
    }
}

#[test]
fn a_later_version_is_refused_with_what_to_do() {
    let later = String::from_utf8_lossy(V2).replacen("\"version\": 2", "\"version\": 3", 1);
    let error = PayloadManifest::from_json(later.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("expected a payload manifest of version 1 to {MANIFEST_VERSION}, found version 3: upgrade this build")
    );
}

#[test]
fn a_checksum_that_is_none_is_refused() {
    let manifest = PayloadManifest::from_json(V2).unwrap();
    let crc = manifest.tables[0].files[0].crc64nvme.unwrap().to_string();
    let damaged = String::from_utf8_lossy(V2).replacen(&crc, "VbD4pg==", 1);
    let error = PayloadManifest::from_json(damaged.as_bytes()).unwrap_err();
    let told = std::error::Error::source(&error).unwrap().to_string();
    assert!(told.contains("expected a CRC64NVME as base64 of 8 bytes, found `VbD4pg==`"), "{told}");
}
