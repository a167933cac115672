//! The only place where a permit is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bartizan_core::{
    Coverage, Direction, Edit, Exchange, Family, Finding, Found, Grounds, Kind, Mode, OpaqueKind, Part, Protocol,
    Reason, RuleId, Scores, Source, Span, Target, Text, Verdict,
};

use crate::guards::OnFailure;
use crate::opaque::{OpaqueRule, OpaqueTable};
use crate::operator::{Conversing, Replacer};
use crate::provenance::Why;
use crate::redact::{Redaction, apply, redactions};
use crate::table::{Partial, Table};

/// Something that may be forwarded. Only this module makes it; it owns what it permits.
#[derive(Debug)]
pub struct Permitted<T>(T);

impl<T> Permitted<T> {
    /// A look at it.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// The thing itself, to be sent.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Permits a body that nobody reads, because a rule of the operator lets its path pass. There is nothing to decide: what
/// is left is to say on record that it was not read.
#[must_use]
pub fn pass_unread(direction: Direction, body: Vec<u8>) -> Permitted<Exchange> {
    Permitted(Exchange { protocol: Protocol::Text, direction, body, ..Exchange::default() })
}

/// One finding in one text of an exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct TextFinding {
    /// Index into [`Exchange::texts`].
    pub text: usize,
    /// The finding; its span is in the value of the text.
    pub finding: Finding,
}

/// What the engine said of an exchange.
#[derive(Clone, Debug, Default)]
pub struct Assessment {
    /// Findings, by text and place.
    pub findings: Vec<TextFinding>,
    /// Scores per origin that had text.
    pub scores: Vec<(Source, Scores)>,
    /// What was not read. [`decide`] adds the opaque parts.
    pub coverage: Coverage,
    /// Findings hidden by suppressions.
    pub suppressed: u64,
    /// Guards that ran out of time. [`decide`] adds them to the coverage.
    pub unfinished: Vec<Unfinished>,
    /// How many of them by exceptions, by the id of the exception.
    pub exceptions: BTreeMap<String, u64>,
    /// What of it an operator has cut off.
    pub contained: Vec<Contained>,
    /// What was decided of the tool calls in it that do not pass, by why.
    pub calls: Vec<(Verdict, Why)>,
    /// Verdicts that the configuration asks for where a rule has a finding here, besides those of the table.
    pub demanded: Vec<(Verdict, RuleId)>,
}

/// A guard that did not look at everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Which one.
    pub family: Family,
    /// Bytes of text that it did not look at.
    pub bytes: usize,
}

/// Something in an exchange, or behind it, that an operator has cut off.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contained {
    /// What it is.
    pub target: Target,
    /// Id of the containment.
    pub id: Arc<str>,
}

impl Assessment {
    /// The largest of each score.
    #[must_use]
    pub fn max_scores(&self) -> Scores {
        self.scores.iter().fold(Scores::default(), |all, (_, s)| all.max(*s))
    }
}

/// Why something was not let through. For the record, never for the caller: rules are an oracle for attackers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A rule fired.
    Rule(RuleId),
    /// A finding had to be redacted in a place where the body cannot be changed.
    NotEditable(RuleId),
    /// A score reached its threshold.
    Score(Source),
    /// Something readable was not read.
    Coverage,
    /// A guard ran out of time.
    Timeout(Family),
    /// A part that cannot be read as text.
    Opaque(OpaqueKind, Source),
    /// An operator has cut it off.
    Contained(Contained),
    /// A tool call does not pass.
    Call(Why),
    /// The redacted body could not be built.
    Rewrite(String),
}

impl Cause {
    /// Name in metrics: the rule, or a word for what is no rule.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Rule(rule) | Self::NotEditable(rule) => rule.as_str().to_owned(),
            Self::Score(_) => "score".to_owned(),
            Self::Coverage => "coverage".to_owned(),
            Self::Timeout(family) => format!("timeout-{family}"),
            Self::Opaque(kind, _) => format!("opaque-{kind}"),
            Self::Contained(contained) => format!("contained-{}", contained.target),
            Self::Call(why) => format!("call-{}", why.as_str()),
            Self::Rewrite(_) => "rewrite".to_owned(),
        }
    }
}

