//! Signing in with an identity provider, and everything that must not sign anybody in (RFC 9700; OWASP ASVS 4.0, chapters
//! 2.6 and 3.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use bartizan_core::{Act, Deed, EventStore, TenantId};
use bartizan_gateway::{AdminKey, Role, SecretRef, Settings};
use bartizan_store::{Evidence as _, SqliteStore};
use http::StatusCode;
use serde_json::{Value, json};

use crate::console::{Answer, ask, reload};
use crate::provider::{Plan, Provider, Signed};
use crate::support::{Running, admin, start_with, timely};

struct Scene {
    gateway: Running,
    provider: Provider,
    store: Arc<SqliteStore>,
    folder: tempfile::TempDir,
}

/// A browser on its way: the cookie that it has, and what the provider was asked.
#[derive(Clone)]
struct Visit {
    cookie: String,
    question: BTreeMap<String, String>,
}

async fn scene() -> Scene {
    scene_with(|_| {}).await
}

async fn scene_with(change: impl FnOnce(&mut Settings)) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start().await;
    let store = Arc::new(SqliteStore::open_in_memory().await.unwrap());
    let oidc = provider.settings(folder.path());
    let settings = |settings: &mut Settings| {
        settings.admin.oidc = Some(oidc);
        settings.admin.listen = Some("127.0.0.1:0".to_owned());
        change(settings);
    };
    let gateway = start_with(settings, Arc::clone(&store) as Arc<dyn EventStore>).await;
    Scene { gateway, provider, store, folder }
}

impl Scene {
    async fn get(&self, path: &str, cookie: &str) -> Answer {
        ask(&self.gateway, "GET", path, &[("cookie", cookie)], &Value::Null).await
    }

    async fn begin(&self) -> Visit {
        let answer = self.get("/console/oidc/start", "").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", String::from_utf8_lossy(&answer.body));
        let set = answer.headers["set-cookie"].to_str().unwrap();
        for part in ["HttpOnly", "SameSite=Lax", "Path=/console/oidc", "Max-Age=600"] {
            assert!(set.contains(part), "{set}");
        }
        let to = answer.headers["location"].to_str().unwrap();
        let (address, query) = to.split_once('?').unwrap();
        assert_eq!(address, format!("{}/auth", self.provider.issuer()));
        let question = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Visit { cookie: answer.cookie(), question }
    }

    /// The browser comes back from the provider.
    async fn back(&self, cookie: &str, pairs: &[(&str, &str)]) -> Answer {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.get(&format!("/console/oidc/callback?{query}"), cookie).await
    }

    /// A whole sign-in.
    async fn sign_in(&self) -> Answer {
        let visit = self.begin().await;
        let code = self.provider.sign_in(&visit.question);
        self.back(
            &visit.cookie,
            &[
                ("code", code.as_str()),
                ("state", visit.question["state"].as_str()),
                ("iss", self.provider.issuer().as_str()),
            ],
        )
        .await
    }

    async fn acts(&self, deed: Deed) -> Vec<Act> {
        self.store.deeds(&TenantId::sole(), deed, None, 100).await.unwrap()
    }
}

/// The session that an answer opens.
fn session(answer: &Answer) -> Option<String> {
    let set = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let mut ours = set.filter_map(|set| set.split(';').next()).filter(|pair| pair.starts_with("bartizan_console="));
    ours.next().map(str::to_owned)
}

#[test]
fn a_person_comes_in_with_the_role_of_a_group_and_under_a_pseudonym() {
    timely(async {
        let scene = scene().await;
        let ways = scene.get("/console/ways", "").await.json();
        let begin = ways["oidc"].as_str().unwrap();
        assert_eq!(begin, format!("http://{}/console/oidc/start", scene.gateway.address));
        assert_eq!((&ways["password"], &ways["key"]), (&json!(false), &json!(false)));
        let answer = scene.sign_in().await;
        assert_eq!(
            (answer.status, &answer.headers["location"]),
            (StatusCode::SEE_OTHER, &"/console/".parse().unwrap())
        );
        let cookie = session(&answer).expect("a session");
        let attempt = answer.headers.get_all("set-cookie").iter().any(|set| {
            let set = set.to_str().unwrap();
            set.starts_with("bartizan_signin=;") && set.contains("Max-Age=0")
        });
        assert!(attempt, "the sign-in is over");
        let who = scene.get("/console/session", &cookie).await.json();
        assert_eq!((&who["name"], &who["role"]), (&json!("ann"), &json!("operator")));
        let recorded = who["recorded"].as_str().unwrap();
        assert!(recorded.starts_with("person:") && recorded.len() == "person:".len() + 16, "{recorded}");
        assert_eq!(scene.get("/console/admin/v1/status", &cookie).await.status, StatusCode::OK);
        let acts = scene.acts(Deed::SignedIn).await;
        assert_eq!((acts.len(), acts[0].actor.as_str()), (1, recorded));
        assert_eq!((acts[0].detail["by"].as_str(), acts[0].detail["role"].as_str()), ("oidc", "operator"));
        let text = serde_json::to_string(&acts).unwrap();
        assert!(!text.contains("ann") && !text.contains("u-17"), "{text}");
        // The same person another time; and another one.
        let again = scene.get("/console/session", &session(&scene.sign_in().await).unwrap()).await.json();
        assert_eq!(again["recorded"], who["recorded"]);
        scene.provider.plan(Plan { claims: [("sub", json!("u-18"))].into(), ..Plan::default() });
        let other = scene.get("/console/session", &session(&scene.sign_in().await).unwrap()).await.json();
        assert_ne!(other["recorded"], who["recorded"]);
    });
}

