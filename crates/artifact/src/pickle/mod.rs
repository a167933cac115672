//! Pickles: one stream or several after one another, torch's old format, and joblib's.

mod arena;
#[cfg(test)]
mod differential;
mod explain;
pub(crate) mod joblib;
mod machine;
mod payload;
mod profile;
mod state;
mod value;

use bartizan_core::{Reason, Severity};

use self::machine::{Effect, End, Machine, Payload, Reach, What};
use self::profile::Verdict;
use self::value::V;
use crate::bytes::{from, piece};
use crate::desk::Desk;
use crate::rules;

/// First value of torch's format before 1.6.
const TORCH_MAGIC: u128 = 0x1950_a86a_20f9_469c_fc6c;
/// Streams in one file.
const STREAMS: usize = 100_000;

/// True where the bytes begin as a pickle of protocol 2 or later.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 0..=5, ..])
}

/// What was read, and whether it was a pickle at all.
pub(crate) struct Outcome {
    pub(crate) format: &'static str,
}

/// Why bytes are read as pickles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// They are one.
    Known,
    /// They may be one: nothing is said of what is none.
    Probe,
    /// They are of another format, and may be a pickle as well: only what acts is said.
    Hidden,
}

/// Reads `bytes` as pickles; `None` where they are none.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>, sort: Sort) -> Option<Outcome> {
    let mut machine = Machine::new(bytes, 0, desk.budget.steps, desk.budget.values);
    machine.hidden = sort == Sort::Hidden;
    let mut legacy = None;
    let mut streams = 0;
    let mut end = End::Stop;
    let mut stopped = 0;
    let mut done = 0;
    while machine.at < bytes.len() && streams < STREAMS {
        if legacy == Some(0) {
            break;
        }
        let (start, before) = (machine.at, machine.effects.len());
        let (how, result) = machine.run();
        machine.restart();
        end = how;
        if how != End::Stop {
            // Bytes behind a whole pickle that are none, and did nothing, are only bytes.
            let acted = acts(machine.effects.get(before..), false);
            if streams > 0 && legacy.is_none() && !begins(from(bytes, start)) && !acted {
                machine.effects.truncate(before);
                end = End::Stop;
            }
            break;
        }
        stopped = machine.at;
        done = machine.effects.len();
        streams += 1;
        legacy = match result {
            V::Magic if streams == 1 => Some(4),
            _ => legacy.map(|left: u32| left.saturating_sub(1)),
        };
    }
    let acted = acts(machine.effects.get(..done), true) || acts(machine.effects.get(done..), false);
    let rest = from(bytes, stopped);
    let none = match sort {
        Sort::Known => false,
        Sort::Probe => streams == 0 || legacy.is_none() && rest.iter().any(|b| *b != 0),
        Sort::Hidden => true,
    };
    if none && !acted {
        return None;
    }
    if let Some(first) = machine.first_raw {
        let others = otherwise(bytes, first, machine.objects, desk);
        machine.effects.extend(others);
    }
    report(&machine, desk);
    let format = Outcome { format: format(legacy.is_some(), machine.framework) };
    if sort == Sort::Hidden {
        return Some(format);
    }
    match end {
        End::Stop => {}
        End::Broken(why) => {
            let left = bytes.len().saturating_sub(stopped);
            desk.partial(Reason::Malformed, left, format!("the pickle breaks off at byte {}: {why}", machine.at));
        }
        End::Spent(why) => {
            let left = bytes.len().saturating_sub(machine.at);
            desk.partial(Reason::TooLong, left, format!("the pickle was read up to byte {}: {why}", machine.at));
        }
    }
    if streams >= STREAMS {
        let left = bytes.len().saturating_sub(stopped);
        desk.partial(Reason::TooManyParts, left, "more pickles in one file than the limit");
    }
    if machine.dropped {
        desk.partial(Reason::TooLong, 0, "the pickle has more values than the limit, some were not followed");
    }
    if legacy.is_some() {
        desk.opaque(rest.len(), "tensors");
    } else if end == End::Stop && rest.iter().any(|b| *b != 0) {
        trailing(rest, stopped, desk);
    }
    let Machine { payloads, .. } = machine;
    for payload in payloads {
        nested(bytes, payload, desk);
    }
    Some(format)
}

