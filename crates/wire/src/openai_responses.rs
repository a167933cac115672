//! OpenAI Responses: requests, replies and stream events.
//!
//! Items, parts and events are those of the official SDK's types. A type that is not known is reported as such and
//! read with the least trusted origin that fits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bartizan_core::{Kind, OpaqueKind, Origin, Source, ToolCall, ToolDef};

use crate::error::WireError;
use crate::json::NodeKind;
use crate::openai::{Mode, url};
use crate::stream::{Channel, ChannelPart};
use crate::visit::{Build, Dialect, Entry, Place, Step};

/// Most items of one stream whose names and ids are remembered.
const MAX_ITEMS: usize = 4096;

/// Blocks of a channel from here on are parts of a reasoning summary; those below are parts of content.
pub(crate) const SUMMARY: u32 = 1 << 31;

/// Choice of the channels of events that name no item.
pub(crate) const NO_ITEM: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// A request, or the response object of a reply or event.
    Root,
    /// A stream event.
    Event,
    /// The delta of an event where it is an object.
    Delta,
    /// Items of a request, whose roles say who wrote them.
    Items,
    /// Items that the model or its provider wrote.
    Output,
    Item(Item),
    /// A list of content parts, or an only one.
    Content,
    /// The same of a reasoning summary.
    Summary,
    Part,
    /// The object with the data of a part.
    Media(OpaqueKind),
    /// What a tool was called with, where it is an object.
    Call,
    /// What a tool returned.
    Result,
    Annotations,
    Annotation,
    Logprobs,
    Tools,
    Tool,
    /// Inside a tool definition or schema.
    Definition,
    /// A stored prompt and what is filled into it.
    Prompt,
    Variables,
    /// Everything is a name or number that the protocol enumerates.
    Names,
    /// Application data and unknown fields.
    Free,
}

/// What an item is, as far as its fields read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Message,
    Reasoning,
    /// A call that the model wrote; of a tool at the provider, with its result.
    Call,
    /// What the caller's tool returned.
    CallOutput,
    Definitions,
    Compaction,
    /// An item of a kind without a text of its own.
    Other,
    Unknown,
}

/// How the texts of an event stand to those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// They go on where the last event stopped.
    Piece,
    /// They say everything that the pieces said, or what never came in pieces.
    Whole,
}

type Here = Place<State>;

/// The dialect. One value reads one body, or all events of one stream.
#[derive(Debug)]
pub(crate) struct Responses {
    mode: Mode,
    /// Tool (and its server) by call id.
    origins: HashMap<String, Origin>,
    /// Output index by item id, for streams: for events without an index, and to see that an id has only one.
    ids: HashMap<String, u32>,
    /// Tool names by output index, for streams: the name comes with the first event of a call.
    calls: BTreeMap<u32, Arc<str>>,
    how: How,
    /// Type of the event.
    event: Arc<str>,
    index: u32,
    block: u32,
}

