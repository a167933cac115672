//! Documents: their readers keep to their limits.

use bartizan_core::Limits;
use bartizan_document::Extractor;

/// No input makes a reader panic, or say more than its limits allow.
pub fn run(data: &[u8]) {
    let limits = Limits {
        max_text: 1 << 16,
        max_document_expanded: 1 << 20,
        max_document_parts: 200,
        max_document_depth: 3,
        ..Limits::default()
    };
    let declared = data.first().filter(|b| **b & 1 == 1).map(|_| "text/html");
    let Some(document) = Extractor::new(&limits).read(data.get(1..).unwrap_or_default(), declared) else { return };
    assert!(document.passages.iter().map(|p| p.text.len()).sum::<usize>() <= limits.max_text);
    assert!(document.passages.iter().all(|p| p.member.len() < 300 && !p.member.contains(['\n', '\u{1b}'])));
}
