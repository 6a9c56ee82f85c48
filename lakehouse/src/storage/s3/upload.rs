use std::ops::Range;

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use object_store::{Error, Result};

use super::error::failed;
use super::{ObjectFacts, ObjectName, Session, Written};

/// A part that the store has.
#[derive(Debug)]
pub(crate) struct Part(CompletedPart);

/// An object that comes to be from parts. Parts of one that is neither completed nor aborted stay in the bucket until
/// its lifecycle rule removes them.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    session: &'a Session,
    to: ObjectName,
    id: String,
}

impl Session {
    /// Begins an object. No checksum is asked for: S3 then keeps the CRC64NVME of the whole, and others what they can.
    pub(crate) async fn begin(&self, to: &ObjectName) -> Result<Upload<'_>> {
        self.meter.request();
        let request = self.client.create_multipart_upload().bucket(&to.bucket).key(&to.key);
        let begun = request.send().await.map_err(failed("begin", to))?;
        let id = begun.upload_id().unwrap_or_default().to_owned();
        Ok(Upload { session: self, to: to.clone(), id })
    }
}

impl Upload<'_> {
    /// Has the store copy a range of one version of another object.
    pub(crate) async fn copy(
        &self,
        number: i32,
        from: &ObjectName,
        facts: &ObjectFacts,
        range: Range<u64>,
    ) -> Result<Part> {
        self.session.meter.request();
        let request = self.session.client.upload_part_copy().bucket(&self.to.bucket).key(&self.to.key);
        let copied = request
            .upload_id(&self.id)
            .part_number(number)
            .copy_source(copy_source(from))
            .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1))
            .copy_source_if_match(&facts.etag)
            .send()
            .await
            .map_err(failed("copy a part of", from))?;
        self.session.meter.copied(range.end - range.start);
        let etag = copied.copy_part_result().and_then(|result| result.e_tag());
        Ok(Part(CompletedPart::builder().part_number(number).set_e_tag(etag.map(str::to_owned)).build()))
    }

    /// Sends a part.
    pub(crate) async fn put(&self, number: i32, bytes: Bytes) -> Result<Part> {
        self.session.meter.request();
        self.session.meter.sent(bytes.len() as u64);
        let request = self.session.client.upload_part().bucket(&self.to.bucket).key(&self.to.key);
        let request = request.upload_id(&self.id).part_number(number).body(bytes.into());
        let put = request.send().await.map_err(failed("put a part of", &self.to))?;
        let etag = put.e_tag().map(str::to_owned);
        Ok(Part(CompletedPart::builder().part_number(number).set_e_tag(etag).build()))
    }

    /// Makes the object of these parts, unless there is one of its name.
    pub(crate) async fn complete(&self, parts: Vec<Part>, size: u64) -> Result<Written> {
        self.session.meter.request();
        let parts = parts.into_iter().map(|part| part.0).collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.session.client.complete_multipart_upload().bucket(&self.to.bucket).key(&self.to.key);
        let request = request.upload_id(&self.id).set_mpu_object_size(i64::try_from(size).ok()).if_none_match("*");
        match request.multipart_upload(parts).send().await.map_err(failed("complete", &self.to)) {
            Ok(_completed) => Ok(Written::Ours),
            Err(Error::Precondition { .. }) => Ok(Written::Before),
            Err(error) => Err(error),
        }
    }

    /// Gives up what was sent; where that fails too, the bucket's lifecycle rule does.
    pub(crate) async fn abort(&self) {
        self.session.meter.request();
        let request = self.session.client.abort_multipart_upload().bucket(&self.to.bucket).key(&self.to.key);
        if let Err(error) = request.upload_id(&self.id).send().await.map_err(failed("abort", &self.to)) {
            tracing::debug!(%error, object = %self.to, "an upload stays unfinished");
        }
    }
}

/// `bucket/key` as the header wants it: percent-encoded, but for slashes.
fn copy_source(name: &ObjectName) -> String {
    let mut text = format!("{}/", name.bucket);
    for byte in name.key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_in_the_header_that_names_a_source() {
        let name = ObjectName { bucket: "b".to_owned(), key: "landing/a b/x=1%2F+é.parquet".to_owned() };
        assert_eq!(copy_source(&name), "b/landing/a%20b/x%3D1%252F%2B%C3%A9.parquet");
    }
}
