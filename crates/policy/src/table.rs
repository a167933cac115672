//! The plain table: what each rule means for text of each origin.

use std::fmt;

use bartizan_core::{
    Confidence, CoverageStatus, Direction, Family, Finding, Fix, Grounds, Location, Rule, RuleId, Scores, Severity,
    Source, Span, Verdict, View,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agents::Agents;
use crate::change::Change;
use crate::guards::GuardTable;
use crate::opaque::OpaqueTable;
use crate::operator::{OperatorRow, Operators, RestoreRow, VaultSettings};

/// A rule id, a whole family (`pii/*`), or everything (`*`).
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum Selector {
    /// Every rule.
    All,
    /// Every rule of a family.
    Family(Family),
    /// One rule.
    Rule(RuleId),
}

impl Selector {
    /// Reads the form used in configuration.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.strip_suffix("/*") {
            Some(family) => {
                Family::parse(family).map(Self::Family).ok_or_else(|| format!("`{text}` names no rule family"))
            }
            None => RuleId::parse(text).map(Self::Rule),
        }
    }

    /// True where it covers the rule.
    #[must_use]
    pub fn matches(&self, rule: &RuleId) -> bool {
        match self {
            Self::All => true,
            Self::Family(family) => rule.family() == *family,
            Self::Rule(id) => id == rule,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Family(family) => write!(f, "{family}/*"),
            Self::Rule(id) => id.fmt(f),
        }
    }
}

impl Serialize for Selector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// One row: findings of these rules, in text from there, at least this bad and this sure, mean this verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Rule id, `family/*` or `*`.
    pub rule: Selector,
    /// Origins it holds for; empty is all.
    #[serde(default)]
    pub from: Vec<Source>,
    /// Least severity.
    #[serde(default = "lowest_severity")]
    pub severity: Severity,
    /// Least confidence.
    #[serde(default = "lowest_confidence")]
    pub confidence: Confidence,
    /// What it means.
    pub verdict: Verdict,
}

const fn lowest_severity() -> Severity {
    Severity::Info
}

const fn lowest_confidence() -> Confidence {
    Confidence::Low
}

/// Two probabilities of `scores.injection` at which something follows. What is left out is as shipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Levels {
    /// From here on a text is flagged: it shows in answers and records, and passes. Shipped so that at most 1 % of
    /// ordinary texts are.
    pub flag: Option<f32>,
    /// From here on a text is denied. Shipped so that at most 0.1 % of ordinary texts of users are, and so that no
    /// harmless result or document of the held-out sources is.
    pub block: Option<f32>,
}

/// Thresholds of `scores.injection` by origin. The numbers were chosen on held-out sources: `docs/benchmarks.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Words of the user: a user may say "ignore the previous paragraph".
    pub user: Levels,
    /// Tool results: they may not instruct at all.
    pub tool: Levels,
    /// Documents and memory.
    pub document: Levels,
}

impl Thresholds {
    /// What is shipped: flag and block, for user, tool and document. An agent reads hundreds of results and pages in a run,
    /// so these are refused only where hardly any of thousands of harmless ones would be.
    pub const SHIPPED: [(f32, f32); 3] = [(0.896, 0.986), (0.965, 0.9998), (0.876, 0.997)];

    /// These with what others say in their place.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let with =
            |one: Levels, other: Levels| Levels { flag: other.flag.or(one.flag), block: other.block.or(one.block) };
        Self {
            user: with(self.user, other.user),
            tool: with(self.tool, other.tool),
            document: with(self.document, other.document),
        }
    }

    /// Flag and block for an origin; `None` where a score means nothing there.
    #[must_use]
    pub fn of(&self, source: Source) -> Option<(f32, f32)> {
        let [user, tool, document] = Self::SHIPPED;
        let (set, shipped) = match source {
            Source::User => (self.user, user),
            Source::Tool => (self.tool, tool),
            Source::Document | Source::Memory => (self.document, document),
            Source::System | Source::Model | Source::Definition | Source::Parameter => return None,
        };
        Some((set.flag.unwrap_or(shipped.0), set.block.unwrap_or(shipped.1)))
    }
}

/// What partial coverage means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Partial {
    /// What was not read is not forwarded.
    #[default]
    Deny,
    /// It is forwarded, recorded and counted as a fail-open.
    Allow,
}

