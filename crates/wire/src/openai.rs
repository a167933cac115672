//! OpenAI chat completions: requests, replies and stream chunks. Replies and chunks of completions too.
//!
//! Fields are those of the official SDK's types, and those that compatible servers commonly add (`reasoning`,
//! `reasoning_content`, `reasoning_details`, arguments as objects).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bartizan_core::{Kind, OpaqueKind, Origin, Source, ToolCall, ToolDef};

use crate::error::WireError;
use crate::json::NodeKind;
use crate::stream::{Channel, ChannelPart};
use crate::visit::{Build, Dialect, Entry, Place, Step};

/// Most tool calls of one stream whose names are remembered.
const MAX_CALLS: usize = 4096;

/// Block of a channel for the arguments of the deprecated `function_call`, which has no index.
pub(crate) const FUNCTION_CALL: u32 = u32::MAX;

/// What kind of document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Request,
    /// A bare list of messages.
    Conversation,
    Reply,
    Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Root,
    Messages,
    Message,
    Content,
    Part,
    /// The object with the data or the reference of a part.
    Media(OpaqueKind),
    Calls,
    Call,
    Function,
    Tools,
    Tool,
    ToolBody,
    /// Inside a tool definition or schema.
    Definition,
    /// Everything is a name or number that the protocol enumerates.
    Names,
    /// Application data and unknown fields.
    Free,
    /// The voice that a request asks for.
    Voice,
    Prediction,
    Choices,
    Choice,
    /// Audio of a message: a reference in a request, data in a reply.
    Audio,
    ReasoningDetails,
    ReasoningDetail,
    Logprobs,
}

type Here = Place<State>;

/// The dialect. One value reads one body, or all events of one stream.
#[derive(Debug)]
pub(crate) struct OpenAi {
    mode: Mode,
    /// Tool names by call id.
    names: HashMap<String, Arc<str>>,
    /// Tool names by choice and index of the call, for streams.
    calls: BTreeMap<(u32, u32), Arc<str>>,
    choice: u32,
    block: u32,
    tool: Arc<str>,
}

