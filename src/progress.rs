//! Progress: bars on a terminal, plain lines otherwise.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use sluice_edge::{Event, Outcome};

use crate::output::error_line;

/// Shows what `land` does.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    anchor: Mutex<String>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{spinner} [{elapsed}] {wide_bar} {pos}/{len} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, anchor: Mutex::new(String::new()) }
    }

    /// A line above the bar.
    pub(crate) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => error_line(text),
        }
    }

    /// What is being done, without a count.
    pub(crate) fn step(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => tracing::info!("{text}"),
        }
    }

    /// The bar goes away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// What the edge tells.
    pub(crate) fn edge(&self, event: &Event<'_>) {
        match event {
            Event::Found { payloads, ignored } => {
                if let Some(bar) = &self.bar {
                    bar.set_length(*payloads as u64);
                }
                if !ignored.is_empty() {
                    self.say(&format!("{} not recognised by any plugin, left alone", count(ignored.len(), "file")));
                }
            }
            Event::Begin { anchor } => {
                let name = name_of(anchor);
                if let Some(bar) = &self.bar {
                    bar.set_message(name.clone());
                }
                *self.anchor.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = name;
            }
            Event::Flatten(progress) => {
                if let Some(bar) = &self.bar {
                    let anchor = self.anchor.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    bar.set_message(format!("{anchor} (split {} of {})", progress.split + 1, progress.splits));
                }
            }
            Event::End { anchor, outcome } => {
                if let Some(bar) = &self.bar {
                    bar.inc(1);
                }
                self.outcome(anchor, outcome);
            }
        }
    }

    fn outcome(&self, anchor: &Path, outcome: &Outcome) {
        let name = name_of(anchor);
        match outcome {
            Outcome::Announced { payload_id, warnings, announced } => {
                if announced.theirs {
                    self.say(&format!("known      {name}: announced before as payload {}", short(payload_id)));
                } else {
                    self.say(&format!("flattened  {name}: payload {}", short(payload_id)));
                }
                for warning in warnings {
                    self.say(&format!("warning    {name}: {warning}"));
                }
            }
            Outcome::Written { payload_id, warnings, .. } => {
                self.say(&format!("flattened  {name}: payload {}", short(payload_id)));
                for warning in warnings {
                    self.say(&format!("warning    {name}: {warning}"));
                }
            }
            Outcome::Known { payload_id } => {
                self.say(&format!("known      {name}: payload {} is there already, no row added", short(payload_id)));
            }
            Outcome::Rejected(record) => self.say(&format!("quarantine {name}: {}", record.reason)),
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The first digits of an id, enough for `sluice follow`.
pub(crate) fn short(id: &impl ToString) -> String {
    id.to_string().chars().take(12).collect()
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
