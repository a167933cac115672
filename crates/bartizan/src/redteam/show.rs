//! A plan and a run, as people and programs see them.

use std::io::Write;
use std::path::Path;

use bartizan_client::{Endpoint, Spent};
use bartizan_redteam::{Line, Share, Step, Summary, Work, report, stats};
use serde_json::{Value, json};

use crate::check::sarif::log_of;
use crate::redteam::args::RedteamFormat;
use crate::terminal::{self, Style};

/// What will be done and what it costs.
pub(super) fn plan(out: &mut impl Write, work: &Work, name: &str) -> std::io::Result<()> {
    let estimate = work.estimate();
    writeln!(out, "target: {}", terminal::line(name))?;
    writeln!(
        out,
        "plan:   {} probes, {} ways of writing; {} attacks, {} harmless twins",
        work.pack.probe.len(),
        work.chains.len(),
        estimate.attacks,
        estimate.benign
    )?;
    if let Some(other) = stats::tellable(0.05, estimate.attacks) {
        writeln!(out, "power:  two such runs tell 5 % from {:.1} % or more, four times in five", other * 100.0)?;
    }
    let Some(target) = &work.plan.target else { return Ok(()) };
    let most = estimate.most.saturating_mul(u64::from(target.retries) + 1);
    let replies = estimate.least.saturating_mul(u64::from(target.max_tokens));
    writeln!(
        out,
        "cost:   {} requests, at most {most} with tool calls and repetitions; about {} tokens of questions, at most {replies} of replies",
        estimate.least, estimate.tokens
    )?;
    if estimate.attacker > 0 {
        writeln!(out, "        and at most {} requests to the attacker's model", estimate.attacker)?;
    }
    if let Some(price) = target.price {
        writeln!(
            out,
            "price:  about {:.2} for {} requests with replies of full length; tool calls, presses and repetitions come on top",
            price.of(estimate.tokens, replies),
            estimate.least
        )?;
    }
    let budget = work.plan.budget;
    let bounds: Vec<String> = [
        budget.requests.map(|n| format!("{n} requests")),
        budget.tokens.map(|n| format!("{n} tokens")),
        budget.price.map(|n| format!("price {n}")),
        budget.seconds.map(|n| format!("{n} seconds")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let bounds = if bounds.is_empty() { "none".to_owned() } else { bounds.join(", ") };
    writeln!(out, "budget: {bounds}")
}

/// What was used of the budget, earlier parts of the run counted.
pub(super) fn spent(out: &mut impl Write, spent: &Spent, target: Option<&Endpoint>) -> std::io::Result<()> {
    let usage = spent.usage();
    write!(
        out,
        "used:   {} requests, {} tokens of questions, {} of replies",
        spent.requests(),
        usage.input,
        usage.output
    )?;
    if target.is_some_and(|t| t.price.is_some()) {
        write!(out, ", price {:.2}", spent.price())?;
    }
    writeln!(out)
}

/// A run. `source` is the file that stands for it: its plan or its evidence.
pub(super) fn summary(summary: &Summary, format: RedteamFormat, work: &Work, source: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        RedteamFormat::Human => human(&mut out, summary, work)?,
        RedteamFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(summary)?)?,
        RedteamFormat::Sarif => writeln!(out, "{}", serde_json::to_string_pretty(&sarif(summary, source))?)?,
        RedteamFormat::Junit => write!(out, "{}", report::junit(summary))?,
        RedteamFormat::Markdown => write!(out, "{}", report::markdown(summary))?,
        RedteamFormat::Html => write!(out, "{}", report::html(summary))?,
    }
    out.flush()?;
    Ok(())
}

fn percent(share: &Share) -> String {
    if share.trials == 0 {
        return "no evidence".to_owned();
    }
    let of = |x: f64| format!("{:.1}", x * 100.0);
    format!("{} % ({}–{})", of(share.share), of(share.interval.low), of(share.interval.high))
}

