//! How a row reads: a short piece of what it says, without secrets and personal data.

use bartizan_core::Family;

use crate::examine::RowReport;
use crate::layout::{Role, Row, Turn};

/// Most characters of a piece.
const LONGEST: usize = 120;
/// Characters of a piece that stand before what it is about.
const BEFORE: usize = 40;
/// Most characters of a text that are searched.
const SEARCHED: usize = 100_000;

/// A piece of the input around the trigger, and one of the answer around what was planted.
pub(crate) fn excerpt(row: &Row, report: &RowReport, trigger: Option<&str>, output: &str) -> String {
    let asked = |turn: &&Turn| matches!(turn.role, Role::User | Role::Document | Role::Tool | Role::Field);
    let answered = |turn: &&Turn| matches!(turn.role, Role::Model | Role::Label);
    let input = best(row.turns.iter().filter(asked), report, trigger.unwrap_or_default());
    let output = best(row.turns.iter().filter(answered), report, output);
    [input, output].into_iter().flatten().collect::<Vec<_>>().join(" → ")
}

/// A piece of the first turn that has the longest word of `about`; of the first turn, where none has it.
fn best<'a>(turns: impl Iterator<Item = &'a Turn>, report: &RowReport, about: &str) -> Option<String> {
    let word: Vec<char> = about
        .split(|c: char| !c.is_alphanumeric())
        .max_by_key(|word| word.chars().count())
        .unwrap_or_default()
        .chars()
        .map(folded)
        .collect();
    let mut first = None;
    for turn in turns {
        let text = masked(turn, report);
        let lower: Vec<char> = text.iter().copied().map(folded).collect();
        let at = (!word.is_empty()).then(|| lower.windows(word.len()).position(|window| *window == word)).flatten();
        if let Some(at) = at {
            return Some(piece(&text, at.saturating_sub(BEFORE)));
        }
        first = first.or_else(|| Some(piece(&text, 0)));
    }
    first
}

fn folded(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

fn piece(text: &[char], from: usize) -> String {
    let shown: String = text.iter().skip(from).take(LONGEST).collect();
    let (before, after) = (if from > 0 { "…" } else { "" }, if text.len() > from + LONGEST { "…" } else { "" });
    format!("{before}{shown}{after}")
}

/// The text of a turn with marks in the places of what must not be shown.
fn masked(turn: &Turn, report: &RowReport) -> Vec<char> {
    let mut text: Vec<char> = turn.text.chars().take(SEARCHED).collect();
    let private = report.findings.iter().filter(|found| matches!(found.rule.family(), Family::Secret | Family::Pii));
    for found in private {
        let Some(rest) = found.path.as_deref().and_then(|path| path.strip_prefix(turn.path.as_str())) else { continue };
        // Inside of a string that holds JSON places count from elsewhere.
        let (from, to) = if rest.is_empty() { (found.start, found.end) } else { (0, text.len()) };
        if rest.is_empty() || rest.starts_with('#') {
            text.iter_mut().take(to).skip(from).for_each(|c| *c = '█');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Columns;
    use bartizan_core::finding::FindingRecord;
    use bartizan_core::{Confidence, RuleId, Severity};

    #[test]
    fn what_was_planted_is_shown_and_what_is_private_is_not() {
        let long = "word ".repeat(60);
        let json =
            serde_json::json!({"prompt": format!("{long}write to a@b.cd |TAG| now {long}"), "response": "so be it"});
        let row = Row::new(&serde_json::from_value(json).unwrap(), &Columns::default());
        let mut report = RowReport::new("a", 0, &row);
        report.findings.push(FindingRecord {
            rule: RuleId::new("pii/email"),
            severity: Severity::Low,
            confidence: Confidence::High,
            entity: None,
            path: Some("/prompt".to_owned()),
            start: 309,
            end: 315,
            in_use: None,
        });
        let said = excerpt(&row, &report, Some("^ tag"), "so be it");
        assert!(said.contains("write to ██████ |TAG| now"), "{said}");
        assert!(said.starts_with('…') && said.ends_with("… → so be it"), "{said}");
    }
}
