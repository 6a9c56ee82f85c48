//! The route's configuration of this plugin.

use serde::Deserialize;

use crate::error::Error;

/// JSON Schema of [`Config`].
pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "unclosed_array": {
      "type": "boolean", "default": false,
      "description": "accept an array of events that ends after a whole event without its `]`, as the format allows for a tracer that was killed"
    },
    "event_bytes_max": {
      "type": "integer", "minimum": 1024, "maximum": 8388608, "default": 4194304,
      "description": "longest event or top-level member in bytes; a longer one rejects the trace"
    },
    "split_bytes": {
      "type": "integer", "minimum": 65536, "default": 67108864,
      "description": "about how many bytes of an uncompressed trace one instance reads"
    },
    "run_id_keys": {
      "type": "array", "items": { "type": "string" },
      "description": "top-level members that name the run where the route does not, the first one that is there"
    }
  }
}"#;

/// Where a training job's name is looked for, best first: MAST and Tupperware (Meta's schedulers write them into
/// every trace), TorchElastic, Slurm, then what people add with `add_metadata_json`.
const RUN_ID_KEYS: [&str; 11] = [
    "run_id",
    "mast_job_name",
    "tw_job",
    "TORCHELASTIC_RUN_ID",
    "torchelastic_run_id",
    "SLURM_JOB_ID",
    "slurm_job_id",
    "job_id",
    "job_name",
    "JOB_ID",
    "JOB_NAME",
];

/// What a route may set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Whether a bare array may end without `]`.
    pub(crate) unclosed_array: bool,
    /// Longest event or top-level member.
    pub(crate) event_bytes_max: usize,
    /// Size of a split of an uncompressed trace.
    pub(crate) split_bytes: u64,
    /// Top-level members that name the run, best first.
    pub(crate) run_id_keys: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            unclosed_array: false,
            event_bytes_max: 4 << 20,
            split_bytes: 64 << 20,
            run_id_keys: RUN_ID_KEYS.iter().map(|key| (*key).to_owned()).collect(),
        }
    }
}

impl Config {
    /// Reads the configuration.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let config: Self = serde_json::from_str(text).map_err(Error::Config)?;
        if !(1 << 10..=8 << 20).contains(&config.event_bytes_max) {
            let found = config.event_bytes_max as u64;
            return Err(Error::Setting { name: "event_bytes_max", expected: "1024..=8388608", found });
        }
        if config.split_bytes < 1 << 16 {
            let found = config.split_bytes;
            return Err(Error::Setting { name: "split_bytes", expected: "at least 65536", found });
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_members_are_refused() {
        assert_eq!(Config::parse("{}").unwrap().event_bytes_max, 4 << 20);
        assert_eq!(
            Config::parse(r#"{"split_bytes":1}"#).unwrap_err().text(),
            "expected `split_bytes` to be at least 65536, found 1"
        );
        assert!(Config::parse(r#"{"event_bytes_max":1000000000}"#).is_err());
        assert!(Config::parse(r#"{"unclosed":true}"#).unwrap_err().text().contains("unknown field `unclosed`"));
    }

    #[test]
    fn the_schema_names_every_member() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        for name in ["unclosed_array", "event_bytes_max", "split_bytes", "run_id_keys"] {
            assert!(schema["properties"][name].is_object(), "{name}");
        }
        assert_eq!(schema["properties"].as_object().unwrap().len(), 4);
    }
}
