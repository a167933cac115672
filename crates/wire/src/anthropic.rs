//! Anthropic messages: requests, replies and stream events.
//!
//! Block types are those of the official SDK's types, beta ones included. A type that is not known is reported as
//! such and read with the origin of its message.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bartizan_core::{Kind, OpaqueKind, Origin, Source, ToolCall, ToolDef};

use crate::error::WireError;
use crate::json::NodeKind;
use crate::openai::Mode;
use crate::stream::{Channel, ChannelPart};
use crate::visit::{Build, Dialect, Entry, Place, Step};

/// Most blocks of one stream that are remembered.
const MAX_BLOCKS: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Root,
    Messages,
    Message,
    /// A list of blocks.
    Blocks,
    Block(Block),
    Source(OpaqueKind),
    Tools,
    Tool,
    /// Inside a tool definition or schema.
    Definition,
    /// Everything is a name or number that the protocol enumerates.
    Names,
    /// Application data and unknown fields.
    Free,
    Servers,
    Server,
    Container,
    Skills,
    /// A delta of a stream.
    Delta,
    MessageDelta,
    /// The result object or list in a provider-side tool's result block.
    Result,
    Citations,
    Citation,
}

/// What a block is, as far as its fields read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Text,
    Media(OpaqueKind),
    /// Results and documents from elsewhere.
    Foreign,
    /// A result of a tool that ran at the provider.
    ProviderResult,
    Thinking,
    RedactedThinking,
    ToolUse,
    Upload,
    Compaction,
    Definitions,
    Unknown,
}

type Here = Place<State>;

/// The dialect. One value reads one body, or all events of one stream.
#[derive(Debug)]
pub(crate) struct Anthropic {
    mode: Mode,
    /// Tool (and its server) by call id.
    origins: HashMap<String, Origin>,
    /// What the open and closed blocks of a stream grow; `None` for those that come whole.
    blocks: BTreeMap<u32, Option<ChannelPart>>,
    index: u32,
}

