//! Weights in the place of the shipped ones.

use std::sync::Arc;

use bartizan_core::Rule;

use crate::cascade::{self, Second};
use crate::detector::Classifier;
use crate::encoder::Encoder;
use crate::error::ClassifierError;
use crate::model::{Scorer, Weights};

/// Both stages of a classifier that is not the shipped one.
#[derive(Clone, Debug)]
pub struct Given {
    scorer: Arc<Scorer>,
    second: Second,
    digest: u64,
}

impl Given {
    /// Reads the weights of the first stage, and where it is replaced too the second: its model and its tokenizer. Blocks
    /// for a tenth of a second or more.
    ///
    /// # Errors
    /// One of them cannot be read, or the weights were fitted for another second stage.
    pub fn parse(weights: &[u8], encoder: Option<(Vec<u8>, &[u8])>) -> Result<Self, ClassifierError> {
        let parsed = Weights::parse(weights)?;
        let has = encoder.as_ref().map_or_else(cascade::digest, |(model, _)| cascade::fnv(model));
        if parsed.encoder != has {
            return Err(ClassifierError::Model("it was fitted for another second stage"));
        }
        let second = match encoder {
            Some((model, tokenizer)) => Second::Given(Arc::new(Encoder::parse(model, tokenizer)?)),
            None => Second::Shipped,
        };
        Ok(Self { scorer: Arc::new(Scorer::new(parsed)?), second, digest: cascade::fnv(weights) })
    }

    /// The detector, reporting under `rule`, with its second stage or without.
    #[must_use]
    pub fn detector(&self, rule: Rule, second_stage: bool) -> Classifier {
        let second = if second_stage { self.second.clone() } else { Second::Off };
        Classifier::new(rule, Arc::clone(&self.scorer)).with_second(second)
    }

    /// Names the model, as [`Classifier::version`] names the shipped one.
    #[must_use]
    pub fn version(&self, second_stage: bool) -> String {
        format!("{}-{:016x}", if second_stage { "cascade" } else { "linear" }, self.digest)
    }

    /// True where its second stage is the shipped one, which is loaded when it is first needed.
    #[must_use]
    pub fn loads_shipped(&self) -> bool {
        matches!(self.second, Second::Shipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static MODEL: &[u8] = include_bytes!("../model/injection.bin");

    #[test]
    fn the_shipped_weights_given_are_the_shipped_classifier() {
        let given = Given::parse(MODEL, None).unwrap();
        assert!(given.loads_shipped());
        for second in [false, true] {
            assert_eq!(given.version(second), Classifier::version(second));
        }
    }

    #[test]
    fn weights_and_second_stage_have_to_belong_together() {
        let tiny = || include_bytes!("../model/tiny.onnx").to_vec();
        let words = include_bytes!("../model/tiny.json").as_slice();
        let error = Given::parse(MODEL, Some((tiny(), words))).unwrap_err().to_string();
        assert!(error.contains("another second stage"), "{error}");
        let mut weights = Weights::parse(MODEL).unwrap();
        weights.encoder = cascade::fnv(&tiny());
        let given = Given::parse(&weights.to_bytes(), Some((tiny(), words))).unwrap();
        assert!(!given.loads_shipped());
        assert_ne!(given.version(true), Classifier::version(true));
        assert!(Given::parse(&weights.to_bytes(), None).is_err());
        assert!(Given::parse(&MODEL[..MODEL.len() - 1], None).is_err());
    }
}
