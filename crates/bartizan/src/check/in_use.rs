//! `check --verify-secrets`: asks the providers of the keys that were found whether they are in use.
//!
//! Each key goes to its own provider and nowhere else, over TLS, in a request that changes nothing there. Nothing of
//! it is written down: what is said names the provider's host.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use bartizan_core::finding::InUse;
use bartizan_core::{Family, Finding, View};
use bartizan_gateway::{Timeouts, Transport, transport};
use bartizan_guard::Decision;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;

use crate::problem::Problem;

/// Most keys that are asked about in one run.
const MOST: usize = 200;
/// Time for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer that are read.
const ANSWER: usize = 64 << 10;

/// How a provider is asked about a key. In headers and paths, `{}` is the key.
struct Provider {
    rules: &'static [&'static str],
    origin: &'static str,
    path: &'static str,
    /// POST instead of GET.
    posts: bool,
    headers: &'static [(&'static str, &'static str)],
    /// Statuses that only a key in use gets. A provider that knows the key but lets it do less answers 403.
    accepted: &'static [u16],
    /// Statuses that say that there is no such key.
    refused: &'static [u16],
    /// What the body of an answer about a good key holds, where the status is the same for all.
    says: Option<&'static str>,
}

const BEARER: &[(&str, &str)] = &[("authorization", "Bearer {}")];

const fn get(rules: &'static [&'static str], origin: &'static str, path: &'static str) -> Provider {
    let headers = BEARER;
    Provider { rules, origin, path, posts: false, headers, accepted: &[200, 403], refused: &[401], says: None }
}

/// The providers that have an address for this: who am I, or a list that costs nothing. Their own API references say
/// so.
const PROVIDERS: &[Provider] = &[
    get(&["secret/github-token", "secret/github-fine-grained-token"], "https://api.github.com", "/user"),
    Provider {
        headers: &[("private-token", "{}")],
        ..get(&["secret/gitlab-token"], "https://gitlab.com", "/api/v4/personal_access_tokens/self")
    },
    Provider {
        posts: true,
        accepted: &[200],
        says: Some("\"ok\":true"),
        ..get(&["secret/slack-token"], "https://slack.com", "/api/auth.test")
    },
    get(&["secret/openai-key"], "https://api.openai.com", "/v1/models"),
    Provider {
        headers: &[("x-api-key", "{}"), ("anthropic-version", "2023-06-01")],
        ..get(&["secret/anthropic-key"], "https://api.anthropic.com", "/v1/models")
    },
    get(&["secret/huggingface-token"], "https://huggingface.co", "/api/whoami-v2"),
    get(&["secret/groq-key"], "https://api.groq.com", "/openai/v1/models"),
    get(&["secret/mistral-key"], "https://api.mistral.ai", "/v1/models"),
    get(&["secret/cohere-key"], "https://api.cohere.com", "/v1/models"),
    get(&["secret/openrouter-key"], "https://openrouter.ai", "/api/v1/key"),
    get(&["secret/deepseek-key"], "https://api.deepseek.com", "/models"),
    get(&["secret/replicate-token"], "https://api.replicate.com", "/v1/account"),
    get(&["secret/stripe-key", "secret/stripe-test-key"], "https://api.stripe.com", "/v1/balance"),
    get(&["secret/npm-token"], "https://registry.npmjs.org", "/-/whoami"),
    get(&["secret/sendgrid-key"], "https://api.sendgrid.com", "/v3/scopes"),
    get(&["secret/digitalocean-token"], "https://api.digitalocean.com", "/v2/account"),
    Provider {
        headers: &[],
        refused: &[401, 404],
        ..get(&["secret/telegram-bot-token"], "https://api.telegram.org", "/bot{}/getMe")
    },
    Provider {
        headers: &[("authorization", "Bot {}")],
        ..get(&["secret/discord-bot-token"], "https://discord.com", "/api/v10/users/@me")
    },
    Provider {
        refused: &[400, 401],
        ..get(&["secret/cloudflare-token"], "https://api.cloudflare.com", "/client/v4/user/tokens/verify")
    },
    Provider {
        headers: &[("authorization", "Bearer {}"), ("notion-version", "2022-06-28")],
        ..get(&["secret/notion-token"], "https://api.notion.com", "/v1/users/me")
    },
    Provider { headers: &[("x-api-key", "{}")], ..get(&["secret/postman-key"], "https://api.getpostman.com", "/me") },
    get(&["secret/doppler-token"], "https://api.doppler.com", "/v3/me"),
    get(&["secret/airtable-token"], "https://api.airtable.com", "/v0/meta/whoami"),
    Provider {
        headers: &[("x-figma-token", "{}")],
        refused: &[401, 403],
        accepted: &[200],
        ..get(&["secret/figma-token"], "https://api.figma.com", "/v1/me")
    },
    get(&["secret/asana-token"], "https://app.asana.com", "/api/1.0/users/me"),
    get(&["secret/netlify-token"], "https://api.netlify.com", "/api/v1/user"),
    get(&["secret/vercel-token"], "https://api.vercel.com", "/v2/user"),
    Provider {
        headers: &[("authorization", "Bearer {}"), ("accept", "application/vnd.heroku+json; version=3")],
        ..get(&["secret/heroku-key"], "https://api.heroku.com", "/account")
    },
    Provider {
        headers: &[("circle-token", "{}")],
        ..get(&["secret/circleci-token"], "https://circleci.com", "/api/v2/me")
    },
    Provider { headers: &[("api-key", "{}")], ..get(&["secret/brevo-key"], "https://api.brevo.com", "/v3/account") },
];

