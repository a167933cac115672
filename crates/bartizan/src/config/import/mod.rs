//! `bartizan config import`: the configuration of another guard as a `bartizan.toml`.
//!
//! Nothing is dropped in silence: a key that has no equal here, or means something else, ends the import with its line
//! unless `--skip` names it.

mod litellm;
mod llm_guard;
mod yaml;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bartizan_core::Verdict;
use bartizan_gateway::SecretRef;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::Config;
use crate::problem::Problem;
use crate::terminal;
use crate::{BROKEN, DONE};
use yaml::{Node, Tree};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportKind {
    /// LiteLLM's config.yaml.
    Litellm,
    /// LLM Guard's scanners.yml.
    LlmGuard,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Whose configuration it is.
    #[arg(value_enum)]
    pub(crate) kind: ImportKind,
    /// File to read.
    pub(crate) file: PathBuf,
    /// Where to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite a file that is there.
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// Leave this key behind, and all below it, such as `router_settings`
    #[arg(long, value_name = "KEY")]
    pub(crate) skip: Vec<String>,
}

/// A key that cannot be carried over.
#[derive(Debug, PartialEq, Eq)]
struct Unmet {
    path: String,
    line: u64,
    why: String,
}

/// What has been read so far.
struct Import<'a> {
    skip: &'a [String],
    unmet: Vec<Unmet>,
    /// The configuration, as JSON: lists of tables by section.
    out: Map<String, Value>,
    /// Comments at its head.
    notes: Vec<String>,
}

impl<'a> Import<'a> {
    fn new(skip: &'a [String]) -> Self {
        Self { skip, unmet: Vec::new(), out: Map::new(), notes: Vec::new() }
    }

    /// Notes what cannot be carried over.
    fn unmet(&mut self, path: &str, line: u64, why: &str) {
        let named = |key: &String| path == key || path.strip_prefix(key.as_str()).is_some_and(|r| r.starts_with('.'));
        if !self.skip.iter().any(named) {
            self.unmet.push(Unmet { path: path.to_owned(), line, why: why.to_owned() });
        }
    }

