//! The account for emergencies: its password, what guessing meets, and what is on record (OWASP ASVS 4.0, chapter 2.2).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bartizan_core::{Deed, EventStore, TenantId};
use bartizan_gateway::{BreakGlass, Role, SecretRef};
use bartizan_store::{Evidence as _, SqliteStore};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::console::{Answer, ask};
use crate::faults::{FINE, FULL, Flaky};
use crate::support::{Running, start_with, timely};

const PASSWORD: &str = "a long sentence for emergencies";

struct Scene {
    gateway: Running,
    store: Arc<SqliteStore>,
    hash: PathBuf,
    _folder: tempfile::TempDir,
}

async fn scene(role: Role) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let hash = folder.path().join("hash");
    std::fs::write(&hash, bartizan_access::hash_password(PASSWORD).unwrap()).unwrap();
    let store = Arc::new(SqliteStore::open_in_memory().await.unwrap());
    let account = BreakGlass { hash: SecretRef::File(hash.clone()), role, tenants: Vec::new() };
    let change = |settings: &mut bartizan_gateway::Settings| settings.admin.break_glass = Some(account);
    let gateway = start_with(change, Arc::clone(&store) as Arc<dyn EventStore>).await;
    Scene { gateway, store, hash, _folder: folder }
}

impl Scene {
    async fn sign_in(&self, password: &str) -> Answer {
        ask(&self.gateway, "POST", "/console/session", &[], &json!({ "password": password })).await
    }

    async fn acts(&self, deed: Deed) -> usize {
        let acts = self.store.deeds(&TenantId::sole(), deed, None, 100).await.unwrap();
        assert!(acts.iter().all(|act| act.actor == "break-glass" && act.detail["by"] == "password"), "{acts:?}");
        acts.len()
    }
}

#[test]
fn each_use_and_each_attempt_is_on_record_and_attempts_are_few() {
    timely(async {
        let scene = scene(Role::Operator).await;
        assert_eq!(ask(&scene.gateway, "GET", "/console/ways", &[], &Value::Null).await.json()["password"], true);
        let answer = scene.sign_in(PASSWORD).await;
        assert_eq!((answer.status, &answer.json()["role"]), (StatusCode::OK, &json!("operator")));
        assert_eq!(answer.json()["name"], "break-glass");
        let status =
            ask(&scene.gateway, "GET", "/console/admin/v1/status", &[("cookie", &answer.cookie())], &Value::Null).await;
        assert_eq!(status.status, StatusCode::OK);
        for wrong in ["", "a long sentence for emergencie", &"x".repeat(2000)] {
            let refused = scene.sign_in(wrong).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
            assert!(!refused.headers.contains_key("set-cookie"));
        }
        assert_eq!((scene.acts(Deed::SignedIn).await, scene.acts(Deed::SignInRefused).await), (1, 3));
        let mut guesses = 3;
        while scene.sign_in("guess").await.status == StatusCode::UNAUTHORIZED {
            guesses += 1;
            assert!(guesses < 40, "guessing is slowed down");
        }
        // The right one too: whoever guesses learns nothing from being let in late.
        assert_eq!(scene.sign_in(PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
        // Those that were not looked at are one record.
        assert_eq!((scene.acts(Deed::SignedIn).await, scene.acts(Deed::SignInRefused).await), (1, guesses + 1));
    });
}

#[test]
fn who_hangs_up_has_tried_all_the_same() {
    timely(async {
        let scene = scene(Role::Operator).await;
        // One that takes longer to compare with than the browser stays.
        let dear = bartizan_access::hash_password(PASSWORD).unwrap().replace("t=2,", "t=40,");
        std::fs::write(&scene.hash, dear).unwrap();
        let body = json!({ "password": "a guess" }).to_string();
        let head =
            format!("POST /console/session HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
        // More than once, for a machine that is so busy that nothing has begun by then.
        for _ in 0..3 {
            let mut socket = TcpStream::connect(scene.gateway.address).await.unwrap();
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            drop(socket);
            let end = std::time::Instant::now() + std::time::Duration::from_secs(5);
            while std::time::Instant::now() < end {
                if scene.acts(Deed::SignInRefused).await > 0 {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        panic!("an attempt is not on record");
    });
}

#[test]
fn another_password_ends_the_sessions_of_the_one_before() {
    timely(async {
        let scene = scene(Role::Approver).await;
        let before = scene.sign_in(PASSWORD).await.cookie();
        let known = async |cookie: &str| {
            ask(&scene.gateway, "GET", "/console/session", &[("cookie", cookie)], &Value::Null).await.status
        };
        assert_eq!(known(&before).await, StatusCode::OK);
        std::fs::write(&scene.hash, bartizan_access::hash_password("another long sentence").unwrap()).unwrap();
        let after = scene.sign_in("another long sentence").await;
        assert_eq!(after.status, StatusCode::OK, "no restart is needed");
        assert_eq!(known(&before).await, StatusCode::UNAUTHORIZED);
        assert_eq!(known(&after.cookie()).await, StatusCode::OK);
        std::fs::remove_file(&scene.hash).unwrap();
        assert_eq!(scene.sign_in("another long sentence").await.status, StatusCode::UNAUTHORIZED);
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while known(&after.cookie()).await == StatusCode::OK {
            assert!(std::time::Instant::now() < end, "without a password there is no account");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
}

#[test]
fn a_store_that_takes_no_record_lets_nobody_in() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let hash = folder.path().join("hash");
        std::fs::write(&hash, bartizan_access::hash_password(PASSWORD).unwrap()).unwrap();
        let account = BreakGlass { hash: SecretRef::File(hash), role: Role::Operator, tenants: Vec::new() };
        let store = Arc::new(Flaky::new(SqliteStore::open_in_memory().await.unwrap()));
        let change = |settings: &mut bartizan_gateway::Settings| settings.admin.break_glass = Some(account);
        let gateway = start_with(change, Arc::clone(&store) as Arc<dyn EventStore>).await;
        let sign_in = async |password: &str| {
            ask(&gateway, "POST", "/console/session", &[], &json!({ "password": password })).await
        };
        store.mode.store(FULL, Ordering::Relaxed);
        for password in [PASSWORD, "a guess that would be unseen"] {
            let answer = sign_in(password).await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(!answer.headers.contains_key("set-cookie"));
        }
        store.mode.store(FINE, Ordering::Relaxed);
        assert_eq!(sign_in(PASSWORD).await.status, StatusCode::OK);
    });
}