impl Anthropic {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, origins: HashMap::new(), blocks: BTreeMap::new(), index: 0 }
    }

    /// What grows in the block with this index of a stream.
    pub(crate) fn block(&self, index: u32) -> Option<&ChannelPart> {
        self.blocks.get(&index).and_then(Option::as_ref)
    }

    fn root_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        if self.mode != Mode::Request {
            return self.reply_field(key, here, entry, build);
        }
        Ok(match key {
            "model" => {
                entry.read_model(build)?;
                free.name()
            }
            "messages" => {
                entry.need(&[NodeKind::Array], "a list of messages")?;
                here.to(State::Messages)
            }
            "system" => {
                entry
                    .need(&[NodeKind::String, NodeKind::Array, NodeKind::Null], "a string or a list of text blocks")?;
                let origin = build.origin(Source::System.into());
                let message = build.message(origin);
                Here { message: Some(message), ..here.to(State::Blocks).from(origin).prose() }
            }
            "stream" => {
                entry.read_stream(build)?;
                free
            }
            "tools" => {
                entry.need(&[NodeKind::Array, NodeKind::Null], "a list of tools")?;
                let origin = build.origin(Source::Definition.into());
                here.to(State::Tools).from(origin)
            }
            "output_config" | "output_format" => {
                let origin = build.origin(Source::Definition.into());
                here.to(State::Definition).from(origin)
            }
            "mcp_servers" => here.to(State::Servers),
            "container" => here.to(State::Container).name().stands_for(OpaqueKind::Reference),
            "tool_choice" | "thinking" | "service_tier" | "speed" | "inference_geo" | "cache_control" | "betas"
            | "workspace_id" => here.to(State::Names).name(),
            _ => free,
        })
    }

    fn reply_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        Ok(match key {
            "content" => {
                entry.need(&[NodeKind::Array, NodeKind::String, NodeKind::Null], "a list of blocks")?;
                let message = build.message(here.origin);
                Here { message: Some(message), ..here.to(State::Blocks).prose() }
            }
            "model" => {
                if entry.kind() == NodeKind::String {
                    build.model = entry.doc.value(entry.node).into_owned();
                }
                let parameter = build.origin(Source::Parameter.into());
                free.from(parameter).name()
            }
            "id" | "type" | "role" | "stop_reason" | "usage" | "container" | "request_id" => {
                let parameter = build.origin(Source::Parameter.into());
                here.to(State::Names).from(parameter).name()
            }
            _ => free,
        })
    }

    /// A field of a stream event.
    fn event_field(
        &mut self,
        key: &str,
        here: Here,
        entry: &Entry<'_, '_>,
        build: &mut Build,
    ) -> Result<Here, WireError> {
        Ok(match key {
            "message" => here.to(State::Root),
            "content_block" => {
                entry.need(&[NodeKind::Object], "a content block")?;
                self.begin_block(entry)?;
                let message = build.message(here.origin);
                self.block_of(Here { message: Some(message), ..here }, entry, build)?
            }
            "delta" if entry.sibling("type").as_deref() == Some("message_delta") => here.to(State::MessageDelta),
            "delta" => here.to(State::Delta),
            "type" | "index" | "usage" => {
                let parameter = build.origin(Source::Parameter.into());
                here.to(State::Names).from(parameter).name()
            }
            _ => here.to(State::Free),
        })
    }

    fn begin_block(&mut self, entry: &Entry<'_, '_>) -> Result<(), WireError> {
        let name = || Arc::from(entry.str("name").unwrap_or_default().as_ref());
        let part = match entry.str("type").as_deref() {
            Some("thinking" | "redacted_thinking") => Some(ChannelPart::Reasoning),
            Some("tool_use" | "server_tool_use" | "mcp_tool_use") => Some(ChannelPart::ToolArguments { name: name() }),
            Some("image" | "document" | "search_result" | "container_upload" | "tool_reference") => None,
            Some(kind) if kind.ends_with("tool_result") => None,
            _ => Some(ChannelPart::Text),
        };
        if self.blocks.len() >= MAX_BLOCKS {
            return Err(WireError::Stream("too many content blocks"));
        }
        // A second start with another name would split one call into two channels.
        if self.blocks.insert(self.index, part).is_some() {
            return Err(WireError::Stream("a content block that begins twice"));
        }
        Ok(())
    }

    fn delta_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Here {
        let free = here.to(State::Free);
        let known = self.block(self.index);
        match key {
            "text" | "content" => self.piece(free.prose(), ChannelPart::Text, entry, build),
            "thinking" => self.piece(free.kind(Kind::Reasoning), ChannelPart::Reasoning, entry, build),
            "partial_json" => {
                let part = match known {
                    Some(part @ ChannelPart::ToolArguments { .. }) => part.clone(),
                    _ => ChannelPart::ToolArguments { name: Arc::from("") },
                };
                self.piece(free.arguments(), part, entry, build)
            }
            "signature" | "encrypted_content" => free.blob(OpaqueKind::EncryptedReasoning),
            "citation" => citation(here, build),
            "type" => free.name(),
            _ => free,
        }
    }

    /// Marks a string as a piece of a channel where a stream is read.
    fn piece(&self, place: Here, part: ChannelPart, entry: &Entry<'_, '_>, build: &mut Build) -> Here {
        if self.mode != Mode::Stream || entry.kind() != NodeKind::String {
            return place;
        }
        let channel = build.channel(Channel { choice: 0, block: self.index, part });
        Here { channel: Some(channel), nested: false, editable: true, ..place }
    }

    /// The same for what a block of a stream begins with. Blocks in a block, and those that come from elsewhere, come
    /// whole.
    fn first_piece(
        &self,
        block: Block,
        place: Here,
        part: ChannelPart,
        entry: &Entry<'_, '_>,
        build: &mut Build,
    ) -> Here {
        let grows = matches!(block, Block::Text | Block::Thinking | Block::Compaction | Block::Unknown);
        let own = entry.pointer.strip_prefix("/content_block/").is_some_and(|key| !key.contains('/'));
        if grows && own { self.piece(place, part, entry, build) } else { place }
    }

    fn message(&self, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "an object with a role")?;
        let source = match entry.str("role").as_deref() {
            Some("user") => Source::User,
            Some("assistant") => Source::Model,
            Some("system") => Source::System,
            _ => return Err(entry.bad_member("role", "one of `user`, `assistant`, `system`")),
        };
        let origin = build.origin(source.into());
        let message = build.message(origin);
        Ok(Here { message: Some(message), ..here.to(State::Message).from(origin) })
    }

    /// A block of any list of blocks.
    fn block_of(&mut self, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "a content block (an object with a type)")?;
        let kind = entry.str("type");
        let place = |block| here.to(State::Block(block)).part();
        Ok(match kind.as_deref() {
            Some("text") => place(Block::Text),
            Some("image") => place(Block::Media(OpaqueKind::Image)),
            Some("document") => foreign(place(Block::Media(OpaqueKind::File)), build),
            Some("search_result") => foreign(place(Block::Foreign), build),
            Some("thinking") => place(Block::Thinking).kind(Kind::Reasoning).fixed(),
            Some("redacted_thinking") => place(Block::RedactedThinking),
            Some("tool_use" | "server_tool_use" | "mcp_tool_use") => {
                self.call(here, entry, build);
                place(Block::ToolUse)
            }
            Some("tool_result" | "mcp_tool_result") => {
                let origin = self.result_origin(entry, None);
                let place = begin(place(Block::Foreign), origin, build);
                Here { nested: true, ..place }
            }
            Some(kind) if kind.ends_with("_tool_result") => {
                let origin = self.result_origin(entry, kind.strip_suffix("_tool_result"));
                let place = begin(place(Block::ProviderResult), origin, build);
                Here { nested: true, ..place }
            }
            Some("container_upload") => place(Block::Upload),
            Some("compaction") => place(Block::Compaction),
            Some("tool_reference" | "browser_state" | "web_fetch_result" | "fallback") => place(Block::Foreign),
            Some("mcp_tool_listing" | "tool_addition" | "tool_removal") => {
                let origin = build.origin(Source::Definition.into());
                place(Block::Definitions).from(origin)
            }
            _ => place(Block::Unknown).stands_for(OpaqueKind::Unknown),
        })
    }

    fn call(&mut self, here: Here, entry: &Entry<'_, '_>, build: &mut Build) {
        let name = entry.str("name").unwrap_or_default().into_owned();
        let id = entry.str("id").unwrap_or_default().into_owned();
        if !id.is_empty() {
            let server = entry.str("server_name").map(|s| Arc::from(s.as_ref()));
            self.origins.insert(id.clone(), Origin { server, ..Origin::tool(&name) });
        }
        let arguments = match entry.doc.get(entry.node, "input") {
            Some(at) if entry.doc.kind(at) == Some(NodeKind::String) => entry.doc.value(at).into_owned(),
            Some(at) => entry.doc.literal(at).to_owned(),
            None => String::new(),
        };
        let provider = entry.str("type").as_deref() != Some("tool_use");
        let call = ToolCall { id, name, arguments, provider };
        if self.mode == Mode::Stream {
            // A block that begins goes on in pieces; one in a list of blocks is all of it.
            let begins = entry.pointer == "/content_block";
            build.call_part(0, if begins { self.index } else { u32::MAX }, call, !begins);
            return;
        }
        build.call(here.message, call);
    }

    fn result_origin(&self, entry: &Entry<'_, '_>, fallback: Option<&str>) -> Origin {
        match (entry.str("tool_use_id").and_then(|id| self.origins.get(id.as_ref())), fallback) {
            (Some(origin), _) => origin.clone(),
            (None, Some(name)) => Origin::tool(name),
            (None, None) => Origin::new(Source::Tool),
        }
    }

    fn block_field(
        &mut self,
        key: &str,
        block: Block,
        here: Here,
        entry: &Entry<'_, '_>,
        build: &mut Build,
    ) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        Ok(match (key, block) {
            ("type" | "id" | "tool_use_id" | "name" | "server_name" | "tool_name" | "toolset_name", _)
                if block != Block::Definitions =>
            {
                free.name()
            }
            ("cache_control" | "caller", _) => here.to(State::Names).name(),
            ("text", _) => {
                entry.need(&[NodeKind::String], "a string")?;
                self.first_piece(block, free.prose(), ChannelPart::Text, entry, build)
            }
            ("thinking", _) => {
                self.first_piece(block, free.kind(Kind::Reasoning), ChannelPart::Reasoning, entry, build)
            }
            ("signature" | "encrypted_content" | "encrypted_stdout", _) | ("data", Block::RedactedThinking) => {
                free.blob(OpaqueKind::EncryptedReasoning)
            }
            ("source", Block::Media(kind)) => here.to(State::Source(kind)),
            ("content", Block::ProviderResult) => match entry.kind() {
                NodeKind::String => free.prose(),
                _ => here.to(State::Result),
            },
            ("content", Block::Compaction) if entry.kind() == NodeKind::String => {
                self.first_piece(block, free.prose(), ChannelPart::Text, entry, build)
            }
            ("content", _) => {
                entry.need(
                    &[NodeKind::String, NodeKind::Array, NodeKind::Object, NodeKind::Null],
                    "a string or blocks",
                )?;
                match entry.kind() {
                    NodeKind::Object => self.block_of(here, entry, build)?,
                    _ => here.to(State::Blocks).prose(),
                }
            }
            ("input", Block::ToolUse) => free.arguments(),
            ("citations", _) => {
                let origin = build.origin(Source::Document.into());
                match build.source_at(here.origin) {
                    Source::Tool => here.to(State::Citations),
                    _ => here.to(State::Citations).from(origin),
                }
            }
            ("file_id", _) => free.name().stands_for(OpaqueKind::Reference),
            (_, Block::Definitions) => definition_field(key, here),
            _ => free,
        })
    }

    /// A field of what a provider-side tool returned.
    fn result_field(&self, key: &str, here: Here) -> Here {
        let free = here.to(State::Result);
        match key {
            "type" | "tool_use_id" | "error_code" | "file_type" | "tool_name" => free.name(),
            "encrypted_content" | "encrypted_stdout" => free.blob(OpaqueKind::EncryptedReasoning),
            "file_id" => free.name().stands_for(OpaqueKind::Reference),
            "source" => here.to(State::Source(OpaqueKind::File)),
            "text" | "stdout" | "stderr" | "content" => free.prose(),
            _ => free,
        }
    }

    fn tool(&self, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "a tool (an object)")?;
        let place = here.to(State::Tool).part();
        let name = entry.str("name").unwrap_or_default().into_owned();
        match entry.str("type").as_deref() {
            None | Some("custom") => {}
            Some(kind) if client_side(kind, entry) => {}
            Some(_) => return Ok(place.stands_for(OpaqueKind::ProviderTool)),
        }
        build.tools.push(ToolDef { name, pointer: entry.pointer.to_owned() });
        Ok(place)
    }
}

