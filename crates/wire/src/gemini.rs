//! Google Gemini `generateContent`, `streamGenerateContent` and `countTokens`: requests, replies and stream events.
//!
//! Fields are those of the public API's description (generativelanguage `v1beta`). Protocol buffers in JSON may write a
//! field in camel or in snake case; both are read, and both at once are refused.

use std::borrow::Cow;
use std::collections::HashMap;

use bartizan_core::{Kind, OpaqueKind, Origin, Source, ToolCall, ToolDef};

use crate::error::{WireError, shown};
use crate::json::{Doc, NodeKind, encode};
use crate::openai::Mode;
use crate::stream::{Channel, ChannelPart};
use crate::visit::{Build, Dialect, Entry, Place, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Root,
    Contents,
    Content,
    Parts,
    Part,
    /// Data in the body.
    Media(OpaqueKind),
    FileData,
    Call,
    Response,
    Ran,
    Tools,
    Tool,
    Declarations,
    /// Inside a function declaration or schema.
    Definition,
    Config,
    Candidates,
    Candidate,
    Logprobs,
    /// Everything is a name or number that the protocol enumerates.
    Names,
    /// Application data and unknown fields.
    Free,
}

type Here = Place<State>;

/// The dialect. One value reads one body, or all events of one stream.
#[derive(Debug)]
pub(crate) struct Gemini {
    mode: Mode,
    /// Tool names by call id.
    names: HashMap<String, String>,
    candidate: u32,
}

/// Fields that say what a part is.
const PART: [&str; 9] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "thoughtSignature",
    "thought",
];