fn format(legacy: bool, framework: Option<&str>) -> &'static str {
    match (legacy, framework) {
        (true, _) => "pytorch pickle",
        (_, Some("sklearn")) => "scikit-learn pickle",
        (_, Some("joblib")) => "joblib pickle",
        (_, Some("pandas")) => "pandas pickle",
        (_, Some("torch")) => "torch pickle",
        _ => "pickle",
    }
}

/// What every loader but joblib's makes of raw arrays: opcodes, from `first` on. Ordinary numbers are soon none; what
/// counts is a call of something that can be imported; behind arrays of `objects`, whose memo is not that of others, only
/// of what runs code.
fn otherwise(bytes: &[u8], first: usize, objects: bool, desk: &Desk<'_>) -> Vec<Effect> {
    let mut machine = Machine::new(bytes, 0, desk.budget.steps, desk.budget.values);
    machine.arrays = false;
    let mut streams = 0;
    while machine.at < bytes.len() && streams < STREAMS {
        streams += 1;
        let (how, _) = machine.run();
        machine.restart();
        if how != End::Stop {
            break;
        }
    }
    let counts = |effect: &Effect| {
        let code = matches!(effect.what, What::Call(Verdict::Code));
        let known = matches!(effect.what, What::Call(Verdict::Unknown | Verdict::Builder));
        let own = effect.chain.first().is_some_and(|step| step.offset >= first);
        let called = code || !objects && (known || own && matches!(effect.what, What::Call(_)));
        effect.at >= first && effect.sound && called
    };
    machine.effects.retain(counts);
    machine.effects
}

/// True where something was found that would stop a file. A stream that was not read to its end counts where it called
/// something that can be imported: text and numbers hold opcodes, too.
fn acts(effects: Option<&[Effect]>, whole: bool) -> bool {
    effects.unwrap_or_default().iter().any(|effect| match effect.what {
        What::Call(_) => effect.sound || whole,
        What::Unresolved(_) => whole,
        What::Import(_) => effect.sound && whole,
        _ => false,
    })
}

fn trailing(rest: &[u8], at: usize, desk: &mut Desk<'_>) {
    let before = desk.count();
    desk.within("appended", rest.len(), |desk| {
        if crate::kind::magic(rest).is_some() {
            crate::kind::examine(rest, desk);
        } else {
            desk.opaque(rest.len(), "bytes behind the last pickle");
        }
    });
    if desk.count() == before {
        desk.find(&rules::TRAILING, format!("{} bytes follow the last pickle", rest.len()), at, rest.len());
    }
}

