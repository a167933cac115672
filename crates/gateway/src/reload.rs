//! A new configuration takes the place of the one in force, whole or not at all.
//!
//! Files are polled, since notifications are lost on network and overlay file systems. A request keeps the
//! configuration that it began with; what cannot be used changes nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use bartizan_core::Deed;
use bartizan_guard::Guard;

use crate::settings::Settings;
use crate::shared::{Live, Profiles, Shared};
use crate::staged::Ended;

/// How often files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// A file changed so recently may change again without another time of change: its content is compared.
const RECENT: Duration = Duration::from_secs(3);

/// A configuration that was read and is not in force yet.
pub struct Next {
    /// The part about sockets.
    pub settings: Settings,
    /// The part about content.
    pub guard: Arc<Guard>,
    /// The part about content for callers with a profile of their own.
    pub profiles: Profiles,
    /// Names the configuration in metrics and records: hex.
    pub digest: String,
    /// Names what decides about content, hex.
    pub policy: String,
    /// What `policy` would be if the candidate were in force.
    pub candidate: Option<String>,
    /// Every file that it was read from, secrets and rule packs included, as they were before they were read.
    pub watched: Watched,
}

/// Why a configuration is not taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// What is wrong, without secrets.
    pub reason: String,
    /// File, line and column of the mistake, both from 1; empty where it has no place.
    pub place: Option<(String, usize, usize)>,
    /// Files that may mend it, besides those of the configuration in force.
    pub files: Vec<PathBuf>,
}

impl Rejected {
    fn new(reason: String) -> Self {
        Self { reason, ..Self::default() }
    }
}

/// A configuration that is in force now.
struct Taken {
    digest: String,
    /// Its files with what is in them, secrets included: never logged.
    files: Watched,
    policy: String,
    candidate: Option<String>,
    ended: Option<Ended>,
}

/// Puts configurations in force.
#[derive(Clone)]
pub struct Reloader {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Reloader {
    pub(crate) const fn new(shared: Arc<Shared>, address: SocketAddr) -> Self {
        Self { shared, address }
    }

    /// Puts a configuration in force for all requests that begin from now on. Reads secrets: not for async workers.
    ///
    /// # Errors
    /// It cannot be used, or differs in what needs a restart. The one in force stays.
    pub fn swap(&self, next: Next) -> Result<(), Rejected> {
        self.swapped(next).map(|_| ())
    }

    /// The same; answers with the change that was tried, where it is not tried any more.
    fn swapped(&self, next: Next) -> Result<Option<Ended>, Rejected> {
        let Next { settings, guard, profiles, .. } = next;
        let mut ended = None;
        self.shared.replace(|before| {
            let changed = needs_restart(&before.settings, &settings);
            if !changed.is_empty() {
                let reason = format!("a restart is needed for a change of {}", changed.join(", "));
                return Err(Rejected::new(reason));
            }
            let live = Live::build(guard, profiles, settings, None, self.address, &self.shared.access, Some(before))
                .map_err(Rejected::new)?;
            let Some(staged) = &before.staged else { return Ok(live) };
            Ok(live.trying(staged).unwrap_or_else(|why| {
                ended = Some(Ended { staged: Arc::clone(staged), why });
                live
            }))
        })?;
        Ok(ended)
    }

