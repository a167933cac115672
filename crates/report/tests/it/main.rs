//! Reports as a whole: from result files to pages.

mod pages;
mod results;

use bartizan_report::{Evidence, Input, Origin, Report, build, recognise};

pub(crate) const NOW: &str = "2026-06-01T00:00:00Z";

pub(crate) fn origin(name: &str) -> Origin {
    Origin { name: name.to_owned(), sha256: "ab".repeat(32), written: "2026-05-20T00:00:00Z".to_owned() }
}

pub(crate) fn read(name: &str, document: &serde_json::Value) -> Vec<Evidence> {
    recognise(&origin(name), document.to_string().as_bytes()).expect("it is a result")
}

pub(crate) fn report(evidence: Vec<Evidence>, previous: Option<&Report>) -> Report {
    build(Input {
        subject: "a system",
        version: "0.0.0",
        catalogue: "cd".repeat(32),
        evidence,
        unread: Vec::new(),
        chain: None,
        setup: None,
        previous,
        now: NOW.parse().expect("a time"),
    })
    .expect("the catalogue can be used")
}
