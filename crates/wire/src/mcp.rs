//! Messages of the Model Context Protocol (2025-11-25 and 2026-07-28): one JSON-RPC message.
//!
//! What a server says goes to the model, so it is read as a request is; what a client says was written by the model, so
//! it is read as a reply is. A result does not say what it is the result of: the caller says so with [`Rpc`], and without
//! one everything counts as the result of a tool, which may instruct least of all.

use std::sync::Arc;

use bartizan_core::{Direction, Kind, OpaqueKind, Origin, Rpc, Source, ToolCall, ToolDef};

use crate::error::WireError;
use crate::json::NodeKind;
use crate::visit::{Build, Dialect, Entry, Place, Step};

/// Where the visitor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Root,
    Params,
    Result,
    /// A list whose elements are definitions with names.
    Tools,
    Tool,
    Definition,
    Blocks,
    Block(Block),
    /// The contents of a resource, in a list or alone.
    Contents,
    Resource,
    Messages,
    Message,
    Names,
    Free,
}

/// Types of content blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Text,
    Media(OpaqueKind),
    Resource,
    Link,
    Unknown,
}

type Here = Place<State>;

/// The dialect of one message.
#[derive(Debug)]
pub(crate) struct Mcp {
    direction: Direction,
    rpc: Rpc,
}

impl Mcp {
    pub(crate) const fn new(direction: Direction, rpc: Rpc) -> Self {
        Self { direction, rpc }
    }

    fn origin(&self, source: Source) -> Origin {
        let server = Some(&self.rpc.server).filter(|name| !name.is_empty()).map(Arc::clone);
        Origin { source, server, tool: self.rpc.tool.clone(), field: None }
    }

    /// Who has written the body of a message.
    fn author(&self) -> Source {
        let method = &*self.rpc.method;
        match self.direction {
            Direction::Request => match method {
                "resources/read" => Source::Document,
                _ if is_definition(method) => Source::Definition,
                _ => Source::Tool,
            },
            Direction::Reply => match method {
                "tools/call" | "sampling/createMessage" => Source::Model,
                "elicitation/create" | "prompts/get" | "completion/complete" => Source::User,
                _ => Source::Parameter,
            },
        }
    }

    fn root_field(&self, key: &str, here: Here, build: &mut Build) -> Here {
        match key {
            "jsonrpc" | "id" | "method" => {
                let parameter = build.origin(Source::Parameter.into());
                here.to(State::Names).from(parameter).name()
            }
            "params" => here.to(State::Params),
            "result" => here.to(State::Result),
            _ => here.to(State::Free),
        }
    }

    fn params_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        let parameter = |build: &mut Build| build.origin(self.origin(Source::Parameter));
        Ok(match (key, &*self.rpc.method) {
            ("_meta", _) => {
                let parameter = parameter(build);
                here.to(State::Names).from(parameter)
            }
            ("name", "tools/call") if self.direction == Direction::Reply => {
                entry.need(&[NodeKind::String], "the name of a tool")?;
                let arguments = entry.doc.get(entry.parent, "arguments").map_or("", |at| entry.doc.literal(at));
                let name = entry.doc.value(entry.node).into_owned();
                let message = build.message(here.origin);
                build.call(
                    Some(message),
                    ToolCall { id: String::new(), name, arguments: arguments.to_owned(), provider: false },
                );
                let parameter = parameter(build);
                free.from(parameter).name()
            }
            ("arguments", "tools/call") if self.direction == Direction::Reply => {
                entry.need(&[NodeKind::Object, NodeKind::Null], "an object of arguments")?;
                free.arguments()
            }
            ("name", _) => free.name(),
            ("messages", "sampling/createMessage") => here.to(State::Messages),
            _ => free,
        })
    }

    fn result_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Here {
        let free = here.to(State::Free);
        if is_definition(&self.rpc.method) && self.direction == Direction::Request {
            return match key {
                "tools" => here.to(State::Tools),
                "messages" if &*self.rpc.method == "prompts/get" => here.to(State::Messages),
                "protocolVersion" | "nextCursor" => free.name(),
                _ => here.to(State::Definition),
            };
        }
        match (key, entry.kind()) {
            // A client's answer to a request for sampling has one block, others have a list.
            ("content", NodeKind::Array | NodeKind::Object) => {
                let message = build.message(here.origin);
                Here { message: Some(message), ..here.to(State::Blocks).prose() }
            }
            ("contents", NodeKind::Array) => here.to(State::Contents),
            ("structuredContent", _) => Here { nested: true, ..free },
            _ => free,
        }
    }

    fn block(here: Here, entry: &Entry<'_, '_>) -> Here {
        let place = |block| here.to(State::Block(block)).part();
        match entry.str("type").as_deref() {
            Some("text") => place(Block::Text),
            Some("image") => place(Block::Media(OpaqueKind::Image)),
            Some("audio") => place(Block::Media(OpaqueKind::Audio)),
            Some("resource") => place(Block::Resource),
            Some("resource_link") => place(Block::Link),
            // Blocks of sampling; what they hold is read like the rest.
            Some("tool_use" | "tool_result") => place(Block::Text),
            _ => place(Block::Unknown).stands_for(OpaqueKind::Unknown),
        }
    }

    fn block_field(block: Block, key: &str, here: Here) -> Here {
        let free = here.to(State::Free);
        match (key, block) {
            ("type" | "mimeType", _) => free.name(),
            ("text", _) => Here { nested: true, ..free.prose() },
            ("data", Block::Media(kind)) => free.blob(kind),
            ("resource", Block::Resource) => here.to(State::Resource),
            ("content", Block::Text) => here.to(State::Blocks).prose(),
            _ => free,
        }
    }
}