/// Tools that the client runs: those whose form the provider defines (`bash_20250124`), and those with a schema of their
/// own.
fn client_side(kind: &str, entry: &Entry<'_, '_>) -> bool {
    const DEFINED: [&str; 4] = ["bash_", "text_editor_", "computer_", "memory_"];
    let dated = |prefix: &str| kind.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    let own = kind == "function" && entry.doc.get(entry.node, "input_schema").is_some();
    own || DEFINED.iter().any(|prefix| dated(prefix))
}

/// A place that begins a message of its own, because what is in it comes from elsewhere.
fn begin(place: Here, origin: Origin, build: &mut Build) -> Here {
    let origin = build.origin(origin);
    let message = build.message(origin);
    Here { message: Some(message), ..place.from(origin) }
}

/// A document or search result, unless it stands in something foreign already. Who attached it answers for what
/// cannot be read in it.
fn foreign(place: Here, build: &mut Build) -> Here {
    match build.source_at(place.origin) {
        Source::Tool | Source::Document => place,
        _ => Here { carrier: Some(place.origin), ..begin(place, Source::Document.into(), build) },
    }
}

fn citation(here: Here, build: &mut Build) -> Here {
    let origin = build.origin(Source::Document.into());
    here.to(State::Citation).from(origin).part()
}

