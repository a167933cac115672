//! Slow or remote opinions, and parsers that turn one thing into several.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::coverage::Coverage;
use crate::limits::Limits;
use crate::subject::Scores;

/// What a judge answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Opinion {
    /// It made up its mind.
    Scores(Scores),
    /// It did not answer in time or could not be asked. Policy says what that means; it is never "no".
    None {
        /// Why, without content.
        reason: String,
    },
}

/// A slow or remote opinion: an LLM as judge, a classifier service, OCR. Not a `Detector`: it may wait.
pub trait Judge: Send + Sync {
    /// Name in records.
    fn name(&self) -> &str;

    /// Asks for an opinion, to be given within the deadline.
    fn judge<'a>(&'a self, text: &'a str, deadline: Duration) -> Pin<Box<dyn Future<Output = Opinion> + Send + 'a>>;
}

/// A bounded parser that takes a container apart: archive, document, web page.
pub trait Expand: Send + Sync {
    /// Name in records.
    fn name(&self) -> &str;

    /// True where `head`, the first bytes, looks like a container of this kind. By content, never by name.
    fn recognises(&self, head: &[u8]) -> bool;

    /// The parts, each with its name inside the container, and what could not be read.
    fn expand(&self, bytes: &[u8], limits: &Limits) -> (Vec<(String, Vec<u8>)>, Coverage);
}
