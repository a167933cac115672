//! The account with a password, for when nothing else lets anybody in.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bartizan_access::{is_password_hash, verify_password};
use tokio::sync::Semaphore;

use super::limit::Limit;
use super::session::{Hash, hash as fingerprint_of};
use crate::admin::{By, Operator};
use crate::settings::BreakGlass;

/// Name in records.
pub(crate) const NAME: &str = "break-glass";

/// How often it is looked whether the password is another.
const EVERY: Duration = Duration::from_secs(1);

/// Attempts a minute, from one address and from all. A password is weaker than a key.
const EACH: u32 = 5;
const ALL: u32 = 20;

/// Attempts that are not looked at are one record for so long, in milliseconds.
const TOLD: u64 = 60_000;

/// The account.
pub(crate) struct Account {
    settings: BreakGlass,
    /// Digest of the hash that is in force.
    known: ArcSwapOption<Hash>,
    /// A comparison takes 19 MiB, so there is one at a time.
    turn: Arc<Semaphore>,
    limit: Limit,
    /// When attempts that were not looked at were recorded last; 0 is never.
    told: AtomicU64,
}

impl Account {
    /// Reads the hash, and watches it from then on. Needs a tokio runtime.
    ///
    /// # Errors
    /// There is no hash, or it is none that passwords can be compared with.
    pub(crate) fn new(settings: &BreakGlass) -> Result<Arc<Self>, String> {
        let hash = read(settings)?;
        let this = Arc::new(Self {
            settings: settings.clone(),
            known: ArcSwapOption::from_pointee(fingerprint_of(&hash)),
            turn: Arc::new(Semaphore::new(1)),
            limit: Limit::new(EACH, Some(ALL)),
            told: AtomicU64::new(0),
        });
        tokio::spawn(watch(Arc::downgrade(&this)));
        Ok(this)
    }

    /// Digest of the hash in force.
    pub(crate) fn fingerprint(&self) -> Option<Hash> {
        self.known.load().as_deref().copied()
    }

    /// Whether somebody may try. `now` is in milliseconds of a clock that cannot jump.
    pub(super) fn may_try(&self, peer: IpAddr, now: u64) -> bool {
        self.limit.admits(peer, now)
    }

    /// True for the first attempt of a minute that is not looked at: one record stands for all.
    pub(super) fn is_news(&self, now: u64) -> bool {
        let last = self.told.load(Ordering::Relaxed);
        let due = last == 0 || now.saturating_sub(last) >= TOLD;
        due && self.told.compare_exchange(last, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The operator behind a password.
    pub(super) async fn admit(&self, password: String) -> Option<Operator> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.ok()?;
        let settings = self.settings.clone();
        let compared = tokio::task::spawn_blocking(move || {
            // The comparison goes on where nobody waits for it any more, and so does its turn.
            let _turn = turn;
            let hash =
                read(&settings).inspect_err(|reason| tracing::error!(reason, "nobody can sign in by password")).ok()?;
            verify_password(&password, &hash).then(|| fingerprint_of(&hash))
        });
        let fingerprint = compared.await.ok().flatten()?;
        self.known.store(Some(Arc::new(fingerprint)));
        let by = By::Password(fingerprint);
        Some(Operator::known(NAME, self.settings.role, self.settings.tenants.iter().cloned(), by))
    }
}

fn read(settings: &BreakGlass) -> Result<String, String> {
    let hash = settings.hash.resolve().map_err(|e| format!("`admin.break_glass.hash`: {e}"))?;
    // What is there may be the password itself, so it is not repeated.
    let usable = "`admin.break_glass.hash` is no hash of a password: make one with `bartizan console password`";
    if is_password_hash(&hash) { Ok(hash) } else { Err(usable.to_owned()) }
}

async fn watch(account: Weak<Account>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(this) = account.upgrade() else { return };
        let settings = this.settings.clone();
        let now = tokio::task::spawn_blocking(move || read(&settings).ok().map(|hash| fingerprint_of(&hash))).await;
        let now = now.ok().flatten();
        if now != this.fingerprint() {
            tracing::warn!(usable = now.is_some(), "the password of the account for emergencies is another");
            this.known.store(now.map(Arc::new));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Role;

    /// A hash that takes as long to read as the test wants.
    #[cfg(unix)]
    #[test]
    fn a_comparison_that_nobody_waits_for_keeps_its_turn() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("hash");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let hash = bartizan_sign::SecretRef::File(pipe.clone());
        let account = Arc::new(Account {
            settings: BreakGlass { hash, role: Role::Viewer, tenants: Vec::new() },
            known: ArcSwapOption::empty(),
            turn: Arc::new(Semaphore::new(1)),
            limit: Limit::new(EACH, Some(ALL)),
            told: AtomicU64::new(0),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let turns = |wanted| {
            let account = Arc::clone(&account);
            async move {
                let end = std::time::Instant::now() + Duration::from_secs(20);
                while account.turn.available_permits() != wanted {
                    assert!(std::time::Instant::now() < end, "{wanted}");
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        };
        runtime.block_on(async {
            let trying = Arc::clone(&account);
            let attempt = tokio::spawn(async move { trying.admit("a guess".to_owned()).await });
            turns(0).await;
            attempt.abort();
            assert!(attempt.await.is_err());
            assert_eq!(account.turn.available_permits(), 0, "it still compares");
            tokio::task::spawn_blocking(move || std::fs::write(pipe, "none")).await.unwrap().unwrap();
            turns(1).await;
        });
    }

    #[test]
    fn what_is_not_looked_at_is_news_once_a_minute() {
        let hash = bartizan_sign::SecretRef::Env(String::new());
        let account = Account {
            settings: BreakGlass { hash, role: Role::Viewer, tenants: Vec::new() },
            known: ArcSwapOption::empty(),
            turn: Arc::new(Semaphore::new(1)),
            limit: Limit::new(EACH, Some(ALL)),
            told: AtomicU64::new(0),
        };
        assert!(account.is_news(5) && !account.is_news(6) && !account.is_news(TOLD));
        assert!(account.is_news(TOLD + 5) && !account.is_news(TOLD + 6));
    }
}
