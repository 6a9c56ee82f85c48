use serde_json::{Value, json};

use super::*;

const KEY: &str = "announce/2026-11-22/eu/north field/n+1/a.full.0.json";

/// As AWS sends it: the key escaped as in a form.
fn record(name: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1",
        "eventTime": "2026-11-22T10:00:00.000Z", "eventName": name,
        "userIdentity": {"principalId": "A"}, "requestParameters": {"sourceIPAddress": "10.0.0.1"},
        "responseElements": {"x-amz-request-id": "R"},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "c",
            "bucket": {"name": "lake", "ownerIdentity": {"principalId": "A"}, "arn": "arn:aws:s3:::lake"},
            "object": {"key": key, "size": 7, "eTag": "d41d8cd9", "sequencer": "0055AED6DCD90281E5"},
        },
    })
}

fn notification(records: &[Value]) -> String {
    json!({"Records": records}).to_string()
}

fn sns(message: &str) -> String {
    json!({
        "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-central-1:1:t",
        "Subject": "Amazon S3 Notification", "Message": message, "Timestamp": "2026-11-22T10:00:00.000Z",
    })
    .to_string()
}

fn event_bridge(detail_type: &str) -> String {
    json!({
        "version": "0", "id": "17", "detail-type": detail_type, "source": "aws.s3", "account": "1",
        "time": "2026-11-22T10:00:00Z", "region": "eu-central-1", "resources": ["arn:aws:s3:::lake"],
        "detail": {
            "version": "0", "bucket": {"name": "lake"},
            "object": {"key": KEY, "size": 7, "etag": "d41d8cd9", "sequencer": "617f08299329d189"},
            "request-id": "R", "requester": "1", "source-ip-address": "10.0.0.1", "reason": "PutObject",
        },
    })
    .to_string()
}

#[track_caller]
fn only(body: &str) -> ObjectArrival {
    let Envelope { mut arrivals, ignored, faults } = open(body).unwrap();
    assert_eq!((arrivals.len(), ignored.len(), faults.len()), (1, 0, 0), "{arrivals:?} {ignored:?} {faults:?}");
    arrivals.remove(0)
}

#[track_caller]
fn refused(body: &str) -> String {
    sluice_api::chain(&open(body).unwrap_err())
}

#[test]
fn a_notification_is_the_same_arrival_on_whatever_way_it_came() {
    let escaped = "announce/2026-11-22/eu/north+field/n%2B1/a.full.0.json";
    let straight = notification(&[record("ObjectCreated:Put", escaped)]);
    let expected = ObjectArrival {
        bucket: Some("lake".to_owned()),
        key: KEY.to_owned(),
        version: Some("d41d8cd9".to_owned()),
        size: Some(7),
        revision: None,
    };
    assert_eq!(only(&straight), expected);
    assert_eq!(only(&sns(&straight)), expected, "through SNS");
    assert_eq!(only(&event_bridge("Object Created")), expected, "EventBridge escapes nothing");
    assert_eq!(only(&sns(&event_bridge("Object Created"))), expected);
    let by_hand = only(&format!("s3://lake/{KEY}\n"));
    assert_eq!((by_hand.key.as_str(), by_hand.version), (KEY, None));
}

#[test]
fn every_way_of_escaping_a_key_gives_the_key() {
    let escapes = [
        "announce/2026-11-22/eu/north+field/n%2B1/a.full.0.json",
        "announce%2F2026-11-22%2Feu%2Fnorth+field%2Fn%2B1%2Fa.full.0.json",
        "announce/2026-11-22/eu/north%20field/n%2b1/a.full.0.json",
    ];
    for escaped in escapes {
        assert_eq!(only(&notification(&[record("ObjectCreated:Put", escaped)])).key, KEY, "{escaped}");
    }
    let greek = only(&notification(&[record("ObjectCreated:Put", "announce/%CE%B1.json")]));
    assert_eq!(greek.key, "announce/α.json");
}

#[test]
fn an_object_written_over_is_another_arrival_and_an_event_told_twice_is_not() {
    let put = record("ObjectCreated:Put", "k");
    let completed = record("ObjectCreated:CompleteMultipartUpload", "k");
    let both = open(&notification(&[put.clone(), completed])).unwrap().arrivals;
    assert_eq!(both[0].id(), both[1].id(), "a server that tells of one object twice");
    let mut over = put.clone();
    over["s3"]["object"]["eTag"] = json!("other");
    assert_ne!(only(&notification(&[over])).id(), both[0].id());
    let mut versioned = put.clone();
    versioned["s3"]["object"]["versionId"] = json!("v2");
    let versioned = only(&notification(&[versioned]));
    assert_eq!(versioned.version.as_deref(), Some("v2"), "the same bytes written again are another version");
    assert_ne!(versioned.id(), both[0].id());
    let mut unversioned = put;
    unversioned["s3"]["object"]["versionId"] = json!("null");
    unversioned["s3"]["object"]["eTag"] = json!("\"d41d8cd9\"");
    assert_eq!(only(&notification(&[unversioned])).id(), both[0].id());
}

