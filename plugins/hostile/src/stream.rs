//! Misuses the sources: streams that grow beyond measure, many at once, errors that are not listened to.

use sluice_plugin_sdk::prelude::*;

use crate::config::Config;
use crate::polite;

/// Bytes asked for at once.
const READ_BYTES: u32 = 1 << 20;

/// Reads a stream to its end within `plan`, as a trace's plan does, and states its length as a fact.
pub(crate) fn plan(host: &mut dyn Host, request: &PlanRequest) -> PlanOutcome {
    let mut stream = host.open_stream(0);
    let mut length = 0_i64;
    if let Err(error) = stream.skip(1) {
        return PlanOutcome::Refused(read_error_text(&error).to_owned());
    }
    loop {
        match stream.read(READ_BYTES) {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => length += i64::try_from(bytes.len()).unwrap_or(0),
            Err(error) => return PlanOutcome::Refused(read_error_text(&error).to_owned()),
        }
    }
    let ready = PlanOutcome::ready().table(polite::words()).fact("length", FactValue::Integer(length + 1));
    let context = [0_u64.to_le_bytes(), request.parts[0].size.to_le_bytes()].concat();
    ready.fact("started_at", FactValue::Timestamp(0)).split(context, vec![]).into()
}

/// Reads what it should not.
pub(crate) struct Streams {
    attack: String,
    open: Vec<Box<dyn ByteStream>>,
    done: bool,
}

impl Streams {
    pub(crate) fn new(config: &Config) -> Self {
        Self { attack: config.attack.clone(), open: vec![], done: false }
    }
}

impl Reader for Streams {
    fn next_batch(&mut self, host: &mut dyn Host, _limits: BatchLimits) -> Result<Option<Batch>, String> {
        match self.attack.as_str() {
            "many-streams" => loop {
                self.open.push(host.open_stream(0));
            },
            "gzip-bomb" => {
                let mut stream = host.open_stream(0);
                // An error is not listened to: the host must not depend on it.
                while stream.read(READ_BYTES).is_ok_and(|bytes| !bytes.is_empty()) {}
                Ok(None)
            }
            "read-again" => loop {
                host.read(0, 0, 4096).map_err(|error| read_error_text(&error).to_owned())?;
            },
            _ if self.done => Ok(None),
            _ => {
                let words = host.read(0, 0, 8).map_or(0, |bytes| bytes.len() as u64);
                self.done = true;
                Ok(Some(polite::batch(0, &[words])))
            }
        }
    }

    fn finish(&mut self) -> Result<Summary, String> {
        let rows = u64::from(self.done);
        Ok(Summary { rows_in: rows, rows_out: rows, rows_rejected: 0, facts: vec![] })
    }
}