impl Responses {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            mode,
            origins: HashMap::new(),
            ids: HashMap::new(),
            calls: BTreeMap::new(),
            how: How::Whole,
            event: Arc::from(""),
            index: NO_ITEM,
            block: 0,
        }
    }

    /// How the texts of the last event stand to those of others.
    pub(crate) const fn how(&self) -> How {
        self.how
    }

    /// The item that the last event is about, or [`NO_ITEM`].
    pub(crate) const fn item(&self) -> u32 {
        self.index
    }

    /// The part of the item that the last event is about.
    pub(crate) const fn block(&self) -> u32 {
        self.block
    }

    fn begin_event(&mut self, entry: &Entry<'_, '_>) -> Result<(), WireError> {
        let kind = entry.str("type").unwrap_or_default();
        if *self.event != *kind {
            self.event = Arc::from(kind.as_ref());
        }
        self.how = how(&kind);
        let summary = entry.index("summary_index")?.map(|at| at | SUMMARY);
        let content = entry.index("content_index")?.or(entry.index("command_index")?);
        self.block = summary.or(content).unwrap_or(0);
        self.index = entry.index("output_index")?.unwrap_or(NO_ITEM);
        let nested = entry.doc.get(entry.node, "item").and_then(|item| entry.doc.get_str(item, "id"));
        let Some(id) = entry.str("item_id").or(nested).filter(|id| !id.is_empty()) else { return Ok(()) };
        match self.ids.get(id.as_ref()) {
            Some(known) if self.index == NO_ITEM => self.index = *known,
            // Clients differ in which of the two they go by, and would put the pieces together differently.
            Some(known) if *known != self.index => return Err(WireError::Stream("an item with two indexes")),
            Some(_) => {}
            // Some servers make up a new id for every event: then the index is what clients go by.
            None if self.ids.len() >= MAX_ITEMS && self.index != NO_ITEM => {}
            None if self.ids.len() >= MAX_ITEMS => return Err(WireError::Stream("too many items")),
            None => {
                if self.index == NO_ITEM {
                    self.index = self.ids.values().max().map_or(0, |last| last.saturating_add(1));
                }
                self.ids.insert(id.into_owned(), self.index);
            }
        }
        Ok(())
    }

    fn root_field(
        &mut self,
        key: &str,
        here: Here,
        entry: &Entry<'_, '_>,
        build: &mut Build,
    ) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        let request = self.mode == Mode::Request;
        let reference = |place: Here| if request { place.stands_for(OpaqueKind::Reference) } else { place };
        Ok(match key {
            "model" => {
                entry.need(&[NodeKind::String, NodeKind::Null], "a string")?;
                if entry.kind() == NodeKind::String {
                    build.model = entry.doc.value(entry.node).into_owned();
                }
                let parameter = build.origin(Source::Parameter.into());
                free.from(parameter).name()
            }
            "stream" if request => {
                entry.need(&[NodeKind::Bool, NodeKind::Null], "true or false")?;
                build.stream = entry.doc.literal(entry.node) == "true";
                free
            }
            "input" if request => {
                entry.need(&[NodeKind::String, NodeKind::Array, NodeKind::Null], "a string or a list of items")?;
                if entry.kind() == NodeKind::String {
                    begin(free.prose(), Source::User.into(), build)
                } else {
                    here.to(State::Items)
                }
            }
            // A reply repeats what the operator wrote.
            "instructions" => {
                entry.need(&[NodeKind::String, NodeKind::Array, NodeKind::Null], "a string or a list of items")?;
                let origin = build.origin(Source::System.into());
                if entry.kind() == NodeKind::Array {
                    here.to(State::Items).from(origin)
                } else {
                    let message = build.message(origin);
                    Here { message: Some(message), ..free.from(origin).prose() }
                }
            }
            "output" if !request => {
                entry.need(&[NodeKind::Array, NodeKind::Null], "a list of items")?;
                // A compacted conversation has what the user said, too.
                let compacted = entry.sibling("object").as_deref() == Some("response.compaction");
                here.to(if compacted { State::Items } else { State::Output })
            }
            // The list of a stored response's input.
            "data" if !request && entry.kind() == NodeKind::Array => here.to(State::Items),
            "tools" => {
                entry.need(&[NodeKind::Array, NodeKind::Null], "a list of tools")?;
                let origin = build.origin(Source::Definition.into());
                here.to(State::Tools).from(origin)
            }
            "text" | "response_format" => {
                let origin = build.origin(Source::Definition.into());
                here.to(State::Definition).from(origin)
            }
            "previous_response_id" => reference(free.name()),
            "conversation" => reference(here.to(State::Names).name()),
            "prompt" => {
                let parameter = build.origin(Source::Parameter.into());
                reference(here.to(State::Prompt).from(parameter))
            }
            "id"
            | "object"
            | "status"
            | "usage"
            | "tool_choice"
            | "include"
            | "reasoning"
            | "service_tier"
            | "truncation"
            | "stream_options"
            | "background_options"
            | "context_management"
            | "prompt_cache_key"
            | "prompt_cache_options"
            | "prompt_cache_retention"
            | "prompt_cache_diagnostics"
            | "moderation"
            | "tool_usage"
            | "input_transformations"
            | "access_programs"
            | "first_id"
            | "last_id" => {
                let parameter = build.origin(Source::Parameter.into());
                here.to(State::Names).from(parameter).name()
            }
            "user" | "metadata" | "safety_identifier" => {
                let parameter = build.origin(Source::Parameter.into());
                free.from(parameter)
            }
            _ => free,
        })
    }

    fn event_field(
        &mut self,
        key: &str,
        here: Here,
        entry: &Entry<'_, '_>,
        build: &mut Build,
    ) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        let base = base(&self.event);
        Ok(match key {
            "type"
            | "item_id"
            | "output_index"
            | "content_index"
            | "summary_index"
            | "annotation_index"
            | "command_index"
            | "partial_image_index"
            | "sequence_number"
            | "obfuscation"
            | "name"
            | "status"
            | "size"
            | "quality"
            | "background"
            | "output_format" => {
                let parameter = build.origin(Source::Parameter.into());
                here.to(State::Names).from(parameter).name()
            }
            "response" => here.to(State::Root),
            "item" if entry.kind() != NodeKind::Null => self.item_of(false, here, entry, build)?,
            "part" if entry.kind() != NodeKind::Null => {
                let message = build.message(here.origin);
                self.part(Here { message: Some(message), ..here }, entry)?
            }
            "annotation" => annotation(here, build),
            "logprobs" => Here { token: true, ..here.to(State::Logprobs).name() },
            "delta" if entry.kind() == NodeKind::Object => {
                let place = here.to(State::Delta);
                if base.starts_with("shell_call_output") { begin(place, Origin::tool("shell"), build) } else { place }
            }
            "delta" | "partial_image_b64" if base == "audio" || key != "delta" => {
                free.blob(if base == "audio" { OpaqueKind::Audio } else { OpaqueKind::Image })
            }
            "delta" => {
                let (place, part) = self.spoken(free, base);
                let part = part.unwrap_or(ChannelPart::Field { pointer: Arc::from("/delta") });
                self.said(place, part, self.block, entry, build)
            }
            _ if whole_field(base) == Some(key) && self.how == How::Whole => match self.spoken(free, base) {
                (place, Some(part)) => self.said(place, part, self.block, entry, build),
                (place, None) => place,
            },
            "output" if base.starts_with("shell_call_output") => {
                begin(here.to(State::Result), Origin::tool("shell"), build)
            }
            // It may go on in the next event.
            _ if self.how == How::Piece => self.unnamed(key, free, entry, build),
            _ => free,
        })
    }

    /// The kind of text that events with this base type carry, and its channel; `None` for one that is not known.
    fn spoken(&self, free: Here, base: &str) -> (Here, Option<ChannelPart>) {
        match base {
            "output_text" => (free.prose(), Some(ChannelPart::Text)),
            "refusal" => (free.kind(Kind::Refusal), Some(ChannelPart::Refusal)),
            "reasoning_text" | "reasoning_summary_text" | "reasoning_summary" | "reasoning" => {
                (free.kind(Kind::Reasoning), Some(ChannelPart::Reasoning))
            }
            "audio.transcript" | "audio_transcript" => (free.prose(), Some(ChannelPart::Transcript)),
            "function_call_arguments"
            | "custom_tool_call_input"
            | "mcp_call_arguments"
            | "mcp_call.arguments"
            | "code_interpreter_call_code"
            | "code_interpreter_call.code"
            | "shell_call_command"
            | "apply_patch_call_operation_diff" => (free.arguments(), Some(self.arguments())),
            _ => (free, None),
        }
    }

    fn arguments(&self) -> ChannelPart {
        ChannelPart::ToolArguments { name: self.calls.get(&self.index).cloned().unwrap_or_else(|| Arc::from("")) }
    }

    /// Marks a string as a piece, or as all, of a channel where a stream is read.
    fn said(&self, place: Here, part: ChannelPart, block: u32, entry: &Entry<'_, '_>, build: &mut Build) -> Here {
        if self.mode != Mode::Stream || entry.kind() != NodeKind::String {
            return place;
        }
        let channel = build.channel(Channel { choice: self.index, block, part });
        Here { channel: Some(channel), nested: false, editable: true, ..place }
    }

    /// A string that no known event has.
    fn unnamed(&self, key: &str, place: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Here {
        let pointer = Arc::from(format!("/{key}"));
        self.said(place, ChannelPart::Field { pointer }, self.block, entry, build)
    }

    /// An item of any list. `by_role` is true where a role says who wrote it; elsewhere the model did.
    fn item_of(
        &mut self,
        by_role: bool,
        here: Here,
        entry: &Entry<'_, '_>,
        build: &mut Build,
    ) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "an item (an object with a type)")?;
        let kind = entry.str("type");
        let kind = kind.as_deref();
        let place = |item| here.to(State::Item(item)).part();
        let message = kind == Some("message") || (kind.is_none() && entry.doc.get(entry.node, "role").is_some());
        if message {
            let origin = if by_role { role(entry, here, build)? } else { Source::Model };
            return Ok(begin(place(Item::Message), origin.into(), build));
        }
        let Some(kind) = kind else {
            let reference = entry.doc.get(entry.node, "id").is_some();
            let opaque = if reference { OpaqueKind::Reference } else { OpaqueKind::Unknown };
            return Ok(place(Item::Unknown).stands_for(opaque));
        };
        Ok(match kind {
            "reasoning" => begin(place(Item::Reasoning), Source::Model.into(), build).kind(Kind::Reasoning),
            "function_call"
            | "custom_tool_call"
            | "mcp_call"
            | "mcp_approval_request"
            | "local_shell_call"
            | "shell_call"
            | "apply_patch_call"
            | "computer_call"
            | "code_interpreter_call"
            | "web_search_call"
            | "file_search_call"
            | "image_generation_call"
            | "tool_search_call"
            | "program" => self.call(kind, begin(place(Item::Call), Source::Model.into(), build), entry, build)?,
            "function_call_output"
            | "custom_tool_call_output"
            | "local_shell_call_output"
            | "shell_call_output"
            | "apply_patch_call_output"
            | "computer_call_output"
            | "program_output" => {
                let place = begin(place(Item::CallOutput), self.result_origin(kind, entry), build);
                Here { nested: self.mode != Mode::Stream, ..place }
            }
            "mcp_list_tools" | "additional_tools" | "tool_search_output" | "configuration_update" => {
                let server = entry.str("server_label").map(|s| Arc::from(s.as_ref()));
                let origin = build.origin(Origin { server, ..Source::Definition.into() });
                place(Item::Definitions).from(origin)
            }
            "compaction" | "compaction_summary" | "compaction_trigger" => place(Item::Compaction),
            "mcp_approval_response" => begin(place(Item::Other), Source::User.into(), build),
            "item_reference" => place(Item::Other).stands_for(OpaqueKind::Reference),
            _ => {
                let source = if by_role { Source::Tool } else { Source::Model };
                begin(place(Item::Unknown), source.into(), build).stands_for(OpaqueKind::Unknown)
            }
        })
    }

    fn call(&mut self, kind: &str, place: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let name = match entry.str("name") {
            Some(name) => name.into_owned(),
            None => kind.trim_end_matches("_call").to_owned(),
        };
        if self.mode == Mode::Stream {
            if self.calls.len() >= MAX_ITEMS {
                return Err(WireError::Stream("too many tool calls"));
            }
            // A later name must not split the call in two.
            self.calls.entry(self.index).or_insert_with(|| Arc::from(name.as_str()));
            let call = called(kind, name, entry);
            build.call_part(self.index, 0, call, self.how == How::Whole);
            return Ok(place);
        }
        let server = entry.str("server_label").map(|s| Arc::from(s.as_ref()));
        let origin = Origin { server, ..Origin::tool(&name) };
        for key in ["call_id", "id"] {
            if let Some(id) = entry.str(key).filter(|id| !id.is_empty()) {
                self.origins.insert(id.into_owned(), origin.clone());
            }
        }
        build.call(place.message, called(kind, name, entry));
        Ok(place)
    }

    fn result_origin(&self, kind: &str, entry: &Entry<'_, '_>) -> Origin {
        let called = ["call_id", "id"].iter().find_map(|key| self.origins.get(entry.str(key)?.as_ref()));
        match (called, entry.str("name")) {
            (Some(origin), _) => origin.clone(),
            (None, Some(name)) => Origin::tool(&name),
            (None, None) => match kind.strip_suffix("_call_output") {
                None | Some("function" | "custom_tool") => Origin::new(Source::Tool),
                Some(tool) => Origin::tool(tool),
            },
        }
    }

    fn item_field(
        &mut self,
        key: &str,
        item: Item,
        here: Here,
        entry: &Entry<'_, '_>,
        build: &mut Build,
    ) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        let text_or_list = || {
            let kinds = [NodeKind::String, NodeKind::Array, NodeKind::Object, NodeKind::Null];
            entry.need(&kinds, "a string or a list of parts")
        };
        Ok(match (key, item) {
            (
                "type"
                | "id"
                | "call_id"
                | "status"
                | "name"
                | "role"
                | "phase"
                | "namespace"
                | "server_label"
                | "approval_request_id"
                | "container_id"
                | "execution"
                | "created_by",
                _,
            ) => free.name(),
            ("caller", _) => here.to(State::Names).name(),
            ("encrypted_content" | "fingerprint", _) => free.blob(OpaqueKind::EncryptedReasoning),
            ("content", Item::Message) => {
                entry.need(&[NodeKind::String, NodeKind::Array, NodeKind::Null], "a string or a list of parts")?;
                match entry.kind() {
                    NodeKind::String => self.said(free.prose(), ChannelPart::Text, 0, entry, build),
                    _ => here.to(State::Content).prose(),
                }
            }
            ("content" | "summary", Item::Reasoning) => {
                here.to(if key == "summary" { State::Summary } else { State::Content })
            }
            ("arguments" | "input" | "code" | "diff", Item::Call) => match entry.kind() {
                NodeKind::String => self.said(free.arguments(), self.arguments(), 0, entry, build),
                _ => here.to(State::Call).arguments(),
            },
            ("action" | "actions" | "operation" | "environment" | "queries", Item::Call) => {
                let place = here.to(State::Call).arguments();
                Here { nested: self.mode != Mode::Stream, ..place }
            }
            // A document that was retrieved.
            ("results", Item::Call) => {
                let origin = Origin { source: Source::Document, ..self.result_of(entry) };
                begin(here.to(State::Result), origin, build)
            }
            ("outputs" | "output" | "error", Item::Call) => {
                let origin = self.result_of(entry);
                let nested = self.mode != Mode::Stream;
                let place = if entry.kind() == NodeKind::String { free.prose() } else { here.to(State::Result) };
                Here { nested, ..begin(place, origin, build) }
            }
            ("result", Item::Call) => free.blob(OpaqueKind::Image),
            ("output" | "result", Item::CallOutput) => {
                text_or_list()?;
                match entry.kind() {
                    NodeKind::String => free.prose(),
                    // A screenshot stands alone.
                    NodeKind::Object => self.part(here, entry)?,
                    _ => here.to(State::Result),
                }
            }
            ("tools", Item::Definitions) => here.to(State::Tools),
            (_, Item::Definitions) => here.to(State::Definition),
            ("content", Item::Unknown | Item::Other) => {
                text_or_list()?;
                if entry.kind() == NodeKind::Array { here.to(State::Content).prose() } else { free.prose() }
            }
            // What an item of a kind that is not known begins with may go on.
            (_, Item::Unknown) if self.how == How::Piece => self.unnamed(key, free, entry, build),
            _ => free,
        })
    }

    /// Where the result in a call comes from.
    fn result_of(&self, entry: &Entry<'_, '_>) -> Origin {
        let server = entry.sibling("server_label").map(|s| Arc::from(s.as_ref()));
        let name = match (entry.sibling("name"), entry.sibling("type")) {
            (Some(name), _) => name.into_owned(),
            (None, kind) => kind.unwrap_or_default().trim_end_matches("_call").to_owned(),
        };
        Origin { server, ..Origin::tool(&name) }
    }

    /// A part of an item's content.
    fn part(&self, here: Here, entry: &Entry<'_, '_>) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "a content part (an object with a type)")?;
        let place = here.to(State::Part).part();
        Ok(match entry.str("type").as_deref() {
            Some(
                "input_text"
                | "output_text"
                | "text"
                | "summary_text"
                | "reasoning_text"
                | "refusal"
                | "input_image"
                | "input_file"
                | "input_audio"
                | "output_audio"
                | "computer_screenshot",
            ) => place,
            Some("encrypted_content") => place.stands_for(OpaqueKind::EncryptedReasoning),
            // Typed by its field alone, as some servers accept it.
            None if entry.doc.get(entry.node, "text").is_some() => place,
            _ => place.stands_for(OpaqueKind::Unknown),
        })
    }

    fn part_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        let reasoning = here.kind == Kind::Reasoning
            || matches!(entry.sibling("type").as_deref(), Some("reasoning_text" | "summary_text"));
        // By field and not by type: servers differ in which of the two they trust.
        Ok(match key {
            "text" => {
                entry.need(&[NodeKind::String, NodeKind::Null], "a string")?;
                if reasoning {
                    self.said(free.kind(Kind::Reasoning), ChannelPart::Reasoning, self.block, entry, build)
                } else {
                    self.said(free.prose(), ChannelPart::Text, self.block, entry, build)
                }
            }
            "refusal" => self.said(free.kind(Kind::Refusal), ChannelPart::Refusal, self.block, entry, build),
            "transcript" => self.said(free.prose(), ChannelPart::Transcript, self.block, entry, build),
            "image_url" if entry.kind() == NodeKind::String => self.address(free, OpaqueKind::Image, entry),
            "image_url" => here.to(State::Media(OpaqueKind::Image)),
            "file_url" => self.address(free, OpaqueKind::File, entry),
            "file_data" => free.blob(OpaqueKind::File),
            "file_id" => self.reference(free.name()),
            "input_audio" => here.to(State::Media(OpaqueKind::Audio)),
            "data" => free.blob(OpaqueKind::Audio),
            "encrypted_content" => free.blob(OpaqueKind::EncryptedReasoning),
            "annotations" => {
                let origin = build.origin(Source::Document.into());
                here.to(State::Annotations).from(origin)
            }
            "logprobs" => Here { token: true, ..here.to(State::Logprobs).name() },
            "type" | "detail" => free.name(),
            "prompt_cache_breakpoint" => here.to(State::Names).name(),
            _ if self.mode == Mode::Stream && self.how == How::Piece => self.unnamed(key, free, entry, build),
            _ => free,
        })
    }

    /// What the provider looks up. In a reply it is only a name.
    fn reference(&self, place: Here) -> Here {
        if self.mode == Mode::Request { place.stands_for(OpaqueKind::Reference) } else { place }
    }

    /// Data in the body, or something that the provider fetches. In a reply the latter is a text like any other.
    fn address(&self, place: Here, inline: OpaqueKind, entry: &Entry<'_, '_>) -> Here {
        let found = url(place, inline, entry);
        if self.mode != Mode::Request && !found.unread { place } else { found }
    }

    /// A field of what a tool returned.
    fn result_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>) -> Here {
        let free = here.to(State::Free);
        match key {
            "type" | "status" => free.name(),
            "file_id" => self.reference(free.name()),
            "image_url" | "url" => self.address(free, OpaqueKind::Image, entry),
            "file_url" => self.address(free, OpaqueKind::File, entry),
            "file_data" => free.blob(OpaqueKind::File),
            "input_audio" => here.to(State::Media(OpaqueKind::Audio)),
            "outcome" => here.to(State::Names).name(),
            "text" | "logs" | "stdout" | "stderr" => free.prose(),
            _ => free,
        }
    }

    fn tool(&self, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "a tool (an object)")?;
        let place = here.to(State::Tool).part();
        let kind = entry.str("type").unwrap_or_default();
        let name = match entry.str("name") {
            Some(name) => name.into_owned(),
            None => kind.clone().into_owned(),
        };
        // A list of tools that a reply repeats was decided about in the request.
        if self.mode == Mode::Request && !runs_at_client(&kind, entry) {
            return Ok(place.stands_for(OpaqueKind::ProviderTool));
        }
        if self.mode != Mode::Stream {
            build.tools.push(ToolDef { name, pointer: entry.pointer.to_owned() });
        }
        Ok(place)
    }
}

