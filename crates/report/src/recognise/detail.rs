//! What a result file says one by one: findings, and shares with how sure they are. For a page about one result.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{count, document, items, text};
use crate::evidence::Kind;
use crate::text::line;

/// Most findings and shares of one result that are shown.
const MOST: usize = 500;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Item {
    /// The rule.
    pub rule: String,
    /// How bad it is; empty where the result does not say.
    pub severity: String,
    /// File, member, row or address.
    pub place: String,
    /// What was found there.
    pub says: String,
}

/// One share of something, from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Share {
    /// What kind of thing it is a share of, such as `family`.
    pub group: String,
    /// Which one.
    pub name: String,
    /// The share.
    pub value: f64,
    /// Ends of its interval at 95 %; none where the result gives none.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// In counts, such as `3 of 40`.
    pub counts: String,
}

/// What a result says one by one. Texts in it are from outside: bounded and on one line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Detail {
    /// Findings, the first of them.
    pub findings: Vec<Item>,
    /// All findings, also those that are not shown.
    pub found: u64,
    /// Shares, with the larger ones of a group first where they can be compared.
    pub shares: Vec<Share>,
    /// What else it says, by name.
    pub facts: Vec<(String, String)>,
}

/// What a file of this kind says one by one. What is not where it should be is left out.
#[must_use]
pub fn detail(kind: Kind, bytes: &[u8]) -> Detail {
    let mut of = Detail::default();
    let Some(document) = document(bytes) else { return of };
    match kind {
        Kind::ModelScan | Kind::InfraScan | Kind::AgentScan | Kind::EndpointProbe => files(&mut of, &document),
        Kind::DataScan => data(&mut of, &document),
        Kind::RedTeam => red_team(&mut of, &document),
        Kind::CanaryTest => canaries(&mut of, &document),
        Kind::ExtractionTest => extraction(&mut of, &document),
        Kind::MembershipTest => membership(&mut of, &document),
        Kind::PrivacyComparison => comparison(&mut of, &document),
        Kind::ModelSignature | Kind::CustodyChain => custody(&mut of, &document),
        Kind::ModelBill | Kind::GuardEval | Kind::Decisions | Kind::Acts | Kind::Configuration => {}
    }
    of
}

impl Detail {
    fn find(&mut self, rule: &str, severity: &str, place: &str, says: &str) {
        self.found = self.found.saturating_add(1);
        if self.findings.len() < MOST {
            let [rule, severity, place, says] = [rule, severity, place, says].map(line);
            self.findings.push(Item { rule, severity, place, says });
        }
    }

    fn share(&mut self, group: &str, name: &str, of: &Value, counts: String) {
        let number = |pointer: &str| of.pointer(pointer).and_then(Value::as_f64).filter(|n| (0.0..=1.0).contains(n));
        let Some(value) = number("/share").or_else(|| number("/value")) else { return };
        if self.shares.len() < MOST {
            let low = number("/interval/low").or_else(|| number("/low"));
            let high = number("/interval/high").or_else(|| number("/high"));
            self.shares.push(Share { group: group.to_owned(), name: line(name), value, low, high, counts });
        }
    }

    fn fact(&mut self, name: &str, says: &str) {
        if !says.is_empty() && self.facts.len() < MOST {
            self.facts.push((name.to_owned(), line(says)));
        }
    }
}

fn files(of: &mut Detail, document: &Value) {
    for file in items(document, "/files") {
        let path = text(file, "/path");
        for found in items(file, "/findings") {
            let member = text(found, "/member");
            let place = if member.is_empty() { path.to_owned() } else { format!("{path} › {member}") };
            let says = [text(found, "/what"), text(found, "/message")].into_iter().find(|s| !s.is_empty());
            of.find(text(found, "/rule"), text(found, "/severity"), &place, says.unwrap_or_default());
        }
    }
    for found in items(document, "/findings") {
        let place = [text(found, "/path"), text(found, "/place")].into_iter().find(|s| !s.is_empty());
        of.find(text(found, "/rule"), text(found, "/severity"), place.unwrap_or_default(), text(found, "/what"));
    }
    for run in items(document, "/runs") {
        for found in items(run, "/results") {
            let place = text(found, "/locations/0/physicalLocation/artifactLocation/uri");
            of.find(text(found, "/ruleId"), text(found, "/properties/severity"), place, text(found, "/message/text"));
        }
    }
    for file in items(document, "/files").take(MOST) {
        let sha256 = text(file, "/sha256");
        if !sha256.is_empty() {
            of.fact(&line(text(file, "/path")), &format!("{} · SHA-256 {sha256}", text(file, "/format")));
        }
    }
}

