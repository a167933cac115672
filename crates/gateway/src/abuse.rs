//! What callers ask, against what they usually ask: every request to a model is shown to the watch of its key.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use bartizan_abuse::{Asked, Kept, Listed, Query, Reader, Settings, Signal, Text, Then, Totals, Watch, Watches, Who};
use bartizan_access::{Clock, Denied, Now, Why, estimate};
use bartizan_core::{
    AccessStore, Action, Exchange, Kind, Message, Mode, Principal, Protocol, Source, StoreError, TenantId, Used,
    Verdict,
};
use bartizan_guard::Parsed;
use bartizan_wire::sampling;
use tokio::sync::Semaphore;

use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::proxy::{INLINE, off_worker};
use crate::shared::{Live, Shared};

/// Most requests that wait at a time because their key is slowed: waiting must not take the places of other callers.
const WAITING: usize = 64;
/// Most keys that are kept at a time.
const AT_A_TIME: usize = 64;
/// Milliseconds after which a key that asks nothing is not kept any more.
const IDLE: i64 = 36 * 86_400_000;

/// The watches of all keys. One for the life of the process.
pub(crate) struct Watching {
    secret: [u8; 16],
    settings: ArcSwap<Settings>,
    inner: Mutex<Inner>,
    waiting: Semaphore,
    /// Held by whoever keeps what has changed: who comes last waits until all of it is kept.
    keeping: tokio::sync::Mutex<()>,
    metrics: Arc<Metrics>,
}

struct Inner {
    watches: Watches,
    clock: Clock,
}

impl Watching {
    /// With a secret that is derived from the key of the installation.
    pub(crate) fn new(hash_key: &[u8], now: Now, metrics: Arc<Metrics>) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, hash_key), b"bartizan abuse sketches 1");
        let mut secret = [0; 16];
        secret.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        let inner = Inner { watches: Watches::default(), clock: Clock::new(now.wall, now.steady) };
        Self {
            secret,
            settings: ArcSwap::default(),
            inner: Mutex::new(inner),
            waiting: Semaphore::new(WAITING),
            keeping: tokio::sync::Mutex::default(),
            metrics,
        }
    }

    /// Puts settings in force.
    pub(crate) fn configure(&self, settings: &Settings) {
        self.settings.store(Arc::new(settings.clone()));
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    // What is behind the lock is whole after every step, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the watches, at the time that they go by.
    fn at<T>(&self, now: Now, work: impl FnOnce(&mut Watches, i64) -> T) -> T {
        let mut inner = self.lock();
        let time = inner.clock.now(now.wall, now.steady);
        work(&mut inner.watches, time)
    }

    /// Notes what a request took.
    pub(crate) fn spent(&self, tenant: &TenantId, key: &str, used: &Used, now: Now) {
        let settings = self.settings();
        if settings.enabled {
            // Prices are kept in billionths.
            let (tokens, spend) = (used.tokens(), used.spend.as_nano() / 1000);
            self.at(now, |watches, at| watches.spent(Who { tenant, key }, at, tokens, spend, &settings));
        }
    }

    /// The watched keys of a tenant.
    pub(crate) fn list(&self, tenant: &TenantId, now: Now) -> Vec<Listed> {
        let settings = self.settings();
        self.at(now, |watches, at| watches.list(tenant, at, &settings))
    }

    /// Takes a signal of a key for usual. Answers false where it is not raised.
    pub(crate) fn accept(&self, tenant: &TenantId, key: &str, signal: Signal) -> bool {
        self.lock().watches.accept(Who { tenant, key }, signal)
    }

    /// Takes over what was kept. What cannot be read begins anew.
    pub(crate) async fn restore(&self, store: &dyn AccessStore, now: Now) -> Result<(), StoreError> {
        let settings = self.settings();
        if !settings.enabled {
            return Ok(());
        }
        let most = u32::try_from(settings.max_keys).unwrap_or(u32::MAX);
        for one in store.watched(most).await? {
            match Watch::from_bytes(&one.state) {
                Ok(watch) => self.at(now, |watches, at| {
                    watches.restore(Who { tenant: &one.tenant, key: &one.key }, watch, at, &settings);
                }),
                Err(error) => tracing::warn!(%error, "what was known of the use of a key is lost"),
            }
        }
        Ok(())
    }

    /// Keeps what has changed.
    pub(crate) async fn keep(&self, store: &dyn AccessStore, now: Now) {
        let _keeping = self.keeping.lock().await;
        loop {
            let taken = self.lock().watches.take_changed(AT_A_TIME);
            let last = taken.len() < AT_A_TIME;
            let watched = taken.iter().map(|Kept { tenant, key, at, state }| bartizan_core::Watched {
                tenant: tenant.clone(),
                key: Arc::clone(key),
                at: *at,
                state: state.clone(),
            });
            let kept = match taken.is_empty() {
                true => Ok(()),
                false => store.keep_watched(watched.collect(), now.wall.saturating_sub(IDLE)).await,
            };
            if let Err(error) = &kept {
                tracing::error!(%error, "what is known of the use of keys cannot be kept; it is tried again");
                let mut inner = self.lock();
                taken.iter().for_each(|one| inner.watches.put_back(Who { tenant: &one.tenant, key: &one.key }));
            }
            if last || kept.is_err() {
                return;
            }
        }
    }

    /// How many keys there are, for the metrics.
    fn count(&self, totals: Totals) {
        self.metrics.watched(totals.keys, totals.evicted);
    }
}

