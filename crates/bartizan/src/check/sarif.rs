//! SARIF 2.1.0 (OASIS, 2020), for code scanning and editors.

use bartizan_core::finding::FindingRecord;
use bartizan_core::{CoverageStatus, Finding, Location, Rule, Severity};
use bartizan_guard::Decision;
use serde_json::{Value, json};

/// One log with one run. Columns count code points.
pub(super) fn log(name: &str, decision: &Decision, rules: &[&Rule]) -> Value {
    let results: Vec<Value> =
        decision.findings.iter().zip(&decision.texts).map(|(f, text)| result(name, f, text, rules)).collect();
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
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "bartizan",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{ "executionSuccessful": true, "toolExecutionNotifications": unread }],
            "results": results,
            "properties": { "verdict": decision.verdict, "coverage": decision.coverage, "scores": decision.scores },
        }],
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

fn result(name: &str, finding: &Finding, text: &str, rules: &[&Rule]) -> Value {
    let rule = rules.iter().position(|rule| rule.id == finding.rule);
    let summary = rule.and_then(|at| rules.get(at)).map_or("", |rule| rule.summary.as_ref());
    let record = FindingRecord::new(finding, text);
    let mut location = json!({ "physicalLocation": { "artifactLocation": { "uri": name } } });
    match &finding.at {
        // The text is inside a JSON string: its lines and columns are not those of the file.
        Location::Json { pointer, .. } => {
            location["logicalLocations"] = json!([{ "fullyQualifiedName": pointer, "kind": "value" }]);
        }
        _ => location["physicalLocation"]["region"] = region(text, finding, &record),
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
            "start": record.start,
            "end": record.end,
        },
    });
    if let Some(rule) = rule {
        result["ruleIndex"] = rule.into();
    }
    result
}

fn region(text: &str, finding: &Finding, record: &FindingRecord) -> Value {
    let (start_line, start_column) = position(text, finding.span().start);
    let (end_line, end_column) = position(text, finding.span().end);
    json!({
        "startLine": start_line,
        "startColumn": start_column,
        "endLine": end_line,
        "endColumn": end_column,
        "charOffset": record.start,
        "charLength": record.end - record.start,
    })
}

/// Line and column, from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.bytes().filter(|b| *b == b'\n').count() + 1, before[line_start..].chars().count() + 1)
}

const fn level(severity: Severity) -> &'static str {
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
