//! The report itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ReportError;
use crate::assess::{Bench, Standing, Status};
use crate::catalogue::{Catalogue, Framework, Role};
use crate::evidence::{Evidence, Setup};
use crate::text::line;
use crate::trend::{self, Trend};

/// The form of the JSON.
pub const FORM: &str = "bartizan-posture/1";

/// How many identifiers stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Everything needed is shown.
    pub covered: usize,
    /// Some evidence is there.
    pub partial: usize,
    /// Evidence could be given.
    pub none: usize,
    /// Out of scope.
    pub out: usize,
}

impl Totals {
    /// How many of a status.
    #[must_use]
    pub const fn of(&self, status: Status) -> usize {
        match status {
            Status::Covered => self.covered,
            Status::Partial => self.partial,
            Status::None => self.none,
            Status::Out => self.out,
        }
    }

    /// All of them.
    #[must_use]
    pub const fn all(&self) -> usize {
        self.covered + self.partial + self.none + self.out
    }

    const fn add(&mut self, status: Status) {
        match status {
            Status::Covered => self.covered += 1,
            Status::Partial => self.partial += 1,
            Status::None => self.none += 1,
            Status::Out => self.out += 1,
        }
    }
}

/// An identifier and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The identifier.
    pub id: String,
    /// Level of assurance, where there are levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// What it is about.
    pub words: String,
    /// Where it stands.
    pub status: Status,
    /// Measures that speak about it and have evidence.
    pub measures: Vec<String>,
    /// Measures that it needs and that are not shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
    /// Why it is out of scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
}

/// A catalogue and where its identifiers stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameworkView {
    /// Its short name.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Which edition.
    pub edition: String,
    /// What it is for.
    pub role: Role,
    /// Where it is.
    pub source: String,
    /// What has to be said about it.
    #[serde(default)]
    pub note: String,
    /// How many stand where.
    pub totals: Totals,
    /// Its identifiers.
    pub controls: Vec<View>,
}

/// A posture report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The form of it: [`FORM`].
    pub report: String,
    /// What it is about.
    pub subject: String,
    /// When it was made, RFC 3339.
    pub made: String,
    /// The version of the program that made it.
    pub version: String,
    /// SHA-256 of the catalogue, hex.
    pub catalogue: String,
    /// The evidence.
    pub evidence: Vec<Evidence>,
    /// Files that are no evidence, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// What is known of the chain of records; none where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
    /// Measures and how they stand, by name.
    pub measures: Vec<Standing>,
    /// Catalogues and where their identifiers stand.
    pub frameworks: Vec<FrameworkView>,
    /// What changed since an earlier report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend>,
}

/// What is known of the chain of records that decisions and deeds are counted from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Every record fits its hash and the one before it.
    pub intact: bool,
    /// In words.
    pub says: String,
}

impl Report {
    /// Reads a report that was written as JSON.
    ///
    /// # Errors
    /// [`ReportError::Form`] where it is none.
    pub fn parse(json: &[u8]) -> Result<Self, ReportError> {
        let report: Self = serde_json::from_slice(json).map_err(|_| ReportError::Form)?;
        if report.report == FORM { Ok(report) } else { Err(ReportError::Form) }
    }

    /// Measures that are needed and not shown, with how many identifiers need them: those first that most do.
    #[must_use]
    pub fn next(&self) -> Vec<(&Standing, usize)> {
        let mut needed: BTreeMap<&str, usize> = BTreeMap::new();
        for control in self.frameworks.iter().flat_map(|f| &f.controls).filter(|c| c.status != Status::Out) {
            for name in &control.lacks {
                *needed.entry(name).or_default() += 1;
            }
        }
        let mut all: Vec<(&Standing, usize)> =
            needed.into_iter().filter_map(|(name, count)| Some((self.measure(name)?, count))).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }

    /// How a measure stands.
    #[must_use]
    pub fn measure(&self, name: &str) -> Option<&Standing> {
        self.measures.iter().find(|standing| standing.measure == name)
    }
}

/// What a report is made of.
#[derive(Debug)]
pub struct Input<'a> {
    /// What it is about, for people.
    pub subject: &'a str,
    /// The version of the program.
    pub version: &'a str,
    /// SHA-256 of [`Catalogue::text`], hex.
    pub catalogue: String,
    /// Evidence of files and records, and of the configuration.
    pub evidence: Vec<Evidence>,
    /// Files that are no evidence, and why.
    pub unread: Vec<String>,
    /// What is known of the chain of records.
    pub chain: Option<Chain>,
    /// The configuration.
    pub setup: Option<&'a Setup>,
    /// An earlier report.
    pub previous: Option<&'a Report>,
    /// The time.
    pub now: Timestamp,
}

/// Makes a report.
///
/// # Errors
/// [`ReportError::Catalogue`] where the built-in catalogue cannot be used.
pub fn build(input: Input<'_>) -> Result<Report, ReportError> {
    let catalogue = Catalogue::built_in()?;
    let bench = Bench { catalogue, evidence: &input.evidence, setup: input.setup, now: input.now };
    let standings = bench.standings();
    let view = |framework: &Framework| {
        let mut totals = Totals::default();
        let mut controls = Vec::new();
        for control in &framework.control {
            let (status, lacks) = Bench::status(control, &standings);
            totals.add(status);
            let has_evidence = |name: &&str| standings.get(*name).is_some_and(|s| !s.evidence.is_empty());
            controls.push(View {
                id: control.id.clone(),
                level: control.level,
                words: control.words.clone(),
                status,
                measures: control.measures().filter(has_evidence).map(str::to_owned).collect(),
                // Where nothing is needed, what helps is what could be given.
                lacks: match status {
                    Status::None if control.needs.is_empty() => control.helps.clone(),
                    _ => lacks,
                },
                out: control.out.as_ref().and_then(|why| catalogue.out.get(why)).cloned(),
            });
        }
        FrameworkView {
            id: framework.id.clone(),
            name: framework.name.clone(),
            edition: framework.edition.clone(),
            role: framework.role,
            source: framework.source.clone(),
            note: framework.note.clone(),
            totals,
            controls,
        }
    };
    let mut report = Report {
        report: FORM.to_owned(),
        subject: line(input.subject),
        made: input.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        version: input.version.to_owned(),
        catalogue: input.catalogue,
        frameworks: catalogue.frameworks.iter().map(view).collect(),
        measures: standings.into_values().collect(),
        unread: input.unread.iter().map(|why| line(why)).collect(),
        evidence: input.evidence,
        chain: input.chain.map(|chain| Chain { says: line(&chain.says), ..chain }),
        trend: None,
    };
    report.trend = input.previous.map(|previous| trend::compare(previous, &report));
    Ok(report)
}
