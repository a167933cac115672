//! The canonicaliser, seen through a detector that looks at every view.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use bartizan_core::{
    Anchors, Confidence, Context, Cost, Detector, Hold, Kind, Limits, Origin, Persona, Rule, RuleId, Severity, Sink,
    Source, Span, Subject, View, Views,
};
use bartizan_engine::{Engine, Input};

/// Characters of a view whose way back is checked one by one.
const CHECKED: usize = 2048;

/// Looks, and keeps the `Clean` view of the last subject.
struct Probe {
    rules: [Rule; 1],
    clean: Arc<Mutex<String>>,
}

impl Detector for Probe {
    fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn views(&self) -> Views {
        Views::RAW | Views::WORDS
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Parse
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors::ALWAYS
    }

    fn inspect(&self, subject: &Subject<'_>, limits: &Limits, _: &mut Sink<'_>) {
        let raw = subject.text;
        assert_eq!(subject.texts.first().map(|t| t.text.as_ref()), Some(raw), "the original comes first");
        let mut decoded = 0;
        for text in subject.texts {
            let back = |from: usize, to: usize| {
                let span = text.map.to_raw(Span::new(from, to));
                assert!(raw.get(span.start..span.end).is_some(), "{from}..{to} of {:?} leads to {span:?}", text.view);
                span
            };
            back(0, text.text.len());
            back(text.text.len(), text.text.len());
            for (at, c) in text.text.char_indices().take(CHECKED) {
                let span = back(at, at + c.len_utf8());
                // Line feeds are put between decoded payloads.
                let between = c == '\n' && text.view == View::Decoded;
                assert!(between || !span.is_empty(), "{c:?} at {at} of {:?} stands for nothing", text.view);
            }
            if text.map.is_identity() && !text.text.is_empty() {
                assert_eq!(text.text, raw, "{:?} says that it is the original", text.view);
            }
            if text.view == View::Decoded {
                assert!(text.depth >= 1 && text.depth <= limits.max_decode_depth, "depth {}", text.depth);
                decoded += text.text.len();
            }
        }
        assert!(decoded <= limits.max_decoded, "{decoded} bytes were decoded");
        let clean = subject.views(Views::CLEAN).next().map_or(raw, |t| &t.text);
        clean.clone_into(&mut self.clean.lock().expect("no thread panicked"));
    }
}

/// Every part of every view leads back into the text, decoding is bounded, and cleaning twice is cleaning once.
pub fn run(data: &[u8]) {
    let text = super::text(data);
    if text.is_empty() {
        return;
    }
    let cleaned = clean(&text);
    if !cleaned.is_empty() {
        assert_eq!(clean(&cleaned), cleaned, "cleaning again changes {text:?}");
    }
}

fn clean(text: &str) -> String {
    let clean = Arc::new(Mutex::new(String::new()));
    let rule = Rule {
        id: RuleId::new("unicode/probe"),
        summary: "".into(),
        doc: "".into(),
        severity: Severity::Info,
        confidence: Confidence::Low,
        persona: Persona::Regular,
        references: Cow::Borrowed(&[]),
        since: "0".into(),
    };
    let probe = Probe { rules: [rule], clean: Arc::clone(&clean) };
    // Small bounds, so that they are reached.
    let limits = Limits { max_decoded: 1 << 16, ..Limits::default() };
    let engine = Engine::new(vec![Box::new(probe)], Vec::new(), limits).expect("one detector");
    let origin = Origin::new(Source::User);
    let _ = engine.scan(&Input { text, kind: Kind::Text, origin: &origin, context: Context::default() });
    std::mem::take(&mut clean.lock().expect("no thread panicked"))
}
