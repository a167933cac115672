//! `bartizan backup` and `bartizan restore`: copies of the evidence store, and the way back from one.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bartizan_core::{Deed, EventStore as _, TenantId};
use bartizan_guard::{deed, now};
use bartizan_store::{Choices, Manifest, Part, SqliteStore, check_backup};
use clap::Args;

use crate::args::ConfigArgs;
use crate::config::{self, Config};
use crate::problem::Problem;
use crate::record::{actor, block_on, close, shared};
use crate::{DONE, FOUND, terminal};

pub(crate) const BACKUP_HELP: &str = "\
The copy is a folder: a SQLite file for each part of the store, how far sinks came, and a manifest with their digests. It
is made while a gateway runs. It holds hashes of client keys, and the keys of recorded content as the master key wraps
them; the configuration, the master key and the key that signs checkpoints are not in it.

With --schema a part of the copy is brought back to the schema of an older program, which `bartizan doctor` prints.

Examples:
  bartizan backup /backup/2026-01-31
  bartizan backup /backup/for-the-version-before --schema access=2";

pub(crate) const RESTORE_HELP: &str = "\
The gateway has to be stopped. All of the copy is checked before the store is touched. What was taken back, cut off or
erased since stays so, or the exit code is 1; approvals have to be given again. Records since are not in the restored store; checkpoints that vouch for them will say so.

Examples:
  bartizan restore /backup/2026-01-31 --check
  bartizan restore /backup/2026-01-31 --replace";

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// New folder for the copy
    pub(crate) out: PathBuf,
    /// Leave out recorded content, pseudonyms, calls that wait for a person, and the wrapped keys
    #[arg(long)]
    pub(crate) without_content: bool,
    /// Older schema of a part of the copy
    #[arg(long, value_name = "PART=N")]
    pub(crate) schema: Vec<PartSchema>,
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Folder that `bartizan backup` made
    pub(crate) folder: PathBuf,
    /// Only check the copy
    #[arg(long, conflicts_with = "replace")]
    pub(crate) check: bool,
    /// Move a store that is there aside
    #[arg(long)]
    pub(crate) replace: bool,
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// A part of a store with a schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartSchema(Part, usize);

impl FromStr for PartSchema {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').and_then(|(part, schema)| {
            Some(Self(Part::ALL.into_iter().find(|p| p.as_str() == part)?, schema.parse().ok()?))
        });
        parts.ok_or_else(|| "give access=N, vault=N or evidence=N".to_owned())
    }
}

/// Where the store is.
fn place(named: Option<&PathBuf>, config: &Config) -> Result<PathBuf, Problem> {
    match (named, config.store.path.as_str()) {
        (Some(path), _) => Ok(path.clone()),
        (None, _) if config.store.url.is_some() => {
            Err(Problem::new("a store in Postgres is copied and restored by the means of the database")
                .help("pg_dump makes a copy; after pg_restore, `bartizan report verify` says whether the chain holds"))
        }
        (None, ":memory:") => Err(Problem::new("`store.path` is `:memory:`, so there is no store to copy or restore")
            .help("name a file there, or with `--store FILE`")),
        (None, path) => Ok(PathBuf::from(path)),
    }
}

/// `bartizan backup`.
pub(crate) fn backup(args: &BackupArgs) -> anyhow::Result<u8> {
    let config = config::load(&args.config, &[])?.config;
    block_on(copy(args, &config))
}

