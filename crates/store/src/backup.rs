//! Copies of a store while it is in use, and the way back from one.
//!
//! A copy is a folder: one SQLite file for each part, deliveries of sinks, and `manifest.json` with the digests of all. Each
//! part is copied in one read transaction, so it is the part at one moment. The evidence is copied last: what the
//! other parts refer to (keys that seal, records taken over) is in it then.
//!
//! A manifest shows damage, not forgery: who can write the copy can write the manifest. Whether records were changed
//! is shown by the chain and signed checkpoints, as for the store itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use bartizan_core::{ChainStore as _, StoreError};
use serde::{Deserialize, Serialize};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::chain::hex;
use crate::database::plain;
use crate::evidence::Evidence as _;
use crate::schema::{Schema, number};
use crate::sqlite::{OpenError, SqliteStore, base, beside};
use crate::{access, private, sqlite, vault};

/// Name of the manifest in a copy.
pub const MANIFEST: &str = "manifest.json";
/// The form of copies that is written and read.
const FORMAT: u32 = 1;
/// Longest manifest, and longest file of a sink, that is read, bytes.
const LONGEST: u64 = 1 << 20;
/// Most files of sinks.
const MOST_SINKS: usize = 256;
/// What the names of sinks' files begin with in a copy.
const SINK: &str = "sink-";

/// A file of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Client keys, usage, containments, approvals.
    Access,
    /// What pseudonyms stand for, sealed.
    Vault,
    /// The records, sealed content and wrapped keys.
    Evidence,
}

impl Part {
    /// All, in the order in which they are copied.
    pub const ALL: [Self; 3] = [Self::Access, Self::Vault, Self::Evidence];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Vault => "vault",
            Self::Evidence => "evidence",
        }
    }

    /// The schema that this program writes.
    #[must_use]
    pub fn latest(self) -> usize {
        self.schema().latest()
    }

    /// The schema of its file beside the evidence; `None` where there is none.
    ///
    /// # Errors
    /// [`OpenError`]: not a file of this kind, or newer than this program.
    pub async fn schema_of(self, evidence: &Path) -> Result<Option<usize>, OpenError> {
        let path = self.path(evidence);
        if !path.exists() {
            return Ok(None);
        }
        let failed = |e: sqlx::Error| OpenError::Database { path: path.clone(), reason: plain(&e) };
        let mut connection = SqliteConnection::connect_with(&base(&path).read_only(true)).await.map_err(failed)?;
        let version = self.schema().version(&mut connection, &path).await?;
        connection.close().await.map_err(failed)?;
        Ok(Some(version))
    }

    pub(crate) fn schema(self) -> &'static Schema {
        match self {
            Self::Access => &access::SCHEMA,
            Self::Vault => &vault::SCHEMA,
            Self::Evidence => &sqlite::SCHEMA,
        }
    }

    /// Its file beside the evidence.
    pub(crate) fn path(self, evidence: &Path) -> PathBuf {
        match self {
            Self::Access => access::access_path(evidence),
            Self::Vault => vault::vault_path(evidence),
            Self::Evidence => evidence.to_owned(),
        }
    }

    /// Its file in a copy.
    pub(crate) fn file(self) -> String {
        format!("{}.sqlite", self.as_str())
    }

    /// Whether a file of a copy is of the schema that was said, known here, and whole.
    ///
    /// # Errors
    /// [`BackupError`]: it is not.
    pub(crate) async fn check(
        self,
        connection: &mut SqliteConnection,
        path: &Path,
        said: &BackupFile,
    ) -> Result<(), BackupError> {
        let found = self.schema().version(connection, path).await?;
        if found == 0 || Some(found) != said.schema {
            return Err(BackupError::Damaged(format!("`{}` is of schema {found}", self.file())));
        }
        // They would act on every later write.
        let odd = "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')";
        if number(connection, odd).await.map_err(database(path))? != 0 {
            return Err(BackupError::Damaged(format!("`{}` holds triggers or views, which no store has", self.file())));
        }
        sound(connection, path).await
    }

    /// Tables with sealed content and the keys of it, also those that a way back keeps. Not every schema has all.
    const fn content(self) -> &'static [&'static str] {
        match self {
            Self::Access => &["approvals", "kept_approvals"],
            Self::Vault => &["pseudonyms"],
            Self::Evidence => &["sealed", "keys", "kept_sealed", "kept_keys"],
        }
    }
}

