//! `bartizan attest`: one step that makes a model, with what went in and what came out.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use bartizan_scan::tree::{self, Selection};
use bartizan_sign::{MaterialKind, Resource, Step, hex};
use jiff::Timestamp;
use serde::Deserialize;

use super::args::{AttestArgs, Material, What};
use super::keys::{self, Signing};
use super::{corpus, plain};
use crate::problem::Problem;
use crate::{BROKEN, DONE};

/// Longest record that is read, bytes.
const LONGEST: usize = 1 << 20;

/// What is known of a step that was run elsewhere.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    command: Vec<String>,
    /// RFC 3339, as is the other.
    started: String,
    finished: String,
    exit_code: i32,
}

/// Runs a step, or reads its record, and signs a statement about it.
pub(crate) fn attest(args: &AttestArgs) -> anyhow::Result<u8> {
    // What can fail does so before hours of training.
    let signing = Signing::read(&args.key)?;
    let mut materials = Vec::new();
    for material in args.material.iter().chain(&args.container) {
        materials.push(taken(material, args.container.as_ref())?);
    }
    materials.extend(revision());
    let invocation = uuid::Uuid::now_v7().to_string();
    let (record, recorded) = match &args.record {
        Some(path) => (read(path)?, true),
        None => (run(&args.command)?, false),
    };
    let mut outputs = Vec::new();
    if record.exit_code == 0 {
        for path in &args.output {
            outputs.extend(made(path)?);
        }
    }
    let step = Step {
        kind: args.step,
        command: record.command,
        outputs,
        materials,
        builder: args.builder.clone(),
        invocation,
        started: record.started,
        finished: record.finished,
        exit: Some(record.exit_code),
        recorded,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    if step.exit != Some(0) {
        let title = format!("the step ended with exit code {}; nothing is signed", record.exit_code);
        return Err(Problem::new(title).help("a statement is about a step that ended well").into());
    }
    keys::write(&args.statement, &signing.sign(&step.statement())?)?;
    let mut err = std::io::stderr();
    writeln!(
        err,
        "signed {} of {} from {} with {}\nwrote {}",
        args.step.as_str(),
        count(step.outputs.len(), "output"),
        count(step.materials.len(), "material"),
        signing.hint(),
        args.statement.display()
    )?;
    Ok(DONE)
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Runs a command with our own input and output, and without a shell.
fn run(command: &[String]) -> anyhow::Result<Record> {
    let (program, arguments) = command.split_first().context("there is no command")?;
    let started = Timestamp::now().to_string();
    let status = Command::new(program).args(arguments).stdin(Stdio::inherit()).status().map_err(|error| {
        Problem::new(format!("cannot run `{program}`: {error}"))
            .help("the command follows `--` and is run without a shell")
    })?;
    // That of a shell for a signal cannot be told from an exit code; any number but zero will do.
    let exit_code = status.code().unwrap_or(i32::from(BROKEN));
    Ok(Record { command: command.to_vec(), started, finished: Timestamp::now().to_string(), exit_code })
}

fn read(path: &Path) -> anyhow::Result<Record> {
    let wrong = |why: String| {
        Problem::new(format!("`{}` is not the record of a step: {why}", path.display()))
            .help(r#"a record is {"command": [...], "started": TIME, "finished": TIME, "exit_code": 0}, times as in RFC 3339"#)
    };
    let record: Record =
        serde_json::from_slice(&keys::read(path, LONGEST)?).map_err(|error| wrong(error.to_string()))?;
    for time in [&record.started, &record.finished] {
        time.parse::<Timestamp>().map_err(|error| wrong(error.to_string()))?;
    }
    Ok(record)
}

fn taken(material: &Material, container: Option<&Material>) -> anyhow::Result<Resource> {
    let is_container = container.is_some_and(|c| std::ptr::eq(c, material));
    let kind = if is_container { MaterialKind::Container } else { material.kind };
    let resource = match &material.what {
        What::Corpus(manifest) => corpus::material(manifest)?,
        What::Path(path) => whole(path)?.0,
        What::Digest(digest) => Resource::sha256(format!("sha256:{digest}"), digest.as_str()),
    };
    Ok(kind.marks(resource))
}

/// A file or folder as one resource, and its files where it is a folder.
pub(super) fn whole(path: &Path) -> anyhow::Result<(Resource, Vec<Resource>)> {
    let selection = Selection::of_model(path);
    let tree = tree::list(path, &selection)?;
    let manifest = tree::manifest(&tree, &selection)?;
    let name = named(path);
    let files: Vec<Resource> =
        manifest.entries.iter().map(|e| Resource::sha256(e.path.as_str(), hex(&e.sha256))).collect();
    if files.is_empty() {
        return Err(Problem::new(format!("`{}` has no files", path.display()))
            .help("name what the step reads and writes")
            .into());
    }
    let files = if manifest.is_one_file() { Vec::new() } else { files };
    Ok((Resource::sha256(name, hex(&manifest.digest())), files))
}

/// The output as a whole, and each of its files below its name.
fn made(path: &Path) -> anyhow::Result<Vec<Resource>> {
    let (all, files) = whole(path)?;
    let parts = files.into_iter().map(|file| Resource { name: format!("{}/{}", all.name, file.name), ..file });
    let parts: Vec<_> = parts.collect();
    Ok(std::iter::once(all).chain(parts).collect())
}

/// As it was given, where that says nothing of the machine; else its last part.
fn named(path: &Path) -> String {
    let last = || path.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
    plain(path).or_else(last).unwrap_or_else(|| "model".to_owned())
}

/// The revision of the repository that the step runs in, where there is one.
fn revision() -> Option<Resource> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    let commit = String::from_utf8(git(&["rev-parse", "--verify", "HEAD"])?).ok()?.trim().to_owned();
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|out| !out.is_empty());
    let mut resource = Resource { name: "repository".to_owned(), ..Resource::default() };
    resource.digest.insert("gitCommit".to_owned(), commit);
    Some(MaterialKind::Code.marks(resource).annotated("changed", changed))
}