/// The policy section of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Rows that come before the built-in ones. The first row that fits a finding decides.
    pub rows: Vec<Row>,
    /// Thresholds of `scores.injection`.
    pub injection: Thresholds,
    /// What partial coverage means.
    pub partial: Partial,
    /// Parts that cannot be read as text.
    pub opaque: OpaqueTable,
    /// Time budgets and failure modes of the guards, by rule family and direction.
    pub guard: GuardTable,
    /// What stands in place of values that are redacted; a mask where no row fits.
    pub operator: Vec<OperatorRow>,
    /// Tools that get pseudonyms restored in what they are called with, or not; the first row that fits decides, and
    /// without one they do.
    pub restore: Vec<RestoreRow>,
    /// How long pseudonyms are known.
    pub vault: VaultSettings,
    /// Tool calls.
    pub agents: Agents,
}

/// The effective table: the user's rows, then the built-in ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    rows: Vec<Row>,
    /// How many of them are the user's.
    own: usize,
    /// Rules that count for nothing.
    off: Vec<Selector>,
    thresholds: Thresholds,
    /// What partial coverage means.
    pub partial: Partial,
    /// Parts that cannot be read as text.
    pub opaque: OpaqueTable,
    /// Time budgets and failure modes of the guards.
    pub guards: GuardTable,
    /// What stands in place of values.
    pub operators: Operators,
    restore: Vec<RestoreRow>,
    /// How long pseudonyms are known.
    pub vault: VaultSettings,
}

impl Default for Table {
    fn default() -> Self {
        Self::new(Policy::default())
    }
}

