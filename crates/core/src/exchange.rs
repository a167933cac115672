//! One request or reply in protocol-neutral form.
//!
//! A dialect reaches *every* string, key and number of a body and says what it is and where it came from. What is
//! not text is an [`Opaque`]. Nothing that is forwarded is in neither list.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::coverage::Reason;
use crate::location::Span;
use crate::origin::Origin;
use crate::subject::Kind;

/// Dialect of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// OpenAI chat completions.
    #[default]
    OpenaiChat,
    /// OpenAI Responses.
    OpenaiResponses,
    /// OpenAI completions (the older, prompt-in text-out form).
    OpenaiCompletions,
    /// OpenAI embeddings.
    OpenaiEmbeddings,
    /// Anthropic messages; the token counter takes the same request.
    AnthropicMessages,
    /// Google Gemini `generateContent`.
    Gemini,
    /// Amazon Bedrock Converse.
    BedrockConverse,
    /// One message of the Model Context Protocol. Towards the model goes what a server says, from the model comes what
    /// its client says.
    Mcp,
    /// A JSON body that belongs to no conversation, such as a list of models.
    Json,
    /// A bare text.
    Text,
}
crate::rule::lowercase_words!(Protocol, OpenaiChat => "openai-chat", OpenaiResponses => "openai-responses",
    OpenaiCompletions => "openai-completions", OpenaiEmbeddings => "openai-embeddings",
    AnthropicMessages => "anthropic-messages", Gemini => "gemini", BedrockConverse => "bedrock-converse",
    Mcp => "mcp", Json => "json", Text => "text");

/// Which way a body goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the model.
    #[default]
    Request,
    /// From the model.
    Reply,
}
crate::rule::lowercase_words!(Direction, Request => "request", Reply => "reply");

/// One readable leaf of a body: a string, a key or a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// JSON Pointer (RFC 6901); `#key` is appended for the key itself. For a leaf of JSON that is itself inside a
    /// string, the inner pointer is appended to the outer.
    pub pointer: String,
    /// Where it came from.
    pub origin: Origin,
    /// What it is.
    pub kind: Kind,
    /// The decoded text. Lone surrogates are U+FFFD here.
    pub value: String,
    /// Byte range of its literal, quotes included: in the body, or in the `value` of `container`.
    pub literal: Span,
    /// The text whose value is the JSON document that holds this leaf.
    pub container: Option<usize>,
    /// False where a change breaks the body: keys, numbers, names, signed parts.
    pub editable: bool,
}

/// A part that cannot be read as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// JSON Pointer to the part.
    pub pointer: String,
    /// Where it came from.
    pub origin: Origin,
    /// What it is.
    pub kind: OpaqueKind,
    /// Byte range of the part in the body: the element that is taken out where policy says strip.
    pub literal: Span,
    /// True where the part is an element of a list, so that it can be taken out.
    pub strippable: bool,
    /// Bytes of it that were not read.
    pub bytes: usize,
}

/// A document in a body, of which the text layer was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// JSON Pointer to the string that holds it; empty where the body is the document.
    pub pointer: String,
    /// Index into [`Exchange::opaque`]: the part that it is, or is in.
    pub opaque: Option<usize>,
    /// Index into [`Exchange::texts`]: the text that it is, where it is one.
    pub text: Option<usize>,
    /// Its size in bytes.
    pub bytes: usize,
    /// Why something readable in it was not read.
    pub fault: Option<Reason>,
    /// Indexes into [`Exchange::texts`]: what was read. The `field` of their origin says where in the document.
    pub texts: std::ops::Range<usize>,
}

/// Kinds of parts that cannot be read as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OpaqueKind {
    /// Image data in the body.
    Image,
    /// Audio data in the body.
    Audio,
    /// A document in a binary format in the body.
    File,
    /// The same of which the text layer was read in full; pictures, fonts and layout were not.
    Document,
    /// Something that the provider fetches or looks up: URL, file id, stored prompt, earlier response.
    Reference,
    /// Encrypted or signed reasoning that only the provider reads.
    EncryptedReasoning,
    /// A tool that runs at the provider, out of sight.
    ProviderTool,
    /// Numbers that stand for a text, such as an embedding in a reply.
    Vector,
    /// A part of a type that this version does not know.
    Unknown,
}
crate::rule::lowercase_words!(OpaqueKind, Image => "image", Audio => "audio", File => "file", Document => "document",
    Reference => "reference", EncryptedReasoning => "encrypted-reasoning", ProviderTool => "provider-tool",
    Vector => "vector", Unknown => "unknown");

