//! A server that runs as a child of this program and speaks over its standard input and output, one message a line.
//!
//! Pipes block, so each has a thread; what is decided is decided on the runtime.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio as Pipe};
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::{AccessStore, Principal};
use bartizan_guard::{Guard, Recorder};
use bartizan_mcp::{Id, Message, Pinned, Reach, Tool, error_reply};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Mcp;
use super::listing::MOST_PAGES;
use super::lockfile::LockFile;
use super::server::Server;
use super::session::{INVALID_REQUEST, Next, Session};
use crate::access::Access;
use crate::metrics::Metrics;
use crate::server::GatewayError;
use crate::settings::{CheckApi, Settings};
use crate::shared::{Live, Profiles, Shared};

/// Messages on their way to a side that reads slowly. When they are full the other side is not read on.
const QUEUE: usize = 64;

/// How often waiting requests are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Time that a server has for a page of its list of tools that nobody but this program asks for.
const LISTING: Duration = Duration::from_secs(10);

/// Time that a server has to end once its input is closed (2025-11-25, basic/lifecycle, "Shutdown").
const CLOSING: Duration = Duration::from_secs(3);

/// What a stdio proxy is made of.
pub struct Stdio {
    /// Name of the server: in records, in the lock file, as the origin of what it says.
    pub name: String,
    /// Its command line: program and arguments.
    pub command: Vec<String>,
    /// The lock file.
    pub lock: LockFile,
    /// How long a request may wait for its answer.
    pub longest: Duration,
}

/// A line of one side.
enum Line {
    Message(Vec<u8>),
    TooLong,
    End,
}

/// Reads lines of at most `limit` bytes until there are no more. The rest of a longer one is skipped.
fn lines(from: impl Read, limit: usize, to: &mpsc::Sender<Line>) {
    let mut from = BufReader::with_capacity(64 << 10, from);
    loop {
        let mut line = Vec::new();
        // What cannot be read has ended.
        let taken = (&mut from).take(limit as u64 + 1).read_until(b'\n', &mut line).unwrap_or_default();
        if taken == 0 {
            let _ = to.blocking_send(Line::End);
            return;
        }
        let whole = line.last() == Some(&b'\n');
        while line.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
            line.pop();
        }
        if !whole && line.len() > limit {
            if skip_line(&mut from).is_err() || to.blocking_send(Line::TooLong).is_err() {
                return;
            }
            continue;
        }
        // What is cut off at the end of the input is no message.
        if (line.is_empty() || !whole) && taken > 0 {
            if whole {
                continue;
            }
            let _ = to.blocking_send(Line::End);
            return;
        }
        if to.blocking_send(Line::Message(line)).is_err() {
            return;
        }
    }
}

fn skip_line(from: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        let (used, done) = match buffer.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        from.consume(used);
        if done {
            return Ok(());
        }
    }
}

/// Writes lines until the other end or the queue is closed, or an empty message comes.
fn write(mut to: impl Write, mut from: mpsc::Receiver<Vec<u8>>) {
    while let Some(mut message) = from.blocking_recv() {
        // An empty message is the end: it closes the other side's input.
        if message.is_empty() {
            return;
        }
        // A message of several lines would be several messages there; between values of JSON a blank is the same.
        for byte in &mut message {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        message.push(b'\n');
        if to.write_all(&message).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

fn start(command: &[String]) -> Result<Child, GatewayError> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| GatewayError::Settings("the command of the server is empty".to_owned()))?;
    let mut child = Command::new(program);
    child.args(arguments).stdin(Pipe::piped()).stdout(Pipe::piped()).stderr(Pipe::inherit());
    // What the guard is given is not the server's.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("BARTIZAN_")) {
            child.env_remove(name);
        }
    }
    child.spawn().map_err(|error| GatewayError::Settings(format!("cannot start the server `{program}`: {error}")))
}

/// Ends a child: politely, then for good.
fn end(mut child: Child) -> Option<ExitStatus> {
    let until = std::time::Instant::now() + CLOSING;
    while std::time::Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    child.wait().ok()
}