fn data(of: &mut Detail, document: &Value) {
    let summary = document.get("summary").or_else(|| document.pointer("/runs/0/properties/summary"));
    let Some(summary) = summary else { return };
    for (rule, rows) in summary.get("findings").and_then(Value::as_object).into_iter().flatten() {
        let rows = rows.as_u64().unwrap_or(0);
        of.find(rule, "", &format!("{rows} rows"), "");
    }
    for trigger in items(summary, "/triggers") {
        let says = match trigger.as_str() {
            Some(text) => text.to_owned(),
            None => trigger.to_string(),
        };
        of.fact("Trigger of poisoning", &says);
    }
    for (name, key) in
        [("Sources", "/sources"), ("Rows", "/rows"), ("At the gate", "/stopped"), ("Copies", "/duplicates")]
    {
        of.fact(name, &count(summary, key).to_string());
    }
}

fn red_team(of: &mut Detail, document: &Value) {
    let counts = |share: &Value| format!("{} of {}", count(share, "/hits"), count(share, "/trials"));
    let mut add = |group: &str, name: &str, share: Option<&Value>| {
        if let Some(share) = share.filter(|share| count(share, "/trials") > 0) {
            of.share(group, name, share, counts(share));
        }
    };
    add("total", "all attacks", document.pointer("/total/asr"));
    for family in items(document, "/families") {
        add("family", text(family, "/title"), family.get("asr"));
    }
    for way in items(document, "/ways") {
        add("way of writing", text(way, "/name"), way.get("asr"));
    }
    add("harmless", "stopped by a guard", document.pointer("/total/false_block"));
    add("harmless", "refused by the model", document.pointer("/total/false_refusal"));
    of.fact("Target", text(document, "/target"));
    of.fact("Plan", text(document, "/plan"));
    for gate in items(document, "/gates") {
        let met = gate.get("met").and_then(Value::as_bool) == Some(true);
        of.fact(&format!("Gate {}", line(text(gate, "/gate"))), if met { "met" } else { "not met" });
    }
    for (rule, stopped) in document.get("rules").and_then(Value::as_object).into_iter().flatten() {
        of.find(rule, "", &format!("stopped {}", stopped.as_u64().unwrap_or(0)), "");
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one test")]
fn canaries(of: &mut Detail, document: &Value) {
    for group in items(document, "/groups") {
        let (out, planted) = (count(group, "/extractable"), count(group, "/planted"));
        if planted > 0 && of.shares.len() < MOST {
            let name = format!("planted {} times", count(group, "/count"));
            let (value, counts) = (out as f64 / planted as f64, format!("{out} of {planted} come out"));
            let share =
                Share { group: "copies".to_owned(), name, value: value.min(1.0), low: None, high: None, counts };
            of.shares.push(share);
        }
    }
    of.fact("Signal", text(document, "/says"));
    missing(of, document);
}

fn extraction(of: &mut Detail, document: &Value) {
    let measured = format!("of {} records", count(document, "/measured"));
    for (name, key) in [("word for word", "verbatim"), ("word for word or nearly", "near")] {
        if let Some(share) = document.get(key).filter(|share| !share.is_null()) {
            of.share("records", name, share, measured.clone());
        }
    }
    of.fact("Signal", text(document, "/says"));
    missing(of, document);
}

fn membership(of: &mut Detail, document: &Value) {
    let blind = document.get("blind").into_iter();
    for score in blind.chain(items(document, "/scores")) {
        if let Some(share) = score.get("auroc") {
            let evidence = score.get("evidence").and_then(Value::as_bool) == Some(true);
            let says = if evidence { "tells members" } else { "tells nothing" };
            of.share("AUROC", text(score, "/score"), share, says.to_owned());
        }
    }
    of.fact("Verdict", text(document, "/verdict"));
    of.fact("Signal", text(document, "/says"));
    missing(of, document);
}

fn comparison(of: &mut Detail, document: &Value) {
    of.fact("Measure", text(document, "/measure"));
    for (name, key) in [("Given away more", "/more"), ("Given away less", "/less")] {
        of.fact(name, &items(document, key).count().to_string());
    }
    of.fact("Compared", &count(document, "/compared").to_string());
    of.fact("Note", text(document, "/note"));
}

fn custody(of: &mut Detail, document: &Value) {
    of.fact("Model", text(document, "/model/name"));
    of.fact("Reason", text(document, "/reason"));
    for (name, key) in [("Signer", "/signer/identity"), ("Signer", "/signer/subject"), ("Key", "/signer/hint")] {
        of.fact(name, text(document, key));
    }
    for file in items(document, "/files").filter(|file| text(file, "/status") != "ok") {
        of.find("", "", text(file, "/path"), text(file, "/status"));
    }
    for link in items(document, "/chain/links") {
        let holds = link.get("holds").and_then(Value::as_bool) == Some(true);
        let kind = [text(link, "/kind"), text(link, "/name")].into_iter().find(|s| !s.is_empty()).unwrap_or("link");
        of.fact(&format!("Link {}", line(kind)), if holds { "holds" } else { "does not hold" });
    }
}

fn missing(of: &mut Detail, document: &Value) {
    for (why, number) in document.get("missing").and_then(Value::as_object).into_iter().flatten() {
        of.fact("Not measured", &format!("{} {why}", number.as_u64().unwrap_or(0)));
    }
}