/// What is known of a request by the time it was shown to the watch of its key.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    texts: Vec<Text>,
    user: u64,
    wait: Option<Duration>,
    stripped: bool,
    /// Something is refused because of how the key is used: that says nothing about the text.
    demanded: bool,
}

/// Whose request it is, and where it goes.
pub(crate) struct Caller {
    pub(crate) who: Principal,
    /// The name of the user is one that a token vouches for. Who may call himself anything would begin anew each time.
    pub(crate) vouched: bool,
    pub(crate) route: String,
    /// What it takes is noted elsewhere.
    pub(crate) is_charged: bool,
}

/// Shows a request to the watch of its key. What follows is noted in it: findings, what they demand, and log
/// probabilities that are not asked for any more.
///
/// # Errors
/// A changed request cannot be read.
pub(crate) async fn show(
    shared: &Arc<Shared>,
    live: &Arc<Live>,
    caller: Caller,
    mut parsed: Parsed,
) -> Result<(Parsed, Shown), Failure> {
    if !shared.access.watching.settings().enabled {
        return Ok((parsed, Shown::default()));
    }
    let large = parsed.bytes() > INLINE;
    let (shared, live) = (Arc::clone(shared), Arc::clone(live));
    let work = move || show_here(&shared, &live, &caller, &mut parsed).map(|shown| (parsed, shown));
    if large { off_worker(work).await? } else { work() }
}

