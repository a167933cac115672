//! The part of the configuration that is about sockets.

mod admin;

use std::collections::BTreeMap;

use bartizan_access::{JwtSettings, Price};
use bartizan_core::{Grant, Quota, TenantId};
use bartizan_guard::RouteChecks;
use bartizan_policy::OpaqueTable;
use bartizan_policy::provenance::Writer;
use bartizan_policy::retrieval::Retrieval;
use bartizan_rules::{RouteSettings, Scripts, SinkKind};
use bartizan_sign::SecretRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use admin::{Admin, AdminKey, BreakGlass, ConsoleSettings, Oidc, OidcRole, Role};

use crate::mcp::Mcp;
use crate::pressure::Shed;
use crate::tls::Tls;
use crate::trace::Telemetry;

/// How a blocked caller is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnBlock {
    /// With an error of the protocol.
    #[default]
    Error,
    /// With a well-formed refusal and status 200, for agents that cannot cope with errors.
    Refusal,
}

/// A dialect that an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI.
    Openai,
    /// Anthropic.
    Anthropic,
    /// Azure OpenAI: paths below `/openai/`, and the key as `api-key`.
    Azure,
    /// Google Gemini.
    Gemini,
    /// Amazon Bedrock Converse, with a Bedrock API key.
    Bedrock,
}

impl Dialect {
    /// Who serves a path that nobody reads.
    pub(crate) fn of_path(path: &str) -> Self {
        match path.split('/').nth(1) {
            Some("openai") => Self::Azure,
            Some("v1beta") => Self::Gemini,
            Some("model") => Self::Bedrock,
            _ if path.starts_with("/v1/messages") => Self::Anthropic,
            _ => Self::Openai,
        }
    }
}

/// A path that passes unread. Every request and reply on it is on record as unread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passthrough {
    /// The path, with everything below it: `/v1/files`. It cannot cover a route that is examined.
    pub path: String,
    /// Methods that pass, in capitals; empty is all.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Why nobody has to read it.
    pub reason: String,
    /// Name of the upstream that gets it; without one, the first that speaks the path's dialect.
    #[serde(default)]
    pub upstream: Option<String>,
}

/// A JSON Schema: `file:PATH`, or the schema itself as JSON text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct SchemaRef {
    source: String,
    schema: Option<Value>,
}

impl TryFrom<String> for SchemaRef {
    type Error = String;
    fn try_from(source: String) -> Result<Self, String> {
        let schema = match source.strip_prefix("file:") {
            Some(_) => None,
            None => Some(serde_json::from_str(&source).map_err(|e| {
                format!("a reply schema is given as `file:PATH` or as JSON text, and this is not JSON: {e}")
            })?),
        };
        Ok(Self { source, schema })
    }
}

impl From<SchemaRef> for String {
    fn from(schema: SchemaRef) -> Self {
        schema.source
    }
}

impl SchemaRef {
    /// Reads the schema, if it is in a file.
    ///
    /// # Errors
    /// The file cannot be read or is not JSON.
    pub fn read(&mut self) -> Result<(), String> {
        if let Some(path) = self.source.strip_prefix("file:") {
            let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read `{path}`: {e}"))?;
            self.schema = Some(serde_json::from_str(&text).map_err(|e| format!("`{path}` is not JSON: {e}"))?);
        }
        Ok(())
    }

    /// The schema, once it was read.
    #[must_use]
    pub const fn schema(&self) -> Option<&Value> {
        self.schema.as_ref()
    }
}