fn definition_field(key: &str, here: Here) -> Here {
    let place = Here { kind: Kind::Text, editable: true, ..here.to(State::Definition) };
    match key {
        "name" | "type" | "$ref" | "$schema" => place.name(),
        _ => place,
    }
}

impl Dialect for Anthropic {
    type State = State;

    fn root(&mut self, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "an object")?;
        let source = if self.mode == Mode::Request { Source::Parameter } else { Source::Model };
        let origin = build.origin(source.into());
        if self.mode == Mode::Request && entry.doc.get(entry.node, "messages").is_none() {
            return Err(entry.bad_member("messages", "a list of messages"));
        }
        if self.mode == Mode::Stream {
            self.index = entry.index("index")?.unwrap_or(0);
        }
        Ok(Here::new(State::Root, origin))
    }

    fn is_free(&self, state: State) -> bool {
        matches!(state, State::Free | State::Definition | State::Names)
    }

    fn defined(&self, state: State) -> &'static [&'static str] {
        match state {
            State::Root if self.mode == Mode::Request => &[
                "model",
                "messages",
                "system",
                "stream",
                "tools",
                "tool_choice",
                "max_tokens",
                "metadata",
                "stop_sequences",
                "thinking",
                "output_config",
                "output_format",
                "mcp_servers",
                "container",
                "context_management",
                "betas",
            ],
            // Of a reply, and of the events of one.
            State::Root => &[
                "id",
                "type",
                "role",
                "model",
                "content",
                "stop_reason",
                "stop_sequence",
                "usage",
                "error",
                "container",
                "message",
                "index",
                "content_block",
                "delta",
            ],
            State::Message => &["role", "content"],
            State::Block(_) => &[
                "type",
                "id",
                "tool_use_id",
                "name",
                "server_name",
                "text",
                "thinking",
                "signature",
                "data",
                "source",
                "content",
                "input",
                "citations",
                "file_id",
                "title",
                "context",
                "is_error",
                "encrypted_content",
                "encrypted_stdout",
                "cache_control",
            ],
            State::Source(_) => &["type", "media_type", "data", "url", "file_id", "content"],
            State::Tool => &["type", "name", "description", "input_schema", "cache_control"],
            State::Server => &["type", "url", "name", "authorization_token", "tool_configuration"],
            State::Container => &["id", "skills"],
            State::Delta => {
                &["type", "text", "content", "thinking", "partial_json", "signature", "encrypted_content", "citation"]
            }
            State::MessageDelta => &["stop_reason", "stop_sequence", "container"],
            State::Result => &[
                "type",
                "content",
                "source",
                "text",
                "stdout",
                "stderr",
                "title",
                "url",
                "file_id",
                "error_code",
                "encrypted_content",
                "encrypted_stdout",
            ],
            State::Citations => &["enabled"],
            State::Citation => &["type", "cited_text", "encrypted_index", "file_id", "title", "url", "document_title"],
            State::Messages
            | State::Blocks
            | State::Tools
            | State::Servers
            | State::Skills
            | State::Definition
            | State::Names
            | State::Free => &[],
        }
    }

    fn enter(&mut self, parent: &Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let here = *parent;
        let key = match entry.step {
            Step::Key(key) => key,
            Step::Index(_) | Step::Root => "",
        };
        Ok(match here.state {
            // The root of an event, and not the message in it.
            State::Root if self.mode == Mode::Stream && entry.pointer.rfind('/') == Some(0) => {
                self.event_field(key, here, entry, build)?
            }
            State::Root => self.root_field(key, here, entry, build)?,
            State::Messages => self.message(here, entry, build)?,
            State::Message => match key {
                "content" => {
                    entry.need(&[NodeKind::String, NodeKind::Array], "a string or a list of blocks")?;
                    here.to(State::Blocks).prose()
                }
                "role" => here.to(State::Free).name(),
                _ => here.to(State::Free),
            },
            State::Blocks => self.block_of(here, entry, build)?,
            State::Block(block) => self.block_field(key, block, here, entry, build)?,
            State::Source(kind) => match key {
                // Plain text documents have the same field.
                "data" if entry.sibling("type").as_deref() == Some("text") => here.to(State::Free).prose(),
                "data" => here.to(State::Free).blob(kind),
                "url" => here.to(State::Free).stands_for(OpaqueKind::Reference),
                "file_id" => here.to(State::Free).name().stands_for(OpaqueKind::Reference),
                "content" => here.to(State::Blocks).prose(),
                "type" | "media_type" => here.to(State::Free).name(),
                _ => here.to(State::Free),
            },
            State::Result => match entry.step {
                Step::Key(key) => self.result_field(key, here),
                _ => here.to(State::Result).part(),
            },
            State::Citations => match entry.step {
                Step::Key(_) => here.to(State::Names).name(),
                _ => here.to(State::Citation).part(),
            },
            State::Citation => match key {
                "encrypted_index" => here.to(State::Free).blob(OpaqueKind::EncryptedReasoning),
                "file_id" => here.to(State::Free).name().stands_for(OpaqueKind::Reference),
                "type" => here.to(State::Free).name(),
                _ => here.to(State::Free),
            },
            State::Tools => self.tool(here, entry, build)?,
            State::Tool | State::Definition => definition_field(key, here),
            State::Servers => here.to(State::Server).part().stands_for(OpaqueKind::Reference),
            // Addresses and credentials are the request's own: a change would break the connection.
            State::Server => match key {
                "type" | "name" => here.to(State::Free).name(),
                _ => here.to(State::Free).fixed(),
            },
            State::Container => match key {
                "skills" => here.to(State::Skills),
                _ => here.to(State::Names),
            },
            State::Skills => here.to(State::Names).part().stands_for(OpaqueKind::Reference),
            State::Delta => self.delta_field(key, here, entry, build),
            State::MessageDelta => match key {
                "stop_reason" | "container" => here.to(State::Names).name(),
                _ => here.to(State::Free),
            },
            State::Names | State::Free => here.to(here.state),
        })
    }
}