fn report(machine: &Machine<'_>, desk: &mut Desk<'_>) {
    let builds = machine.effects.iter().any(|e| matches!(e.what, What::Call(Verdict::Builder)));
    for effect in &machine.effects {
        let (at, chain, name) = ((effect.at, 1), effect.chain.clone(), crate::bytes::show(&effect.name));
        match effect.what {
            What::Call(Verdict::Code) => {
                desk.find_as(&rules::PICKLE_CODE, Severity::Critical, format!("calls `{name}`"), at, chain);
            }
            What::Call(Verdict::Builder) => {
                desk.find_as(
                    &rules::PICKLE_FUNCTION,
                    Severity::Medium,
                    format!("rebuilds code with `{name}`"),
                    at,
                    chain,
                );
            }
            What::Call(Verdict::Arguments) => {
                let what = format!("calls `{name}` with arguments that no framework gives it");
                desk.find_as(&rules::PICKLE_CALL, Severity::High, what, at, chain);
            }
            What::Call(Verdict::Result) => {
                desk.find_as(
                    &rules::PICKLE_CALL,
                    Severity::High,
                    format!("calls what the file made: `{name}`"),
                    at,
                    chain,
                );
            }
            What::Call(Verdict::Unresolved) | What::Unresolved(_) => {
                let what = match effect.what {
                    What::Unresolved(what) => what.to_owned(),
                    _ => format!("calls {name}"),
                };
                desk.find_as(&rules::PICKLE_UNRESOLVED, Severity::High, what, at, chain);
            }
            What::Call(Verdict::Unknown | Verdict::Allowed | Verdict::Gone) => {
                desk.find_as(&rules::PICKLE_CALL, Severity::High, format!("calls `{name}`"), at, chain);
            }
            What::Import(reach) => {
                // Functions that dill and cloudpickle carry refer to what they use.
                let severity = match reach {
                    Reach::Runs if !builds => Severity::High,
                    Reach::Runs | Reach::Code => Severity::Medium,
                    Reach::Unknown => Severity::Low,
                };
                desk.find_as(&rules::PICKLE_IMPORT, severity, format!("imports `{name}`"), at, chain);
            }
            What::Write(why) => {
                desk.find_as(&rules::PICKLE_WRITE, Severity::High, format!("{why}: {name}"), at, chain);
            }
            What::Frame => {
                let what = "an argument crosses the end of its frame, where loaders differ";
                desk.find_as(&rules::CONTAINER, Severity::High, what, at, chain);
            }
            What::Persistent => {
                let what = "refers to objects outside the file by an identifier of its own";
                desk.find_as(&rules::PICKLE_IMPORT, Severity::Low, what, at, chain);
            }
        }
    }
}

/// Examines a constant as a file. What only lies there counts where it would run code; what is loaded counts in full.
fn nested(bytes: &[u8], payload: Payload, desk: &mut Desk<'_>) {
    let (at, owned, loaded) = match payload {
        Payload::Place { at, len, loaded } => {
            let place = piece(bytes, at, len).unwrap_or_default();
            let decoded =
                if loaded || crate::kind::magic(place).is_some() { Vec::new() } else { payload::decode(place) };
            if decoded.is_empty() {
                look(place, at, loaded, desk);
                return;
            }
            (at, decoded, false)
        }
        Payload::Text { at, bytes, loaded } => (at, vec![bytes], loaded),
    };
    for inner in owned {
        if inner.len() > desk.left() {
            desk.partial(Reason::DecodedTooLarge, inner.len(), "a decoded value is larger than the limit");
            continue;
        }
        desk.spend(inner.len());
        look(&inner, at, loaded, desk);
    }
}

fn look(inner: &[u8], at: usize, loaded: bool, desk: &mut Desk<'_>) {
    let budget = crate::Budget {
        expanded: desk.left(),
        depth: desk.budget.depth.saturating_sub(1),
        steps: desk.budget.steps,
        ..desk.budget.clone()
    };
    if budget.depth == 0 {
        desk.partial(Reason::TooDeep, inner.len(), "a value is nested deeper than the limit");
        return;
    }
    let mut inside = Desk::new(&budget);
    let format = crate::kind::examine(inner, &mut inside);
    desk.spend(budget.expanded.saturating_sub(inside.left()));
    let report = inside.report(format);
    let gate = if loaded { Severity::High } else { Severity::Critical };
    if let Some(worst) = report.found.first().filter(|f| f.finding.severity >= gate) {
        let what = format!("the value is a {format} that {}", worst.what);
        desk.find_as(
            &rules::NESTED,
            worst.finding.severity.max(Severity::High),
            what,
            (at, inner.len()),
            worst.chain.clone(),
        );
    } else if loaded && report.coverage.status == bartizan_core::CoverageStatus::Partial {
        desk.partial(Reason::Malformed, inner.len(), "a value that is loaded as a file could not be read");
    }
}
