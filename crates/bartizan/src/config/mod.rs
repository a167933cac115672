//! `bartizan.toml`: the sections of the crates in one file, and the layers above it.

mod candidate;
pub(crate) mod import;
mod load;
mod locate;
mod models;
mod secrets;
mod sense;
pub(crate) mod show;

use std::collections::BTreeMap;
use std::sync::Arc;

use bartizan_access::JwtSettings;
use bartizan_core::{Limits, Mode};
use bartizan_engine::Suppression;
use bartizan_gateway::{
    Abuse, Accounting, Admin, CheckApi, Client, ConsoleSettings, ExtProc, Mcp, OnBlock, Passthrough, Shed, Store,
    Telemetry, Tenant, Timeouts, Tls, Upstream,
};
use bartizan_guard::{ClassifierSettings, Exception, ProtectedCorpus, RecordSettings};
use bartizan_policy::{Policy, PolicyFile};
use bartizan_rules::PackFile;
use bartizan_sinks::Sink;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::{ContentSettings, Installed};
use crate::evidence::Evidence;
pub(crate) use candidate::Candidate;
pub(crate) use load::{DEFAULT_FILE, Loaded, digest, flags, load, load_with, toml, unchecked, variables};
pub(crate) use models::{ModelArtifact, Models, Require};

/// A guard of its own for some callers. What is left out is as in the rest of the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Profile {
    /// Instead of `mode`.
    pub(crate) mode: Option<Mode>,
    /// Instead of all of `[policy]`.
    pub(crate) policy: Option<Policy>,
    /// Instead of all of `[rules]`.
    pub(crate) rules: Option<bartizan_rules::Settings>,
}

impl Profile {
    /// Puts it over the settings of the rest of the file.
    pub(crate) fn over(&self, mut settings: bartizan_guard::Settings) -> bartizan_guard::Settings {
        settings.mode = self.mode.unwrap_or(settings.mode);
        if let Some(policy) = &self.policy {
            settings.policy.clone_from(policy);
        }
        if let Some(rules) = &self.rules {
            settings.rules.clone_from(rules);
        }
        settings
    }
}

/// The configuration of Bartizan. Every key may be left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Address to listen on.
    pub(crate) listen: String,
    /// Whether verdicts are carried out (`enforce`) or only recorded (`monitor`).
    pub(crate) mode: Mode,
    /// How a blocked caller is answered.
    pub(crate) on_block: OnBlock,
    /// TLS for callers; without it the gateway speaks plain HTTP.
    pub(crate) tls: Option<Tls>,
    /// Envoy's external processing filter: Envoy takes requests on, and asks here. Read at the start of the gateway.
    pub(crate) ext_proc: Option<ExtProc>,
    /// The admin API.
    pub(crate) admin: Admin,
    /// The console. Read at the start of the gateway.
    pub(crate) console: ConsoleSettings,
    /// Host names by which callers reach the gateway, besides loopback ones. Guards against DNS rebinding.
    pub(crate) hosts: Vec<String>,
    /// Extra request headers that are passed on, by lower-case name. They are not examined.
    pub(crate) pass_headers: Vec<String>,
    /// Paths that pass unread. Every other path that is not examined is refused.
    pub(crate) passthrough: Vec<Passthrough>,
    /// Most requests in flight; more are answered 503.
    pub(crate) max_in_flight: usize,
    /// Most open connections; more wait until one is closed.
    pub(crate) max_connections: usize,
    /// Model servers; the first that fits a request gets it.
    pub(crate) upstream: Vec<Upstream>,
    /// What has to be on record of the models behind upstreams.
    pub(crate) models: Models,
    /// Callers. Without any, and without keys and tokens, only callers on this machine are served.
    pub(crate) client: Vec<Client>,
    /// Tenants.
    pub(crate) tenant: Vec<Tenant>,
    /// Tokens of an identity provider.
    pub(crate) jwt: Option<JwtSettings>,
    /// How tokens and money are accounted for.
    pub(crate) accounting: Accounting,
    /// Detection of model theft and abuse, by key.
    pub(crate) abuse: Abuse,
    /// Other guards for callers that name them, by name.
    pub(crate) profile: BTreeMap<String, Profile>,
    /// When requests are turned away because the program is too busy.
    pub(crate) shed: Shed,
    /// What the engine said of texts is kept, so that a growing conversation is not scanned anew with each turn.
    pub(crate) cache: Cache,
    /// What the program says about itself.
    pub(crate) telemetry: Telemetry,
    /// A policy beside the one in force: judged and counted, never carried out.
    pub(crate) candidate: Candidate,
    /// Where decisions are recorded.
    pub(crate) store: Store,
    /// Places outside that get the records.
    pub(crate) sink: Vec<Sink>,
    /// The check APIs: other gateways and applications ask, and carry the answer out themselves.
    pub(crate) check_api: CheckApi,
    /// Servers of the Model Context Protocol that the gateway stands in front of.
    pub(crate) mcp: Mcp,
    /// Recording of content, sealed. Read at the start of the gateway.
    pub(crate) record: RecordSettings,
    /// Signed checkpoints of the evidence. Read at the start of the gateway.
    pub(crate) evidence: Evidence,
    /// Bounds in time.
    pub(crate) timeouts: Timeouts,
    /// Bounds on work and memory.
    pub(crate) limits: Limits,
    /// Settings of the rules.
    pub(crate) rules: bartizan_rules::Settings,
    /// What findings mean.
    pub(crate) policy: Policy,
    /// Corpora that replies must not repeat: indexes that `bartizan privacy protect build` made. Profiles and the
    /// candidate protect them too.
    pub(crate) protected: Vec<ProtectedCorpus>,
    /// The injection classifier.
    pub(crate) classifier: ClassifierSettings,
    /// Content packs: rules, weights and profiles that are newer than the program.
    pub(crate) content: ContentSettings,
    /// The one in force.
    #[serde(skip)]
    pub(crate) installed: Option<Arc<Installed>>,
    /// Findings that are known and accepted.
    pub(crate) suppress: Vec<Suppression>,
    /// Findings that are accepted for a while, with an owner and an end.
    pub(crate) exception: Vec<Exception>,
}