#[test]
fn a_token_that_is_not_for_this_sign_in_lets_nobody_in() {
    timely(async {
        let scene = scene().await;
        let past = jiff::Timestamp::now().as_second() - 31;
        let of = |claims: &[(&'static str, Value)], signed| Plan { claims: claims.iter().cloned().collect(), signed };
        let well = |claims: &[(&'static str, Value)]| of(claims, Signed::Well);
        for plan in [
            well(&[("nonce", json!("another"))]),
            well(&[("nonce", Value::Null)]),
            well(&[("aud", json!("another-client"))]),
            well(&[("aud", json!(["bartizan", "another-client"]))]),
            well(&[("aud", json!(["bartizan", "x"])), ("azp", json!("x"))]),
            well(&[("azp", json!("another-client"))]),
            well(&[("exp", json!(past))]),
            well(&[("exp", Value::Null)]),
            well(&[("nbf", json!(past + 3600))]),
            well(&[("iss", json!("https://evil.example"))]),
            well(&[("sub", Value::Null)]),
            well(&[("sub", json!("a\u{7}b"))]),
            of(&[], Signed::Not),
            of(&[], Signed::WithThePublicKey),
            of(&[], Signed::ByAnother),
        ] {
            let about = format!("{:?} {:?}", plan.claims, plan.signed);
            scene.provider.plan(plan);
            let answer = scene.sign_in().await;
            assert_eq!((answer.status, session(&answer)), (StatusCode::UNAUTHORIZED, None), "{about}");
        }
        assert_eq!(scene.acts(Deed::SignedIn).await, []);
    });
}

#[test]
fn an_answer_belongs_to_one_sign_in_of_one_browser() {
    timely(async {
        let scene = scene().await;
        let issuer = scene.provider.issuer();
        let visit = scene.begin().await;
        let other = scene.begin().await;
        let (state, others) = (visit.question["state"].as_str(), other.question["state"].as_str());
        let code = scene.provider.sign_in(&visit.question);
        let iss = ("iss", issuer.as_str());
        let refused: [(&str, &[(&str, &str)]); 7] = [
            ("", &[("code", code.as_str()), ("state", state), iss]),
            ("bartizan_signin=AAAA", &[("code", code.as_str()), ("state", state), iss]),
            (&other.cookie, &[("code", code.as_str()), ("state", state), iss]),
            (&visit.cookie, &[("code", code.as_str()), ("state", others), iss]),
            (&visit.cookie, &[("code", code.as_str()), ("state", ""), iss]),
            (&visit.cookie, &[("code", code.as_str()), iss]),
            (&visit.cookie, &[("code", code.as_str()), ("state", state), ("state", others), iss]),
        ];
        for (cookie, pairs) in refused {
            let answer = scene.back(cookie, pairs).await;
            assert_eq!((answer.status, session(&answer)), (StatusCode::BAD_REQUEST, None), "{cookie} {pairs:?}");
        }
        assert_eq!(scene.provider.asked(), 0, "the provider is not bothered with what is not ours");
        let pairs = [("code", code.as_str()), ("state", state), iss];
        let answer = scene.back(&visit.cookie, &pairs).await;
        assert!(session(&answer).is_some(), "{}", String::from_utf8_lossy(&answer.body));
        // The same once more, from whoever has seen it.
        let replayed = scene.back(&visit.cookie, &pairs).await;
        assert_eq!((replayed.status, session(&replayed)), (StatusCode::BAD_REQUEST, None));
        assert_eq!(scene.provider.asked(), 1);
    });
}

#[test]
fn an_answer_of_another_provider_or_none_is_refused() {
    timely(async {
        let scene = scene().await;
        let issuer = scene.provider.issuer();
        // Each answer ends its sign-in, so each has one of its own.
        for more in [
            &[("iss", "https://evil.example")][..],
            &[],
            &[("iss", issuer.as_str()), ("error", "access_denied")],
            &[("iss", issuer.as_str()), ("iss", "https://evil.example")],
        ] {
            let visit = scene.begin().await;
            let code = scene.provider.sign_in(&visit.question);
            let mut pairs = vec![("code", code.as_str()), ("state", visit.question["state"].as_str())];
            pairs.extend_from_slice(more);
            let answer = scene.back(&visit.cookie, &pairs).await;
            assert!(answer.status.is_client_error() && session(&answer).is_none(), "{more:?}: {}", answer.status);
        }
        assert_eq!(scene.provider.asked(), 0, "no code goes anywhere");
        // A code that is not the provider's, and one of another sign-in: the proof does not fit.
        let (visit, other) = (scene.begin().await, scene.begin().await);
        let foreign = scene.provider.sign_in(&other.question);
        for code in ["stolen", foreign.as_str()] {
            let fresh = if code == "stolen" { scene.begin().await } else { visit.clone() };
            let pairs = [("code", code), ("state", fresh.question["state"].as_str()), ("iss", issuer.as_str())];
            let answer = scene.back(&fresh.cookie, &pairs).await;
            assert_eq!((answer.status, session(&answer)), (StatusCode::UNAUTHORIZED, None), "{code}");
        }
    });
}

#[test]
fn who_has_no_role_is_told_so_and_is_on_record() {
    timely(async {
        let scene = scene().await;
        let hostile = "<script>x</script>";
        for groups in [
            json!(["everybody"]),
            json!([]),
            Value::Null,
            json!({"security": true}),
            json!(["Security"]),
            json!([hostile]),
        ] {
            let claims = [("groups", groups.clone()), ("preferred_username", json!(hostile))].into();
            scene.provider.plan(Plan { claims, ..Plan::default() });
            let answer = scene.sign_in().await;
            assert_eq!((answer.status, session(&answer)), (StatusCode::FORBIDDEN, None), "{groups}");
            let page = String::from_utf8(answer.body).unwrap();
            assert!(page.contains("none of your groups") && !page.contains("script"), "{page}");
            assert!(answer.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        }
        let refused = scene.acts(Deed::SignInRefused).await;
        assert_eq!((refused.len(), scene.acts(Deed::SignedIn).await.len()), (6, 0));
        assert!(refused[0].actor.starts_with("person:"));
        // One group as a plain word is one group.
        scene.provider.plan(Plan { claims: [("groups", json!("watchers"))].into(), ..Plan::default() });
        let cookie = session(&scene.sign_in().await).unwrap();
        assert_eq!(scene.get("/console/session", &cookie).await.json()["role"], "viewer");
    });
}

#[test]
fn one_identity_has_one_role() {
    timely(async {
        let scene = scene().await;
        let both = json!(["approvers", "security"]);
        for (groups, role, may) in [
            (both, "operator", [true, false]),
            (json!(["approvers"]), "approver", [false, true]),
            (json!(["watchers"]), "viewer", [false, false]),
        ] {
            scene.provider.plan(Plan { claims: [("groups", groups)].into(), ..Plan::default() });
            let cookie = session(&scene.sign_in().await).unwrap();
            let who = scene.get("/console/session", &cookie).await.json();
            assert_eq!(who["role"], role);
            let csrf = who["csrf"].as_str().unwrap();
            // Whoever changes what is guarded does not approve what it holds.
            let change = ("/console/admin/v1/containments", json!({"target": "x"}));
            let approve = ("/console/admin/v1/approvals/none", json!({"approve": true, "reason": "r"}));
            for ((path, body), may) in [change, approve].into_iter().zip(may) {
                let headers = [("cookie", cookie.as_str()), ("x-bartizan-csrf", csrf)];
                let status = ask(&scene.gateway, "POST", path, &headers, &body).await.status;
                assert_eq!(status != StatusCode::FORBIDDEN, may, "{role} {path}: {status}");
            }
        }
    });
}

#[test]
fn an_id_token_is_good_for_the_admin_api_too() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "key.with.dots-0123456789").unwrap();
        let scene = scene_with(|settings| {
            let key = SecretRef::File(path);
            let tenants = Vec::new();
            settings.admin.key.push(AdminKey { name: "robot".to_owned(), key, role: Role::Viewer, tenants });
        })
        .await;
        let at = scene.gateway.admin.unwrap();
        let status = async |token: &str, path: &str| admin(at, token, path).await.0;
        let past = jiff::Timestamp::now().as_second() - 31;
        assert_eq!(status(&scene.provider.id_token("n"), "/admin/v1/status").await, StatusCode::OK);
        assert_eq!(status("key.with.dots-0123456789", "/admin/v1/status").await, StatusCode::OK);
        for (claims, signed, expected) in [
            ([("exp", json!(past))], Signed::Well, StatusCode::UNAUTHORIZED),
            ([("iat", json!(past - 12 * 3600))], Signed::Well, StatusCode::UNAUTHORIZED),
            ([("iat", json!(past + 12 * 3600))], Signed::Well, StatusCode::UNAUTHORIZED),
            ([("iat", Value::Null)], Signed::Well, StatusCode::UNAUTHORIZED),
            ([("iat", json!(past - 11 * 3600))], Signed::Well, StatusCode::OK),
            ([("aud", json!("another"))], Signed::Well, StatusCode::UNAUTHORIZED),
            ([("iss", json!("https://evil.example"))], Signed::Well, StatusCode::UNAUTHORIZED),
            ([("sub", json!("u-17"))], Signed::Not, StatusCode::UNAUTHORIZED),
            ([("sub", json!("u-17"))], Signed::ByAnother, StatusCode::UNAUTHORIZED),
            ([("groups", json!([]))], Signed::Well, StatusCode::FORBIDDEN),
            ([("groups", json!(["watchers"]))], Signed::Well, StatusCode::OK),
        ] {
            let about = format!("{claims:?} {signed:?}");
            scene.provider.plan(Plan { claims: claims.into(), signed });
            assert_eq!(status(&scene.provider.id_token("n"), "/admin/v1/status").await, expected, "{about}");
        }
        // A session of the console is none of the admin API, and a token none of the console.
        let token = scene.provider.id_token("n");
        let headers = [("authorization", &*format!("Bearer {token}"))];
        let console = ask(&scene.gateway, "GET", "/console/admin/v1/status", &headers, &Value::Null).await;
        assert_eq!(console.status, StatusCode::UNAUTHORIZED);
    });
}

#[test]
fn the_secret_of_the_gateway_with_its_provider_can_change() {
    timely(async {
        let scene = scene().await;
        assert!(session(&scene.sign_in().await).is_some());
        let file = scene.folder.path().join("client-secret");
        let good = std::fs::read_to_string(&file).unwrap();
        for (secret, status) in [("another-secret-0123", StatusCode::UNAUTHORIZED), (&good, StatusCode::SEE_OTHER)] {
            std::fs::write(&file, secret).unwrap();
            reload(&scene.gateway).await.unwrap();
            assert_eq!(scene.sign_in().await.status, status);
        }
    });
}

#[test]
fn a_provider_that_is_away_or_another_is_said_so() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let provider = Provider::start().await;
        let mut oidc = provider.settings(folder.path());
        // It describes itself as another than the one that is trusted.
        oidc.issuer = provider.issuer().replace("127.0.0.1", "localhost");
        let gateway = crate::support::start(|settings| settings.admin.oidc = Some(oidc)).await;
        for _ in 0..2 {
            let answer = ask(&gateway, "GET", "/console/oidc/start", &[], &Value::Null).await;
            assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
            assert!(!answer.headers.contains_key("set-cookie"));
        }
    });
}

#[test]
fn answers_are_limited_and_pages_of_others_cannot_ask() {
    timely(async {
        let scene = scene().await;
        let evil = [("host", "evil.example")];
        for path in ["/console/oidc/start", "/console/oidc/callback", "/console/ways"] {
            let answer = ask(&scene.gateway, "GET", path, &evil, &Value::Null).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        }
        // What belongs to no sign-in costs nobody a place, and ends no sign-in of somebody else.
        for _ in 0..25 {
            let answer = scene.back("", &[("code", "x"), ("state", "x")]).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(!answer.headers.contains_key("set-cookie"));
        }
        let (issuer, mut guesses) = (scene.provider.issuer(), 0);
        let refused = loop {
            let visit = scene.begin().await;
            let pairs = [("code", "x"), ("state", visit.question["state"].as_str()), ("iss", issuer.as_str())];
            let answer = scene.back(&visit.cookie, &pairs).await;
            if answer.status != StatusCode::UNAUTHORIZED {
                break answer;
            }
            guesses += 1;
            assert!(guesses < 40, "answers are slowed down");
        };
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(guesses >= 20 && !refused.headers.contains_key("set-cookie"), "{guesses}");
    });
}
