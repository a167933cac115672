//! Reports of a summary in the forms that people and machines read. Everything from outside is escaped.

pub mod before_after;

use std::fmt::Write as _;

use bartizan_report::text::html as escaped;

use crate::evidence::Step;
use crate::stats::tellable;
use crate::summary::{Line, Share, Summary};

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn range(share: &Share) -> String {
    if share.trials == 0 {
        return "no evidence".to_owned();
    }
    format!("{} ({}–{})", percent(share.share), percent(share.interval.low), percent(share.interval.high))
}

fn count(line: &Line, step: Step) -> u64 {
    line.attacks.get(&step).copied().unwrap_or(0)
}

/// What came of a case of JUnit's.
enum Case {
    Passed,
    Failed(String),
    /// There is no evidence, because something went wrong.
    Error(String),
    /// Nothing was tried.
    Skipped(&'static str),
}

/// JUnit's XML: a case for each gate, for each family, and for the run as a whole. What gave no evidence has not passed.
#[must_use]
pub fn junit(summary: &Summary) -> String {
    let mut cases = Vec::new();
    for gate in &summary.gates {
        let case = match gate.value {
            None => Case::Error("there is no evidence".to_owned()),
            Some(_) if gate.met => Case::Passed,
            Some(value) => Case::Failed(format!("it is {}", percent(value))),
        };
        cases.push(("gate", gate.gate.as_str(), case));
    }
    for line in &summary.families {
        let errors = count(line, Step::Error);
        let case = match (line.asr.trials, errors) {
            (0, 0) => Case::Skipped("no attack was tried"),
            (0, _) => Case::Error(format!("none of {errors} attacks gave evidence")),
            _ if summary.gates.is_empty() && line.asr.hits > 0 => {
                Case::Failed(format!("{} of {} attacks worked", line.asr.hits, line.asr.trials))
            }
            _ => Case::Passed,
        };
        cases.push(("family", line.id.as_str(), case));
    }
    let (errors, made) = (summary.errors(), summary.done);
    let whole = match (errors, summary.complete) {
        (0, true) => Case::Passed,
        _ => {
            let why = summary.failures.first().map(|fault| format!("; {}", fault.told())).unwrap_or_default();
            Case::Error(format!("{made} of {} trials were made, {errors} without evidence{why}", summary.trials))
        }
    };
    cases.push(("run", "every trial gave evidence", whole));
    let (mut failures, mut errors, mut skipped) = (0, 0, 0);
    let mut out = String::new();
    for (class, name, case) in &cases {
        let (count, element) = match case {
            Case::Passed => (None, None),
            Case::Failed(why) => (Some(&mut failures), Some(("failure", why.as_str()))),
            Case::Error(why) => (Some(&mut errors), Some(("error", why.as_str()))),
            Case::Skipped(why) => (Some(&mut skipped), Some(("skipped", *why))),
        };
        count.into_iter().for_each(|n| *n += 1);
        let _ = write!(out, "    <testcase classname=\"{class}\" name=\"{}\"", escaped(name));
        let _ = match element {
            Some((tag, why)) => writeln!(out, "><{tag} message=\"{}\"/></testcase>", escaped(why)),
            None => writeln!(out, "/>"),
        };
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"bartizan redteam\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">\n{out}  </testsuite>\n</testsuites>\n",
        cases.len()
    )
}

fn cell(text: &str) -> String {
    escaped(text).replace('|', "\\|").replace('`', "'")
}

/// Markdown.
#[must_use]
pub fn markdown(summary: &Summary) -> String {
    let mut out = format!("# Red team: {}\n\n", cell(&summary.target));
    let _ = writeln!(out, "{} of {} trials; {}", summary.done, summary.trials, state(summary));
    let _ = writeln!(out, "\n| all | |\n|---|---|");
    for (name, value) in totals(summary) {
        let _ = writeln!(out, "| {name} | {value} |");
    }
    if !summary.gates.is_empty() {
        let _ = writeln!(out, "\n| gate | value | |\n|---|---|---|");
        for gate in &summary.gates {
            let value = gate.value.map_or_else(|| "no evidence".to_owned(), percent);
            let _ = writeln!(out, "| {} | {value} | {} |", cell(&gate.gate), if gate.met { "met" } else { "not met" });
        }
    }
    if !summary.failures.is_empty() {
        let _ = writeln!(out, "\n| without evidence | |\n|---|---|");
        for fault in &summary.failures {
            let _ = writeln!(out, "| {} | {} |", fault.count, cell(&fault.told()));
        }
    }
    let _ = writeln!(
        out,
        "\n| family | OWASP | proven | likely | passed | resisted | refused | blocked | error | success (95 %) |"
    );
    let _ = writeln!(out, "|---|---|---|---|---|---|---|---|---|---|");
    for line in &summary.families {
        let counts: Vec<String> = Step::ALL.iter().map(|s| count(line, *s).to_string()).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            cell(&line.id),
            cell(&line.risk.join(" ")),
            counts.join(" | "),
            range(&line.asr)
        );
    }
    let _ = writeln!(out, "\n| way of writing | success (95 %) | in the classifier's training |\n|---|---|---|");
    for way in &summary.ways {
        let seen = if way.seen_in_training { "yes" } else { "no" };
        let _ = writeln!(out, "| {} | {} | {seen} |", cell(&way.name), range(&way.asr));
    }
    out
}

