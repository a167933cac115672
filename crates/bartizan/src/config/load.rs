//! Layers: defaults < file < environment < flags. Each value remembers which one it is from.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use aws_lc_rs::digest;
use bartizan_access::AccessError;
use bartizan_core::TenantId;
use bartizan_gateway::{Profiles, Upstream};
use bartizan_guard::{Guard, SegmentCache};
use bartizan_sign::VerifyingKey;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::candidate::laid_over;
use super::locate::{Places, line};
use super::secrets::cover;
use super::{Candidate, Config, Profile};
use crate::args::ConfigArgs;
use crate::content::{self, Installed, Place};
use crate::privacy::protect;
use crate::problem::Problem;
use crate::suggest;
use crate::up::UpArgs;

/// The file that is read where none is named.
pub(crate) const DEFAULT_FILE: &str = "bartizan.toml";

/// Keys of values `file:PATH` that name what is written.
const WRITTEN: [&str; 1] = ["checkpoint_to"];

/// Which layer a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Environment(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value given on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    /// Key in the configuration.
    pub(crate) path: &'static str,
    /// As it was typed.
    pub(crate) value: String,
    /// Name of the flag.
    pub(crate) name: &'static str,
}

/// The flags of `up` that are settings.
pub(crate) fn flags(args: &UpArgs) -> Vec<Flag> {
    let flag = |path, name, value: &Option<String>| value.clone().map(|value| Flag { path, value, name });
    [flag("upstream", "--upstream", &args.upstream), flag("listen", "--listen", &args.listen)]
        .into_iter()
        .flatten()
        .collect()
}

/// The effective configuration.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    candidate_file: Option<PathBuf>,
    text: String,
    places: Places,
    /// Paths that the environment or a flag set.
    overridden: BTreeMap<String, Origin>,
}

impl Loaded {
    /// Which layer the value at the path is from.
    pub(crate) fn origin(&self, path: &str) -> Origin {
        // A list is set as a whole.
        if let Some(origin) = std::iter::successors(Some(path), |p| p.rsplit_once('.').map(|(parent, _)| parent))
            .find_map(|p| self.overridden.get(p))
        {
            return origin.clone();
        }
        match (&self.file, self.places.get(path)) {
            (Some(file), Some(span)) => Origin::File { path: file.clone(), line: line(&self.text, span.start) },
            _ => Origin::Default,
        }
    }

    /// Names the effective configuration: SHA-256 of it, the first half, in hex. Secrets are in it by reference only.
    pub(crate) fn digest(&self) -> String {
        // The guard's settings hold what the files say that the configuration refers to.
        let packs: Vec<&Option<String>> = self.config.packs().map(|(_, pack)| &pack.text).collect();
        let protected: Vec<_> = self.config.protected.iter().map(|corpus| corpus.digest()).collect();
        let agents: Vec<&Option<String>> = self.config.agent_policies().map(|(_, policy)| &policy.text).collect();
        let content = self.config.installed.as_ref().map(|installed| &installed.digest);
        digest(&(&self.config, self.config.guard(), packs, protected, agents, content))
    }

    /// The effective configuration as JSON. Secrets are in it by reference only.
    pub(crate) fn value(&self) -> anyhow::Result<Value> {
        tree(&self.config)
    }