fn show_here(shared: &Shared, live: &Live, caller: &Caller, parsed: &mut Parsed) -> Result<Shown, Failure> {
    let watching = &shared.access.watching;
    let settings = watching.settings();
    let Caller { who, vouched, route, is_charged } = caller;
    let reader = Reader::new(&watching.secret, who.tenant.as_str(), &who.key);
    let (query, pointer) = query(&reader, who.user.as_deref().filter(|_| *vouched), parsed.exchange(), live);
    let name = Who { tenant: &who.tenant, key: &who.key };
    let bytes = parsed.bytes() as u64;
    let (seen, totals) = watching.at(shared.access.now(), |watches, now| {
        if !*is_charged {
            watches.spent(name, now, estimate(bytes), 0, &settings);
        }
        (watches.observe(name, now, &query, &settings), watches.totals())
    });
    watching.count(totals);
    for one in &seen.raised {
        watching.metrics.abuse(one.signal.as_str());
        let (signal, measure) = (one.signal.as_str(), one.measure.as_str());
        tracing::warn!(tenant = %who.tenant, key = %who.key, signal, measure, one.count, one.level, "the use of a key is unusual");
    }
    let texts = std::iter::once(query.text).chain(query.before).collect();
    let mut shown = Shown { texts, user: query.user, ..Shown::default() };
    let enforced = live.guard.mode() == Mode::Enforce;
    let raised = |signal| seen.raised.iter().any(|one| one.signal == signal);
    for signal in Signal::ALL.into_iter().filter(|signal| seen.part.has(*signal) || raised(*signal)) {
        // What made the signal may not be this request.
        let row = settings.response(&who.tenant, &who.key, route, signal);
        let (then, delay) = if seen.part.has(signal) { row } else { (Then::Report, 0) };
        let verdict = match then {
            Then::Deny => Verdict::Deny,
            Then::Hold => Verdict::Hold,
            Then::Report | Then::Slow | Then::StripLogprobs => Verdict::Allow,
        };
        shown.demanded |= verdict > Verdict::Allow;
        if raised(signal) || then != Then::Report {
            parsed.demand(signal.rule(), pointer.clone(), verdict);
        }
        match then {
            Then::Slow if enforced => {
                let delay = Duration::from_millis(u64::from(delay));
                shown.wait = Some(shown.wait.unwrap_or_default().max(delay));
            }
            Then::StripLogprobs if enforced => {
                let stripped = live.guard.strip_logprobs(parsed);
                shown.stripped |= stripped.map_err(|e| {
                    Failure::new(bartizan_wire::ErrorKind::InvalidRequest, "invalid_request", e.to_string())
                })?;
            }
            _ => {}
        }
        if then != Then::Report {
            watching.metrics.abuse_response(signal.as_str(), word(then));
        }
    }
    Ok(shown)
}

const fn word(then: Then) -> &'static str {
    match then {
        Then::Report => "report",
        Then::Slow => "slow",
        Then::StripLogprobs => "strip_logprobs",
        Then::Hold => "hold",
        Then::Deny => "deny",
    }
}

impl Shown {
    /// What was done besides what the guard did.
    pub(crate) fn action(&self, of_guard: Action) -> Action {
        match of_guard {
            Action::Pass if self.stripped => Action::Strip,
            Action::Pass if self.wait.is_some() => Action::Slow,
            action => action,
        }
    }

    /// Notes that the guard refused the request.
    pub(crate) fn refused(&self, shared: &Shared, who: &Principal) {
        let watching = &shared.access.watching;
        let settings = watching.settings();
        if settings.enabled && !self.demanded {
            let name = Who { tenant: &who.tenant, key: &who.key };
            let now = shared.access.now();
            watching.at(now, |watches, at| watches.refused(name, at, &self.texts, self.user, &settings));
        }
    }

