//! Whole bodies.

use bartizan_core::{Direction, Exchange, Kind, Limits, Protocol, Rpc, Source, Span, Text};

use crate::anthropic::Anthropic;
use crate::bedrock::Converse;
use crate::error::WireError;
use crate::gemini::Gemini;
use crate::generic::Generic;
use crate::json::{Doc, JsonError};
use crate::mcp::Mcp;
use crate::openai::{Mode, OpenAi};
use crate::openai_completions::Completions;
use crate::openai_embeddings::Embeddings;
use crate::openai_responses::Responses;
use crate::visit::{Build, Dialect, visit};

/// Reads a request to a model. The body is kept byte for byte.
///
/// # Errors
/// Bodies that are not JSON, larger than the limits, ambiguous (a repeated key), or of a shape in which it is not
/// clear who says what.
pub fn request(protocol: Protocol, body: Vec<u8>, limits: &Limits) -> Result<Exchange, WireError> {
    read(protocol, Direction::Request, body, limits)
}

/// Reads a reply of a model that is not streamed; error replies too.
///
/// # Errors
/// As [`request`].
pub fn reply(protocol: Protocol, body: Vec<u8>, limits: &Limits) -> Result<Exchange, WireError> {
    read(protocol, Direction::Reply, body, limits)
}

/// Reads a message of the Model Context Protocol: a server's goes towards the model, a client's comes from it.
///
/// # Errors
/// As [`request`].
pub fn mcp(direction: Direction, rpc: Rpc, body: Vec<u8>, limits: &Limits) -> Result<Exchange, WireError> {
    let mut dialect = Mcp::new(direction, rpc.clone());
    let rpc = Some(std::sync::Arc::new(rpc));
    read_with(&mut dialect, Exchange { protocol: Protocol::Mcp, direction, rpc, body, ..Exchange::default() }, limits)
}

/// Reads a bare list of OpenAI chat messages. Pointers start at the list: `/0/content`.
///
/// # Errors
/// As [`request`].
pub fn conversation(messages_json: &str, limits: &Limits) -> Result<Exchange, WireError> {
    let exchange = Exchange { body: messages_json.as_bytes().to_vec(), ..Exchange::default() };
    read_with(&mut OpenAi::new(Mode::Conversation), exchange, limits)
}

fn read(protocol: Protocol, direction: Direction, body: Vec<u8>, limits: &Limits) -> Result<Exchange, WireError> {
    let mode = if direction == Direction::Request { Mode::Request } else { Mode::Reply };
    let exchange = Exchange { protocol, direction, body, ..Exchange::default() };
    match protocol {
        Protocol::OpenaiChat => read_with(&mut OpenAi::new(mode), exchange, limits),
        Protocol::OpenaiResponses => read_with(&mut Responses::new(mode), exchange, limits),
        Protocol::AnthropicMessages => read_with(&mut Anthropic::new(mode), exchange, limits),
        Protocol::OpenaiCompletions if mode == Mode::Request => read_with(&mut Completions, exchange, limits),
        Protocol::OpenaiCompletions => read_with(&mut OpenAi::new(mode), exchange, limits),
        Protocol::OpenaiEmbeddings => read_with(&mut Embeddings::new(mode), exchange, limits),
        Protocol::Gemini => read_with(&mut Gemini::new(mode), exchange, limits),
        Protocol::BedrockConverse => read_with(&mut Converse::new(mode), exchange, limits),
        Protocol::Mcp => read_with(&mut Mcp::new(direction, Rpc::default()), exchange, limits),
        Protocol::Json => read_with(&mut Generic { source: bare_source(direction) }, exchange, limits),
        Protocol::Text => text(exchange, limits),
    }
}

/// Reads the body again after it was changed, as what it was before.
pub(crate) fn reread(exchange: &Exchange, body: Vec<u8>, limits: &Limits) -> Result<Exchange, WireError> {
    let list = exchange.body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[');
    match (exchange.protocol, exchange.direction) {
        (Protocol::OpenaiChat, Direction::Request) if list => {
            let exchange = Exchange { body, ..Exchange::default() };
            read_with(&mut OpenAi::new(Mode::Conversation), exchange, limits)
        }
        (Protocol::Mcp, direction) => match &exchange.rpc {
            Some(rpc) => mcp(direction, Rpc::clone(rpc), body, limits),
            None => read(Protocol::Mcp, direction, body, limits),
        },
        (protocol, direction) => read(protocol, direction, body, limits),
    }
}

fn bare_source(direction: Direction) -> Source {
    match direction {
        Direction::Request => Source::Parameter,
        Direction::Reply => Source::Model,
    }
}

fn read_with<D: Dialect>(dialect: &mut D, exchange: Exchange, limits: &Limits) -> Result<Exchange, WireError> {
    check_size(&exchange, limits)?;
    let mut build = Build::new(limits);
    let doc = Doc::parse(&exchange.body, limits)?;
    visit(&doc, dialect, &mut build)?;
    Ok(build.finish(exchange))
}

fn text(mut exchange: Exchange, limits: &Limits) -> Result<Exchange, WireError> {
    check_size(&exchange, limits)?;
    let value = match std::str::from_utf8(&exchange.body) {
        Ok(text) => text.to_owned(),
        Err(error) => return Err(JsonError::utf8(&exchange.body, error.valid_up_to()).into()),
    };
    let source = if exchange.direction == Direction::Request { Source::User } else { Source::Model };
    exchange.texts.push(Text {
        origin: source.into(),
        kind: Kind::Text,
        literal: Span::new(0, value.len()),
        value,
        editable: true,
        ..Text::default()
    });
    Ok(exchange)
}

fn check_size(exchange: &Exchange, limits: &Limits) -> Result<(), WireError> {
    if exchange.body.len() > limits.max_body {
        return Err(WireError::TooLarge { what: "body", limit: limits.max_body });
    }
    Ok(())
}