/// What is kept of earlier requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Cache {
    /// Bytes that each tenant's known texts may take, as keyed digests with their findings; 0 keeps nothing.
    pub(crate) segment_bytes: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self { segment_bytes: 8 << 20 }
    }
}

impl Default for Config {
    fn default() -> Self {
        let gateway = bartizan_gateway::Settings::default();
        let guard = bartizan_guard::Settings::default();
        Self {
            listen: gateway.listen,
            mode: guard.mode,
            on_block: gateway.on_block,
            tls: gateway.tls,
            ext_proc: gateway.ext_proc,
            admin: gateway.admin,
            console: gateway.console,
            hosts: gateway.hosts,
            pass_headers: gateway.pass_headers,
            passthrough: gateway.passthrough,
            max_in_flight: gateway.max_in_flight,
            max_connections: gateway.max_connections,
            upstream: gateway.upstream,
            models: Models::default(),
            client: gateway.client,
            tenant: gateway.tenant,
            jwt: gateway.jwt,
            accounting: gateway.accounting,
            abuse: gateway.abuse,
            profile: BTreeMap::new(),
            shed: gateway.shed,
            cache: Cache::default(),
            telemetry: gateway.telemetry,
            candidate: Candidate::default(),
            store: gateway.store,
            sink: Vec::new(),
            check_api: gateway.check_api,
            mcp: gateway.mcp,
            record: RecordSettings::default(),
            evidence: Evidence::default(),
            timeouts: gateway.timeouts,
            limits: guard.limits,
            rules: guard.rules,
            policy: guard.policy,
            protected: guard.protected,
            classifier: guard.classifier,
            content: ContentSettings::default(),
            installed: None,
            suppress: guard.suppress,
            exception: guard.exceptions,
        }
    }
}

impl Config {
    /// The part that decides about content.
    pub(crate) fn guard(&self) -> bartizan_guard::Settings {
        bartizan_guard::Settings {
            mode: self.mode,
            limits: self.limits.clone(),
            rules: self.rules.clone(),
            policy: self.policy.clone(),
            protected: self.protected.clone(),
            classifier: self.classifier,
            suppress: self.suppress.clone(),
            exceptions: self.exception.clone(),
            routes: self.upstream.iter().map(|upstream| (upstream.name.clone(), upstream.checks())).collect(),
            content: self.installed.as_ref().map(|installed| Arc::clone(&installed.content)),
        }
    }