/// A refusal or a hold, with its causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// [`Verdict::Deny`] or [`Verdict::Hold`].
    pub verdict: Verdict,
    /// Why.
    pub causes: Vec<Cause>,
}

impl Refusal {
    /// True where tool calls are all that stands in the way: the conversation can go on without them.
    #[must_use]
    pub fn is_about_calls(&self) -> bool {
        !self.causes.is_empty() && self.causes.iter().all(|cause| matches!(cause, Cause::Call(_)))
    }

    /// For the operator's log: the names of its causes, which are of rules and places, never of content.
    #[must_use]
    pub fn names(&self) -> String {
        self.causes.iter().map(Cause::name).collect::<Vec<_>>().join(" ")
    }
}

/// What becomes of an exchange.
#[derive(Debug)]
pub enum Outcome {
    /// It may be forwarded, perhaps changed.
    Forward {
        /// What may be forwarded.
        permitted: Permitted<Exchange>,
        /// The verdict: in monitor mode it may be stricter than what was done.
        verdict: Verdict,
        /// Places that were changed.
        masked: usize,
        /// Parts that were taken out.
        stripped: usize,
        /// Something passed unread because the configuration says so.
        failed_open: bool,
    },
    /// It may not.
    Refuse(Refusal),
    /// It waits for a human.
    Hold(Refusal),
}

impl Outcome {
    /// The verdict.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Forward { verdict, .. } => *verdict,
            Self::Refuse(refusal) | Self::Hold(refusal) => refusal.verdict,
        }
    }
}

#[derive(Default)]
struct Tally {
    verdict: Verdict,
    causes: Vec<Cause>,
}

impl Tally {
    fn add(&mut self, verdict: Verdict, cause: Cause) {
        self.verdict = self.verdict.max(verdict);
        if verdict >= Verdict::Hold && !self.causes.contains(&cause) {
            self.causes.push(cause);
        }
    }
}

/// Decides about an exchange. `rewrite` applies edits to the body in its own format; `opaque` overrides the table's
/// treatment of unreadable parts for this route. Without a conversation what an operator needs a key for is masked.
///
/// A verdict never weakens when a finding is added. In monitor mode the exchange is forwarded as it came, with the
/// verdict that would have been carried out; but what an operator has cut off is refused there too, since that is an
/// order and no judgement.
pub fn decide<E: std::fmt::Display>(
    exchange: Exchange,
    assessment: &mut Assessment,
    table: &Table,
    opaque: Option<&OpaqueTable>,
    conversation: Option<&dyn Conversing>,
    mode: Mode,
    rewrite: impl FnOnce(&Exchange, &[Edit]) -> Result<Exchange, E>,
) -> Outcome {
    let Weighed { tally, edits, masked, stripped, failed_open } =
        weigh(&exchange, assessment, table, opaque, conversation.filter(|_| mode == Mode::Enforce));
    note_opaque(&exchange, assessment);
    for unfinished in &assessment.unfinished {
        assessment.coverage.add(Part::partial(Reason::Deadline, unfinished.bytes));
    }
    let forward = |exchange, verdict, masked, stripped| Outcome::Forward {
        permitted: Permitted(exchange),
        verdict,
        masked,
        stripped,
        failed_open,
    };
    if mode == Mode::Monitor && assessment.contained.is_empty() {
        return forward(exchange, tally.verdict, 0, 0);
    }
    match tally.verdict {
        Verdict::Deny => Outcome::Refuse(Refusal { verdict: Verdict::Deny, causes: tally.causes }),
        Verdict::Hold => Outcome::Hold(Refusal { verdict: Verdict::Hold, causes: tally.causes }),
        verdict if edits.is_empty() => forward(exchange, verdict, 0, 0),
        verdict => match rewrite(&exchange, &edits) {
            Ok(changed) => forward(changed, verdict, masked, stripped),
            Err(error) => {
                Outcome::Refuse(Refusal { verdict: Verdict::Deny, causes: vec![Cause::Rewrite(error.to_string())] })
            }
        },
    }
}