/// Members that hold what a tool is called with, in the order of preference.
const CALL_FIELDS: [&str; 7] = ["arguments", "input", "code", "action", "actions", "operation", "queries"];

/// The call that an item says.
fn called(kind: &str, name: String, entry: &Entry<'_, '_>) -> ToolCall {
    let id = entry.str("call_id").or_else(|| entry.str("id")).unwrap_or_default().into_owned();
    let given = CALL_FIELDS.iter().find_map(|key| entry.doc.get(entry.node, key));
    let arguments = match given {
        Some(at) if entry.doc.kind(at) == Some(NodeKind::String) => entry.doc.value(at).into_owned(),
        Some(at) if entry.doc.kind(at) != Some(NodeKind::Null) => entry.doc.literal(at).to_owned(),
        _ => String::new(),
    };
    // A request to run a remote tool is no run of it: the caller answers it, and the provider runs it.
    let client = matches!(
        kind,
        "function_call" | "custom_tool_call" | "local_shell_call" | "shell_call" | "apply_patch_call" | "computer_call"
    );
    ToolCall { id, name, arguments, provider: !client }
}

/// True for tools that the caller runs: their calls and results pass through here.
fn runs_at_client(kind: &str, entry: &Entry<'_, '_>) -> bool {
    match kind {
        "function"
        | "custom"
        | "namespace"
        | "local_shell"
        | "apply_patch"
        | "computer"
        | "computer_use_preview"
        | "" => true,
        "shell" => {
            let place = entry.doc.get(entry.node, "environment");
            place.is_some_and(|at| entry.doc.get_str(at, "type").as_deref() == Some("local"))
        }
        // The definition of a remote server's tool, in a list of them.
        _ => entry.doc.get(entry.node, "input_schema").is_some() && !entry.pointer.starts_with("/tools/"),
    }
}

