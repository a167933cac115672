//! The way into the console and what keeps others out (OWASP ASVS 4.0, level 1: chapters 3, 4.2.2, 14.4 and 14.5).

use bartizan_core::{Deed, TenantId};
use bartizan_gateway::{AdminKey, Role, SecretRef, Settings};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::faults::configuration;
use crate::support::{Running, admin, http1, question, start, timely};

pub(crate) const KEY: &str = "key-of-the-operator-0123456789";
pub(crate) const LOOKS: &str = "key-of-the-viewer-0123456789ab";

pub(crate) fn with_keys(folder: &tempfile::TempDir, settings: &mut Settings) {
    for (name, role, secret) in [("ann", Role::Operator, KEY), ("bob", Role::Viewer, LOOKS)] {
        let path = folder.path().join(name);
        std::fs::write(&path, secret).unwrap();
        let key = SecretRef::File(path);
        settings.admin.key.push(AdminKey { name: name.to_owned(), key, role, tenants: Vec::new() });
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn cookie(&self) -> String {
        let set = self.headers.get("set-cookie").expect("a cookie").to_str().unwrap();
        set.split(';').next().unwrap().to_owned()
    }
}

pub(crate) async fn ask(gateway: &Running, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut request = Request::builder().method(method).uri(format!("http://localhost{path}"));
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response =
        http1(TcpStream::connect(gateway.address).await.unwrap(), request.body(Full::from(body)).unwrap()).await;
    let (parts, body) = response.into_parts();
    Answer { status: parts.status, headers: parts.headers, body: body.to_vec() }
}

/// Signs in with a key; answers with the cookie and the token.
pub(crate) async fn sign_in(gateway: &Running, key: &str) -> (String, String) {
    let answer = ask(gateway, "POST", "/console/session", &[], &json!({ "key": key })).await;
    assert_eq!(answer.status, StatusCode::OK);
    (answer.cookie(), answer.json()["csrf"].as_str().unwrap().to_owned())
}

#[test]
fn pages_are_served_with_nothing_that_could_run_what_they_show() {
    timely(async {
        let gateway = start(|_| {}).await;
        let page = ask(&gateway, "GET", "/console/", &[], &Value::Null).await;
        assert_eq!(page.status, StatusCode::OK);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        let html = String::from_utf8(page.body.clone()).unwrap();
        assert!(!html.contains("<script>") && !html.contains(" on") && !html.contains("http:"), "{html}");
        for file in ["app.js", "app.css", "icon.svg"] {
            assert!(html.contains(file), "{file} is loaded");
            let found = ask(&gateway, "GET", &format!("/console/{file}"), &[], &Value::Null).await;
            assert_eq!(found.status, StatusCode::OK, "{file}");
            let tag = found.headers["etag"].to_str().unwrap();
            let again =
                ask(&gateway, "GET", &format!("/console/{file}"), &[("if-none-match", tag)], &Value::Null).await;
            assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{file}");
        }
        let moved = ask(&gateway, "GET", "/console", &[], &Value::Null).await;
        assert_eq!(
            (moved.status, &moved.headers["location"]),
            (StatusCode::PERMANENT_REDIRECT, &"/console/".parse().unwrap())
        );
        assert_eq!(ask(&gateway, "GET", "/console/../x", &[], &Value::Null).await.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_session_is_needed_and_ends_when_it_is_told_to() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let gateway = start(|settings| with_keys(&folder, settings)).await;
        let status = "/console/admin/v1/status";
        for headers in [
            &[][..],
            &[("authorization", "Bearer key-of-the-operator-0123456789")],
            &[("cookie", "bartizan_console=0123")],
        ] {
            assert_eq!(ask(&gateway, "GET", status, headers, &Value::Null).await.status, StatusCode::UNAUTHORIZED);
        }
        for body in [json!({"key": "wrong-key-0123456789"}), json!({"ticket": "00"}), json!({"key": ""})] {
            let refused = ask(&gateway, "POST", "/console/session", &[], &body).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
            assert!(!refused.headers.contains_key("set-cookie"));
        }
        let answer = ask(&gateway, "POST", "/console/session", &[], &json!({ "key": KEY })).await;
        let set = answer.headers["set-cookie"].to_str().unwrap().to_owned();
        for part in ["HttpOnly", "SameSite=Strict", "Path=/console"] {
            assert!(set.contains(part), "{set}");
        }
        assert_eq!(answer.json()["role"], "operator");
        let (first, csrf) = (answer.cookie(), answer.json()["csrf"].as_str().unwrap().to_owned());
        let (second, _) = sign_in(&gateway, KEY).await;
        assert_ne!(first, second, "each sign-in has a session of its own");
        assert_eq!(ask(&gateway, "GET", status, &[("cookie", &first)], &Value::Null).await.status, StatusCode::OK);
        let known = ask(&gateway, "GET", "/console/session", &[("cookie", &first)], &Value::Null).await;
        assert_eq!(known.json()["csrf"], csrf.as_str(), "a page that is loaded again goes on");
        let out = ask(&gateway, "DELETE", "/console/session", &[("cookie", &first)], &Value::Null).await;
        assert_eq!(out.status, StatusCode::FORBIDDEN, "others cannot sign one out");
        let both = [("cookie", first.as_str()), ("x-bartizan-csrf", csrf.as_str())];
        let out = ask(&gateway, "DELETE", "/console/session", &both, &Value::Null).await;
        assert_eq!(out.status, StatusCode::OK);
        assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
        assert_eq!(
            ask(&gateway, "GET", status, &[("cookie", &first)], &Value::Null).await.status,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(ask(&gateway, "GET", status, &[("cookie", &second)], &Value::Null).await.status, StatusCode::OK);
    });
}

#[test]
fn other_pages_can_do_nothing_with_a_session() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let gateway = start(|settings| with_keys(&folder, settings)).await;
        let (cookie, csrf) = sign_in(&gateway, KEY).await;
        let check = "/console/admin/v1/check";
        let body = json!({"text": "Good day"});
        let cases: &[(&[(&str, &str)], StatusCode)] = &[
            (&[("x-bartizan-csrf", &csrf)], StatusCode::OK),
            (&[], StatusCode::FORBIDDEN),
            (&[("x-bartizan-csrf", "")], StatusCode::FORBIDDEN),
            (&[("x-bartizan-csrf", "0000")], StatusCode::FORBIDDEN),
            (&[("x-bartizan-csrf", &csrf), ("origin", "https://evil.example")], StatusCode::FORBIDDEN),
            (&[("x-bartizan-csrf", &csrf), ("origin", "null")], StatusCode::FORBIDDEN),
            (&[("x-bartizan-csrf", &csrf), ("origin", "http://localhost")], StatusCode::OK),
        ];
        for (more, expected) in cases {
            let mut headers = vec![("cookie", cookie.as_str())];
            headers.extend_from_slice(more);
            assert_eq!(ask(&gateway, "POST", check, &headers, &body).await.status, *expected, "{more:?}");
        }
        // A name that was made to point here (DNS rebinding).
        for host in ["evil.example", "evil.example:8700"] {
            let body = json!({ "key": KEY });
            let answer = ask(&gateway, "POST", "/console/session", &[("host", host)], &body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{host}");
        }
    });
}

#[test]
fn a_role_is_what_it_is_over_the_admin_api() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let gateway = start(|settings| with_keys(&folder, settings)).await;
        let (cookie, csrf) = sign_in(&gateway, LOOKS).await;
        let headers = [("cookie", cookie.as_str()), ("x-bartizan-csrf", csrf.as_str())];
        let look = ask(&gateway, "GET", "/console/admin/v1/rules", &headers, &Value::Null).await;
        assert_eq!(look.status, StatusCode::OK);
        let cut = json!({"target": "model", "name": "m", "ttl_s": 60, "reason": "test"});
        let change = ask(&gateway, "POST", "/console/admin/v1/containments", &headers, &cut).await;
        assert_eq!(change.status, StatusCode::FORBIDDEN);
        let ticket = ask(&gateway, "POST", "/console/admin/v1/console/tickets", &headers, &Value::Null).await;
        assert_eq!(ticket.status, StatusCode::FORBIDDEN);
    });
}

