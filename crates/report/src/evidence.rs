//! Evidence: what was done to a system, when, and how it stands.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::line;

/// What made a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is named in the words of `Kind::says`")]
pub enum Kind {
    Decisions,
    Acts,
    Configuration,
    ModelScan,
    ModelBill,
    ModelSignature,
    CustodyChain,
    DataScan,
    InfraScan,
    EndpointProbe,
    AgentScan,
    RedTeam,
    GuardEval,
    CanaryTest,
    ExtractionTest,
    MembershipTest,
    PrivacyComparison,
}

impl Kind {
    /// In words.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Decisions => "decisions on record",
            Self::Acts => "what operators did, on record",
            Self::Configuration => "configuration",
            Self::ModelScan => "scan of models",
            Self::ModelBill => "bill of materials",
            Self::ModelSignature => "signature of a model",
            Self::CustodyChain => "chain of custody",
            Self::DataScan => "scan of data",
            Self::InfraScan => "scan of infrastructure",
            Self::EndpointProbe => "questions to a model server",
            Self::AgentScan => "scan of agent configurations",
            Self::RedTeam => "red-team run",
            Self::GuardEval => "measurement of the injection guard",
            Self::CanaryTest => "test for planted canaries",
            Self::ExtractionTest => "test for extraction",
            Self::MembershipTest => "test for membership",
            Self::PrivacyComparison => "comparison of memorisation",
        }
    }

    /// The command that makes it.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Decisions | Self::Acts => "bartizan up",
            Self::Configuration => "bartizan config show",
            Self::ModelScan => "bartizan scan model",
            Self::ModelBill => "bartizan scan model --format cyclonedx",
            Self::ModelSignature => "bartizan verify model",
            Self::CustodyChain => "bartizan verify model --chain",
            Self::DataScan => "bartizan scan data",
            Self::InfraScan => "bartizan scan infra",
            Self::EndpointProbe => "bartizan scan infra --endpoint",
            Self::AgentScan => "bartizan scan mcp",
            Self::RedTeam => "bartizan redteam run",
            Self::GuardEval => "bartizan eval injection",
            Self::CanaryTest => "bartizan privacy test",
            Self::ExtractionTest => "bartizan privacy extract",
            Self::MembershipTest => "bartizan privacy membership",
            Self::PrivacyComparison => "bartizan privacy compare",
        }
    }
}

/// How a piece of evidence stands, from good to bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It was done to the end, and nothing is open.
    #[default]
    Good,
    /// It was not done to the end, or does not say all.
    Weak,
    /// Something was found that is high or critical, or at a stricter gate.
    Open,
}

/// Where the time of a piece of evidence is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dated {
    /// It says so itself.
    Content,
    /// The file was last written then: who can write it can change that.
    File,
    /// It was read for the report.
    Read,
}

/// How often something was done, and when last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// How often.
    pub count: u64,
    /// When last, RFC 3339.
    pub last: String,
}

/// Attacks of one risk or technique.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tested {
    /// Attacks that worked, with proof.
    pub hits: u64,
    /// Attacks that gave evidence.
    pub trials: u64,
}

/// One piece of evidence. Texts in it are from outside: bounded, on one line, and escaped where they are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What made it.
    pub kind: Kind,
    /// A file, the store, or the configuration.
    pub source: String,
    /// SHA-256 of the file, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// When it was made, RFC 3339.
    pub made: String,
    /// Where that time is from.
    pub dated: Dated,
    /// How it stands.
    pub state: State,
    /// What it comes to.
    pub summary: String,
    /// Why it says less than it could; empty where it does not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub caveat: String,
    /// Findings, or decisions, by rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, u64>,
    /// What operators did, by deed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deeds: BTreeMap<String, Done>,
    /// Attacks, by risk and technique.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tested: BTreeMap<String, Tested>,
    /// Things that were looked for besides, by the word of [`Measure::needs`](crate::Measure::needs).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<String>,
}

