//! `bartizan explain`.

use std::io::Write as _;

use bartizan_core::Rule;

use crate::args::ConfigArgs;
use crate::problem::Problem;
use crate::terminal::{self, Style};
use crate::{DONE, suggest};

/// Shows the page of a rule: a built-in one, or one that the configuration adds.
pub(crate) fn run(id: &str, config: &ConfigArgs) -> anyhow::Result<u8> {
    let built_in = crate::rules::catalogue();
    // The pages of built-in rules are there whatever the state of the configuration.
    let known = config.config.is_none() && built_in.iter().any(|rule| rule.id.as_str() == id);
    let rules = if known { built_in } else { crate::rules::of(&crate::config::load(config, &[])?.config)? };
    let Some(rule) = rules.iter().find(|rule| rule.id.as_str() == id) else {
        return Err(unknown(id, &rules).into());
    };
    write!(std::io::stdout().lock(), "{}", page(rule, terminal::colored_stdout()))?;
    Ok(DONE)
}

fn unknown(id: &str, rules: &[Rule]) -> Problem {
    let ids = || rules.iter().map(|rule| rule.id.as_str());
    // The name alone, without its family, is a usual slip.
    let by_name = ids().find(|known| known.split_once('/').is_some_and(|(_, name)| name == id));
    let problem = Problem::new(format!("there is no rule `{id}`"));
    match by_name.or_else(|| suggest::closest(id, ids())) {
        Some(close) => problem.help(format!("did you mean `{close}`?")),
        None => problem.help("`bartizan rules list` names them all"),
    }
}

/// The page as text for a terminal.
fn page(rule: &Rule, color: bool) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    let mut in_block = false;
    let mut blank = true;
    for text in rule.doc.lines() {
        if let Some(info) = text.strip_prefix("```") {
            if !in_block {
                line(&caption(info.trim()));
            }
            in_block = !in_block;
        } else if in_block {
            line(&format!("      {text}"));
        } else if let Some(title) = text.strip_prefix("# ") {
            line(&terminal::paint(title, Style::Heading, color));
            line(rule.summary.as_ref());
            line(&format!("severity {}, confidence {}, since {}", rule.severity, rule.confidence, rule.since));
        } else if let Some(heading) = text.strip_prefix("## ") {
            line(&terminal::paint(heading, Style::Heading, color));
        } else if text.is_empty() {
            if !blank {
                line("");
            }
        } else {
            line(&format!("  {text}"));
        }
        blank = text.is_empty();
    }
    out
}

/// What stands above an example.
fn caption(info: &str) -> String {
    let (word, rest) = info.split_once(' ').unwrap_or((info, ""));
    let word = match word {
        "fire" => "fires",
        "silent" => "stays silent",
        other => other,
    };
    match rest {
        "" => format!("    {word}:"),
        rest => format!("    {word} ({}):", rest.replace('=', " ")),
    }
}
