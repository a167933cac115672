//! Results of attacks on a system, of measurements of the guard, and of signatures.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Origin, count, items, text};
use crate::evidence::{Evidence, Kind, State, Tested};
use crate::text::line;

/// Most risks and techniques of one run.
const MOST: usize = 500;

/// The report of a red-team run.
pub(super) fn red_team(origin: &Origin, document: &Value) -> Evidence {
    let mut of = origin.evidence(Kind::RedTeam);
    let of_family = |family: &Value| Tested { hits: count(family, "/asr/hits"), trials: count(family, "/asr/trials") };
    let mut tested: BTreeMap<String, Tested> = BTreeMap::new();
    for family in items(document, "/families") {
        let shot = of_family(family);
        for tag in items(family, "/risk").chain(items(family, "/atlas")).filter_map(Value::as_str) {
            let tag = line(tag);
            if shot.trials > 0 && (tested.len() < MOST || tested.contains_key(&tag)) {
                let sum = tested.entry(tag).or_default();
                sum.hits = sum.hits.saturating_add(shot.hits);
                sum.trials = sum.trials.saturating_add(shot.trials);
            }
        }
    }
    of.tested = tested;
    of.rules = document
        .pointer("/rules")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .take(MOST)
        .filter_map(|(rule, n)| Some((line(rule), n.as_u64()?)))
        .collect();
    let (hits, trials) = (count(document, "/total/asr/hits"), count(document, "/total/asr/trials"));
    let target = text(document, "/target");
    let gates = items(document, "/gates").count();
    let met = items(document, "/gates").filter(|g| g.get("met").and_then(Value::as_bool) == Some(true)).count();
    of.summary = format!("{}: {hits} of {trials} attacks worked; {met} of {gates} gates met", line(target));
    if document.get("complete").and_then(Value::as_bool) != Some(true) {
        of.weaken("the run was not made to its end");
    }
    if target.starts_with("the guard of this program") {
        of.weaken("the guard was attacked alone, not the system");
    }
    if trials == 0 {
        of.weaken("no attack gave evidence");
    }
    if gates > 0 && met == gates {
        of.covers.push("gates".to_owned());
    }
    match (hits, gates > 0, met == gates) {
        (_, true, false) | (1.., false, _) => of.state = State::Open,
        (1.., true, true) => of.weaken("attacks worked within the limits of the gates"),
        _ => {}
    }
    of
}

/// What `eval injection` measured.
pub(super) fn guard_eval(origin: &Origin, document: &Value) -> Evidence {
    let mut of = origin.evidence(Kind::GuardEval);
    let number = |pointer: &str| document.pointer(pointer).and_then(Value::as_f64);
    let rows = count(document, "/rows");
    of.summary = format!("{rows} labelled texts");
    if let (Some(auroc), Some(ece)) = (number("/auroc"), number("/ece")) {
        of.summary.push_str(&format!("; AUROC {auroc:.3}, calibration error {ece:.3}"));
    } else {
        of.weaken("attacks and harmless texts are not both in it");
    }
    of
}

/// Whether `verify model` says that of a signature: the model has a name where it verifies, and a reason where it does
/// not. What is verified of anything else shows nothing of a model.
pub(super) fn is_verified_model(document: &Value) -> bool {
    let named = !text(document, "/model/name").is_empty();
    match document.get("verified").and_then(Value::as_bool) {
        Some(true) => named,
        Some(false) => named || (document.get("reason").is_some() && document.get("corpus").is_none()),
        None => false,
    }
}

/// What `verify model` says: of a signature, of a chain, or both.
pub(super) fn custody(origin: &Origin, document: &Value) -> Vec<Evidence> {
    let mut all = Vec::new();
    if let Some(verified) = document.get("verified").and_then(Value::as_bool)
        && is_verified_model(document)
    {
        let mut of = origin.evidence(Kind::ModelSignature);
        if verified {
            let who = ["/signer/identity", "/signer/subject", "/signer/hint"].map(|at| text(document, at));
            let who = who.into_iter().find(|who| !who.is_empty()).unwrap_or("somebody trusted");
            let name = line(text(document, "/model/name"));
            let files = items(document, "/files").count();
            of.summary = format!("{name}: {files} files, signed by {}", line(who));
            let out = items(document, "/files").filter(|file| text(file, "/status") != "ok").count();
            if files == 0 {
                of.weaken("no file was compared");
            }
            if out > 0 {
                of.weaken(&format!("{out} files are not in the signature"));
            }
        } else {
            of.state = State::Open;
            of.summary = "not verified".to_owned();
            let why = text(document, "/reason");
            if !why.is_empty() {
                of.summary.push_str(": ");
                of.summary.push_str(&line(why));
            }
        }
        all.push(of);
    }
    if let Some(holds) = document.pointer("/chain/holds").and_then(Value::as_bool) {
        let mut of = origin.evidence(Kind::CustodyChain);
        let links = items(document, "/chain/links").count();
        let broken =
            items(document, "/chain/links").filter(|l| l.get("holds").and_then(Value::as_bool) != Some(true)).count();
        of.summary = format!("{links} links, {broken} of them do not hold");
        if !holds {
            of.state = State::Open;
        }
        all.push(of);
    }
    all
}