/// True for methods whose results say what there is, and not what came out.
fn is_definition(method: &str) -> bool {
    matches!(
        method,
        "initialize"
            | "server/discover"
            | "tools/list"
            | "prompts/list"
            | "prompts/get"
            | "resources/list"
            | "resources/templates/list"
    )
}

impl Dialect for Mcp {
    type State = State;

    const CAMEL: bool = true;

    fn root(&mut self, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "one message (an object)")?;
        let origin = build.origin(self.origin(self.author()));
        Ok(Here::new(State::Root, origin))
    }

    fn is_free(&self, state: State) -> bool {
        matches!(state, State::Free | State::Definition | State::Names)
    }

    fn defined(&self, state: State) -> &'static [&'static str] {
        match state {
            State::Root => &["jsonrpc", "id", "method", "params", "result", "error"],
            State::Params => &["_meta", "name", "arguments", "messages", "uri", "cursor", "requestState"],
            State::Result => &[
                "_meta",
                "content",
                "contents",
                "structuredContent",
                "isError",
                "tools",
                "prompts",
                "resources",
                "resourceTemplates",
                "messages",
                "instructions",
                "nextCursor",
                "resultType",
                "inputRequests",
            ],
            State::Tool => {
                &["name", "title", "description", "inputSchema", "outputSchema", "annotations", "icons", "_meta"]
            }
            State::Block(_) => &["type", "text", "data", "mimeType", "resource", "uri", "annotations", "_meta"],
            State::Resource => &["uri", "text", "blob", "mimeType", "_meta"],
            State::Message => &["role", "content"],
            State::Tools
            | State::Definition
            | State::Blocks
            | State::Contents
            | State::Messages
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
            State::Root => self.root_field(key, here, build),
            State::Params => self.params_field(key, here, entry, build)?,
            State::Result => self.result_field(key, here, entry, build),
            State::Tools => {
                entry.need(&[NodeKind::Object], "a tool (an object)")?;
                let name = entry.str("name").unwrap_or_default().into_owned();
                build.tools.push(ToolDef { name, pointer: entry.pointer.to_owned() });
                here.to(State::Tool)
            }
            State::Tool | State::Definition => match key {
                "name" | "type" | "$ref" | "$schema" | "mimeType" => definition(here).name(),
                _ => definition(here),
            },
            State::Blocks => match entry.step {
                Step::Index(_) => Self::block(here, entry),
                // A list of one block may be written as the block.
                _ => Self::lone_block_field(key, here, entry),
            },
            State::Block(block) => Self::block_field(block, key, here),
            State::Contents => here.to(State::Resource).part(),
            State::Resource => match key {
                "mimeType" => here.to(State::Free).name(),
                "blob" => here.to(State::Free).blob(OpaqueKind::File),
                "text" => Here { nested: true, ..here.to(State::Free).prose() },
                _ => here.to(State::Free),
            },
            State::Messages => {
                let message = build.message(here.origin);
                Here { message: Some(message), ..here.to(State::Message) }
            }
            State::Message => match key {
                "role" => here.to(State::Free).name(),
                "content" => here.to(State::Blocks).prose(),
                _ => here.to(State::Free),
            },
            State::Names | State::Free => here.to(here.state),
        })
    }
}

impl Mcp {
    fn lone_block_field(key: &str, here: Here, entry: &Entry<'_, '_>) -> Here {
        let kind = entry.sibling("type");
        let block = match kind.as_deref() {
            Some("image") => Block::Media(OpaqueKind::Image),
            Some("audio") => Block::Media(OpaqueKind::Audio),
            Some("resource") => Block::Resource,
            _ => Block::Text,
        };
        Self::block_field(block, key, here)
    }
}

fn definition(here: Here) -> Here {
    Here { kind: Kind::Text, editable: true, ..here.to(State::Definition) }
}
