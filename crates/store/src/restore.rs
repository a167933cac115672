//! Putting a copy in the place of a store.
//!
//! Going back must not undo what was done to protect somebody. Where the store that is replaced can be read, keys that
//! were taken back or given a new secret since, things cut off, and content erased since stay so.

use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::backup::{
    BackupError, Manifest, Part, at, copied, create_folder, database, read_backup, sinks_of, sinks_path, sync_folder,
    walked,
};
use crate::schema::number;
use crate::sqlite::{base, beside, lock};

/// What the names of files end with until they are checked.
const STAGED: &str = ".restore";

/// What is kept of the store that was there: statements on the copy, with that one as `old`, and the schema since which
/// it has what they read. Each stands for itself: one that fails takes nothing from the others.
///
/// A new secret is kept where both hash keys with the same key; that a key was taken back, everywhere. The revision
/// tells whether there ever were keys, and a gateway without any asks nobody for one.
const KEEP_ACCESS: &[(usize, &str)] = &[
    (
        1,
        "UPDATE keys SET revoked = COALESCE(keys.revoked, (SELECT o.revoked FROM old.keys AS o WHERE o.id = keys.id))",
    ),
    (
        1,
        "UPDATE installation SET revision = MAX(revision, (SELECT revision FROM old.installation))
             + ((SELECT revision FROM old.installation) > 0)",
    ),
    (
        1,
        "UPDATE keys SET (hash, previous, previous_until, expires) =
             (SELECT o.hash, o.previous, o.previous_until, o.expires FROM old.keys AS o WHERE o.id = keys.id)
         WHERE id IN (SELECT id FROM old.keys)
           AND (SELECT hash_key FROM installation) = (SELECT hash_key FROM old.installation)",
    ),
    (
        2,
        "INSERT OR IGNORE INTO containments (id, tenant, target, name, reason, actor, since, until, released)
             SELECT id, tenant, target, name, reason, actor, since, until, released
             FROM old.containments WHERE released = 0;
         UPDATE installation SET contain_revision = MAX(contain_revision, (SELECT contain_revision FROM old.installation))
             + ((SELECT contain_revision FROM old.installation) > 0)",
    ),
];
const KEEP_EVIDENCE: &[(usize, &str)] = &[(
    2,
    "UPDATE keys SET wrapped = x'', destroyed = (SELECT o.destroyed FROM old.keys AS o WHERE o.id = keys.id)
     WHERE destroyed = '' AND id IN (SELECT id FROM old.keys WHERE destroyed <> '');
     DELETE FROM sealed WHERE key IN (SELECT id FROM keys WHERE destroyed <> '')",
)];
/// Calls that were approved when the copy was made may have been used or denied since: people are asked again.
const ASK_AGAIN: &str = "DELETE FROM approvals";

/// What became of a restore.
#[derive(Debug)]
pub struct Restored {
    /// The copy that is now the store.
    pub manifest: Manifest,
    /// Where the files of the store before are now.
    pub before: Vec<PathBuf>,
    /// Why what was taken back, cut off or erased since may be back; `None` where it stays so.
    pub not_kept: Option<String>,
}

/// Puts a copy in the place of a store that nobody uses. With `aside`, what the copy replaces of a store that is there
/// is moved to names with that ending; without, it is left alone and an error. Client keys and containments stay as
/// they are where the copy has none. Needs a tokio runtime.
///
/// # Errors
/// [`BackupError`]: the copy is damaged, newer than this program or broken; the store is in use or there. The store is
/// then as it was: until all of the copy is checked nothing of it is touched, and what was moved is moved back.
pub async fn restore(folder: &Path, store: &Path, aside: Option<&str>) -> Result<Restored, BackupError> {
    let manifest = read_backup(folder)?;
    let lock = lock(store)?;
    let parts: Vec<Part> = Part::ALL.into_iter().filter(|part| manifest.files.contains_key(&part.file())).collect();
    if let (Some((path, log)), None) = (replaced(store, &parts).first(), aside) {
        return Err(BackupError::Exists { path: beside(path, log) });
    }
    let placed = async {
        stage_sinks(folder, store, &manifest)?;
        let not_kept = stage(folder, store, &manifest, &parts).await?;
        Ok::<_, BackupError>((swap(store, &parts, aside)?, not_kept))
    };
    let placed = placed.await;
    drop(lock);
    match placed {
        Ok((before, not_kept)) => Ok(Restored { manifest, before, not_kept }),
        Err(error) => {
            // What failed is the error to tell.
            for part in &parts {
                let _ = std::fs::remove_file(staging(*part, store));
            }
            let _ = std::fs::remove_dir_all(staged_sinks(store));
            Err(error)
        }
    }
}

fn staging(part: Part, store: &Path) -> PathBuf {
    beside(&part.path(store), STAGED)
}

fn staged_sinks(store: &Path) -> PathBuf {
    beside(&sinks_path(store), STAGED)
}

/// The files that make room, in the order in which they do: names, and what comes after them. The evidence goes first:
/// without it nothing takes the rest for a store. With it go pseudonyms, whose keys are in it, and how far sinks came.
fn replaced(store: &Path, parts: &[Part]) -> Vec<(PathBuf, &'static str)> {
    let parts = Part::ALL.into_iter().rev().filter(|part| parts.contains(part) || *part == Part::Vault);
    // The log of a database is a part of it, and must never meet another database.
    let files = parts.map(|part| part.path(store)).flat_map(|path| ["-wal", "-shm", ""].map(|log| (path.clone(), log)));
    let files = files.chain([(sinks_path(store), "")]);
    files.filter(|(path, log)| beside(path, log).symlink_metadata().is_ok()).collect()
}

