//! The classifier as a detector of the engine.

use std::sync::{Arc, OnceLock};

use bartizan_core::{
    Confidence, Context, Cost, Detector, Hold, Kind, Limits, Origin, Report, Rule, Scores, Sink, Source, Subject, Views,
};

use crate::cascade::{self, Second};
use crate::encoder::Encoder;
use crate::error::ClassifierError;
use crate::model::{Channel, Scorer, Weights};

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
    second: Second,
}

impl Classifier {
    /// The shipped model, reporting under `rule`, with its second stage or without.
    ///
    /// # Errors
    /// The model does not fit this program.
    pub fn shipped(rule: Rule, second_stage: bool) -> Result<Self, ClassifierError> {
        let second = if second_stage { Second::Shipped } else { Second::Off };
        Ok(Self { second, ..Self::new(rule, Self::scorer()?) })
    }

    /// True once the shipped second stage is loaded. It loads when it is first needed, or by [`Self::load`].
    #[must_use]
    pub fn is_loaded() -> bool {
        Second::Shipped.is_ready()
    }

    /// Loads the shipped second stage. Takes a tenth of a second or more, once.
    ///
    /// # Errors
    /// It does not fit this program; the first stage then decides alone.
    pub fn load() -> Result<(), ClassifierError> {
        Self::encoder().map(drop)
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

    /// The shipped second stage by itself.
    ///
    /// # Errors
    /// It does not fit this program.
    pub fn encoder() -> Result<Arc<Encoder>, ClassifierError> {
        Second::Shipped.encoder().ok_or(ClassifierError::Encoder("it does not fit this program"))
    }

    /// Names the shipped model: FNV-1a of its file, which names the encoder that it was calibrated with.
    #[must_use]
    pub fn version(second_stage: bool) -> &'static str {
        static VERSIONS: OnceLock<[String; 2]> = OnceLock::new();
        let [linear, cascade] = VERSIONS.get_or_init(|| {
            let digest = cascade::fnv(MODEL);
            [format!("linear-{digest:016x}"), format!("cascade-{digest:016x}")]
        });
        if second_stage { cascade } else { linear }
    }

    /// Another model of one stage, reporting under `rule`.
    #[must_use]
    pub const fn new(rule: Rule, scorer: Arc<Scorer>) -> Self {
        Self { rules: [rule], scorer, second: Second::Off }
    }

    pub(crate) fn with_second(self, second: Second) -> Self {
        Self { second, ..self }
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
        let views = subject.views(self.views());
        let Some(judged) = cascade::judge(&self.scorer, &self.second, views, channel, out) else { return };
        let (view, hit, probability) = (judged.view, judged.passage.hit, judged.probability);
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
