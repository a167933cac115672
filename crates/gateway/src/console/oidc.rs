//! Signing people in with an identity provider. What is asked and checked is in `bartizan_access`; here are the sockets,
//! the clock, and what ties a sign-in to one browser.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use bartizan_access::{Attempt, Client, IdTokens, JwkKeys, JwtError, Now, Person, Provider, id_token_in};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http_body_util::Full;
use tokio::sync::{Semaphore, watch};

use super::Place;
use super::cookie::Cookie;
use super::limit::Limit;
use super::session::{Hash, hash, lock, room};
use crate::admin::{AdminError, By, Operator};
use crate::fetch::{fetch, get};
use crate::settings::{self, Timeouts};
use crate::shared::Shared;
use crate::upstream::{Transport, transport};

/// Where the provider sends browsers back to, below the origin.
const CALLBACK: &str = "/console/oidc/callback";

/// How long somebody may take to sign in, in milliseconds.
const PATIENCE: u64 = 600_000;

/// What a provider says of itself is asked for again after so long; where a key is unknown, after the shorter one; and
/// after the shortest at the earliest, counted from the end of the last time.
const FRESH: Duration = Duration::from_mins(5);
const AGAIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(2);

/// What is known serves for so long while it is asked for aside.
const STALE: Duration = Duration::from_hours(1);

/// Longest wait for what is asked for: where nothing is known, and where something is.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_secs(3);

/// Most who wait for it at once. Anybody can make up a token with an unknown key.
const WAITING: usize = 16;

/// Answers a minute that are taken to the provider, from one address; and how many at once, from all.
const EACH: u32 = 20;
const AT_ONCE: usize = 16;

/// Why somebody is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The answer belongs to no sign-in of this browser, to an old one, or to one that is over.
    Stale,
    /// The provider did not vouch for anybody, or not so that it could be believed.
    Unproven,
    /// None of the groups has a role.
    NoRole,
    /// Too many answers.
    TooOften,
    /// The provider does not answer.
    Unreachable,
    /// The sign-in cannot be recorded.
    Store,
}

/// What is known of the provider.
struct Known {
    provider: Provider,
    keys: JwkKeys,
    at: Instant,
}

/// How it is asked for.
#[derive(Default)]
struct Asking {
    /// Open as long as somebody asks.
    running: Option<watch::Receiver<()>>,
    /// When that was over the last time.
    ended: Option<Instant>,
}

/// Sign-in with an identity provider.
pub(crate) struct Oidc {
    settings: settings::Oidc,
    origin: String,
    redirect: String,
    cookie: Cookie,
    transport: Box<dyn Transport>,
    known: ArcSwapOption<Known>,
    asking: Mutex<Asking>,
    waiting: Semaphore,
    places: Semaphore,
    /// What seals sign-ins under way into cookies: strangers can begin as many as they like, and take no memory here.
    seal: RandomizedNonceKey,
    /// States that were answered, until they would be too old.
    answered: Mutex<HashMap<Hash, u64>>,
    limit: Limit,
}