impl OpenAi {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, names: HashMap::new(), calls: BTreeMap::new(), choice: 0, block: 0, tool: Arc::from("") }
    }

    fn root_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        Ok(match (key, self.mode) {
            ("model", _) => {
                entry.read_model(build)?;
                free.name()
            }
            ("messages", Mode::Request) => {
                entry.need(&[NodeKind::Array], "a list of messages")?;
                here.to(State::Messages)
            }
            ("stream", Mode::Request) => {
                entry.read_stream(build)?;
                free
            }
            ("tools" | "functions", Mode::Request) => {
                entry.need(&[NodeKind::Array, NodeKind::Null], "a list of tools")?;
                let origin = build.origin(Source::Definition.into());
                here.to(State::Tools).from(origin)
            }
            ("response_format", Mode::Request) => {
                let origin = build.origin(Source::Definition.into());
                here.to(State::Definition).from(origin)
            }
            ("web_search_options", Mode::Request) => free.stands_for(OpaqueKind::ProviderTool),
            ("prompt" | "previous_response_id" | "conversation" | "file_ids", Mode::Request) => {
                free.stands_for(OpaqueKind::Reference)
            }
            ("prediction", Mode::Request) => here.to(State::Prediction),
            ("audio", Mode::Request) => here.to(State::Voice).name(),
            (
                "tool_choice"
                | "function_call"
                | "modalities"
                | "stream_options"
                | "service_tier"
                | "moderation"
                | "reasoning_effort"
                | "verbosity"
                | "prompt_cache_key"
                | "prompt_cache_options"
                | "prompt_cache_retention"
                | "logit_bias",
                Mode::Request,
            )
            | ("id" | "object" | "service_tier" | "system_fingerprint" | "usage" | "obfuscation", _) => {
                let parameter = build.origin(Source::Parameter.into());
                here.to(State::Names).from(parameter).name()
            }
            ("choices", Mode::Reply | Mode::Stream) => {
                entry.need(&[NodeKind::Array, NodeKind::Null], "a list of choices")?;
                here.to(State::Choices)
            }
            _ => free,
        })
    }

    /// A message of a request, or of a choice.
    fn message(&self, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "an object with a role")?;
        let source = match (self.mode, entry.str("role").as_deref()) {
            (Mode::Reply | Mode::Stream, _) | (_, Some("assistant")) => Source::Model.into(),
            (_, Some("system" | "developer")) => Source::System.into(),
            (_, Some("user")) => Source::User.into(),
            (_, Some("tool")) => match entry.str("tool_call_id").and_then(|id| self.names.get(id.as_ref())) {
                Some(name) => Origin::tool(name),
                None => named_tool(entry),
            },
            (_, Some("function")) => named_tool(entry),
            _ => {
                return Err(
                    entry.bad_member("role", "one of `system`, `developer`, `user`, `assistant`, `tool`, `function`")
                );
            }
        };
        let origin = build.origin(source);
        let message = build.message(origin);
        Ok(Here { message: Some(message), ..here.to(State::Message).from(origin) })
    }

    fn message_field(
        &mut self,
        key: &str,
        here: Here,
        entry: &Entry<'_, '_>,
        build: &mut Build,
    ) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        Ok(match key {
            "content" => {
                entry.need(&[NodeKind::String, NodeKind::Array, NodeKind::Null], "a string or a list of parts")?;
                let nested = build.source_at(here.origin) == Source::Tool;
                let place = Here { nested, ..here.to(State::Content).prose() };
                self.piece(place, ChannelPart::Text, 0, entry, build)
            }
            "role" | "tool_call_id" | "name" => free.name(),
            "refusal" => self.piece(free.kind(Kind::Refusal), ChannelPart::Refusal, 0, entry, build),
            "reasoning_content" => self.piece(free.kind(Kind::Reasoning), ChannelPart::Reasoning, 0, entry, build),
            // Some servers send both with the same words.
            "reasoning" => self.piece(free.kind(Kind::Reasoning), ChannelPart::Reasoning, 1, entry, build),
            "reasoning_details" => here.to(State::ReasoningDetails).kind(Kind::Reasoning),
            "tool_calls" => {
                entry.need(&[NodeKind::Array, NodeKind::Null], "a list of tool calls")?;
                here.to(State::Calls)
            }
            "function_call" => {
                entry.need(&[NodeKind::Object, NodeKind::Null], "an object with a name and arguments")?;
                if entry.kind() == NodeKind::Object {
                    self.begin_call(FUNCTION_CALL, entry, entry.node, "arguments", here, build)?;
                }
                here.to(State::Function)
            }
            "audio" => {
                let place = here.to(State::Audio);
                if self.mode == Mode::Reply || self.mode == Mode::Stream {
                    place
                } else {
                    place.stands_for(OpaqueKind::Reference)
                }
            }
            // What is quoted there comes from elsewhere.
            "annotations" => {
                let origin = build.origin(Source::Document.into());
                free.from(origin)
            }
            _ => free,
        })
    }

    /// Index of an element of a stream's list, as it says itself, or else its position. In whole bodies nothing hangs
    /// on it.
    fn index(&self, entry: &Entry<'_, '_>) -> Result<u32, WireError> {
        let stated = if self.mode == Mode::Stream { entry.index("index")? } else { None };
        Ok(stated.unwrap_or_else(|| position(entry)))
    }

    /// Marks a string as a piece of a channel where a stream is read.
    fn piece(&self, place: Here, part: ChannelPart, block: u32, entry: &Entry<'_, '_>, build: &mut Build) -> Here {
        if self.mode != Mode::Stream || entry.kind() != NodeKind::String {
            return place;
        }
        let channel = build.channel(Channel { choice: self.choice, block, part });
        Here { channel: Some(channel), nested: false, ..place }
    }

    fn part(&self, here: Here, entry: &Entry<'_, '_>) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "a content part (an object with a type)")?;
        let place = here.to(State::Part).part();
        Ok(match entry.str("type").as_deref() {
            Some("text" | "refusal" | "image_url" | "input_audio" | "file" | "thinking") => place,
            // Typed by its field alone, as some servers accept it.
            None if entry.doc.get(entry.node, "text").is_some() => place,
            _ => place.stands_for(OpaqueKind::Unknown),
        })
    }

    fn part_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        // By field and not by type: servers differ in which of the two they trust.
        Ok(match key {
            "text" => {
                entry.need(&[NodeKind::String], "a string")?;
                self.piece(free.prose(), ChannelPart::Text, 0, entry, build)
            }
            "refusal" => free.kind(Kind::Refusal),
            "image_url" if entry.kind() == NodeKind::String => url(free, OpaqueKind::Image, entry),
            "image_url" => here.to(State::Media(OpaqueKind::Image)),
            "input_audio" => here.to(State::Media(OpaqueKind::Audio)),
            "file" => here.to(State::Media(OpaqueKind::File)),
            "thinking" => free.kind(Kind::Reasoning),
            "type" => free.name(),
            "prompt_cache_breakpoint" | "cache_control" => here.to(State::Names).name(),
            _ => free,
        })
    }

    fn call(&mut self, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "a tool call (an object)")?;
        let block = self.index(entry)?;
        if block == FUNCTION_CALL {
            return Err(entry.bad_member("index", "smaller"));
        }
        let (body, field) = match (entry.doc.get(entry.node, "function"), entry.doc.get(entry.node, "custom")) {
            (Some(function), None) => (function, "arguments"),
            (None, Some(custom)) => (custom, "input"),
            (Some(_), Some(_)) => return Err(entry.bad("either a function call or a custom call, not both")),
            (None, None) => (entry.node, "arguments"),
        };
        self.begin_call(block, entry, body, field, here, build)?;
        Ok(here.to(State::Call))
    }

    /// Notes a call whose name and arguments stand in the object `body`.
    fn begin_call(
        &mut self,
        block: u32,
        entry: &Entry<'_, '_>,
        body: usize,
        field: &str,
        here: Here,
        build: &mut Build,
    ) -> Result<(), WireError> {
        let name = entry.doc.get_str(body, "name").unwrap_or_default();
        self.block = block;
        if self.mode == Mode::Stream {
            // The name comes with the first chunk of a call. A later one must not split the call in two.
            if self.calls.len() >= MAX_CALLS {
                return Err(WireError::Stream("too many tool calls"));
            }
            let known = self.calls.entry((self.choice, block)).or_insert_with(|| Arc::from(name.as_ref()));
            self.tool = Arc::clone(known);
            // Strings are pieces of the channel. Some servers send an object, which comes whole.
            let whole = entry
                .doc
                .get(body, field)
                .filter(|at| !matches!(entry.doc.kind(*at), None | Some(NodeKind::Null | NodeKind::String)));
            let arguments = whole.map_or(String::new(), |at| entry.doc.literal(at).to_owned());
            let id = entry.str("id").unwrap_or_default().into_owned();
            let call = ToolCall { id, name: name.into_owned(), arguments, provider: false };
            build.call_part(self.choice, block, call, false);
            return Ok(());
        }
        let id = entry.str("id").unwrap_or_default().into_owned();
        if !id.is_empty() {
            self.names.insert(id.clone(), Arc::from(name.as_ref()));
        }
        let arguments = match entry.doc.get(body, field) {
            Some(at) if entry.doc.kind(at) != Some(NodeKind::Null) => entry.doc.value(at).into_owned(),
            _ => String::new(),
        };
        build.call(here.message, ToolCall { id, name: name.into_owned(), arguments, provider: false });
        Ok(())
    }

    fn function_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Here {
        let free = here.to(State::Free);
        match key {
            "name" => free.name(),
            "arguments" | "input" => {
                let part = ChannelPart::ToolArguments { name: Arc::clone(&self.tool) };
                self.piece(free.arguments(), part, self.block, entry, build)
            }
            _ => free,
        }
    }

    fn audio_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Here {
        let free = here.to(State::Free);
        match key {
            "id" => free.name(),
            "data" => free.blob(OpaqueKind::Audio),
            "transcript" => self.piece(free.prose(), ChannelPart::Transcript, 0, entry, build),
            _ => free,
        }
    }

    fn tool(&self, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "a tool (an object)")?;
        let place = here.to(State::Tool).part();
        let body = match entry.str("type").as_deref() {
            Some("function") => entry.doc.get(entry.node, "function").unwrap_or(entry.node),
            Some("custom") => entry.doc.get(entry.node, "custom").unwrap_or(entry.node),
            None => entry.node,
            Some(_) => return Ok(place.stands_for(OpaqueKind::ProviderTool)),
        };
        let name = entry.doc.get_str(body, "name").unwrap_or_default().into_owned();
        build.tools.push(ToolDef { name, pointer: entry.pointer.to_owned() });
        Ok(place)
    }

    fn choice(&mut self, here: Here, entry: &Entry<'_, '_>) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "a choice (an object)")?;
        self.choice = self.index(entry)?;
        Ok(here.to(State::Choice))
    }

    fn choice_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        Ok(match (key, self.mode) {
            ("message", _) | ("delta", Mode::Stream) => {
                if entry.kind() == NodeKind::Null {
                    return Ok(here.to(State::Free));
                }
                if key == "message" && self.mode == Mode::Stream && entry.doc.get(entry.parent, "delta").is_some() {
                    return Ok(here.to(State::Names).name());
                }
                return self.message(here, entry, build);
            }
            ("text", _) => self.piece(here.to(State::Free).prose(), ChannelPart::Text, 0, entry, build),
            ("finish_reason", _) => here.to(State::Names).name(),
            // Tokens repeat the content: a rewrite of the content takes them out.
            ("logprobs", _) => Here { token: true, ..here.to(State::Logprobs).name() },
            _ => here.to(State::Free),
        })
    }
}