    /// Waits as long as the request has to.
    ///
    /// # Errors
    /// Too many wait.
    pub(crate) async fn wait(&self, shared: &Shared) -> Result<(), Failure> {
        let Some(wait) = self.wait else { return Ok(()) };
        let Ok(_place) = shared.access.watching.waiting.try_acquire() else {
            return Err(Failure::denied(Denied { why: Why::Requests, retry_after: wait.as_secs().max(1) }));
        };
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

/// Most texts of a turn that are shown: the last ones.
const TEXTS: usize = 16;

/// What a request says, and where a finding about it stands.
fn query(reader: &Reader, user: Option<&str>, exchange: &Exchange, live: &Live) -> (Query, String) {
    let texts = |message: &Message| {
        let parts = message.parts.clone().into_iter().filter_map(|at| exchange.texts.get(at));
        parts.filter(|text| !text.value.trim().is_empty()).collect::<Vec<_>>()
    };
    let mut said: Vec<Vec<&bartizan_core::Text>> = Vec::new();
    for message in turn(&exchange.messages, |message| !texts(message).is_empty()) {
        let texts = texts(message);
        let same =
            |other: &Vec<&bartizan_core::Text>| other.iter().map(|t| &t.value).eq(texts.iter().map(|t| &t.value));
        if !texts.is_empty() && said.len() < TEXTS && !said.iter().any(same) {
            said.push(texts);
        }
    }
    let read = |texts: &Vec<&bartizan_core::Text>| reader.text(texts.iter().map(|text| text.value.as_str()));
    let asked = sampling(exchange, live.guard.limits());
    let asked = Asked { logprobs: asked.logprobs, bias: asked.bias.map(|bias| reader.hash(bias.as_bytes())) };
    let mut query = Query {
        text: said.first().map(read).unwrap_or_default(),
        before: said.iter().skip(1).map(read).collect(),
        asked,
        embedded: Vec::new(),
        user: user.map_or(0, |user| reader.hash(user.as_bytes())),
    };
    let mut pointer = said.first().and_then(|texts| texts.first()).map(|text| text.pointer.clone());
    if exchange.protocol == Protocol::OpenaiEmbeddings {
        let inputs = || {
            exchange.texts.iter().filter(|text| {
                text.kind == Kind::Text
                    && text.pointer.strip_prefix("/input").is_some_and(|rest| !rest.starts_with('_'))
            })
        };
        (query.text, query.before) = (Text::default(), Vec::new());
        query.embedded = reader.inputs(inputs().map(|text| text.value.as_str()));
        if query.embedded.is_empty() {
            // Tokens in place of texts.
            query.embedded.push(reader.hash(&exchange.body));
        }
        pointer = inputs().next().map(|text| text.pointer.clone());
    }
    (query, pointer.unwrap_or_default())
}

/// The messages of the user since the model last answered with words and no call, the last first. What is said in the
/// middle of an agent's loop belongs to the turn that the loop is in.
fn turn(messages: &[Message], has_text: impl Fn(&Message) -> bool) -> Vec<&Message> {
    let (mut said, mut calls) = (Vec::new(), false);
    for message in messages.iter().rev() {
        match message.origin.source {
            // Some protocols write the words and the calls of one answer as messages of their own.
            Source::Model => calls |= !message.calls.is_empty(),
            Source::User => said.push(message),
            _ => {}
        }
        if message.origin.source != Source::Model {
            calls = false;
        } else if !calls && has_text(message) {
            break;
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use bartizan_core::{Limits, Protocol};
    use serde_json::{Value, json};

    use super::turn;

    /// The texts of the turn that a chat request is in.
    fn said(messages: &Value) -> Vec<String> {
        let body = json!({"model": "m", "messages": messages}).to_string().into_bytes();
        let exchange = bartizan_wire::request(Protocol::OpenaiChat, body, &Limits::default()).unwrap();
        let value = |at: &usize| exchange.texts[*at].value.clone();
        turn(&exchange.messages, |message| !message.parts.is_empty())
            .iter()
            .flat_map(|m| m.parts.iter().map(value))
            .collect()
    }

    #[test]
    fn a_turn_does_not_end_with_a_tool_or_a_word_behind_it() {
        let user = |text: &str| json!({"role": "user", "content": text});
        let call = |text: Option<&str>| json!({"role": "assistant", "content": text, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
        let answer = json!({"role": "assistant", "content": "It is done."});
        let result = json!({"role": "tool", "tool_call_id": "c", "content": "12"});
        assert_eq!(said(&json!([user("old"), answer, user("new")])), ["new"]);
        assert_eq!(said(&json!([user("old"), answer, user("new"), call(None), result])), ["new"]);
        assert_eq!(said(&json!([user("old"), answer, user("new"), call(Some("I look.")), result])), ["new"]);
        assert_eq!(said(&json!([user("new"), result, user("go")])), ["go", "new"]);
        assert_eq!(said(&json!([user("old"), answer])), Vec::<String>::new());
    }
}