#[test]
fn lists_are_filtered_paged_and_counted() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let gateway = start(|settings| with_keys(&folder, settings)).await;
        for _ in 0..5 {
            http1(TcpStream::connect(gateway.address).await.unwrap(), question()).await;
        }
        let (cookie, _) = sign_in(&gateway, LOOKS).await;
        let get = async |path: &str| {
            let answer =
                ask(&gateway, "GET", &format!("/console/admin/v1/{path}"), &[("cookie", &cookie)], &Value::Null).await;
            (answer.status, answer.json())
        };
        let (_, all) = get("events").await;
        let all = all.as_array().unwrap().clone();
        assert_eq!(all.len(), 10, "a request and a reply each");
        let mut paged = Vec::new();
        let mut before = String::new();
        while paged.len() < all.len() {
            let (_, page) = get(&format!("events?limit=3{before}")).await;
            let page = page.as_array().unwrap().clone();
            before = format!("&before={}", page.last().expect("more")["seq"]);
            paged.extend(page);
        }
        assert_eq!(paged, all);
        assert_eq!(get("events?verdict=deny,hold").await.1, json!([]));
        assert_eq!(get("events?verdict=allow").await.1.as_array().unwrap().len(), 10);
        assert_eq!(get("events?rule=prompt/instruction-override").await.1, json!([]));
        assert_eq!(get("events?since=2999-01-01T00:00:00Z").await.1, json!([]));
        for bad in ["verdict=maybe", "rule=nonsense", "before=x", "since=yesterday", "limit=0"] {
            assert_eq!(get(&format!("events?{bad}")).await.0, StatusCode::BAD_REQUEST, "{bad}");
        }
        let (_, tally) = get("tally").await;
        let counted: u64 =
            tally["hours"].as_array().unwrap().iter().map(|one| one["decisions"].as_u64().unwrap()).sum();
        assert_eq!((counted, &tally["cut"]), (10, &json!(false)));
    });
}