impl Table {
    /// The table of a configuration.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let own = policy.rows.len();
        let rows = policy.rows.into_iter().chain(built_in()).collect();
        Self {
            rows,
            own,
            off: Vec::new(),
            thresholds: policy.injection,
            partial: policy.partial,
            opaque: policy.opaque,
            guards: policy.guard,
            operators: Operators::new(policy.operator),
            restore: policy.restore,
            vault: policy.vault,
        }
    }

    /// The same with a change: its rows come first, and rules that it switches off count for nothing.
    #[must_use]
    pub fn changed(&self, change: &Change) -> Self {
        let mut changed = self.clone();
        changed.rows = change.rows.iter().chain(&self.rows).cloned().collect();
        changed.own += change.rows.len();
        changed.off.extend(change.disabled.iter().cloned());
        changed.thresholds = self.thresholds.with(change.injection);
        changed
    }

    /// True where the rows and thresholds of a change are its own already.
    #[must_use]
    pub fn has(&self, change: &Change) -> bool {
        let own = self.rows.get(..self.own).unwrap_or_default();
        own.starts_with(&change.rows) && self.thresholds.with(change.injection) == self.thresholds
    }

    /// True where findings of the rule count for nothing.
    #[must_use]
    pub fn is_off(&self, rule: &RuleId) -> bool {
        self.off.iter().any(|selector| selector.matches(rule))
    }

    /// True where a tool gets values in place of pseudonyms.
    #[must_use]
    pub fn restores(&self, tool: &str) -> bool {
        let fits = |row: &&RestoreRow| match row.tool.strip_suffix('*') {
            Some(beginning) => tool.starts_with(beginning),
            None => row.tool == tool,
        };
        self.restore.iter().find(fits).is_none_or(|row| row.restore)
    }

    /// Every row in the order in which they are tried.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// `covered` is true for what an operator is for: the user's rows hold, and without one it is redacted at least where
    /// somebody has said it. A date in a header or in the description of a tool is part of how they are written.
    fn look_up(
        &self,
        rule: &RuleId,
        severity: Severity,
        confidence: Confidence,
        source: Source,
        covered: bool,
    ) -> Verdict {
        if self.is_off(rule) {
            return Verdict::Allow;
        }
        let row = self.rows.iter().enumerate().find(|(_, row)| {
            row.rule.matches(rule)
                && (row.from.is_empty() || row.from.contains(&source))
                && severity >= row.severity
                && confidence >= row.confidence
        });
        let verdict = row.map_or(Verdict::Allow, |(_, row)| row.verdict);
        let own = row.is_some_and(|(at, _)| at < self.own);
        let said = matches!(source, Source::User | Source::Tool | Source::Document | Source::Memory | Source::Model);
        if covered && said && !own && confidence >= Confidence::Medium { verdict.max(Verdict::Redact) } else { verdict }
    }

    /// What one finding means in text from there that goes this way.
    #[must_use]
    pub fn finding(&self, finding: &Finding, source: Source, direction: Direction) -> Verdict {
        let covered = self.operators.of(finding, direction).is_some();
        self.look_up(&finding.rule, finding.severity, finding.confidence, source, covered)
    }

    /// The strictest verdict that any finding of the rule can get in text from there that goes this way.
    #[must_use]
    pub fn strictest(&self, rule: &Rule, source: Source, direction: Direction) -> Verdict {
        let severities = [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
        let confidences = [Confidence::Low, Confidence::Medium, Confidence::High];
        let covered = self.operators.may_have(rule, direction);
        severities
            .into_iter()
            .flat_map(|s| confidences.into_iter().map(move |c| (s, c)))
            .map(|(s, c)| self.look_up(&rule.id, s, c, source, covered))
            .max()
            .unwrap_or_default()
    }

    /// The scores from which on an injection is flagged and denied in text from there; none where a score means nothing.
    #[must_use]
    pub fn levels(&self, source: Source) -> Option<(f32, f32)> {
        self.thresholds.of(source)
    }

    /// True where the injection score of text from there is worth a look.
    #[must_use]
    pub fn injection_flag(&self, scores: &Scores, source: Source) -> bool {
        matches!((scores.injection, self.thresholds.of(source)), (Some(score), Some((flag, _))) if score >= flag)
    }

    /// What the scores of text from there mean.
    #[must_use]
    pub fn scores(&self, scores: &Scores, source: Source) -> Verdict {
        if self.is_off(&RuleId::new(SCORED)) {
            return Verdict::Allow;
        }
        match (scores.injection, self.thresholds.of(source)) {
            (Some(score), Some((_, block))) if score >= block => Verdict::Deny,
            _ => Verdict::Allow,
        }
    }

    /// What a record comes to by what it was made of.
    #[must_use]
    pub fn grounds(&self, grounds: &Grounds, direction: Direction) -> Verdict {
        let found = grounds.found.iter().filter(|found| !self.is_off(&found.rule)).map(|found| {
            let finding = Finding {
                rule: found.rule.clone(),
                severity: found.severity,
                confidence: found.confidence,
                entity: found.entity.clone(),
                view: View::Raw,
                depth: 0,
                at: Location::Text { span: Span::new(0, 0) },
                fix: if found.own_fix { Fix::Remove } else { Fix::Mask },
            };
            let verdict = match self.finding(&finding, found.from, direction) {
                Verdict::Redact => found.redact,
                verdict => verdict,
            };
            verdict.max(found.least)
        });
        let scored = grounds
            .injection
            .iter()
            .map(|(from, score)| self.scores(&Scores { injection: Some(*score), ..Scores::default() }, *from));
        found.chain(scored).fold(grounds.besides, Verdict::max)
    }

    /// What coverage means.
    #[must_use]
    pub fn coverage(&self, status: CoverageStatus) -> Verdict {
        match (status, self.partial) {
            (CoverageStatus::Partial, Partial::Deny) => Verdict::Deny,
            _ => Verdict::Allow,
        }
    }
}

/// The rule whose detector makes the injection score: without it there is none.
const SCORED: &str = "prompt/learned-injection";

