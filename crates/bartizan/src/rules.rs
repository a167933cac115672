//! `bartizan rules`.

use std::io::Write as _;
use std::path::Path;

use bartizan_core::Rule;

use crate::cli::{ConfigArgs, ListFormat};
use crate::problem::Problem;
use crate::terminal::{self, Style};
use crate::{DONE, config};

/// Every rule that has a page: those about text, about model files, about configurations and about corpora.
pub(crate) fn catalogue() -> Vec<Rule> {
    with_files(bartizan_rules::catalogue())
}

/// The rules given and those about files, which no setting changes, by id.
fn with_files(mut rules: Vec<Rule>) -> Vec<Rule> {
    rules.extend_from_slice(bartizan_artifact::rules::RULES);
    rules.extend(bartizan_posture::rules::all().cloned());
    rules.extend_from_slice(bartizan_data::rules::RULES);
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    rules
}

/// `bartizan rules list`.
pub(crate) fn list(args: &ConfigArgs, format: ListFormat) -> anyhow::Result<u8> {
    let settings = config::load(args, &[])?.config.guard().rules_in_force();
    let rules = with_files(bartizan_rules::rules(&settings).map_err(|error| Problem::new(error.to_string()))?);
    let mut out = std::io::stdout().lock();
    match format {
        ListFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&rules)?)?,
        ListFormat::Human => {
            let color = terminal::colored_stdout();
            let width = rules.iter().map(|rule| rule.id.as_str().len()).max().unwrap_or(0);
            writeln!(
                out,
                "{}",
                terminal::paint(&format!("{:width$}  severity  confidence  summary", "rule"), Style::Heading, color)
            )?;
            for Rule { id, severity, confidence, summary, .. } in &rules {
                writeln!(out, "{:width$}  {severity:8}  {confidence:10}  {summary}", id.as_str())?;
            }
            for entry in &settings.overrides {
                writeln!(out, "\n{} has severity {} here: {}", entry.rule, entry.severity, entry.reason)?;
            }
            writeln!(out, "\n{} rules; `bartizan explain RULE` shows the page of one", rules.len())?;
        }
    }
    Ok(DONE)
}

/// `bartizan rules test`.
pub(crate) fn test(file: &Path) -> anyhow::Result<u8> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| Problem::new(format!("cannot read `{name}`: {e}")))?;
    let detectors = bartizan_rules::pack::load(&text).map_err(|e| Problem::new(format!("`{name}`: {e}")))?;
    let rules: usize = detectors.iter().map(|detector| detector.rules().len()).sum();
    let plural = if rules == 1 { "" } else { "s" };
    writeln!(std::io::stdout().lock(), "`{name}`: {rules} rule{plural}, all examples behave as they say")?;
    Ok(DONE)
}
