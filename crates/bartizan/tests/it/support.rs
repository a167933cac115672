//! What the end-to-end tests stand on: fetched components, Python servers and clients, ports, processes.
//!
//! `cargo xtask` fetches the components and says in `BARTIZAN_COMPONENTS` (`name=path` lines) where they are. A test
//! that needs one asks first and returns if it is not there; under `CI=true` that is a failure unless the component is
//! listed in `tests/components/optional.txt`.
#![allow(clippy::print_stderr, reason = "says why a test was skipped and what a helper process wrote")]
#![allow(clippy::disallowed_methods, reason = "starts processes and waits for them")]

use std::io::{BufRead, BufReader, Read, Seek};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take to start. Generous: machines are shared.
pub(crate) const START: Duration = Duration::from_secs(60);

/// Where a fetched component is: `python`, `smollm2`, `qwen`. `None` means that the test has to be skipped.
pub(crate) fn component(name: &str) -> Option<PathBuf> {
    let all = std::env::var("BARTIZAN_COMPONENTS").unwrap_or_default();
    let found = all.lines().filter_map(|l| l.split_once('=')).find(|(n, _)| *n == name);
    if let Some((_, path)) = found {
        return Some(PathBuf::from(path));
    }
    let optional = include_str!("../components/optional.txt").lines().any(|l| l.trim() == name);
    let ci = std::env::var("CI").is_ok_and(|v| v == "true");
    assert!(!ci || optional, "component `{name}` is missing; run the tests with `cargo xtask test`");
    eprintln!("skipped: component `{name}` is missing; run `cargo xtask components`");
    None
}

/// The interpreter with the official SDKs and the scripts in `tests/sdk`.
pub(crate) struct Sdk {
    python: PathBuf,
}

impl Sdk {
    /// `None` means that the test has to be skipped.
    pub(crate) fn find() -> Option<Self> {
        component("python").map(|python| Self { python })
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        // -B: the checkout stays clean. Proxies of the environment are not for loopback.
        command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(name));
        command.env("NO_PROXY", "*").env_remove("SSLKEYLOGFILE");
        command
    }

    /// Starts one of the servers of `tests/sdk` and waits until it is ready.
    pub(crate) fn server(&self, script: &str, args: &[&str]) -> Server {
        let mut command = self.script(script);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command);
        let out = process.child.stdout.take().expect("standard output is a pipe");
        let line = first_line(out, START);
        let ready: Value = match line.as_deref().map(serde_json::from_str) {
            Some(Ok(ready)) => ready,
            _ => panic!("`{script}` did not get ready: {line:?}\n{}", process.errors()),
        };
        let origin = ready["origin"].as_str().expect("the ready line has an origin").to_owned();
        Server { _process: process, origin }
    }

    /// The model server with a component as its model. `None` means that the test has to be skipped.
    pub(crate) fn model(&self, component_name: &str) -> Option<Server> {
        let model = component(component_name)?;
        Some(self.server("model_server.py", &[&model.to_string_lossy(), "--shim"]))
    }

    /// An upstream that says what the script tells it; see `tests/sdk/scripted_upstream.py`.
    pub(crate) fn scripted(&self, script: &Value) -> Server {
        self.server("scripted_upstream.py", &["--script", &script.to_string()])
    }

    /// A recorder in front of an upstream, writing to `log`.
    pub(crate) fn recorder(&self, upstream: &Server, log: &Path) -> Server {
        self.server("recorder.py", &["--upstream", &upstream.origin, "--log", &log.to_string_lossy()])
    }

    /// Plays scenarios with the OpenAI SDK in one process; `base_url` ends in `/v1`.
    pub(crate) fn openai<const N: usize>(&self, base_url: &str, scenarios: [&str; N], more: &[&str]) -> [Said; N] {
        self.client("openai_client.py", base_url, scenarios, more)
    }

    /// Plays scenarios with the Anthropic SDK in one process; `base_url` has no path.
    pub(crate) fn anthropic<const N: usize>(&self, base_url: &str, scenarios: [&str; N], more: &[&str]) -> [Said; N] {
        self.client("anthropic_client.py", base_url, scenarios, more)
    }

    fn client<const N: usize>(&self, script: &str, base_url: &str, scenarios: [&str; N], more: &[&str]) -> [Said; N] {
        let mut command = self.script(script);
        command.args(["--base-url", base_url, "--scenario", &scenarios.join(",")]).args(more).stdin(Stdio::null());
        let done = command.output().expect("the interpreter starts");
        let (out, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "`{script}` ended with {}\n{out}\n{errors}", done.status);
        let mut lines = out.lines().map(|l| serde_json::from_str(l).expect("JSON lines"));
        scenarios.map(|scenario| {
            let mut said = Said(Vec::new());
            while said.step("done").is_null() {
                said.0.push(lines.next().unwrap_or_else(|| panic!("`{scenario}` is not done\n{out}")));
            }
            assert_eq!(said.step("done")["scenario"], scenario);
            said
        })
    }
}

/// What a client printed, one value a line; see `tests/sdk/README.md`.
#[derive(Debug)]
pub(crate) struct Said(pub(crate) Vec<Value>);

impl Said {
    /// The first line of this step, or null.
    pub(crate) fn step(&self, name: &str) -> &Value {
        self.0.iter().find(|line| line["step"] == name).unwrap_or(&Value::Null)
    }
}

/// A server of `tests/sdk`; it ends with this value.
pub(crate) struct Server {
    _process: Process,
    /// `http://127.0.0.1:PORT`
    pub(crate) origin: String,
}

impl Server {
    /// The base URL for OpenAI clients.
    pub(crate) fn v1(&self) -> String {
        format!("{}/v1", self.origin)
    }
}

/// A child process that is killed when this value goes, with its standard error kept aside.
pub(crate) struct Process {
    /// The process.
    pub(crate) child: Child,
    errors: std::fs::File,
}

impl Process {
    /// Starts a command; its standard error goes to a file, so that a full pipe never stops it.
    pub(crate) fn start(mut command: Command) -> Self {
        let errors = tempfile::tempfile().expect("a temporary file");
        command.stderr(errors.try_clone().expect("a second handle"));
        let child = command.spawn().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        Self { child, errors }
    }

    /// What it wrote to standard error so far.
    pub(crate) fn errors(&mut self) -> String {
        let mut text = Vec::new();
        // The handle shares its position with the child's; reading to the end leaves it there.
        let _ = self.errors.rewind();
        let _ = self.errors.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Waits until something accepts connections at `address`.
    ///
    /// # Panics
    /// When the process ends first, or after [`START`].
    pub(crate) fn wait_for(&mut self, address: SocketAddr) {
        let deadline = Instant::now() + START;
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("it ended with {status} before it listened\n{}", self.errors());
            }
            assert!(Instant::now() < deadline, "nothing listens at {address}\n{}", self.errors());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- standard error of a helper process\n{}", self.errors());
        }
    }
}

/// A loopback address that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port")
}

/// The requests that a recorder wrote down so far.
pub(crate) fn recorded(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).expect("the recorder's log");
    text.lines().map(|l| serde_json::from_str(l).expect("JSON lines")).collect()
}

fn first_line(out: impl Read + Send + 'static, limit: Duration) -> Option<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut line = String::new();
        let _ = out.read_line(&mut line);
        let _ = send.send(line);
        // Whatever else it prints must not fill the pipe.
        let _ = std::io::copy(&mut out, &mut std::io::sink());
    });
    receive.recv_timeout(limit).ok().filter(|l| !l.is_empty())
}
