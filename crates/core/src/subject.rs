//! What is offered to the engine, and what the engine adds to it before detectors look.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::detector::Hit;
use crate::exchange::Direction;
use crate::origin::Origin;
use crate::view::{ViewText, Views};

/// What a text is in its surroundings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Prose or anything else meant to be read.
    #[default]
    Text,
    /// A model's reasoning.
    Reasoning,
    /// A model's refusal.
    Refusal,
    /// Arguments of a tool call, or a value inside them.
    ToolArguments,
    /// A name or enumerated value: model, role, tool name, identifier.
    Name,
    /// The key of an object.
    Key,
    /// A number literal.
    Number,
}

/// What a text stands in, for detectors that compare.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// The system text of the same exchange, for leak detection in what the model wrote. Empty where unknown.
    pub system: &'a [&'a str],
    /// Which way the text goes. What a model wrote is new in a reply and history in a request.
    pub direction: Direction,
    /// What the deployment has declared about the text's route.
    pub profile: Profile,
}

/// Which of a deployment's profiles a text is examined under: the number of a set of rule settings that belong to a
/// route. Number 0 is for everything that declares nothing of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Profile(pub usize);

/// One text offered to the engine, as a detector sees it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The original.
    pub text: &'a str,
    /// What it is.
    pub kind: Kind,
    /// Where it came from.
    pub origin: &'a Origin,
    /// What it stands in.
    pub context: Context<'a>,
    /// Its views, the original first.
    pub texts: &'a [ViewText<'a>],
    /// Where the detector's anchors were seen, by view and then by offset. Empty for a detector without anchors.
    pub hits: &'a [Hit],
}

impl<'a> Subject<'a> {
    /// The texts that stand for any of the wanted views. Never the same text twice.
    pub fn views(&self, wanted: Views) -> impl Iterator<Item = &'a ViewText<'a>> + use<'a> {
        self.texts.iter().filter(move |t| t.serves.intersects(wanted))
    }

    /// The anchor hits together with the text that each is in.
    pub fn anchored(&self) -> impl Iterator<Item = (&'a ViewText<'a>, Hit)> + use<'a> {
        let texts = self.texts;
        self.hits.iter().filter_map(move |hit| texts.get(hit.text).map(|t| (t, *hit)))
    }
}

/// Probabilities that detectors worked out; policy decides what they mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scores {
    /// That the text tries to instruct the model against its operator, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injection: Option<f32>,
    /// That a training row was planted, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poison: Option<f32>,
    /// That a training row repeats another, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<f32>,
}

impl Scores {
    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        let max = |a: Option<f32>, b: Option<f32>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        Self {
            injection: max(self.injection, other.injection),
            poison: max(self.poison, other.poison),
            duplicate: max(self.duplicate, other.duplicate),
        }
    }
}