    /// Every file that the configuration was read from or refers to.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.file.iter().chain(&self.candidate_file).cloned().collect();
        // Certificates are renewed in place.
        if let Some(tls) = &self.config.tls {
            files.push(tls.cert.clone());
            files.extend(tls.client_ca.clone());
        }
        files.extend(self.config.models.files());
        files.extend(self.config.content.public_keys.iter().cloned());
        files.extend(Place::of(&self.config).map(|place| place.current_file()));
        files.extend(self.config.packs().map(|(_, pack)| PathBuf::from(&pack.path)));
        files.extend(self.config.protected.iter().map(|corpus| corpus.index.clone()));
        files.extend(self.config.agent_policies().map(|(_, policy)| PathBuf::from(&policy.path)));
        files.extend(self.referenced().into_iter().map(|(_, file)| file));
        files
    }

    /// Files that values `file:PATH` name, with the last part of the key: secrets, and what else is read that way.
    pub(crate) fn referenced(&self) -> Vec<(String, PathBuf)> {
        let mut files = Vec::new();
        let mut open: Vec<(String, Value)> = tree(&self.config).into_iter().map(|all| (String::new(), all)).collect();
        while let Some((key, value)) = open.pop() {
            match value {
                // What the program writes itself is no part of what it was told: it would go on reloading for ever.
                _ if WRITTEN.contains(&key.as_str()) => {}
                Value::Object(members) => open.extend(members),
                Value::Array(items) => open.extend(items.into_iter().map(|item| (key.clone(), item))),
                Value::String(text) => files.extend(text.strip_prefix("file:").map(|file| (key, PathBuf::from(file)))),
                _ => {}
            }
        }
        files
    }

    /// A problem with the value at the path, drawn in the file where it is from there.
    pub(super) fn problem(&self, path: &str, title: String, label: &str) -> Problem {
        let problem = match self.origin(path) {
            Origin::Environment(_) | Origin::Flag(_) => Problem::new(format!("{}: {title}", self.origin(path))),
            _ => Problem::new(title),
        };
        match (&self.file, self.places.get(path), self.origin(path)) {
            (Some(file), Some(span), Origin::File { .. }) => problem.at(file, &cover(&self.text), span, label),
            _ => problem,
        }
    }
}

/// Loads the effective configuration and checks that it can be used.
pub(crate) fn load(args: &ConfigArgs, flags: &[Flag]) -> anyhow::Result<Loaded> {
    let installed = content::installed(&unchecked(args)?.config)?;
    load_with(args, flags, installed)
}

/// The same with a content pack that may not be installed.
pub(crate) fn load_with(args: &ConfigArgs, flags: &[Flag], installed: Option<Installed>) -> anyhow::Result<Loaded> {
    let mut loaded = unchecked(args)?;
    for flag in flags {
        loaded.set(flag.path, &flag.value, Origin::Flag(flag.name))?;
    }
    if let Some(installed) = installed {
        // What the configuration says itself goes before what a pack says.
        for (name, profile) in &installed.profiles {
            loaded.config.profile.entry(name.clone()).or_insert_with(|| profile.clone());
        }
        loaded.config.installed = Some(Arc::new(installed));
    }
    loaded.check()?;
    loaded.candidate()?;
    loaded.check_sense()?;
    loaded.read_referenced()?;
    Ok(loaded)
}

/// What the file and the environment say, unchecked and without a content pack.
pub(crate) fn unchecked(args: &ConfigArgs) -> anyhow::Result<Loaded> {
    let mut loaded = read(args)?;
    let defaults = tree(&Config::default())?;
    for (path, name) in leaves(&defaults).into_iter().map(|path| (path.clone(), variable(&path))) {
        if let Some(value) = std::env::var_os(&name) {
            let value = value.into_string().map_err(|_| Problem::new(format!("environment `{name}` is not UTF-8")))?;
            loaded.set(&path, &value, Origin::Environment(name))?;
        }
    }
    Ok(loaded)
}

/// SHA-256 of settings, the first half, in hex.
pub(crate) fn digest(settings: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(settings).unwrap_or_default();
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Every environment variable that sets something.
pub(crate) fn variables() -> anyhow::Result<Vec<String>> {
    Ok(leaves(&tree(&Config::default())?).iter().map(|path| variable(path)).collect())
}

/// `store.path` is `BARTIZAN_STORE__PATH`.
fn variable(path: &str) -> String {
    format!("BARTIZAN_{}", path.replace('.', "__").replace('-', "_").to_uppercase())
}

fn read(args: &ConfigArgs) -> anyhow::Result<Loaded> {
    let named = args.config.clone().or_else(|| std::env::var_os("BARTIZAN_CONFIG").map(PathBuf::from));
    let path = match named {
        Some(path) => path,
        None if Path::new(DEFAULT_FILE).exists() => PathBuf::from(DEFAULT_FILE),
        None => {
            return Ok(Loaded {
                config: Config::default(),
                file: None,
                candidate_file: None,
                text: String::new(),
                places: Places::default(),
                overridden: BTreeMap::new(),
            });
        }
    };
    let bytes = std::fs::read(&path).map_err(|e| {
        Problem::new(format!("cannot read the configuration `{}`: {e}", path.display()))
            .help("`bartizan init` writes one")
    })?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Problem::new(format!("the configuration `{}` is not UTF-8 from byte {at} on", path.display()))
    })?;
    let config = toml::from_str(&text).map_err(|e| describe(&path, &text, &e, SCHEMA))?;
    Ok(Loaded {
        config,
        file: Some(path),
        candidate_file: None,
        places: Places::of(&text),
        text,
        overridden: BTreeMap::new(),
    })
}

