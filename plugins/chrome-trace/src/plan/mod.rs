//! The plan: one pass over the trace that finds its form, its metadata, its steps and launches, where it can be
//! split, and whether it is whole.

mod facts;
mod members;
mod survey;

use sluice_plugin_sdk::{Host, Part, PlanOutcome, PlanRequest, Ready};

use crate::config::Config;
use crate::error::Error;
use crate::shared::{Header, store};
use crate::split::SplitContext;
use crate::tables;
use crate::window::{Window, block_ranges};
use survey::{Survey, Surveyed};

/// Looks at the parts of a payload and plans.
pub(crate) fn plan(host: &mut dyn Host, request: &PlanRequest) -> PlanOutcome {
    if request.parts.is_empty() {
        return PlanOutcome::incomplete("one part of role `trace`", vec!["trace".to_owned()]);
    }
    match try_plan(host, request) {
        Ok(ready) => PlanOutcome::Ready(ready),
        Err(error) => PlanOutcome::Refused(error.text()),
    }
}

fn try_plan(host: &mut dyn Host, request: &PlanRequest) -> Result<Ready, Error> {
    let config = Config::parse(&request.config)?;
    let mut traces = (0_u32..).zip(&request.parts).filter(|(_, part)| part.role == "trace");
    let (index, part) = traces.next().ok_or(Error::Parts(0))?;
    match traces.count() {
        0 => {}
        more => return Err(Error::Parts(more + 1)),
    }
    let plain = is_plain(host, index, part)?;
    let surveyed = survey(host, index, part, plain, &config)?;
    Ok(ready(request, index, part, plain, &config, surveyed))
}

/// Whether the part's raw bytes are the trace's own: neither gzip nor zstd, which the host undoes in streams only.
fn is_plain(host: &mut dyn Host, index: u32, part: &Part) -> Result<bool, Error> {
    let length = part.size.min(4);
    let magic = match length {
        0 => vec![],
        _ => host.read(index, 0, length).map_err(|error| Error::read(&part.name, &error))?,
    };
    Ok(!magic.starts_with(&[0x1f, 0x8b]) && !magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]))
}

fn survey(host: &mut dyn Host, index: u32, part: &Part, plain: bool, config: &Config) -> Result<Surveyed, Error> {
    let mut window = Window::stream(index, &part.name);
    let mut survey = Survey::new(config, plain.then_some(part.size));
    while survey.advance(&window)? {
        window.consume(survey.at());
        window.fill(host)?;
        if plain {
            host.progress(window.position(), part.size);
        }
    }
    survey.finish(&part.name)
}

fn ready(
    request: &PlanRequest,
    index: u32,
    part: &Part,
    plain: bool,
    config: &Config,
    mut surveyed: Surveyed,
) -> Ready {
    let known = facts::facts(request, part, config, &surveyed);
    let mut ready = PlanOutcome::ready();
    ready.tables = tables::specs();
    ready.facts = known.facts;
    ready.warnings = std::mem::take(&mut surveyed.warnings);
    ready.warnings.extend(known.warnings);
    let header = Header::new(
        std::mem::take(&mut surveyed.steps),
        surveyed.members.groups(),
        std::mem::take(&mut surveyed.broken),
    );
    let (shared, layout, complete) = store(header, std::mem::take(&mut surveyed.launches));
    ready.shared = shared;
    if !complete {
        ready.warnings.push(
            "the launches of this trace need more than 24 MiB: `launch_ts_ns`, `launch_dur_ns`, `queue_ns` and the \
             `step` of work on GPUs are null"
                .to_owned(),
        );
    }
    let starts = surveyed.splits;
    for (at, start) in starts.iter().enumerate() {
        let next = starts.get(at + 1);
        let end = next.map_or(part.size, |next| next.offset);
        let context = SplitContext {
            part: index,
            file: part.name.clone(),
            span: plain.then_some((start.offset, end)),
            more_follows: next.is_some(),
            resume: start.resume,
            seq: start.seq,
            open: start.open.clone(),
            layout,
        };
        let ranges = if plain { block_ranges(index, start.offset, end) } else { vec![] };
        ready = ready.split(context.encode(), ranges);
    }
    ready
}
