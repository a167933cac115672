//! `bartizan doctor`.

mod modes;

use std::io::Write as _;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use bartizan_core::ChainStore as _;
use bartizan_store::{OpenError, Part, SqliteStore};
use hyper::Method;

use crate::args::ConfigArgs;
use crate::config::{self, Config, Loaded};
use crate::control;
use crate::keys;
use crate::record::{block_on, close};
use crate::store::{self, Use};
use crate::terminal::{self, Style, counted};
use crate::up;
use crate::{BROKEN, DONE};

/// How long an upstream may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// What one look found.
enum Finding {
    Fine(String),
    /// Works, but should be known.
    Notable(String),
    Wrong(String),
}
use Finding::{Fine, Notable, Wrong};

/// Looks at everything that has to be in place. Nothing is changed.
pub(crate) fn run(args: &ConfigArgs) -> anyhow::Result<u8> {
    let loaded = config::load(args, &[])?;
    let guard = loaded.guard()?;
    let id = guard.id();
    let mut findings = vec![
        ("version", Fine(format!("bartizan {}", env!("CARGO_PKG_VERSION")))),
        ("engine", Fine(format!("canon {}, rules {}, model {}", id.canon, id.rules, id.model))),
        ("rules", Fine(format!("{} in force, mode {}", guard.rules().count(), guard.mode()))),
        ("content", content(&loaded.config)),
        ("config", file(&loaded)),
        ("schemas", Fine(schemas())),
    ];
    findings.extend(ignored()?.into_iter().map(|f| ("environment", f)));
    let notes = loaded.config.exception_notes(jiff::Timestamp::now().as_millisecond());
    findings.extend(notes.into_iter().map(|note| ("exception", Notable(note))));
    findings.push(("store", store(&loaded.config)?));
    if let Err(problem) = loaded.check_clients() {
        findings.push(("config", Wrong(problem.to_string())));
    }
    let missing = loaded.missing()?;
    findings.extend(missing.iter().map(|missing| ("config", Wrong(missing.why.clone()))));
    let paths: Vec<&str> = missing.iter().map(|missing| missing.path.as_str()).collect();
    if let Err(why) = up::check(&loaded, &paths) {
        let why = why.to_string();
        // What the clients are told of above is what it stops at.
        let same = |(_, finding): &(_, Finding)| matches!(finding, Wrong(text) if *text == why);
        if !findings.iter().any(same) {
            findings.push(("config", Wrong(why)));
        }
    }
    findings.extend(modes::wide(&loaded).into_iter().map(|wide| ("files", Notable(wide))));
    findings.push(("listen", listen(&loaded.config.listen)));
    findings.extend(upstreams(&loaded.config).into_iter().map(|f| ("upstream", f)));
    if keys::are_needed(&loaded.config)? {
        findings.extend(keys::without_key(&loaded.config).into_iter().map(|note| ("keys", Notable(note))));
    }

    let color = terminal::colored_stdout();
    let mut out = std::io::stdout().lock();
    let mut code = DONE;
    for (what, finding) in findings {
        let (mark, style, text) = match finding {
            Fine(text) => ("ok", Style::Good, text),
            Notable(text) => ("note", Style::Heading, text),
            Wrong(text) => {
                code = BROKEN;
                ("FAIL", Style::Bad, text)
            }
        };
        writeln!(
            out,
            "{}  {what:<11}  {}",
            terminal::paint(&format!("{mark:>4}"), style, color),
            terminal::line(&text)
        )?;
    }
    Ok(code)
}

fn content(config: &Config) -> Finding {
    match &config.installed {
        Some(pack) => {
            let signer = &pack.signer;
            Fine(format!("{}, made {}, signed by {signer} (sha256:{})", pack.title(), pack.info.made, pack.digest))
        }
        None => Fine("what the program was shipped with".to_owned()),
    }
}

/// What `backup --schema` of a newer program needs to know.
fn schemas() -> String {
    Part::ALL.map(|part| format!("{}={}", part.as_str(), part.latest())).join(" ")
}

fn file(loaded: &Loaded) -> Finding {
    match &loaded.file {
        Some(file) => Fine(format!("`{}`", file.display())),
        None => Notable("no file, the defaults are used; `bartizan init` writes one".to_owned()),
    }
}