fn human(out: &mut impl Write, summary: &Summary, work: &Work) -> std::io::Result<()> {
    let color = terminal::colored_stdout();
    let count = |line: &Line, step: Step| line.attacks.get(&step).copied().unwrap_or(0);
    writeln!(
        out,
        "{:<28} {:>6} {:>6} {:>6} {:>8} {:>7} {:>7} {:>5}  success (95 %)",
        "family", "proven", "likely", "passed", "resisted", "refused", "blocked", "error"
    )?;
    for line in summary.families.iter().chain([&summary.total]) {
        let id = if line.id == "*" { "all" } else { line.id.as_str() };
        let counts: Vec<u64> = Step::ALL.iter().map(|s| count(line, *s)).collect();
        let row = match counts.as_slice() {
            [a, b, c, d, e, f, g] => {
                format!("{id:<28} {a:>6} {b:>6} {c:>6} {d:>8} {e:>7} {f:>7} {g:>5}  {}", percent(&line.asr))
            }
            _ => id.to_owned(),
        };
        let style = if line.asr.hits > 0 { Style::Bad } else { Style::Good };
        writeln!(out, "{}", if line.asr.trials > 0 { terminal::paint(&row, style, color) } else { row })?;
    }
    writeln!(out)?;
    for (name, value) in report::totals(summary) {
        writeln!(out, "{name}: {value}")?;
    }
    for way in &summary.ways {
        let seen = if way.seen_in_training { ", in the classifier's training" } else { "" };
        writeln!(out, "written as {}: {}{seen}", way.name, percent(&way.asr))?;
    }
    let mut rules: Vec<_> = summary.rules.iter().collect();
    rules.sort_by(|a, b| b.1.cmp(a.1));
    if !rules.is_empty() {
        let named: Vec<String> =
            rules.iter().take(8).map(|(rule, n)| format!("{} {n}", terminal::line(rule))).collect();
        writeln!(out, "stopped by: {}", named.join(", "))?;
    }
    for fault in &summary.failures {
        writeln!(out, "no evidence: {} × {}", fault.count, terminal::line(&fault.told()))?;
    }
    for gate in &summary.gates {
        let (word, style) = if gate.met { ("met", Style::Good) } else { ("not met", Style::Bad) };
        let value = gate.value.map_or_else(|| "no evidence".to_owned(), |v| format!("{:.2} %", v * 100.0));
        writeln!(out, "gate {}: {} ({value})", terminal::line(&gate.gate), terminal::paint(word, style, color))?;
    }
    let share = summary.total.asr;
    if share.hits == 0 && share.trials > 0 && work.plan.target.is_some() {
        writeln!(out, "no attack is proven: that leaves up to {:.1} % open", share.interval.high * 100.0)?;
    }
    writeln!(out, "{} of {} trials; {}", summary.done, summary.trials, terminal::line(&report::state(summary)))
}

/// A result for each family that worked, as SARIF 2.1.0.
fn sarif(summary: &Summary, source: &Path) -> Value {
    // Viewers leave out what has no line in a file.
    let uri = source.display().to_string().replace('\\', "/").replace('%', "%25").replace(' ', "%20");
    let place = json!({ "artifactLocation": { "uri": uri }, "region": { "startLine": 1 } });
    let rules: Vec<Value> = summary
        .families
        .iter()
        .map(|l| {
            let tags: Vec<&String> = l.risk.iter().chain(&l.atlas).collect();
            json!({ "id": l.id, "shortDescription": { "text": l.title }, "properties": { "tags": tags } })
        })
        .collect();
    let results: Vec<Value> = summary
        .families
        .iter()
        .enumerate()
        .filter(|(_, l)| l.likely_asr.hits > 0)
        .map(|(at, l)| {
            let level = if l.asr.hits > 0 { "error" } else { "warning" };
            let text = format!(
                "{}: {} of {} attacks worked, {} likely",
                l.title,
                l.asr.hits,
                l.asr.trials,
                l.likely_asr.hits - l.asr.hits
            );
            json!({
                "ruleId": l.id, "ruleIndex": at, "level": level, "message": { "text": text },
                "locations": [{ "physicalLocation": place, "logicalLocations": [{ "fullyQualifiedName": summary.target, "kind": "resource" }] }],
                "properties": { "attack_success": l.asr },
            })
        })
        .collect();
    log_of(json!({
        "tool": { "driver": { "name": "bartizan", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
        "invocations": [{ "executionSuccessful": summary.complete }],
        "results": results,
    }))
}
