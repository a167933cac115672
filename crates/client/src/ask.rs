//! What is asked, and what comes back, in no dialect.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The operator.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool, with a result.
    Tool,
}

/// A tool call of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The id that its result refers to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Name of the tool.
    pub name: String,
    /// Arguments as JSON text, as the model wrote it.
    pub arguments: String,
}

/// What kind of file goes with a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// An image.
    Png,
    /// A document.
    Pdf,
}

impl MediaKind {
    /// Its media type.
    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Pdf => "application/pdf",
        }
    }
}

/// A file that goes with a turn of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What it is.
    pub kind: MediaKind,
    /// Its name.
    pub name: String,
    /// Its bytes in base64.
    pub data: String,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub content: String,
    /// Files, of a user's turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Attachment>,
    /// Tool calls, of an assistant's turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    /// The call that this is the result of, of a tool's turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
}

impl Turn {
    /// A turn of text.
    #[must_use]
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), media: Vec::new(), calls: Vec::new(), call_id: None }
    }
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it says of itself.
    pub description: String,
    /// JSON schema of its arguments.
    pub parameters: Value,
}

/// A raw text to go on with, of endpoints that have the older completions route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// The text.
    pub prompt: String,
    /// The reply repeats it, with the probabilities of its tokens.
    pub echo: bool,
}

/// One question to a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The conversation.
    pub turns: Vec<Turn>,
    /// Tools that are offered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Address of a server of tools for this question alone: `{{mcp}}` in a template, `mcp` in what a command is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp: Option<String>,
    /// A raw text instead of a conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<Completion>,
    /// Longest reply in tokens; none takes the endpoint's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Temperature; none takes the endpoint's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Seed of the model's sampling, where it takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Ask for the probabilities of tokens, with so many alternatives each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u8>,
}

impl Ask {
    /// A conversation.
    #[must_use]
    pub fn chat(turns: Vec<Turn>) -> Self {
        Self { turns, ..Self::default() }
    }

    /// The body of a chat completion in OpenAI's form, without the bounds that an endpoint adds.
    #[must_use]
    pub fn to_openai(&self, model: &str) -> Value {
        crate::openai::encode(self, model, self.max_tokens.unwrap_or(512), self.temperature).1
    }

    /// The tokens that it can take at most: a token is a byte at least, and the form around a turn is no longer than its
    /// template.
    pub(crate) fn most(&self, max_tokens: u32) -> Usage {
        let written = serde_json::to_vec(self).map_or(0, |json| json.len());
        let input = u64::try_from(written).unwrap_or(u64::MAX).saturating_add(64);
        Usage { input, output: u64::from(self.max_tokens.unwrap_or(max_tokens)), estimated: true }
    }

    /// Bytes of all its texts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let turns: usize = self.turns.iter().map(|t| t.content.len()).sum();
        turns + self.completion.as_ref().map_or(0, |c| c.prompt.len())
    }
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finish {
    /// The model was done, or did not say.
    #[default]
    Stop,
    /// It reached the longest reply.
    Length,
    /// It calls tools.
    Calls,
}

/// A token of a reply with its probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// Its text.
    pub text: String,
    /// Natural logarithm of its probability; none for the first token of an echoed text.
    pub logprob: Option<f64>,
    /// Alternatives, the most probable first as the endpoint gives them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<(String, f64)>,
}

/// Tokens that were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Of the question.
    pub input: u64,
    /// Of the reply.
    pub output: u64,
    /// The endpoint did not say; these are a fourth of the bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

/// What a model said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Its text.
    pub text: String,
    /// What it thought before, where the endpoint hands that out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// Tools that it calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    /// Why it ended.
    #[serde(default)]
    pub finish: Finish,
    /// Tokens that were used.
    #[serde(default)]
    pub usage: Usage,
    /// Probabilities of its tokens, where asked for and given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<Token>,
}

/// A guard or filter in front of the model stopped the question or the reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// How it says so, such as `content_policy_violation`.
    pub code: String,
    /// The id of the guard's record, where it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Rules that fired, where the guard is asked in process; others do not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// The model replied.
    Reply(Reply),
    /// A guard stopped it.
    Blocked(Block),
}