#[test]
fn where_others_can_reach_it_there_is_no_console() {
    timely(async {
        let gateway = start(|settings| settings.console.enabled = Some(false)).await;
        for path in ["/console", "/console/", "/console/session", "/console/admin/v1/status"] {
            assert_eq!(ask(&gateway, "GET", path, &[], &Value::Null).await.status, StatusCode::NOT_FOUND, "{path}");
        }
    });
}

/// Reads the configuration of a gateway anew, with its secrets.
pub(crate) async fn reload(gateway: &Running) -> Result<(), String> {
    let (reloader, next) = (gateway.reloader.clone(), configuration(gateway.settings.clone()));
    let taken = tokio::task::spawn_blocking(move || reloader.swap(next)).await.unwrap();
    taken.map_err(|rejected| rejected.reason)
}

#[test]
fn a_key_that_was_replaced_opens_nothing_any_more() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let gateway = start(|settings| {
            with_keys(&folder, settings);
            settings.admin.listen = Some("127.0.0.1:0".to_owned());
        })
        .await;
        let at = gateway.admin.unwrap();
        let api = async |key: &str| admin(at, key, "/admin/v1/status").await.0;
        let known = async |cookie: &str| {
            ask(&gateway, "GET", "/console/session", &[("cookie", cookie)], &Value::Null).await.status
        };
        let (ann, _) = sign_in(&gateway, KEY).await;
        let (bob, _) = sign_in(&gateway, LOOKS).await;
        assert_eq!((api(KEY).await, known(&ann).await), (StatusCode::OK, StatusCode::OK));
        let next = "another-key-of-the-operator-012";
        // What cannot be used changes nothing.
        for unusable in ["", "short", LOOKS] {
            std::fs::write(folder.path().join("ann"), unusable).unwrap();
            assert!(reload(&gateway).await.is_err(), "{unusable}");
            assert_eq!((api(KEY).await, known(&ann).await), (StatusCode::OK, StatusCode::OK));
        }
        std::fs::write(folder.path().join("ann"), next).unwrap();
        reload(&gateway).await.unwrap();
        assert_eq!((api(KEY).await, api(next).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
        let refused = ask(&gateway, "POST", "/console/session", &[], &json!({ "key": KEY })).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert_eq!((known(&ann).await, known(&bob).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
        assert_eq!(known(&sign_in(&gateway, next).await.0).await, StatusCode::OK);
    });
}

#[test]
fn behind_a_proxy_that_ends_tls_cookies_are_for_tls_alone() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let gateway = start(|settings| {
            with_keys(&folder, settings);
            settings.console.origin = Some("https://guard.example".to_owned());
            settings.hosts.push("guard.example".to_owned());
        })
        .await;
        let there = [("host", "guard.example"), ("origin", "https://guard.example")];
        let answer = ask(&gateway, "POST", "/console/session", &there, &json!({ "key": KEY })).await;
        assert_eq!(answer.status, StatusCode::OK);
        let set = answer.headers["set-cookie"].to_str().unwrap();
        assert!(set.starts_with("__Host-bartizan_console=") && set.contains("; Secure"), "{set}");
        let cookie = answer.cookie();
        let plain = cookie.strip_prefix("__Host-").unwrap();
        for (cookie, status) in [(cookie.as_str(), StatusCode::OK), (plain, StatusCode::UNAUTHORIZED)] {
            for path in ["/console/session", "/console/admin/v1/status"] {
                let answer = ask(&gateway, "GET", path, &[("cookie", cookie)], &Value::Null).await;
                assert_eq!(answer.status, status, "{path} {cookie}");
                assert!(answer.headers.contains_key("strict-transport-security"), "{path}");
            }
        }
        let page = ask(&gateway, "GET", "/console/", &[], &Value::Null).await;
        assert!(page.headers.contains_key("strict-transport-security"));
        let mut moved = gateway.settings.clone();
        moved.console.origin = None;
        assert!(gateway.reloader.swap(configuration(moved)).unwrap_err().reason.contains("console.origin"));
    });
}

