//! Results of `scan` and bills of materials.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Origin, Severities, count, coverage, items, text};
use crate::evidence::{Dated, Evidence, Kind, State};
use crate::text::line;

/// Most rules that one result names.
const MOST: usize = 1000;

/// Findings by rule.
fn by_rule<'a>(rules: impl Iterator<Item = &'a str>) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for rule in rules.filter(|rule| !rule.is_empty()) {
        let rule = line(rule);
        if all.len() < MOST || all.contains_key(&rule) {
            *all.entry(rule).or_default() += 1;
        }
    }
    all
}

/// Names of what was examined, the first of them.
fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.take(4).collect();
    let more = if names.len() > 3 { names.pop().map(|_| ", …").unwrap_or_default() } else { "" };
    let names: Vec<String> = names.into_iter().map(line).collect();
    format!("{}{more}", names.join(", "))
}

/// `scan model`, `scan infra` and `scan mcp` as JSON.
pub(super) fn files(origin: &Origin, document: &Value) -> Option<Evidence> {
    let rules = || items(document, "/files").flat_map(|f| items(f, "/findings")).map(|f| text(f, "/rule"));
    let hashed = || items(document, "/files").any(|f| f.get("sha256").is_some());
    let kind = match text(document, "/scan") {
        "model" => Kind::ModelScan,
        "infra" => Kind::InfraScan,
        "agents" => Kind::AgentScan,
        // Results of before the mark.
        _ if hashed() => Kind::ModelScan,
        _ if rules().any(|rule| rule.starts_with("infra/")) => Kind::InfraScan,
        _ if rules().any(|rule| rule.starts_with("mcp/")) => Kind::AgentScan,
        _ => return None,
    };
    let mut of = origin.evidence(kind);
    of.rules = by_rule(rules());
    let (files, denied) = (count(document, "/summary/files"), count(document, "/summary/denied"));
    let names = named(items(document, "/files").map(|f| text(f, "/path")));
    let mut severities = Severities::default();
    for found in items(document, "/files").flat_map(|f| items(f, "/findings")) {
        severities.add(text(found, "/severity"), 1);
    }
    let severities = severities.or(Severities::counted(document, "/summary/findings"));
    let (found, severe) = (rules().count(), severities.severe);
    of.summary = format!(
        "{files} files ({names}); {found} findings, {severe} of them high or critical; {denied} files at the gate of the scan"
    );
    coverage(&mut of, document.pointer("/summary/coverage"));
    severities.judge(&mut of, denied > 0);
    if files == 0 {
        of.weaken("no file was examined");
    }
    Some(of)
}

/// `scan data` as JSON, or the summary of its JSON lines.
pub(super) fn data(origin: &Origin, document: &Value) -> Evidence {
    let mut of = origin.evidence(Kind::DataScan);
    let (rows, stopped) = (count(document, "/summary/rows"), count(document, "/summary/stopped"));
    let triggers = items(document, "/summary/triggers").count();
    let found = document.pointer("/summary/findings").and_then(Value::as_object);
    of.rules = found.into_iter().flatten().take(MOST).filter_map(|(rule, n)| Some((line(rule), n.as_u64()?))).collect();
    // What is left, where the corpus was cleaned: the counts are of what was found.
    let worst = document.pointer("/summary/worst").map(|worst| worst.as_str());
    let mut severities = Severities::default();
    match worst {
        Some(worst) => worst.into_iter().for_each(|worst| severities.add(worst, 1)),
        None if document.pointer("/summary/severities").is_some() => {
            severities = Severities::counted(document, "/summary/severities");
        }
        None => severities.unsaid = of.rules.values().sum(),
    }
    let unmet = items(document, "/summary/gates").any(|gate| gate.get("met").and_then(Value::as_bool) == Some(false));
    let worst = match (worst.flatten(), severities.severe) {
        (Some(worst), _) => format!("worst finding {}", line(worst)),
        (None, 0) => "no finding of high severity".to_owned(),
        (None, severe) => format!("{severe} findings high or critical"),
    };
    of.summary = format!(
        "{rows} rows of {} sources; {worst}, {stopped} rows at the gate of the scan, {triggers} triggers of poisoning, {} copies",
        count(document, "/summary/sources"),
        count(document, "/summary/duplicates")
    );
    if document.pointer("/summary/poison_rows").is_some_and(|rows| !rows.is_null()) {
        of.covers.push("poison".to_owned());
    }
    coverage(&mut of, document.pointer("/summary/coverage"));
    severities.judge(&mut of, stopped > 0 || unmet);
    if rows == 0 {
        of.weaken("no row was examined");
    }
    of
}

