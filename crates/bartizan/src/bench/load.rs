//! Processes under measurement and the load on them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

pub(super) type Http = Client<HttpConnector, Full<Bytes>>;

pub(super) fn runtime(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

pub(super) fn client() -> Http {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(http)
}

/// A folder that goes with this value.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("bartizan-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process under measurement; it ends with this value.
pub(super) struct Server {
    child: Child,
    /// Kept open, so that the process can go on writing.
    _out: Option<BufReader<ChildStdout>>,
    /// Where it listens, with `/v1`.
    pub(super) url: String,
    /// From its start until it said so.
    pub(super) started: Duration,
    /// Sent with each request.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Server {
    /// This program with other arguments.
    pub(super) fn start(args: &[&str], folder: &Path) -> anyhow::Result<Self> {
        let began = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .args(args)
            .current_dir(folder)
            .env("BARTIZAN_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut out = BufReader::new(child.stdout.take().context("the process has no standard output")?);
        let mut line = String::new();
        loop {
            line.clear();
            if out.read_line(&mut line)? == 0 {
                return Err(anyhow!("the process did not say where it listens"));
            }
            // The line for clients ends with the address; the one about the upstream does not.
            let line = line.trim_end();
            if let Some(at) = line.find("http://127.0.0.1:").filter(|_| line.ends_with("/v1")) {
                let url = line.get(at..).unwrap_or_default().to_owned();
                return Ok(Self { child, _out: Some(out), url, started: began.elapsed(), headers: Vec::new() });
            }
        }
    }

    /// The gateway with a configuration.
    pub(super) fn gateway(config: &str, folder: &Path) -> anyhow::Result<Self> {
        std::fs::write(folder.join("bartizan.toml"), config)?;
        Self::start(&["up", "--listen", "127.0.0.1:0"], folder)
    }

    /// A gateway of somebody else's: a shell command that finds the model server's URL in `UPSTREAM` and the port to
    /// listen on in `PORT`. Answers once it has answered a request.
    pub(super) async fn peer(
        command: &str,
        upstream: &str,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: &Bytes,
    ) -> anyhow::Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let began = Instant::now();
        let mut child = Command::new("sh");
        child.arg("-c").arg(format!("exec {command}")).env("UPSTREAM", upstream).env("PORT", port.to_string());
        // A pipe that ends with this process, for commands that end with their input.
        child.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let url = format!("http://127.0.0.1:{port}/v1");
        let mut server = Self { child: child.spawn()?, _out: None, url, started: Duration::ZERO, headers };
        let client = client();
        loop {
            if let Ok(reply) = client.request(server.request(body)?).await
                && reply.status().is_success()
            {
                break;
            }
            anyhow::ensure!(server.child.try_wait()?.is_none(), "`{command}` ended at once");
            anyhow::ensure!(began.elapsed() < Duration::from_secs(120), "`{command}` answers nothing");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        server.started = began.elapsed();
        Ok(server)
    }

    /// A chat completion with this body.
    pub(super) fn request(&self, body: &Bytes) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::post(format!("{}/chat/completions", self.url))
            .header("content-type", "application/json")
            .body(Full::new(body.clone()))?;
        request.headers_mut().extend(self.headers.iter().cloned().map(|(name, value)| (Some(name), value)));
        Ok(request)
    }

    /// Processor time of all its threads and of the processes that it started, in nanoseconds.
    pub(super) fn cpu(&self) -> anyhow::Result<u64> {
        let mut sum = 0;
        let mut open = vec![self.child.id().to_string()];
        while let Some(process) = open.pop() {
            for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
                let task = task?.path();
                let stat = std::fs::read_to_string(task.join("schedstat"))?;
                sum += stat.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
                let children = std::fs::read_to_string(task.join("children")).unwrap_or_default();
                open.extend(children.split_whitespace().map(str::to_owned));
            }
        }
        Ok(sum)
    }

    pub(super) fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or("0");
        line.split_whitespace().next().and_then(|k| k.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One round of requests.
pub(super) struct Round {
    /// Processor time a request in microseconds.
    pub(super) cpu_us: f64,
    /// Requests a second, wall clock.
    pub(super) rate: f64,
    pub(super) latencies: Vec<Duration>,
}

pub(super) async fn round(server: &Server, body: &Bytes, requests: usize, connections: usize) -> anyhow::Result<Round> {
    let (before, began) = (server.cpu()?, Instant::now());
    let mut tasks = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (client, request) = (client(), server.request(body)?);
        let share = requests / connections;
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::with_capacity(share);
            for _ in 0..share {
                let start = Instant::now();
                let reply = client.request(request.clone()).await?;
                anyhow::ensure!(reply.status().is_success(), "status {}", reply.status());
                reply.into_body().collect().await?;
                latencies.push(start.elapsed());
            }
            anyhow::Ok(latencies)
        }));
    }
    let mut latencies = Vec::with_capacity(requests);
    for task in tasks {
        latencies.extend(task.await??);
    }
    let spent = began.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "counts and microseconds of a benchmark")]
    let (count, cpu) = (latencies.len() as f64, (server.cpu()? - before) as f64);
    Ok(Round { cpu_us: cpu / 1e3 / count, rate: count / spent, latencies })
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Microseconds below which that part of the sorted times is.
pub(super) fn quantile(sorted: &[Duration], part: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = ((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |d| d.as_secs_f64() * 1e6)
}
