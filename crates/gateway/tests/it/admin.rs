//! What is done through the admin API, and by whom: keys, opening what is recorded, and erasing it.

use std::sync::Arc;

use bartizan_core::{Deed, EventStore, Record, SealedStore, TenantId, VaultEntry, VaultStore};
use bartizan_gateway::{AdminKey, Gateway, Profiles, Role, SecretRef, Settings};
use bartizan_guard::{Guard, RecordMode, RecordSettings, Recorder, Vault};
use bartizan_sign::LocalMaster;
use bartizan_store::{SqliteAccess, SqliteStore, SqliteVault};
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::support::{http1, model, question, timely};

struct Running {
    callers: std::net::SocketAddr,
    admin: std::net::SocketAddr,
    store: Arc<SqliteStore>,
    pseudonyms: Arc<SqliteVault>,
    _stop: oneshot::Sender<()>,
    _folder: tempfile::TempDir,
}

fn secret(name: &str) -> String {
    format!("key-of-the-{name}-0123456789")
}

/// A gateway with keys, recordings, and an administrator of each role.
async fn start() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings { listen: "127.0.0.1:0".to_owned(), ..Settings::default() };
    settings.upstream.push(model().await);
    settings.admin.listen = Some("127.0.0.1:0".to_owned());
    for (name, role) in [("viewer", Role::Viewer), ("operator", Role::Operator), ("auditor", Role::Auditor)] {
        let path = folder.path().join(name);
        std::fs::write(&path, secret(name)).unwrap();
        settings.admin.key.push(AdminKey {
            name: name.to_owned(),
            key: SecretRef::File(path),
            role,
            tenants: Vec::new(),
        });
    }
    let store = Arc::new(SqliteStore::open(&folder.path().join("evidence.db")).await.unwrap());
    let access = Arc::new(SqliteAccess::open(&folder.path().join("keys.db")).await.unwrap());
    settings.store.path = folder.path().join("evidence.db").display().to_string();
    let master = Arc::new(LocalMaster::from_text(&"0123456789abcdef".repeat(4)).unwrap());
    let recording = RecordSettings { mode: RecordMode::All, ..RecordSettings::default() };
    let vault = Vault::new(Arc::clone(&store) as Arc<dyn SealedStore>, master, recording);
    let pseudonyms = Arc::new(SqliteVault::open(&folder.path().join("evidence.db.vault")).await.unwrap());
    let recorder = Recorder::new(Arc::clone(&store) as Arc<dyn EventStore>)
        .unwrap()
        .with_vault(Arc::new(vault))
        .with_pseudonyms(Arc::clone(&pseudonyms) as _);
    let guards = (Arc::new(Guard::new(&bartizan_guard::Settings::default()).unwrap()), Profiles::new());
    let gateway = Gateway::bind_recorder(settings, guards, recorder, Some(access)).await.unwrap();
    let (callers, admin) = (gateway.address().unwrap(), gateway.admin_address().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(gateway.serve(async move {
        let _ = stopped.await;
    }));
    Running { callers, admin, store, pseudonyms, _stop: stop, _folder: folder }
}

impl Running {
    async fn call(&self, who: &str, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(format!("http://localhost{path}"))
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", secret(who)))
            .body(Full::from(body))
            .unwrap();
        let response = http1(TcpStream::connect(self.admin).await.unwrap(), request).await;
        (response.status(), serde_json::from_slice(response.body()).unwrap())
    }

    /// Asks the model with a key; answers with the status and the event.
    async fn ask(&self, key: &str) -> (StatusCode, Option<String>) {
        let mut request = question();
        request.headers_mut().insert("x-api-key", key.parse().unwrap());
        let response = http1(TcpStream::connect(self.callers).await.unwrap(), request).await;
        let event = response.headers().get("x-bartizan-event").map(|e| e.to_str().unwrap().to_owned());
        (response.status(), event)
    }

    /// The deeds of one name that are in the chain.
    async fn deeds(&self, actor: &str) -> Vec<(Deed, String, String)> {
        // Acts about keys wait in their own store until the gateway takes them over.
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        let records = self.store.after(None, 1000).await.unwrap();
        let acts = records.into_iter().filter_map(|record| match record {
            Record::Act(act) if act.actor == actor => Some((act.deed, act.subject, act.reason)),
            _ => None,
        });
        acts.collect()
    }
}