/// Copies the parts beside the store and checks them there.
async fn stage(
    folder: &Path,
    store: &Path,
    manifest: &Manifest,
    parts: &[Part],
) -> Result<Option<String>, BackupError> {
    let mut not_kept = None;
    for part in parts {
        let (path, old) = (staging(*part, store), part.path(store));
        let Some(said) = manifest.files.get(&part.file()) else { continue };
        copied(&folder.join(part.file()), &path, said)?;
        let mut connection = SqliteConnection::connect_with(&base(&path).pragma("secure_delete", "ON"))
            .await
            .map_err(database(&path))?;
        part.check(&mut connection, &path, said).await?;
        if old.exists() {
            part.schema().upgrade(&mut connection, &path).await?;
            if *part == Part::Access {
                sqlx::raw_sql(ASK_AGAIN).execute(&mut connection).await.map_err(database(&path))?;
            }
            if let Err(why) = keep(*part, &mut connection, &old).await {
                not_kept = Some(why);
            }
        }
        connection.close().await.map_err(database(&path))?;
    }
    let chain = walked(&staging(Part::Evidence, store)).await?;
    chain.compare(manifest)?;
    match chain.broken {
        Some(broken) => Err(BackupError::Damaged(broken)),
        None => Ok(not_kept),
    }
}

/// Copies how far sinks came into a folder beside the store.
fn stage_sinks(folder: &Path, store: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let staged = staged_sinks(store);
    if staged.symlink_metadata().is_ok() {
        std::fs::remove_dir_all(&staged).map_err(at(&staged))?;
    }
    let mut made = false;
    for (name, to) in sinks_of(manifest) {
        let Some(said) = manifest.files.get(name) else { continue };
        if !std::mem::replace(&mut made, true) {
            create_folder(&staged)?;
        }
        copied(&folder.join(name), &staged.join(to), said)?;
    }
    if made { sync_folder(&staged) } else { Ok(()) }
}

/// Carries over from the store that is replaced what must not be undone: as much of it as can be.
async fn keep(part: Part, copy: &mut SqliteConnection, old: &Path) -> Result<(), String> {
    let steps = match part {
        Part::Access => KEEP_ACCESS,
        Part::Evidence => KEEP_EVIDENCE,
        // Its keys are in the evidence.
        Part::Vault => return Ok(()),
    };
    let failed = |e: sqlx::Error| format!("`{}`: {e}", old.display());
    let old_name = old.canonicalize().map_err(|e| e.to_string())?;
    let old_name = old_name.to_str().ok_or("its path is not UTF-8")?;
    sqlx::query("ATTACH DATABASE ? AS old").bind(old_name).execute(&mut *copy).await.map_err(failed)?;
    let version = number(copy, "PRAGMA old.user_version").await.map_err(failed);
    let kept = match version.map(|version| usize::try_from(version).unwrap_or(0)) {
        Err(why) => Err(why),
        Ok(0) => Err(format!("`{}`: it is no part of a store", old.display())),
        Ok(version) => {
            let mut kept = Ok(());
            for (_, sql) in steps.iter().filter(|(since, _)| version >= *since) {
                if let Err(error) = step(copy, sql).await {
                    kept = kept.and(Err(failed(error)));
                }
            }
            kept
        }
    };
    sqlx::raw_sql("DETACH DATABASE old").execute(&mut *copy).await.map_err(failed)?;
    sqlx::raw_sql("VACUUM").execute(&mut *copy).await.map_err(failed)?;
    kept
}

async fn step(copy: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    let mut transaction = copy.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql(sql).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// Moves the old files aside and the checked ones into their place; everything, or nothing.
fn swap(store: &Path, parts: &[Part], aside: Option<&str>) -> Result<Vec<PathBuf>, BackupError> {
    let (mut moves, mut before) = (Vec::new(), Vec::new());
    // Reading a store may have taken its log in.
    for (path, log) in &replaced(store, parts) {
        let Some(aside) = aside else { continue };
        let away = beside(&beside(path, aside), log);
        if log.is_empty() {
            before.push(away.clone());
        }
        moves.push((beside(path, log), away));
    }
    if staged_sinks(store).exists() {
        moves.push((staged_sinks(store), sinks_path(store)));
    }
    moves.extend(parts.iter().map(|part| (staging(*part, store), part.path(store))));
    let mut done = Vec::new();
    for (from, to) in &moves {
        // A name that is taken would be written over without a word.
        let moved = match to.symlink_metadata() {
            Ok(_) => Err(BackupError::Exists { path: to.clone() }),
            Err(_) => std::fs::rename(from, to).map_err(at(from)),
        };
        if let Err(error) = moved {
            for (from, to) in done.into_iter().rev() {
                // What failed first is the error to tell; the rest goes back as far as it can.
                let _: std::io::Result<()> = std::fs::rename(to, from);
            }
            return Err(error);
        }
        done.push((from, to));
    }
    let parent = store.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_folder(parent)?;
    Ok(before)
}