    /// Every rule pack that is named, with the path of its setting.
    pub(crate) fn packs(&self) -> impl Iterator<Item = (String, &PackFile)> {
        let profiles =
            self.profile.iter().filter_map(|(name, p)| Some((format!("profile.{name}."), p.rules.as_ref()?)));
        let candidate = self.candidate.rules.as_ref().map(|rules| ("candidate.".to_owned(), rules));
        std::iter::once((String::new(), &self.rules)).chain(profiles).chain(candidate).flat_map(|(above, rules)| {
            rules.packs.iter().enumerate().map(move |(at, pack)| (format!("{above}rules.packs.{at}"), pack))
        })
    }

    /// The same, in the same order, to be filled.
    pub(crate) fn packs_mut(&mut self) -> impl Iterator<Item = &mut PackFile> {
        let profiles = self.profile.values_mut().filter_map(|profile| profile.rules.as_mut());
        let all = std::iter::once(&mut self.rules).chain(profiles).chain(self.candidate.rules.as_mut());
        all.flat_map(|rules| rules.packs.iter_mut())
    }

    /// Every file that an agent policy names, with the path of its setting.
    pub(crate) fn agent_policies(&self) -> impl Iterator<Item = (String, &PolicyFile)> {
        let profiles =
            self.profile.iter().filter_map(|(name, p)| Some((format!("profile.{name}."), p.policy.as_ref()?)));
        let candidate = self.candidate.policy.as_ref().map(|policy| ("candidate.".to_owned(), policy));
        let all = std::iter::once((String::new(), &self.policy)).chain(profiles).chain(candidate);
        all.flat_map(|(above, p)| {
            p.agents.files().map(move |(key, file)| (format!("{above}policy.agents.{key}"), file))
        })
    }

    /// The same, in the same order, to be filled.
    pub(crate) fn agent_policies_mut(&mut self) -> impl Iterator<Item = &mut PolicyFile> {
        let profiles = self.profile.values_mut().filter_map(|profile| profile.policy.as_mut());
        let all = std::iter::once(&mut self.policy).chain(profiles).chain(self.candidate.policy.as_mut());
        all.flat_map(|policy| policy.agents.files_mut())
    }

    /// The same as the candidate would have it; `None` without one.
    pub(crate) fn candidate_guard(&self) -> Option<bartizan_guard::Settings> {
        (!self.candidate.is_empty()).then(|| self.candidate.over(&self.guard()))
    }

    /// What people should know of exceptions at a time, in milliseconds since 1970: those that have ended, and those that
    /// end within two weeks.
    pub(crate) fn exception_notes(&self, now: i64) -> Vec<String> {
        let note = |one: &Exception| {
            let what = format!("the exception {} of `{}` (owner {})", one.id(), one.rule, one.owner);
            match one.days_left(now) {
                0 => Some(format!("{what} has lapsed: its findings count again")),
                1 => Some(format!("{what} lapses within a day")),
                days @ 2..=14 => Some(format!("{what} lapses in {days} days")),
                _ => None,
            }
        };
        self.exception.iter().filter_map(note).collect()
    }

    /// The part that is about sockets.
    pub(crate) fn gateway(&self) -> bartizan_gateway::Settings {
        bartizan_gateway::Settings {
            listen: self.listen.clone(),
            on_block: self.on_block,
            upstream: self.upstream.clone(),
            held: BTreeMap::new(),
            client: self.client.clone(),
            tenant: self.tenant.clone(),
            jwt: self.jwt.clone(),
            accounting: self.accounting.clone(),
            abuse: self.abuse.clone(),
            tls: self.tls.clone(),
            ext_proc: self.ext_proc.clone(),
            admin: self.admin.clone(),
            console: self.console.clone(),
            hosts: self.hosts.clone(),
            max_in_flight: self.max_in_flight,
            max_connections: self.max_connections,
            timeouts: self.timeouts,
            shed: self.shed,
            telemetry: self.telemetry.clone(),
            candidate_every: self.candidate.every,
            store: self.store.clone(),
            pass_headers: self.pass_headers.clone(),
            passthrough: self.passthrough.clone(),
            check_api: self.check_api.clone(),
            mcp: self.mcp.clone(),
        }
    }
}