/// What was said of one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) in_use: InUse,
    /// For people: who said it, or why nobody did.
    pub(crate) by: String,
}

/// Asks about every key among the findings. The answers are in the order of the findings; `None` is no key, or one of a
/// kind that nobody can be asked about.
pub(crate) fn ask(decision: &Decision) -> anyhow::Result<Vec<Option<Said>>> {
    let timeouts = Timeouts { connect_ms: 5000, ..Timeouts::default() };
    let transport = transport(&timeouts, true).map_err(Problem::new)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(ask_all(transport.as_ref(), None, &decision.findings, &decision.texts)))
}

/// `at` is the origin that stands for all providers in tests.
async fn ask_all<T: AsRef<str>>(
    transport: &dyn Transport,
    at: Option<&str>,
    findings: &[Finding],
    texts: &[T],
) -> Vec<Option<Said>> {
    // The same key in two places is asked about once.
    let mut known: BTreeMap<(&str, &str), Said> = BTreeMap::new();
    let mut said = Vec::with_capacity(findings.len());
    for (finding, text) in findings.iter().zip(texts) {
        let Some(provider) = provider(finding) else {
            said.push(None);
            continue;
        };
        let key = finding.span().of(text.as_ref());
        let place = (provider.origin, key);
        if !known.contains_key(&place) {
            let answer = if known.len() < MOST {
                ask_one(transport, at.unwrap_or(provider.origin), provider, key).await
            } else {
                Said { in_use: InUse::Unknown, by: format!("not asked: there are more than {MOST} keys") }
            };
            known.insert(place, answer);
        }
        said.push(known.get(&place).cloned());
    }
    said
}

/// A key that stands there as it is: what had to be decoded first is not in the text.
fn provider(finding: &Finding) -> Option<&'static Provider> {
    let plain = matches!(finding.view, View::Raw | View::Clean) && finding.rule.family() == Family::Secret;
    PROVIDERS.iter().find(|p| plain && p.rules.contains(&finding.rule.as_str()))
}

async fn ask_one(transport: &dyn Transport, origin: &str, provider: &Provider, key: &str) -> Said {
    let host = provider.origin.trim_start_matches("https://");
    let unknown = |why: &str| Said { in_use: InUse::Unknown, by: format!("{host}: {why}") };
    let Ok(request) = request(origin, provider, key) else {
        return unknown("the key has characters that no request can hold");
    };
    let answer = tokio::time::timeout(PATIENCE, async {
        let reply = transport.send(request).await.map_err(|_| "it cannot be reached")?;
        let status = reply.status().as_u16();
        let body = Limited::new(reply.into_body(), ANSWER).collect().await;
        Ok((status, body.map(http_body_util::Collected::to_bytes).unwrap_or_default()))
    });
    match answer.await {
        Err(_) => unknown("it does not answer"),
        Ok(Err(why)) => unknown(why),
        Ok(Ok((status, body))) => match judge(provider, status, &body) {
            Some(true) => Said { in_use: InUse::Accepted, by: format!("{host} accepts it") },
            Some(false) => Said { in_use: InUse::Refused, by: format!("{host} refuses it") },
            None => unknown(&format!("its answer {status} says neither")),
        },
    }
}

