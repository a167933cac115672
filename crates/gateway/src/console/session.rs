//! Sessions of browsers (OWASP ASVS 4.0, chapters 3 and 4.2.2): random, short, in memory, ended by the server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::{constant_time, digest, rand};
use bartizan_sign::hex;
use http::header::HeaderValue;
use http::{HeaderMap, Method};

use super::Place;
use super::account::Account;
use super::cookie::Cookie;
use crate::admin::{AdminError, Operator};
use crate::shared::Shared;

/// A session ends when nothing was asked for so long, in milliseconds.
const IDLE: u64 = 30 * 60_000;
/// A session ends after so long in any case, in milliseconds.
const LONGEST: u64 = 12 * 3_600_000;
/// A ticket may be shown within so long, in milliseconds.
const TICKET: u64 = 120_000;
/// Most sessions, and most tickets: the oldest makes place for a new one.
const MOST: usize = 256;

const CSRF: &str = "x-bartizan-csrf";

/// A secret as it is kept: who reads the memory of a dump cannot show it.
pub(super) type Hash = [u8; 32];

struct Session {
    operator: Operator,
    csrf: String,
    began: u64,
    used: u64,
}

/// Who has signed in.
pub(crate) struct Sessions {
    address: String,
    cookie: Cookie,
    account: Option<Arc<Account>>,
    open: Mutex<HashMap<Hash, Session>>,
    tickets: Mutex<HashMap<Hash, (Operator, u64)>>,
}

/// A session, for its own browser.
pub(crate) struct Opened {
    pub(crate) operator: Operator,
    /// Empty where the browser has it already.
    pub(crate) cookie: String,
    pub(crate) csrf: String,
}

impl Sessions {
    /// Of the console that browsers find there.
    pub(crate) fn new(place: &Place, account: Option<Arc<Account>>) -> Self {
        let (address, cookie) = (format!("{}/console/", place.origin), Cookie::session(place.tls));
        Self { address, cookie, account, open: Mutex::default(), tickets: Mutex::default() }
    }

    /// The cookie that sessions are known by.
    pub(super) const fn cookie(&self) -> &Cookie {
        &self.cookie
    }

    /// The account with a password, where there is one.
    pub(super) const fn account(&self) -> Option<&Arc<Account>> {
        self.account.as_ref()
    }

    /// Where the console is.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A secret that opens one session for an operator, once and soon.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn ticket(&self, operator: Operator, now: u64) -> Result<String, String> {
        let ticket = secret()?;
        let mut tickets = lock(&self.tickets);
        tickets.retain(|_, (_, made)| now.saturating_sub(*made) < TICKET);
        room(&mut tickets, |(_, made)| *made);
        tickets.insert(hash(&ticket), (operator, now));
        Ok(ticket)
    }

    /// Takes a ticket in.
    pub(crate) fn redeem(&self, ticket: &str, now: u64) -> Option<Operator> {
        let (operator, made) = lock(&self.tickets).remove(&hash(ticket))?;
        (now.saturating_sub(made) < TICKET).then_some(operator)
    }

    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn open(&self, operator: Operator, now: u64) -> Result<Opened, String> {
        let (cookie, csrf) = (secret()?, secret()?);
        let mut open = lock(&self.open);
        open.retain(|_, session| session.lives(now));
        room(&mut open, |session| session.used);
        let session = Session { operator: operator.clone(), csrf: csrf.clone(), began: now, used: now };
        open.insert(hash(&cookie), session);
        Ok(Opened { operator, cookie, csrf })
    }

    /// Whose browser asks.
    ///
    /// # Errors
    /// Nobody's, or that of someone who is no operator any more.
    pub(crate) fn known(&self, shared: &Shared, headers: &HeaderMap) -> Result<Opened, AdminError> {
        let now = shared.access.now().steady;
        let key = hash(self.cookie.of(headers).ok_or_else(AdminError::unauthorized)?);
        let mut open = lock(&self.open);
        let live = shared.live();
        let password = self.account.as_ref().and_then(|account| account.fingerprint());
        let (settings, secrets) = (&live.settings.admin, live.admission.admin());
        let good = |session: &Session| session.lives(now) && session.operator.is_still(settings, secrets, password);
        if !open.get(&key).is_some_and(good) {
            open.remove(&key);
            return Err(AdminError::unauthorized());
        }
        let session = open.get_mut(&key).ok_or_else(AdminError::unauthorized)?;
        session.used = now;
        Ok(Opened { operator: session.operator.clone(), cookie: String::new(), csrf: session.csrf.clone() })
    }

    /// The same for a request that may change something: a page of somebody else's has the cookie, but not the token.
    ///
    /// # Errors
    /// As [`Self::known`], or the token is missing or another's.
    pub(crate) fn admit(&self, shared: &Shared, method: &Method, headers: &HeaderMap) -> Result<Operator, AdminError> {
        let opened = self.known(shared, headers)?;
        let token = headers.get(CSRF).map_or(&b""[..], HeaderValue::as_bytes);
        let safe = matches!(*method, Method::GET | Method::HEAD);
        if !safe && constant_time::verify_slices_are_equal(token, opened.csrf.as_bytes()).is_err() {
            return Err(AdminError::forbidden(format!("the header `{CSRF}` of this session is needed")));
        }
        Ok(opened.operator)
    }

    /// Ends the session of a browser.
    pub(crate) fn close(&self, headers: &HeaderMap) {
        if let Some(cookie) = self.cookie.of(headers) {
            lock(&self.open).remove(&hash(cookie));
        }
    }
}