#[test]
fn keys_are_made_turned_and_taken_back_by_those_who_may() {
    timely(async {
        let gateway = start().await;
        assert_eq!(gateway.ask("anything").await.0, StatusCode::OK, "without keys, this machine is served");
        let wanted = json!({"name": "ci", "grant": {"models": ["m"]}});
        for who in ["viewer", "auditor"] {
            let (status, _) = gateway.call(who, "POST", "/admin/v1/keys", &wanted).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{who}");
        }
        let (status, made) = gateway.call("operator", "POST", "/admin/v1/keys", &wanted).await;
        assert_eq!(status, StatusCode::OK, "{made}");
        let first = made["secret"].as_str().unwrap().to_owned();
        assert_eq!(gateway.ask(&first).await.0, StatusCode::OK, "it works when it is shown");
        assert_eq!(gateway.ask("anything").await.0, StatusCode::UNAUTHORIZED);
        let (status, again) = gateway.call("operator", "POST", "/admin/v1/keys", &wanted).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{again}");
        for bad in [
            json!({"name": "a b"}),
            json!({"name": "x", "grant": {"profile": "nobody"}}),
            json!({"name": "x", "grant": {"model": []}}),
            json!({"nam": "x"}),
            Value::Null,
        ] {
            let (status, answer) = gateway.call("operator", "POST", "/admin/v1/keys", &bad).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{bad} {answer}");
        }

        let (_, turned) = gateway.call("operator", "POST", "/admin/v1/keys/ci/rotate", &json!({"grace_s": 60})).await;
        let second = turned["secret"].as_str().unwrap().to_owned();
        assert_eq!(turned["key"]["state"], "rotating");
        for key in [&first, &second] {
            assert_eq!(gateway.ask(key).await.0, StatusCode::OK);
        }
        let (_, list) = gateway.call("viewer", "GET", "/admin/v1/keys", &Value::Null).await;
        assert_eq!((list[0]["name"].as_str(), list[0]["grant"]["models"][0].as_str()), (Some("ci"), Some("m")));
        assert!(!list.to_string().contains(&second) && !list.to_string().contains("hash"), "{list}");

        let (status, _) = gateway.call("operator", "POST", "/admin/v1/keys/ci/revoke", &json!({"reason": " "})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "without a reason");
        let reason = json!({"reason": "left"});
        let (status, _) = gateway.call("operator", "POST", "/admin/v1/keys/nobody/revoke", &reason).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let (_, gone) = gateway.call("operator", "POST", "/admin/v1/keys/ci/revoke", &reason).await;
        assert_eq!(gone["state"], "revoked", "{gone}");
        for key in [&first, &second] {
            assert_eq!(gateway.ask(key).await.0, StatusCode::UNAUTHORIZED, "it ends when it is said");
        }
        let deeds: Vec<Deed> = gateway.deeds("operator").await.into_iter().map(|(deed, ..)| deed).collect();
        assert_eq!(deeds, [Deed::KeyCreated, Deed::KeyRotated, Deed::KeyRevoked]);
        gateway.store.verify().await.unwrap();
    });
}

#[test]
fn only_an_auditor_with_a_reason_opens_what_is_recorded_and_nobody_once_it_is_erased() {
    timely(async {
        let gateway = start().await;
        let event = gateway.ask("anything").await.1.expect("an event");
        let path = format!("/admin/v1/events/{event}/unseal");
        let reason = json!({"reason": "ticket 7"});
        for who in ["viewer", "operator"] {
            assert_eq!(gateway.call(who, "POST", &path, &reason).await.0, StatusCode::FORBIDDEN, "{who}");
        }
        let (status, _) = gateway.call("auditor", "POST", &path, &json!({"reason": ""})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let (status, content) = gateway.call("auditor", "POST", &path, &reason).await;
        assert_eq!(status, StatusCode::OK, "{content}");
        assert!(content["bodies"][0]["body"].as_str().unwrap().contains("Good day"), "{content}");
        assert_eq!(content["trace"]["messages"][0]["content"], "Good day.", "{content}");
        let (status, _) = gateway.call("auditor", "POST", &format!("{path}?tenant=other"), &reason).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "another tenant has no such event");

        let (sole, other) = (TenantId::sole(), TenantId::authenticated("other").unwrap());
        for tenant in [&sole, &other] {
            let entry = VaultEntry { name: "PERSON_AAAAAAA".to_owned(), sealed: vec![1], expires: i64::MAX };
            gateway.pseudonyms.vault_put(tenant, "talk", vec![entry]).await.unwrap();
        }
        let kept = async |tenant: &TenantId| gateway.pseudonyms.vault_get(tenant, "talk", 0).await.unwrap().len();
        let erase = json!({"reason": "request 9"});
        assert_eq!(gateway.call("auditor", "POST", "/admin/v1/erase", &erase).await.0, StatusCode::FORBIDDEN);
        let bad = json!({"reason": "r", "before": "yesterday"});
        assert_eq!(gateway.call("operator", "POST", "/admin/v1/erase", &bad).await.0, StatusCode::BAD_REQUEST);
        let days = json!({"reason": "request 8", "before": "2000-01-01"});
        assert_eq!(gateway.call("operator", "POST", "/admin/v1/erase", &days).await.0, StatusCode::OK);
        assert_eq!(kept(&sole).await, 1, "days before one are no reason to lose pseudonyms");
        let (status, gone) = gateway.call("operator", "POST", "/admin/v1/erase", &erase).await;
        assert_eq!(status, StatusCode::OK, "{gone}");
        assert_eq!((kept(&sole).await, kept(&other).await), (0, 1), "the pseudonyms of this tenant");
        assert_eq!(gone["contents"], 2, "the question and the answer");
        let (status, content) = gateway.call("auditor", "POST", &path, &reason).await;
        assert!(!status.is_success() && !content.to_string().contains("Good day"), "{status} {content}");

        let opened = gateway.deeds("auditor").await;
        assert!(opened.contains(&(Deed::Unsealed, event, "ticket 7".to_owned())), "{opened:?}");
        let erased = gateway.deeds("operator").await;
        let reasons: Vec<&str> = erased.iter().map(|(_, _, reason)| reason.as_str()).collect();
        assert!(erased.iter().all(|(deed, subject, _)| (*deed, subject.as_str()) == (Deed::Erased, "")), "{erased:?}");
        assert_eq!(reasons, ["request 8", "request 9"]);
        assert_eq!(gateway.ask("anything").await.0, StatusCode::OK, "and it goes on with new keys");
        assert!(gateway.store.get(&TenantId::sole(), "x").await.unwrap().is_none());
        gateway.store.verify().await.unwrap();
    });
}
