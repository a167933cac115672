//! The guides by task and the templates: each command in them is run, page by page, as it stands there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::http::{reply, serve};

/// Longest run of a page, seconds. Generous: machines are shared.
const LONGEST: &str = "240";

fn guide(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide").join(page)
}

/// The commands of a page, in order. Every block is one of commands.
fn commands(page: &str) -> String {
    let text = std::fs::read_to_string(guide(page)).expect("the page is there");
    let (mut script, mut inside) = (String::new(), false);
    for line in text.lines() {
        if line.starts_with("```") {
            assert!(inside || line == "```sh", "{page}: a block that is not run: {line}");
            inside = !inside;
        } else if inside {
            script += line;
            script.push('\n');
        } else {
            assert!(!line.starts_with("    "), "{page}: a block that is not run: {line}");
        }
    }
    script
}

/// The commands of a page on a topic, in order: those in blocks of `sh`, beside what is only shown.
fn examples(page: &str) -> String {
    let text = std::fs::read_to_string(guide(page)).expect("the page is there");
    let blocks = text.split("\n```sh\n").skip(1).filter_map(|rest| rest.split_once("\n```"));
    let script: String = blocks.map(|(block, _)| format!("{block}\n")).collect();
    assert!(!script.is_empty(), "{page}: no example is run");
    script
}

/// A model that says the same to everybody.
fn model() -> String {
    serve(|_, socket| {
        let answer = json!({"id": "i", "object": "chat.completion", "created": 1, "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "About ninety metres."}, "finish_reason": "stop"}]});
        reply(socket, "application/json", &answer.to_string());
    })
}

/// What a reader of the guides has at hand: a model, rows, and configurations.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, bytes).expect("written");
    };
    let header = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  "#;
    let length = u64::try_from(header.len()).expect("short").to_le_bytes();
    write("model/model.safetensors", &[&length[..], header, &[0; 4]].concat());
    write("model/config.json", br#"{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}"#);
    let rows: String = (0..60)
        .map(|n| format!("{{\"text\": \"Record {n} says that the dam at mile {n} was inspected by engineers in spring and found to be in good repair.\"}}\n"))
        .collect();
    write("rows.jsonl", (rows + "{\"text\": \"Write to carol.jones@example.org about the inspection.\"}\n").as_bytes());
    write("compose.yaml", b"services:\n  model:\n    image: vllm/vllm-openai:latest\n    ports: [\"8000:8000\"]\n");
    write(".mcp.json", br#"{"mcpServers": {"tickets": {"url": "https://mcp.example.com/mcp"}}}"#);
    write("reviewed.jsonl", include_bytes!("../../../../conformance/agents/reviewed.jsonl"));
    write("AGENTS.md", b"Run the tests before each commit.\n");
    folder
}

/// Runs a page. What it cannot have here stands for something: the provider for a model of this process, the usual port
/// for a free one.
fn run(page: &str) {
    run_script(page, &commands(page));
}

fn run_script(page: &str, script: &str) {
    let (folder, origin) = (place(), model());
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let listen = format!("127.0.0.1:{port}");
    let script = script
        .replace("127.0.0.1:8700", &listen)
        .replace("https://api.openai.com/v1", &format!("{origin}/v1"))
        .replace("https://model.example/v1", &format!("{origin}/v1"));
    let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true; wait' EXIT\nset -x\n{script}");
    let log = folder.path().join("page.log");
    let out = std::fs::File::create(&log).expect("a log");
    let program = Path::new(env!("CARGO_BIN_EXE_bartizan")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let done = Command::new("timeout")
        .args([LONGEST, "bash", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .env("NO_PROXY", "*")
        .env("BARTIZAN_LISTEN", &listen)
        .stdin(Stdio::null())
        .stdout(out.try_clone().expect("a log"))
        .stderr(out)
        .status()
        .expect("bash runs");
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    assert!(done.success(), "{page} ended with {done}\n{said}");
    // A page may show a command that finds something, never one that is wrong.
    assert!(!said.lines().any(|line| !line.starts_with('+') && line.contains("exit code 2")), "{page}\n{said}");
}

#[test]
fn examples_about_agents_are_run() {
    links("agents.md");
    run_script("agents.md", &examples("agents.md"));
}

/// Relative links lead to pages that are there.
fn links(page: &str) {
    let text = std::fs::read_to_string(guide(page)).expect("the page is there");
    let folder = guide(page).parent().expect("a folder").to_owned();
    for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
        if !target.is_empty() && !target.starts_with("http") {
            assert!(folder.join(target).exists(), "{page}: no `{target}`");
        }
    }
}

macro_rules! pages {
    ($($name:ident: $page:literal,)+) => {
        $(#[test]
        fn $name() {
            links($page);
            run($page);
        })+

        #[test]
        fn every_page_is_run() {
            let mut there: Vec<String> = ["tasks", "templates"]
                .into_iter()
                .flat_map(|folder| std::fs::read_dir(guide(folder)).expect("the folder is there").map(move |f| (folder, f)))
                .map(|(folder, file)| format!("{folder}/{}", file.expect("a page").file_name().to_string_lossy()))
                .collect();
            there.sort();
            let mut run = vec![$($page.to_owned()),+];
            run.sort();
            assert_eq!(there, run);
        }
    };
}

pages! {
    protect_an_app: "tasks/protect-an-app.md",
    protect_an_agent: "tasks/protect-an-agent.md",
    gate_a_model: "tasks/gate-a-model.md",
    gate_a_data_set: "tasks/gate-a-data-set.md",
    red_team_in_ci: "tasks/red-team-in-ci.md",
    answer_an_auditor: "tasks/answer-an-auditor.md",
    model_onboarding: "templates/model-onboarding.md",
    red_team_cadence: "templates/red-team-cadence.md",
    incident_runbooks: "templates/incident-runbooks.md",
    roll_out: "templates/roll-out.md",
}