/// What [`decide`] would answer, without carrying it out: for a policy that is not in force. The causes are those of a
/// refusal or a hold. Ask before [`decide`], which adds to the coverage.
#[must_use]
pub fn judge(exchange: &Exchange, assessment: &Assessment, table: &Table, opaque: Option<&OpaqueTable>) -> Refusal {
    let Tally { verdict, causes } = weigh(exchange, assessment, table, opaque, None).tally;
    Refusal { verdict, causes }
}

/// What [`judge`] makes its answer of, so far as it is no matter of rows and thresholds. Ask before [`decide`].
#[must_use]
pub fn grounds(exchange: &Exchange, assessment: &Assessment, table: &Table, opaque: Option<&OpaqueTable>) -> Grounds {
    let mut grounds = Grounds::default();
    for TextFinding { text: index, finding } in &assessment.findings {
        let Some(text) = exchange.texts.get(*index) else { continue };
        let redact = match place(exchange, *index, text) {
            Place::Editable | Place::Within(_) => Verdict::Redact,
            Place::Signed => Verdict::Allow,
            Place::Fixed => Verdict::Deny,
        };
        let demanded = assessment.demanded.iter().filter(|(_, rule)| *rule == finding.rule);
        let least = demanded.map(|(verdict, _)| *verdict).max().unwrap_or_default();
        grounds.find(Found { redact, least, ..Found::new(finding, text.origin.source) });
    }
    for (source, scores) in &assessment.scores {
        grounds.score(*source, scores);
    }
    let mut tally = Tally::default();
    opaque_parts(exchange, opaque.unwrap_or(&table.opaque), &mut tally, &mut Vec::new());
    besides(exchange, assessment, table, &mut tally);
    grounds.besides = tally.verdict;
    grounds
}

/// What was found, by a table.
struct Weighed {
    tally: Tally,
    edits: Vec<Edit>,
    masked: usize,
    stripped: usize,
    failed_open: bool,
}

fn weigh(
    exchange: &Exchange,
    assessment: &Assessment,
    table: &Table,
    opaque: Option<&OpaqueTable>,
    conversation: Option<&dyn Conversing>,
) -> Weighed {
    let mut tally = Tally::default();
    let mut edits = Vec::new();
    opaque_parts(exchange, opaque.unwrap_or(&table.opaque), &mut tally, &mut edits);
    let replacer = Replacer::new(table, exchange.direction, conversation);
    let mut masked = found(exchange, assessment, (table, replacer), &mut tally, &mut edits);
    masked += known(exchange, replacer, &mut tally, &mut edits);
    let stripped = strip_once(&mut edits);
    for (source, scores) in &assessment.scores {
        tally.add(table.scores(scores, *source), Cause::Score(*source));
    }
    for (verdict, rule) in &assessment.demanded {
        // A finding that is excepted demands nothing.
        if !table.is_off(rule) && assessment.findings.iter().any(|found| found.finding.rule == *rule) {
            tally.add(*verdict, Cause::Rule(rule.clone()));
        }
    }
    let failed_open = besides(exchange, assessment, table, &mut tally);
    Weighed { tally, edits, masked, stripped, failed_open }
}

/// What is no finding, score or opaque part. True where something passes unread because the table says so.
fn besides(exchange: &Exchange, assessment: &Assessment, table: &Table, tally: &mut Tally) -> bool {
    // What was not read of an opaque part is for the table of opaque parts to decide, and not in the coverage yet.
    let partial = assessment.coverage.status == bartizan_core::CoverageStatus::Partial;
    tally.add(table.coverage(assessment.coverage.status), Cause::Coverage);
    let mut failed_open = partial && table.partial == Partial::Allow;
    for Unfinished { family, .. } in &assessment.unfinished {
        match table.guards.rule(*family, exchange.direction).on_failure {
            OnFailure::Closed => tally.add(Verdict::Deny, Cause::Timeout(*family)),
            OnFailure::Open => failed_open = true,
        }
    }
    for (verdict, why) in &assessment.calls {
        tally.add(*verdict, Cause::Call(*why));
    }
    for contained in &assessment.contained {
        tally.add(Verdict::Deny, Cause::Contained(contained.clone()));
    }
    failed_open
}

