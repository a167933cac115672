//! The key sets that tokens are checked with: read from a file, or fetched and kept fresh.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bartizan_access::{Identity, JwkKeys, JwtError, JwtSettings};

use crate::fetch::get;
use crate::settings::Timeouts;
use crate::upstream::{Transport, transport};

/// A token with an unknown key makes the set be fetched again, but not more often than this: anybody can send one.
const AGAIN: Duration = Duration::from_secs(30);

/// Tokens of the identity provider.
pub(crate) struct Jwks {
    settings: JwtSettings,
    keys: ArcSwapOption<JwkKeys>,
    wanted: tokio::sync::Notify,
    /// Milliseconds from `began` until the last fetch that an unknown key asked for.
    asked: AtomicU64,
    began: Instant,
}

impl Jwks {
    /// Reads the file, or starts to fetch from the address. Needs a tokio runtime for the latter.
    ///
    /// # Errors
    /// A setting is wrong, or the file is no key set.
    pub(crate) fn new(settings: &JwtSettings) -> Result<Arc<Self>, String> {
        settings.check().map_err(|e| e.to_string())?;
        let this = Arc::new(Self {
            settings: settings.clone(),
            keys: ArcSwapOption::empty(),
            wanted: tokio::sync::Notify::new(),
            asked: AtomicU64::new(0),
            began: Instant::now(),
        });
        match settings.jwks.strip_prefix("file:") {
            Some(path) => {
                let text = std::fs::read(path).map_err(|e| format!("cannot read `{path}`: {e}"))?;
                let keys = JwkKeys::parse(&text).map_err(|e| format!("`{path}`: {e}"))?;
                this.keys.store(Some(Arc::new(keys)));
            }
            None => {
                let transport = transport(&Timeouts::default(), settings.jwks.starts_with("https:"))?;
                tokio::spawn(keep_fresh(Arc::downgrade(&this), transport));
            }
        }
        Ok(this)
    }

    /// The settings that it was made of.
    pub(crate) const fn settings(&self) -> &JwtSettings {
        &self.settings
    }

    /// Checks a token. `None` where there is no key set yet. `now` is in milliseconds since 1970.
    pub(crate) fn verify(&self, token: &str, now: i64) -> Option<Result<Identity, JwtError>> {
        let keys = self.keys.load_full()?;
        let result = keys.verify(&self.settings, token, now.div_euclid(1000));
        if result == Err(JwtError::UnknownKey) {
            self.ask();
        }
        Some(result)
    }

    fn ask(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.asked.load(Ordering::Relaxed);
        let pause = u64::try_from(AGAIN.as_millis()).unwrap_or(u64::MAX);
        let due = last == 0 || now.saturating_sub(last) >= pause;
        if due && self.asked.compare_exchange(last, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.wanted.notify_one();
        }
    }
}

/// Fetches until nobody needs the set any more. A set that cannot be fetched leaves the last one in force.
async fn keep_fresh(jwks: Weak<Jwks>, transport: Box<dyn Transport>) {
    let mut pause = Duration::from_secs(1);
    loop {
        let Some(this) = jwks.upgrade() else { return };
        let fetched = get(&this.settings.jwks, transport.as_ref()).await;
        match fetched.and_then(|text| JwkKeys::parse(&text).map_err(|e| e.to_string())) {
            Ok(keys) => {
                this.keys.store(Some(Arc::new(keys)));
                pause = Duration::from_secs(u64::from(this.settings.refresh_s));
            }
            Err(reason) => {
                tracing::warn!(reason, "the key set of `jwt.jwks` cannot be fetched");
                pause = (pause * 2).min(Duration::from_secs(60));
            }
        }
        let wait = pause;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = this.wanted.notified() => {}
        }
    }
}