impl Evidence {
    /// Evidence without findings and particulars.
    pub(crate) fn new(kind: Kind, source: &str, made: String, dated: Dated) -> Self {
        Self {
            kind,
            source: line(source),
            sha256: None,
            made,
            dated,
            state: State::Good,
            summary: String::new(),
            caveat: String::new(),
            rules: BTreeMap::new(),
            deeds: BTreeMap::new(),
            tested: BTreeMap::new(),
            covers: Vec::new(),
        }
    }

    /// Makes it weak, with the reason.
    pub(crate) fn weaken(&mut self, why: &str) {
        self.state = self.state.max(State::Weak);
        if !self.caveat.is_empty() {
            self.caveat.push_str("; ");
        }
        self.caveat.push_str(why);
    }
}

/// The records of a store, counted.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The store, for people.
    pub source: String,
    /// The chain.
    pub chain_id: String,
    /// The last record, `SEQ:HASH`, to compare later with `report verify --expect`.
    pub head: Option<String>,
    /// Decisions.
    pub decisions: u64,
    /// Time of the first and last decision, RFC 3339.
    pub times: Option<(String, String)>,
    /// Decisions by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Decisions to stop or hold that passed all the same.
    pub passed: u64,
    /// Decisions by rule that fired.
    pub rules: BTreeMap<String, u64>,
    /// Deeds by their word.
    pub deeds: BTreeMap<String, Done>,
    /// What stands in the decisions, by the words of [`Measure::records`](crate::Measure::records).
    pub contain: Vec<String>,
}

/// Evidence of the records of a store.
#[must_use]
pub fn of_records(records: &Records) -> Vec<Evidence> {
    let mut all = Vec::new();
    if let (Some((since, until)), true) = (&records.times, records.decisions > 0) {
        let mut of = Evidence::new(Kind::Decisions, &records.source, line(until), Dated::Content);
        let verdicts: Vec<String> =
            records.verdicts.iter().filter(|(_, n)| **n > 0).map(|(v, n)| format!("{n} {}", line(v))).collect();
        of.summary = format!("{} decisions since {}: {}", records.decisions, line(since), verdicts.join(", "));
        if records.passed > 0 {
            of.summary.push_str(&format!("; {} to stop or hold passed in monitor mode", records.passed));
        }
        if let Some(head) = &records.head {
            of.summary.push_str(&format!("; chain {}, last record {}", line(&records.chain_id), line(head)));
        }
        of.rules = records.rules.iter().map(|(rule, n)| (line(rule), *n)).collect();
        of.covers = records.contain.iter().map(|word| line(word)).collect();
        all.push(of);
    }
    if let Some(last) = records.deeds.values().map(|d| d.last.as_str()).max() {
        let mut of = Evidence::new(Kind::Acts, &records.source, line(last), Dated::Content);
        of.deeds = records.deeds.iter().map(|(deed, done)| (line(deed), done.clone())).collect();
        let deeds: Vec<String> = of.deeds.iter().map(|(deed, done)| format!("{} {deed}", done.count)).collect();
        of.summary = deeds.join(", ");
        all.push(of);
    }
    all
}

/// The configuration that is assessed.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The file, for people.
    pub source: String,
    /// SHA-256 of the file, hex.
    pub sha256: Option<String>,
    /// The effective configuration as JSON, secrets by reference.
    pub value: Value,
    /// Whether the last decision was made under it; none where there is no decision.
    pub in_force: Option<bool>,
}

/// What is said where the configuration at hand is another one than that of the last decision.
pub(crate) const NOT_IN_FORCE: &str = "the last decision was made under another configuration";

/// Evidence of a configuration, read at a time (RFC 3339).
#[must_use]
pub fn of_configuration(setup: &Setup, now: &str) -> Evidence {
    let mut of = Evidence::new(Kind::Configuration, &setup.source, now.to_owned(), Dated::Read);
    of.sha256.clone_from(&setup.sha256);
    let mode = setup.value.get("mode").and_then(Value::as_str).unwrap_or("unknown");
    of.summary = format!("mode {}", line(mode));
    match setup.in_force {
        Some(true) => of.summary.push_str("; the last decision was made under it"),
        Some(false) => of.weaken(NOT_IN_FORCE),
        None => {}
    }
    of
}
