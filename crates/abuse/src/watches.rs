//! Every key that is watched, and no more of them than there is room for.

use std::collections::BTreeMap;
use std::sync::Arc;

use bartizan_core::TenantId;

use crate::DAY;
use crate::query::{Query, Text};
use crate::settings::Settings;
use crate::signal::{Signal, Signals};
use crate::watch::{Seen, Standing, Watch};

/// Days after which a key that asks nothing is forgotten.
const IDLE: i64 = 36 * DAY;

/// Whose requests they are.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// Name of the key.
    pub key: &'a str,
}

/// A key and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Name of the key.
    pub key: Arc<str>,
    /// How it stands.
    pub standing: Standing,
    /// Signals that are usual for it.
    pub expected: Signals,
}

/// How many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Keys that are watched.
    pub keys: usize,
    /// Keys that were forgotten to make room.
    pub evicted: u64,
}

/// What is to be kept of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub key: Arc<str>,
    /// When it last asked, in milliseconds since 1970.
    pub at: i64,
    /// What is known of it.
    pub state: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    watch: Watch,
    /// Since it was last kept.
    changed: bool,
}

/// The watched keys.
#[derive(Debug, Default)]
pub struct Watches {
    tenants: BTreeMap<TenantId, BTreeMap<Arc<str>, Entry>>,
    keys: usize,
    evicted: u64,
}

impl Watches {
    /// Takes a request. What is usual for the key is counted and not reported.
    pub fn observe(&mut self, who: Who<'_>, now: i64, query: &Query, settings: &Settings) -> Seen {
        let seen = self.of(who, now, settings).observe(now, query, settings);
        if seen.part.is_empty() && seen.raised.is_empty() {
            return seen;
        }
        let expected = expected(who, settings);
        let raised = seen.raised.into_iter().filter(|one| !expected.has(one.signal)).collect();
        let part = seen.part.iter().filter(|signal| !expected.has(*signal));
        let part = part.fold(Signals::default(), |mut all, signal| {
            all.add(signal);
            all
        });
        Seen { raised, part }
    }

    /// Notes that a request was refused.
    pub fn refused<'a>(
        &mut self,
        who: Who<'_>,
        now: i64,
        texts: impl IntoIterator<Item = &'a Text>,
        user: u64,
        settings: &Settings,
    ) {
        self.of(who, now, settings).refused(now, texts, user, settings);
    }

    /// Notes what a request took: tokens, and money in millionths.
    pub fn spent(&mut self, who: Who<'_>, now: i64, tokens: u64, spend: u64, settings: &Settings) {
        self.of(who, now, settings).spent(now, tokens, spend, settings);
    }

    fn of(&mut self, who: Who<'_>, now: i64, settings: &Settings) -> &mut Watch {
        let there = self.tenants.get(who.tenant).is_some_and(|keys| keys.contains_key(who.key));
        if !there {
            if self.keys >= settings.max_keys.max(1) {
                self.make_room(now, settings.max_keys.max(1));
            }
            self.keys += 1;
        }
        let keys = self.tenants.entry(who.tenant.clone()).or_default();
        let kept = keys.entry(Arc::from(who.key)).or_insert_with(|| Entry { watch: Watch::new(now), changed: true });
        kept.changed = true;
        &mut kept.watch
    }

    /// Forgets a sixteenth of the keys: those with the least past, and of them the longest idle. A caller who can make
    /// names of keys without number pushes out others like them, and neither those that are raised nor those with a past.
    fn make_room(&mut self, now: i64, most: usize) {
        let mut ranked: Vec<_> = self
            .tenants
            .iter()
            .flat_map(|(tenant, keys)| keys.iter().map(move |(key, kept)| (tenant, key, &kept.watch)))
            .map(|(tenant, key, watch)| {
                let idle = now.saturating_sub(watch.last) > IDLE;
                let rank = (!idle, watch.is_raised(now), watch.days.over.len().min(7), watch.last);
                (rank, tenant.clone(), Arc::clone(key))
            })
            .collect();
        ranked.sort();
        let surplus = (self.keys + 1).saturating_sub(most).max(most / 16).max(1);
        for (_, tenant, key) in ranked.into_iter().take(surplus) {
            self.remove(&tenant, &key);
            self.evicted = self.evicted.saturating_add(1);
        }
    }

    fn remove(&mut self, tenant: &TenantId, key: &str) -> bool {
        let Some(keys) = self.tenants.get_mut(tenant) else { return false };
        let was = keys.remove(key).is_some();
        self.keys -= usize::from(was);
        if keys.is_empty() {
            self.tenants.remove(tenant);
        }
        was
    }

    /// Takes a signal of a key for usual: see [`Watch::accept`]. Answers false where it was not raised.
    pub fn accept(&mut self, who: Who<'_>, signal: Signal) -> bool {
        let kept = self.tenants.get_mut(who.tenant).and_then(|keys| keys.get_mut(who.key));
        kept.is_some_and(|kept| {
            kept.changed = true;
            kept.watch.accept(signal)
        })
    }

    /// Forgets a key. Answers false where it is not known.
    pub fn forget(&mut self, who: Who<'_>) -> bool {
        self.remove(who.tenant, who.key)
    }

    /// The keys of a tenant, by name.
    #[must_use]
    pub fn list(&self, tenant: &TenantId, now: i64, settings: &Settings) -> Vec<Listed> {
        let keys = self.tenants.get(tenant).into_iter().flatten();
        keys.map(|(key, kept)| Listed {
            key: Arc::clone(key),
            standing: kept.watch.standing(now, settings),
            expected: expected(Who { tenant, key }, settings),
        })
        .collect()
    }

    /// How many keys there are.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        Totals { keys: self.keys, evicted: self.evicted }
    }

    /// What has changed since it was last taken, as [`Watch::to_bytes`] writes it, of at most so many keys.
    pub fn take_changed(&mut self, most: usize) -> Vec<Kept> {
        let mut taken = Vec::new();
        for (tenant, keys) in &mut self.tenants {
            for (key, kept) in keys.iter_mut().filter(|(_, kept)| kept.changed) {
                if taken.len() >= most {
                    return taken;
                }
                kept.changed = false;
                let (at, state) = (kept.watch.last, kept.watch.to_bytes());
                taken.push(Kept { tenant: tenant.clone(), key: Arc::clone(key), at, state });
            }
        }
        taken
    }

    /// Says again that a key has changed, after it could not be kept.
    pub fn put_back(&mut self, who: Who<'_>) {
        if let Some(kept) = self.tenants.get_mut(who.tenant).and_then(|keys| keys.get_mut(who.key)) {
            kept.changed = true;
        }
    }

    /// Takes over what was kept of a key, unless it is known already, there is no room, or it was idle too long.
    pub fn restore(&mut self, who: Who<'_>, watch: Watch, now: i64, settings: &Settings) {
        let known = self.tenants.get(who.tenant).is_some_and(|keys| keys.contains_key(who.key));
        if known || self.keys >= settings.max_keys || now.saturating_sub(watch.last) > IDLE {
            return;
        }
        self.keys += 1;
        let keys = self.tenants.entry(who.tenant.clone()).or_default();
        keys.insert(Arc::from(who.key), Entry { watch, changed: false });
    }
}

fn expected(who: Who<'_>, settings: &Settings) -> Signals {
    let usual = Signal::ALL.into_iter().filter(|signal| settings.expects(who.tenant, who.key, *signal));
    usual.fold(Signals::default(), |mut all, signal| {
        all.add(signal);
        all
    })
}
