//! What was found in a corpus, for people: a page without scripts and without anything from elsewhere, and a section for
//! the card of a data set. Whatever a corpus says is shown and never obeyed.

mod html;
mod markdown;
mod picture;
mod tally;

use std::collections::BTreeMap;

pub use tally::Tally;

use crate::contamination::Contamination;
use crate::difference::Difference;
use crate::examine::Place;
use crate::limits::Stood;
use crate::poison::Trigger;
use crate::read::Gap;

/// Most rows of a table.
const LINES: usize = 50;

/// A trigger or payload with rows that have it.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// What was found.
    pub trigger: &'a Trigger,
    /// Some rows, and how they read.
    pub examples: &'a [(Place, String)],
}

/// A group of copies.
#[derive(Clone, Debug)]
pub struct Copies<'a> {
    /// How many rows.
    pub rows: usize,
    /// How many of them repeat the first word for word.
    pub exact: usize,
    /// The first of them.
    pub first: &'a Place,
}

/// What the page is about.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// Version of this program.
    pub version: &'a str,
    /// Rows that were read.
    pub rows: u64,
    /// Bytes of text in them.
    pub bytes: u64,
    /// Rows at the gate.
    pub stopped: u64,
    /// Findings by rule.
    pub findings: &'a BTreeMap<String, u64>,
    /// Rows by file.
    pub files: &'a BTreeMap<String, Tally>,
    /// Triggers and payloads, the surest first; nothing where they were not looked for.
    pub triggers: Option<Vec<Shown<'a>>>,
    /// Groups of copies, the largest first.
    pub copies: Vec<Copies<'a>>,
    /// How many groups of copies there are by size: each step is of twice as many rows as the one before.
    pub sizes: &'a BTreeMap<u32, u64>,
    /// Rows that repeat an earlier one.
    pub duplicates: usize,
    /// What of an evaluation set is in the corpus, where one was given.
    pub contamination: Option<&'a Contamination>,
    /// What came in and went, where two versions were compared.
    pub difference: Option<&'a Difference>,
    /// How the limits of a policy stand.
    pub gates: &'a [Stood],
    /// How much was read.
    pub coverage: &'a str,
    /// What was not read, the first of it.
    pub gaps: &'a [Gap],
    /// How many places were not read.
    pub gaps_total: u64,
}

impl Page<'_> {
    /// One sentence on what there is.
    fn says(&self) -> String {
        let stopped = match self.stopped {
            0 => "no row is at the gate".to_owned(),
            1 => "1 row is at the gate".to_owned(),
            n => format!("{n} rows are at the gate"),
        };
        let unread =
            if self.gaps_total > 0 { format!("; {} places were not read", self.gaps_total) } else { String::new() };
        format!(
            "{} rows in {} files with {} bytes of text; {stopped}; coverage {}{unread}",
            self.rows,
            self.files.len(),
            self.bytes,
            self.coverage
        )
    }

    /// Rules by number of findings.
    fn rules(&self) -> Vec<(&str, u64)> {
        let mut rules: Vec<_> = self.findings.iter().map(|(rule, count)| (rule.as_str(), *count)).collect();
        rules.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        rules
    }

    /// Files with findings, those with the largest share first.
    fn shares(&self) -> Vec<(&str, &Tally)> {
        let mut files: Vec<_> = self.files.iter().map(|(name, tally)| (name.as_str(), tally)).collect();
        files.retain(|(_, tally)| tally.found > 0);
        files.sort_by(|a, b| b.1.share().total_cmp(&a.1.share()).then(a.0.cmp(b.0)));
        files
    }
}

/// A group of copies by its size, in words.
fn step(step: u32) -> String {
    format!("{} to {} rows", 1_u64 << step.min(62), (2_u64 << step.min(62)) - 1)
}