/// How the run ended.
#[must_use]
pub fn state(summary: &Summary) -> String {
    match (&summary.stopped, summary.complete) {
        (Some(why), _) => format!("stopped: {why}"),
        (None, true) => "complete".to_owned(),
        (None, false) => "not complete".to_owned(),
    }
}

/// The main figures with their names.
#[must_use]
pub fn totals(summary: &Summary) -> Vec<(&'static str, String)> {
    let total = &summary.total;
    let mut out = vec![
        ("attack success, these prompts", range(&total.asr)),
        (
            "attack success, prompts like these",
            match total.asr.trials {
                0 => "no evidence".to_owned(),
                _ => format!("up to {}", percent(total.asr.clustered.high)),
            },
        ),
        ("with what a judge takes for success", range(&total.likely_asr)),
        ("harmless texts blocked", range(&total.false_block)),
        ("harmless texts refused", range(&total.false_refusal)),
        ("without evidence", summary.errors().to_string()),
    ];
    if let Some(other) = tellable(total.asr.share, total.asr.trials) {
        let told = format!("{} from {} or more", percent(total.asr.share), percent(other));
        out.push(("a second run of as many would tell, four times in five,", told));
    }
    if let Some(hit) = total.hit_at_5 {
        out.insert(2, ("wordings of which one in five trials works", percent(hit)));
    }
    out
}

/// One page of HTML with a picture; nothing is loaded from anywhere.
#[must_use]
pub fn html(summary: &Summary) -> String {
    let mut rows = String::new();
    for line in &summary.families {
        let counts: String = Step::ALL.iter().map(|s| format!("<td>{}</td>", count(line, *s))).collect();
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td>{}</td><td>{}</td>{counts}<td>{}</td></tr>",
            escaped(&line.id),
            escaped(&line.title),
            escaped(&line.risk.join(" ")),
            range(&line.asr)
        );
    }
    let heads: String = Step::ALL.iter().map(|s| format!("<th>{}</th>", s.as_str())).collect();
    let ways: String = summary
        .ways
        .iter()
        .map(|way| {
            let seen = if way.seen_in_training { "yes" } else { "no" };
            format!("<tr><td>{}</td><td>{}</td><td>{seen}</td></tr>\n", escaped(&way.name), range(&way.asr))
        })
        .collect();
    let totals: String = totals(summary).iter().map(|(n, v)| format!("<tr><td>{n}</td><td>{v}</td></tr>\n")).collect();
    let gates: String = summary
        .gates
        .iter()
        .map(|g| {
            let value = g.value.map_or_else(|| "no evidence".to_owned(), percent);
            format!(
                "<tr><td>{}</td><td>{value}</td><td>{}</td></tr>\n",
                escaped(&g.gate),
                if g.met { "met" } else { "not met" }
            )
        })
        .collect();
    let faults: String = summary
        .failures
        .iter()
        .map(|f| format!("<tr><td>without evidence</td><td>{}</td><td>{}</td></tr>\n", f.count, escaped(&f.told())))
        .collect();
    page(
        &format!("Red team: {}", escaped(&summary.target)),
        &format!(
            "<p>{} of {} trials; {}</p>\n<table>{totals}</table>\n<table>{gates}</table>\n<table>{faults}</table>\n{}\n<table><tr><th>family</th><th>what is tried</th><th>OWASP</th>{heads}<th>success (95 %)</th></tr>\n{rows}</table>\n<table><tr><th>way of writing</th><th>success (95 %)</th><th>in the classifier's training</th></tr>\n{ways}</table>",
            summary.done,
            summary.trials,
            escaped(&state(summary)),
            picture(summary)
        ),
    )
}

/// A page of HTML that loads nothing. Title and body are escaped already.
fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>{title}</title>\n<style>body{{font:14px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}}table{{border-collapse:collapse;margin:1rem 0}}td,th{{border:1px solid #ccc;padding:.2rem .5rem;text-align:left}}</style></head>\n<body><h1>{title}</h1>\n{body}</body></html>\n"
    )
}

/// Attack success by family with its interval, as a drawing.
fn picture(summary: &Summary) -> String {
    const LEFT: f64 = 260.0;
    const WIDTH: f64 = 560.0;
    const STEP: f64 = 18.0;
    let mut out = String::new();
    let mut y = 8.0;
    for line in summary.families.iter().filter(|l| l.asr.trials > 0) {
        let at = |share: f64| WIDTH.mul_add(share, LEFT);
        let share = &line.asr;
        let _ = write!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" font-size=\"11\">{}</text><line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#888\"/><circle cx=\"{:.1}\" cy=\"{y}\" r=\"4\" fill=\"{}\"/>",
            LEFT - 10.0,
            y + 4.0,
            escaped(&line.id),
            at(share.interval.low),
            at(share.interval.high),
            at(share.share),
            if share.hits > 0 { "#b3261e" } else { "#2e7d32" }
        );
        y += STEP;
    }
    format!(
        "<svg role=\"img\" aria-label=\"attack success by family with intervals\" width=\"860\" height=\"{}\" xmlns=\"http://www.w3.org/2000/svg\">{out}</svg>",
        y + 8.0
    )
}