/// What is copied.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Also sealed content, pseudonyms, and the wrapped keys of both.
    pub content: bool,
    /// Older schemas that parts of the copy are brought to, for an older program.
    pub schema: BTreeMap<Part, usize>,
    /// Version of this program.
    pub program: String,
    /// Now, RFC 3339.
    pub time: String,
}

/// What a copy says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the copy.
    pub format: u32,
    /// Version of the program that made it.
    pub program: String,
    /// When, RFC 3339.
    pub time: String,
    /// The chain of records.
    pub chain_id: String,
    /// Number of records since it began.
    pub records: u64,
    /// Hash of the last one.
    pub head: String,
    /// Where the chain is broken, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Whether sealed content, pseudonyms and their wrapped keys are in it.
    pub content: bool,
    /// Its files by name.
    pub files: BTreeMap<String, BackupFile>,
}

/// A file of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupFile {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// Schema, for databases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<usize>,
}

/// Why a copy could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A database cannot be opened, or has the wrong schema.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something is where the copy or store should go.
    #[error("`{}` is there already", path.display())]
    Exists {
        /// What.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("cannot use `{}`: {source}", path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A copy that cannot be relied on.
    #[error("the backup cannot be used: {0}")]
    Damaged(String),
    /// The records cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

pub(crate) fn database(path: &Path) -> impl Fn(sqlx::Error) -> BackupError {
    let path = path.to_owned();
    move |e| OpenError::Database { path: path.clone(), reason: plain(&e) }.into()
}

/// Where sinks keep how far they came.
pub(crate) fn sinks_path(evidence: &Path) -> PathBuf {
    beside(evidence, ".sinks")
}

/// Copies a store into a new folder, also while a gateway writes to it. Needs a tokio runtime.
///
/// # Errors
/// [`BackupError`]; nothing is left behind then.
pub async fn backup(store: &Path, out: &Path, choices: &Choices) -> Result<Manifest, BackupError> {
    if out.symlink_metadata().is_ok() {
        return Err(BackupError::Exists { path: out.to_owned() });
    }
    // SQLite takes a name that begins with `file:` for a URI.
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = parent.canonicalize().map_err(at(parent))?;
    let name = out.file_name().ok_or_else(|| BackupError::Exists { path: out.to_owned() })?;
    let folder = beside(&parent.join(name), &format!(".part-{}", std::process::id()));
    create_folder(&folder)?;
    let filled = fill(store, &folder, choices).await;
    let moved = filled.and_then(|manifest| {
        std::fs::rename(&folder, out).map_err(at(out))?;
        sync_folder(&parent)?;
        Ok(manifest)
    });
    if moved.is_err() {
        // What failed is the error to tell.
        let _ = std::fs::remove_dir_all(&folder);
    }
    moved
}

async fn fill(store: &Path, folder: &Path, choices: &Choices) -> Result<Manifest, BackupError> {
    let mut files = BTreeMap::new();
    for (name, path) in sinks(&sinks_path(store))? {
        let to = folder.join(format!("{SINK}{name}"));
        copy_file(&path, &to)?;
        files.insert(format!("{SINK}{name}"), described(&to, None)?);
    }
    for part in Part::ALL.into_iter().filter(|part| choices.content || *part != Part::Vault) {
        let to = folder.join(part.file());
        if let Some(schema) = copy(part, &part.path(store), &to, choices).await? {
            files.insert(part.file(), described(&to, Some(schema))?);
        }
    }
    let chain = walked(&folder.join(Part::Evidence.file())).await?;
    let manifest = Manifest {
        format: FORMAT,
        program: choices.program.clone(),
        time: choices.time.clone(),
        chain_id: chain.id,
        records: chain.records,
        head: chain.head,
        broken: chain.broken,
        content: choices.content,
        files,
    };
    let path = folder.join(MANIFEST);
    let text = serde_json::to_string_pretty(&manifest).map_err(|e| BackupError::Damaged(e.to_string()))?;
    let mut file = create_file(&path)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at(&path))?;
    sync_folder(folder)?;
    Ok(manifest)
}