async fn copy(args: &BackupArgs, config: &Config) -> anyhow::Result<u8> {
    let path = place(args.store.as_ref(), config)?;
    if args.out.symlink_metadata().is_ok() {
        return Err(Problem::new(format!("`{}` is there already", args.out.display()))
            .help("name a new folder")
            .into());
    }
    let current = Part::Evidence.schema_of(&path).await? == Some(Part::Evidence.latest());
    if current {
        // The record of it comes first: what was not recorded is not copied.
        let store = shared(config, Some(&path)).await?;
        let act = deed(Deed::BackedUp, &TenantId::sole(), &actor())
            .about(&args.out.display().to_string())
            .with("content", if args.without_content { "left out" } else { "sealed" });
        store.act(act).await?;
        close(store).await;
    }
    let choices = Choices {
        content: !args.without_content,
        schema: args.schema.iter().map(|one| (one.0, one.1)).collect::<BTreeMap<_, _>>(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        time: now(),
    };
    let manifest = bartizan_store::backup(&path, &args.out, &choices).await?;
    let mut out = std::io::stdout().lock();
    describe(&mut out, &args.out, &manifest)?;
    if !current {
        // Writing a record would bring the store to the schema of this program.
        writeln!(out, "the store is of an older schema and was left as it is: that it was copied is not on record")?;
    }
    Ok(if manifest.broken.is_some() { FOUND } else { DONE })
}

fn describe(out: &mut impl Write, folder: &Path, manifest: &Manifest) -> std::io::Result<()> {
    let Manifest { chain_id, records, head, time, .. } = manifest;
    let [folder, chain_id, time, head] =
        [&folder.display().to_string(), chain_id, time, head].map(|text| terminal::line(text));
    writeln!(out, "`{folder}`: {records} records of chain {chain_id}, copied at {time}")?;
    for (name, file) in &manifest.files {
        let schema = file.schema.map_or_else(String::new, |schema| format!("  schema {schema}"));
        writeln!(out, "  {:>12} bytes  {}{schema}", file.bytes, terminal::line(name))?;
    }
    if let Some(last) = records.checked_sub(1) {
        writeln!(out, "last record {last}:{head}")?;
    }
    if !manifest.content {
        writeln!(out, "recorded content, pseudonyms and their keys were left out")?;
    }
    match &manifest.broken {
        Some(broken) => writeln!(out, "{}: this copy cannot be restored", terminal::line(broken)),
        None => Ok(()),
    }
}

/// `bartizan restore`.
pub(crate) fn restore(args: &RestoreArgs) -> anyhow::Result<u8> {
    if args.check {
        let manifest = block_on(async { Ok(check_backup(&args.folder).await?) })?;
        describe(&mut std::io::stdout().lock(), &args.folder, &manifest)?;
        return Ok(if manifest.broken.is_some() { FOUND } else { DONE });
    }
    let config = config::load(&args.config, &[])?.config;
    block_on(put_back(args, &config))
}

async fn put_back(args: &RestoreArgs, config: &Config) -> anyhow::Result<u8> {
    let path = place(args.store.as_ref(), config)?;
    let aside = format!(".before-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
    let restored = bartizan_store::restore(&args.folder, &path, args.replace.then_some(aside.as_str()));
    let restored = restored.await.map_err(|error| match error {
        bartizan_store::BackupError::Exists { .. } => anyhow::Error::new(
            Problem::new(error.to_string())
                .help("`--replace` moves it aside; `--store FILE` restores to another place"),
        ),
        other => other.into(),
    })?;
    let manifest = &restored.manifest;
    let store = SqliteStore::open(&path).await?;
    let act = deed(Deed::Restored, &TenantId::sole(), &actor())
        .about(&args.folder.display().to_string())
        .with("copied", &manifest.time)
        .with("records", manifest.records)
        .with("head", &manifest.head)
        .with("content", if manifest.content { "sealed" } else { "left out" });
    store.act(act).await?;
    store.close().await;
    let mut out = std::io::stdout().lock();
    describe(&mut out, &args.folder, manifest)?;
    writeln!(out, "restored to `{}`", terminal::line(&path.display().to_string()))?;
    for before in &restored.before {
        writeln!(out, "the one before is in `{}`", terminal::line(&before.display().to_string()))?;
    }
    if let Some(why) = &restored.not_kept {
        let why = terminal::line(why);
        writeln!(
            out,
            "not all of the store before could be read ({why}): keys taken back, things cut off and content erased since the copy may be back; look at `bartizan keys list` and `bartizan contain list`"
        )?;
        return Ok(FOUND);
    }
    Ok(DONE)
}
