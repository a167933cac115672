//! The answer as SARIF 2.1.0.

use bartizan_core::{CoverageStatus, Rule};
use bartizan_data::{RowReport, rules::RULES};
use bartizan_guard::Guard;
use serde_json::{Value, json};

use super::answer::Summary;
use crate::check::sarif::{level, log_of, run};

/// One log with one run: the rows at the gate.
pub(super) fn log(guard: &Guard, shown: &[RowReport], summary: &Summary) -> Value {
    let rules: Vec<&Rule> = guard.rules().chain(RULES).collect();
    let results = shown.iter().flat_map(|report| results(report, &rules)).collect();
    let unread = summary
        .gaps
        .iter()
        .map(|gap| {
            let level = if gap.structural { "note" } else { "warning" };
            json!({
                "level": level,
                "message": { "text": format!("not examined: {}: {}", gap.place, gap.why) },
                "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&gap.source) } } }],
            })
        })
        .collect();
    let read = summary.coverage.status != CoverageStatus::Partial;
    let mut run = run(rules.iter().copied(), results, read, unread);
    run["columnKind"] = "unicodeCodePoints".into();
    run["properties"] = json!({ "summary": summary });
    log_of(run)
}

fn uri(source: &str) -> String {
    source.replace('\\', "/")
}

fn results<'a>(report: &'a RowReport, rules: &'a [&Rule]) -> impl Iterator<Item = Value> + 'a {
    report.findings.iter().map(move |finding| {
        let rule = rules.iter().position(|rule| rule.id == finding.rule);
        let summary = rule.and_then(|at| rules.get(at)).map_or("", |rule| rule.summary.as_ref());
        let item = |rule: &str| report.contamination.first().filter(|_| rule == "data/contamination");
        let text = match (&report.poison, item(finding.rule.as_str())) {
            (Some(what), _) if finding.rule.as_str().starts_with("data/poison-") => what.clone(),
            (_, Some(of)) => {
                format!("{:.0} % of {}, row {}", f64::from(of.share) * 100.0, of.item.source, of.item.row)
            }
            _ => summary.to_owned(),
        };
        let place = format!("row {}{}", report.row, finding.path.as_deref().unwrap_or_default());
        json!({
            "ruleId": finding.rule,
            "ruleIndex": rule,
            "level": level(finding.severity),
            "message": { "text": text },
            "locations": [{
                "physicalLocation": { "artifactLocation": { "uri": uri(&report.source) } },
                "logicalLocations": [{ "fullyQualifiedName": place, "kind": "value" }],
            }],
            "properties": {
                "row": report.row,
                "severity": finding.severity,
                "confidence": finding.confidence,
                "type": finding.entity,
                "start": finding.start,
                "end": finding.end,
            },
        })
    })
}
