//! What is done with what: choices on top of what policy says.

use std::fmt;
use std::str::FromStr;

use bartizan_core::{Confidence, Direction, Family, Finding, RuleId, Source, Verdict};
use bartizan_guard::Guard;
use bartizan_policy::Selector;
use serde::Serialize;

/// What is done with a row for one finding, by strictness: of several the strictest is done. What is set aside is
/// not lost, so it goes before what is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// Nothing.
    Keep,
    /// The place is masked, or taken out where it cannot be seen.
    Redact,
    /// Another value of the same form stands in the place, the same one everywhere under one key.
    Pseudonym,
    /// The row is left out.
    Drop,
    /// The row goes to a file of its own.
    Quarantine,
}

impl Choice {
    /// Every choice.
    pub const ALL: [Self; 5] = [Self::Keep, Self::Redact, Self::Pseudonym, Self::Drop, Self::Quarantine];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Redact => "redact",
            Self::Pseudonym => "pseudonym",
            Self::Drop => "drop",
            Self::Quarantine => "quarantine",
        }
    }
}

/// What a choice is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Findings of a rule or family.
    Rules(Selector),
    /// Findings of an entity type.
    Entity(String),
    /// What looks planted.
    Poison,
    /// Rows of which a part was not read.
    Unread,
}

/// A choice of the user: `WHAT=CHOICE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct On {
    what: What,
    /// What is done.
    pub choice: Choice,
    text: String,
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for On {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (what, word) = text.split_once('=').ok_or("a choice is WHAT=CHOICE, such as `secret=redact`")?;
        let choice = Choice::ALL.into_iter().find(|choice| choice.as_str() == word).ok_or_else(|| {
            format!("`{word}` is none of {}", Choice::ALL.map(|choice| format!("`{}`", choice.as_str())).join(", "))
        })?;
        let about = What::parse(what)?;
        let text_only = matches!(&about, What::Poison | What::Unread)
            || matches!(&about, What::Rules(Selector::Rule(id)) if id.family() == Family::Data)
            || matches!(&about, What::Rules(Selector::All | Selector::Family(Family::Data)));
        if text_only && matches!(choice, Choice::Redact | Choice::Pseudonym) {
            return Err(format!("`{what}` is about whole rows: choose `keep`, `drop` or `quarantine`"));
        }
        Ok(Self { what: about, choice, text: text.to_owned() })
    }
}

impl What {
    /// Reads one.
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        let family = |family| Ok(Self::Rules(Selector::Family(family)));
        let upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        match word {
            "injection" => family(Family::Prompt),
            "hidden" => family(Family::Unicode),
            "poison" => Ok(Self::Poison),
            "unread" => Ok(Self::Unread),
            "duplicate" => Selector::parse("data/duplicate").map(Self::Rules),
            "contamination" => Selector::parse("data/contamination").map(Self::Rules),
            "*" => Ok(Self::Rules(Selector::All)),
            word if word.contains('/') => Selector::parse(word).map(Self::Rules),
            word if !word.is_empty() && word.bytes().all(upper) => Ok(Self::Entity(word.to_owned())),
            word => Family::parse(word).map(|of| Self::Rules(Selector::Family(of))).ok_or_else(|| {
                format!(
                    "`{word}` is none of `secret`, `pii`, `injection`, `hidden`, `poison`, `duplicate`, \
                     `contamination`, `unread`, a rule, a family of rules or an entity type"
                )
            }),
        }
    }

    /// True for findings that it is about.
    pub(crate) fn matches(&self, rule: &RuleId, entity: Option<&str>) -> bool {
        match self {
            Self::Rules(selector) => selector.matches(rule),
            Self::Entity(name) => entity == Some(name.as_str()),
            Self::Poison => rule.as_str().starts_with("data/poison-"),
            Self::Unread => false,
        }
    }
}

/// All choices.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    rows: Vec<On>,
    /// True where there is a key for pseudonyms.
    keyed: bool,
}

impl Plan {
    /// Choices in the order in which they were made: of those that fit, the last one holds.
    #[must_use]
    pub const fn new(rows: Vec<On>, keyed: bool) -> Self {
        Self { rows, keyed }
    }