/// The model server behind the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Name in records and metrics.
    pub name: String,
    /// What an SDK takes as base URL: `https://api.openai.com/v1`, `https://api.anthropic.com`,
    /// `https://NAME.openai.azure.com`, `https://generativelanguage.googleapis.com`. `envoy` for what Envoy reaches and
    /// `[ext_proc]` checks: credentials, retries and fallbacks belong to Envoy then.
    pub url: String,
    /// Dialects that are routed there; empty is all.
    #[serde(default)]
    pub dialects: Vec<Dialect>,
    /// Models that are routed there: names, or prefixes with `*` at the end; empty is all.
    #[serde(default)]
    pub models: Vec<String>,
    /// The provider's key. Without it, and with no client keys configured, the caller's own key is passed on.
    #[serde(default)]
    pub key: Option<SecretRef>,
    /// Another treatment of unreadable parts than the policy's.
    #[serde(default)]
    pub opaque: Option<OpaqueTable>,
    /// Where it is, such as `eu`.
    #[serde(default)]
    pub region: Option<String>,
    /// Tenants that are routed there; empty is all.
    #[serde(default)]
    pub tenants: Vec<TenantId>,
    /// Milliseconds until its first byte, all attempts together; without it `timeouts.first_byte_ms` holds.
    #[serde(default)]
    pub first_byte_ms: Option<u64>,
    /// How often a request is tried again that no byte of can have been processed: there was no connection, or it was
    /// turned away with 429 or 503 and a `Retry-After`, and sending twice is harmless (no body, an `idempotency-key`, or
    /// `retry_busy`).
    #[serde(default = "one")]
    pub retries: u32,
    /// A request that was turned away with 429 or 503 and a `Retry-After` may be sent again whatever it is.
    #[serde(default)]
    pub retry_busy: bool,
    /// Upstreams that take its requests when it cannot, in order, by name. Of the same dialects.
    #[serde(default)]
    pub fallback: Vec<String>,
    /// After so many failures in a row it is left alone for ten seconds; 0 is never. Default: 5 where there is a
    /// `fallback`, else never.
    #[serde(default)]
    pub breaker: Option<u32>,
    /// What the replies of this upstream are put into, instead of `rules.sink`.
    #[serde(default)]
    pub sink: Option<Vec<SinkKind>>,
    /// Scripts and classes of characters that texts may have here, instead of `rules.scripts`.
    #[serde(default)]
    pub scripts: Option<Scripts>,
    /// JSON Schema that the text of every reply has to fit: `file:PATH` or JSON text. A streamed reply is held until
    /// it is whole.
    #[serde(default)]
    pub reply_schema: Option<SchemaRef>,
    /// Whether a reply has to fit the JSON Schema that its own request asks for.
    #[serde(default)]
    pub validate_requested_schema: bool,
    /// Most tokens of a request, estimated, instead of what `limits` says.
    #[serde(default)]
    pub max_input_tokens: Option<usize>,
    /// Who writes the user messages here: `human`, whose words endorse what an agent does, or `agent`, whose words do not.
    #[serde(default)]
    pub user: Writer,
}

const fn one() -> u32 {
    1
}

impl Upstream {
    /// One for everything, at an SDK's base URL.
    #[must_use]
    pub fn at(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            dialects: Vec::new(),
            models: Vec::new(),
            key: None,
            opaque: None,
            region: None,
            tenants: Vec::new(),
            first_byte_ms: None,
            retries: one(),
            retry_busy: false,
            fallback: Vec::new(),
            breaker: None,
            sink: None,
            scripts: None,
            reply_schema: None,
            validate_requested_schema: false,
            max_input_tokens: None,
            user: Writer::Human,
        }
    }

    /// True where requests of the tenant may go there.
    #[must_use]
    pub fn serves(&self, tenant: &TenantId) -> bool {
        self.tenants.is_empty() || self.tenants.contains(tenant)
    }

    /// What the guard checks on this route besides what it checks on all.
    #[must_use]
    pub fn checks(&self) -> RouteChecks {
        RouteChecks {
            rules: RouteSettings { sink: self.sink.clone(), scripts: self.scripts.clone() },
            // A schema that was not read is no schema, and the guard refuses it.
            reply_schema: self.reply_schema.as_ref().map(|s| s.schema().cloned().unwrap_or_default()),
            validate_requested_schema: self.validate_requested_schema,
            max_input_tokens: self.max_input_tokens,
            user: self.user,
        }
    }
}

