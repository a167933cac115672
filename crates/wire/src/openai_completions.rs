//! OpenAI completions: requests. Replies and stream chunks have the shape of chat with a `text` in place of the message,
//! so [`OpenAi`](crate::openai::OpenAi) reads them.
//!
//! Fields are those of the official SDK's types. A prompt of tokens is text that only the provider's tokenizer can read:
//! it is named as unread.

use bartizan_core::{OpaqueKind, Source};

use crate::error::WireError;
use crate::json::NodeKind;
use crate::visit::{Build, Dialect, Entry, Place, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Root,
    Prompts,
    /// A list in the list of prompts.
    Tokens,
    /// Everything is a name or number that the protocol enumerates.
    Names,
    /// Application data and unknown fields.
    Free,
}

type Here = Place<State>;

/// The dialect.
#[derive(Debug)]
pub(crate) struct Completions;

const PROMPT: &str = "a string, a list of strings, or a list of tokens";

/// A text that the model goes on from. Each is a conversation of its own.
fn prompt(here: Here, build: &mut Build) -> Here {
    let origin = build.origin(Source::User.into());
    let message = build.message(origin);
    Here { message: Some(message), ..here.to(State::Free).from(origin).prose() }
}

fn field(key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
    let free = here.to(State::Free);
    Ok(match key {
        "model" => {
            entry.read_model(build)?;
            free.name()
        }
        "prompt" => {
            entry.need(&[NodeKind::String, NodeKind::Array, NodeKind::Null], PROMPT)?;
            match entry.kind() {
                NodeKind::Array => {
                    let origin = build.origin(Source::User.into());
                    here.to(State::Prompts).from(origin).numbers(OpaqueKind::Unknown, entry)
                }
                _ => prompt(here, build),
            }
        }
        "suffix" => prompt(here, build),
        "stream" => {
            entry.read_stream(build)?;
            free
        }
        "logit_bias" | "stream_options" => here.to(State::Names).name(),
        _ => free,
    })
}

impl Dialect for Completions {
    type State = State;

    fn root(&mut self, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "an object")?;
        let origin = build.origin(Source::Parameter.into());
        Ok(Here::new(State::Root, origin))
    }

    fn is_free(&self, state: State) -> bool {
        matches!(state, State::Free | State::Names)
    }

    fn defined(&self, state: State) -> &'static [&'static str] {
        match state {
            State::Root => &[
                "model",
                "prompt",
                "suffix",
                "stream",
                "stream_options",
                "echo",
                "best_of",
                "n",
                "logprobs",
                "logit_bias",
                "max_tokens",
                "stop",
                "user",
            ],
            State::Prompts | State::Tokens | State::Names | State::Free => &[],
        }
    }

    fn enter(&mut self, parent: &Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let here = *parent;
        Ok(match (here.state, entry.step) {
            (State::Root, Step::Key(key)) => field(key, here, entry, build)?,
            (State::Prompts, _) => match entry.kind() {
                NodeKind::String => prompt(here, build),
                NodeKind::Array => here.to(State::Tokens).numbers(OpaqueKind::Unknown, entry),
                _ => return Err(entry.bad(PROMPT)),
            },
            (State::Tokens, _) => return Err(entry.bad(PROMPT)),
            (state, _) => here.to(state),
        })
    }
}
