//! What stands in the place of values: masks, and other values that follow from a key.

use aws_lc_rs::digest;
use bartizan_core::{Direction, Finding, Fix, Span};
use bartizan_policy::operator::Keys;
use bartizan_policy::{
    Conversing, Operator, OperatorRow, Policy, Redaction, Replacer, Selector, Table, Way, apply, redactions,
};

use super::plan::Choice;
use crate::error::DataError;

/// A corpus with one key, under which the same value has the same surrogate in every row and file.
pub struct Names {
    keys: Keys,
    table: Table,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

/// Least length of the text that a key is given as.
const LEAST: usize = 32;

impl Names {
    /// From a text of high entropy, such as `openssl rand -hex 32` prints.
    ///
    /// # Errors
    /// It is shorter than 32 characters.
    pub fn new(secret: &str) -> Result<Self, DataError> {
        if secret.len() < LEAST {
            return Err(DataError::Key { least: LEAST });
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
        let keys = Keys::new(&bytes).map_err(|_| DataError::Key { least: LEAST })?;
        let row = |entity: Option<&str>, operator| OperatorRow {
            entity: entity.map(str::to_owned),
            rule: entity.is_none().then_some(Selector::All),
            direction: Way::Both,
            operator,
            keep: 0,
        };
        let operator = vec![row(Some("DATE_TIME"), Operator::DateShift), row(None, Operator::Surrogate)];
        Ok(Self { keys, table: Table::new(Policy { operator, ..Policy::default() }) })
    }

    /// What tells keys apart without telling the key, hex.
    #[must_use]
    pub fn hint(&self) -> String {
        bartizan_sign::hex(self.keys.digest("hint", &[]).get(..4).unwrap_or_default())
    }
}

impl Conversing for Names {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn id(&self) -> &'static str {
        "corpus"
    }

    fn issue(&self, _: &str, _: &str) -> Option<String> {
        None
    }

    fn placeholders(&self, _: &str) -> Vec<Span> {
        Vec::new()
    }

    fn known(&self, _: &str) -> Vec<Redaction> {
        Vec::new()
    }
}

/// The text with its findings replaced.
pub(super) fn replaced(text: &str, findings: &[(Finding, Choice)], names: Option<&Names>) -> String {
    let findings: Vec<Finding> = findings
        .iter()
        .filter(|(_, choice)| matches!(choice, Choice::Redact | Choice::Pseudonym))
        .map(|(finding, choice)| {
            let mut finding = finding.clone();
            if *choice == Choice::Redact && finding.fix == Fix::Mask {
                finding.fix = Fix::Replace(finding.replacement().into_owned());
            }
            finding
        })
        .collect();
    let plain = Table::default();
    let table = names.map_or(&plain, |names| &names.table);
    let replacer = Replacer::new(table, Direction::Request, names.map(|names| names as &dyn Conversing));
    apply(text, 0, &redactions(&findings, text, 0, replacer))
}