impl Dialect for OpenAi {
    type State = State;

    fn root(&mut self, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let source = if matches!(self.mode, Mode::Reply | Mode::Stream) { Source::Model } else { Source::Parameter };
        let origin = build.origin(source.into());
        if self.mode == Mode::Conversation {
            entry.need(&[NodeKind::Array], "a list of messages")?;
            return Ok(Here::new(State::Messages, origin));
        }
        entry.need(&[NodeKind::Object], "an object")?;
        if self.mode == Mode::Request && entry.doc.get(entry.node, "messages").is_none() {
            return Err(entry.bad_member("messages", "a list of messages"));
        }
        Ok(Here::new(State::Root, origin))
    }

    fn is_free(&self, state: State) -> bool {
        matches!(state, State::Free | State::Definition | State::Names | State::Logprobs)
    }

    fn defined(&self, state: State) -> &'static [&'static str] {
        match state {
            State::Root if matches!(self.mode, Mode::Reply | Mode::Stream) => &[
                "id",
                "object",
                "created",
                "model",
                "choices",
                "usage",
                "error",
                "service_tier",
                "system_fingerprint",
                "prompt_logprobs",
            ],
            State::Root => &[
                "model",
                "messages",
                "stream",
                "stream_options",
                "tools",
                "tool_choice",
                "functions",
                "function_call",
                "response_format",
                "web_search_options",
                "prompt",
                "previous_response_id",
                "conversation",
                "file_ids",
                "prediction",
                "audio",
                "modalities",
                "metadata",
                "stop",
                "user",
                "n",
                "logprobs",
                "max_tokens",
                "max_completion_tokens",
                "parallel_tool_calls",
                "reasoning_effort",
                "store",
                "moderation",
            ],
            State::Message => &[
                "role",
                "content",
                "name",
                "tool_call_id",
                "refusal",
                "reasoning",
                "reasoning_content",
                "reasoning_details",
                "tool_calls",
                "function_call",
                "audio",
                "annotations",
            ],
            State::Part => &["type", "text", "refusal", "image_url", "input_audio", "file", "thinking"],
            State::Media(_) => &["url", "file_url", "data", "file_data", "file_id", "filename", "detail", "format"],
            State::Call | State::Function => {
                &["id", "type", "index", "function", "custom", "name", "arguments", "input"]
            }
            State::Tool | State::ToolBody => {
                &["type", "function", "custom", "name", "description", "parameters", "strict", "format"]
            }
            State::Voice => &["voice", "format"],
            State::Prediction => &["type", "content"],
            State::Choice => &["index", "message", "delta", "text", "finish_reason", "logprobs", "prompt_logprobs"],
            State::Audio => &["id", "data", "transcript", "expires_at"],
            State::ReasoningDetail => &["type", "index", "id", "format", "text", "summary", "data", "signature"],
            State::Messages
            | State::Content
            | State::Calls
            | State::Tools
            | State::Choices
            | State::ReasoningDetails
            | State::Definition
            | State::Names
            | State::Free
            | State::Logprobs => &[],
        }
    }

    fn enter(&mut self, parent: &Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let here = *parent;
        let key = match entry.step {
            Step::Key(key) => key,
            Step::Index(_) | Step::Root => "",
        };
        Ok(match here.state {
            State::Root => self.root_field(key, here, entry, build)?,
            State::Messages => self.message(here, entry, build)?,
            State::Message => self.message_field(key, here, entry, build)?,
            State::Content => self.part(here, entry)?,
            State::Part => self.part_field(key, here, entry, build)?,
            State::Media(kind) => media_field(key, kind, here, entry),
            State::Calls => self.call(here, entry, build)?,
            State::Call => match key {
                "function" | "custom" => {
                    entry.need(&[NodeKind::Object, NodeKind::Null], "an object with a name")?;
                    here.to(State::Function)
                }
                "id" | "type" => here.to(State::Free).name(),
                // Without a function around them.
                _ => self.function_field(key, here, entry, build),
            },
            State::Function => self.function_field(key, here, entry, build),
            State::Audio => self.audio_field(key, here, entry, build),
            State::Tools => self.tool(here, entry, build)?,
            State::Tool => match key {
                "function" | "custom" => here.to(State::ToolBody),
                _ => definition_field(key, here),
            },
            State::ToolBody | State::Definition => definition_field(key, here),
            State::Voice => match key {
                "voice" if entry.kind() == NodeKind::Object => here.to(State::Names).stands_for(OpaqueKind::Reference),
                _ => here.to(State::Names),
            },
            State::Prediction => match key {
                "content" => here.to(State::Content),
                "type" => here.to(State::Free).name(),
                _ => here.to(State::Free),
            },
            State::Choices => self.choice(here, entry)?,
            State::Choice => self.choice_field(key, here, entry, build)?,
            State::ReasoningDetails => {
                self.block = self.index(entry)?.saturating_add(2);
                here.to(State::ReasoningDetail).part()
            }
            State::ReasoningDetail => match key {
                "text" | "summary" => {
                    self.piece(here.to(State::Free), ChannelPart::Reasoning, self.block, entry, build)
                }
                "data" | "signature" => here.to(State::Free).blob(OpaqueKind::EncryptedReasoning),
                "type" | "id" | "format" => here.to(State::Free).name(),
                _ => here.to(State::Free),
            },
            // What says which element of a stream it is does not grow.
            State::Free
                if self.mode == Mode::Stream && matches!(key, "type" | "index" | "id" | "format" | "object") =>
            {
                here.to(State::Free).name()
            }
            State::Names | State::Free | State::Logprobs => here.to(here.state),
        })
    }
}