impl Oidc {
    /// For a console that browsers find there.
    ///
    /// # Errors
    /// A setting is wrong, or the system has no root certificates.
    pub(crate) fn new(settings: &settings::Oidc, place: &Place) -> Result<Arc<Self>, String> {
        settings.check()?;
        let mut key = [0; 32];
        rand::fill(&mut key).map_err(|_| "the system gives no random bytes".to_owned())?;
        let seal = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| "no cipher".to_owned())?;
        let origin = settings.origin.clone().unwrap_or_else(|| place.origin.clone());
        Ok(Arc::new(Self {
            redirect: format!("{origin}{CALLBACK}"),
            cookie: Cookie::attempt(place.tls || origin.starts_with("https:")),
            origin,
            transport: transport(&Timeouts::default(), settings.issuer.starts_with("https:"))?,
            settings: settings.clone(),
            known: ArcSwapOption::empty(),
            asking: Mutex::default(),
            waiting: Semaphore::new(WAITING),
            places: Semaphore::new(AT_ONCE),
            seal,
            answered: Mutex::default(),
            limit: Limit::new(EACH, None),
        }))
    }

    /// Where a browser begins. The cookie and the provider's answer have to be of one host, whatever name the page has.
    pub(super) fn start_address(&self) -> String {
        format!("{}/console/oidc/start", self.origin)
    }

    /// The limit of answers.
    pub(super) const fn limit(&self) -> &Limit {
        &self.limit
    }

    /// The cookie of a sign-in under way.
    pub(super) const fn cookie(&self) -> &Cookie {
        &self.cookie
    }

    fn client<'a>(&'a self, secret: Option<&'a str>) -> Client<'a> {
        Client { id: &self.settings.client_id, secret, redirect: &self.redirect }
    }

    /// Where the browser goes, and the cookie that it takes along.
    pub(super) async fn begin(self: &Arc<Self>, now: Now) -> Result<(String, HeaderValue), Refusal> {
        let known = self.known(FRESH).await?;
        let attempt = Attempt::new().map_err(|_| Refusal::Unreachable)?;
        let address = known.provider.question(&self.client(None), &self.settings.scopes, &attempt);
        let sealed = self.seal(&attempt, now.steady).ok_or(Refusal::Unreachable)?;
        Ok((address, self.cookie.set(&sealed, Some(PATIENCE / 1000))))
    }

    /// The sign-in of a browser that comes back with an answer: the pairs of its query string.
    pub(super) fn attempt(&self, headers: &HeaderMap, query: &[(String, String)], now: u64) -> Option<Attempt> {
        let attempt = self.open(self.cookie.of(headers)?, now)?;
        let state = one(query, "state").ok()??;
        attempt.is_answered_by(state).then_some(attempt)
    }

    /// Who the provider says has come back with an answer.
    pub(super) async fn answer(
        self: &Arc<Self>,
        shared: &Shared,
        attempt: Attempt,
        query: &[(String, String)],
        now: Now,
    ) -> Result<Person, Refusal> {
        if !self.is_first(&attempt, now.steady) {
            return Err(Refusal::Stale);
        }
        let place = tokio::time::timeout(LONG, self.places.acquire()).await;
        let _place = place.map_err(|_| Refusal::Unreachable)?;
        let known = self.known(FRESH).await?;
        known.provider.check_answer(one(query, "iss")?).map_err(unproven)?;
        let code = one(query, "code")?.filter(|_| !query.iter().any(|(key, _)| key == "error"));
        let code = code.ok_or_else(|| unproven("the provider refused"))?;
        let live = shared.live();
        let question = known.provider.redeem(&self.client(live.admission.admin().client()), code, &attempt);
        let mut request = Request::post(known.provider.token())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json");
        if let Some(secret) = &question.authorization {
            request = request.header(AUTHORIZATION, secret);
        }
        let request = request.body(Full::new(Bytes::from(question.body))).map_err(unproven)?;
        let answer = fetch(request, self.transport.as_ref()).await.map_err(unproven)?;
        let token = id_token_in(&answer).map_err(unproven)?;
        self.person(&token, Some(&attempt.nonce()), now).await?.map_err(unproven)
    }

    /// Whom a token is about.
    async fn person(
        self: &Arc<Self>,
        token: &str,
        nonce: Option<&str>,
        now: Now,
    ) -> Result<Result<Person, JwtError>, Refusal> {
        let wanted = IdTokens {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            algorithms: &self.settings.algorithms,
            leeway_s: self.settings.leeway_s,
            groups: &self.settings.groups,
        };
        let seconds = now.wall.div_euclid(1000);
        let checked = wanted.verify(&self.known(FRESH).await?.keys, token, nonce, seconds);
        if checked != Err(JwtError::UnknownKey) {
            return Ok(checked);
        }
        // Providers change their keys.
        Ok(wanted.verify(&self.known(AGAIN).await?.keys, token, nonce, seconds))
    }

    /// What a person may do: the first row with one of their groups.
    pub(super) fn operator(&self, shared: &Shared, person: Person) -> Option<Operator> {
        let row = self.settings.role.iter().find(|row| person.groups.contains(&row.group))?;
        let name = self.recorded(shared, &person);
        let names = std::iter::once(person.name).chain(person.names).collect();
        Some(Operator::known(&name, row.role, row.tenants.iter().cloned(), By::Person(names)))
    }

    /// What a person is called in records: a keyed pseudonym.
    pub(super) fn recorded(&self, shared: &Shared, person: &Person) -> String {
        bartizan_access::person_in_records(shared.access.ring().hasher(), &self.settings.issuer, &person.subject)
    }

    /// The operator who shows an ID token; `None` where it is not good.
    pub(crate) async fn bearer(self: &Arc<Self>, shared: &Shared, token: &str) -> Result<Option<Operator>, AdminError> {
        match self.person(token, None, shared.access.now()).await {
            Err(_) => Err(AdminError::unavailable("the identity provider does not answer")),
            Ok(Err(reason)) => {
                tracing::debug!(%reason, "an ID token is not good");
                Ok(None)
            }
            Ok(Ok(person)) => match self.operator(shared, person) {
                Some(operator) => Ok(Some(operator)),
                None => Err(AdminError::forbidden("none of your groups may administer".to_owned())),
            },
        }
    }

    /// What is known of the provider, not older than `age` if it can be helped. Who may do with what is known does not
    /// wait for a provider that hangs.
    async fn known(self: &Arc<Self>, age: Duration) -> Result<Arc<Known>, Refusal> {
        let known = self.known.load_full();
        let old = known.as_ref().map(|known| known.at.elapsed());
        if let Some(known) = known.as_ref().filter(|_| old < Some(age)) {
            return Ok(Arc::clone(known));
        }
        let asked = self.ask_aside();
        let does = age == FRESH && old.is_some_and(|old| old < STALE);
        if let (false, Some(mut asked)) = (does, asked)
            && let Ok(_waiting) = self.waiting.try_acquire()
        {
            let patience = if known.is_some() { SHORT } else { LONG };
            let _ = tokio::time::timeout(patience, asked.changed()).await;
        }
        self.known.load_full().ok_or(Refusal::Unreachable)
    }

    /// Asks the provider what it says of itself, in a task of its own, one at a time. What is answered closes when that is
    /// over; nothing where it was over just now.
    fn ask_aside(self: &Arc<Self>) -> Option<watch::Receiver<()>> {
        let mut asking = lock(&self.asking);
        if let Some(running) = asking.running.as_ref().filter(|running| running.has_changed().is_ok()) {
            return Some(running.clone());
        }
        if asking.ended.is_some_and(|ended| ended.elapsed() < PAUSE) {
            return None;
        }
        let (over, running) = watch::channel(());
        asking.running = Some(running.clone());
        let this = Arc::clone(self);
        tokio::spawn(async move {
            match this.ask().await {
                Ok(known) => this.known.store(Some(Arc::new(known))),
                Err(reason) => tracing::warn!(reason, "the identity provider of `admin.oidc` cannot be asked"),
            }
            lock(&this.asking).ended = Some(Instant::now());
            drop(over);
        });
        Some(running)
    }

    async fn ask(&self) -> Result<Known, String> {
        let text = get(&Provider::address(&self.settings.issuer), self.transport.as_ref()).await?;
        let provider = Provider::parse(&self.settings.issuer, &text).map_err(|e| e.to_string())?;
        let text = get(provider.keys(), self.transport.as_ref()).await?;
        Ok(Known { keys: JwkKeys::parse(&text).map_err(|e| e.to_string())?, provider, at: Instant::now() })
    }

    fn seal(&self, attempt: &Attempt, now: u64) -> Option<String> {
        let mut bytes = [now.to_be_bytes().to_vec(), attempt.to_bytes()].concat();
        let nonce = self.seal.seal_in_place_append_tag(Aad::empty(), &mut bytes).ok()?;
        bytes.extend_from_slice(nonce.as_ref());
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn open(&self, sealed: &str, now: u64) -> Option<Attempt> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let nonce = bytes.split_off(bytes.len().checked_sub(NONCE_LEN)?);
        let nonce = Nonce::try_assume_unique_for_key(&nonce).ok()?;
        let opened = self.seal.open_in_place(nonce, Aad::empty(), &mut bytes).ok()?;
        let (made, attempt) = opened.split_first_chunk::<8>()?;
        let age = now.saturating_sub(u64::from_be_bytes(*made));
        (age < PATIENCE).then(|| Attempt::from_bytes(attempt)).flatten()
    }

    /// True the first time that a sign-in is answered.
    fn is_first(&self, attempt: &Attempt, now: u64) -> bool {
        let mut answered = lock(&self.answered);
        answered.retain(|_, at| now.saturating_sub(*at) < PATIENCE);
        room(&mut answered, |at| *at);
        answered.insert(hash(&attempt.state()), now).is_none()
    }
}