/// Turns what the TOML reader says into a drawing with a way out.
fn describe(path: &Path, text: &str, error: &toml::de::Error, otherwise: &str) -> Problem {
    let message = error.message().trim().replace('\n', ", ");
    let span = error.span().unwrap_or(0..0);
    let (title, help) = explain(&message);
    let problem = Problem::new(title).at(path, &cover(text), span, "");
    match help {
        Some(help) => problem.help(help),
        None => problem.help(otherwise),
    }
}

/// What helps with a mistake in the configuration.
const SCHEMA: &str = "`bartizan config schema` prints what may be set";

/// Reads another TOML file; a mistake is drawn where it is. `otherwise` is the help where nothing better is known.
pub(crate) fn toml<T: DeserializeOwned>(path: &Path, text: &str, otherwise: &str) -> Result<T, Problem> {
    toml::from_str(text).map_err(|error| describe(path, text, &error, otherwise))
}

/// Title and help for a message of serde's: for unknown words it lists the known ones in backticks.
fn explain(message: &str) -> (String, Option<String>) {
    let Some((unknown, known)) = message.split_once(", expected").filter(|_| message.starts_with("unknown ")) else {
        let plain =
            [("usize", "a whole number"), ("u64", "a whole number"), ("u8", "a whole number"), ("f32", "a number")]
                .iter()
                .fold(message.replace("missing field", "missing key"), |message, (rust, plain)| {
                    message.replace(&format!("expected {rust}"), &format!("expected {plain}"))
                });
        return (plain, None);
    };
    let title = unknown.replace("unknown field", "unknown key").replace("unknown variant", "unknown value");
    let typed = unknown.split('`').nth(1).unwrap_or_default();
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let help = match suggest::closest(typed, known.iter().copied()) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    (title, Some(help))
}

/// The configuration as JSON. By way of text, so that 0.9 stays 0.9.
pub(super) fn tree(config: &Config) -> anyhow::Result<Value> {
    let text = serde_json::to_string(config).context("the configuration cannot be written as JSON")?;
    serde_json::from_str(&text).context("the configuration cannot be read back")
}

/// The path of everything that is not a table. A list is one value.
fn leaves(tree: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    let mut open = vec![(String::new(), tree)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(members) => {
                open.extend(
                    members.iter().map(|(key, value)| {
                        (if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value)
                    }),
                );
            }
            _ => paths.push(path),
        }
    }
    paths.sort();
    paths
}

impl Loaded {
    /// Puts a typed value over what is there.
    fn set(&mut self, path: &str, typed: &str, origin: Origin) -> anyhow::Result<()> {
        let mut tree = tree(&self.config)?;
        let place = path.split('.').try_fold(&mut tree, |at, key| at.get_mut(key));
        let place = place.with_context(|| format!("there is no setting `{path}`"))?;
        let wrong = |why: String| Problem::new(format!("{origin}: {why}"));
        *place = if path == "upstream" && !typed.trim_start().starts_with('[') {
            serde_json::json!([{ "name": "default", "url": typed }])
        } else if place.is_string() {
            Value::String(typed.to_owned())
        } else {
            value(typed).map_err(|e| {
                wrong(format!("`{typed}` is no value for `{path}`: {e}")).help("values are written as in TOML")
            })?
        };
        self.config = serde_json::from_value(tree).map_err(|e| {
            let (title, help) = explain(&e.to_string());
            let problem = wrong(format!("`{path}`: {title}"));
            if let Some(help) = help { problem.help(help) } else { problem }
        })?;
        self.overridden.insert(path.to_owned(), origin);
        Ok(())
    }