/// Stands between a client on standard input and output and a server, until either is gone.
///
/// # Errors
/// The server cannot be started, or the store cannot be read.
pub async fn proxy(
    stdio: Stdio,
    settings: Settings,
    guard: Arc<Guard>,
    recorder: Recorder,
    access: Option<Arc<dyn AccessStore>>,
) -> Result<(), GatewayError> {
    let limit = guard.limits().max_body;
    let (shared, live) = office(settings, guard, recorder, access).await?;
    let mut child = start(&stdio.command)?;
    let gone = || GatewayError::Settings("the server has no standard input or output".to_owned());
    let (input, output) = (child.stdin.take().ok_or_else(gone)?, child.stdout.take().ok_or_else(gone)?);
    let server = Server::new(&stdio.name, Reach::Local, None, Arc::new(stdio.lock));
    let session = Arc::new(Session::new(Arc::new(server), Principal::default()));

    let (to_client, for_client) = mpsc::channel(QUEUE);
    let (to_server, for_server) = mpsc::channel(QUEUE);
    let (said, mut by_client) = mpsc::channel(QUEUE);
    let (told, mut by_server) = mpsc::channel(QUEUE);
    std::thread::spawn(move || lines(std::io::stdin(), limit, &said));
    std::thread::spawn(move || lines(output, limit, &told));
    let client_writer = std::thread::spawn(move || write(std::io::stdout(), for_client));
    std::thread::spawn(move || write(input, for_server));

    // Two directions, so that a slow check of one does not hold up the other.
    let client = {
        let (session, shared, live) = (Arc::clone(&session), Arc::clone(&shared), Arc::clone(&live));
        let (to_client, to_server) = (to_client.clone(), to_server.clone());
        async move {
            while let Some(line) = by_client.recv().await {
                let next = match line {
                    Line::Message(message) => {
                        list_before(&session, (&shared, &live), &message, &to_server).await;
                        session.client_says(&shared, &live, message).await
                    }
                    Line::TooLong => Next::Answer(too_long(limit)),
                    Line::End => return,
                };
                if !pass(next, &to_server, &to_client).await {
                    return;
                }
            }
        }
    };
    let serving = {
        let (session, shared, live) = (Arc::clone(&session), Arc::clone(&shared), Arc::clone(&live));
        let (to_client, to_server) = (to_client.clone(), to_server.clone());
        async move {
            while let Some(line) = by_server.recv().await {
                let next = match line {
                    Line::Message(message) => session.server_says(&shared, &live, message).await,
                    Line::TooLong => {
                        tracing::warn!(limit, "a message of the MCP server is too large; dropped");
                        Next::Drop
                    }
                    Line::End => return,
                };
                if !pass(next, &to_client, &to_server).await {
                    return;
                }
            }
        }
    };
    let watching = async {
        loop {
            tokio::time::sleep(TICK).await;
            if let Err(error) = shared.access.keep_contained().await {
                tracing::error!(%error, "cannot read what is cut off");
            }
            let (client, server) = session.expire(stdio.longest);
            for message in client {
                let _ = to_client.send(message).await;
            }
            for message in server {
                let _ = to_server.send(message).await;
            }
        }
    };
    let (mut client, mut serving) = (tokio::spawn(client), tokio::spawn(serving));
    let client_left = tokio::select! {
        _ = &mut client => true,
        _ = &mut serving => false,
        () = watching => false,
    };
    if client_left {
        // Answers to what was asked still come.
        let _ = to_server.send(Vec::new()).await;
        let _ = tokio::time::timeout(CLOSING, &mut serving).await;
    }
    client.abort();
    serving.abort();
    for message in session.expire(Duration::ZERO).0 {
        let _ = to_client.send(message).await;
    }
    drop(to_server);
    let _ = tokio::task::spawn_blocking(move || end(child)).await;
    let _ = to_client.send(Vec::new()).await;
    let _ = tokio::task::spawn_blocking(move || client_writer.join()).await;
    Ok(())
}

/// Asks for the list of tools where a client calls one before it has listed. What cannot be read in time is not called.
async fn list_before(
    session: &Session,
    (shared, live): (&Arc<Shared>, &Arc<Live>),
    message: &[u8],
    to_server: &mpsc::Sender<Vec<u8>>,
) {
    let mut next = session.page_before(shared, live, message).await;
    while let Some(mut page) = next {
        if to_server.send(std::mem::take(&mut page.request)).await.is_err() {
            return;
        }
        let Ok(Ok(cursor)) = tokio::time::timeout(LISTING, &mut page.read).await else {
            return session.forget(&page.id);
        };
        let Some(cursor) = cursor else { return };
        next = session.page_after(shared, live, page, cursor).await;
    }
}

/// Carries one message. False once a side is gone.
async fn pass(next: Next, on: &mpsc::Sender<Vec<u8>>, back: &mpsc::Sender<Vec<u8>>) -> bool {
    match next {
        Next::Forward(permitted) => on.send(permitted.into_inner().body).await.is_ok(),
        Next::Instead(message) => on.send(message).await.is_ok(),
        Next::Answer(message) => back.send(message).await.is_ok(),
        Next::Drop => true,
    }
}

fn too_long(limit: usize) -> Vec<u8> {
    error_reply(None, INVALID_REQUEST, &format!("the message is larger than {limit} bytes"), None)
}

