//! Putting a copy in the place of a store.
//!
//! Going back must not undo what was done to protect somebody. Where the store that is replaced can be read, keys that
//! were taken back or given a new secret since, things cut off, and content erased since stay so.

use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::backup::{
    BackupError, Manifest, Part, at, copied, database, read_backup, sinks_of, sinks_path, sync_folder, walked,
};
use crate::sqlite::{base, beside, lock};

/// What is kept of the store that was there: statements on the copy, with that one as `old`.
const KEEP_ACCESS: &str = r#"
    UPDATE keys SET (hash, previous, previous_until, expires, revoked) =
        (SELECT o.hash, o.previous, o.previous_until, o.expires, COALESCE(keys.revoked, o.revoked)
         FROM old.keys AS o WHERE o.id = keys.id)
    WHERE id IN (SELECT id FROM old.keys)
      AND (SELECT hash_key FROM installation) = (SELECT hash_key FROM old.installation);
    INSERT OR IGNORE INTO containments (id, tenant, target, name, reason, actor, since, until, released)
        SELECT id, tenant, target, name, reason, actor, since, until, released
        FROM old.containments WHERE released = 0;
"#;
const KEEP_EVIDENCE: &str = "
    UPDATE keys SET wrapped = x'', destroyed = (SELECT o.destroyed FROM old.keys AS o WHERE o.id = keys.id)
    WHERE destroyed = '' AND id IN (SELECT id FROM old.keys WHERE destroyed <> '');
    DELETE FROM sealed WHERE key IN (SELECT id FROM keys WHERE destroyed <> '');
";

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

/// Puts a copy in the place of a store that nobody uses. With `aside`, a store that is there is moved to names with
/// that ending; without, it is left alone and an error. Needs a tokio runtime.
///
/// # Errors
/// [`BackupError`]: the copy is damaged, newer than this program or broken; the store is in use or there. Until all of the copy
/// is checked, nothing of the store is touched.
pub async fn restore(folder: &Path, store: &Path, aside: Option<&str>) -> Result<Restored, BackupError> {
    let manifest = read_backup(folder)?;
    let lock = lock(store)?;
    let there: Vec<PathBuf> = Part::ALL.iter().map(|part| part.path(store)).filter(|path| path.exists()).collect();
    if let (Some(path), None) = (there.first(), aside) {
        return Err(BackupError::Exists { path: path.clone() });
    }
    let parts: Vec<Part> = Part::ALL.into_iter().filter(|part| manifest.files.contains_key(&part.file())).collect();
    let staged = stage(folder, store, &manifest, &parts).await;
    let not_kept = match staged {
        Ok(not_kept) => not_kept,
        Err(error) => {
            for part in &parts {
                // What failed is the error to tell.
                let _ = std::fs::remove_file(staging(*part, store));
            }
            return Err(error);
        }
    };
    let before = swap(folder, store, &manifest, &parts, aside)?;
    drop(lock);
    Ok(Restored { manifest, before, not_kept })
}

fn staging(part: Part, store: &Path) -> PathBuf {
    beside(&part.path(store), ".restore")
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
        private(&path)?;
        let mut connection = SqliteConnection::connect_with(&base(&path).pragma("secure_delete", "ON"))
            .await
            .map_err(database(&path))?;
        part.check(&mut connection, &path, said).await?;
        if old.exists() {
            part.schema().upgrade(&mut connection, &path).await?;
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

/// Carries over from the store that is replaced what must not be undone.
async fn keep(part: Part, copy: &mut SqliteConnection, old: &Path) -> Result<(), String> {
    let sql = match part {
        Part::Access => KEEP_ACCESS,
        Part::Evidence => KEEP_EVIDENCE,
        // Its keys are in the evidence.
        Part::Vault => return Ok(()),
    };
    let failed = |e: sqlx::Error| format!("`{}`: {e}", old.display());
    let old_name = old.canonicalize().map_err(|e| e.to_string())?;
    let old_name = old_name.to_str().ok_or("its path is not UTF-8")?;
    sqlx::query("ATTACH DATABASE ? AS old").bind(old_name).execute(&mut *copy).await.map_err(failed)?;
    let kept = async {
        let mut transaction = copy.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(sql).execute(&mut *transaction).await?;
        transaction.commit().await
    };
    let kept = kept.await.map_err(failed);
    sqlx::raw_sql("DETACH DATABASE old").execute(&mut *copy).await.map_err(failed)?;
    sqlx::raw_sql("VACUUM").execute(&mut *copy).await.map_err(failed)?;
    kept
}

/// Moves the old files aside and the checked ones into their place. The evidence goes last: without it nothing takes
/// the rest for a store.
fn swap(
    folder: &Path,
    store: &Path,
    manifest: &Manifest,
    parts: &[Part],
    aside: Option<&str>,
) -> Result<Vec<PathBuf>, BackupError> {
    let mut before = Vec::new();
    let sinks = sinks_path(store);
    if let Some(aside) = aside {
        let files = Part::ALL.into_iter().rev().map(|part| part.path(store)).chain([sinks.clone()]);
        for path in files.filter(|path| path.exists()) {
            let away = beside(&path, aside);
            // The log of a database is a part of it, and must never meet another database.
            for log in ["-wal", "-shm"] {
                let log_path = beside(&path, log);
                if log_path.exists() {
                    std::fs::rename(&log_path, beside(&away, log)).map_err(at(&log_path))?;
                }
            }
            std::fs::rename(&path, &away).map_err(at(&path))?;
            before.push(away);
        }
    }
    for (name, to) in sinks_of(manifest) {
        std::fs::create_dir_all(&sinks).map_err(at(&sinks))?;
        let from = folder.join(name);
        std::fs::copy(&from, sinks.join(to)).map_err(at(&from))?;
    }
    for part in parts {
        let from = staging(*part, store);
        std::fs::rename(&from, part.path(store)).map_err(at(&from))?;
    }
    let parent = store.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_folder(parent)?;
    Ok(before)
}

fn private(path: &Path) -> Result<(), BackupError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(at(path))?;
    }
    Ok(())
}