/// A caller that may use the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Name in records and metrics.
    pub name: String,
    /// Its key, sent as `Authorization: Bearer`, `x-api-key`, `api-key` or `x-goog-api-key`.
    #[serde(default)]
    pub key: Option<SecretRef>,
    /// Its client certificate, instead of a key or besides one: a name among the subject alternative names such as
    /// `spiffe://example.org/agent`, or the whole subject such as `CN=agent`.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Whose traffic it is.
    #[serde(default)]
    pub tenant: TenantId,
    /// Models that it may use: names, or prefixes with `*` at the end; empty is all.
    #[serde(default)]
    pub models: Vec<String>,
    /// Guard profile.
    #[serde(default)]
    pub profile: Option<String>,
    /// How much it may use.
    #[serde(default)]
    pub quota: Quota,
}

impl Client {
    /// What it may do.
    #[must_use]
    pub fn grant(&self) -> Grant {
        Grant { models: self.models.clone(), profile: self.profile.clone(), quota: self.quota.clone() }
    }
}

/// A tenant. Once one is configured, keys and tokens of any other (besides `default`) are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Name: 1 to 64 of `a-z 0-9 - _ .`.
    pub name: TenantId,
    /// Regions that its traffic may go to; empty is all. An upstream that serves the tenant and lies elsewhere is a
    /// mistake in the configuration.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Regions in which its records may lie; empty is all. A store elsewhere, or of no named region, is a mistake in the
    /// configuration.
    #[serde(default)]
    pub store_regions: Vec<String>,
    /// Guard profile of its callers that have none of their own.
    #[serde(default)]
    pub profile: Option<String>,
    /// How much all its callers together may use.
    #[serde(default)]
    pub quota: Quota,
}

/// How tokens and money are accounted for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Accounting {
    /// Tokens that an answer is taken to have at most where the request names no limit.
    pub max_output: u64,
    /// What models cost. Callers with a budget in money can only use models that have a price.
    pub price: Vec<Price>,
}

impl Default for Accounting {
    fn default() -> Self {
        Self { max_output: 16_384, price: Vec::new() }
    }
}

/// Envoy's external processing filter (`envoy.service.ext_proc.v3`) as another front door: Envoy takes requests on, and
/// what this gateway enforces is enforced on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtProc {
    /// Address to listen on for gRPC. Other machines reach it only with TLS and a `client_ca`: whoever can connect is
    /// taken for Envoy.
    pub listen: String,
    /// TLS of that address; with `client_ca`, Envoy shows a certificate.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// True: callers without a key are served, because Envoy, or what is before it, has asked them who they are. All of them
    /// are one caller here. Without this, and without keys, the configuration is refused.
    #[serde(default)]
    pub anonymous: bool,
    /// Most open connections. Envoy opens one per worker thread and 128 requests in flight.
    #[serde(default = "connections")]
    pub max_connections: usize,
}

const fn connections() -> usize {
    256
}

/// Bounds in time, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Reading a request's head.
    pub header_ms: u64,
    /// Reading a request's body.
    pub body_ms: u64,
    /// Connecting to the upstream.
    pub connect_ms: u64,
    /// Until the upstream's first byte.
    pub first_byte_ms: u64,
    /// Between two pieces of a reply.
    pub idle_ms: u64,
    /// Finishing requests in flight when told to stop.
    pub drain_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header_ms: 10_000,
            body_ms: 60_000,
            connect_ms: 10_000,
            first_byte_ms: 600_000,
            idle_ms: 120_000,
            drain_ms: 30_000,
        }
    }
}

/// Where decisions are recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// SQLite file; `:memory:` keeps nothing. What this machine keeps beside it, such as the socket of the command line,
    /// is named after it also where the records are in `url`.
    pub path: String,
    /// Postgres, for gateways that share one chain of records, keys and approvals, in place of the file. The secret holds
    /// the address: `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full`.
    pub url: Option<SecretRef>,
    /// Nothing is lost at power loss either, at the price of a disk flush per group of records. Of `url` the database
    /// decides (`synchronous_commit`).
    pub sync: bool,
    /// Days after which records are taken away, with a record of that; 0 is never.
    pub retention_days: u32,
    /// Where the file lies, for tenants that bind it.
    pub region: Option<String>,
}