/// The type of an event without what it has in common with others.
pub(crate) fn base(event: &str) -> &str {
    let name = event.strip_prefix("response.").unwrap_or(event);
    ["delta", "done", "added"].iter().find_map(|end| name.strip_suffix(end)?.strip_suffix('.')).unwrap_or(name)
}

/// The member of a `.done` event that has the whole text.
fn whole_field(base: &str) -> Option<&'static str> {
    Some(match base {
        "output_text" | "reasoning_text" | "reasoning_summary_text" | "reasoning_summary" | "reasoning" => "text",
        "refusal" => "refusal",
        "audio.transcript" | "audio_transcript" => "transcript",
        "function_call_arguments" | "mcp_call_arguments" | "mcp_call.arguments" => "arguments",
        "custom_tool_call_input" => "input",
        "code_interpreter_call_code" | "code_interpreter_call.code" => "code",
        "shell_call_command" => "command",
        "apply_patch_call_operation_diff" => "diff",
        _ => return None,
    })
}

/// How the texts of events of this type stand to those of others. A type that is not known may be a piece of something.
fn how(event: &str) -> How {
    match event.strip_prefix("response.") {
        Some("queued" | "in_progress" | "completed" | "failed" | "incomplete") => How::Whole,
        Some("output_text.annotation.added" | "output_text_annotation.added") => How::Whole,
        Some(name) if name.ends_with(".done") => How::Whole,
        None if matches!(event, "error" | "keepalive" | "ping") => How::Whole,
        _ => How::Piece,
    }
}

