//! The words of a topic that is not wanted.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Context, Cost, Detector, HitKind, Hold, Kind, Limits, Origin, Persona, Reference, Report,
    Rule, RuleId, Sink, Source, Span, Subject, ViewText, Views,
};

use super::inflection::Stem;
use super::{Topic, wrong};
use crate::RulesError;

/// Bytes that an ending and what follows it may take.
const ENDING: usize = 24;

/// Where words of a topic count: what people, data and models say, not what the operator wrote.
pub(super) const SOURCES: [Source; 5] = [Source::User, Source::Tool, Source::Document, Source::Memory, Source::Model];

/// The views that words are looked for in.
pub(super) const VIEWS: Views = Views::FOLDED.with(Views::SKELETON).with(Views::DECODED);

/// The stems of topics, by literal.
#[derive(Debug)]
pub(super) struct Stems {
    pub(super) literals: Vec<Cow<'static, str>>,
    stems: Vec<Stem>,
}

impl Stems {
    pub(super) fn new<'a>(topics: impl IntoIterator<Item = &'a Topic>) -> Result<Self, RulesError> {
        let mut stems = Vec::new();
        for topic in topics {
            for word in &topic.words {
                stems.push(Stem::new(&topic.name, word, topic.exact)?);
            }
        }
        Ok(Self { literals: stems.iter().map(|s| Cow::Owned(s.literal.clone())).collect(), stems })
    }

    /// The whole words at the hits, by text and place.
    pub(super) fn found<'a>(&'a self, subject: &Subject<'a>) -> impl Iterator<Item = (&'a ViewText<'a>, usize, Span)> {
        subject.anchored().filter_map(|(text, hit)| {
            let HitKind::Literal(index) = hit.kind else { return None };
            Some((text, hit.text, self.stems.get(index)?.fits(&text.text, hit.span)?))
        })
    }

    fn longest(&self) -> usize {
        self.stems.iter().map(Stem::longest).max().unwrap_or(0)
    }
}

static REFERENCES: [Reference; 1] = [Reference::new("URL", "https://doi.org/10.6028/NIST.AI.600-1")];

/// A topic that is not wanted.
pub(super) struct WordList {
    rule: [Rule; 1],
    stems: Stems,
    count: usize,
    within: Option<usize>,
}

impl WordList {
    pub(super) fn new(topic: &Topic) -> Result<Self, RulesError> {
        let id = RuleId::parse(&format!("topic/{}", topic.name)).map_err(|why| wrong(&topic.name, why))?;
        let rule = Rule {
            summary: Cow::Owned(format!("words of the topic `{}`, which this deployment does not want", topic.name)),
            doc: Cow::Owned(page(topic, &id)),
            id,
            severity: topic.severity,
            confidence: Confidence::High,
            persona: Persona::Regular,
            references: Cow::Borrowed(&REFERENCES),
            since: Cow::Borrowed("0.1.0"),
        };
        Ok(Self { rule: [rule], stems: Stems::new([topic])?, count: topic.count, within: topic.within })
    }

    /// The first place where so many occurrences stand near enough, with all of them.
    fn gathered(&self, text: &str, places: &[Span]) -> Option<Span> {
        let words = |span: Span| span.of(text).split_whitespace().count();
        places.windows(self.count).find_map(|run| {
            let span = Span::new(run.first()?.start, run.last()?.end);
            self.within.is_none_or(|most| words(span) <= most).then_some(span)
        })
    }
}

/// The rule's page, with the headings of every page. The words themselves may be confidential and are not shown.
fn page(topic: &Topic, id: &RuleId) -> String {
    let within = topic.within.map_or(String::new(), |n| format!(" within {n} words"));
    format!(
        "# {id}\n\n## What it finds\n\nAt least {} of the {} words and phrases of the topic `{}`{within}.\n\n\
         ## Why it matters\n\nThis deployment has said that it does not want the subject.\n\n\
         ## How it decides\n\nThe words of `[[rules.topic]]` are looked for as whole words, without regard to case, \
         accents and look-alike letters, in plain and encoded text. Usual endings are tolerated.\n\n\
         ## Limits\n\nWords are not meaning: other words for the subject are not found, and words that mean \
         something else as well are.\n\n## Fix\n\nChange the words in the configuration, or write a policy row.\n\n\
         ## References\n\n- NIST AI 600-1, Generative Artificial Intelligence Profile\n",
        topic.count,
        topic.words.len(),
        topic.name,
    )
}

impl Detector for WordList {
    fn rules(&self) -> &[Rule] {
        &self.rule
    }

    fn views(&self) -> Views {
        VIEWS
    }

    fn hold(&self) -> Hold {
        if self.count == 1 { Hold::Bounded(self.stems.longest() + ENDING) } else { Hold::Whole }
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &self.stems.literals, ..Anchors::default() }
    }

    fn concerns(&self, origin: &Origin, _: &Context<'_>) -> bool {
        SOURCES.contains(&origin.source)
    }

    /// From the first place on where a word stands, or may begin, whose ending is not known yet.
    fn live(&self, tail: &str) -> usize {
        if self.count > 1 {
            return 0;
        }
        let bytes = tail.as_bytes();
        let starts_near = |stem: &Stem| {
            let from = bytes.len().saturating_sub(stem.longest() + ENDING);
            (from..bytes.len()).find(|at| stem.may_begin(bytes.get(*at..).unwrap_or_default()))
        };
        let first = self.stems.stems.iter().filter_map(starts_near).min();
        // Letters before it may belong to its word.
        first.map_or(0, |at| (bytes.len() - at + 8).min(bytes.len()))
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &self.rule;
        if matches!(subject.kind, Kind::Key | Kind::Number) {
            return;
        }
        if self.count == 1 {
            self.stems.found(subject).for_each(|(text, _, span)| out.report(Report::new(rule, text, span)));
            return;
        }
        for (index, text) in subject.texts.iter().enumerate() {
            let mut places: Vec<Span> =
                self.stems.found(subject).filter(|(_, at, _)| *at == index).map(|(.., span)| span).collect();
            // Two words at one place are one occurrence.
            places.sort_unstable();
            places.dedup_by(|next, last| next.overlaps(*last));
            if let Some(span) = self.gathered(&text.text, &places) {
                out.report(Report::new(rule, text, span));
            }
        }
    }
}
