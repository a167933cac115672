//! The JSON scanner beside serde_json.

use bartizan_core::Limits;
use bartizan_wire::json::{Doc, JsonFault, NodeKind};

/// Both accept the same documents and read the same strings, and every literal is where the scanner says.
pub fn run(data: &[u8]) {
    let limits = Limits::default();
    // serde_json skips values without looking into strings, so UTF-8 is a question of its own.
    let valid = std::str::from_utf8(data).is_ok() && serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok();
    let doc = match Doc::parse(data, &limits) {
        Ok(doc) => doc,
        Err(error) => {
            let bounded = matches!(error.fault, JsonFault::TooDeep | JsonFault::TooMany | JsonFault::TooLarge);
            assert!(bounded || !valid, "serde_json accepts it, but: {error}");
            return;
        }
    };
    assert!(valid, "the scanner accepts it, but not serde_json");
    for (index, node) in doc.nodes().iter().enumerate() {
        let literal = doc.literal(index);
        assert_eq!(node.literal().of(doc.text()), literal);
        assert!(node.next() > index && node.next() <= doc.len());
        if matches!(node.kind, NodeKind::String | NodeKind::Key) && !node.lone_surrogate {
            let theirs: String = serde_json::from_str(literal).expect("a string literal");
            assert_eq!(doc.value(index), theirs, "{literal}");
        }
    }
}