#[cfg(unix)]
#[test]
fn a_ticket_opens_a_session_that_makes_no_tickets() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let gateway = start(|settings| settings.admin.socket = Some(socket.clone())).await;
        let path = "/admin/v1/console/tickets";
        let request = Request::post(format!("http://localhost{path}")).header("host", "localhost");
        let answer =
            http1(tokio::net::UnixStream::connect(&socket).await.unwrap(), request.body(Full::default()).unwrap())
                .await;
        assert_eq!(answer.status(), StatusCode::OK);
        let made: Value = serde_json::from_slice(answer.body()).unwrap();
        let shown = json!({ "ticket": made["ticket"] });
        let answer = ask(&gateway, "POST", "/console/session", &[], &shown).await;
        assert_eq!((answer.status, &answer.json()["role"]), (StatusCode::OK, &json!("local")));
        let (cookie, csrf) = (answer.cookie(), answer.json()["csrf"].as_str().unwrap().to_owned());
        let headers = [("cookie", cookie.as_str()), ("x-bartizan-csrf", csrf.as_str())];
        let more = ask(&gateway, "POST", &format!("/console{path}"), &headers, &Value::Null).await;
        assert_eq!(more.status, StatusCode::FORBIDDEN);
        let acts = gateway.store.acts(&TenantId::sole(), 10).await.unwrap();
        let acts: Vec<_> = acts.iter().map(|act| (act.deed, act.detail.get("by").map(String::as_str))).collect();
        assert_eq!(acts, [(Deed::SignedIn, Some("ticket")), (Deed::TicketMade, None)]);
        let look = ask(&gateway, "GET", "/console/admin/v1/status", &headers, &Value::Null).await;
        assert_eq!(look.status, StatusCode::OK, "it may do the rest");
        assert_eq!(ask(&gateway, "POST", "/console/session", &[], &shown).await.status, StatusCode::UNAUTHORIZED);
    });
}