/// The only value of a name in a query string.
fn one<'a>(query: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut found = query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let first = found.next();
    if found.next().is_some() { Err(Refusal::Stale) } else { Ok(first) }
}

/// Why is for the log; who asks is told only that it is so.
fn unproven(reason: impl std::fmt::Display) -> Refusal {
    tracing::info!(%reason, "a sign-in with OpenID Connect failed");
    Refusal::Unproven
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::upstream::SendFuture;

    /// A provider that takes connections and says nothing.
    struct Hangs(Arc<AtomicUsize>);

    impl Transport for Hangs {
        fn send(&self, _: Request<Full<Bytes>>) -> SendFuture {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(std::future::pending())
        }
    }

    /// The public key of RFC 7517, appendix A.1.
    const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1",
        "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

    fn known(old: Duration) -> Known {
        let said = serde_json::json!({
            "issuer": "https://id.example", "authorization_endpoint": "https://id.example/auth",
            "jwks_uri": "https://id.example/keys", "token_endpoint": "https://id.example/token",
        });
        let provider = Provider::parse("https://id.example", said.to_string().as_bytes()).unwrap();
        let at = Instant::now().checked_sub(old).unwrap();
        Known { provider, keys: JwkKeys::parse(KEYS.as_bytes()).unwrap(), at }
    }

    #[test]
    fn nobody_waits_for_a_provider_that_hangs_where_what_is_known_does() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let settings = serde_json::json!({
                "issuer": "http://localhost", "client_id": "us", "role": [{"group": "g", "role": "viewer"}],
            });
            let place = Place { origin: "http://127.0.0.1:8700".to_owned(), tls: false };
            let mut oidc = Oidc::new(&serde_json::from_value(settings).unwrap(), &place).unwrap();
            let asked = Arc::new(AtomicUsize::new(0));
            Arc::get_mut(&mut oidc).unwrap().transport = Box::new(Hangs(Arc::clone(&asked)));
            oidc.known.store(Some(Arc::new(known(FRESH * 2))));
            let began = Instant::now();
            for _ in 0..20 {
                assert!(oidc.known(FRESH).await.is_ok());
                tokio::task::yield_now().await;
            }
            assert!(began.elapsed() < SHORT, "{:?}", began.elapsed());
            assert_eq!(asked.load(Ordering::Relaxed), 1, "one asks");
            // Where it does not, few wait, and not for ever.
            let waiting: Vec<_> = (0..WAITING)
                .map(|_| {
                    let oidc = Arc::clone(&oidc);
                    tokio::spawn(async move { oidc.known(AGAIN).await.is_ok() })
                })
                .collect();
            tokio::task::yield_now().await;
            let began = Instant::now();
            assert!(oidc.known(AGAIN).await.is_ok() && began.elapsed() < SHORT);
            waiting.iter().for_each(tokio::task::JoinHandle::abort);
        });
    }
}
