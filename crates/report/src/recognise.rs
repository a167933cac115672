//! Result files, told by what is in them, never by their names.

mod detail;
mod privacy;
mod scan;
mod trial;

pub use detail::{Detail, Item, Share, detail};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::ReportError;
use crate::evidence::{Dated, Evidence, Kind, State};

/// Longest result file that is read, bytes.
pub const LONGEST: usize = 32 << 20;

/// What is known of a file besides its bytes.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its name, for people.
    pub name: String,
    /// SHA-256 of it, hex.
    pub sha256: String,
    /// When it was last written, RFC 3339.
    pub written: String,
}

impl Origin {
    fn evidence(&self, kind: Kind) -> Evidence {
        let mut of = Evidence::new(kind, &self.name, self.written.clone(), Dated::File);
        of.sha256 = Some(self.sha256.clone());
        of
    }
}

/// Makes evidence of a result file.
///
/// # Errors
/// [`ReportError::Unknown`] where it is not a result of this program, or too long, or not JSON.
pub fn recognise(origin: &Origin, bytes: &[u8]) -> Result<Vec<Evidence>, ReportError> {
    let unknown = |why: &str| ReportError::Unknown(format!("`{}` {why}", crate::text::line(&origin.name)));
    if bytes.len() > LONGEST {
        return Err(unknown("is longer than a result file may be"));
    }
    let document = document(bytes).ok_or_else(|| unknown("is not JSON"))?;
    let all = read(origin, &document);
    if all.is_empty() {
        return Err(unknown("is not a result of this program that is known"));
    }
    Ok(all)
}

/// The document, or of JSON lines the last line, which is the summary.
fn document(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok().or_else(|| {
        let last = bytes.trim_ascii_end().rsplit(|b| *b == b'\n').next()?;
        serde_json::from_slice(last).ok()
    })
}

fn read(origin: &Origin, document: &Value) -> Vec<Evidence> {
    let has = |keys: &[&str]| keys.iter().all(|key| document.get(key).is_some());
    if let Some(statement) = signed(document) {
        return scan::statement(origin, &statement).into_iter().collect();
    }
    if document.get("bomFormat").and_then(Value::as_str) == Some("CycloneDX") {
        return vec![scan::bill(origin, document)];
    }
    if has(&["runs", "version"]) {
        return scan::sarif(origin, document).into_iter().collect();
    }
    if has(&["endpoint", "asked", "findings"]) {
        return vec![scan::endpoint(origin, document)];
    }
    if has(&["files", "summary"]) {
        return scan::files(origin, document).into_iter().collect();
    }
    if document.get("summary").is_some_and(|summary| summary.get("sources").is_some() && summary.get("rows").is_some())
    {
        return vec![scan::data(origin, document)];
    }
    if has(&["target", "plan", "trials", "families"]) {
        return vec![trial::red_team(origin, document)];
    }
    if has(&["rows", "auroc", "lines"]) {
        return vec![trial::guard_eval(origin, document)];
    }
    if trial::is_verified_model(document) || document.get("chain").is_some_and(|chain| chain.get("holds").is_some()) {
        return trial::custody(origin, document);
    }
    privacy::read(origin, document).into_iter().collect()
}

/// The statement in a DSSE envelope. Its signature is not checked here: what it says counts as a file without one does.
fn signed(document: &Value) -> Option<Value> {
    let payload = document.pointer("/dsseEnvelope/payload").and_then(Value::as_str)?;
    serde_json::from_slice(&STANDARD.decode(payload).ok()?).ok()
}

/// A number of a document; 0 where there is none.
fn count(document: &Value, pointer: &str) -> u64 {
    document.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// A text of a document.
fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a list; none where there is no list.
fn items<'a>(document: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    document.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// How bad findings are. Severities decide whether a result is open; the gate of the command that found them may have
/// been off, so that it alone shows nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Severities {
    /// High or critical.
    severe: u64,
    /// Without a severity that is known.
    unsaid: u64,
}

impl Severities {
    fn add(&mut self, severity: &str, findings: u64) {
        match severity {
            "info" | "low" | "medium" => {}
            "high" | "critical" => self.severe = self.severe.saturating_add(findings),
            _ => self.unsaid = self.unsaid.saturating_add(findings),
        }
    }

    /// Findings by severity, as summaries have them.
    fn counted(document: &Value, pointer: &str) -> Self {
        let mut all = Self::default();
        for (severity, n) in document.pointer(pointer).and_then(Value::as_object).into_iter().flatten() {
            all.add(severity, n.as_u64().unwrap_or(0));
        }
        all
    }

    /// The worse of two accounts of the same findings.
    fn or(self, other: Self) -> Self {
        Self { severe: self.severe.max(other.severe), unsaid: self.unsaid.max(other.unsaid) }
    }

    /// Opens what has severe findings, or is at a gate that the command had all the same: that one may be stricter.
    fn judge(self, of: &mut Evidence, gated: bool) {
        if self.unsaid > 0 {
            of.weaken("it does not say how severe all of its findings are");
        }
        if self.severe > 0 || gated {
            of.state = State::Open;
        }
    }
}

/// Says that something was not read, where the coverage says so.
fn coverage(of: &mut Evidence, coverage: Option<&Value>) {
    match coverage.map(|c| text(c, "/status")) {
        Some("complete" | "structural") => {}
        Some("partial") => of.weaken("not everything was read"),
        _ => of.weaken("it does not say how much was read"),
    }
}