impl Gemini {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, names: HashMap::new(), candidate: 0 }
    }

    fn request_field(key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        let definition = |build: &mut Build| build.origin(Source::Definition.into());
        Ok(match key {
            "model" => {
                entry.read_model(build)?;
                free.name()
            }
            "contents" => {
                entry.need(&[NodeKind::Array], "a list of contents")?;
                here.to(State::Contents)
            }
            "systemInstruction" => {
                entry.need(&[NodeKind::Object, NodeKind::Null], "an object with parts")?;
                let origin = build.origin(Source::System.into());
                let message = build.message(origin);
                Here { message: Some(message), ..here.to(State::Content).from(origin) }
            }
            "tools" => {
                entry.need(&[NodeKind::Array, NodeKind::Null], "a list of tools")?;
                let origin = definition(build);
                here.to(State::Tools).from(origin)
            }
            "generationConfig" => here.to(State::Config),
            "cachedContent" => free.name().stands_for(OpaqueKind::Reference),
            "generateContentRequest" => {
                entry.need(&[NodeKind::Object], "a request")?;
                here.to(State::Root)
            }
            "toolConfig" | "safetySettings" | "serviceTier" => here.to(State::Names).name(),
            _ => free,
        })
    }

    fn reply_field(key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        Ok(match key {
            "candidates" => {
                entry.need(&[NodeKind::Array, NodeKind::Null], "a list of candidates")?;
                here.to(State::Candidates)
            }
            "modelVersion" => {
                entry.read_model(build)?;
                let parameter = build.origin(Source::Parameter.into());
                here.to(State::Names).from(parameter).name()
            }
            "usageMetadata" | "responseId" | "createTime" | "promptFeedback" | "modelStatus" => {
                let parameter = build.origin(Source::Parameter.into());
                here.to(State::Names).from(parameter).name()
            }
            _ => here.to(State::Free),
        })
    }

    /// A turn of the conversation.
    fn content(here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "an object with a role and parts")?;
        let source = match (entry.str("role").as_deref(), member(entry, "role")) {
            (Some("user"), _) | (None, None) => Source::User,
            (Some("model"), _) => Source::Model,
            (Some("function" | "tool"), _) => Source::Tool,
            _ => return Err(entry.bad_member("role", "one of `user`, `model`, `function`")),
        };
        let origin = build.origin(source.into());
        let message = build.message(origin);
        Ok(Here { message: Some(message), ..here.to(State::Content).from(origin) })
    }

    fn part(&mut self, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "a part (an object)")?;
        let thought = member(entry, "thought").is_some_and(|at| entry.doc.literal(at) == "true");
        let signed = PART.get(7).is_some_and(|key| any_case(entry, key).is_some());
        let mut place = here.to(State::Part).part();
        if thought {
            place = place.kind(Kind::Reasoning);
            // What the model signed comes back as it was.
            place.editable = !(signed && self.mode == Mode::Request);
        }
        if let Some(call) = any_case(entry, "functionCall") {
            self.call(here, call, entry, build);
        }
        if let Some(response) = any_case(entry, "functionResponse") {
            let name = match entry.doc.get_str(response, "id").and_then(|id| self.names.get(id.as_ref()).cloned()) {
                Some(name) => name,
                None => entry.doc.get_str(response, "name").unwrap_or_default().into_owned(),
            };
            let origin = if name.is_empty() { Origin::new(Source::Tool) } else { Origin::tool(&name) };
            return Ok(begin(Here { nested: true, ..place }, origin, build));
        }
        if any_case(entry, "codeExecutionResult").is_some() {
            return Ok(begin(place, Origin::tool("code_execution"), build));
        }
        let known = PART.iter().any(|key| any_case(entry, key).is_some());
        Ok(if known { place } else { place.stands_for(OpaqueKind::Unknown) })
    }

    fn call(&mut self, here: Here, call: usize, entry: &Entry<'_, '_>, build: &mut Build) {
        let name = entry.doc.get_str(call, "name").unwrap_or_default().into_owned();
        let id = entry.doc.get_str(call, "id").unwrap_or_default().into_owned();
        if !id.is_empty() && self.mode == Mode::Request {
            self.names.insert(id.clone(), name.clone());
        }
        let arguments = entry.doc.get(call, "args").map_or("", |at| entry.doc.literal(at)).to_owned();
        let call = ToolCall { id, name, arguments, provider: false };
        if self.mode == Mode::Stream {
            build.call_part(self.candidate, 0, call, true);
            return;
        }
        build.call(here.message, call);
    }

    fn part_field(&self, key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let free = here.to(State::Free);
        // By field: a part has no type.
        Ok(match key {
            "text" => {
                entry.need(&[NodeKind::String], "a string")?;
                let part = if here.kind == Kind::Reasoning { ChannelPart::Reasoning } else { ChannelPart::Text };
                let place = if here.kind == Kind::Reasoning { free } else { free.prose() };
                self.piece(place, part, build)
            }
            "inlineData" => {
                let media = any_case_of(entry.doc, entry.node, "mimeType").map(|at| entry.doc.value(at));
                let kind = match media.as_deref().and_then(|m| m.split('/').next()) {
                    Some("image") => OpaqueKind::Image,
                    Some("audio") => OpaqueKind::Audio,
                    _ => OpaqueKind::File,
                };
                here.to(State::Media(kind))
            }
            "fileData" => here.to(State::FileData),
            "functionCall" => here.to(State::Call),
            "functionResponse" => here.to(State::Response),
            "executableCode" | "codeExecutionResult" => here.to(State::Ran),
            "thoughtSignature" => free.blob(OpaqueKind::EncryptedReasoning),
            "videoMetadata" | "mediaResolution" => here.to(State::Names).name(),
            _ => free,
        })
    }

    /// Marks a string as a piece of a channel where a stream is read.
    fn piece(&self, place: Here, part: ChannelPart, build: &mut Build) -> Here {
        if self.mode != Mode::Stream {
            return place;
        }
        let channel = build.channel(Channel { choice: self.candidate, block: 0, part });
        Here { channel: Some(channel), nested: false, editable: true, ..place }
    }

    fn tool(here: Here, entry: &Entry<'_, '_>) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "a tool (an object)")?;
        let place = here.to(State::Tool).part();
        // The client drives a computer itself; everything else runs at the provider.
        let own = |key: usize| matches!(camel(&entry.doc.value(key)).as_ref(), "functionDeclarations" | "computerUse");
        let provider = entry.doc.children(entry.node).any(|key| !own(key));
        Ok(if provider { place.stands_for(OpaqueKind::ProviderTool) } else { place })
    }

    fn candidate_field(key: &str, here: Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        Ok(match key {
            "content" => {
                entry.need(&[NodeKind::Object, NodeKind::Null], "an object with parts")?;
                let message = build.message(here.origin);
                Here { message: Some(message), ..here.to(State::Content) }
            }
            "finishReason" | "index" | "safetyRatings" | "avgLogprobs" | "tokenCount" => here.to(State::Names).name(),
            // Tokens repeat the content: a rewrite of the content takes them out.
            "logprobsResult" => Here { token: true, ..here.to(State::Logprobs).name() },
            // What is quoted there comes from elsewhere.
            "citationMetadata" | "groundingMetadata" | "groundingAttributions" | "urlContextMetadata" => {
                let origin = build.origin(Source::Document.into());
                here.to(State::Free).from(origin)
            }
            _ => here.to(State::Free),
        })
    }
}

