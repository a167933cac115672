//! What `packaging/` holds is true of this program: commands, flags, settings, metrics, paths. And it is as safe as what
//! `bartizan scan infra` asks of others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::signing::{run, text};
use crate::support::program;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All files below `packaging/`, and what else belongs to it, by path from the root.
fn files() -> BTreeMap<String, String> {
    let mut open = vec![root().join("packaging")];
    let mut files = BTreeMap::new();
    let mut add = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        files.insert(name, std::fs::read_to_string(path).unwrap());
    };
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { add(path) }
        }
    }
    for more in [".pre-commit-hooks.yaml", "docs/guide/install.md", "docs/guide/upgrade.md"] {
        add(root().join(more));
    }
    files
}

fn yaml(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

/// Every value under that key, at any depth.
fn under<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == key {
                    found.push(member);
                }
                under(member, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| under(item, key, found)),
        _ => {}
    }
}

fn all<'a>(value: &'a Value, key: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    under(value, key, &mut found);
    found
}

/// The commands that a file runs: what follows `bartizan ` up to the end of the command.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for line in text.lines() {
        let plain = line.trim().trim_start_matches(['-', '$', '`', ' ']);
        let plain = ["entry: ", "ExecStart=/usr/bin/"].iter().fold(plain, |rest, lead| rest.trim_start_matches(lead));
        let plain = plain.strip_prefix("\"$BARTIZAN\"").map_or(plain.to_owned(), |rest| format!("bartizan{rest}"));
        if let Some(rest) = plain.strip_prefix("bartizan ") {
            let end = rest.find(['|', '>', '#', ';', '`']).unwrap_or(rest.len());
            found.push(rest[..end].split_whitespace().map(str::to_owned).collect());
        }
        for list in line.match_indices("[\"up\"").map(|(at, _)| &line[at..]) {
            let list: Vec<String> = serde_json::from_str(&list[..=list.find(']').unwrap()]).unwrap();
            found.push(list);
        }
    }
    found
}

#[test]
fn every_command_and_flag_exists() {
    let folder = tempfile::tempdir().unwrap();
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut help = |path: &[String]| {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        helps.entry(path.to_vec()).or_insert_with(|| text(&run(folder.path(), &args))).clone()
    };
    let mut count = 0;
    for (file, content) in files() {
        for command in commands(&content) {
            let mut path: Vec<String> = Vec::new();
            loop {
                let known = help(&path);
                let next = command.get(path.len()).filter(|_| known.contains("\nCommands:\n"));
                let Some(next) = next else { break };
                // A variable of a recipe stands for one of several.
                let next = if next.starts_with("\"$") { "infra" } else { next };
                assert!(
                    known.contains(&format!("\n  {next} ")),
                    "{file}: `bartizan {}`: no `{next}`",
                    command.join(" ")
                );
                path.push(next.to_owned());
            }
            let known = help(&path);
            for flag in command.iter().skip(path.len()).filter(|word| word.starts_with('-') && *word != "--") {
                let flag = flag.split('=').next().unwrap();
                let is = |word: &str| word.trim_end_matches([',', ']']) == flag;
                let exists = known.split_whitespace().any(is);
                assert!(exists, "{file}: `bartizan {}` has no {flag}\n{known}", command.join(" "));
            }
            count += 1;
        }
    }
    assert!(count > 15, "only {count} commands were looked at");
}

#[test]
fn every_configuration_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let configs: Vec<String> = files().into_keys().filter(|file| file.ends_with("bartizan.toml")).collect();
    assert_eq!(configs.len(), 3);
    for config in configs {
        let path = root().join(&config).display().to_string();
        let output = run(folder.path(), &["config", "check", "--config", &path]);
        assert_eq!(output.status.code(), Some(0), "{config}: {}", text(&output));
    }
    // Variables that recipes set are settings.
    let schema: Value = serde_json::from_slice(&run(folder.path(), &["config", "schema"]).stdout).unwrap();
    assert!(schema["properties"]["mode"].is_object());
    for (file, content) in files() {
        for (at, _) in content.match_indices("BARTIZAN_") {
            let rest = &content[at + 9..];
            let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(rest.len());
            let name = rest[..end].to_lowercase();
            let own = ["image", "what", "paths", "fail_on", "config", "log"].contains(&name.as_str());
            let mut place = &schema["properties"];
            for part in name.split("__").take(1) {
                place = &place[part];
            }
            assert!(own || place.is_object(), "{file}: BARTIZAN_{}", &rest[..end]);
        }
    }
}