    /// Reads the rule packs and schemas that the configuration names.
    fn read_referenced(&mut self) -> Result<(), Problem> {
        let mut texts = Vec::new();
        for (path, pack) in self.config.packs() {
            let text = std::fs::read_to_string(&pack.path)
                .map_err(|e| self.problem(&path, format!("cannot read `{}`: {e}", pack.path), ""))?;
            texts.push(text);
        }
        for (pack, text) in self.config.packs_mut().zip(texts) {
            pack.text = Some(text);
        }
        for index in 0..self.config.protected.len() {
            let corpus = &self.config.protected[index];
            let opened = protect::open(&corpus.index, &corpus.key)
                .map_err(|why| self.problem(&format!("protected.{index}.index"), why, ""))?;
            self.config.protected[index].opened = Some(std::sync::Arc::new(opened));
        }
        let mut texts = Vec::new();
        for (path, policy) in self.config.agent_policies() {
            let text = std::fs::read_to_string(&policy.path)
                .map_err(|e| self.problem(&path, format!("cannot read `{}`: {e}", policy.path), ""))?;
            texts.push(text);
        }
        for (policy, text) in self.config.agent_policies_mut().zip(texts) {
            policy.text = Some(text);
        }
        for index in 0..self.config.upstream.len() {
            let read = self.config.upstream[index].reply_schema.as_mut().map_or(Ok(()), |schema| schema.read());
            read.map_err(|why| self.problem(&format!("upstream.{index}.reply_schema"), why, ""))?;
        }
        Ok(())
    }

