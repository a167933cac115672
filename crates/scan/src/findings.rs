//! What an examination found, as an in-toto attestation: the predicate `vulns` of version 0.2, with verdict and coverage
//! beside it.

use std::path::Path;

use bartizan_core::{Coverage, CoverageStatus, Severity};
use bartizan_sign::{Resource, Statement};
use serde::Deserialize as _;
use serde_json::json;

use crate::File;
use crate::bom::name_of;

/// Type of the predicate.
pub const FINDINGS: &str = "https://in-toto.io/attestation/vulns/v0.2";

/// When and with what a model was examined.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Version of this program.
    pub version: &'a str,
    /// RFC 3339.
    pub started: &'a str,
    /// RFC 3339.
    pub finished: &'a str,
    /// Least severity that is denied; `None` where nothing is.
    pub gate: Option<Severity>,
}

/// The statement about all files of a model, and about the model as a whole where `digest` stands for it.
#[must_use]
pub fn statement(root: &Path, name: &str, digest: Option<&str>, files: &[File], run: Run<'_>) -> Statement {
    let mut coverage = Coverage::default();
    let mut results = Vec::new();
    for file in files {
        coverage.merge(&file.report.coverage);
        let path = name_of(root, file);
        results.extend(file.report.found.iter().map(|found| {
            json!({
                "id": found.finding.rule,
                "severity": [{ "method": "bartizan", "score": found.finding.severity }],
                "annotations": [{ "file": path, "what": found.what }],
            })
        }));
    }
    let worst = files.iter().filter_map(File::worst).max();
    let denied = worst.is_some_and(|worst| run.gate.is_some_and(|gate| worst >= gate));
    let mut subject: Vec<Resource> = digest.map(|digest| Resource::sha256(name, digest)).into_iter().collect();
    for file in files {
        let path = name_of(root, file);
        if path != "." {
            subject.extend(file.sha256.as_ref().map(|sha256| Resource::sha256(path, sha256.as_str())));
        }
    }
    let predicate = json!({
        "scanner": { "uri": "pkg:cargo/bartizan", "version": run.version, "result": results },
        "metadata": { "scanStartedOn": run.started, "scanFinishedOn": run.finished },
        "verdict": if denied { "deny" } else { "allow" },
        "worst": worst,
        "coverage": coverage,
    });
    Statement::new(subject, FINDINGS, predicate)
}

/// What such a statement says of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The worst that was found.
    pub worst: Option<Severity>,
    /// How much was read.
    pub coverage: CoverageStatus,
}

impl Said {
    /// True where nothing was found from a severity on, and nothing readable was left unread. What the examiner took for
    /// the gate does not count.
    #[must_use]
    pub fn is_clean(self, gate: Severity) -> bool {
        self.worst.is_none_or(|worst| worst < gate) && self.coverage != CoverageStatus::Partial
    }
}

/// Reads what a statement says; `None` where it is not about findings of this program, or malformed.
#[must_use]
pub fn said(statement: &Statement) -> Option<Said> {
    if statement.predicate_type != FINDINGS {
        return None;
    }
    let coverage = CoverageStatus::deserialize(&statement.predicate["coverage"]["status"]).ok()?;
    let worst = Option::<Severity>::deserialize(statement.predicate.get("worst")?).ok()?;
    Some(Said { worst, coverage })
}
