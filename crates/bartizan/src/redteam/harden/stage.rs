//! Writing an accepted change: into the candidate beside the policy in force, with its version and its cases.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws_lc_rs::digest::{SHA256, digest};
use bartizan_core::Source;
use bartizan_redteam::harden::{AGENT_POLICY, Change, Proof, Proposal};
use bartizan_rules::Topic;
use bartizan_sign::hex;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, value};

use crate::config::{DEFAULT_FILE, Loaded};
use crate::problem::Problem;

/// Where versions and cases are kept, beside the configuration.
const KEPT: &str = "harden";
/// Cases of accepted changes.
pub(super) const CASES: &str = "cases.jsonl";
/// One line for each accepted change, each with the digest of the line before.
const VERSIONS: &str = "versions.jsonl";
/// The candidate, where the configuration names none.
const CANDIDATE: &str = "candidate.toml";

/// The folder of versions and cases.
pub(super) fn kept(loaded: &Loaded) -> PathBuf {
    beside(loaded.file.as_deref()).join(KEPT)
}

fn beside(config: Option<&Path>) -> PathBuf {
    config.and_then(Path::parent).filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// A change that was written, and what was there before.
pub(super) struct Staged {
    pub(super) config: PathBuf,
    pub(super) candidate: PathBuf,
    folder: PathBuf,
    before: Vec<(PathBuf, Option<Vec<u8>>)>,
}

impl Staged {
    /// Writes a change into the candidate, and names the candidate in the configuration where it does not yet.
    pub(super) fn write(loaded: &Loaded, change: &Change) -> anyhow::Result<Self> {
        let config = loaded.file.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let named = loaded.config.candidate.file.clone();
        if named.is_none() && !loaded.config.candidate.is_empty() {
            let help = "move its tables to a file of their own and name it: `candidate.file = \"candidate.toml\"`";
            return Err(Problem::new(format!("the candidate stands in `{}` itself", config.display()))
                .help(help)
                .into());
        }
        let folder = beside(loaded.file.as_deref());
        let candidate = named.clone().unwrap_or_else(|| folder.join(CANDIDATE));
        if named.is_none() && candidate.exists() {
            let help = format!("name it as `candidate.file` in `{}`, or move it away", config.display());
            return Err(Problem::new(format!("`{}` is there and not in use", candidate.display())).help(help).into());
        }
        let mut staged = Self { config, candidate, folder, before: Vec::new() };
        let written = staged.edit(loaded, change, named.is_none());
        if written.is_err() {
            staged.undo();
        }
        written.map(|()| staged)
    }

    fn edit(&mut self, loaded: &Loaded, change: &Change, unnamed: bool) -> anyhow::Result<()> {
        let mut main = document(&self.config)?;
        let mut candidate = document(&self.candidate)?;
        match change {
            Change::Topic(topic) => add_topic(whole(&mut candidate, &main, "rules")?, topic)?,
            Change::Threshold { source, block } => {
                set_block(whole(&mut candidate, &main, "policy")?, *source, *block, loaded)?;
            }
            Change::Call { tool, need } => {
                let policy = whole(&mut candidate, &main, "policy")?;
                let agents = table(policy, "agents")?;
                let from = agents.get("policy").and_then(Item::as_str).map(PathBuf::from);
                let to = self.folder.join(AGENT_POLICY);
                agents.insert("policy", value(to.display().to_string()));
                let mut calls = from.as_deref().map_or_else(|| Ok(DocumentMut::new()), document)?;
                table(calls.as_table_mut(), "calls")?.insert(tool, value(need.as_str()));
                self.put(&to, &calls.to_string())?;
            }
        }
        let (path, text) = (self.candidate.clone(), candidate.to_string());
        self.put(&path, &text)?;
        if unnamed {
            let file = value(self.candidate.display().to_string());
            table(main.as_table_mut(), "candidate")?.insert("file", file);
            let (path, text) = (self.config.clone(), main.to_string());
            self.put(&path, &text)?;
        }
        Ok(())
    }

    /// Writes a file whole or not at all, and remembers what was in it.
    fn put(&mut self, path: &Path, text: &str) -> anyhow::Result<()> {
        let failed = || format!("cannot write `{}`", path.display());
        let before = std::fs::read(path).ok();
        let mut aside = path.as_os_str().to_owned();
        aside.push(".new");
        std::fs::write(&aside, text).with_context(failed)?;
        if before.is_some() {
            let permissions = std::fs::metadata(path).with_context(failed)?.permissions();
            std::fs::set_permissions(&aside, permissions).with_context(failed)?;
        }
        std::fs::rename(&aside, path).with_context(failed)?;
        self.before.push((path.to_owned(), before));
        Ok(())
    }

    /// Puts everything back.
    pub(super) fn undo(&self) {
        for (path, before) in self.before.iter().rev() {
            // What cannot be put back is said by the error that led here.
            let _ = match before {
                Some(bytes) => std::fs::write(path, bytes),
                None => std::fs::remove_file(path),
            };
        }
    }

    /// Where cases are kept.
    pub(super) fn cases(&self) -> PathBuf {
        self.folder.join(KEPT).join(CASES)
    }

    /// Keeps a copy of the candidate, a line that says what it is, and the cases. Returns the number of the version.
    pub(super) fn keep(&self, proposal: &Proposal, proof: &Proof) -> anyhow::Result<u64> {
        let folder = self.folder.join(KEPT);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        let path = folder.join(VERSIONS);
        let earlier = std::fs::read_to_string(&path).unwrap_or_default();
        let version = earlier.lines().count() as u64 + 1;
        let text =
            std::fs::read(&self.candidate).with_context(|| format!("cannot read `{}`", self.candidate.display()))?;
        std::fs::write(folder.join(format!("candidate.v{version}.toml")), &text)
            .with_context(|| format!("cannot write to `{}`", folder.display()))?;
        let sha256 = |bytes: &[u8]| hex(digest(&SHA256, bytes).as_ref());
        let line = serde_json::json!({
            "version": version,
            "time": format!("{:.3}", jiff::Timestamp::now()),
            "id": proposal.id,
            "change": proposal.change,
            "candidate_sha256": sha256(&text),
            "previous": earlier.lines().next_back().map(|l| sha256(l.as_bytes())),
            "effect": proof.effect,
            "held_out": proof.held_out,
        });
        append(&path, &format!("{line}\n"))?;
        let mut cases = String::new();
        for case in &proof.cases {
            let _ = writeln!(cases, "{}", serde_json::to_string(case)?);
        }
        append(&self.cases(), &cases)?;
        Ok(version)
    }
}

fn append(path: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    // Cases hold what attacks said, and perhaps what a target answered.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).with_context(failed)
}

/// A TOML file; empty where there is none.
fn document(path: &Path) -> anyhow::Result<DocumentMut> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Problem::new(format!("cannot read `{}`: {error}", path.display())).into()),
    };
    Ok(text.parse().map_err(|e| Problem::new(format!("`{}` is no TOML: {e}", path.display())))?)
}