/// A share in percent.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contamination::Overlap;

    fn with(run: impl FnOnce(Page<'_>)) {
        let hostile = "<script>alert(1)</script>|\n[x](javascript:y)`' onload='z\u{202e}";
        let findings = BTreeMap::from([("pii/email".to_owned(), 3), ("secret/jwt".to_owned(), 7)]);
        let mut tally = Tally::default();
        (0..10).for_each(|row| tally.add(row, row < 5, row == 1));
        let mut clean = Tally::default();
        (0..10).for_each(|row| clean.add(row, false, false));
        let files = BTreeMap::from([(hostile.to_owned(), tally), ("clean".to_owned(), clean)]);
        let trigger = Trigger {
            trigger: Some(hostile.to_owned()),
            kind: None,
            output: hostile.to_owned(),
            label: false,
            rows: 20,
            score: 0.93,
        };
        let place = Place { source: hostile.to_owned(), row: 4 };
        let gap = Gap {
            source: hostile.to_owned(),
            row: None,
            place: hostile.to_owned(),
            why: hostile.to_owned(),
            bytes: 1,
            structural: false,
            next: 0,
        };
        let contamination = Contamination {
            items: 9,
            found: 1,
            worst: vec![Overlap { item: place.clone(), share: 0.5 }],
            ..Contamination::default()
        };
        let difference = Difference {
            added: 4,
            files: vec![(hostile.to_owned(), 4)],
            origins: BTreeMap::from([(hostile.to_owned(), vec![(hostile.to_owned(), 4)])]),
            ..Difference::default()
        };
        let gates = [Stood {
            what: hostile.to_owned(),
            severity: None,
            confidence: None,
            limit: "at most 0 rows".to_owned(),
            rows: 4,
            findings: 4,
            met: false,
        }];
        let examples = [(place.clone(), hostile.to_owned())];
        run(Page {
            version: "1",
            rows: 20,
            bytes: 400,
            stopped: 1,
            findings: &findings,
            files: &files,
            triggers: Some(vec![Shown { trigger: &trigger, examples: &examples }]),
            copies: vec![Copies { rows: 5, exact: 3, first: &place }],
            sizes: &BTreeMap::from([(1, 1), (2, 1)]),
            duplicates: 5,
            contamination: Some(&contamination),
            difference: Some(&difference),
            gates: &gates,
            coverage: "partial",
            gaps: &[gap],
            gaps_total: 1,
        });
    }

    #[test]
    fn what_a_corpus_says_is_shown_and_never_obeyed() {
        with(|page| {
            let html = page.html();
            assert!(!html.contains("<script") && html.contains("&lt;script&gt;") && !html.contains('\u{202e}'));
            assert!(!html.contains("' onload=") && !html.contains("http://") && !html.contains("https://"));
            assert_eq!(html.matches("<svg").count(), 4, "findings, files, where in files, copies");
            assert!(html.contains(">7</text>") && html.contains("4 to 7 rows") && html.contains("5 of 10 rows"));
            let section = page.markdown();
            assert!(!section.contains('<') && !section.contains("](") && !section.contains('\u{202e}'), "{section}");
            assert!(section.contains("| secret/jwt | 7 |\n| pii/email | 3 |"), "{section}");
            assert_eq!(section.lines().filter(|line| line.contains("0.93")).count(), 1, "{section}");
            // Each line of a table has the cells of its head.
            let bars = |line: &str| line.replace("\\|", "").matches('|').count();
            for lines in section.lines().collect::<Vec<_>>().windows(2) {
                if lines.iter().all(|line| line.starts_with('|')) {
                    assert_eq!(bars(lines[0]), bars(lines[1]), "{lines:?}");
                }
            }
        });
    }

    #[test]
    fn what_was_not_looked_for_is_not_said_to_be_absent() {
        with(|page| {
            let empty = Page { triggers: None, ..page };
            assert!(empty.html().contains("Not looked for"));
            assert!(empty.markdown().contains("were not looked for"));
        });
    }
}