    /// Looks for changes of the files, and for SIGHUP, until the process ends. `load` reads the configuration anew;
    /// The other three are of the one in force.
    pub async fn watch(
        self,
        digest: String,
        mut candidate: Option<String>,
        mut watched: Watched,
        load: impl Fn() -> Result<Next, Rejected> + Send + Sync + 'static,
    ) {
        self.shared.metrics.config(true, &digest, now());
        self.record(Deed::ConfigLoaded, &digest, None).await;
        let load = Arc::new(load);
        // What is in force, to tell a reload that changes nothing; none after a rejection, which a reload takes back.
        let mut good = Some(Arc::new((digest.clone(), watched.clone())));
        // What changed between reading the configuration and the first look at its files shows in its digest.
        let mut read = Some(digest);
        let mut hangup = hangup();
        loop {
            let forced = tokio::select! {
                () = heard(&mut hangup) => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            let (this, load, read) = (self.clone(), Arc::clone(&load), read.take());
            // Who sends the signal may have changed what no file shows, such as a model.
            let known = good.clone().filter(|_| !forced);
            let turn = tokio::task::spawn_blocking(move || {
                let missed = read.is_some_and(|read| load().map_or(true, |next| next.digest != read));
                let done = (watched.changed() || forced || missed)
                    .then(|| this.turn(load.as_ref(), &mut watched, known.as_deref()));
                (watched, done)
            });
            let Ok((back, done)) = turn.await else {
                tracing::error!(
                    "a reload broke off; the configuration in force stays, and files are not watched any more"
                );
                return;
            };
            watched = back;
            match done {
                None | Some(Ok(None)) => {}
                Some(Ok(Some(Taken { digest, files, policy, candidate: tried, ended }))) => {
                    good = Some(Arc::new((digest.clone(), files)));
                    self.shared.metrics.config(true, &digest, now());
                    tracing::info!(digest, "configuration reloaded");
                    self.record(Deed::ConfigLoaded, &digest, None).await;
                    if std::mem::replace(&mut candidate, tried).is_some_and(|promoted| promoted == policy) {
                        self.record(Deed::PolicyPromoted, &policy, None).await;
                    }
                    if let Some(ended) = ended {
                        self.record_ended(&policy, &ended).await;
                    }
                }
                Some(Err(Rejected { reason, place, .. })) => {
                    good = None;
                    self.shared.metrics.config(false, "", 0);
                    let (file, line, column) = place.unwrap_or_default();
                    tracing::error!(
                        file = file.as_str(),
                        line,
                        column,
                        reason,
                        "the new configuration is not taken; the last good one stays"
                    );
                    self.record(Deed::ConfigRejected, "", Some((file, line, column))).await;
                }
            }
        }
    }

    /// Reads the configuration anew and puts it in force; nothing where it is `known` with all of its files.
    fn turn(
        &self,
        load: &dyn Fn() -> Result<Next, Rejected>,
        watched: &mut Watched,
        known: Option<&(String, Watched)>,
    ) -> Result<Option<Taken>, Rejected> {
        let done = load().and_then(|next| {
            let (digest, policy, candidate) = (next.digest.clone(), next.policy.clone(), next.candidate.clone());
            let files = next.watched.clone();
            if known.is_some_and(|(known, with)| *known == digest && with.same(&files)) {
                return Ok((None, files));
            }
            let swapped = self.swapped(next);
            // What is not taken may be mended in files of its own.
            watched.0.extend(files.0.clone());
            swapped.map(|ended| (Some(Taken { digest, files: files.clone(), policy, candidate, ended }), files))
        });
        match done {
            Ok((taken, seen)) => {
                *watched = seen;
                Ok(taken)
            }
            Err(rejected) => {
                watched.also(&rejected.files);
                Err(rejected)
            }
        }
    }

    /// A change that was tried came into force, or is not tried any more.
    async fn record_ended(&self, policy: &str, ended: &Ended) {
        let Ended { staged, why } = ended;
        let detail =
            [("by", &staged.by), ("since", &staged.since)].map(|(name, value)| (name.to_owned(), value.clone()));
        let (deed, recorder) = (ended.deed(), &self.shared.recorder);
        if let Err(error) = recorder.act(deed, policy, &why.says(), detail.into()).await {
            tracing::error!(%error, deed = deed.as_str(), "cannot record what became of a change of the policy");
        }
    }

    /// The log quotes what is wrong, the chain only says where: a mistyped value may be a secret.
    async fn record(&self, deed: Deed, subject: &str, place: Option<(String, usize, usize)>) {
        let detail = place.map_or_else(BTreeMap::new, |(file, line, column)| {
            [("file", file), ("line", line.to_string()), ("column", column.to_string())]
                .map(|(name, value)| (name.to_owned(), value))
                .into()
        });
        if let Err(error) = self.shared.recorder.act(deed, subject, "", detail).await {
            tracing::error!(%error, deed = deed.as_str(), "cannot record a change of the configuration");
        }
    }
}

/// Names of the settings that differ and are read at the start only.
fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    [
        ("`listen`", old.listen != new.listen),
        ("`tls` on or off", old.tls.is_some() != new.tls.is_some()),
        ("`ext_proc`", old.ext_proc != new.ext_proc),
        ("`admin`", old.admin != new.admin),
        ("`console.enabled`", old.console.enabled != new.console.enabled),
        ("`console.origin`", old.console.origin != new.console.origin),
        ("`store`", old.store != new.store),
        ("`telemetry`", old.telemetry != new.telemetry),
        ("`max_connections`", old.max_connections != new.max_connections),
        ("`max_in_flight`", old.max_in_flight != new.max_in_flight),
        ("`timeouts.header_ms`", old.timeouts.header_ms != new.timeouts.header_ms),
        ("`timeouts.drain_ms`", old.timeouts.drain_ms != new.timeouts.drain_ms),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(unix)]
type Hangup = Option<tokio::signal::unix::Signal>;
#[cfg(not(unix))]
type Hangup = ();

#[cfg(unix)]
fn hangup() -> Hangup {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok()
}
#[cfg(not(unix))]
fn hangup() -> Hangup {}

#[cfg(unix)]
async fn heard(hangup: &mut Hangup) {
    match hangup {
        Some(signal) => {
            let _ = signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
#[cfg(not(unix))]
async fn heard(_: &mut Hangup) {
    std::future::pending().await
}

/// What is known of a file: nothing where it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    modified: SystemTime,
    bytes: u64,
    content: [u8; 32],
}

/// Files with what was last seen of them.
#[derive(Clone, Debug, Default)]
pub struct Watched(BTreeMap<PathBuf, Option<Seen>>);

impl Watched {
    /// The files as they are now.
    #[must_use]
    pub fn of(files: &[PathBuf]) -> Self {
        let mut watched = Self::default();
        watched.also(files);
        watched
    }

    fn also(&mut self, files: &[PathBuf]) {
        for file in files {
            self.0.entry(file.clone()).or_insert_with(|| look(file, None));
        }
    }

    /// True where these are the same files with the same content.
    fn same(&self, other: &Self) -> bool {
        let contents = |of: &Self| {
            let all = of.0.iter().map(|(file, seen)| (file.clone(), seen.as_ref().map(|seen| seen.content)));
            all.collect::<Vec<_>>()
        };
        contents(self) == contents(other)
    }

    /// True where the content of a file is another than when it was looked at last.
    fn changed(&mut self) -> bool {
        let mut changed = false;
        for (file, seen) in &mut self.0 {
            let now = look(file, seen.as_ref());
            changed |= now.as_ref().map(|s| s.content) != seen.as_ref().map(|s| s.content);
            *seen = now;
        }
        changed
    }
}

fn look(file: &Path, before: Option<&Seen>) -> Option<Seen> {
    let about = std::fs::metadata(file).ok()?;
    let (modified, bytes) = (about.modified().ok()?, about.len());
    let recent = SystemTime::now().duration_since(modified).is_ok_and(|age| age < RECENT);
    if let Some(before) = before.filter(|s| s.modified == modified && s.bytes == bytes && !recent) {
        return Some(before.clone());
    }
    let mut content = [0; 32];
    // Of a folder, the names in it count: its files are watched by themselves.
    let bytes_now = if about.is_dir() { names(file)? } else { std::fs::read(file).ok()? };
    content.copy_from_slice(digest::digest(&digest::SHA256, &bytes_now).as_ref());
    Some(Seen { modified, bytes, content })
}

fn names(folder: &Path) -> Option<Vec<u8>> {
    let mut names: Vec<_> = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.sort();
    Some(names.into_iter().flat_map(|name| [name.as_encoded_bytes(), b"\0"].concat()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_whatever_the_clock_says() {
        let file = std::env::temp_dir().join(format!("bartizan-reload-{}", std::process::id()));
        std::fs::write(&file, "one").unwrap();
        let mut watched = Watched::of(std::slice::from_ref(&file));
        assert!(!watched.changed());
        // The same length within the same tick of the clock.
        let before = watched.clone();
        std::fs::write(&file, "two").unwrap();
        assert!(watched.changed() && !watched.changed());
        assert!(!watched.same(&before) && watched.same(&Watched::of(std::slice::from_ref(&file))));
        assert!(!watched.same(&Watched::default()));
        std::fs::remove_file(&file).unwrap();
        assert!(watched.changed() && !watched.changed());
        std::fs::write(&file, "two").unwrap();
        assert!(watched.changed());
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let old = Settings::default();
        let mut new = old.clone();
        new.listen = "127.0.0.1:1".into();
        new.store.path = "other.sqlite".into();
        assert_eq!(needs_restart(&old, &new), ["`listen`", "`store`"]);
        new = old.clone();
        new.timeouts.idle_ms = 1;
        assert!(needs_restart(&old, &new).is_empty());
    }
}
