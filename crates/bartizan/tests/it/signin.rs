//! Signing in to the console: through a real identity provider, and with the password for emergencies.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::http::send;
use crate::support::{Gateway, Process, component};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/components/oidc");

fn bartizan(folder: &Path, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
    command.args(args).current_dir(folder).env("NO_COLOR", "1");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(done: &Output) -> String {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

#[test]
fn people_of_a_real_provider_come_in_by_their_groups_and_nobody_else_does() {
    let Some(modules) = component("oidc") else { return };
    let mut command = Command::new("node");
    command.arg(format!("{FOLDER}/provider.mjs")).env("MODULES", &modules).env("NO_PROXY", "*");
    command.env("GROUPS", json!({"ann": ["security"], "bob": ["approvers"], "eve": ["guests"]}).to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut provider = Process::start(command);
    let ready: Value = serde_json::from_str(&provider.wait_for_line(|line| line.starts_with('{'))).unwrap();
    let issuer = ready["origin"].as_str().unwrap();
    let config = format!(
        r#"
[[upstream]]
name = "model"
url = "http://127.0.0.1:9/v1"
[admin.oidc]
issuer = "{issuer}"
client_id = "bartizan"
client_secret = "file:client-secret"
scopes = ["profile", "groups"]
[[admin.oidc.role]]
group = "security"
role = "operator"
[[admin.oidc.role]]
group = "approvers"
role = "approver"
"#
    );
    let files = [("client-secret", "secret-of-the-client-0123456789abcdef")];
    let mut gateway = Gateway::configured_with(&config, &files);
    let mut browser = Command::new("node");
    browser.arg(format!("{FOLDER}/browser.mjs")).arg(&gateway.origin).env("NO_PROXY", "*").stdin(Stdio::null());
    let done = browser.output().expect("node starts");
    let (out, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}\n{errors}\n{}", gateway.log());
    let said: BTreeMap<String, Value> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["scenario"].as_str().unwrap().to_owned(), line))
        .collect();
    for (scenario, status) in [
        ("replayed", 400),
        ("stolen", 400),
        ("wrong-state", 400),
        ("no-state", 400),
        ("foreign-issuer", 401),
        ("no-issuer", 401),
        ("wrong-code", 401),
        ("injected-code", 401),
        ("refused", 401),
        ("no-role", 403),
    ] {
        let line = &said[scenario];
        assert_eq!((&line["status"], &line["session"]), (&json!(status), &Value::Null), "{line}\n{}", gateway.log());
    }
    let mut recorded = Vec::new();
    for (scenario, name, role) in [("operator", "ann", "operator"), ("approver", "bob", "approver")] {
        let line = &said[scenario];
        assert_eq!((&line["status"], &line["session"]["role"]), (&json!(303), &json!(role)), "{line}");
        assert_eq!(line["session"]["name"], name);
        let person = text(&bartizan(gateway.folder(), &["console", "person", name], ""));
        assert_eq!(line["session"]["recorded"], person.as_str(), "whoever has the key finds a person in records");
        recorded.push(person);
    }
    // Nothing that was shown is in the log, and names are in no record.
    let log = gateway.log();
    assert!(!log.contains("secret-of-the-client") && !log.contains("eyJ"), "{log}");
    let folder = gateway.kill();
    let export = text(&bartizan(folder.path(), &["report", "export"], ""));
    let acts: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |deed: &str| acts.iter().filter(|act| act["deed"] == deed).collect::<Vec<_>>();
    assert_eq!(of("signed-in").iter().map(|act| act["actor"].as_str().unwrap()).collect::<Vec<_>>(), recorded);
    assert_eq!(of("sign-in-refused").len(), 1, "{export}");
    assert!(!export.contains("\"ann\"") && !export.contains("\"bob\""), "{export}");
}

#[test]
fn a_password_is_read_from_standard_input_and_only_its_hash_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    for short in ["", "eleven char"] {
        let done = bartizan(folder.path(), &["console", "password", "-o", "hash"], &format!("{short}\n"));
        assert_eq!(done.status.code(), Some(2));
        assert!(!folder.path().join("hash").exists());
    }
    let password = "several words are easy to keep";
    let done = bartizan(folder.path(), &["console", "password", "-o", "hash"], &format!("{password}\n"));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let hash = std::fs::read_to_string(folder.path().join("hash")).unwrap();
    assert!(hash.starts_with("$argon2id$") && !hash.contains(password), "{hash}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = folder.path().join("hash").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let config =
        "[[upstream]]\nname = \"model\"\nurl = \"http://127.0.0.1:9/v1\"\n[admin.break_glass]\nhash = \"file:hash\"\n";
    let gateway = Gateway::configured_with(config, &[("hash", &hash)]);
    let sign_in = |password: &str| {
        let body = json!({ "password": password }).to_string();
        send(&gateway.origin, "POST", "/console/session", &[], body.as_bytes())
    };
    assert_eq!(sign_in("several words are easy to guess").status, 401);
    let reply = sign_in(password);
    assert_eq!((reply.status, &reply.json()["role"]), (200, &json!("operator")));
    // The next one takes its place while the gateway runs.
    let next = "other words are easy as well";
    let done = bartizan(gateway.folder(), &["console", "password", "--output", "hash"], &format!("{next}\n"));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!((sign_in(password).status, sign_in(next).status), (401, 200));
}

#[test]
fn a_person_is_not_looked_for_where_no_gateway_was() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[[upstream]]\nname = \"model\"\nurl = \"http://127.0.0.1:9/v1\"\n[admin.oidc]\n\
                  issuer = \"https://id.example\"\nclient_id = \"us\"\n[[admin.oidc.role]]\ngroup = \"security\"\n";
    std::fs::write(folder.path().join("bartizan.toml"), config).unwrap();
    let done = bartizan(folder.path(), &["console", "person", "ann"], "");
    let errors = String::from_utf8_lossy(&done.stderr);
    assert_eq!((done.status.code(), done.stdout.len()), (Some(2), 0), "{errors}");
    assert!(errors.contains("no gateway has kept its keys"), "{errors}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "and nothing is made");
}
