//! SARIF 2.1.0 (OASIS, 2020), for code scanning and editors.

use bartizan_core::{CoverageStatus, Finding, Location, Rule, Severity};
use bartizan_guard::Decision;
use serde_json::{Value, json};

use super::position::{Cursor, Position};

/// One log with one run. Columns count code points.
pub(super) fn log(name: &str, decision: &Decision, rules: &[&Rule]) -> Value {
    let mut cursor = Cursor::new();
    let results: Vec<Value> = decision
        .findings
        .iter()
        .zip(&decision.texts)
        .map(|(finding, text)| result(name, finding, cursor.span(text, finding.span()), rules))
        .collect();
    let unread: Vec<Value> = decision
        .coverage
        .parts
        .iter()
        .map(|part| {
            let level = if part.kind == CoverageStatus::Partial { "warning" } else { "note" };
            let text = format!("{} bytes were not examined: {}", part.bytes, part.reason);
            json!({ "level": level, "message": { "text": text } })
        })
        .collect();
    let mut run = run(rules.iter().copied(), results, true, unread);
    run["columnKind"] = "unicodeCodePoints".into();
    run["properties"] =
        json!({ "verdict": decision.verdict, "coverage": decision.coverage, "scores": decision.scores });
    log_of(run)
}

/// A log of one run.
pub(crate) fn log_of(run: Value) -> Value {
    json!({ "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run] })
}

/// One run of this program, with the rules that its results point into.
pub(crate) fn run<'a>(
    rules: impl Iterator<Item = &'a Rule>,
    results: Vec<Value>,
    successful: bool,
    unread: Vec<Value>,
) -> Value {
    json!({
        "tool": { "driver": {
            "name": "bartizan",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules.map(descriptor).collect::<Vec<_>>(),
        }},
        "invocations": [{ "executionSuccessful": successful, "toolExecutionNotifications": unread }],
        "results": results,
    })
}

fn descriptor(rule: &Rule) -> Value {
    let tags: Vec<String> = std::iter::once(rule.id.family().to_string())
        .chain(rule.references.iter().map(|r| format!("{}:{}", r.catalogue, r.id)))
        .collect();
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.summary },
        "help": { "text": rule.doc, "markdown": rule.doc },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": {
            "tags": tags,
            "precision": rule.confidence,
            "security-severity": security_severity(rule.severity),
        },
    })
}

fn result(name: &str, finding: &Finding, (start, end): (Position, Position), rules: &[&Rule]) -> Value {
    let rule = rules.iter().position(|rule| rule.id == finding.rule);
    let summary = rule.and_then(|at| rules.get(at)).map_or("", |rule| rule.summary.as_ref());
    let mut location = json!({ "physicalLocation": { "artifactLocation": { "uri": name } } });
    match finding.at.path() {
        // The text is inside a JSON string or a document: its lines and columns are not those of the file.
        Some(path) => {
            let kind = if matches!(finding.at, Location::Archive { .. }) { "member" } else { "value" };
            location["logicalLocations"] = json!([{ "fullyQualifiedName": path, "kind": kind }]);
        }
        None => location["physicalLocation"]["region"] = region(start, end),
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": { "text": summary },
        "locations": [location],
        "properties": {
            "severity": finding.severity,
            "confidence": finding.confidence,
            "type": finding.entity,
            "start": start.code_points,
            "end": end.code_points,
        },
    });
    if let Some(rule) = rule {
        result["ruleIndex"] = rule.into();
    }
    result
}

/// The lines and columns of a place.
pub(crate) fn region(start: Position, end: Position) -> Value {
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
        "charOffset": start.code_points,
        "charLength": end.code_points - start.code_points,
    })
}

pub(crate) const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The number by which code scanning sorts, in the bands of CVSS.
const fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.5",
        Severity::Info => "0.0",
    }
}