#[test]
fn our_own_files_have_no_weakness_that_we_find_in_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = root().join("packaging").display().to_string();
    let output = run(folder.path(), &["scan", "infra", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn every_yaml_and_json_file_is_one() {
    let mut count = 0;
    for (file, content) in files() {
        if file.ends_with(".yaml") || file.ends_with(".yml") {
            let documents: Vec<Value> = serde_saphyr::from_multiple(&content).unwrap_or_else(|e| panic!("{file}: {e}"));
            assert!(!documents.is_empty() && documents.iter().all(|d| d.is_object() || d.is_array()), "{file}");
            count += 1;
        }
    }
    assert!(count >= 12, "{count}");
}

/// Names of metrics that the gateway registers.
fn metrics() -> BTreeSet<String> {
    let source = include_str!("../../../gateway/src/metrics.rs");
    let calls = source.split("registry.register(").skip(1);
    let names = calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next());
    names.map(|name| format!("bartizan_{name}")).collect()
}

#[test]
fn dashboards_and_alerts_ask_for_metrics_that_exist() {
    let known = metrics();
    assert!(known.contains("bartizan_decisions") && known.len() > 20, "{known:?}");
    let mut asked = BTreeSet::new();
    for (file, content) in files() {
        if !file.contains("grafana") && !file.contains("prometheus") {
            continue;
        }
        for (at, _) in content.match_indices("bartizan_") {
            let rest = &content[at..];
            let name = &rest[..rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len())];
            // What the text format puts behind the name of a counter or a histogram.
            let bare = ["_total", "_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
            let exists = known.contains(bare.unwrap_or(name));
            assert!(exists, "{file}: there is no metric `{name}`");
            asked.insert(name.to_owned());
        }
    }
    assert!(asked.len() > 12, "{asked:?}");
    let dashboard: Value = serde_json::from_str(&files()["packaging/grafana/dashboard.json"]).unwrap();
    let ids: BTreeSet<i64> =
        dashboard["panels"].as_array().unwrap().iter().map(|p| p["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), dashboard["panels"].as_array().unwrap().len());
    for rule in all(&yaml(&files()["packaging/prometheus/alerts.yaml"])[0], "rules")[0].as_array().unwrap() {
        for key in ["alert", "expr", "labels", "annotations"] {
            assert!(!rule[key].is_null(), "{rule}");
        }
    }
}

/// What a running gateway says is a counter is asked for as one.
#[test]
fn names_of_metrics_are_those_of_a_running_gateway() {
    let upstream =
        crate::http::serve_heads(|_, _, socket| crate::http::reply(socket, "application/json", "{\"choices\":[]}"));
    let gateway =
        crate::support::Gateway::configured(&format!("[[upstream]]\nname = \"u\"\nurl = \"{upstream}/v1\"\n"));
    let body = br#"{"model":"m","messages":[{"role":"user","content":"write to ann.lee@example.org"}]}"#;
    assert_eq!(crate::http::send(&gateway.origin, "POST", "/v1/chat/completions", &[], body).status, 200);
    let shown = crate::http::send(&gateway.origin, "GET", "/metrics", &[], b"").text();
    let samples: BTreeSet<&str> =
        shown.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    for name in [
        "bartizan_decisions_total",
        "bartizan_findings_total",
        "bartizan_guard_seconds_bucket",
        "bartizan_guard_scan_seconds_total",
        "bartizan_config_reloads_total",
        "bartizan_config_info",
        "bartizan_requests_in_flight",
        "bartizan_lag_seconds",
        "bartizan_scan_queue",
        "bartizan_failed_open_total",
        "bartizan_exceptions_lapsed_total",
    ] {
        assert!(samples.contains(name), "`{name}` is not among {samples:?}");
    }
}

/// The pod of a manifest.
fn pods(manifests: &[Value]) -> Vec<&Value> {
    manifests.iter().filter(|m| m["kind"] == "StatefulSet").map(|m| &m["spec"]["template"]["spec"]).collect()
}

#[test]
fn pods_and_containers_have_no_rights_that_they_do_not_need() {
    let files = files();
    let set = yaml(&files["packaging/kubernetes/base/statefulset.yaml"]);
    let pod = pods(&set)[0];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    for container in pod["containers"].as_array().unwrap() {
        let rights = &container["securityContext"];
        assert_eq!(rights["allowPrivilegeEscalation"], false);
        assert_eq!(rights["readOnlyRootFilesystem"], true);
        assert_eq!(rights["capabilities"]["drop"], serde_json::json!(["ALL"]));
        assert!(container["resources"]["limits"]["memory"].is_string());
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let path = container[probe]["httpGet"]["path"].as_str().unwrap();
            let routes = include_str!("../../../gateway/src/stack.rs");
            assert!(routes.contains(&format!(".route(\"{path}\"")), "{path}");
        }
    }
    let policies = yaml(&files["packaging/kubernetes/base/networkpolicy.yaml"]);
    assert_eq!(policies.len(), 2);
    for policy in &policies {
        let kinds: Vec<&str> =
            policy["spec"]["policyTypes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(kinds.contains(&"Egress"), "{policy}");
        // No way out is open to every address on every port.
        for way in policy["spec"]["egress"].as_array().unwrap() {
            assert!(way["to"].is_array() && way["ports"].is_array(), "{way}");
        }
    }
    // What is guarded has no way out but through the guard.
    assert!(all(&policies[1], "ipBlock").is_empty());

    let compose = &yaml(&files["packaging/compose/compose.yaml"])[0]["services"]["bartizan"];
    assert_eq!((&compose["read_only"], &compose["cap_drop"]), (&true.into(), &serde_json::json!(["ALL"])));
    assert!(compose["ports"][0].as_str().unwrap().starts_with("127.0.0.1:"));

    let docker = &files["packaging/docker/Dockerfile"];
    let last = docker.rsplit("\nFROM ").next().unwrap();
    let user = last.lines().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    assert!(!docker.contains(":latest") && !docker.lines().any(|line| line.starts_with("ADD ")));
}

#[test]
fn kustomize_renders_base_and_overlays() {
    let Some(kubectl) = program("kubectl") else { return };
    let kubectl = |folder: &str| {
        Command::new(&kubectl).args(["kustomize", folder]).current_dir(root().join("packaging/kubernetes")).output()
    };
    for (overlay, replicas) in [("base", 1), ("overlays/development", 1), ("overlays/production", 2)] {
        let output = kubectl(overlay).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rendered = yaml(&String::from_utf8(output.stdout).unwrap());
        let of = |kind: &str| rendered.iter().filter(|m| m["kind"] == kind).collect::<Vec<_>>();
        let set = of("StatefulSet")[0];
        assert_eq!(set["spec"]["replicas"], replicas, "{overlay}");
        let labels = &set["spec"]["template"]["metadata"]["labels"];
        assert_eq!(&set["spec"]["selector"]["matchLabels"], labels);
        assert_eq!(&of("Service")[0]["spec"]["selector"], labels);
        // The configuration that is mounted is there under the name that it got.
        let config = &of("ConfigMap")[0]["metadata"]["name"];
        assert!(all(set, "configMap").iter().any(|source| source["name"] == *config));
        // The gateway's policy is about the gateway, and that of its clients about these.
        let about = |name: &str| {
            let policy = of("NetworkPolicy").into_iter().find(|p| p["metadata"]["name"] == name).unwrap();
            policy["spec"]["podSelector"]["matchLabels"].clone()
        };
        assert_eq!(&about("bartizan"), labels);
        assert_eq!(about("bartizan-clients"), serde_json::json!({"bartizan.access": "true"}));
        if overlay != "base" {
            let image = all(set, "image")[0].as_str().unwrap();
            assert!(image.contains("@sha256:"), "{image}");
        }
    }
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let unit = &files()["packaging/systemd/bartizan.service"];
    for line in
        ["DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "UMask=0077"]
    {
        assert!(unit.lines().any(|l| l == line), "{line}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bartizan.service");
    // It looks for the program too.
    std::fs::write(&path, unit.replace("/usr/bin/bartizan", env!("CARGO_BIN_EXE_bartizan"))).unwrap();
    let Some(analyze) = program("systemd-analyze") else { return };
    let output = Command::new(analyze).arg("verify").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