/// Copies one part and answers with its schema; `None` where the store has no such part.
async fn copy(part: Part, from: &Path, to: &Path, choices: &Choices) -> Result<Option<usize>, BackupError> {
    if part != Part::Evidence && !from.exists() {
        return Ok(None);
    }
    let failed = database(from);
    let mut source = SqliteConnection::connect_with(&base(from).read_only(true)).await.map_err(&failed)?;
    if part.schema().version(&mut source, from).await? == 0 {
        return Err(OpenError::Foreign { path: from.to_owned() }.into());
    }
    let name = to.to_str().ok_or_else(|| BackupError::Damaged("its path is not UTF-8".to_owned()))?;
    // SQLite takes an empty file, and leaves its mode.
    create_file(to)?;
    sqlx::query("VACUUM INTO ?").bind(name).execute(&mut source).await.map_err(&failed)?;
    source.close().await.map_err(&failed)?;

    let failed = database(to);
    let mut copy = SqliteConnection::connect_with(&base(to)).await.map_err(&failed)?;
    let mut schema = part.schema().version(&mut copy, to).await?;
    if !choices.content {
        for table in part.content() {
            let there = sqlx::query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").bind(*table);
            if there.fetch_optional(&mut copy).await.map_err(&failed)?.is_none() {
                continue;
            }
            let sql = format!("DELETE FROM {table}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut copy).await.map_err(&failed)?;
        }
        // Writes the file anew, so that nothing stays in free pages.
        sqlx::raw_sql("VACUUM").execute(&mut copy).await.map_err(&failed)?;
    }
    if let Some(older) = choices.schema.get(&part) {
        part.schema().downgrade(&mut copy, to, *older).await?;
        schema = *older;
    }
    sound(&mut copy, to).await?;
    copy.close().await.map_err(&failed)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(at(to))?;
    Ok(Some(schema))
}

/// Whether the pages of a database fit together.
async fn sound(connection: &mut SqliteConnection, path: &Path) -> Result<(), BackupError> {
    let said: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(connection).await.map_err(database(path))?;
    if said == "ok" { Ok(()) } else { Err(BackupError::Damaged(format!("`{}`: {said}", path.display()))) }
}

/// What a walk along the records of a file finds.
pub(crate) struct Chain {
    pub(crate) id: String,
    pub(crate) records: u64,
    pub(crate) head: String,
    pub(crate) broken: Option<String>,
}

impl Chain {
    /// # Errors
    /// It is not the one of the manifest.
    pub(crate) fn compare(&self, said: &Manifest) -> Result<(), BackupError> {
        if (&self.id, self.records, &self.head, &self.broken)
            == (&said.chain_id, said.records, &said.head, &said.broken)
        {
            return Ok(());
        }
        Err(BackupError::Damaged("its records are not those that the manifest says".to_owned()))
    }
}

pub(crate) async fn walked(path: &Path) -> Result<Chain, BackupError> {
    let store = SqliteStore::open_read_only(path).await?;
    let head = store.head().await?;
    let broken = match store.walk(&mut drop).await {
        Ok(_) => None,
        Err(broken @ StoreError::Broken { .. }) => Some(broken.to_string()),
        Err(error) => return Err(error.into()),
    };
    store.close().await;
    Ok(Chain { id: head.chain_id.clone(), records: head.next(), head: head.hash, broken })
}

/// Reads the manifest of a copy and compares every file with it. Databases are not opened.
///
/// # Errors
/// [`BackupError`]: not a copy, of another form, or damaged.
pub fn read_backup(folder: &Path) -> Result<Manifest, BackupError> {
    let damaged = |why: String| BackupError::Damaged(why);
    let path = folder.join(MANIFEST);
    let mut text = String::new();
    let file = File::open(&path).map_err(at(&path))?;
    file.take(LONGEST).read_to_string(&mut text).map_err(at(&path))?;
    let manifest: Manifest =
        serde_json::from_str(&text).map_err(|e| damaged(format!("`{MANIFEST}` is not one of this version: {e}")))?;
    if manifest.format != FORMAT {
        return Err(damaged(format!("it is of form {}, known is {FORMAT}", manifest.format)));
    }
    if !manifest.files.contains_key(&Part::Evidence.file()) {
        return Err(damaged("it has no evidence".to_owned()));
    }
    for (name, said) in &manifest.files {
        let known = Part::ALL.iter().any(|part| part.file() == *name)
            || name.strip_prefix(SINK).is_some_and(|name| is_plain(name) && manifest.files.len() <= MOST_SINKS);
        if !known {
            return Err(damaged(format!("`{name}` is no part of one")));
        }
        let path = folder.join(name);
        if !path.symlink_metadata().map_err(at(&path))?.is_file() {
            return Err(damaged(format!("`{name}` is not a plain file")));
        }
        if described(&path, said.schema)? != *said {
            return Err(damaged(format!("`{name}` is not what the manifest says: it was changed or cut off")));
        }
    }
    Ok(manifest)
}

/// The same, and looks into the databases: their pages, schemas, and the chain.
///
/// # Errors
/// As [`read_backup`], and where a database is not what the manifest says.
pub async fn check_backup(folder: &Path) -> Result<Manifest, BackupError> {
    let manifest = read_backup(folder)?;
    for part in Part::ALL {
        let Some(said) = manifest.files.get(&part.file()) else { continue };
        let path = folder.join(part.file());
        let mut connection =
            SqliteConnection::connect_with(&base(&path).read_only(true)).await.map_err(database(&path))?;
        part.check(&mut connection, &path, said).await?;
        connection.close().await.map_err(database(&path))?;
    }
    walked(&folder.join(Part::Evidence.file())).await?.compare(&manifest)?;
    Ok(manifest)
}

/// The files of sinks in a copy: name there, and name in the folder of sinks.
pub(crate) fn sinks_of(manifest: &Manifest) -> impl Iterator<Item = (&str, &str)> {
    manifest.files.keys().filter_map(|name| Some((name.as_str(), name.strip_prefix(SINK)?)))
}

/// The files of sinks in a folder.
fn sinks(folder: &Path) -> Result<Vec<(String, PathBuf)>, BackupError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(folder)(error)),
    };
    let mut files = Vec::new();
    for entry in entries.take(MOST_SINKS) {
        let entry = entry.map_err(at(folder))?;
        let is_small = entry.metadata().is_ok_and(|m| m.is_file() && m.len() <= LONGEST);
        if let (true, Some(name)) = (is_small, entry.file_name().to_str().filter(|name| is_plain(name))) {
            files.push((name.to_owned(), entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// A name of a file of a sink that leads nowhere else.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.ends_with(".json") && name.len() <= 200 && !name.starts_with('.') && name.chars().all(plain)
}

fn described(path: &Path, schema: Option<usize>) -> Result<BackupFile, BackupError> {
    let mut file = File::open(path).map_err(at(path))?;
    let (mut context, mut bytes) = (digest::Context::new(&digest::SHA256), 0_u64);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer).map_err(at(path))?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
        context.update(read);
        bytes += read.len() as u64;
    }
    Ok(BackupFile { bytes, sha256: hex(context.finish().as_ref()), schema })
}

/// The same bytes, as the manifest says them, in the place of what is there.
pub(crate) fn copied(from: &Path, to: &Path, said: &BackupFile) -> Result<(), BackupError> {
    if to.symlink_metadata().is_ok() {
        std::fs::remove_file(to).map_err(at(to))?;
    }
    copy_file(from, to)?;
    if described(to, said.schema)? != *said {
        return Err(BackupError::Damaged(format!("`{}` changed while it was read", from.display())));
    }
    File::open(to).and_then(|file| file.sync_all()).map_err(at(to))
}

/// Copies a file to a new one that is nobody else's to read, whatever the mode of the first.
fn copy_file(from: &Path, to: &Path) -> Result<(), BackupError> {
    let mut source = File::open(from).map_err(at(from))?;
    let mut copy = create_file(to)?;
    std::io::copy(&mut source, &mut copy).map(drop).map_err(at(from))
}

/// A new file that others on the machine cannot read.
fn create_file(path: &Path) -> Result<File, BackupError> {
    private::open(File::options().write(true).create_new(true), path).map_err(at(path))
}

pub(crate) fn create_folder(path: &Path) -> Result<(), BackupError> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(at(path))
}

pub(crate) fn sync_folder(path: &Path) -> Result<(), BackupError> {
    // Folders cannot be opened everywhere; where they cannot, there is nothing to sync either.
    match File::open(path) {
        Ok(folder) => folder.sync_all().map_err(at(path)),
        Err(_) => Ok(()),
    }
}
