//! Amazon Bedrock `Converse`: requests and replies.
//!
//! Fields are those of the Bedrock Runtime API description (`Converse`, 2023-09-30). A content block is an object whose
//! one key says what it is.

use std::collections::HashMap;

use bartizan_core::{Kind, OpaqueKind, Origin, Source, ToolCall, ToolDef};

use crate::error::WireError;
use crate::json::NodeKind;
use crate::openai::Mode;
use crate::visit::{Build, Dialect, Entry, Place, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Root,
    Messages,
    Message,
    /// A list of blocks.
    Blocks,
    Block,
    Guarded,
    /// Data in the body or a reference to it.
    Media(OpaqueKind),
    Source(OpaqueKind),
    ToolUse,
    ToolResult,
    Reasoning,
    ReasoningText,
    Citations,
    SearchResult,
    Quoted,
    ToolConfig,
    Tools,
    Tool,
    Spec,
    /// Inside a tool definition or schema.
    Definition,
    /// Everything is a name or number that the protocol enumerates.
    Names,
    /// Application data and unknown fields.
    Free,
    Output,
}

type Here = Place<State>;

/// The dialect.
#[derive(Debug)]
pub(crate) struct Converse {
    mode: Mode,
    /// Tool names by call id.
    names: HashMap<String, String>,
}

impl Converse {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, names: HashMap::new() }
    }

    fn request_field(key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        Ok(match key {
            "messages" => {
                entry.need(&[NodeKind::Array], "a list of messages")?;
                here.to(State::Messages)
            }
            "system" => {
                entry.need(&[NodeKind::Array, NodeKind::Null], "a list of blocks")?;
                let origin = build.origin(Source::System.into());
                let message = build.message(origin);
                Here { message: Some(message), ..here.to(State::Blocks).from(origin) }
            }
            "toolConfig" => {
                let origin = build.origin(Source::Definition.into());
                here.to(State::ToolConfig).from(origin)
            }
            // The provider fills in a prompt that it keeps; its variables are words of the application.
            "promptVariables" => free.stands_for(OpaqueKind::Reference),
            "guardrailConfig" | "inferenceConfig" | "performanceConfig" | "serviceTier" => here.to(State::Names).name(),
            _ => free,
        })
    }

    fn reply_field(key: &str, here: Here, build: &mut Build) -> Here {
        match key {
            "output" => here.to(State::Output),
            "stopReason" | "usage" | "metrics" | "performanceConfig" | "serviceTier" => {
                let parameter = build.origin(Source::Parameter.into());
                here.to(State::Names).from(parameter).name()
            }
            _ => here.to(State::Free),
        }
    }

    fn message(&self, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "an object with a role")?;
        let source = match entry.str("role").as_deref() {
            _ if self.mode != Mode::Request => Source::Model,
            Some("user") => Source::User,
            Some("assistant") => Source::Model,
            _ => return Err(entry.bad_member("role", "one of `user`, `assistant`")),
        };
        let origin = build.origin(source.into());
        let message = build.message(origin);
        Ok(Here { message: Some(message), ..here.to(State::Message).from(origin) })
    }

    /// A block of any list of blocks.
    fn block(&mut self, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        const KNOWN: [&str; 14] = [
            "text",
            "image",
            "document",
            "video",
            "audio",
            "toolUse",
            "toolResult",
            "guardContent",
            "cachePoint",
            "reasoningContent",
            "citationsContent",
            "searchResult",
            "json",
            "type",
        ];
        entry.need(&[NodeKind::Object], "a content block (an object)")?;
        let place = here.to(State::Block).part();
        let has = |key| entry.doc.get(entry.node, key);
        if let Some(call) = has("toolUse") {
            let text = |key| entry.doc.get_str(call, key).unwrap_or_default().into_owned();
            let (id, name) = (text("toolUseId"), text("name"));
            self.names.insert(id.clone(), name.clone());
            let arguments = entry.doc.get(call, "input").map_or("", |at| entry.doc.literal(at)).to_owned();
            build.call(here.message, ToolCall { id, name, arguments, provider: false });
        }
        if let Some(result) = has("toolResult") {
            let id = entry.doc.get_str(result, "toolUseId");
            let name = id.and_then(|id| self.names.get(id.as_ref()));
            let origin = name.map_or(Origin::new(Source::Tool), |name| Origin::tool(name));
            return Ok(begin(Here { nested: true, ..place }, origin, build));
        }
        if has("document").or(has("searchResult")).is_some() {
            return Ok(foreign(place, build));
        }
        let known = entry.doc.children(entry.node).all(|key| KNOWN.contains(&entry.doc.value(key).as_ref()));
        Ok(if known { place } else { place.stands_for(OpaqueKind::Unknown) })
    }

    fn block_field(key: &str, here: Here, entry: &Entry<'_, '_>) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        Ok(match key {
            "text" => {
                entry.need(&[NodeKind::String], "a string")?;
                free.prose()
            }
            "image" => here.to(State::Media(OpaqueKind::Image)),
            "audio" => here.to(State::Media(OpaqueKind::Audio)),
            "document" | "video" => here.to(State::Media(OpaqueKind::File)),
            "guardContent" => here.to(State::Guarded),
            "toolUse" => here.to(State::ToolUse),
            "toolResult" => here.to(State::ToolResult),
            "reasoningContent" => here.to(State::Reasoning).kind(Kind::Reasoning),
            "citationsContent" => here.to(State::Citations),
            "searchResult" => here.to(State::SearchResult),
            "json" => free.prose(),
            "cachePoint" => here.to(State::Names).name(),
            _ => free,
        })
    }
}

