//! Results of `privacy`.

use serde_json::Value;

use super::{Origin, count, items, text};
use crate::evidence::{Evidence, Kind, State};
use crate::text::line;

/// Whichever of the tests it is a result of.
pub(super) fn read(origin: &Origin, document: &Value) -> Option<Evidence> {
    let has = |keys: &[&str]| keys.iter().all(|key| document.get(key).is_some());
    let mut of = if has(&["signal", "groups", "canaries"]) {
        exposure(origin, document)
    } else if has(&["signal", "verbatim", "near", "records"]) {
        extraction(origin, document)
    } else if has(&["signal", "kinds", "values", "unusable"]) {
        personal(origin, document)
    } else if has(&["signal", "repeats", "rankings", "found"]) {
        sampling(origin, document)
    } else if has(&["signal", "blind", "scores", "verdict"]) {
        membership(origin, document)
    } else if has(&["measure", "compared", "more", "less"]) {
        return Some(comparison(origin, document));
    } else {
        return None;
    };
    if document.get("missing").and_then(Value::as_object).is_some_and(|missing| !missing.is_empty()) {
        of.weaken("not everything could be measured");
    }
    Some(of)
}

fn exposure(origin: &Origin, document: &Value) -> Evidence {
    let mut of = origin.evidence(Kind::CanaryTest);
    let known: u64 = items(document, "/groups").map(|g| count(g, "/extractable")).sum();
    let planted: u64 = items(document, "/groups").map(|g| count(g, "/planted")).sum();
    of.summary = format!("{known} of {planted} planted canaries come out; signal {}", line(text(document, "/signal")));
    if known > 0 {
        of.state = State::Open;
    }
    if planted == 0 {
        of.weaken("no canary was planted");
    }
    of
}

fn extraction(origin: &Origin, document: &Value) -> Evidence {
    let mut of = origin.evidence(Kind::ExtractionTest);
    let near = items(document, "/records").filter(|r| r.get("near").and_then(Value::as_bool) == Some(true)).count();
    let measured = count(document, "/measured");
    of.summary = format!("{near} of {measured} records come out word for word or nearly so");
    if near > 0 {
        of.state = State::Open;
    }
    if measured == 0 {
        of.weaken("no record was measured");
    } else if count(document, "/short") > 0 {
        of.weaken("some records were too short to be measured");
    }
    of
}

fn personal(origin: &Origin, document: &Value) -> Evidence {
    let mut of = origin.evidence(Kind::ExtractionTest);
    let known: u64 = items(document, "/kinds").map(|group| count(group, "/extractable")).sum();
    let values = items(document, "/values").count();
    let told = |group: &Value| group.get("evidence").and_then(Value::as_bool) == Some(true);
    of.summary = format!("{known} of {values} personal values come out");
    if known > 0 || items(document, "/kinds").any(told) {
        of.state = State::Open;
    }
    if values == 0 || count(document, "/unusable") > 0 {
        of.weaken("some values could not be measured");
    }
    of
}

fn sampling(origin: &Origin, document: &Value) -> Evidence {
    let mut of = origin.evidence(Kind::ExtractionTest);
    let (found, samples) = (items(document, "/found").count(), count(document, "/samples"));
    of.summary = format!("{found} different texts of {samples} samples repeat the corpus");
    if found > 0 {
        of.state = State::Open;
    }
    if samples == 0 {
        of.weaken("no sample came");
    }
    of
}

fn membership(origin: &Origin, document: &Value) -> Evidence {
    let mut of = origin.evidence(Kind::MembershipTest);
    of.summary = line(text(document, "/verdict"));
    let mut scores = items(document, "/scores").peekable();
    if scores.peek().is_none() {
        of.weaken("the endpoint does not tell enough to measure it");
    }
    if scores.any(|score| score.get("evidence").and_then(Value::as_bool) == Some(true)) {
        of.state = State::Open;
    }
    of
}

fn comparison(origin: &Origin, document: &Value) -> Evidence {
    let mut of = origin.evidence(Kind::PrivacyComparison);
    let (more, less) = (items(document, "/more").count(), items(document, "/less").count());
    let compared = count(document, "/compared");
    of.summary = format!("{more} given away more, {less} less, of {compared}");
    if compared == 0 {
        of.weaken("nothing was compared");
    }
    if more > 0 {
        of.state = State::Open;
    }
    of
}