/// Position of an element in its list.
fn position(entry: &Entry<'_, '_>) -> u32 {
    match entry.step {
        Step::Index(index) => u32::try_from(index).unwrap_or(u32::MAX),
        Step::Key(_) | Step::Root => 0,
    }
}

fn named_tool(entry: &Entry<'_, '_>) -> Origin {
    entry.str("name").map_or(Origin::new(Source::Tool), |name| Origin::tool(&name))
}

/// Data in the body, or something that the provider fetches.
pub(crate) fn url<S: Copy>(place: Place<S>, inline: OpaqueKind, entry: &Entry<'_, '_>) -> Place<S> {
    let value = entry.doc.value(entry.node);
    if value.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        place.blob(inline)
    } else {
        place.stands_for(OpaqueKind::Reference)
    }
}

fn media_field(key: &str, kind: OpaqueKind, here: Here, entry: &Entry<'_, '_>) -> Here {
    let free = here.to(State::Free);
    match key {
        "url" | "file_url" => url(free, kind, entry),
        "data" | "file_data" => free.blob(kind),
        "file_id" => free.name().stands_for(OpaqueKind::Reference),
        "detail" | "format" => free.name(),
        _ => free,
    }
}

fn definition_field(key: &str, here: Here) -> Here {
    let place = Here { kind: Kind::Text, editable: true, ..here.to(State::Definition) };
    match key {
        "name" | "type" | "$ref" | "$schema" | "syntax" => place.name(),
        _ => place,
    }
}