/// A place that begins a message of its own, because what is in it comes from elsewhere.
fn begin(place: Here, origin: Origin, build: &mut Build) -> Here {
    let origin = build.origin(origin);
    let message = build.message(origin);
    Here { message: Some(message), ..place.from(origin) }
}

/// A document or search result, unless it stands in something foreign already. Who attached it answers for what cannot
/// be read in it.
fn foreign(place: Here, build: &mut Build) -> Here {
    match build.source_at(place.origin) {
        Source::Tool | Source::Document => place,
        _ => Here { carrier: Some(place.origin), ..begin(place, Source::Document.into(), build) },
    }
}

fn definition_field(key: &str, here: Here) -> Here {
    let place = Here { kind: Kind::Text, editable: true, ..here.to(State::Definition) };
    match key {
        "name" | "type" | "$ref" | "$schema" => place.name(),
        _ => place,
    }
}

impl Dialect for Converse {
    type State = State;

    const CAMEL: bool = true;

    fn root(&mut self, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "an object")?;
        let request = self.mode == Mode::Request;
        if request && entry.doc.get(entry.node, "messages").is_none() {
            return Err(entry.bad_member("messages", "a list of messages"));
        }
        let origin = build.origin(if request { Source::Parameter } else { Source::Model }.into());
        Ok(Here::new(State::Root, origin))
    }

    fn is_free(&self, state: State) -> bool {
        matches!(state, State::Free | State::Definition | State::Names)
    }

    fn defined(&self, state: State) -> &'static [&'static str] {
        match state {
            State::Root if self.mode == Mode::Request => &[
                "messages",
                "system",
                "toolConfig",
                "inferenceConfig",
                "guardrailConfig",
                "additionalModelRequestFields",
                "promptVariables",
                "requestMetadata",
            ],
            State::Root => &["output", "stopReason", "usage", "metrics", "trace", "additionalModelResponseFields"],
            State::Message => &["role", "content"],
            State::Block => &[
                "text",
                "image",
                "document",
                "video",
                "audio",
                "toolUse",
                "toolResult",
                "guardContent",
                "cachePoint",
                "reasoningContent",
                "citationsContent",
                "searchResult",
                "json",
            ],
            State::Guarded => &["text", "image", "qualifiers"],
            State::Media(_) => &["format", "name", "source", "context", "citations"],
            State::Source(_) => &["bytes", "s3Location", "text", "content", "uri"],
            State::ToolUse => &["toolUseId", "name", "input"],
            State::ToolResult => &["toolUseId", "content", "status"],
            State::Reasoning => &["reasoningText", "redactedContent"],
            State::ReasoningText => &["text", "signature"],
            State::Citations => &["content", "citations"],
            State::SearchResult => &["source", "title", "content", "citations"],
            State::ToolConfig => &["tools", "toolChoice"],
            State::Tool => &["toolSpec", "cachePoint", "systemTool"],
            State::Spec => &["name", "description", "inputSchema"],
            State::Output => &["message"],
            State::Messages
            | State::Blocks
            | State::Quoted
            | State::Tools
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
        let free = here.to(State::Free);
        Ok(match here.state {
            State::Root if self.mode == Mode::Request => Self::request_field(key, here, entry, build)?,
            State::Root => Self::reply_field(key, here, build),
            State::Output => match key {
                "message" => self.message(here, entry, build)?,
                _ => free,
            },
            State::Messages => self.message(here, entry, build)?,
            State::Message => match key {
                "content" => {
                    entry.need(&[NodeKind::Array], "a list of blocks")?;
                    here.to(State::Blocks)
                }
                "role" => free.name(),
                _ => free,
            },
            State::Blocks => self.block(here, entry, build)?,
            State::Block => Self::block_field(key, here, entry)?,
            State::Guarded => match key {
                "text" if entry.kind() == NodeKind::Object => here.to(State::Guarded),
                "text" => free.prose(),
                "image" => here.to(State::Media(OpaqueKind::Image)),
                "qualifiers" => here.to(State::Names).name(),
                _ => free,
            },
            State::Media(kind) => match key {
                "source" => here.to(State::Source(kind)),
                "format" => free.name(),
                _ => free,
            },
            State::Source(kind) => match key {
                "bytes" => free.blob(kind),
                "s3Location" => free.fixed().stands_for(OpaqueKind::Reference),
                "content" => here.to(State::Blocks),
                "text" => free.prose(),
                _ => free,
            },
            State::ToolUse => match key {
                "toolUseId" | "name" | "type" => free.name(),
                "input" => free.arguments(),
                _ => free,
            },
            State::ToolResult => match key {
                "toolUseId" | "status" | "type" => free.name(),
                "content" => here.to(State::Blocks),
                _ => free,
            },
            State::Reasoning => match key {
                "reasoningText" => {
                    let place = here.to(State::ReasoningText);
                    if entry.doc.get(entry.node, "signature").is_some() { place.fixed() } else { place }
                }
                "redactedContent" => free.blob(OpaqueKind::EncryptedReasoning),
                _ => free,
            },
            State::ReasoningText => match key {
                "signature" => free.blob(OpaqueKind::EncryptedReasoning),
                _ => free,
            },
            State::Citations => match key {
                "content" => here.to(State::Blocks),
                "citations" => {
                    let origin = build.origin(Source::Document.into());
                    here.to(State::Quoted).from(origin)
                }
                _ => free,
            },
            State::SearchResult => match key {
                "content" => here.to(State::Blocks),
                "citations" => here.to(State::Names),
                _ => free,
            },
            State::ToolConfig => match key {
                "tools" => {
                    entry.need(&[NodeKind::Array, NodeKind::Null], "a list of tools")?;
                    here.to(State::Tools)
                }
                _ => here.to(State::Names).name(),
            },
            State::Tools => {
                entry.need(&[NodeKind::Object], "a tool (an object)")?;
                let place = here.to(State::Tool).part();
                match entry.doc.get(entry.node, "toolSpec") {
                    Some(spec) => {
                        let name = entry.doc.get_str(spec, "name").unwrap_or_default().into_owned();
                        build.tools.push(ToolDef { name, pointer: entry.pointer.to_owned() });
                        place
                    }
                    None if entry.doc.get(entry.node, "cachePoint").is_some() => place,
                    None => place.stands_for(OpaqueKind::ProviderTool),
                }
            }
            State::Tool => match key {
                "toolSpec" => here.to(State::Spec),
                _ => here.to(State::Names).name(),
            },
            State::Spec | State::Definition => definition_field(key, here),
            State::Quoted | State::Names | State::Free => here.to(here.state),
        })
    }
}
