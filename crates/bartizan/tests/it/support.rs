//! What the end-to-end tests stand on: fetched components, Python servers and clients, ports, processes.
//!
//! `cargo xtask` fetches the components and says in `BARTIZAN_COMPONENTS` (`name=path` lines) where they are. A test
//! that needs one asks first and returns if it is not there; under `CI=true` that is a failure unless the component is
//! listed in `tests/components/optional.txt`.
#![allow(clippy::print_stderr, reason = "says why a test was skipped and what a helper process wrote")]

use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// How long anything may take to start. Generous: machines are shared.
pub(crate) const START: Duration = Duration::from_secs(60);

/// Where a fetched component is: `python`, `smollm2`, `mcp`, `envoy`, `qwen`. `None` means that the test has to be skipped.
pub(crate) fn component(name: &str) -> Option<PathBuf> {
    let all = std::env::var("BARTIZAN_COMPONENTS").unwrap_or_default();
    let found = all.lines().filter_map(|l| l.split_once('=')).find(|(n, _)| *n == name);
    if let Some((_, path)) = found {
        return Some(PathBuf::from(path));
    }
    missing(name, "`cargo xtask components` fetches it")
}

/// Where a program of this machine is, by the same rule.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.or_else(|| missing(name, "install it"))
}

fn missing(name: &str, help: &str) -> Option<PathBuf> {
    let optional = include_str!("../components/optional.txt").lines().any(|l| l.trim() == name);
    let ci = std::env::var("CI").is_ok_and(|v| v == "true");
    assert!(!ci || optional, "`{name}` is missing: {help}");
    eprintln!("skipped: `{name}` is missing: {help}");
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
        command.args(args);
        Self::ready(command)
    }

    fn ready(mut command: Command) -> Server {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command);
        let line = process.wait_for_line(|line| line.starts_with('{'));
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let origin = ready["origin"].as_str().expect("the ready line has an origin").to_owned();
        Server { _process: process, origin }
    }

    /// A LiteLLM proxy with this configuration and these variables. `None` means that the test has to be skipped.
    pub(crate) fn litellm(&self, config: &Path, variables: &[(&str, &str)]) -> Option<Server> {
        let mut command = Self { python: component("litellm")? }.script("litellm_proxy.py");
        command.arg("--config").arg(config).envs(variables.iter().copied());
        Some(Self::ready(command))
    }

    /// The model server with a component as its model. `None` means that the test has to be skipped.
    pub(crate) fn model(&self, component_name: &str) -> Option<Server> {
        self.model_with(component_name, &[])
    }

    /// The same with more options.
    pub(crate) fn model_with(&self, component_name: &str, more: &[&str]) -> Option<Server> {
        let model = component(component_name)?;
        Some(self.server("model_server.py", &[&[&*model.to_string_lossy(), "--shim"], more].concat()))
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

/// `bartizan up` in a folder of its own; it ends with this value.
pub(crate) struct Gateway {
    process: Process,
    /// `http://127.0.0.1:PORT`
    pub(crate) origin: String,
    /// With `bartizan.toml` and the evidence.
    folder: tempfile::TempDir,
}

impl Gateway {
    /// Starts it on a free port with this configuration file, in front of an upstream given as an SDK's base URL.
    pub(crate) fn start(upstream: &str, config: &str) -> Self {
        Self::launch(config, &["up", "--listen", "127.0.0.1:0", "--upstream", upstream])
    }

    fn launch(config: &str, args: &[&str]) -> Self {
        Self::launch_with(config, &[], args, &[])
    }

    fn launch_with(config: &str, files: &[(&str, &str)], args: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("the file is written");
        }
        std::fs::write(folder.path().join("bartizan.toml"), config).expect("the configuration is written");
        Self::within(folder, args, variables)
    }

    /// Starts it once more in a folder that another has left.
    pub(crate) fn again(folder: tempfile::TempDir) -> Self {
        Self::within(folder, &["up", "--listen", "127.0.0.1:0"], &[])
    }

    /// The same in front of an upstream.
    pub(crate) fn again_in_front_of(folder: tempfile::TempDir, upstream: &str) -> Self {
        Self::within(folder, &["up", "--listen", "127.0.0.1:0", "--upstream", upstream], &[])
    }

    /// Waits until it is ready: the classifier is loaded behind its back.
    pub(crate) fn ready(&self) {
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while crate::http::send(&self.origin, "GET", "/readyz", &[], b"").status != 200 {
            assert!(std::time::Instant::now() < end, "it gets ready");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// With its configuration and the evidence.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn within(folder: tempfile::TempDir, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
        command.args(args).current_dir(folder.path()).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).env("NO_COLOR", "1");
        let mut process = Process::start(command);
        let line = process.wait_for_line(|line| line.contains("Anthropic clients:"));
        let origin = line.split_whitespace().find(|w| w.starts_with("http://")).expect("the line has an address");
        Self { origin: origin.to_owned(), process, folder }
    }

    /// Starts it on a free port with this configuration file and these variables.
    pub(crate) fn with_variables(config: &str, variables: &[(&str, &str)]) -> Self {
        Self::launch_with(config, &[], &["up", "--listen", "127.0.0.1:0"], variables)
    }

    /// Starts it on a free port with nothing but this configuration file.
    pub(crate) fn configured(config: &str) -> Self {
        Self::launch(config, &["up", "--listen", "127.0.0.1:0"])
    }

    /// The same with more files in its folder, by name.
    pub(crate) fn configured_with(config: &str, files: &[(&str, &str)]) -> Self {
        Self::launch_with(config, files, &["up", "--listen", "127.0.0.1:0"], &[])
    }

    /// Asks it to stop, as an operator would, without waiting for it.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Asks it to read its configuration anew.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.child.id().to_string();
        let done = Command::new("kill").args([signal, &pid]).status().expect("`kill` runs");
        assert!(done.success());
    }

    /// Puts another text in place of a file of its folder, in one step as an operator should.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        let (new, file) = (self.folder.path().join(format!("{name}.new")), self.folder.path().join(name));
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, file)).expect("the file is written");
    }

    /// What it logged so far.
    pub(crate) fn log(&mut self) -> String {
        self.process.errors()
    }

    /// The value of a metric by its line up to the value, such as `bartizan_failed_open_total`; 0 where it is not there.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = crate::http::send(&self.origin, "GET", "/metrics", &[], b"").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
    }

    /// Waits until a condition holds, at most for [`START`].
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&mut Self) -> bool) {
        let begun = std::time::Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < START, "{what} does not come about\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for its end; answers with the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.process.child.wait().expect("it can be waited for").code()
    }

    /// Ends it as a crash would, and hands over its folder.
    pub(crate) fn kill(self) -> tempfile::TempDir {
        let Self { process, folder, .. } = self;
        drop(process);
        folder
    }

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
}

impl Process {
    /// Waits for a line on standard output, which has to be a pipe; what comes after it is dropped.
    ///
    /// # Panics
    /// When the process ends first, or after [`START`].
    pub(crate) fn wait_for_line(&mut self, wanted: impl Fn(&str) -> bool + Send + 'static) -> String {
        let mut out = BufReader::new(self.child.stdout.take().expect("standard output is a pipe"));
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            if let Some(line) = out.by_ref().lines().map_while(Result::ok).find(|line| wanted(line)) {
                let _ = send.send(line);
            }
            // Whatever else it prints must not fill the pipe.
            let _ = std::io::copy(&mut out, &mut std::io::sink());
        });
        match receive.recv_timeout(START) {
            Ok(line) => line,
            Err(reason) => panic!("it did not get ready ({reason})\n{}", self.errors()),
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

/// The requests that a recorder wrote down so far.
pub(crate) fn recorded(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).expect("the recorder's log");
    text.lines().map(|l| serde_json::from_str(l).expect("JSON lines")).collect()
}
