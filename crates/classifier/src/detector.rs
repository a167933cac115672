//! The classifier as a detector of the engine.

use std::sync::{Arc, OnceLock};

use bartizan_core::{
    Confidence, Context, Cost, Detector, Hold, Kind, Limits, Origin, Report, Rule, Scores, Sink, Source, Subject,
    ViewText, Views,
};

use crate::error::ClassifierError;
use crate::model::{Channel, Hit, Scorer, Weights};

/// The shipped weights.
static MODEL: &[u8] = include_bytes!("../model/injection.bin");

/// Texts of fewer bytes hold no instruction worth the name.
const LEAST: usize = 8;
/// Names, keys and numbers are scored from this length on: what is shorter is no sentence.
const NAME: usize = 32;

/// The channel of text from there; none where nobody is instructed by it.
#[must_use]
pub const fn channel(source: Source) -> Option<Channel> {
    match source {
        Source::User => Some(Channel::User),
        Source::Tool | Source::Definition => Some(Channel::Tool),
        Source::Document | Source::Memory => Some(Channel::Document),
        Source::System | Source::Model | Source::Parameter => None,
    }
}

/// Scores texts and reports, under one rule, what looks like an attack.
#[derive(Debug)]
pub struct Classifier {
    rules: [Rule; 1],
    scorer: Arc<Scorer>,
}

impl Classifier {
    /// The shipped model, reporting under `rule`.
    ///
    /// # Errors
    /// The model does not fit this program.
    pub fn shipped(rule: Rule) -> Result<Self, ClassifierError> {
        Ok(Self::new(rule, Self::scorer()?))
    }

    /// The scorer with the shipped weights; made once.
    ///
    /// # Errors
    /// The model does not fit this program.
    pub fn scorer() -> Result<Arc<Scorer>, ClassifierError> {
        static SCORER: OnceLock<Arc<Scorer>> = OnceLock::new();
        if let Some(scorer) = SCORER.get() {
            return Ok(Arc::clone(scorer));
        }
        let made = Arc::new(Scorer::new(Weights::parse(MODEL)?)?);
        Ok(Arc::clone(SCORER.get_or_init(|| made)))
    }

    /// Names the shipped model: FNV-1a of its file.
    #[must_use]
    pub fn version() -> &'static str {
        static VERSION: OnceLock<String> = OnceLock::new();
        VERSION.get_or_init(|| {
            let step = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
            format!("linear-{:016x}", MODEL.iter().fold(0xcbf2_9ce4_8422_2325, step))
        })
    }

    /// Another model, reporting under `rule`.
    #[must_use]
    pub const fn new(rule: Rule, scorer: Arc<Scorer>) -> Self {
        Self { rules: [rule], scorer }
    }

    /// The views that it reads, in training as in use.
    #[must_use]
    pub fn reads() -> Views {
        Views::FOLDED | Views::SKELETON | Views::DECODED
    }
}

impl Detector for Classifier {
    fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn views(&self) -> Views {
        Self::reads()
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Model
    }

    fn concerns(&self, origin: &Origin, _: &Context<'_>) -> bool {
        channel(origin.source).is_some()
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let Some(channel) = channel(subject.origin.source) else { return };
        let least = if matches!(subject.kind, Kind::Name | Kind::Key | Kind::Number) { NAME } else { LEAST };
        if subject.text.len() < least {
            return;
        }
        let mut best: Option<(&ViewText<'_>, Hit)> = None;
        for view in subject.views(self.views()) {
            if let Some(hit) = self.scorer.score(&view.text, channel)
                && best.as_ref().is_none_or(|(_, b)| hit.score > b.score)
            {
                best = Some((view, hit));
            }
        }
        let Some((view, hit)) = best else { return };
        let probability = self.scorer.probability(Some(&hit), channel);
        out.score(Scores { injection: Some(probability), ..Scores::default() });
        let levels = self.scorer.weights().calibration(channel);
        if probability < levels.flag {
            return;
        }
        let [rule] = &self.rules;
        let confidence = if probability >= levels.block { Confidence::High } else { Confidence::Medium };
        let family = self.scorer.family(hit.window.of(&view.text));
        out.report(Report::new(rule, view, hit.decisive).confidence(confidence).entity(family.entity()));
    }
}
