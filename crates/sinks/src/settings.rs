//! The `[[sink]]` sections.

use std::path::PathBuf;

use bartizan_core::{Family, Verdict};
use bartizan_sign::SecretRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place outside that gets the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// Name in logs and metrics; deliveries go on where the sink of this name stopped.
    pub name: String,
    /// How records get there.
    pub to: Target,
    /// Which records it gets.
    #[serde(default)]
    pub only: Filter,
    /// PEM file with the authorities to trust instead of the system's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Most records in one delivery, 1 to 1000.
    #[serde(default = "batch")]
    pub batch: u32,
    /// Time for one delivery, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

const fn batch() -> u32 {
    100
}

const fn timeout_ms() -> u64 {
    10_000
}

/// How records get to a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "type", deny_unknown_fields)]
pub enum Target {
    /// `POST` of JSON, signed as Standard Webhooks 1.0 asks for: `webhook-id`, `webhook-timestamp` and
    /// `webhook-signature` headers. The id of a delivery is the same when it is repeated.
    Webhook {
        /// `https://…`; `http://` only for this machine.
        url: String,
        /// Key of the signature, at least 24 characters; with `whsec_` in front it is base64.
        secret: SecretRef,
    },
    /// Splunk's HTTP event collector.
    SplunkHec {
        /// Base address, such as `https://splunk.example:8088`.
        url: String,
        /// Its token.
        token: SecretRef,
        /// Index to write to; without it the token's own.
        #[serde(default)]
        index: Option<String>,
    },
    /// Syslog (RFC 5424) over TLS (RFC 5425).
    Syslog {
        /// `host:port`; the registered port is 6514.
        address: String,
        /// Name in the certificate, where it is not the host.
        #[serde(default)]
        server_name: Option<String>,
    },
    /// OpenTelemetry logs over HTTP, as JSON.
    OtlpLogs {
        /// Base address of the collector, such as `https://collector.example:4318`; `/v1/logs` is added.
        url: String,
        /// Value of the `authorization` header.
        #[serde(default)]
        authorization: Option<SecretRef>,
    },
}

/// Which records a sink gets. Everything that is set has to hold; deeds of operators are asked for apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Decisions with at least this verdict.
    pub verdict: Verdict,
    /// Decisions in which a rule of one of these families fired; empty is any, or none.
    pub families: Vec<Family>,
    /// Tenants; empty is all.
    pub tenants: Vec<bartizan_core::TenantId>,
    /// What operators did.
    pub deeds: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Self { verdict: Verdict::Allow, families: Vec::new(), tenants: Vec::new(), deeds: true }
    }
}