/// A place that begins a message of its own, because what is in it comes from elsewhere.
fn begin(place: Here, origin: Origin, build: &mut Build) -> Here {
    let origin = build.origin(origin);
    let message = build.message(origin);
    Here { message: Some(message), ..place.from(origin) }
}

fn member(entry: &Entry<'_, '_>, key: &str) -> Option<usize> {
    entry.doc.get(entry.node, key)
}

/// A member whose key is written in camel or in snake case.
fn any_case(entry: &Entry<'_, '_>, key: &str) -> Option<usize> {
    any_case_of(entry.doc, entry.node, key)
}

fn any_case_of(doc: &Doc<'_>, object: usize, key: &str) -> Option<usize> {
    doc.get(object, key).or_else(|| match snake(key) {
        Cow::Owned(snake) => doc.get(object, &snake),
        Cow::Borrowed(_) => None,
    })
}

/// `inlineData` for `inline_data`.
fn camel(key: &str) -> Cow<'_, str> {
    if !key.contains('_') {
        return Cow::Borrowed(key);
    }
    let mut out = String::with_capacity(key.len());
    let mut raise = false;
    for c in key.chars() {
        match c {
            '_' => raise = true,
            c if raise => {
                out.push(c.to_ascii_uppercase());
                raise = false;
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// `inline_data` for `inlineData`.
fn snake(key: &str) -> Cow<'_, str> {
    if !key.bytes().any(|b| b.is_ascii_uppercase()) {
        return Cow::Borrowed(key);
    }
    let mut out = String::with_capacity(key.len() + 2);
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    Cow::Owned(out)
}

fn definition_field(key: &str, here: Here) -> Here {
    let place = Here { kind: Kind::Text, editable: true, ..here.to(State::Definition) };
    match key {
        "name" | "type" | "format" | "behavior" | "$ref" | "$schema" => place.name(),
        _ => place,
    }
}

impl Dialect for Gemini {
    type State = State;

    const CAMEL: bool = true;

    fn root(&mut self, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        entry.need(&[NodeKind::Object], "an object")?;
        let request = self.mode == Mode::Request;
        let asks = |key| any_case(entry, key).is_some();
        if request && !asks("contents") && !asks("generateContentRequest") {
            return Err(entry.bad_member("contents", "a list of contents"));
        }
        let origin = build.origin(if request { Source::Parameter } else { Source::Model }.into());
        Ok(Here::new(State::Root, origin))
    }

    fn is_free(&self, state: State) -> bool {
        matches!(state, State::Free | State::Definition | State::Names | State::Logprobs)
    }

    fn defined(&self, state: State) -> &'static [&'static str] {
        match state {
            State::Root if self.mode == Mode::Request => &[
                "model",
                "contents",
                "systemInstruction",
                "tools",
                "toolConfig",
                "generationConfig",
                "safetySettings",
                "cachedContent",
                "generateContentRequest",
                "labels",
            ],
            State::Root => &["candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "error"],
            State::Content => &["role", "parts"],
            State::Part => &[
                "text",
                "inlineData",
                "fileData",
                "functionCall",
                "functionResponse",
                "executableCode",
                "codeExecutionResult",
                "thoughtSignature",
                "thought",
                "videoMetadata",
            ],
            State::Media(_) => &["mimeType", "data", "displayName"],
            State::FileData => &["mimeType", "fileUri", "displayName"],
            State::Call => &["id", "name", "args", "partialArgs", "willContinue"],
            State::Response => &["id", "name", "response", "parts", "scheduling", "willContinue"],
            State::Ran => &["language", "code", "outcome", "output", "id"],
            State::Tool => &["functionDeclarations", "computerUse"],
            State::Config => &["responseSchema", "responseJsonSchema", "stopSequences", "responseMimeType"],
            State::Candidate => &[
                "index",
                "content",
                "finishReason",
                "finishMessage",
                "safetyRatings",
                "citationMetadata",
                "groundingMetadata",
                "logprobsResult",
            ],
            State::Contents
            | State::Parts
            | State::Tools
            | State::Declarations
            | State::Candidates
            | State::Definition
            | State::Logprobs
            | State::Names
            | State::Free => &[],
        }
    }

    fn enter(&mut self, parent: &Here, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Here, WireError> {
        let here = *parent;
        let written = match entry.step {
            Step::Key(key) => key,
            Step::Index(_) | Step::Root => "",
        };
        let key = camel(written);
        // Each of the defined keys comes once, so that looking for its other form stays linear.
        if key != written
            && self.defined(here.state).contains(&key.as_ref())
            && entry.doc.get(entry.parent, &key).is_some()
        {
            return Err(WireError::Ambiguous { pointer: shown(entry.pointer) });
        }
        let key = key.as_ref();
        let free = here.to(State::Free);
        Ok(match here.state {
            State::Root if self.mode == Mode::Request => Self::request_field(key, here, entry, build)?,
            State::Root => Self::reply_field(key, here, entry, build)?,
            State::Contents => Self::content(here, entry, build)?,
            State::Content => match key {
                "parts" => {
                    entry.need(&[NodeKind::Array, NodeKind::Null], "a list of parts")?;
                    here.to(State::Parts)
                }
                "role" => free.name(),
                _ => free,
            },
            State::Parts => self.part(here, entry, build)?,
            State::Part => self.part_field(key, here, entry, build)?,
            State::Media(kind) => match key {
                "data" => free.blob(kind),
                "mimeType" => free.name(),
                _ => free,
            },
            State::FileData => match key {
                "fileUri" => free.stands_for(OpaqueKind::Reference),
                "mimeType" => free.name(),
                _ => free,
            },
            State::Call => match key {
                "id" | "name" => free.name(),
                "args" => free.arguments(),
                // Arguments in pieces: nobody could say what the whole is before it is out.
                "partialArgs" if self.mode == Mode::Stream => {
                    return Err(entry.bad("absent: arguments in pieces are not read"));
                }
                _ => free,
            },
            State::Response => match key {
                "id" | "name" | "scheduling" => free.name(),
                "parts" => here.to(State::Parts),
                _ => free.prose(),
            },
            State::Ran => match key {
                "language" | "outcome" | "id" => free.name(),
                _ => free.prose(),
            },
            State::Tools => Self::tool(here, entry)?,
            State::Tool => match key {
                "functionDeclarations" => here.to(State::Declarations),
                _ => free,
            },
            State::Declarations => {
                let name = entry.str("name").unwrap_or_default().into_owned();
                build.tools.push(ToolDef { name, pointer: entry.pointer.to_owned() });
                here.to(State::Definition).part()
            }
            State::Definition => definition_field(key, here),
            State::Config => match key {
                "responseSchema" | "responseJsonSchema" => {
                    let origin = build.origin(Source::Definition.into());
                    here.to(State::Definition).from(origin)
                }
                _ => free,
            },
            State::Candidates => {
                entry.need(&[NodeKind::Object], "a candidate (an object)")?;
                let position = match entry.step {
                    Step::Index(index) => u32::try_from(index).unwrap_or(u32::MAX),
                    _ => 0,
                };
                // A candidate that does not say which it is, is the first.
                let stated = entry.index("index")?;
                self.candidate = stated.unwrap_or(if self.mode == Mode::Stream { 0 } else { position });
                here.to(State::Candidate)
            }
            State::Candidate => Self::candidate_field(key, here, entry, build)?,
            State::Logprobs | State::Names | State::Free => here.to(here.state),
        })
    }
}

/// The index and the reason to finish of every candidate of an event, with the literal of its log probabilities.
pub(crate) fn candidates<'d>(doc: &'d Doc<'_>) -> impl Iterator<Item = (u32, Option<Cow<'d, str>>, Option<usize>)> {
    let list = doc.get(0, "candidates");
    list.into_iter().flat_map(|list| doc.children(list)).map(|candidate| {
        let index = doc.get(candidate, "index").and_then(|at| doc.literal(at).parse().ok()).unwrap_or(0);
        let finish = any_case_of(doc, candidate, "finishReason")
            .filter(|at| doc.kind(*at) == Some(NodeKind::String))
            .map(|at| doc.value(at));
        (index, finish, any_case_of(doc, candidate, "logprobsResult"))
    })
}

/// The data of an event with one piece of text.
pub(crate) fn event(candidate: u32, thought: bool, text: &str, finish: Option<&str>, model: &str) -> String {
    let thought = if thought { r#""thought":true,"# } else { "" };
    let finish = finish.map_or(String::new(), |reason| format!(r#","finishReason":{}"#, encode(reason)));
    let model = if model.is_empty() { String::new() } else { format!(r#","modelVersion":{}"#, encode(model)) };
    format!(
        r#"{{"candidates":[{{"content":{{"parts":[{{{thought}"text":{}}}],"role":"model"}}{finish},"index":{candidate}}}]{model}}}"#,
        encode(text)
    )
}
