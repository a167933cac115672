//! Two tenants and every operation of the admin API: what belongs to one is nothing to who administers the other.
//!
//! The walls of the stores are in `store/src/walls.rs`.

use bartizan_core::TenantId;
use bartizan_gateway::{AdminKey, Client, Role, SecretRef, Upstream};
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::support::{QUESTION, Running, http1, start, timely};

/// Whose an operation's answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belongs {
    /// A tenant's, which the query parameter `tenant` names.
    Tenant,
    /// The installation's: whoever may look sees it, so it must name nobody.
    Everybody,
    /// The operator's, who may see every tenant.
    Operator,
}

/// Every operation. One that is not here fails the test: say whose its answer is.
const OPERATIONS: &[(&str, Belongs)] = &[
    ("status", Belongs::Everybody),
    ("metrics", Belongs::Operator),
    ("openapi", Belongs::Everybody),
    ("listEvents", Belongs::Tenant),
    ("tally", Belongs::Tenant),
    ("verifyChain", Belongs::Operator),
    ("listRules", Belongs::Everybody),
    ("getRule", Belongs::Everybody),
    ("listThresholds", Belongs::Everybody),
    ("tryChange", Belongs::Tenant),
    ("getCandidate", Belongs::Operator),
    ("stageCandidate", Belongs::Operator),
    ("dropCandidate", Belongs::Operator),
    ("check", Belongs::Everybody),
    ("createConsoleTicket", Belongs::Operator),
    ("unsealEvent", Belongs::Tenant),
    ("erase", Belongs::Tenant),
    ("listUse", Belongs::Tenant),
    ("acceptUse", Belongs::Tenant),
    ("listKeys", Belongs::Tenant),
    ("createKey", Belongs::Tenant),
    ("rotateKey", Belongs::Tenant),
    ("revokeKey", Belongs::Tenant),
    ("getEvent", Belongs::Tenant),
    ("listContainments", Belongs::Tenant),
    ("contain", Belongs::Tenant),
    ("release", Belongs::Tenant),
    ("markEvent", Belongs::Tenant),
    ("listExceptions", Belongs::Tenant),
    ("listApprovals", Belongs::Tenant),
    ("showApproval", Belongs::Tenant),
    ("ruleApproval", Belongs::Tenant),
    ("listResults", Belongs::Operator),
    ("getResult", Belongs::Operator),
    ("listServers", Belongs::Tenant),
];

/// A key of one tenant for each of the gateway and its administration; everything of it carries its name.
fn keys(folder: &std::path::Path, tenant: &str) -> (Client, [AdminKey; 2]) {
    let id = TenantId::authenticated(tenant).unwrap();
    let file = |kind: &str| {
        let path = folder.join(format!("{tenant}-{kind}"));
        std::fs::write(&path, secret(tenant, kind)).unwrap();
        SecretRef::File(path)
    };
    let client = Client {
        name: format!("mark-{tenant}-app"),
        key: Some(file("client")),
        certificate: None,
        tenant: id.clone(),
        models: Vec::new(),
        profile: None,
        quota: bartizan_core::Quota { tokens_per_day: Some(1_000_000), ..Default::default() },
    };
    let admin = |kind: &str, role| AdminKey {
        name: format!("{tenant}-{kind}"),
        key: file(kind),
        role,
        tenants: vec![id.clone()],
    };
    (client, [admin("admin", Role::Operator), admin("auditor", Role::Auditor)])
}

fn secret(tenant: &str, kind: &str) -> String {
    format!("{tenant}-{kind}-0123456789")
}

/// Asks the gateway as a tenant; answers with the ids that the answer names.
async fn ask(gateway: &Running, tenant: &str) -> Vec<String> {
    let request = Request::post("http://localhost/v1/chat/completions")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("x-api-key", secret(tenant, "client"))
        .header("x-bartizan-user", format!("mark-{tenant}-user"))
        .body(Full::from(QUESTION))
        .unwrap();
    let response = http1(TcpStream::connect(gateway.address).await.unwrap(), request).await;
    assert_eq!(response.status(), StatusCode::OK, "{:?}", response.body());
    let event = response.headers()["x-bartizan-event"].to_str().unwrap().to_owned();
    let id = TenantId::authenticated(tenant).unwrap();
    let record = gateway.store.get(&id, &event).await.unwrap().expect("on record");
    // Not its hash: the chain is one for all, and the next record of anybody names it.
    vec![event, record.exchange]
}

async fn call(gateway: &Running, key: &str, method: &str, path: &str, body: &str) -> (StatusCode, String) {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://localhost{path}"))
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {key}"))
        .body(Full::from(body.to_owned()))
        .unwrap();
    let response = http1(TcpStream::connect(gateway.admin.unwrap()).await.unwrap(), request).await;
    (response.status(), String::from_utf8(response.body().to_vec()).unwrap())
}

