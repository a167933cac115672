//! Asking: one place for limits, repetitions, and what is an answer.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::ask::{Answer, Ask, Block, Usage};
use crate::budget::Spent;
use crate::failure::{Failure, FailureKind};
use crate::rate::Rate;
use crate::said::{self, Secrets};
use crate::settings::{Dialect, Endpoint, HeaderText, SettingsError};
use crate::template::Form;
use crate::web::{Got, Web, failed};
use crate::{anthropic, command, mcp, openai};

/// Longest pause between two attempts.
const LONGEST: Duration = Duration::from_secs(10);

/// Pause before the second attempt; it doubles with each.
const FIRST: Duration = Duration::from_millis(100);

/// Codes with which guards and providers say that they stopped something.
const BLOCKS: &[&str] = &["content_policy_violation", "content_filter", "content_filtered", "guardrail_intervened"];

/// An endpoint, ready to be asked. Cheap to share behind an [`Arc`].
pub struct Client {
    endpoint: Endpoint,
    base: String,
    /// The query of the address with its `?`; it stands behind the path that the dialect adds.
    query: String,
    headers: HeaderMap,
    secrets: Secrets,
    web: Option<Web>,
    form: Option<Form>,
    rate: Rate,
    places: Semaphore,
    spent: Arc<Spent>,
}

impl Client {
    /// Reads keys and prepares the connection. `spent` is the budget that its questions count against.
    ///
    /// # Errors
    /// A setting, address or secret is wrong, or a key would go over an open connection.
    pub fn new(endpoint: Endpoint, spent: Arc<Spent>) -> Result<Self, SettingsError> {
        endpoint.validate()?;
        let headers = headers(&endpoint)?;
        let (mut web, mut base, mut query) = (None, String::new(), String::new());
        if endpoint.kind != Dialect::Command {
            let secret = headers.values().any(HeaderValue::is_sensitive);
            let encrypted;
            ((base, query), encrypted) = base_of(&endpoint, secret)?;
            web = Some(Web::new(encrypted, endpoint.ca.as_deref())?);
        }
        let form = endpoint.http.as_ref().filter(|_| endpoint.kind == Dialect::Http).map(Form::new).transpose()?;
        let secrets = Secrets::of(&headers);
        let (rate, places) = (Rate::new(endpoint.requests_per_second), Semaphore::new(endpoint.concurrency));
        Ok(Self { endpoint, base, query, headers, secrets, web, form, rate, places, spent })
    }

    /// Its settings.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What was used of the budget.
    #[must_use]
    pub fn spent(&self) -> &Spent {
        &self.spent
    }

