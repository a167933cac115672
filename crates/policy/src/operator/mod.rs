//! Operators: what stands in place of a value that policy redacts, by entity type or rule and by direction.
//!
//! The default is a mask that names the type. The others are chosen by rows of the configuration; the first row that
//! fits a finding decides. The transformations themselves are pure: `value` has those of single values, `surrogate` those
//! that keep the form, `date` that of dates, `placeholder` the pseudonyms. Keys are arguments.

mod date;
mod keys;
mod placeholder;
mod surrogate;
mod value;

use bartizan_core::{Direction, Family, Finding, Fix, Rule, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use keys::{KeyError, Keys};
pub use placeholder::{Matcher, Restorer, Setting, is_well_formed, name_of, restored};

use crate::redact::Redaction;
use crate::table::{Selector, Table};

/// What is done with a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// A placeholder that names the type: `[REDACTED:EMAIL_ADDRESS]`.
    #[default]
    Mask,
    /// Nothing is left.
    Redact,
    /// A keyed digest with the type: the same value of a tenant is the same everywhere.
    Hash,
    /// The value under authenticated encryption with the tenant's key, with the type.
    Encrypt,
    /// A placeholder of the conversation, restored in replies and tool calls.
    Pseudonym,
    /// Another value of the same form that belongs to nobody, the same for the whole conversation.
    Surrogate,
    /// A date moved by a number of days that is the same for the whole conversation. What is no date is masked.
    DateShift,
    /// Stars, and the last characters.
    KeepLast,
}

/// Which way an operator works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// On the way to the model.
    Request,
    /// On the way back.
    Reply,
    /// Both.
    #[default]
    Both,
}

impl Way {
    const fn holds(self, direction: Direction) -> bool {
        matches!(
            (self, direction),
            (Self::Both, _) | (Self::Request, Direction::Request) | (Self::Reply, Direction::Reply)
        )
    }
}

/// An operator row as it is written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Entity type of the findings it is for, as `PERSON`. Either this or `rule`.
    entity: Option<String>,
    /// Rule id, `family/*` or `*`.
    rule: Option<Selector>,
    /// Which way: `request`, `reply` or `both`. Pseudonyms are made on the way to the model only.
    #[serde(default)]
    direction: Way,
    /// What is done with the value.
    operator: Operator,
    /// How many characters `keep-last` leaves.
    #[serde(default = "keep")]
    keep: usize,
}

const fn keep() -> usize {
    4
}

/// What is done with the values of some findings. What a row fits is redacted at least, unless a row of `policy.rows`
/// says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
#[schemars(with = "Written")]
pub struct OperatorRow {
    /// Entity type of the findings it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Rules of the findings it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Selector>,
    /// Which way.
    pub direction: Way,
    /// What is done.
    pub operator: Operator,
    /// How many characters [`Operator::KeepLast`] leaves.
    pub keep: usize,
}

impl TryFrom<Written> for OperatorRow {
    type Error = String;

    fn try_from(row: Written) -> Result<Self, String> {
        let Written { entity, rule, direction, operator, keep } = row;
        if entity.is_some() == rule.is_some() {
            return Err("an operator is for an `entity` or for a `rule`: give one of the two".to_owned());
        }
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if let Some(name) = entity.as_deref().filter(|name| name.is_empty() || !name.chars().all(plain)) {
            return Err(format!("`{name}` is no entity type; they are written as in findings, like `EMAIL_ADDRESS`"));
        }
        if operator == Operator::Pseudonym && direction == Way::Reply {
            return Err("pseudonyms are made on the way to the model; in replies they are restored".to_owned());
        }
        Ok(Self { entity, rule, direction, operator, keep })
    }
}

impl OperatorRow {
    fn holds(&self, direction: Direction) -> bool {
        // What is made here is restored there.
        let pseudonym = self.operator == Operator::Pseudonym;
        if pseudonym { direction == Direction::Request } else { self.direction.holds(direction) }
    }

    fn fits(&self, finding: &Finding) -> bool {
        let entity = self.entity.as_deref().is_none_or(|entity| finding.entity.as_deref() == Some(entity));
        entity && self.rule.as_ref().is_none_or(|rule| rule.matches(&finding.rule))
    }
}

/// Whether pseudonyms are restored in what a tool is called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreRow {
    /// Name of the tool; `*` at the end stands for any rest.
    pub tool: String,
    /// True where it gets the values, false where it gets the pseudonyms.
    pub restore: bool,
}

/// How long pseudonyms are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VaultSettings {
    /// Hours since it was last used after which what a pseudonym stands for is forgotten.
    pub ttl_hours: u32,
}