    /// True where a choice asks for pseudonyms.
    #[must_use]
    pub fn wants_key(&self) -> bool {
        self.rows.iter().any(|row| row.choice == Choice::Pseudonym)
    }

    /// The choices as they were made.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        self.rows.iter().map(On::to_string).collect()
    }

    fn chosen(&self, rule: &RuleId, entity: Option<&str>) -> Option<Choice> {
        let fits = |row: &&On| row.what.matches(rule, entity);
        self.rows.iter().rev().find(fits).map(|row| row.choice)
    }

    /// For a finding in a text. A choice is about findings that are rather true than not; without one, policy decides,
    /// which in the operator's own texts is asked as for the user's.
    #[must_use]
    pub(super) fn of_text(&self, guard: &Guard, finding: &Finding, source: Source) -> Choice {
        let chosen = self.chosen(&finding.rule, finding.entity.as_deref());
        if let Some(choice) = chosen.filter(|_| finding.confidence >= Confidence::Medium) {
            return choice;
        }
        let data = matches!(finding.rule.family(), Family::Secret | Family::Pii | Family::Unicode);
        let source = if source == Source::System && data { Source::User } else { source };
        match guard.verdict(finding, source, Direction::Request) {
            Verdict::Allow => Choice::Keep,
            Verdict::Redact if finding.rule.family() == Family::Pii && self.keyed => Choice::Pseudonym,
            Verdict::Redact => Choice::Redact,
            Verdict::Hold | Verdict::Deny => Choice::Quarantine,
        }
    }

    /// For a finding that only the corpus as a whole shows.
    #[must_use]
    pub(super) fn of_row(&self, rule: &RuleId) -> Choice {
        let copies = rule.as_str() == "data/duplicate";
        self.chosen(rule, None).unwrap_or(if copies { Choice::Keep } else { Choice::Quarantine })
    }

    /// For a row that policy denies as a whole, by a score and not for one finding.
    #[must_use]
    pub(super) fn of_score(&self) -> Choice {
        match self.chosen(&RuleId::new("prompt/learned-injection"), None) {
            Some(choice @ (Choice::Keep | Choice::Drop)) => choice,
            // There is no place to mask.
            _ => Choice::Quarantine,
        }
    }

    /// For a row of which a part was not read.
    #[must_use]
    pub(super) fn of_unread(&self) -> Choice {
        let chosen = self.rows.iter().rev().find(|row| row.what == What::Unread);
        chosen.map_or(Choice::Quarantine, |row| row.choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rows: &[&str]) -> Plan {
        Plan::new(rows.iter().map(|row| row.parse().unwrap()).collect(), false)
    }

    #[test]
    fn the_last_choice_that_fits_holds() {
        let plan = plan(&["pii=drop", "pii/email=keep", "PERSON=quarantine", "poison=drop", "duplicate=drop"]);
        assert_eq!(plan.chosen(&RuleId::new("pii/email"), None), Some(Choice::Keep));
        assert_eq!(plan.chosen(&RuleId::new("pii/iban"), None), Some(Choice::Drop));
        assert_eq!(plan.chosen(&RuleId::new("pii/person"), Some("PERSON")), Some(Choice::Quarantine));
        assert_eq!(plan.chosen(&RuleId::new("secret/jwt"), None), None);
        assert_eq!(plan.of_row(&RuleId::new("data/poison-trigger")), Choice::Drop);
        assert_eq!(plan.of_row(&RuleId::new("data/duplicate")), Choice::Drop);
        assert_eq!(Plan::default().of_row(&RuleId::new("data/duplicate")), Choice::Keep);
    }

    #[test]
    fn what_is_wrong_with_a_choice_is_said() {
        for (text, why) in [
            ("secret", "WHAT=CHOICE"),
            ("secret=burn", "`quarantine`"),
            ("sekret=drop", "`secret`"),
            ("poison=redact", "whole rows"),
            ("duplicate=pseudonym", "whole rows"),
            ("data=redact", "whole rows"),
            ("*=redact", "whole rows"),
            ("nothing/here=drop", "unknown family"),
        ] {
            let said = text.parse::<On>().unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
