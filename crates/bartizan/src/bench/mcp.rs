//! `bartizan bench mcp`: what the proxy adds to a call of a tool; and the server that it and the tests call.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::load::{Scratch, median, quantile, runtime};
use crate::DONE;

const ROUNDS: usize = 5;

/// What the server says: by method, its results one after the other, the last again and again.
#[derive(Debug, Default)]
struct Script {
    answers: BTreeMap<String, Vec<Value>>,
    /// By method: lines written before the answer, as they are.
    before: BTreeMap<String, Vec<String>>,
    told: BTreeMap<String, usize>,
}

impl Script {
    /// Reads `{"answers": {METHOD: [RESULT, …]}, "before": {METHOD: [LINE, …]}}`.
    fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let value: Value = serde_json::from_str(&text)?;
        let answers = serde_json::from_value(value["answers"].clone()).unwrap_or_default();
        let before = serde_json::from_value(value["before"].clone()).unwrap_or_default();
        Ok(Self { answers, before, told: BTreeMap::new() })
    }

    /// The lines in answer to one; none to what is no request.
    fn answer(&mut self, line: &str, headers: &Value) -> Vec<String> {
        let Ok(message) = serde_json::from_str::<Value>(line) else { return Vec::new() };
        let (Some(method), Some(id)) = (message["method"].as_str(), message.get("id")) else { return Vec::new() };
        let mut lines = self.before.get(method).cloned().unwrap_or_default();
        let told = self.told.entry(method.to_owned()).or_default();
        let scripted = self.answers.get(method).and_then(|all| all.get(*told).or(all.last())).cloned();
        *told += 1;
        let result = scripted.unwrap_or_else(|| match method {
            "initialize" => json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "scripted", "version": "1"}}),
            "tools/list" => json!({"tools": [{"name": "echo", "description": "Repeats its arguments.", "inputSchema": {"type": "object"}}]}),
            // What came in, so that a test sees what was passed on.
            "tools/call" if message["params"]["name"] == "headers" => {
                json!({"content": [{"type": "text", "text": headers.to_string()}]})
            }
            "tools/call" if message["params"]["name"] == "raw" => json!({"content": [{"type": "text", "text": line}]}),
            "tools/call" => json!({"content": [{"type": "text", "text": message["params"]["arguments"].to_string()}]}),
            _ => json!({}),
        });
        lines.push(json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string());
        lines
    }
}

/// The server over standard input and output.
pub(super) fn scripted(file: Option<&Path>) -> anyhow::Result<u8> {
    let mut script = Script::read(file)?;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        for answer in script.answer(&line?, &Value::Null) {
            writeln!(out, "{answer}")?;
            out.flush()?;
        }
    }
    Ok(DONE)
}

/// The same over streamable HTTP: answers with lines before them come as a stream, others as JSON.
pub(super) fn scripted_http(file: Option<&Path>) -> anyhow::Result<u8> {
    let script = Arc::new(Mutex::new(Script::read(file)?));
    runtime(2)?.block_on(async {
        let router = Router::new().route("/mcp", post(over_http).delete(|| async { "" })).with_state(script);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", json!({"origin": format!("http://{}", listener.local_addr()?)}))?;
        out.flush()?;
        drop(out);
        axum::serve(listener, router).await?;
        Ok(DONE)
    })
}

async fn over_http(State(script): State<Arc<Mutex<Script>>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let line = String::from_utf8_lossy(&body).into_owned();
    let shown: BTreeMap<&str, &str> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default())).collect();
    let lines = script.lock().unwrap_or_else(PoisonError::into_inner).answer(&line, &json!(shown));
    let (kind, text) = match lines.as_slice() {
        [] => ("text/plain", String::new()),
        [only] => ("application/json", only.clone()),
        many => ("text/event-stream", many.iter().map(|line| format!("event: message\ndata: {line}\n\n")).collect()),
    };
    let mut response = Response::builder().header("content-type", kind);
    if lines.is_empty() {
        response = response.status(202);
    }
    if line.contains("\"initialize\"") {
        response = response.header("mcp-session-id", "session-1");
    }
    response.body(Body::from(text)).unwrap_or_default()
}

/// One client with one server behind a command.
struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    last: u64,
}

impl Client {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else { anyhow::bail!("the server has no pipes") };
        let mut this = Self { child, input, output: BufReader::new(output), last: 0 };
        this.ask("initialize", &json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}))?;
        this.ask("tools/list", &json!({}))?;
        Ok(this)
    }

    /// Asks and waits for the answer; the time between.
    fn ask(&mut self, method: &str, params: &Value) -> anyhow::Result<Duration> {
        self.last += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}).to_string() + "\n";
        let begun = Instant::now();
        self.input.write_all(request.as_bytes())?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let took = begun.elapsed();
        let answer: Value = serde_json::from_str(&line).context("the server has ended")?;
        anyhow::ensure!(answer["id"] == self.last && answer.get("result").is_some(), "a call was refused: {line}");
        anyhow::ensure!(answer["result"]["isError"] != true, "a call was refused: {line}");
        Ok(took)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls a tool through the proxy and without it, in turns.
pub(super) fn run(calls: usize) -> anyhow::Result<u8> {
    let program = std::env::current_exe()?;
    let folder = Scratch::new()?;
    let place = folder.0.as_path();
    std::fs::write(place.join("bartizan.toml"), "[store]\npath = \"mcp.sqlite\"\n")?;
    let direct = || {
        let mut command = Command::new(&program);
        command.args(["bench", "mcp-server"]).current_dir(place);
        command
    };
    let proxied = || {
        let mut command = Command::new(&program);
        command.args(["mcp", "proxy", "--name", "scripted", "--lock", "mcp.lock", "--config", "bartizan.toml", "--"]);
        command.arg(&program).args(["bench", "mcp-server"]).current_dir(place);
        command
    };
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:>10}  {:>12}  {:>12}  {:>12}  {:>12}",
        "arguments", "direct p50", "direct p99", "added p50", "added p99"
    )?;
    for size in [64, 4 << 10, 32 << 10] {
        let note = super::text(super::PROSE, size);
        let params = json!({"name": "echo", "arguments": {"note": note}});
        let (mut plain, mut added) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        for _ in 0..ROUNDS {
            let mut times = Vec::with_capacity(2);
            for command in [direct(), proxied()] {
                let mut client = Client::start(command)?;
                let mut round = Vec::with_capacity(calls);
                for call in 0..calls + 50 {
                    let took = client.ask("tools/call", &params)?;
                    if call >= 50 {
                        round.push(took);
                    }
                }
                round.sort_unstable();
                times.push((quantile(&round, 0.5), quantile(&round, 0.99)));
            }
            if let [(p50, p99), (through50, through99)] = times[..] {
                plain.0.push(p50);
                plain.1.push(p99);
                added.0.push(through50 - p50);
                added.1.push(through99 - p99);
            }
        }
        let figure = |micros: Vec<f64>| format!("{:.3} ms", median(micros) / 1e3);
        let [a, b, c, d] = [plain.0, plain.1, added.0, added.1].map(figure);
        writeln!(out, "{size:>8} B  {a:>12}  {b:>12}  {c:>12}  {d:>12}")?;
    }
    Ok(DONE)
}