/// Variables that look like settings and are none. They may belong to others, so they are no error.
fn ignored() -> anyhow::Result<Vec<Finding>> {
    let mut known = config::variables()?;
    known.extend(["BARTIZAN_CONFIG", "BARTIZAN_LOG"].map(str::to_owned));
    let set = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let unknown = set.filter(|name| name.starts_with("BARTIZAN_") && !known.contains(name));
    Ok(unknown.map(|name| Notable(format!("`{name}` sets nothing"))).collect())
}

/// Whether records can be written, without making a store where there is none.
fn store(config: &Config) -> anyhow::Result<Finding> {
    if config.store.url.is_some() {
        return Ok(block_on(server(config)).unwrap_or_else(|error: anyhow::Error| Wrong(error.to_string())));
    }
    let path = Path::new(&config.store.path);
    let name = path.display();
    if config.store.path == ":memory:" {
        return Ok(Notable("in memory: records are gone when the gateway stops".to_owned()));
    }
    if !path.exists() {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let probe = folder.join(format!(".bartizan-doctor-{}", std::process::id()));
        return Ok(match std::fs::File::create_new(&probe) {
            Ok(_) => {
                std::fs::remove_file(&probe)?;
                Fine(format!("`{name}` will be made"))
            }
            Err(e) => Wrong(format!("`{name}` cannot be made: {e}")),
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        match SqliteStore::open(path).await {
            Ok(store) => {
                let records = store.head().await.map(|head| head.seq.map_or(0, |seq| seq + 1));
                store.close().await;
                match records {
                    Ok(records) => Fine(format!("`{name}` can be written, {}", counted(records, "record"))),
                    Err(e) => Wrong(format!("`{name}`: {e}")),
                }
            }
            Err(OpenError::InUse { .. }) => match control::ask(config, Method::GET, "/admin/v1/status", None).await {
                Ok(Some(status)) => Fine(format!(
                    "`{name}` is written by a gateway that runs: version {}, rules {}",
                    status["version"].as_str().unwrap_or("?"),
                    status["engine"]["rules"].as_str().unwrap_or("?"),
                )),
                Ok(None) => Notable(format!("`{name}` is in use, by a process that cannot be asked")),
                Err(e) => Wrong(format!("`{name}` is in use: {e}")),
            },
            Err(e) => Wrong(e.to_string()),
        }
    }))
}

/// Whether the database can be reached and holds a store of this version, without making or changing one.
async fn server(config: &Config) -> anyhow::Result<Finding> {
    let store = store::open(config, None, Use::Reading).await?;
    let records = store.head().await?.next();
    close(store).await;
    Ok(Fine(format!("Postgres can be reached, {}", counted(records, "record"))))
}

fn listen(address: &str) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Fine(format!("{address} is free")),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
            Notable(format!("{address} is in use, by a gateway that runs or by another program"))
        }
        Err(e) => Wrong(format!("{address}: {e}")),
    }
}

fn upstreams(config: &Config) -> Vec<Finding> {
    if config.upstream.is_empty() && config.check_api.standalone {
        return vec![Fine("none; only checks are answered".to_owned())];
    }
    if config.upstream.is_empty() {
        return vec![Notable("none; `up` needs --upstream URL or [[upstream]]".to_owned())];
    }
    let look = |(name, url): (&str, &str)| match reach(url) {
        Ok(address) => Fine(format!("`{name}` accepts connections at {address}")),
        Err(why) => Wrong(format!("`{name}` at {url}: {why}")),
    };
    let own = config.upstream.iter().filter(|u| !u.is_behind_envoy());
    own.map(|u| look((&u.name, &u.url))).collect()
}

/// Opens a connection and closes it: no request is sent.
fn reach(url: &str) -> Result<String, String> {
    let (rest, port) = match url.strip_prefix("https://") {
        Some(rest) => (rest, 443),
        None => (url.strip_prefix("http://").unwrap_or(url), 80),
    };
    let host = rest.split('/').next().unwrap_or_default();
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let target = if has_port { host.to_owned() } else { format!("{host}:{port}") };
    let addresses = target.to_socket_addrs().map_err(|e| format!("the name cannot be resolved: {e}"))?;
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(address.to_string()),
            Err(e) => last = e.to_string(),
        }
    }
    Err(last)
}