/// Who wrote a message.
fn role(entry: &Entry<'_, '_>, here: Here, build: &Build) -> Result<Source, WireError> {
    Ok(match entry.str("role").as_deref() {
        // Whatever stands in the operator's instructions is the operator's.
        _ if build.source_at(here.origin) == Source::System => Source::System,
        Some("user") => Source::User,
        Some("assistant") => Source::Model,
        Some("system" | "developer") => Source::System,
        _ => return Err(entry.bad_member("role", "one of `user`, `assistant`, `system`, `developer`")),
    })
}

/// A place that begins a message of its own.
fn begin(place: Here, origin: Origin, build: &mut Build) -> Here {
    let origin = build.origin(origin);
    let message = build.message(origin);
    Here { message: Some(message), ..place.from(origin) }
}

/// What is quoted comes from elsewhere.
fn annotation(here: Here, build: &mut Build) -> Here {
    let origin = build.origin(Source::Document.into());
    here.to(State::Annotation).from(origin).part()
}

fn definition_field(key: &str, here: Here) -> Here {
    let place = Here { kind: Kind::Text, editable: true, ..here.to(State::Definition) };
    match key {
        "name" | "type" | "$ref" | "$schema" | "syntax" | "verbosity" | "server_label" | "connector_id" => place.name(),
        // Addresses and credentials are the request's own: a change would break the connection.
        "server_url" | "authorization" => place.fixed(),
        _ => place,
    }
}

