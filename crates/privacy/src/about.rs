//! What a report is of: about what somebody was asked, who, when, and what went wrong on the way.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use bartizan_sign::hex;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::Target;
use crate::signal::Probe;

/// Said where a signal turned out wrong.
const UNTRUE: &str = "the probabilities that the endpoint gives cannot be true, so that none of them were used";

/// The circumstances of a report. Nothing of the records is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// SHA-256 of what the model was asked about and how it was cut, lowercase hex. Reports with different ones cannot be
    /// compared.
    pub subject: String,
    /// Who was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// When the report was made, RFC 3339 in UTC.
    pub made: String,
    /// Version of the program.
    pub version: String,
    /// True where all answers are from a journal, and nobody was asked.
    #[serde(default)]
    pub replayed: bool,
    /// Whether the signature of the manifest was checked; none where the test has no manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Signature>,
    /// Questions that failed, by kind, those of the search for a signal included.
    #[serde(default)]
    pub failed: BTreeMap<String, u64>,
    /// What else limits the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// State of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// It is of the key that was given.
    Verified,
    /// No key was given.
    Unchecked,
}

impl About {
    /// The circumstances at the end of a test.
    pub(crate) fn new(probe: &Probe, subject: String) -> Self {
        Self {
            subject,
            target: probe.asked.target().cloned(),
            made: format!("{:.0}", Timestamp::now()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            replayed: !probe.asked.is_live(),
            manifest: None,
            failed: probe.asked.failures().into_iter().collect(),
            note: probe.has_fallen_back().then(|| UNTRUE.to_owned()),
        }
    }

    #[cfg(test)]
    pub(crate) fn of(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            target: None,
            made: "2026-01-01T00:00:00Z".to_owned(),
            version: "1".to_owned(),
            replayed: true,
            manifest: None,
            failed: BTreeMap::new(),
            note: None,
        }
    }

    /// The circumstances line by line, for people.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        if let Some(target) = &self.target {
            all.push(("asked", target.to_string()));
        }
        let how = if self.replayed { ", from the journal alone" } else { "" };
        all.push(("made", format!("{} by version {}{how}", self.made, self.version)));
        all.push(("subject", format!("sha256:{}", self.subject)));
        match self.manifest {
            Some(Signature::Verified) => all.push(("manifest", "its signature is that of the given key".to_owned())),
            Some(Signature::Unchecked) => all.push(("manifest", "its signature was not checked".to_owned())),
            None => {}
        }
        if !self.failed.is_empty() {
            let each: Vec<String> = self.failed.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            all.push(("failed questions", each.join(", ")));
        }
        if let Some(note) = &self.note {
            all.push(("note", note.clone()));
        }
        all
    }
}

/// SHA-256 over parts, each with its length before it, so that no two lists of parts have the same.
pub(crate) fn digest<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    hex(context.finish().as_ref())
}