/// Adds what was not read of the opaque parts.
fn note_opaque(exchange: &Exchange, assessment: &mut Assessment) {
    let faults: BTreeMap<usize, Reason> =
        exchange.extracted.iter().filter_map(|d| Some((d.opaque?, d.fault?))).collect();
    for (index, part) in exchange.opaque.iter().enumerate() {
        assessment.coverage.add(match faults.get(&index) {
            Some(reason) => Part::partial(*reason, part.bytes),
            None => Part::structural(part.kind.reason(), part.bytes),
        });
    }
}

fn opaque_parts(exchange: &Exchange, table: &OpaqueTable, tally: &mut Tally, edits: &mut Vec<Edit>) {
    for (index, part) in exchange.opaque.iter().enumerate() {
        let source = part.origin.source;
        let cause = Cause::Opaque(part.kind, source);
        match table.rule(part.kind, source) {
            OpaqueRule::Allow => {}
            OpaqueRule::Strip if part.strippable => {
                tally.add(Verdict::Redact, cause);
                edits.push(Edit::Strip { opaque: index });
            }
            OpaqueRule::Hold => tally.add(Verdict::Hold, cause),
            OpaqueRule::Strip | OpaqueRule::Deny => tally.add(Verdict::Deny, cause),
        }
    }
}

/// Leaves one of the edits that take out the same part; answers with the number of parts.
fn strip_once(edits: &mut Vec<Edit>) -> usize {
    let mut stripped = BTreeSet::new();
    edits.retain(|edit| match edit {
        Edit::Strip { opaque } => stripped.insert(*opaque),
        Edit::Replace { .. } => true,
    });
    stripped.len()
}

/// What redacting can do where a text stands.
enum Place {
    /// The text can be changed.
    Editable,
    /// It is history that is left as it is.
    Signed,
    /// Nothing in a document can be masked, but the document can be taken out.
    Within(usize),
    /// Nothing can be done.
    Fixed,
}

fn place(exchange: &Exchange, index: usize, text: &Text) -> Place {
    if text.editable {
        Place::Editable
    } else if is_signed_history(exchange, text) {
        Place::Signed
    } else {
        strippable(exchange, index).map_or(Place::Fixed, Place::Within)
    }
}

