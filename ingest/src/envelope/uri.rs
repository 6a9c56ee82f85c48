//! A bare URI, as a person or a script sends it.

use super::{EnvelopeError, ObjectArrival};

/// The arrival of a text that begins as a URI does; none where it is something else.
pub(super) fn arrival(body: &str) -> Result<Option<ObjectArrival>, EnvelopeError> {
    let Some(rest) = body.strip_prefix("s3://") else { return Ok(None) };
    let wrong = || EnvelopeError::Uri(body.chars().take(200).collect());
    let (bucket, key) = rest.split_once('/').ok_or_else(wrong)?;
    let whole = !bucket.is_empty() && !key.is_empty() && !body.contains(['\n', '\r']);
    if !whole {
        return Err(wrong());
    }
    let (bucket, key) = (Some(bucket.to_owned()), key.to_owned());
    Ok(Some(ObjectArrival { bucket, key, version: None, size: None, revision: None }))
}