    /// Keys and certificates of those who are trusted to sign: a list with a file that is not there trusts fewer than it
    /// says. While a gateway runs, a model whose signer's key goes away is held back instead.
    pub(crate) fn check_keys(&self) -> Result<(), Problem> {
        let (models, content) = (&self.config.models, &self.config.content);
        let keys = [("models.public_keys", &models.public_keys), ("content.public_keys", &content.public_keys)];
        for (key, index, path) in
            keys.iter().flat_map(|(key, paths)| paths.iter().enumerate().map(|(i, p)| (*key, i, p)))
        {
            let read = std::fs::read(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()));
            let checked = read.and_then(|bytes| {
                VerifyingKey::from_pem(&bytes).map_err(|e| format!("`{}`: {e}", path.display())).map(drop)
            });
            checked.map_err(|why| self.problem(&format!("{key}.{index}"), format!("`{key}`: {why}"), ""))?;
        }
        for (index, path) in models.certificate_chain.iter().enumerate() {
            let key = "models.certificate_chain";
            std::fs::read(path).map_err(|e| {
                let title = format!("`{key}`: cannot read `{}`: {e}", path.display());
                self.problem(&format!("{key}.{index}"), title, "")
            })?;
        }
        Ok(())
    }

    /// What the types cannot say.
    fn check(&self) -> Result<(), Problem> {
        let config = &self.config;
        if !config.listen.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
            let title = format!("`{}` is not an address to listen on", config.listen);
            return Err(self.problem("listen", title, "HOST:PORT").help("the default is 127.0.0.1:8700"));
        }
        for (index, upstream) in config.upstream.iter().enumerate() {
            let path = format!("upstream.{index}.url");
            if upstream.is_behind_envoy() {
                continue;
            }
            if let Err(why) = base_url(&upstream.url) {
                let title = format!("the URL of upstream `{}` cannot be used: {why}", upstream.name);
                return Err(self.problem(&path, title, "").help("give what an SDK takes as base URL"));
            }
            if upstream.key.is_some() && is_open(&upstream.url) {
                return Err(self.in_the_clear(&path, &format!("upstream `{}`", upstream.name)));
            }
        }
        if let Some((name, _)) = config.mcp.servers.iter().find(|(_, s)| s.key.is_some() && is_open(&s.url)) {
            return Err(self.in_the_clear(&format!("mcp.servers.{name}.url"), &format!("MCP server `{name}`")));
        }
        for (kind, names) in [
            ("upstream", config.upstream.iter().map(|u| u.name.as_str()).collect::<Vec<_>>()),
            ("client", config.client.iter().map(|c| c.name.as_str()).collect()),
            ("tenant", config.tenant.iter().map(|t| t.name.as_str()).collect()),
        ] {
            if let Some((index, name)) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
                let title = format!("two entries of `{kind}` are named `{name}`");
                return Err(self.problem(&format!("{kind}.{index}.name"), title, "the second"));
            }
        }
        bartizan_gateway::ext_proc::check(&config.gateway()).map_err(|why| self.problem("ext_proc", why, ""))?;
        self.check_exceptions(jiff::Timestamp::now().as_millisecond())?;
        self.check_access()
    }

    fn in_the_clear(&self, path: &str, what: &str) -> Problem {
        let title = format!("the key of {what} would go to another machine unencrypted");
        let help = "write https://; http:// is for this machine, private addresses and names of a private network";
        self.problem(path, title, "http://").help(help)
    }

    /// Each has an owner and an end that is near enough.
    fn check_exceptions(&self, now: i64) -> Result<(), Problem> {
        for (index, exception) in self.config.exception.iter().enumerate() {
            if let Err((key, why)) = exception.check(now) {
                return Err(self.problem(&format!("exception.{index}.{key}"), why, ""));
            }
            if let Some(tenant) = &exception.scope.tenant {
                self.check_tenant(&format!("exception.{index}.scope.tenant"), tenant)?;
            }
        }
        Ok(())
    }

    /// Who may ask, what for, and where it may go.
    fn check_access(&self) -> Result<(), Problem> {
        let config = &self.config;
        if let Some(jwt) = &config.jwt
            && let Err(error) = jwt.check()
        {
            let AccessError::Jwt { key, .. } = &error else { return Err(Problem::new(error.to_string())) };
            return Err(self.problem(&format!("jwt.{key}"), error.to_string(), ""));
        }
        for (index, client) in config.client.iter().enumerate() {
            if client.key.is_none() && client.certificate.is_none() {
                let title = format!("client `{}` has neither `key` nor `certificate`", client.name);
                return Err(self.problem(&format!("client.{index}.name"), title, ""));
            }
            self.check_tenant(&format!("client.{index}.tenant"), &client.tenant)?;
            self.check_profile(&format!("client.{index}.profile"), client.profile.as_ref())?;
        }
        for (index, upstream) in config.upstream.iter().enumerate() {
            for (at, tenant) in upstream.tenants.iter().enumerate() {
                self.check_tenant(&format!("upstream.{index}.tenants.{at}"), tenant)?;
            }
        }
        for (index, tenant) in config.tenant.iter().enumerate() {
            self.check_profile(&format!("tenant.{index}.profile"), tenant.profile.as_ref())?;
        }
        if config.store.url.is_some() && config.store.path == ":memory:" {
            let title = "`store.url` and `path = \":memory:\"` are two places for the records".to_owned();
            return Err(self.problem("store.url", title, "").help("leave `path` out, or name a file for it"));
        }
        for (index, tenant) in config.tenant.iter().enumerate().filter(|(_, t)| !t.store_regions.is_empty()) {
            let region = config.store.region.as_ref();
            if !region.is_some_and(|region| tenant.store_regions.contains(region)) {
                let title = format!(
                    "the store (region {}) keeps records of the tenant `{}`, which must stay in {}",
                    region.map_or("not named", String::as_str),
                    tenant.name,
                    tenant.store_regions.join(", "),
                );
                let help = "name the store's region as `store.region`; a tenant of another one needs a gateway there";
                return Err(self.problem(&format!("tenant.{index}.store_regions"), title, "").help(help));
            }
        }
        for (index, tenant) in config.tenant.iter().enumerate().filter(|(_, t)| !t.regions.is_empty()) {
            let path = format!("tenant.{index}.regions");
            let mut served = config.upstream.iter().filter(|u| u.serves(&tenant.name)).peekable();
            if served.peek().is_none() {
                let title = format!("no upstream serves the tenant `{}`", tenant.name);
                return Err(self.problem(&path, title, ""));
            }
            let inside = |u: &&Upstream| u.region.as_ref().is_some_and(|r| tenant.regions.contains(r));
            if let Some(upstream) = served.find(|u| !inside(u)) {
                let region = upstream.region.as_deref().unwrap_or("not named");
                let title = format!(
                    "upstream `{}` (region {region}) serves the tenant `{}`, whose traffic must stay in {}",
                    upstream.name,
                    tenant.name,
                    tenant.regions.join(", "),
                );
                let help = "name the upstream's `region`, or list in its `tenants` whom it serves";
                return Err(self.problem(&path, title, "").help(help));
            }
        }
        Ok(())
    }

    fn check_profile(&self, path: &str, profile: Option<&String>) -> Result<(), Problem> {
        match profile.filter(|name| !self.config.profile.contains_key(*name)) {
            None => Ok(()),
            Some(name) => {
                let title = format!("the profile `{name}` is not configured");
                Err(self.problem(path, title, "").help(format!("add a `[profile.{name}]` section")))
            }
        }
    }

    /// Once tenants are configured, others do not exist.
    fn check_tenant(&self, path: &str, tenant: &TenantId) -> Result<(), Problem> {
        let tenants = &self.config.tenant;
        if tenants.is_empty() || *tenant == TenantId::sole() || tenants.iter().any(|t| t.name == *tenant) {
            return Ok(());
        }
        let title = format!("the tenant `{tenant}` is not configured");
        Err(self.problem(path, title, "").help("add a `[[tenant]]` section with that name"))
    }

    /// Reads the file of the candidate where it has one, and makes the candidate whole.
    fn candidate(&mut self) -> Result<(), Problem> {
        let Some(path) = self.config.candidate.file.clone() else {
            return if self.config.candidate.is_empty() {
                Ok(())
            } else {
                self.complete(&self.text.clone(), "/candidate")
            };
        };
        if !self.config.candidate.is_empty() {
            let title = "a candidate is given in a file or in its section, not in both".to_owned();
            return Err(self.problem("candidate.file", title, ""));
        }
        let text = std::fs::read_to_string(&path).map_err(|e| {
            self.problem("candidate.file", format!("cannot read the candidate `{}`: {e}", path.display()), "")
        })?;
        let read: Candidate = toml::from_str(&text).map_err(|e| describe(&path, &text, &e, SCHEMA))?;
        if read.file.is_some() {
            return Err(Problem::new(format!("the candidate `{}` names another file", path.display())));
        }
        self.candidate_file = Some(path.clone());
        self.config.candidate = Candidate { file: Some(path), every: self.config.candidate.every, ..read };
        self.complete(&text, "")
    }

    /// Fills in what the candidate did not give. Only the text says what it gave: read, it has defaults.
    fn complete(&mut self, text: &str, above: &str) -> Result<(), Problem> {
        let problem = |why: String| Problem::new(format!("the candidate cannot be used: {why}"));
        let written: Value = toml::from_str(text).map_err(|e: toml::de::Error| problem(e.message().to_owned()))?;
        let given = |key: &str| -> Result<Option<Value>, Problem> {
            match self.origin(&format!("candidate.{key}")) {
                Origin::Environment(name) => {
                    std::env::var(name).ok().map(|typed| value(&typed)).transpose().map_err(problem)
                }
                _ => Ok(written.pointer(&format!("{above}/{key}")).cloned()),
            }
        };
        let (policy, rules) = (given("policy")?, given("rules")?);
        let Config { policy: live_policy, rules: live_rules, candidate, .. } = &mut self.config;
        for filled in [
            policy.map(|given| laid_over(live_policy, given).map(|all| candidate.policy = Some(all))),
            rules.map(|given| laid_over(live_rules, given).map(|all| candidate.rules = Some(all))),
        ] {
            filled.transpose().map_err(|e| problem(e.to_string()))?;
        }
        Ok(())
    }

    /// The guard of this configuration.
    pub(crate) fn guard(&self) -> Result<Guard, Problem> {
        let live = self.config.guard();
        let problem = |error: bartizan_guard::GuardError| self.guard_problem(&error.to_string());
        let guard = Guard::new(&live).map_err(problem)?;
        let Some(candidate) = self.config.candidate_guard() else { return Ok(guard) };
        guard
            .with_candidate(&live, &candidate)
            .map_err(|error| Problem::new(format!("the candidate cannot be used: {error}")))
    }

    /// The guards of its profiles.
    pub(crate) fn profiles(&self, cache: &Arc<SegmentCache>) -> Result<Profiles, Problem> {
        let build = |(name, profile): (&String, &Profile)| {
            let guard = Guard::new(&profile.over(self.config.guard()));
            let guard = guard.map_err(|error| self.guard_problem(&format!("profile `{name}`: {error}")))?;
            Ok((name.clone(), Arc::new(guard.with_cache(Arc::clone(cache)))))
        };
        self.config.profile.iter().map(build).collect()
    }

    /// The guard names the value it cannot use; the place is found by that value.
    fn guard_problem(&self, message: &str) -> Problem {
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let values = quoted.iter().flat_map(|value| self.places.texts(&self.text, value));
        match (&self.file, values.into_iter().next()) {
            (Some(file), Some(span)) => Problem::new(message).at(file, &cover(&self.text), span, ""),
            _ => Problem::new(message),
        }
    }
}