/// What the gateway has around a request, without its sockets.
async fn office(
    settings: Settings,
    guard: Arc<Guard>,
    recorder: Recorder,
    access: Option<Arc<dyn AccessStore>>,
) -> Result<(Arc<Shared>, Arc<Live>), GatewayError> {
    let metrics = Arc::new(Metrics::default());
    let access = Access::open(access, Arc::clone(&metrics)).await?;
    // Nobody listens, so there is nobody to ask for a key.
    let settings = Settings {
        upstream: Vec::new(),
        client: Vec::new(),
        jwt: None,
        tls: None,
        passthrough: Vec::new(),
        mcp: Mcp::default(),
        check_api: CheckApi { standalone: true, ..settings.check_api },
        ..settings
    };
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let live =
        Live::build(guard, Profiles::new(), settings, None, nowhere, &access, None).map_err(GatewayError::Settings)?;
    let shared = Arc::new(Shared::new(live, recorder, metrics, access, None));
    let live = shared.live();
    Ok((shared, live))
}

/// What a server says of itself.
#[derive(Debug)]
pub struct Said {
    /// It as it is pinned.
    pub pinned: Pinned,
    /// The same in its own words: an object with `instructions` and `tools`.
    pub result: Value,
}

/// Starts a server and asks for its instructions and tools, for `bartizan mcp pin`. It blocks.
///
/// # Errors
/// The server cannot be started, or does not answer as the protocol says within the time.
pub fn list(command: &[String], limit: usize, time: Duration) -> Result<Said, GatewayError> {
    let mut child = start(command)?;
    let asked = match (child.stdin.take(), child.stdout.take()) {
        (Some(input), Some(output)) => {
            let (told, by_server) = mpsc::channel(QUEUE);
            std::thread::spawn(move || lines(output, limit, &told));
            Talk { input, by_server, until: std::time::Instant::now() + time }.ask_all()
        }
        _ => Err("it has no standard input or output".to_owned()),
    };
    end(child);
    let program = command.first().map_or("", String::as_str);
    let (instructions, definitions) =
        asked.map_err(|why| GatewayError::Settings(format!("the server `{program}` cannot be asked: {why}")))?;
    let tools: Vec<Tool> = definitions.iter().map(Tool::read).collect();
    Ok(Said {
        pinned: Pinned::of(Some(&instructions), &tools),
        result: json!({"instructions": instructions, "tools": definitions}),
    })
}

/// A talk with a server, one question at a time.
struct Talk {
    input: ChildStdin,
    by_server: mpsc::Receiver<Line>,
    until: std::time::Instant,
}

impl Talk {
    fn say(&mut self, message: &Value) -> Result<(), String> {
        writeln!(self.input, "{message}").and_then(|()| self.input.flush()).map_err(|_| "it has ended".to_owned())
    }

    /// The next line; `None` where there is none in time.
    fn next(&mut self) -> Option<Line> {
        loop {
            match self.by_server.try_recv() {
                Ok(line) => return Some(line),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
                Err(mpsc::error::TryRecvError::Empty) if std::time::Instant::now() >= self.until => return None,
                Err(mpsc::error::TryRecvError::Empty) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn ask(&mut self, id: i64, method: &str, params: &Value) -> Result<Value, String> {
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let Some(Line::Message(line)) = self.next() else { return Err(format!("it does not answer `{method}`")) };
            match Message::read(&line).map_err(|error| format!("it says what is no message: {error}"))? {
                Message::Response { id: Some(Id::Number(answered)), result } if answered == id => {
                    let result = result.ok_or_else(|| format!("it refuses `{method}`"))?;
                    return serde_json::from_str(result.get()).map_err(|error| error.to_string());
                }
                _ => {}
            }
        }
    }

    /// The instructions of the server, and the definitions of all of its tools.
    fn ask_all(mut self) -> Result<(String, Vec<Value>), String> {
        let client = json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "bartizan", "version": env!("CARGO_PKG_VERSION")}
        });
        let begun = self.ask(0, "initialize", &client)?;
        let instructions = begun.get("instructions").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        let (mut definitions, mut params) = (Vec::new(), json!({}));
        for page in 1..=MOST_PAGES {
            let result = self.ask(i64::try_from(page).unwrap_or(i64::MAX), "tools/list", &params)?;
            definitions.extend(result.get("tools").and_then(Value::as_array).cloned().unwrap_or_default());
            match result.get("nextCursor").filter(|cursor| !cursor.is_null()) {
                Some(cursor) => params = json!({"cursor": cursor}),
                None => return Ok((instructions, definitions)),
            }
        }
        Err(format!("it has more than {MOST_PAGES} pages of tools"))
    }
}