#[test]
fn what_creates_nothing_is_ignored_and_says_so() {
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "lake", "RequestId": "r"});
    let removed = notification(&[record("ObjectRemoved:Delete", "k")]);
    for body in [test.to_string(), sns(&test.to_string()), removed, event_bridge("Object Tags Added")] {
        let Envelope { arrivals, ignored, faults } = open(&body).unwrap();
        assert_eq!((arrivals.len(), ignored.len(), faults.len()), (0, 1, 0), "{body}");
    }
    let created = only(&notification(&[record("s3:ObjectCreated:Copy", "k")]));
    assert_eq!(created.key, "k", "some servers name events as rules do");
}

#[test]
fn one_bad_record_leaves_its_neighbours_and_is_told() {
    let mut keyless = record("ObjectCreated:Put", "k");
    keyless["s3"]["object"].as_object_mut().unwrap().remove("key");
    let mut newer = record("ObjectCreated:Put", "k");
    newer["eventVersion"] = json!("3.0");
    let records = [
        record("ObjectCreated:Put", "first"),
        keyless,
        json!("no object"),
        record("ObjectCreated:Put", ""),
        record("ObjectCreated:Put", "%FF"),
        newer,
        record("ObjectRemoved:Delete", "gone"),
        record("ObjectCreated:Put", "last"),
    ];
    let Envelope { arrivals, ignored, faults } = open(&notification(&records)).unwrap();
    assert_eq!(arrivals.iter().map(|arrival| arrival.key.as_str()).collect::<Vec<_>>(), ["first", "last"]);
    assert_eq!((ignored.len(), faults.len()), (1, 5), "{faults:?}");
    let told: Vec<_> = faults.iter().map(|fault| sluice_api::chain(fault)).collect();
    assert!(told[0].contains("missing field `key`"), "{told:?}");
    assert!(told[2].contains("key of a record") && told[3].contains("UTF-8"), "{told:?}");
    assert!(told[4].contains("found 3.0: upgrade"), "{told:?}");
}

#[test]
fn hostile_bodies_are_refused_with_what_was_found() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let wrapped = sns(&sns(&sns(&notification(&[]))));
    let foreign = event_bridge("Object Created").replace("aws.s3", "aws.ec2");
    let keyless = event_bridge("Object Created").replace("\"key\"", "\"no-key\"");
    let cases = [
        ("", "expected `s3://bucket/key` or JSON"),
        ("hello", "expected `s3://bucket/key` or JSON"),
        ("s3://bucket", "expected `s3://bucket/key`, found `s3://bucket`"),
        ("s3:///key", "found `s3:///key`"),
        ("s3://bucket/", "found `s3://bucket/`"),
        ("null", "found null"),
        ("17", "found a number"),
        ("[1]", "found a list"),
        ("{}", "found an empty object"),
        (r#"{"a":1,"b":2}"#, "found an object with `a`, `b`"),
        (r#"{"Records":"x"}"#, "read an event of S3"),
        (r#"{"Message":"x"}"#, "found an object with `Message`"),
        (r#"{"detail-type":"Object Created"}"#, "missing field `source`"),
        (&deep, "recursion limit exceeded"),
        (&wrapped, "another wrapping"),
        (&foreign, "found an event of `aws.ec2`"),
        (&keyless, "missing field `key`"),
    ];
    for (body, told) in cases {
        let found = refused(body);
        assert!(found.contains(told), "expected `{told}` of `{}`, found `{found}`", &body[..body.len().min(80)]);
    }
    assert!(refused(&" ".repeat(BYTES_MAX + 1)).contains("at most 1048576 bytes"));
    let long = format!("{{\"{}\":1}}", "x".repeat(BYTES_MAX - 10));
    assert!(refused(&long).len() < 400, "a long name is cut");
}

#[test]
fn our_own_message_names_an_arrival_and_the_landing_that_it_may_claim() {
    let message = OurMessage::announcement(KEY.to_owned(), Some(2));
    let arrival = only(&message.body());
    assert_eq!((arrival.bucket, arrival.key.as_str(), arrival.revision), (None, KEY, Some(2)));
    let written: Value = serde_json::from_str(&message.body()).unwrap();
    assert_eq!(written, json!({"sluice": "arrival", "version": 1, "key": KEY, "revision": 2}));
    let cases = [
        (json!({"sluice": "arrival", "version": 2, "parcel": "k"}), "version 1, found 2: upgrade"),
        (json!({"sluice": "arrival", "key": "k"}), "version 1, found null"),
        (json!({"sluice": "departure", "version": 1, "key": "k"}), "unknown variant"),
        (json!({"sluice": "arrival", "version": 1, "key": ""}), "key of a message of Sluice"),
        (json!({"sluice": "arrival", "version": 1, "key": "k", "revision": -1}), "read a message of Sluice"),
    ];
    for (message, told) in cases {
        let found = refused(&message.to_string());
        assert!(found.contains(told), "expected `{told}`, found `{found}`");
    }
}
