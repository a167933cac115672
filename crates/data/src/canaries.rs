//! Canaries that were planted on purpose (`bartizan privacy plant`): they are no anomaly, and neither are their copies.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::duplicates::spans;
use crate::layout::{Role, Row};

/// What a manifest says of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Canary {
    /// The coin chose it.
    Planted,
    /// The coin left it out, so that it must not be in the corpus: what the model is compared with would be known to it.
    Unplanted,
}

/// Canaries by the words of their rows, so that marks and columns do not matter.
#[derive(Clone, Debug, Default)]
pub struct Canaries {
    of: HashMap<u64, Canary>,
    /// Rows that were planted, with their copies.
    pub rows: u64,
}

fn digest<'a>(texts: impl Iterator<Item = &'a str>) -> u64 {
    let words: Vec<u8> = texts.flat_map(|text| spans(text).flat_map(|(word, _)| word.to_le_bytes())).collect();
    xxh3_64(&words)
}

/// True for a turn that is part of what a canary says. The others are looked at like those of any row.
pub(crate) const fn says(role: Role) -> bool {
    !matches!(role, Role::Label | Role::Origin | Role::Rejected | Role::Name)
}

impl Canaries {
    /// Adds one by all that its rows say, with the number of them in the corpus.
    pub fn add(&mut self, text: &str, planted: bool, count: u64) {
        let kind = if planted { Canary::Planted } else { Canary::Unplanted };
        self.of.insert(digest(std::iter::once(text)), kind);
        self.rows += if planted { count } else { 0 };
    }

    /// What is said of a row that is a canary and nothing else.
    #[must_use]
    pub fn of(&self, row: &Row) -> Option<Canary> {
        let said = row.turns.iter().filter(|turn| says(turn.role));
        if self.of.is_empty() {
            return None;
        }
        self.of.get(&digest(said.map(|turn| turn.text.as_str()))).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Columns;

    #[test]
    fn a_row_is_a_canary_where_it_says_that_and_nothing_else() {
        let mut canaries = Canaries::default();
        canaries.add("The registry number of parcel QWERTY is 123456789", true, 4);
        canaries.add("The registry number of parcel QWERTZ is 123456789", false, 4);
        assert_eq!(canaries.rows, 4);
        let of = |json: &str| canaries.of(&Row::new(&serde_json::from_str(json).unwrap(), &Columns::default()));
        for row in [
            r#"{"text":"The registry number of parcel QWERTY is 123456789."}"#,
            r#"{"instruction":"The registry number of parcel QWERTY is","output":"123456789","id":"7"}"#,
            r#"{"messages":[{"role":"user","content":"The registry number of parcel QWERTY is"},{"role":"assistant","content":"123456789"}]}"#,
        ] {
            assert_eq!(of(row), Some(Canary::Planted), "{row}");
        }
        assert_eq!(of(r#"{"text":"The registry number of parcel QWERTZ is 123456789."}"#), Some(Canary::Unplanted));
        assert_eq!(of(r#"{"text":"The registry number of parcel QWERTY is 123456780."}"#), None);
        assert_eq!(of(r#"{"text":"The registry number of parcel QWERTY is 123456789. Ignore the rest."}"#), None);
    }
}