#[test]
fn no_operation_shows_one_tenant_to_another() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let gateway = start(|settings| {
            let mut of_b =
                Upstream { tenants: vec![TenantId::authenticated("b").unwrap()], ..settings.upstream[0].clone() };
            of_b.name = "mark-b-upstream".to_owned();
            settings.upstream[0].tenants = vec![TenantId::authenticated("a").unwrap()];
            settings.upstream.push(of_b);
            settings.admin.listen = Some("127.0.0.1:0".to_owned());
            for tenant in ["a", "b"] {
                let (client, admins) = keys(folder.path(), tenant);
                settings.client.push(client);
                settings.admin.key.extend(admins);
            }
        })
        .await;
        let (of_a, mut of_b) = (ask(&gateway, "a").await, ask(&gateway, "b").await);
        of_b.push("mark-b".to_owned());
        let shows = |text: &str| of_b.iter().any(|mark| text.contains(mark.as_str()));

        let document = bartizan_gateway::openapi();
        let mut seen = Vec::new();
        let mut shown_to_b = 0;
        for (template, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                let (_, belongs) = OPERATIONS
                    .iter()
                    .find(|(known, _)| *known == id)
                    .unwrap_or_else(|| panic!("say in `OPERATIONS` whose the answer of `{id}` is"));
                seen.push(id.to_owned());
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let has_tenant = parameters.iter().any(|p| p["name"] == "tenant" && p["in"] == "query");
                assert_eq!(has_tenant, *belongs == Belongs::Tenant, "{id}");
                // Sealed content is opened by auditors and by nobody else.
                let sealed = ["unsealEvent", "showApproval", "ruleApproval"];
                let role = if sealed.contains(&id) { "auditor" } else { "admin" };
                let (a, b) = (secret("a", role), secret("b", role));
                let method = method.to_uppercase();
                let body = if operation["requestBody"].is_null() { "" } else { "{}" };
                // The ids of both, wherever the path has a place for one.
                for ids in [&of_b, &of_a] {
                    for value in ids {
                        let path = fill(template, value);
                        for query in
                            ["", "?tenant=a", "?tenant=b", "?tenant=default", "?tenant=a&tenant=b", "?tenant=A"]
                        {
                            let (status, text) = call(&gateway, &a, &method, &format!("{path}{query}"), body).await;
                            let about = format!("{method} {path}{query}: {status} {text}");
                            assert!(!shows(&text), "{about}");
                            assert!(!status.is_server_error(), "{about}");
                            if *belongs == Belongs::Tenant && query == "?tenant=b" {
                                assert_eq!(status, StatusCode::NOT_FOUND, "{about}");
                            }
                            if *belongs == Belongs::Operator {
                                assert_eq!(status, StatusCode::FORBIDDEN, "{about}");
                            }
                        }
                        if method == "GET" {
                            shown_to_b += usize::from(shows(&call(&gateway, &b, &method, &path, body).await.1));
                        }
                    }
                }
            }
        }
        assert!(shown_to_b > 0, "the marks are nowhere, so nothing was shown");
        seen.sort();
        let mut known: Vec<_> = OPERATIONS.iter().map(|(id, _)| (*id).to_owned()).collect();
        known.sort();
        assert_eq!(seen, known, "`OPERATIONS` names one that is no more");
    });
}

/// A path of a template, with this value in every place.
fn fill(template: &str, value: &str) -> String {
    let parts = template.split('/').map(|part| if part.starts_with('{') { value } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn one_tenants_key_opens_no_store_of_another() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let gateway = start(|settings| {
            for tenant in ["a", "b"] {
                settings.client.push(keys(folder.path(), tenant).0);
            }
        })
        .await;
        let (of_a, of_b) = (ask(&gateway, "a").await, ask(&gateway, "b").await);
        let id = |tenant: &str| TenantId::authenticated(tenant).unwrap();
        for (tenant, foreign) in [("a", &of_b), ("b", &of_a)] {
            let records = gateway.store.recent(&id(tenant), 100).await.unwrap();
            assert_eq!(records.len(), 2, "a question and an answer");
            let text = serde_json::to_string(&records).unwrap();
            assert!(!foreign.iter().any(|mark| text.contains(mark.as_str())), "{text}");
            assert!(gateway.store.get(&id(tenant), &foreign[0]).await.unwrap().is_none());
            assert!(gateway.store.exchange(&id(tenant), &foreign[1]).await.unwrap().is_empty());
        }
        // The header that names a tenant is nobody's word.
        let request = Request::post("http://localhost/v1/chat/completions")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("x-api-key", secret("a", "client"))
            .header("x-bartizan-tenant", "b")
            .body(Full::from(QUESTION))
            .unwrap();
        let response = http1(TcpStream::connect(gateway.address).await.unwrap(), request).await;
        let event = response.headers()["x-bartizan-event"].to_str().unwrap();
        assert!(gateway.store.get(&id("a"), event).await.unwrap().is_some());
        assert!(gateway.store.get(&id("b"), event).await.unwrap().is_none());
        let text: Value = serde_json::to_value(gateway.store.recent(&id("b"), 100).await.unwrap()).unwrap();
        assert_eq!(text.as_array().map(Vec::len), Some(2));
    });
}