impl Dialect for Responses {
    type State = State;

    fn root(&mut self, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "an object")?;
        let source = if self.mode == Mode::Request { Source::Parameter } else { Source::Model };
        let origin = build.origin(source.into());
        if self.mode == Mode::Stream {
            self.begin_event(entry)?;
            return Ok(Here::new(State::Event, origin));
        }
        Ok(Here::new(State::Root, origin))
    }

    fn is_free(&self, state: State) -> bool {
        matches!(
            state,
            State::Free | State::Definition | State::Names | State::Logprobs | State::Call | State::Variables
        )
    }

    fn defined(&self, state: State) -> &'static [&'static str] {
        match state {
            State::Root => &[
                "id",
                "object",
                "status",
                "model",
                "input",
                "instructions",
                "output",
                "data",
                "stream",
                "stream_options",
                "tools",
                "tool_choice",
                "text",
                "prompt",
                "previous_response_id",
                "conversation",
                "background",
                "include",
                "metadata",
                "reasoning",
                "store",
                "error",
                "incomplete_details",
                "usage",
                "user",
                "moderation",
                "truncation",
            ],
            State::Event => &[
                "type",
                "sequence_number",
                "response",
                "item",
                "part",
                "delta",
                "item_id",
                "output_index",
                "content_index",
                "summary_index",
                "command_index",
                "annotation",
                "annotation_index",
                "text",
                "refusal",
                "arguments",
                "input",
                "code",
                "command",
                "diff",
                "transcript",
                "logprobs",
                "partial_image_b64",
                "message",
                "error",
            ],
            State::Delta => &["stdout", "stderr", "text"],
            State::Item(_) => &[
                "type",
                "id",
                "call_id",
                "role",
                "status",
                "name",
                "server_label",
                "content",
                "summary",
                "arguments",
                "input",
                "code",
                "action",
                "actions",
                "operation",
                "queries",
                "results",
                "result",
                "output",
                "outputs",
                "error",
                "tools",
                "encrypted_content",
            ],
            State::Part => &[
                "type",
                "text",
                "refusal",
                "transcript",
                "image_url",
                "file_url",
                "file_data",
                "file_id",
                "filename",
                "input_audio",
                "data",
                "detail",
                "annotations",
                "logprobs",
                "encrypted_content",
            ],
            State::Result => &[
                "type",
                "text",
                "logs",
                "stdout",
                "stderr",
                "outcome",
                "url",
                "image_url",
                "file_url",
                "file_data",
                "file_id",
                "filename",
            ],
            State::Media(_) => &["url", "data", "file_id", "detail", "format"],
            State::Annotation => &["type", "title", "url", "file_id", "filename"],
            State::Tool => &[
                "type",
                "name",
                "description",
                "parameters",
                "strict",
                "format",
                "tools",
                "server_label",
                "server_url",
                "authorization",
                "headers",
                "environment",
                "input_schema",
            ],
            State::Prompt => &["id", "version", "variables"],
            State::Items
            | State::Output
            | State::Content
            | State::Summary
            | State::Annotations
            | State::Tools
            | State::Call
            | State::Logprobs
            | State::Definition
            | State::Variables
            | State::Names
            | State::Free => &[],
        }
    }

    fn enter(&mut self, parent: &Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let here = *parent;
        let (key, position) = match entry.step {
            Step::Key(key) => (key, 0),
            Step::Index(at) => ("", u32::try_from(at).unwrap_or(u32::MAX)),
            Step::Root => ("", 0),
        };
        // The index of a list says which item or part a text belongs to, where no event says so.
        let stream = self.mode == Mode::Stream;
        Ok(match here.state {
            State::Event => self.event_field(key, here, entry, build)?,
            State::Root => self.root_field(key, here, entry, build)?,
            State::Delta => {
                let pointer = Arc::from(format!("/delta/{key}"));
                self.said(here.to(State::Free), ChannelPart::Field { pointer }, self.block, entry, build)
            }
            State::Items => self.item_of(true, here, entry, build)?,
            State::Output => {
                self.index = position;
                self.item_of(false, here, entry, build)?
            }
            State::Item(item) => self.item_field(key, item, here, entry, build)?,
            State::Content | State::Summary => {
                if stream {
                    self.block = if here.state == State::Summary { position | SUMMARY } else { position };
                }
                if entry.kind() == NodeKind::String { here.to(State::Free).prose() } else { self.part(here, entry)? }
            }
            State::Part => self.part_field(key, here, entry, build)?,
            State::Media(kind) => match key {
                "url" => self.address(here.to(State::Free), kind, entry),
                "data" => here.to(State::Free).blob(kind),
                "file_id" => self.reference(here.to(State::Free).name()),
                "detail" | "format" => here.to(State::Free).name(),
                _ => here.to(State::Free),
            },
            State::Result => match entry.step {
                Step::Key(key) => self.result_field(key, here, entry),
                _ if entry.kind() == NodeKind::String => here.to(State::Free).prose(),
                _ => here.to(State::Result).part(),
            },
            // Sources of a search are not the model's words.
            State::Call => match key {
                "sources" => {
                    let origin = build.origin(Source::Document.into());
                    here.to(State::Free).from(origin).kind(Kind::Text)
                }
                "type" => here.to(State::Free).name(),
                _ => here.to(State::Call),
            },
            State::Annotations => here.to(State::Annotation).part(),
            State::Annotation => match key {
                "type" | "file_id" | "container_id" => here.to(State::Free).name(),
                _ => here.to(State::Free),
            },
            State::Tools => self.tool(here, entry, build)?,
            State::Tool => match key {
                "tools" if entry.kind() == NodeKind::Array => here.to(State::Tools),
                // Credentials of a remote server.
                "headers" => here.to(State::Free).fixed(),
                _ => definition_field(key, here),
            },
            State::Definition => definition_field(key, here),
            State::Prompt => match key {
                "variables" => begin(here.to(State::Variables), Source::User.into(), build),
                "id" | "version" => here.to(State::Free).name(),
                _ => here.to(State::Free),
            },
            State::Variables => match entry.kind() {
                NodeKind::Object => self.part(here, entry)?,
                _ => here.to(State::Free).prose(),
            },
            State::Names | State::Free | State::Logprobs => here.to(here.state),
        })
    }
}
