//! What files record of tool servers, examined as the proxy examines what servers say.

use std::sync::Arc;

use bartizan_core::{Finding, Location, Part, Reason, Rpc, RuleId, Severity, Span, Verdict};
use bartizan_guard::{Checked, Guard};
use bartizan_mcp::Elsewhere;
use bartizan_posture::Recorded;

use crate::posture::{Configuration, PostureFound, PostureGap};

/// Adds to the report of a configuration what a proxy with this guard would not let through, and what it could not read.
pub fn definitions(file: &mut Configuration, guard: &Guard) {
    let recorded = std::mem::take(&mut file.report.recorded);
    let (mut found, mut gaps) = (Vec::new(), Vec::new());
    for one in &recorded {
        let others = recorded.iter().filter(|other| other.server != one.server);
        let elsewhere =
            Elsewhere::names(others.flat_map(|other| &other.tools).map(String::as_str).filter(|name| !name.is_empty()));
        let rpc = Rpc { server: Arc::from(one.server.as_str()), method: Arc::from("tools/list"), tool: None };
        let checked = guard.definitions(rpc, &one.json, &elsewhere);
        match checked {
            Ok(checked) => {
                found.extend(refused(one, &checked, guard));
                let parts = checked.assessment.coverage.parts.iter();
                gaps.extend(
                    parts.map(|part| gap(*part, one.span, format!("part of this definition ({})", part.reason))),
                );
            }
            Err(why) => {
                let part = Part::partial(Reason::Malformed, one.json.len());
                gaps.push(gap(part, one.span, format!("this list cannot be read as MCP has it: {why}")));
            }
        }
    }
    file.report.add(found, gaps);
}

fn gap(part: Part, at: Span, why: String) -> PostureGap {
    PostureGap { part, at: at.start, why }
}

/// What policy does not let pass as it is. What it denies is severe, whatever the rule says of text in general.
fn refused(one: &Recorded, checked: &Checked, guard: &Guard) -> Vec<PostureFound> {
    let summary = |id: &RuleId| guard.rules().find(|rule| rule.id == *id).map_or("", |rule| rule.summary.as_ref());
    let told = checked.assessment.findings.iter().filter(|found| guard.definition_verdict(found) > Verdict::Allow);
    told.map(|found| {
        let finding = &found.finding;
        let pointer = finding.at.path().unwrap_or_default();
        let pointer = pointer.strip_prefix("/result").unwrap_or_default();
        let severe = guard.refuses_definition(checked, found);
        let severity = if severe { finding.severity.max(Severity::High) } else { finding.severity };
        let at = Location::File { path: String::new(), span: one.place(pointer) };
        PostureFound {
            finding: Finding { severity, at, ..finding.clone() },
            what: format!("{}: {}", named(one, pointer), summary(&finding.rule)),
            fix: "do not use this server until you know who wrote this and why".to_owned(),
        }
    })
    .collect()
}

/// What a pointer leads into, in words.
fn named(one: &Recorded, pointer: &str) -> String {
    let mut tokens = pointer.split('/').skip(1);
    let tool = (tokens.next() == Some("tools")).then(|| tokens.next()?.parse::<usize>().ok()).flatten();
    let of = if one.server.is_empty() { String::new() } else { format!(" of `{}`", short(&one.server)) };
    match tool.and_then(|at| one.tools.get(at)) {
        Some(name) if !name.is_empty() => format!("tool `{}`{of}", short(name)),
        _ => format!("the definition{of}"),
    }
}

fn short(name: &str) -> String {
    name.chars().take(80).collect()
}