impl OpaqueKind {
    /// Every kind, in documentation order.
    pub const ALL: [Self; 9] = [
        Self::Image,
        Self::Audio,
        Self::File,
        Self::Document,
        Self::Reference,
        Self::EncryptedReasoning,
        Self::ProviderTool,
        Self::Vector,
        Self::Unknown,
    ];

    /// The reason that coverage gives for it.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Image => Reason::Image,
            Self::Audio => Reason::Audio,
            Self::File => Reason::File,
            Self::Document => Reason::TextLayerRead,
            Self::Reference => Reason::Reference,
            Self::EncryptedReasoning => Reason::EncryptedReasoning,
            Self::ProviderTool => Reason::ProviderTool,
            Self::Vector | Self::Unknown => Reason::Binary,
        }
    }
}

/// A turn of the conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Where it came from.
    pub origin: Origin,
    /// The prose parts of the message in order, as indexes into [`Exchange::texts`]. A model reads them as one.
    pub parts: Vec<usize>,
    /// Tool calls in it.
    pub calls: Vec<ToolCall>,
}

/// A tool call that a model wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// Call id.
    pub id: String,
    /// Tool name.
    pub name: String,
    /// The arguments as JSON text.
    pub arguments: String,
    /// True where the provider runs the tool itself: what is said of it is over already.
    pub provider: bool,
}

/// What a message of the Model Context Protocol does not say itself: a result names neither its method nor its tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rpc {
    /// The tool server, by the name that it is configured under.
    pub server: Arc<str>,
    /// The method of the request that it is, or answers; empty where that is not known.
    pub method: Arc<str>,
    /// The tool that is called, where one is.
    pub tool: Option<Arc<str>>,
}

/// A tool that the request offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolDef {
    /// Tool name.
    pub name: String,
    /// JSON Pointer to the definition.
    pub pointer: String,
}

/// One request or reply.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Dialect.
    pub protocol: Protocol,
    /// Which way it goes.
    pub direction: Direction,
    /// Model named in it.
    pub model: String,
    /// True where a streamed reply is asked for.
    pub stream: bool,
    /// The conversation.
    pub messages: Vec<Message>,
    /// Tools offered.
    pub tools: Vec<ToolDef>,
    /// Every readable leaf.
    pub texts: Vec<Text>,
    /// Every part that is not text.
    pub opaque: Vec<Opaque>,
    /// Documents of which the text layer was read. Their texts stand behind all others and cannot be changed.
    pub extracted: Vec<Extracted>,
    /// For a message of the Model Context Protocol: what it is about.
    pub rpc: Option<Arc<Rpc>>,
    /// The bytes as they came.
    pub body: Vec<u8>,
}

impl Exchange {
    /// The document that a text was read from.
    #[must_use]
    pub fn document_of(&self, text: usize) -> Option<&Extracted> {
        let at = self.extracted.partition_point(|d| d.texts.end <= text);
        self.extracted.get(at).filter(|d| d.texts.contains(&text))
    }

    /// The texts of the operator, for leak detection.
    pub fn system(&self) -> impl Iterator<Item = &str> {
        self.texts
            .iter()
            .filter(|t| t.origin.source == crate::Source::System && t.kind == Kind::Text)
            .map(|t| t.value.as_str())
    }
}

impl fmt::Debug for Exchange {
    // The body is content and content stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("protocol", &self.protocol)
            .field("direction", &self.direction)
            .field("texts", &self.texts.len())
            .field("opaque", &self.opaque.len())
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A change that policy asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Put another text in place of a part of a leaf.
    Replace {
        /// Index into [`Exchange::texts`].
        text: usize,
        /// Byte range in its value.
        span: Span,
        /// What goes there.
        with: String,
    },
    /// Take a part out.
    Strip {
        /// Index into [`Exchange::opaque`].
        opaque: usize,
    },
}