/// `scan infra --endpoint` as JSON.
pub(super) fn endpoint(origin: &Origin, document: &Value) -> Evidence {
    let mut of = origin.evidence(Kind::EndpointProbe);
    of.rules = by_rule(items(document, "/findings").map(|f| text(f, "/rule")));
    let found = items(document, "/findings").count();
    let asked = items(document, "/asked").count();
    of.summary = format!("{}: {asked} paths asked without a key, {found} answered", line(text(document, "/endpoint")));
    if items(document, "/asked").any(|one| one.get("unknown").is_some_and(|why| !why.is_null())) {
        of.weaken("not every path was answered");
    }
    if found > 0 {
        of.state = State::Open;
    }
    of
}

/// SARIF of a scan of this program. Errors are findings of high and critical severity, whatever the gate was.
pub(super) fn sarif(origin: &Origin, document: &Value) -> Option<Evidence> {
    let run = items(document, "/runs").next()?;
    if text(run, "/tool/driver/name") != "bartizan" {
        return None;
    }
    if let Some(properties) = run.get("properties").filter(|p| p.pointer("/summary/rows").is_some()) {
        return Some(data(origin, properties));
    }
    let first = items(run, "/tool/driver/rules").map(|rule| text(rule, "/id")).next()?;
    let kind = match first.split('/').next()? {
        "model" => Kind::ModelScan,
        "infra" => Kind::InfraScan,
        "mcp" => Kind::AgentScan,
        _ => return None,
    };
    let mut of = origin.evidence(kind);
    of.rules = by_rule(items(run, "/results").map(|r| text(r, "/ruleId")));
    let errors = items(run, "/results").filter(|r| text(r, "/level") == "error").count();
    of.summary = format!("{} findings, {errors} of them errors", items(run, "/results").count());
    coverage(&mut of, run.pointer("/properties/coverage"));
    if errors > 0 {
        of.state = State::Open;
    }
    Some(of)
}

/// What `scan model --attest` signed: findings, or a bill of materials.
pub(super) fn statement(origin: &Origin, statement: &Value) -> Option<Evidence> {
    let predicate = statement.get("predicate")?;
    match text(statement, "/predicateType") {
        "https://cyclonedx.org/bom" => Some(bill(origin, predicate)),
        "https://in-toto.io/attestation/vulns/v0.2" => {
            let mut of = origin.evidence(Kind::ModelScan);
            dated(&mut of, text(predicate, "/metadata/scanFinishedOn"));
            of.rules = by_rule(items(predicate, "/scanner/result").map(|found| text(found, "/id")));
            let (mut severities, mut worst) = (Severities::default(), Severities::default());
            for found in items(predicate, "/scanner/result") {
                severities.add(text(found, "/severity/0/score"), 1);
            }
            if let Some(said) = predicate.get("worst").and_then(Value::as_str) {
                worst.add(said, 1);
            }
            let severities = severities.or(worst);
            let (names, verdict) =
                (named(items(statement, "/subject").map(|s| text(s, "/name"))), text(predicate, "/verdict"));
            let found = items(predicate, "/scanner/result").count();
            of.summary = format!(
                "signed statement about {names}: {}; {found} findings, {} of them high or critical",
                line(verdict),
                severities.severe
            );
            coverage(&mut of, predicate.get("coverage"));
            severities.judge(&mut of, verdict != "allow");
            Some(of)
        }
        _ => None,
    }
}

/// Takes the time that a result says itself, where it is one.
fn dated(of: &mut Evidence, made: &str) {
    if made.parse::<jiff::Timestamp>().is_ok() {
        (of.made, of.dated) = (made.to_owned(), Dated::Content);
    }
}

/// A bill of materials in CycloneDX.
pub(super) fn bill(origin: &Origin, document: &Value) -> Evidence {
    let mut of = origin.evidence(Kind::ModelBill);
    dated(&mut of, text(document, "/metadata/timestamp"));
    of.summary = format!(
        "{}: {} components",
        line(text(document, "/metadata/component/name")),
        items(document, "/components").count()
    );
    if !items(document, "/compositions").any(|c| text(c, "/aggregate") == "complete") {
        of.weaken("the bill does not say that it is complete");
    }
    of
}