fn found(
    exchange: &Exchange,
    assessment: &Assessment,
    (table, replacer): (&Table, Replacer<'_>),
    tally: &mut Tally,
    edits: &mut Vec<Edit>,
) -> usize {
    let mut masked = 0;
    for group in assessment.findings.chunk_by(|a, b| a.text == b.text) {
        let Some(first) = group.first() else { continue };
        let Some(text) = exchange.texts.get(first.text) else { continue };
        let mut mask = Vec::new();
        for TextFinding { finding, .. } in group {
            match table.finding(finding, text.origin.source, exchange.direction) {
                Verdict::Allow => {}
                Verdict::Redact => match place(exchange, first.text, text) {
                    Place::Editable => {
                        tally.add(Verdict::Redact, Cause::Rule(finding.rule.clone()));
                        mask.push(finding);
                    }
                    Place::Within(opaque) => {
                        tally.add(Verdict::Redact, Cause::Rule(finding.rule.clone()));
                        edits.push(Edit::Strip { opaque });
                    }
                    Place::Signed => {}
                    Place::Fixed => tally.add(Verdict::Deny, Cause::NotEditable(finding.rule.clone())),
                },
                verdict => tally.add(verdict, Cause::Rule(finding.rule.clone())),
            }
        }
        let places = redactions(mask, &text.value, 0, replacer);
        masked += places.len();
        edits.extend(places.into_iter().map(|Redaction { span, with }| Edit::Replace { text: first.text, span, with }));
    }
    masked
}

/// What has a pseudonym has it wherever it stands: a value may be recognised by its surroundings in one text and have none
/// in the next.
fn known(exchange: &Exchange, replacer: Replacer<'_>, tally: &mut Tally, edits: &mut Vec<Edit>) -> usize {
    let request = exchange.direction == Direction::Request;
    let Some(conversation) = replacer.conversation().filter(|_| request) else { return 0 };
    let holders: BTreeSet<usize> = exchange.texts.iter().filter_map(|text| text.container).collect();
    let mut taken: BTreeMap<usize, Vec<Span>> = BTreeMap::new();
    for edit in edits.iter() {
        if let Edit::Replace { text, span, .. } = edit {
            taken.entry(*text).or_default().push(*span);
        }
    }
    let before = edits.len();
    for (index, text) in exchange.texts.iter().enumerate() {
        if !text.editable || text.origin.source == Source::System || holders.contains(&index) {
            continue;
        }
        let taken = taken.get(&index).map_or(&[][..], Vec::as_slice);
        // Both are in order and disjoint.
        let free = |place: &Redaction| {
            let at = taken.partition_point(|span| span.end <= place.span.start);
            !taken.get(at).is_some_and(|span| span.overlaps(place.span))
        };
        let places = conversation.known(&text.value).into_iter().filter(free);
        edits.extend(places.map(|Redaction { span, with }| Edit::Replace { text: index, span, with }));
    }
    if edits.len() > before {
        tally.verdict = tally.verdict.max(Verdict::Redact);
    }
    edits.len() - before
}

/// The part that can be taken out with the document that a text was read from, or the media that it stands in.
fn strippable(exchange: &Exchange, text: usize) -> Option<usize> {
    if let Some(document) = exchange.document_of(text) {
        let part = document.opaque?;
        return exchange.opaque.get(part).is_some_and(|part| part.strippable).then_some(part);
    }
    let literal = exchange.texts.get(text).filter(|t| t.container.is_none())?.literal;
    exchange.opaque.iter().position(|part| {
        let media =
            matches!(part.kind, OpaqueKind::Image | OpaqueKind::Audio | OpaqueKind::File | OpaqueKind::Document);
        media && part.strippable && part.literal.start <= literal.start && literal.end <= part.literal.end
    })
}

/// Reasoning that the model wrote and signed earlier cannot be changed, and its provider has it already.
fn is_signed_history(exchange: &Exchange, text: &Text) -> bool {
    let block = text.pointer.rsplit_once('/').map_or("", |(block, _)| block);
    text.kind == Kind::Reasoning
        && text.origin.source == Source::Model
        && exchange.direction == Direction::Request
        && exchange.opaque.iter().any(|part| {
            part.kind == OpaqueKind::EncryptedReasoning
                && part.bytes > 0
                && (within(&part.pointer, block) || within(block, &part.pointer))
        })
}

/// True where a JSON Pointer is, or leads into, what another points at.
fn within(pointer: &str, holder: &str) -> bool {
    pointer.strip_prefix(holder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Puts values in place of pseudonyms in what may be forwarded: a change that takes nothing away that was decided.
///
/// # Errors
/// The edits cannot be carried out; nothing may be forwarded then.
pub fn restore<E>(
    permitted: Permitted<Exchange>,
    edits: &[Edit],
    rewrite: impl FnOnce(&Exchange, &[Edit]) -> Result<Exchange, E>,
) -> Result<Permitted<Exchange>, E> {
    if edits.is_empty() { Ok(permitted) } else { rewrite(&permitted.0, edits).map(Permitted) }
}

/// What becomes of a piece of a stream.
#[derive(Debug)]
pub enum Piece {
    /// It may be sent.
    Forward {
        /// What may be sent.
        permitted: Permitted<String>,
        /// The verdict about it.
        verdict: Verdict,
        /// Places that were changed.
        masked: usize,
    },
    /// The stream ends here.
    Cut(Refusal),
}

/// Decides about a piece of streamed text: `text` starts at byte `start` of its channel, `findings` lie inside it
/// with offsets of the channel.
#[must_use]
pub fn release(
    text: String,
    start: usize,
    findings: &[Finding],
    source: Source,
    table: &Table,
    conversation: Option<&dyn Conversing>,
    mode: Mode,
) -> Piece {
    let mut tally = Tally::default();
    let mut mask = Vec::new();
    for finding in findings {
        let verdict = table.finding(finding, source, Direction::Reply);
        tally.add(verdict, Cause::Rule(finding.rule.clone()));
        if verdict == Verdict::Redact {
            mask.push(finding);
        }
    }
    if mode == Mode::Monitor {
        return Piece::Forward { permitted: Permitted(text), verdict: tally.verdict, masked: 0 };
    }
    if tally.verdict >= Verdict::Hold {
        return Piece::Cut(Refusal { verdict: tally.verdict, causes: tally.causes });
    }
    let replacer = Replacer::new(table, Direction::Reply, conversation);
    let places = redactions(mask, &text, start, replacer);
    let text = if places.is_empty() { text } else { apply(&text, start, &places) };
    Piece::Forward { permitted: Permitted(text), verdict: tally.verdict, masked: places.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::{Confidence, Fix, Location, Opaque, Origin, Severity, View};
    use proptest::prelude::*;

    fn exchange(editable: bool, source: Source) -> Exchange {
        let text = Text { value: "0123456789".into(), editable, origin: source.into(), ..Text::default() };
        Exchange { texts: vec![text], ..Exchange::default() }
    }

    fn finding(rule: &'static str, severity: Severity, confidence: Confidence) -> TextFinding {
        let finding = Finding {
            rule: RuleId::new(rule),
            severity,
            confidence,
            entity: None,
            view: View::Raw,
            depth: 0,
            at: Location::Text { span: Span::new(2, 4) },
            fix: Fix::Mask,
        };
        TextFinding { text: 0, finding }
    }

    fn run(exchange: Exchange, findings: Vec<TextFinding>, mode: Mode) -> Outcome {
        let mut assessment = Assessment { findings, ..Assessment::default() };
        decide(exchange, &mut assessment, &Table::default(), None, None, mode, |e, _| Ok::<_, String>(e.clone()))
    }

    #[test]
    fn what_cannot_be_changed_is_denied() {
        let email = || vec![finding("pii/email", Severity::Medium, Confidence::High)];
        assert_eq!(run(exchange(true, Source::User), email(), Mode::Enforce).verdict(), Verdict::Redact);
        assert_eq!(run(exchange(false, Source::User), email(), Mode::Enforce).verdict(), Verdict::Deny);
    }

    #[test]
    fn monitor_forwards_and_remembers() {
        let attack = vec![finding("prompt/instruction-override", Severity::High, Confidence::High)];
        let Outcome::Forward { verdict, masked: 0, .. } = run(exchange(true, Source::User), attack, Mode::Monitor)
        else {
            panic!("not forwarded")
        };
        assert_eq!(verdict, Verdict::Deny);
    }

    #[test]
    fn what_is_cut_off_is_refused_in_monitor_mode_too() {
        for mode in [Mode::Enforce, Mode::Monitor] {
            let cut = Contained { target: Target::Tool, id: "c1".into() };
            let mut assessment = Assessment { contained: vec![cut.clone()], ..Assessment::default() };
            let exchange = exchange(true, Source::User);
            let outcome = decide(exchange, &mut assessment, &Table::default(), None, None, mode, |e, _| {
                Ok::<_, String>(e.clone())
            });
            let Outcome::Refuse(refusal) = outcome else { panic!("forwarded in {mode} mode") };
            assert_eq!(refusal.causes, [Cause::Contained(cut)]);
        }
    }

    #[test]
    fn opaque_parts_are_named_and_judged_by_origin() {
        for (source, expected) in [(Source::User, Verdict::Allow), (Source::Tool, Verdict::Deny)] {
            let part = Opaque {
                pointer: String::new(),
                origin: Origin::new(source),
                kind: OpaqueKind::Image,
                literal: Span::default(),
                strippable: true,
                bytes: 10,
            };
            let exchange = Exchange { opaque: vec![part], direction: Direction::Request, ..Exchange::default() };
            let mut assessment = Assessment::default();
            let outcome = decide(exchange, &mut assessment, &Table::default(), None, None, Mode::Enforce, |e, _| {
                Ok::<_, String>(e.clone())
            });
            assert_eq!(outcome.verdict(), expected);
            assert_eq!(assessment.coverage.status, bartizan_core::CoverageStatus::Structural);
        }
    }

    #[test]
    fn a_failed_rewrite_is_refused() {
        let mut assessment = Assessment {
            findings: vec![finding("pii/email", Severity::Medium, Confidence::High)],
            ..Assessment::default()
        };
        let outcome = decide(
            exchange(true, Source::User),
            &mut assessment,
            &Table::default(),
            None,
            None,
            Mode::Enforce,
            |_, _| Err("broken"),
        );
        assert_eq!(outcome.verdict(), Verdict::Deny);
    }

    fn any_finding() -> impl Strategy<Value = TextFinding> {
        let rules =
            ["prompt/instruction-override", "pii/email", "secret/x", "unicode/hidden-text", "limits/x", "egress/x"];
        let severities = [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
        let confidences = [Confidence::Low, Confidence::Medium, Confidence::High];
        (
            proptest::sample::select(rules.to_vec()),
            proptest::sample::select(severities.to_vec()),
            proptest::sample::select(confidences.to_vec()),
        )
            .prop_map(|(r, s, c)| finding(r, s, c))
    }

    proptest! {
        #[test]
        fn a_verdict_never_weakens(
            findings in proptest::collection::vec(any_finding(), 0..5),
            more in any_finding(),
            source in proptest::sample::select(&Source::ALL[..]),
            editable in any::<bool>(),
        ) {
            let before = run(exchange(editable, source), findings.clone(), Mode::Enforce).verdict();
            let mut findings = findings;
            findings.push(more);
            let after = run(exchange(editable, source), findings, Mode::Enforce).verdict();
            prop_assert!(after >= before);
        }

        /// What a record says that its verdict was made of comes to that verdict, by whatever rows and thresholds.
        #[test]
        fn a_verdict_follows_from_its_grounds(
            findings in proptest::collection::vec(any_finding(), 0..5),
            source in proptest::sample::select(&Source::ALL[..]),
            editable in any::<bool>(),
            score in 0.8_f32..1.0,
            besides in any::<(bool, bool, bool)>(),
            change in proptest::sample::select(vec![
                "{}",
                r#"{"disabled": ["pii/*", "limits/*"]}"#,
                r#"{"disabled": ["prompt/learned-injection", "secret/x"]}"#,
                r#"{"rows": [{"rule": "*", "severity": "high", "verdict": "redact"}]}"#,
                r#"{"rows": [{"rule": "pii/email", "verdict": "hold"}], "injection": {"user": {"block": 0.9}}}"#,
            ]),
        ) {
            let (partial, contained, demanded) = besides;
            let exchange = exchange(editable, source);
            let mut assessment = Assessment {
                findings,
                scores: vec![(source, Scores { injection: Some(score), ..Scores::default() })],
                ..Assessment::default()
            };
            if partial {
                assessment.coverage.add(Part::partial(Reason::TooLong, 1));
            }
            if contained {
                assessment.contained.push(Contained { target: Target::Tool, id: "c1".into() });
            }
            if demanded {
                assessment.demanded.push((Verdict::Hold, RuleId::new("limits/x")));
            }
            let table = Table::default();
            let grounds = grounds(&exchange, &assessment, &table, None);
            let other = table.changed(&serde_json::from_str(change).unwrap());
            for table in [&table, &other] {
                let judged = judge(&exchange, &assessment, table, None).verdict;
                prop_assert_eq!(table.grounds(&grounds, exchange.direction), judged, "{:?}", grounds);
            }
        }
    }
}