impl Session {
    fn lives(&self, now: u64) -> bool {
        now.saturating_sub(self.used) < IDLE && now.saturating_sub(self.began) < LONGEST
    }
}

pub(super) fn room<V>(map: &mut HashMap<Hash, V>, age: impl Fn(&V) -> u64) {
    if map.len() >= MOST
        && let Some(oldest) = map.iter().min_by_key(|(_, value)| age(value)).map(|(key, _)| *key)
    {
        map.remove(&oldest);
    }
}

pub(super) fn secret() -> Result<String, String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| "the system gives no random bytes".to_owned())?;
    Ok(hex(&bytes))
}

pub(super) fn hash(secret: &str) -> Hash {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
    out
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::By;
    use crate::settings::Role;

    fn operator() -> Operator {
        Operator::known("ann", Role::Viewer, [], By::Key([0; 32]))
    }

    fn sessions() -> Sessions {
        Sessions::new(&Place { origin: "http://127.0.0.1:8700".to_owned(), tls: false }, None)
    }

    #[test]
    fn a_ticket_opens_once_and_soon() {
        let sessions = sessions();
        let ticket = sessions.ticket(operator(), 0).unwrap();
        assert!(sessions.redeem("another", 1).is_none());
        assert!(sessions.redeem(&ticket, 1).is_some());
        assert!(sessions.redeem(&ticket, 2).is_none(), "it was used");
        let late = sessions.ticket(operator(), 0).unwrap();
        assert!(sessions.redeem(&late, TICKET).is_none());
    }

    #[test]
    fn sessions_end_by_themselves() {
        let at = |began, used| Session { operator: operator(), csrf: String::new(), began, used };
        assert!(at(0, 0).lives(IDLE - 1));
        assert!(!at(0, 0).lives(IDLE), "nobody was there");
        assert!(at(0, LONGEST - 1).lives(LONGEST - 1));
        assert!(!at(0, LONGEST - 1).lives(LONGEST), "however busy");
    }

    #[test]
    fn there_are_only_so_many() {
        let sessions = sessions();
        let first = sessions.open(operator(), 0).unwrap();
        for now in 1..=MOST as u64 {
            sessions.open(operator(), now).unwrap();
        }
        assert_eq!(lock(&sessions.open).len(), MOST);
        assert!(!lock(&sessions.open).contains_key(&hash(&first.cookie)), "the oldest made place");
    }
}