fn request(origin: &str, provider: &Provider, key: &str) -> anyhow::Result<Request<Full<Bytes>>> {
    let mut request = Request::builder()
        .method(if provider.posts { Method::POST } else { Method::GET })
        .uri(format!("{origin}{}", provider.path.replace("{}", key)))
        .header("user-agent", concat!("bartizan/", env!("CARGO_PKG_VERSION")));
    for (name, value) in provider.headers {
        request = request.header(*name, value.replace("{}", key));
    }
    request.body(Full::default()).context("no request")
}

fn judge(provider: &Provider, status: u16, body: &[u8]) -> Option<bool> {
    if provider.refused.contains(&status) {
        return Some(false);
    }
    if !provider.accepted.contains(&status) {
        return None;
    }
    let Some(says) = provider.says else { return Some(true) };
    let plain: Vec<u8> = body.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    Some(plain.windows(says.len()).any(|part| part == says.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_guard::{Guard, Settings};
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    #[test]
    fn every_row_is_about_a_rule_and_speaks_tls() {
        let guard = Guard::new(&Settings::default()).expect("a guard");
        for row in PROVIDERS {
            for id in row.rules {
                assert!(guard.rules().any(|rule| rule.id.as_str() == *id), "{id}");
            }
            assert!(row.origin.starts_with("https://") && row.path.starts_with('/'), "{}", row.origin);
            let places = row.headers.iter().map(|(_, value)| *value).chain([row.path]);
            assert_eq!(places.filter(|place| place.contains("{}")).count(), 1, "{}: the key goes one way", row.origin);
        }
    }

    #[test]
    fn a_key_is_sent_to_its_provider_once_and_the_answer_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let mut head = String::new();
                let mut lines = BufReader::new(&socket);
                while lines.read_line(&mut head).is_ok_and(|n| n > 2) {}
                let status = if head.contains("ghp_") { "200 OK" } else { "401 Unauthorized" };
                kept.lock().expect("no panic").push(head);
                let _ = write!(&socket, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        let guard = Guard::new(&Settings::default()).expect("a guard");
        let github = format!("ghp_{}", "k3Jd92LmQx7Rt5Vw8Yz1Bc4Nf6Hp0SgAeUiO");
        let gitlab = format!("glpat-{}", "x7Kq2mV9Rt4Lw8Zb3Nc6");
        let text = format!("one {github} and again {github}\nother {gitlab}\nmail ann.lee@example.org\n");
        let decision = guard.check_text(&text, bartizan_core::Source::User);
        let transport = transport(&Timeouts::default(), false).expect("a client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let said = runtime.block_on(ask_all(transport.as_ref(), Some(&origin), &decision.findings, &decision.texts));
        let by_rule = |rule: &str| -> Vec<_> {
            let both = decision.findings.iter().zip(&said);
            both.filter(|(f, _)| f.rule.as_str() == rule).map(|(_, s)| s.as_ref().map(|s| s.in_use)).collect()
        };
        assert_eq!(by_rule("secret/github-token"), [Some(InUse::Accepted); 2], "{:?}", decision.findings);
        assert_eq!(by_rule("secret/gitlab-token"), [Some(InUse::Refused)]);
        assert_eq!(by_rule("pii/email"), [None]);
        let heads = heads.lock().expect("no panic");
        assert_eq!(heads.iter().filter(|h| h.contains(&github)).count(), 1, "asked once");
        assert!(said.iter().flatten().all(|s| !s.by.contains(&github) && !s.by.contains(&gitlab)), "{said:?}");
    }

    #[test]
    fn one_status_for_all_is_told_apart_by_the_body() {
        let slack = PROVIDERS.iter().find(|p| p.says.is_some()).expect("a row");
        assert_eq!(judge(slack, 200, b"{\"ok\": true}"), Some(true));
        assert_eq!(judge(slack, 200, b"{\"ok\": false, \"error\": \"invalid_auth\"}"), Some(false));
        assert_eq!(judge(slack, 500, b""), None);
    }
}