    /// The members of a mapping, each with its path. Anything else than a mapping cannot be read.
    fn members<'n>(&mut self, path: &str, node: &'n Node) -> Vec<(String, &'n str, &'n Node)> {
        match &node.tree {
            Tree::Map(members) => members.iter().map(|(key, value)| (below(path, key), key.as_str(), value)).collect(),
            Tree::Null => Vec::new(),
            _ => {
                self.unmet(path, node.line, "is no mapping");
                Vec::new()
            }
        }
    }

    /// The elements of a list.
    fn elements<'n>(&mut self, path: &str, node: &'n Node) -> &'n [Node] {
        match &node.tree {
            Tree::List(items) => items,
            Tree::Null => &[],
            _ => {
                self.unmet(path, node.line, "is no list");
                &[]
            }
        }
    }

    /// A string.
    fn text<'n>(&mut self, path: &str, node: &'n Node) -> Option<&'n str> {
        match &node.tree {
            Tree::Text(text) => Some(text),
            _ => {
                self.unmet(path, node.line, "is no text");
                None
            }
        }
    }

    /// Puts an entry into a list of tables.
    fn push(&mut self, list: &str, entry: Value) {
        if let Value::Array(entries) = self.out.entry(list).or_insert_with(|| json!([])) {
            entries.push(entry);
        }
    }

    /// Puts a row into the policy, before those that are there already where `first`.
    fn row(&mut self, rule: &str, from: &[&str], verdict: Verdict) {
        let policy = self.out.entry("policy").or_insert_with(|| json!({"rows": []}));
        if let Some(rows) = policy.get_mut("rows").and_then(Value::as_array_mut) {
            let row = json!({"rule": rule, "from": from, "verdict": verdict});
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The rule for an entity by Presidio's name.
fn entity_rule(entity: &str) -> Option<&'static str> {
    Some(match entity {
        "EMAIL_ADDRESS" => "pii/email",
        "CREDIT_CARD" => "pii/credit-card",
        "IBAN_CODE" => "pii/iban",
        "PHONE_NUMBER" => "pii/phone",
        "US_SSN" => "pii/us-ssn",
        "PERSON" => "pii/person",
        "ORGANIZATION" => "pii/organization",
        "LOCATION" => "pii/location",
        "DATE_TIME" => "pii/date",
        "NRP" => "pii/nationality",
        "IP_ADDRESS" => "pii/network-address",
        "MAC_ADDRESS" => "pii/network-address",
        "URL" => "pii/url",
        "CRYPTO" => "pii/crypto-address",
        "MEDICAL_LICENSE" | "UK_NHS" | "AU_MEDICARE" => "pii/health-id",
        "US_PASSPORT" | "IN_PASSPORT" => "pii/passport",
        "US_DRIVER_LICENSE" | "IT_DRIVER_LICENSE" => "pii/driving-licence",
        "US_BANK_NUMBER" => "pii/bank-id",
        "US_ITIN"
        | "UK_NINO"
        | "ES_NIF"
        | "ES_NIE"
        | "PL_PESEL"
        | "IN_AADHAAR"
        | "SG_NRIC_FIN"
        | "FI_PERSONAL_IDENTITY_CODE" => "pii/national-id",
        "IT_FISCAL_CODE" | "IT_VAT_CODE" | "AU_ABN" | "AU_ACN" | "AU_TFN" | "IN_PAN" => "pii/tax-id",
        _ => return None,
    })
}

/// `bartizan config import`.
pub(crate) fn run(args: &ImportArgs) -> anyhow::Result<u8> {
    let file = &args.file;
    let text =
        std::fs::read_to_string(file).map_err(|e| Problem::new(format!("cannot read `{}`: {e}", file.display())))?;
    let root = yaml::read(&text).map_err(|(line, why)| {
        Problem::new(format!("`{}` cannot be read as YAML: {why} (line {line})", file.display()))
    })?;
    let mut import = Import::new(&args.skip);
    match args.kind {
        ImportKind::Litellm => litellm::read(&mut import, &root),
        ImportKind::LlmGuard => llm_guard::read(&mut import, &root),
    }
    if !import.unmet.is_empty() {
        tell(file, import.unmet)?;
        return Ok(BROKEN);
    }
    let written = render(&import, file)?;
    match &args.output {
        None => std::io::stdout().lock().write_all(written.as_bytes())?,
        Some(output) => save(output, &written, args.force)?,
    }
    Ok(DONE)
}

fn tell(file: &Path, mut unmet: Vec<Unmet>) -> std::io::Result<()> {
    unmet.sort_by_key(|key| key.line);
    let mut out = std::io::stderr().lock();
    let keys = if unmet.len() == 1 { "a key" } else { "keys" };
    writeln!(out, "error: `{}` sets {keys} that cannot be carried over", file.display())?;
    for Unmet { path, line, why } in unmet {
        writeln!(out, "  line {line}: `{}`: {why}", terminal::line(&path))?;
    }
    writeln!(out, "help: take the key out, or leave it behind knowingly with `--skip KEY` (repeatable)")
}

/// The configuration as TOML. It is read back as `config check` reads it, so that what is written can be used.
fn render(import: &Import<'_>, file: &Path) -> anyhow::Result<String> {
    let mut text = format!("# Imported from {}.\n", terminal::line(&file.display().to_string()));
    let skipped = import.skip.iter().map(|key| format!("Left behind: {}", terminal::line(key)));
    for note in import.notes.iter().cloned().chain(skipped) {
        text += &format!("# {note}\n");
    }
    let body = toml::to_string(&import.out)?;
    if !body.is_empty() {
        text += "\n";
        text += &body;
    }
    let config: Config = toml::from_str(&text)?;
    bartizan_guard::Guard::new(&config.guard()).map_err(|e| Problem::new(format!("the import cannot be used: {e}")))?;
    Ok(text)
}

fn save(output: &PathBuf, text: &str, force: bool) -> anyhow::Result<()> {
    let opened = if force { File::create(output) } else { File::create_new(output) };
    let name = output.display();
    let mut file = opened.map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Problem::new(format!("`{name}` is there already")).help("--force overwrites it; another name keeps both")
        }
        _ => Problem::new(format!("cannot write `{name}`: {e}")),
    })?;
    file.write_all(text.as_bytes())?;
    writeln!(std::io::stdout().lock(), "wrote `{name}`; next: bartizan config check --config {name}")?;
    Ok(())
}

/// `env:NAME` for a variable's name that a shell could have.
fn variable(name: &str) -> Option<String> {
    let plain = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain.then(|| String::from(SecretRef::Env(name.to_owned())))
}
