//! Results of other commands in the console: from a folder, by stage, page by page, whatever is in the files.

use http::StatusCode;
use serde_json::{Value, json};

use bartizan_gateway::{AdminKey, Role, SecretRef};

use crate::console::{ask, sign_in};
use crate::support::{Running, start, timely};

const HOSTILE: &str = "<img src=x onerror=alert(1)>\u{202e}\n<script>x</script>";

async fn scene(folder: &tempfile::TempDir, configured: bool) -> Running {
    let results = folder.path().join("results");
    std::fs::create_dir_all(results.join("deeper")).unwrap();
    let key = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("key-of-{name}-0123456789")).unwrap();
        SecretRef::File(path)
    };
    let row = |name: &str, tenants: Vec<bartizan_core::TenantId>| AdminKey {
        name: name.to_owned(),
        key: key(name),
        role: Role::Viewer,
        tenants,
    };
    let keys = vec![row("all", Vec::new()), row("one", vec![bartizan_core::TenantId::authenticated("a").unwrap()])];
    start(|settings| {
        settings.admin.key = keys;
        settings.console.results = configured.then_some(results);
    })
    .await
}

fn run_of(hits: u32, target: &str) -> Value {
    let share =
        json!({"hits": hits, "trials": 40, "share": f64::from(hits) / 40.0, "interval": {"low": 0.01, "high": 0.4}});
    let line = json!({"id": "f", "title": HOSTILE, "risk": ["LLM01:2025"], "atlas": [], "asr": share});
    json!({"target": target, "plan": "p", "trials": 40, "complete": true, "total": line, "families": [line],
        "ways": [], "rules": {}, "gates": [{"gate": "asr<0.1", "value": 0.2, "met": false}]})
}

async fn get(gateway: &Running, who: &str, path: &str) -> (StatusCode, Value) {
    let (cookie, _) = sign_in(gateway, &format!("key-of-{who}-0123456789")).await;
    let answer = ask(gateway, "GET", &format!("/console/admin/v1/{path}"), &[("cookie", &cookie)], &Value::Null).await;
    (answer.status, answer.json())
}

#[test]
fn results_are_listed_by_stage_and_shown_one_by_one() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let gateway = scene(&folder, true).await;
        let write = |name: &str, value: &Value| {
            std::fs::write(folder.path().join("results").join(name), value.to_string()).unwrap();
        };
        let (status, empty) = get(&gateway, "all", "results?stage=red-team").await;
        assert_eq!((status, &empty["total"], &empty["results"]), (StatusCode::OK, &json!(0), &json!([])));
        assert_eq!(empty["makers"][0]["command"], "bartizan redteam run");
        for n in 0..3u32 {
            write(&format!("deeper/run{n}.json"), &run_of(n * 4, &format!("{HOSTILE} {n}")));
        }
        let finding = json!({"rule": "model/unsafe-call", "severity": "critical", "what": HOSTILE, "member": "a.pkl"});
        let file = json!({"path": HOSTILE, "sha256": "00", "format": "pickle", "findings": [finding]});
        let summary = json!({"files": 1, "denied": 1, "coverage": {"status": "complete", "parts": []}});
        write("model.json", &json!({"scan": "model", "files": [file], "summary": summary}));
        write("notes.json", &json!({"hello": "world"}));
        std::fs::write(folder.path().join("results/text.txt"), "not a result").unwrap();
        let (_, runs) = get(&gateway, "all", "results?stage=red-team&limit=2").await;
        assert_eq!(
            (&runs["total"], &runs["next"], runs["results"].as_array().unwrap().len()),
            (&json!(3), &json!(2), 2)
        );
        assert_eq!(runs["unread"].as_array().unwrap().len(), 2);
        let (_, rest) = get(&gateway, "all", "results?stage=red-team&limit=2&after=2").await;
        assert_eq!((&rest["next"], rest["results"].as_array().unwrap().len()), (&Value::Null, 1));
        assert!(!runs.to_string().contains("\\u202e") && !runs.to_string().contains('\u{202e}'), "{runs}");
        let id = runs["results"][0]["id"].as_str().unwrap();
        let (status, run) = get(&gateway, "all", &format!("results/{id}")).await;
        assert_eq!(status, StatusCode::OK);
        let share = &run["detail"]["shares"][0];
        assert_eq!((&share["group"], &share["high"]), (&json!("total"), &json!(0.4)));
        let (_, models) = get(&gateway, "all", "results?stage=models").await;
        assert_eq!((&models["total"], &models["results"][0]["state"]), (&json!(1), &json!("open")));
        let id = models["results"][0]["id"].as_str().unwrap();
        let (_, model) = get(&gateway, "all", &format!("results/{id}")).await;
        assert_eq!(
            (&model["detail"]["found"], &model["detail"]["findings"][0]["severity"]),
            (&json!(1), &json!("critical"))
        );
        // A file that changes is read again, and one that is gone is gone.
        write("model.json", &run_of(1, "another"));
        assert_eq!(get(&gateway, "all", &format!("results/{id}")).await.0, StatusCode::NOT_FOUND);
        std::fs::remove_dir_all(folder.path().join("results")).unwrap();
        assert_eq!(get(&gateway, "all", "results").await.0, StatusCode::SERVICE_UNAVAILABLE);
    });
}

#[test]
fn results_are_for_those_who_see_every_tenant_and_only_of_the_folder() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let gateway = scene(&folder, true).await;
        #[cfg(unix)]
        {
            let secret = folder.path().join("elsewhere.json");
            std::fs::write(&secret, run_of(1, "elsewhere").to_string()).unwrap();
            std::os::unix::fs::symlink(&secret, folder.path().join("results/link.json")).unwrap();
        }
        assert_eq!(get(&gateway, "all", "results").await.1["total"], 0, "links are not followed");
        for path in ["results", "results/00.red-team"] {
            assert_eq!(get(&gateway, "one", path).await.0, StatusCode::FORBIDDEN, "{path}");
        }
        for bad in ["results?stage=x", "results?limit=0", "results?limit=201", "results?after=x"] {
            assert_eq!(get(&gateway, "all", bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
        }
        for gone in ["results/00.red-team", "results/..%2f..%2fetc%2fpasswd"] {
            assert_eq!(get(&gateway, "all", gone).await.0, StatusCode::NOT_FOUND, "{gone}");
        }
    });
}

#[test]
fn without_a_folder_it_is_said_how_to_have_one() {
    timely(async {
        let folder = tempfile::tempdir().unwrap();
        let gateway = scene(&folder, false).await;
        let (status, none) = get(&gateway, "all", "results?stage=privacy").await;
        assert_eq!((status, &none["folder"], &none["total"]), (StatusCode::OK, &Value::Null, &json!(0)));
        assert_eq!(none["makers"].as_array().unwrap().len(), 4);
        let (status, servers) = get(&gateway, "all", "mcp/servers").await;
        assert_eq!((status, servers), (StatusCode::OK, json!({"lock": false, "servers": []})));
    });
}
