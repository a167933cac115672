//! The proposed policy as a file with comments.

use super::{Counts, Effect, Learned, Proposal, Settings};

/// Most reasons for which calls stay with approvals that are listed.
const LISTED: usize = 20;

/// Writes the file. Names in it come from tools; none can end a comment or a string.
pub(super) fn write(learned: &Learned, settings: Settings) -> String {
    let Learned { lines, left, withdrawn, learned_on, held_out, .. } = learned;
    let mut out = vec![
        "Proposed by `bartizan policy learn`. Nothing is in force: read each line before you use it.".to_owned(),
        reviewed("Learned on", learned_on),
        reviewed("Tried on the other tasks", held_out),
        format!("Each line frees at least {} calls in at least {} tasks.", settings.calls, settings.tasks),
    ];
    if learned_on.harmful + held_out.harmful == 0 {
        out.push("NO ATTACK WAS AMONG THE REVIEWED RUNS: what these lines let through was not tried.".to_owned());
    }
    out.push(String::new());
    out.push(format!("{:<34}{:>20}{:>20}", "", "learned on", "tried on"));
    let mut row = |name: &str, count: fn(&Effect) -> (Counts, usize)| {
        let cell = |(Counts { now, then }, of): (Counts, usize)| format!("{now} -> {then} of {of}");
        out.push(format!("{name:<34}{:>20}{:>20}", cell(count(learned_on)), cell(count(held_out))));
    };
    row("harmless runs without approval", |e| (e.free, e.benign));
    row("attacks of which no call passes", |e| (e.stopped, e.attacks));
    row("calls of attacks that pass", |e| (e.passed, e.harmful));
    let approvals = |e: &Effect| format!("{} -> {}", e.approvals.now, e.approvals.then);
    out.push(format!("{:<34}{:>20}{:>20}", "approvals in harmless runs", approvals(learned_on), approvals(held_out)));
    let mut text = comments(&out);
    if lines.is_empty() {
        text.push_str("\n# No line is proposed.\n");
    }
    let mut section = "";
    for proposal in lines {
        let (own, line) =
            proposal.line.split_once('.').filter(|(own, _)| matches!(*own, "refs" | "calls")).unwrap_or_default();
        text.push('\n');
        if own != section {
            section = own;
            text.push_str(&format!("[{section}]\n"));
        }
        text.push_str(&comments(&[evidence(proposal, learned)]));
        text.push_str(if own.is_empty() { &proposal.line } else { line });
        text.push('\n');
    }
    if !left.is_empty() {
        let mut out = vec!["No line is proposed for these; they stay with approvals:".to_owned()];
        let mut most: Vec<&super::Left> = left.iter().collect();
        most.sort_by_key(|l| std::cmp::Reverse(l.calls));
        out.extend(
            most.iter()
                .take(LISTED)
                .map(|l| format!("  {} ({}): {} calls in {} runs; {}", l.tool, l.reason, l.calls, l.runs, l.because)),
        );
        text.push('\n');
        text.push_str(&comments(&out));
    }
    for line in withdrawn {
        text.push_str(&comments(&[format!(
            "Taken back, since it let a call of an attack pass on the other tasks: {line}"
        )]));
    }
    text
}

fn reviewed(what: &str, effect: &Effect) -> String {
    let Effect { tasks, benign, attacks, .. } = effect;
    format!("{what}: {benign} reviewed harmless runs and {attacks} attacks of {tasks} tasks.")
}

fn evidence(proposal: &Proposal, learned: &Learned) -> String {
    let Proposal { frees, runs, tasks, stops, lets_through, .. } = proposal;
    let harmful = learned.learned_on.harmful + learned.held_out.harmful;
    let frees = match frees {
        0 => "Frees nothing".to_owned(),
        _ => format!("Frees {frees} calls in {runs} reviewed runs of {tasks} tasks"),
    };
    format!("{frees}; stops {stops} more calls of attacks; lets {lets_through} of {harmful} calls of attacks through.")
}

fn comments(lines: &[String]) -> String {
    // People read these lines one by one before they use the file: nothing in them may look otherwise than it is.
    let shown = |c: char| c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric();
    let plain = |line: &String| line.chars().map(|c| if shown(c) { c } else { '?' }).collect::<String>();
    lines.iter().map(|line| format!("# {}", plain(line)).trim_end().to_owned() + "\n").collect()
}
