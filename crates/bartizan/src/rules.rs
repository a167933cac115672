//! `bartizan rules`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use bartizan_core::Rule;
use clap::Subcommand;

use crate::DONE;
use crate::args::{ConfigArgs, ListFormat};
use crate::config::{self, Config};
use crate::problem::Problem;
use crate::terminal::{self, Style};

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// List every rule: the built-in ones, those of packs and topics, and what the configuration changes about them.
    List {
        #[command(flatten)]
        config: ConfigArgs,
        /// How to answer.
        #[arg(long, value_enum, default_value = "human")]
        format: ListFormat,
    },
    /// Read a rule pack and run its examples.
    Test {
        /// TOML file with `[[rule]]` tables.
        file: PathBuf,
    },
}

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

/// Every rule of a configuration, those of packs and topics too, by id.
pub(crate) fn of(config: &Config) -> Result<Vec<Rule>, Problem> {
    let rules = bartizan_rules::rules(&config.guard().rules_in_force());
    Ok(with_files(rules.map_err(|error| Problem::new(error.to_string()))?))
}

/// `bartizan rules list`.
pub(crate) fn list(args: &ConfigArgs, format: ListFormat) -> anyhow::Result<u8> {
    let config = config::load(args, &[])?.config;
    let (settings, rules) = (config.guard().rules_in_force(), of(&config)?);
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
