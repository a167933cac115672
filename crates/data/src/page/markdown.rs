//! A section for the card of a data set.

use std::fmt::Write as _;

use bartizan_report::text::{line, markdown};

use super::{LINES, Page, percent};

/// A text from outside in a cell.
fn cell(text: &str) -> String {
    markdown(&line(text))
}

fn table(out: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let lines: Vec<String> = rows.take(LINES).map(|row| format!("| {} |", row.join(" | "))).collect();
    if !lines.is_empty() {
        let _ = write!(out, "\n| {} |\n|{}\n{}\n", head.join(" | "), "---|".repeat(head.len()), lines.join("\n"));
    }
}

impl Page<'_> {
    /// A section for the card of the data set.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = format!("## Examination\n\nWith bartizan {}: {}.\n", cell(self.version), cell(&self.says()));
        table(
            &mut out,
            &["limit", "at most", "rows", "holds"],
            self.gates.iter().map(|one| {
                let holds = if one.met { "yes" } else { "no" };
                vec![cell(&one.what), cell(&one.limit), one.rows.to_string(), holds.to_owned()]
            }),
        );
        let rules = self.rules();
        table(
            &mut out,
            &["finding", "count"],
            rules.into_iter().map(|(rule, count)| vec![cell(rule), count.to_string()]),
        );
        let triggers = self.triggers.iter().flatten();
        table(
            &mut out,
            &["trigger or payload", "score"],
            triggers.map(|one| vec![cell(&one.trigger.says()), format!("{:.2}", one.trigger.score)]),
        );
        table(
            &mut out,
            &["file", "rows", "with findings", "at the gate"],
            self.shares().into_iter().map(|(name, tally)| {
                vec![cell(name), tally.rows.to_string(), tally.found.to_string(), tally.stopped.to_string()]
            }),
        );
        let poison = match self.triggers.as_deref() {
            None => "Poisoned rows were not looked for.",
            Some([]) => "No trigger or payload was found.",
            Some(_) => "Triggers and payloads are above.",
        };
        let _ = write!(out, "\n{poison} {} rows repeat an earlier one.\n", self.duplicates);
        if let Some(all) = self.contamination {
            let _ = write!(
                out,
                "\nOf an evaluation set of {} items, {} have a piece in {} rows ({} items as good as whole; {} cannot be \
                 compared).\n",
                all.items, all.found, all.rows, all.mostly, all.short
            );
            table(
                &mut out,
                &["item", "row", "most in one row"],
                all.worst
                    .iter()
                    .map(|one| vec![cell(&one.item.source), one.item.row.to_string(), percent(f64::from(one.share))]),
            );
        }
        if let Some(all) = self.difference {
            let _ = write!(
                out,
                "\nSince the version before, {} rows came in ({} of them copies) and {} went.\n",
                all.added, all.copies, all.removed
            );
            table(
                &mut out,
                &["came in from", "rows"],
                all.files.iter().map(|(name, count)| vec![cell(name), count.to_string()]),
            );
        }
        out
    }
}
