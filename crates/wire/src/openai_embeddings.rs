//! OpenAI embeddings: requests and replies.
//!
//! What is embedded is read as a document: it goes into an index, and nobody vouches for it. A request that says that it
//! embeds a query (`input_type`, which compatible servers take) holds words of the user. The vectors of a reply are
//! numbers; they are named, not read.

use bartizan_core::{OpaqueKind, Source};

use crate::error::WireError;
use crate::json::NodeKind;
use crate::openai::Mode;
use crate::visit::{Build, Dialect, Entry, Place, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Root,
    Inputs,
    /// A list in the list of inputs.
    Tokens,
    /// The list of vectors.
    Data,
    Vector,
    /// Everything is a name or number that the protocol enumerates.
    Names,
    /// Application data and unknown fields.
    Free,
}

type Here = Place<State>;

/// The dialect.
#[derive(Debug)]
pub(crate) struct Embeddings {
    mode: Mode,
}

const INPUT: &str = "a string, a list of strings, or a list of tokens";

impl Embeddings {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode }
    }

    fn request_field(key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        Ok(match key {
            "model" => {
                entry.read_model(build)?;
                here.to(State::Free).name()
            }
            "input" => {
                entry.need(&[NodeKind::String, NodeKind::Array], INPUT)?;
                let query = entry.sibling("input_type").is_some_and(|kind| kind.ends_with("query"));
                let origin = build.origin(if query { Source::User } else { Source::Document }.into());
                // An application that sends tokens answers for them, wherever their text is from.
                let carrier = Some(build.origin(Source::User.into()));
                let here = Here { carrier, ..here.to(State::Inputs).from(origin) };
                match entry.kind() {
                    NodeKind::Array => here.numbers(OpaqueKind::Unknown, entry),
                    _ => input(here, build),
                }
            }
            "encoding_format" | "dimensions" | "input_type" | "truncate" => here.to(State::Names).name(),
            _ => here.to(State::Free),
        })
    }

    fn reply_field(key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let parameter = build.origin(Source::Parameter.into());
        Ok(match key {
            "data" => {
                entry.need(&[NodeKind::Array, NodeKind::Null], "a list of embeddings")?;
                here.to(State::Data)
            }
            "model" => {
                if entry.kind() == NodeKind::String {
                    build.model = entry.doc.value(entry.node).into_owned();
                }
                here.to(State::Names).from(parameter).name()
            }
            "object" | "usage" | "id" | "created" => here.to(State::Names).from(parameter).name(),
            _ => here.to(State::Free),
        })
    }
}

/// A text that is embedded. Each stands for itself.
fn input(here: Here, build: &mut Build) -> Here {
    let origin = build.origin_at(here.origin);
    let origin = build.origin(origin);
    let message = build.message(origin);
    Here { message: Some(message), ..here.to(State::Free).prose() }
}

impl Dialect for Embeddings {
    type State = State;

    fn root(&mut self, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "an object")?;
        if self.mode == Mode::Request && entry.doc.get(entry.node, "input").is_none() {
            return Err(entry.bad_member("input", INPUT));
        }
        let origin = build.origin(if self.mode == Mode::Request { Source::Parameter } else { Source::Model }.into());
        Ok(Here::new(State::Root, origin))
    }

    fn is_free(&self, state: State) -> bool {
        matches!(state, State::Free | State::Names)
    }

    fn defined(&self, state: State) -> &'static [&'static str] {
        match state {
            State::Root if self.mode == Mode::Request => {
                &["model", "input", "input_type", "encoding_format", "dimensions", "user", "truncate"]
            }
            State::Root => &["object", "data", "model", "usage", "error"],
            State::Vector => &["object", "index", "embedding"],
            State::Inputs | State::Tokens | State::Data | State::Names | State::Free => &[],
        }
    }

    fn enter(&mut self, parent: &Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let here = *parent;
        Ok(match (here.state, entry.step) {
            (State::Root, Step::Key(key)) if self.mode == Mode::Request => {
                Self::request_field(key, here, entry, build)?
            }
            (State::Root, Step::Key(key)) => Self::reply_field(key, here, entry, build)?,
            (State::Inputs, _) => match entry.kind() {
                NodeKind::String => input(here, build),
                NodeKind::Array => here.to(State::Tokens).numbers(OpaqueKind::Unknown, entry),
                // Parts of several kinds, as some servers take them.
                NodeKind::Object => here.to(State::Free).stands_for(OpaqueKind::Unknown),
                _ => return Err(entry.bad(INPUT)),
            },
            (State::Tokens, _) => return Err(entry.bad(INPUT)),
            (State::Data, _) => {
                entry.need(&[NodeKind::Object], "an embedding (an object)")?;
                here.to(State::Vector)
            }
            (State::Vector, Step::Key(key)) => match key {
                "embedding" => here.to(State::Free).vector(OpaqueKind::Vector),
                "object" | "index" => here.to(State::Names).name(),
                _ => here.to(State::Free),
            },
            (state, _) => here.to(state),
        })
    }
}