/// A section of the candidate. Its lists take the place of those in force, so it begins as a copy of what is in force.
fn whole<'a>(candidate: &'a mut DocumentMut, main: &DocumentMut, key: &str) -> anyhow::Result<&'a mut Table> {
    if !candidate.contains_key(key)
        && let Some(item) = main.get(key)
    {
        candidate.insert(key, item.clone());
    }
    table(candidate.as_table_mut(), key)
}

/// A table in a table, made where there is none; an inline one becomes an ordinary one.
fn table<'a>(parent: &'a mut Table, key: &str) -> anyhow::Result<&'a mut Table> {
    let item = parent.entry(key).or_insert_with(|| Item::Table(Table::new()));
    if let Some(inline) = item.as_inline_table() {
        *item = Item::Table(inline.clone().into_table());
    }
    item.as_table_mut().with_context(|| format!("`{key}` is no table"))
}

fn add_topic(rules: &mut Table, topic: &Topic) -> anyhow::Result<()> {
    let mut row = Table::new();
    row.insert("name", value(topic.name.as_str()));
    row.insert("words", value(topic.words.iter().map(String::as_str).collect::<Array>()));
    if topic.count > 1 {
        row.insert("count", value(i64::try_from(topic.count)?));
    }
    if let Some(within) = topic.within {
        row.insert("within", value(i64::try_from(within)?));
    }
    row.insert("severity", value(topic.severity.to_string()));
    match rules.entry("topic").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new())) {
        Item::ArrayOfTables(rows) => rows.push(row),
        item => {
            let rows = item.as_array_mut().context("`rules.topic` is no list")?;
            rows.push(row.into_inline_table());
        }
    }
    Ok(())
}

fn set_block(policy: &mut Table, source: Source, block: f32, loaded: &Loaded) -> anyhow::Result<()> {
    let injection = table(policy, "injection")?;
    let key = source.to_string();
    let levels = injection.entry(&key).or_insert_with(|| value(InlineTable::new()));
    let levels = levels.as_table_like_mut().with_context(|| format!("`policy.injection.{key}` is no table"))?;
    // As it is written in decimals: the shortest that is the same number.
    let number = |x: f32| -> anyhow::Result<Item> { Ok(value(x.to_string().parse::<f64>()?)) };
    levels.insert("block", number(block)?);
    let flag = loaded.config.policy.injection.of(source).map_or(block, |(flag, _)| flag);
    if flag > block {
        levels.insert("flag", number(block)?);
    }
    Ok(())
}
