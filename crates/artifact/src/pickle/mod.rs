//! Pickles: one stream or several after one another, torch's old format, and joblib's.

#[cfg(test)]
mod differential;
mod explain;
pub(crate) mod joblib;
mod machine;
mod payload;
mod profile;
mod value;

use bartizan_core::{Reason, Severity};

use self::machine::{Effect, End, Machine, Payload, What};
use self::profile::Verdict;
use self::value::V;
use crate::bytes::{from, piece};
use crate::desk::Desk;
use crate::rules;

/// First value of torch's format before 1.6, little-endian: 0x1950a86a20f9469cfc6c.
const TORCH_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
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

/// Reads `bytes` as pickles. In doubt (`probe`), nothing is said of what is none: `None`.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>, probe: bool) -> Option<Outcome> {
    let mut machine = Machine::new(bytes, 0, desk.budget.steps, desk.budget.values);
    let mut legacy = None;
    let mut streams = 0;
    let mut end = End::Stop;
    let mut stopped = 0;
    while machine.at < bytes.len() && streams < STREAMS {
        if legacy == Some(0) {
            break;
        }
        let (start, before) = (machine.at, machine.effects.len());
        if streams > 0 && legacy.is_none() && !plausible(from(bytes, start)) {
            break;
        }
        let (how, result) = machine.run();
        machine.restart();
        end = how;
        if how != End::Stop {
            // Bytes behind a whole pickle that are none, and did nothing, are only bytes.
            if streams > 0 && legacy.is_none() && !begins(from(bytes, start)) && !acts(machine.effects.get(before..)) {
                machine.effects.truncate(before);
                end = End::Stop;
            }
            break;
        }
        stopped = machine.at;
        streams += 1;
        if streams == 1 && matches!(result, V::Big { at, len: 10 } if piece(bytes, at, 10) == Some(&TORCH_MAGIC)) {
            legacy = Some(4);
        } else {
            legacy = legacy.map(|left: u32| left.saturating_sub(1));
        }
    }
    let nothing = streams == 0 && !acts(Some(&machine.effects));
    if probe && nothing {
        return None;
    }
    report(&machine, desk);
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
        desk.partial(
            Reason::TooManyParts,
            bytes.len().saturating_sub(stopped),
            "more pickles in one file than the limit",
        );
    }
    if machine.dropped {
        desk.partial(Reason::TooLong, 0, "the pickle has more values than the limit, some were not followed");
    }
    let rest = from(bytes, stopped);
    if legacy.is_some() {
        desk.opaque(rest.len(), "tensors");
    } else if end == End::Stop && rest.iter().any(|b| *b != 0) {
        trailing(rest, stopped, desk);
    }
    let Machine { payloads, framework, .. } = machine;
    for payload in payloads {
        nested(bytes, payload, desk);
    }
    let format = match (legacy, framework) {
        (Some(_), _) => "pytorch pickle",
        (_, Some("sklearn")) => "scikit-learn pickle",
        (_, Some("joblib")) => "joblib pickle",
        (_, Some("pandas")) => "pandas pickle",
        (_, Some("torch")) => "torch pickle",
        _ => "pickle",
    };
    Some(Outcome { format })
}

/// True where a further pickle may begin here.
fn plausible(rest: &[u8]) -> bool {
    matches!(
        rest.first(),
        Some(
            0x80 | b'('
                | b'c'
                | b']'
                | b'}'
                | b'S'
                | b'U'
                | b'V'
                | b'X'
                | 0x8c
                | b'I'
                | b'K'
                | b'N'
                | b'i'
                | b')'
                | b'C'
                | b'B'
        )
    )
}

/// True where something was found that would stop a file.
fn acts(effects: Option<&[Effect]>) -> bool {
    effects.unwrap_or_default().iter().any(|e| matches!(e.what, What::Call(_) | What::Unresolved(_)))
        || effects
            .unwrap_or_default()
            .iter()
            .any(|e| matches!(e.what, What::Import(_)) && e.name.len() < 200 && is_name(&e.name))
}

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_'))
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
            What::Call(Verdict::Unknown | Verdict::Allowed) => {
                desk.find_as(&rules::PICKLE_CALL, Severity::High, format!("calls `{name}`"), at, chain);
            }
            What::Import(code) => {
                let severity = if code { Severity::Medium } else { Severity::Low };
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
        Payload::Text { at, bytes } => (at, vec![bytes], false),
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