    /// Asks, and asks again where it was turned away.
    ///
    /// # Errors
    /// There is no answer. The kind says why.
    pub async fn ask(&self, ask: &Ask) -> Result<Answer, Failure> {
        let _place = self.places.acquire().await;
        let mut attempts = 0;
        loop {
            self.rate.wait().await;
            let most = if self.spent.counts_tokens() { ask.most(self.endpoint.max_tokens) } else { Usage::default() };
            let held = self.spent.take(most).await.map_err(|f| Failure { attempts, ..f })?;
            attempts += 1;
            let failure = match self.once(ask).await {
                Ok(Answer::Reply(mut reply)) => {
                    if reply.usage.estimated {
                        let called: usize = reply.calls.iter().map(|c| c.arguments.len()).sum();
                        reply.usage.input = tokens(ask.bytes());
                        reply.usage.output = tokens(reply.text.len() + reply.reasoning.len() + called);
                    }
                    held.note(reply.usage);
                    return Ok(Answer::Reply(reply));
                }
                Ok(blocked) => return Ok(blocked),
                // What is under way when the time of the run is over is given up.
                Err(failure) if failure.kind == FailureKind::Timeout && self.spent.left() == Some(Duration::ZERO) => {
                    return Err(Failure {
                        attempts,
                        ..Failure::new(FailureKind::Budget, "the budget of time is used up")
                    });
                }
                Err(failure) => {
                    let tidy = |text: &str| self.secrets.tidy(text);
                    let (detail, said) = (tidy(&failure.detail), tidy(&failure.said));
                    Failure { attempts, detail, said, redirect: failure.redirect.as_deref().map(tidy), ..failure }
                }
            };
            if attempts > self.endpoint.retries || !failure.kind.may_be_repeated() {
                return Err(failure);
            }
            drop(held);
            match pause(attempts, failure.retry_after) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failure),
            }
        }
    }

    async fn once(&self, ask: &Ask) -> Result<Answer, Failure> {
        let endpoint = &self.endpoint;
        let patience = Duration::from_millis(endpoint.timeout_ms);
        let patience = self.spent.left().map_or(patience, |left| patience.min(left));
        let (model, most) = (endpoint.model.as_str(), endpoint.max_reply_bytes);
        let max_tokens = ask.max_tokens.unwrap_or(endpoint.max_tokens);
        let temperature = ask.temperature.or(endpoint.temperature);
        let Some(web) = &self.web else {
            let (line, ask, model) = (endpoint.command.clone(), ask.clone(), model.to_owned());
            let run = tokio::task::spawn_blocking(move || command::run(&line, &ask, &model, patience, most));
            return run.await.unwrap_or_else(|_| Err(Failure::new(FailureKind::Command, "it could not be waited for")));
        };
        if let (Dialect::Mcp, Some(tool)) = (endpoint.kind, &endpoint.mcp) {
            let line = mcp::Line { web, uri: self.uri("")?, headers: self.headers.clone(), patience, most };
            return mcp::ask(&line, tool, ask).await;
        }
        let (method, path, body) = match (endpoint.kind, &self.form) {
            (Dialect::Anthropic, _) => {
                if ask.completion.is_some() {
                    return Err(Failure::new(FailureKind::Rejected, "this dialect has no raw completions"));
                }
                (Method::POST, "/v1/messages", anthropic::encode(ask, model, max_tokens, temperature))
            }
            (_, Some(form)) => (form.method.clone(), "", form.encode(ask, model)),
            _ => {
                let (path, body) = openai::encode(ask, model, max_tokens, temperature);
                (Method::POST, path, body)
            }
        };
        let uri = self.uri(path)?;
        let got = web.send((method, uri, self.headers.clone()), body.to_string().into_bytes(), patience, most).await?;
        self.understand(&got)
    }

    fn uri(&self, path: &str) -> Result<Uri, Failure> {
        let whole = format!("{}{path}{}", self.base, self.query);
        whole.parse().map_err(|_| Failure::new(FailureKind::Rejected, "the address cannot be used"))
    }

    fn understand(&self, got: &Got) -> Result<Answer, Failure> {
        let parsed = serde_json::from_slice::<Value>(&got.body);
        if !got.status.is_success() {
            let (code, event) = parsed.as_ref().map(reason).unwrap_or_default();
            let stopped = code.filter(|c| BLOCKS.contains(c)).or(event.map(|_| "blocked"));
            if let (Some(code), 400..=499) = (stopped, got.status.as_u16())
                && !matches!(got.status.as_u16(), 401 | 408 | 429)
            {
                let event = event.map(str::to_owned);
                return Ok(Answer::Blocked(Block { code: code.to_owned(), event, rules: Vec::new() }));
            }
            if let Some(failure) = failed(got, code) {
                return Err(failure);
            }
        }
        let answer = match (&self.form, &parsed, self.endpoint.kind) {
            (Some(form), ..) => form.decode(&got.body),
            (None, Err(_), _) => Err(Failure::malformed("not JSON")),
            (None, Ok(body), Dialect::Anthropic) => anthropic::decode(body),
            (None, Ok(body), _) => openai::decode(body),
        };
        answer.map_err(|failure| {
            let said = match &parsed {
                // What is no error may be the reply, in a place where nobody looks.
                Ok(body) => said::message(body).unwrap_or_default(),
                Err(_) => said::of_body(&got.body),
            };
            let said = if failure.said.is_empty() { said } else { failure.said };
            Failure { status: Some(got.status.as_u16()), said, ..failure }
        })
    }
}

