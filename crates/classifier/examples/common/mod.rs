//! Rows to fit to, and what the classifier reads of them.
#![allow(dead_code, reason = "each of the programs uses a part")]

use std::sync::{Arc, Mutex};

use bartizan_classifier::{Channel, Classifier};
use bartizan_core::{
    Confidence, Context, Cost, Detector, Hold, Kind, Limits, Origin, Persona, Rule, RuleId, Severity, Sink, Source,
    Subject, Views,
};
use bartizan_engine::{Engine, Input};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Row {
    pub(crate) text: String,
    pub(crate) attack: u8,
    pub(crate) family: Option<String>,
    pub(crate) u: f32,
    pub(crate) d: f32,
    pub(crate) source: String,
    pub(crate) group: String,
    pub(crate) fold: usize,
    pub(crate) channel: String,
    pub(crate) lang: String,
    pub(crate) train: bool,
}

/// Takes down what the classifier would read.
struct Collector {
    rules: [Rule; 1],
    seen: Arc<Mutex<Vec<String>>>,
}

impl Detector for Collector {
    fn rules(&self) -> &[Rule] {
        &self.rules
    }
    fn views(&self) -> Views {
        Classifier::reads()
    }
    fn hold(&self) -> Hold {
        Hold::Whole
    }
    fn cost(&self) -> Cost {
        Cost::Model
    }
    fn inspect(&self, subject: &Subject<'_>, _: &Limits, _: &mut Sink<'_>) {
        let texts = subject.views(self.views()).map(|v| v.text.to_string());
        self.seen.lock().unwrap().extend(texts);
    }
}

/// Reads texts as the engine does.
pub(crate) struct Reader {
    engine: Engine,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let collector = Collector { rules: [rule()], seen: Arc::clone(&seen) };
        Self { engine: Engine::new(vec![Box::new(collector)], vec![], Limits::default()).unwrap(), seen }
    }

    /// Every view of a text that the classifier reads.
    pub(crate) fn views(&self, text: &str) -> Vec<String> {
        self.seen.lock().unwrap().clear();
        let origin = Origin::new(Source::Document);
        let _ = self.engine.scan(&Input { text, kind: Kind::Text, origin: &origin, context: Context::default() });
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// The rule that texts are read under.
pub(crate) fn rule() -> Rule {
    Rule {
        id: RuleId::new("prompt/collector"),
        summary: "".into(),
        doc: "".into(),
        severity: Severity::Info,
        confidence: Confidence::Low,
        persona: Persona::Regular,
        references: (&[][..]).into(),
        since: "0".into(),
    }
}

pub(crate) fn channel(name: &str) -> Channel {
    match name {
        "tool" => Channel::Tool,
        "document" => Channel::Document,
        _ => Channel::User,
    }
}

/// The rows of a file.
pub(crate) fn rows(path: &str) -> Vec<Row> {
    let file = std::fs::read_to_string(path).unwrap();
    file.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