impl Default for VaultSettings {
    fn default() -> Self {
        Self { ttl_hours: 720 }
    }
}

/// The operator rows of a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operators(Vec<OperatorRow>);

impl Operators {
    pub(crate) const fn new(rows: Vec<OperatorRow>) -> Self {
        Self(rows)
    }

    /// True where every value is masked.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True where pseudonyms are made.
    #[must_use]
    pub fn has_pseudonyms(&self) -> bool {
        self.0.iter().any(|row| row.operator == Operator::Pseudonym)
    }

    /// The row for a finding. Findings that say themselves what goes in their place have none.
    pub(crate) fn of(&self, finding: &Finding, direction: Direction) -> Option<&OperatorRow> {
        if finding.fix != Fix::Mask {
            return None;
        }
        self.0.iter().find(|row| row.holds(direction) && row.fits(finding))
    }

    /// True where a finding of the rule may have a row. Which entity types a rule reports is not known before it does.
    pub(crate) fn may_have(&self, rule: &Rule, direction: Direction) -> bool {
        let data = matches!(rule.id.family(), Family::Pii | Family::Secret);
        self.0
            .iter()
            .any(|row| row.holds(direction) && row.rule.as_ref().map_or(data, |selector| selector.matches(&rule.id)))
    }
}

/// What operators need of a conversation: keys, and the pseudonyms that it has.
pub trait Conversing: std::fmt::Debug + Send + Sync {
    /// Keys of its tenant.
    fn keys(&self) -> &Keys;

    /// Its name under those keys.
    fn id(&self) -> &str;

    /// The placeholder of a value of a kind, made where there is none; `None` where no more can be made.
    fn issue(&self, kind: &str, value: &str) -> Option<String>;

    /// Where in a text its placeholders stand, in order.
    fn placeholders(&self, text: &str) -> Vec<Span>;

    /// Where in a text values stand that have a placeholder, in order and disjoint.
    fn known(&self, text: &str) -> Vec<Redaction>;
}

/// What goes in place of values in one direction.
#[derive(Clone, Copy, Debug)]
pub struct Replacer<'a> {
    operators: &'a Operators,
    direction: Direction,
    conversation: Option<&'a dyn Conversing>,
}

impl<'a> Replacer<'a> {
    /// By a table. Without a conversation what needs a key is masked.
    #[must_use]
    pub fn new(table: &'a Table, direction: Direction, conversation: Option<&'a dyn Conversing>) -> Self {
        Self { operators: &table.operators, direction, conversation }
    }

    /// The conversation, where it may have pseudonyms.
    pub(crate) fn conversation(&self) -> Option<&'a dyn Conversing> {
        self.conversation.filter(|_| self.operators.has_pseudonyms())
    }

    /// What goes in place of a value.
    pub(crate) fn replacement(&self, finding: &Finding, value: &str) -> String {
        let row = self.operators.of(finding, self.direction);
        row.and_then(|row| self.transformed(row, finding, value)).unwrap_or_else(|| finding.replacement().into_owned())
    }

    /// `None` where the value is masked.
    fn transformed(&self, row: &OperatorRow, finding: &Finding, value: &str) -> Option<String> {
        match row.operator {
            Operator::Mask => return None,
            Operator::Redact => return Some(String::new()),
            Operator::KeepLast => return Some(value::keep_last(value, row.keep)),
            _ => {}
        }
        let (conversation, kind) = (self.conversation?, kind(finding));
        let keys = conversation.keys();
        match row.operator {
            Operator::Hash => Some(value::hash(keys, &kind, value)),
            Operator::Encrypt => value::encrypt(keys, &kind, value),
            Operator::Pseudonym => conversation.issue(&kind, value),
            Operator::Surrogate => Some(surrogate::surrogate(keys, conversation.id(), &kind, value)),
            Operator::DateShift => date::shifted(value, keys.days(conversation.id())),
            Operator::Mask | Operator::Redact | Operator::KeepLast => None,
        }
    }
}

/// Name of the type of a finding, `UPPER_SNAKE`.
fn kind(finding: &Finding) -> String {
    let rule = finding.rule.as_str();
    let name = finding.entity.as_deref().unwrap_or_else(|| rule.split_once('/').map_or(rule, |(_, name)| name));
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// What [`Operator::Encrypt`] has made, opened; `None` where the key is another one or the token was changed.
#[must_use]
pub fn decrypt(keys: &Keys, token: &str) -> Option<String> {
    value::decrypt(keys, token)
}