/// A value written as in TOML.
fn value(typed: &str) -> Result<Value, String> {
    let table: toml::Table = toml::from_str(&format!("value = {typed}")).map_err(|e| e.message().to_owned())?;
    let value = table.get("value").ok_or("there is nothing")?;
    serde_json::to_value(value).map_err(|e| e.to_string())
}

/// Checks that a URL can be the base of requests.
fn base_url(url: &str) -> Result<(), &'static str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else { return Err("it does not begin with https:// or http://") };
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return Err("it holds a user name; a key belongs in `key`, as `env:NAME` or `file:PATH`");
    }
    if host.is_empty() || rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("it names no host");
    }
    if rest.contains(['?', '#']) {
        return Err("it has a query or a fragment");
    }
    Ok(())
}

/// Ends of names that no public server has.
const NEAR: [&str; 7] = [".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc", ".test"];

/// True where requests go unencrypted to a host that is neither this machine nor in a private network, as far as its name
/// or address tells.
pub(super) fn is_open(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let v4 = |ip: Ipv4Addr| {
        let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
        ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
    };
    let near = match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => v4(ip),
        Ok(IpAddr::V6(ip)) => match ip.to_ipv4_mapped() {
            Some(ip) => v4(ip),
            None => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        },
        // Numbers without dots are addresses too, and names without dots are of the network that asks.
        Err(_) if !name.contains('.') => name.starts_with(|c: char| c.is_ascii_alphabetic()),
        Err(_) => NEAR.iter().any(|end| name.ends_with(end)),
    };
    !near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_to_do() {
        let (title, help) = explain("unknown field `lissten`, expected one of `listen`, `mode`");
        assert_eq!((title.as_str(), help.as_deref()), ("unknown key `lissten`", Some("did you mean `listen`?")));
        let (_, help) = explain("unknown variant `x`, expected `enforce` or `monitor`");
        assert_eq!(help.as_deref(), Some("known here: enforce, monitor"));
        let (title, _) = explain("invalid type: string \"many\", expected usize");
        assert_eq!(title, "invalid type: string \"many\", expected a whole number");
    }

    #[test]
    fn keys_go_unencrypted_to_this_machine_and_private_networks_only() {
        for near in [
            "http://127.0.0.1:8000/v1",
            "http://localhost:11434",
            "http://vllm:8000/v1",
            "http://10.1.2.3/v1",
            "http://[::1]:1/v1",
            "http://[fd00::1]/v1",
            "http://llm.models.svc.cluster.local/v1",
            "https://api.openai.com/v1",
        ] {
            assert!(!is_open(near), "{near}");
        }
        for open in [
            "http://api.openai.com/v1",
            "http://8.8.8.8",
            "http://134744072/v1",
            "http://[2001:db8::1]/v1",
            "http://a.b.:80",
        ] {
            assert!(is_open(open), "{open}");
        }
    }

    #[test]
    fn base_urls_are_checked() {
        for good in ["https://api.example.com/v1", "http://127.0.0.1:8000", "http://[::1]:1/v1"] {
            assert_eq!(base_url(good), Ok(()), "{good}");
        }
        for bad in
            ["", "api.example.com", "ftp://x", "https://", "https:///v1", "http://u:p@x", "http://x/?a", "http://x y"]
        {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }
}