impl Default for Store {
    fn default() -> Self {
        Self { path: "bartizan.sqlite".to_owned(), url: None, sync: false, retention_days: 0, region: None }
    }
}

/// The check APIs: other gateways and applications ask, and carry the answer out themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckApi {
    /// Answers name the rules that decided. Rules tell an attacker which words to change, so only for callers who
    /// keep them to themselves.
    pub reveal: bool,
    /// Start without any `[[upstream]]`: nothing is proxied, only checks are answered.
    pub standalone: bool,
    /// Who may read what is retrieved: `POST /v1/check/retrieval`.
    pub retrieval: Retrieval,
}

/// The part of the configuration that is about sockets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address to listen on.
    pub listen: String,
    /// TLS for callers; without it the gateway speaks plain HTTP.
    pub tls: Option<Tls>,
    /// Envoy's external processing filter.
    pub ext_proc: Option<ExtProc>,
    /// The admin API.
    pub admin: Admin,
    /// The console.
    pub console: ConsoleSettings,
    /// How a blocked caller is answered.
    pub on_block: OnBlock,
    /// Model servers; the first that fits a request gets it.
    pub upstream: Vec<Upstream>,
    /// Upstreams that get no requests, by name, and why: the model behind them is not what its records say.
    #[serde(skip)]
    pub held: BTreeMap<String, String>,
    /// Callers. Without any, and without keys and tokens, only callers on this machine are served.
    pub client: Vec<Client>,
    /// Tenants.
    pub tenant: Vec<Tenant>,
    /// Tokens of an identity provider.
    pub jwt: Option<JwtSettings>,
    /// How tokens and money are accounted for.
    pub accounting: Accounting,
    /// Detection of model theft and abuse, by key.
    pub abuse: bartizan_abuse::Settings,
    /// Host names by which callers reach the gateway, besides loopback ones. Guards against DNS rebinding.
    pub hosts: Vec<String>,
    /// Most requests in flight; more are answered 503.
    pub max_in_flight: usize,
    /// Most open connections; more wait until one is closed.
    pub max_connections: usize,
    /// When requests are turned away because the program is too busy.
    pub shed: Shed,
    /// What the program says about itself.
    pub telemetry: Telemetry,
    /// Each how manyeth body a candidate looks at that needs a scan of its own; 0 is none.
    pub candidate_every: u32,
    /// Bounds in time.
    pub timeouts: Timeouts,
    /// Where decisions are recorded.
    pub store: Store,
    /// Extra request headers that are passed on, by lower-case name. They are not examined.
    pub pass_headers: Vec<String>,
    /// Paths that pass unread. Every other path that is not examined is refused.
    pub passthrough: Vec<Passthrough>,
    /// The check APIs.
    pub check_api: CheckApi,
    /// Servers of the Model Context Protocol.
    pub mcp: Mcp,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8700".to_owned(),
            tls: None,
            ext_proc: None,
            admin: Admin::default(),
            console: ConsoleSettings::default(),
            on_block: OnBlock::default(),
            upstream: Vec::new(),
            held: BTreeMap::new(),
            client: Vec::new(),
            tenant: Vec::new(),
            jwt: None,
            accounting: Accounting::default(),
            abuse: bartizan_abuse::Settings::default(),
            hosts: Vec::new(),
            max_in_flight: 512,
            max_connections: 2048,
            shed: Shed::default(),
            telemetry: Telemetry::default(),
            candidate_every: 1,
            timeouts: Timeouts::default(),
            store: Store::default(),
            pass_headers: Vec::new(),
            passthrough: Vec::new(),
            check_api: CheckApi::default(),
            mcp: Mcp::default(),
        }
    }
}