/// The built-in rows. The reasons are in `docs/guide/policy.md`.
fn built_in() -> Vec<Row> {
    use Confidence as C;
    use Severity as S;
    use Source::{Definition, Document, Memory, Model, Parameter, Tool, User};
    use Verdict::{Allow, Deny, Redact};

    const DATA: &[Source] = &[Tool, Document, Memory];
    const NOT_SYSTEM: &[Source] = &[User, Tool, Document, Memory, Model, Definition, Parameter];
    type Line = (&'static str, &'static [Source], Severity, Confidence, Verdict);
    const LINES: &[Line] = &[
        ("prompt/canary-leak", &[Model], S::Info, C::Low, Deny),
        ("prompt/system-leak", &[Model], S::Medium, C::Medium, Deny),
        ("prompt/special-tokens", NOT_SYSTEM, S::Low, C::Medium, Redact),
        // Its findings say where a score comes from; what follows is decided by the thresholds of the score.
        (SCORED, &[], S::Info, C::Low, Allow),
        // What a model wrote is history by the time it is seen again: blocking it would end the conversation for good.
        ("prompt/*", &[Model], S::Info, C::Low, Allow),
        ("prompt/*", DATA, S::Medium, C::Medium, Deny),
        ("prompt/*", &[User, Definition, Parameter], S::Medium, C::High, Deny),
        // A link can go without what it stands in; asking for one cannot be half done.
        ("mcp/unsafe-link", &[Parameter], S::Info, C::Medium, Deny),
        ("mcp/unsafe-link", NOT_SYSTEM, S::Info, C::Medium, Redact),
        ("mcp/*", NOT_SYSTEM, S::Medium, C::Medium, Deny),
        ("unicode/disallowed-script", NOT_SYSTEM, S::Medium, C::Medium, Deny),
        ("unicode/*", NOT_SYSTEM, S::Medium, C::Low, Redact),
        ("secret/*", NOT_SYSTEM, S::Low, C::Medium, Redact),
        // What a text is about, rather than what opens an account: masking every name and date would break ordinary
        // work, so these are reported, and masked where a row asks for it.
        ("pii/address", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/age", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/coordinates", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/date", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/location", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/nationality", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/network-address", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/organization", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/person", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/title", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/url", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/vehicle", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/zip-code", NOT_SYSTEM, S::Info, C::Low, Allow),
        ("pii/*", NOT_SYSTEM, S::Low, C::Medium, Redact),
        ("egress/*", &[Model], S::Medium, C::Medium, Redact),
        ("output/terminal-escape", &[Model, Tool, Document, Memory], S::Low, C::Medium, Redact),
        // A reply with a part missing fits no schema, and a query or command with one is another query or command.
        ("output/schema-violation", &[Model], S::Info, C::Low, Deny),
        // What is left around a masked passage says where it stood, and that the model has it.
        ("output/protected-text", &[Model], S::Info, C::Low, Deny),
        ("output/sql-injection", &[Model], S::High, C::Medium, Deny),
        ("output/shell-injection", &[Model], S::High, C::Medium, Deny),
        ("output/template-injection", &[Model], S::High, C::Medium, Deny),
        ("output/log-injection", &[Model], S::Low, C::Medium, Redact),
        ("output/*", &[Model], S::High, C::Medium, Redact),
        ("topic/*", &[User, Document, Memory, Tool, Model], S::High, C::Medium, Deny),
        ("limits/input-tokens", &[], S::Info, C::Low, Deny),
        ("limits/*", NOT_SYSTEM, S::High, C::Medium, Deny),
    ];
    LINES
        .iter()
        .filter_map(|(rule, from, severity, confidence, verdict)| {
            let rule = Selector::parse(rule).ok()?;
            Some(Row { rule, from: from.to_vec(), severity: *severity, confidence: *confidence, verdict: *verdict })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::{Fix, Location, Span, View};

    fn finding(rule: &'static str, severity: Severity, confidence: Confidence) -> Finding {
        Finding {
            rule: RuleId::new(rule),
            severity,
            confidence,
            entity: None,
            view: View::Raw,
            depth: 0,
            at: Location::Text { span: Span::new(0, 1) },
            fix: Fix::Mask,
        }
    }

    #[test]
    fn the_guide_has_every_built_in_row() {
        let guide = include_str!("../../../docs/guide/policy.md");
        let table = guide.lines().skip_while(|line| !line.starts_with("| rules |")).skip(2);
        let word = |text: &str| serde_json::Value::from(text.trim());
        let mut told = Vec::new();
        for line in table.take_while(|line| line.starts_with('|')) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let from: Vec<Source> = match cells[2] {
                "all" => Vec::new(),
                "all but system" => serde_json::from_value(serde_json::json!([
                    "user",
                    "tool",
                    "document",
                    "memory",
                    "model",
                    "definition",
                    "parameter"
                ]))
                .unwrap(),
                some => some.split(',').map(|source| serde_json::from_value(word(source)).unwrap()).collect(),
            };
            let (severity, confidence) = cells[3].split_once(',').unwrap_or(("info", "low"));
            for rule in cells[1].split(", ") {
                told.push(Row {
                    rule: Selector::parse(rule.trim_matches('`')).unwrap(),
                    from: from.clone(),
                    severity: serde_json::from_value(word(severity)).unwrap(),
                    confidence: serde_json::from_value(word(confidence)).unwrap(),
                    verdict: serde_json::from_value(word(cells[4])).unwrap(),
                });
            }
        }
        assert_eq!(told, built_in());
    }

    #[test]
    fn origin_decides() {
        let table = Table::default();
        let medium = finding("prompt/instruction-override", Severity::High, Confidence::Medium);
        assert_eq!(table.finding(&medium, Source::User, Direction::Request), Verdict::Allow);
        assert_eq!(table.finding(&medium, Source::Tool, Direction::Request), Verdict::Deny);
        assert_eq!(table.finding(&medium, Source::Model, Direction::Request), Verdict::Allow);
    }

    #[test]
    fn a_score_flags_before_it_blocks() {
        let score = |injection| Scores { injection: Some(injection), ..Scores::default() };
        let table = Table::default();
        for (source, (flag, block)) in
            [Source::User, Source::Tool, Source::Document].into_iter().zip(Thresholds::SHIPPED)
        {
            assert!(!table.injection_flag(&score(flag - 0.01), source));
            assert!(table.injection_flag(&score(flag), source));
            assert_eq!(table.scores(&score(block - 0.0001), source), Verdict::Allow);
            assert_eq!(table.scores(&score(block), source), Verdict::Deny);
        }
        assert!(!table.injection_flag(&score(1.0), Source::Model));
        let own = Levels { flag: None, block: Some(2.0) };
        let injection = Thresholds { user: own, ..Thresholds::default() };
        let table = Table::new(Policy { injection, ..Policy::default() });
        assert!(table.injection_flag(&score(1.0), Source::User));
        assert_eq!(table.scores(&score(1.0), Source::User), Verdict::Allow);
    }

    #[test]
    fn user_rows_come_first() {
        let row = Row {
            rule: Selector::parse("pii/email").unwrap(),
            from: vec![],
            severity: Severity::Info,
            confidence: Confidence::Low,
            verdict: Verdict::Allow,
        };
        let table = Table::new(Policy { rows: vec![row], ..Policy::default() });
        let email = finding("pii/email", Severity::Medium, Confidence::High);
        assert_eq!(table.finding(&email, Source::User, Direction::Request), Verdict::Allow);
        assert_eq!(
            table.finding(&finding("pii/iban", Severity::Medium, Confidence::High), Source::User, Direction::Request),
            Verdict::Redact
        );
    }

    #[test]
    fn what_an_operator_is_for_is_redacted_unless_a_row_says_otherwise() {
        let policy = |text: &str| Table::new(serde_json::from_str::<Policy>(text).unwrap());
        let person =
            Finding { entity: Some("PERSON".into()), ..finding("pii/person", Severity::Low, Confidence::Medium) };
        let of = |table: &Table, source, direction| table.finding(&person, source, direction);
        let table = policy(r#"{"operator": [{"entity": "PERSON", "operator": "pseudonym"}]}"#);
        assert_eq!(of(&table, Source::User, Direction::Request), Verdict::Redact);
        for source in [Source::System, Source::Definition, Source::Parameter] {
            assert_eq!(of(&table, source, Direction::Request), Verdict::Allow);
        }
        assert_eq!(of(&table, Source::Model, Direction::Reply), Verdict::Allow);
        let table = policy(
            r#"{"operator": [{"rule": "pii/*", "operator": "hash"}], "rows": [{"rule": "pii/person", "verdict": "allow"}]}"#,
        );
        assert_eq!(of(&table, Source::User, Direction::Request), Verdict::Allow);
        assert!(table.restores("any"));
        let table = policy(r#"{"restore": [{"tool": "web_*", "restore": false}]}"#);
        assert!(!table.restores("web_search") && table.restores("send_email"));
        for bad in [
            r#"{"operator": "mask"}"#,
            r#"{"entity": "PERSON", "rule": "pii/*", "operator": "mask"}"#,
            r#"{"entity": "person", "operator": "mask"}"#,
            r#"{"entity": "PERSON", "operator": "pseudonym", "direction": "reply"}"#,
            r#"{"entity": "PERSON", "operator": "mask", "kept": 4}"#,
        ] {
            assert!(serde_json::from_str::<OperatorRow>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn selectors_are_checked() {
        for bad in ["", "nope/*", "prompt", "prompt/Bad"] {
            assert!(Selector::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Selector::parse("pii/*").unwrap().to_string(), "pii/*");
    }
}