/// The code of an error and the id of a guard's record, where they are plain words. A body is hostile, and what it says
/// goes to reports.
fn reason(body: &Value) -> (Option<&str>, Option<&str>) {
    let plain = |v: &'_ &str| {
        (1..=80).contains(&v.len()) && v.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    };
    let error = &body["error"];
    let code = error["code"].as_str().or_else(|| error["type"].as_str()).filter(plain);
    let event = error["event_id"].as_str().or_else(|| body["event_id"].as_str()).filter(plain);
    (code, event)
}

/// A fourth of the bytes: the usual rule of thumb for English.
fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

/// How long to wait after attempt number `attempts`; none where the endpoint asks for more than is sensible.
fn pause(attempts: u32, asked: Option<u64>) -> Option<Duration> {
    let step = FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(6));
    let asked = Duration::from_secs(asked.unwrap_or(0));
    (asked <= LONGEST).then(|| step.max(asked).min(LONGEST))
}

fn headers(endpoint: &Endpoint) -> Result<HeaderMap, SettingsError> {
    let mut all = HeaderMap::new();
    all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let streams = endpoint.http.as_ref().is_some_and(|t| t.stream);
    all.insert(ACCEPT, HeaderValue::from_static(if streams { "text/event-stream" } else { "application/json" }));
    let broken = |name: &str| SettingsError::Setting(format!("header `{name}` cannot be sent"));
    let secret = |text: &str, name: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|_| broken(name))?;
        value.set_sensitive(true);
        Ok::<_, SettingsError>(value)
    };
    if let Some(key) = &endpoint.key {
        let key = key.resolve().map_err(|e| SettingsError::Secret(format!("key: {e}")))?;
        if endpoint.kind == Dialect::Anthropic {
            all.insert("x-api-key", secret(&key, "x-api-key")?);
        } else {
            all.insert(AUTHORIZATION, secret(&format!("Bearer {key}"), "authorization")?);
        }
    }
    if endpoint.kind == Dialect::Anthropic {
        all.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    }
    for (name, text) in &endpoint.headers {
        let header: HeaderName = name.parse().map_err(|_| broken(name))?;
        let value = match text {
            HeaderText::Secret(reference) => {
                let text = reference.resolve().map_err(|e| SettingsError::Secret(format!("header `{name}`: {e}")))?;
                secret(&text, name)?
            }
            HeaderText::Plain(text) => HeaderValue::from_str(text).map_err(|_| broken(name))?,
        };
        all.insert(header, value);
    }
    Ok(all)
}

/// The address without the part that the dialect adds, its query, and whether it is encrypted.
fn base_of(endpoint: &Endpoint, secret: bool) -> Result<((String, String), bool), SettingsError> {
    let wrong = |reason: &str| SettingsError::Url { url: endpoint.url.clone(), reason: reason.to_owned() };
    let uri: Uri = endpoint.url.parse().map_err(|_| wrong("it is no address"))?;
    let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let (scheme, encrypted) = match uri.scheme_str() {
        Some("https") => ("https", true),
        Some("http") if secret && !here => {
            return Err(wrong("a key may not go over an open connection; use `https://`"));
        }
        Some("http") => ("http", false),
        _ => return Err(wrong("it starts with neither `https://` nor `http://`")),
    };
    let (path, trimmed) = (uri.path(), uri.path().trim_end_matches('/'));
    let path = match endpoint.kind {
        Dialect::Openai if trimmed.is_empty() => "/v1",
        Dialect::Openai => trimmed.trim_end_matches("/chat/completions"),
        Dialect::Anthropic => trimmed.trim_end_matches("/messages").trim_end_matches("/v1"),
        Dialect::Http | Dialect::Mcp | Dialect::Command => path,
    };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Ok(((format!("{scheme}://{authority}{path}"), query), encrypted))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
