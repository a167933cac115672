//! What is kept of an exchange, and the one exchange that no dialect reads: a bare text.

use std::sync::Arc;
use std::time::Duration;

use bartizan_core::{Direction, Edit, Exchange, Kind, Limits, Origin, Profile, Protocol, Source, Span, Text};
use bartizan_policy::{Redaction, apply};
use bartizan_rules::output::schema_violation::ReplySchema;
use bartizan_wire::WireError;

use crate::agents::{Agent, Desk};

/// What has to be known of an exchange after it is gone.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// Dialect.
    pub protocol: Protocol,
    /// Which way it went.
    pub direction: Direction,
    /// Model named in it.
    pub model: String,
    /// True where a streamed reply is asked for.
    pub stream: bool,
}

/// What a reply is compared with.
#[derive(Clone, Debug, Default)]
pub struct ReplyContext {
    /// The operator's text of the request.
    pub system: Vec<String>,
    /// What the route has declared.
    pub profile: Profile,
    /// The schema that the request asks the reply to fit, where the route checks that.
    pub requested: Option<ReplySchema>,
    /// What the tool calls of the reply are decided by; `None` where none is decided.
    pub agent: Option<Arc<Agent>>,
    /// Approvals of who asks; the surface that keeps them puts them in.
    pub desk: Option<Arc<Desk>>,
}

/// A text without a protocol around it.
pub(crate) fn bare_text(text: &str, source: Source) -> Exchange {
    let leaf = Text {
        origin: Origin::new(source),
        kind: Kind::Text,
        value: text.to_owned(),
        literal: Span::new(0, text.len()),
        editable: true,
        ..Text::default()
    };
    // What a model wrote is a reply until a conversation says otherwise.
    let direction = if source == Source::Model { Direction::Reply } else { Direction::Request };
    Exchange {
        protocol: Protocol::Text,
        direction,
        texts: vec![leaf],
        body: text.as_bytes().to_vec(),
        ..Exchange::default()
    }
}

/// Edits of a body in its own format. A bare text is its own format.
pub(crate) fn rewrite(exchange: &Exchange, edits: &[Edit], limits: &Limits) -> Result<Exchange, WireError> {
    if exchange.protocol != Protocol::Text {
        return bartizan_wire::rewrite(exchange, edits, limits);
    }
    let places: Vec<Redaction> = edits
        .iter()
        .filter_map(|edit| match edit {
            Edit::Replace { span, with, .. } => Some(Redaction { span: *span, with: with.clone() }),
            Edit::Strip { .. } => None,
        })
        .collect();
    let value = exchange.texts.first().map_or("", |t| t.value.as_str());
    Ok(bare_text(&apply(value, 0, &places), exchange.texts.first().map_or(Source::User, |t| t.origin.source)))
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
