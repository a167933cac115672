//! The events of OpenAI Responses: what they open and close, their numbers, and endings that fit.
//!
//! A text comes up to five times: in pieces, and whole at the end of the text, the part, the item and the response.
//! The pieces are [`Chunk::deltas`]; the copies are [`Chunk::wholes`].

use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::Span;

use super::{Channel, ChannelPart, Chunk, Echo, MAX_CHANNELS, Reader, StreamReader};
use crate::error::WireError;
use crate::errors::{ErrorKind, failed_response, refused_item, refused_response, said_part};
use crate::json::{Doc, NodeKind, encode};
use crate::openai_responses::{How, NO_ITEM, SUMMARY, base};
use crate::sse::{SseEvent, write_event};
use crate::visit::is_name;

/// Longest number that is kept of an event, in bytes.
const LONGEST_NUMBER: usize = 20;

/// What is known of one stream.
#[derive(Debug, Default)]
pub(super) struct Track {
    shapes: BTreeMap<Channel, Shape>,
    closed: BTreeSet<Channel>,
    /// The response's `id`, `created_at` and `model`, as literals.
    head: Head,
    /// Items that the caller was shown and whose end it was not.
    items: BTreeMap<u32, Open>,
    next_item: u32,
    started: bool,
    /// Number of the last event that went out.
    number: Option<u64>,
    /// True once an event of our own went out: from then on numbers may collide.
    inserted: bool,
    /// Events up to this number are not sent again.
    after: Option<u64>,
}

/// What stands around a piece in an event of its channel.
#[derive(Clone, Debug)]
struct Shape {
    event: String,
    before: String,
    behind: String,
}

/// What identifies a response, as literals.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) created_at: String,
    pub(crate) model: String,
}

/// An item that has begun.
#[derive(Clone, Debug)]
pub(super) struct Open {
    /// Literals of the members that make up its identity.
    identity: String,
    id: String,
    kind: String,
    parts: BTreeSet<u32>,
}

/// What an event begins or ends for the caller, once it is sent.
#[derive(Clone, Debug, Default)]
pub(super) enum Mark {
    /// Nothing.
    #[default]
    None,
    Response(Head),
    Item(u32, Box<Open>),
    ItemDone(u32),
    Part(u32, u32),
    PartDone(u32, u32),
}

/// The number of an event and where it stands.
pub(super) type Number = (Span, u64);

impl StreamReader {
    pub(super) fn responses(&mut self, doc: &Doc<'_>, event: &SseEvent, chunk: &mut Chunk) -> Result<(), WireError> {
        let Reader::Responses(dialect) = &self.reader else { return Ok(()) };
        let (how, item, block) = (dialect.how(), dialect.item(), dialect.block());
        let kind = doc.get_str(0, "type").unwrap_or_default().into_owned();
        let ended = self.ended;
        let closed = &self.track.closed;
        Self::refuse_late(chunk, |delta| !ended && !closed.contains(&delta.channel))?;
        self.open_channels(chunk)?;
        for delta in &chunk.deltas {
            // An event that begins an item has no shape of a piece: a later one replaces it.
            let own = delta.pointer == "/delta" || !self.track.shapes.contains_key(&delta.channel);
            if own && let Some(shape) = shape(doc, &kind, &delta.channel, &delta.pointer) {
                self.track.shapes.insert(delta.channel.clone(), shape);
            }
        }
        self.logprobs(doc, how, chunk);
        if let Some(node) = doc.get(0, "sequence_number").and_then(|n| doc.node(n))
            && let Ok(number) = node.literal().of(doc.text()).parse()
        {
            chunk.number = Some((node.literal(), number));
        }
        self.close_responses(&kind, item, block, chunk)?;
        chunk.mark = mark(doc, &kind, item, block);
        let failed = kind == "response.failed" || kind == "error" || event.name == "error";
        chunk.model_error = failed;
        if matches!(kind.as_str(), "response.completed" | "response.failed" | "response.incomplete") {
            chunk.terminal = true;
            self.said.done = true;
            self.ended = true;
        }
        Ok(())
    }

    /// Log probabilities repeat tokens of the texts in the same event.
    fn logprobs(&self, doc: &Doc<'_>, how: How, chunk: &mut Chunk) {
        let altered = how == How::Whole && !self.altered.is_empty();
        for (index, node) in doc.nodes().iter().enumerate() {
            if node.kind != NodeKind::Key || doc.value(index) != "logprobs" {
                continue;
            }
            let Some(list) = doc.node(index + 1).filter(|l| l.kind == NodeKind::Array) else { continue };
            if altered {
                chunk.void.push((list.literal(), "[]"));
            } else {
                chunk.echoes.push(Echo { choice: None, part: None, literal: list.literal(), with: "[]" });
            }
        }
    }

    fn close_responses(&mut self, kind: &str, item: u32, block: u32, chunk: &mut Chunk) -> Result<(), WireError> {
        let of_item = |c: &Channel| c.choice == item;
        let text = |c: &Channel| {
            matches!(
                c.part,
                ChannelPart::Text | ChannelPart::Refusal | ChannelPart::Reasoning | ChannelPart::Transcript
            )
        };
        match kind {
            "response.completed" | "response.failed" | "response.incomplete" | "error" => self.close(chunk, |_| true),
            "response.output_item.done" => self.close(chunk, of_item),
            "response.content_part.done" | "response.reasoning_summary_part.done" => {
                self.close(chunk, |c| of_item(c) && c.block == block && text(c));
            }
            _ if kind.ends_with(".done") => {
                let of_type = base(kind);
                let shapes = std::mem::take(&mut self.track.shapes);
                let same = |c: &Channel| shapes.get(c).is_some_and(|shape| base(&shape.event) == of_type);
                self.close(chunk, |c| of_item(c) && c.block == block && same(c));
                self.track.shapes = shapes;
            }
            _ => {}
        }
        if self.track.closed.len() + chunk.closes.len() > MAX_CHANNELS {
            return Err(WireError::Stream("too many channels"));
        }
        self.track.closed.extend(chunk.closes.iter().cloned());
        Ok(())
    }

    /// Says that events up to this number are with the caller already: they are read and not written.
    pub fn resume_after(&mut self, number: u64) {
        self.track.after = Some(number);
    }

    /// What the caller gets of an event. Its number stays where it is larger than that of the event before, which it
    /// is unless text that was held back went out in between.
    pub(super) fn write_responses(
        &mut self,
        chunk: &Chunk,
        deltas: &[(usize, String)],
        texts: &[(usize, String)],
    ) -> Vec<u8> {
        let number = chunk.number.map(|(span, own)| (span, own, self.next_number(own)));
        match &chunk.mark {
            Mark::None => {}
            Mark::Response(head) => {
                self.track.head.clone_from(head);
                self.track.started = true;
            }
            Mark::Item(at, open) => {
                self.track.next_item = self.track.next_item.max(at.saturating_add(1));
                if self.track.items.len() < MAX_CHANNELS {
                    self.track.items.insert(*at, (**open).clone());
                }
            }
            Mark::ItemDone(at) => {
                self.track.items.remove(at);
                self.track.next_item = self.track.next_item.max(at.saturating_add(1));
            }
            Mark::Part(at, block) => {
                if let Some(open) = self.track.items.get_mut(at).filter(|o| o.parts.len() < MAX_CHANNELS) {
                    open.parts.insert(*block);
                }
            }
            Mark::PartDone(at, block) => {
                if let Some(open) = self.track.items.get_mut(at) {
                    open.parts.remove(block);
                }
            }
        }
        match number {
            Some((_, _, new)) if self.track.after.is_some_and(|after| new <= after) => Vec::new(),
            Some((span, own, new)) if new != own => chunk.render(deltas, texts, Some((span, new.to_string()))),
            _ => chunk.render(deltas, texts, None),
        }
    }

    /// The number of the next event, which had `own` where it came from.
    fn next_number(&mut self, own: u64) -> u64 {
        let last = self.track.number;
        let next = match last.filter(|_| self.track.inserted) {
            Some(last) => last.saturating_add(1).max(own),
            None => own,
        };
        self.track.number = Some(last.map_or(next, |last| last.max(next)));
        next
    }

    pub(super) fn synth_responses(&mut self, channel: &Channel, text: &str, out: &mut Vec<u8>) {
        let Some(Shape { event, before, behind }) = self.track.shapes.get(channel).cloned() else { return };
        self.responses_event(&event, &format!("{before}{}{behind}", encode(text)), out);
    }

    /// An event of our own with the next number. `members` follow the type.
    fn responses_event(&mut self, kind: &str, members: &str, out: &mut Vec<u8>) {
        self.track.inserted = true;
        let number = self.next_number(0);
        if self.track.after.is_some_and(|after| number <= after) {
            return;
        }
        write_event(kind, &format!(r#"{{"type":{},"sequence_number":{number},{members}}}"#, encode(kind)), out);
    }

    /// The end of a stream in which something went wrong: the error that SDKs raise, and the event that ends a response.
    pub(super) fn responses_failure(&mut self, kind: ErrorKind, message: &str, event_id: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        if self.end() {
            return out;
        }
        let (error, response) = failed_response(&self.head(event_id), kind, message, event_id);
        self.responses_event("error", &error, &mut out);
        self.responses_event("response.failed", &format!("\"response\":{response}"), &mut out);
        out
    }

    /// The last words of a response. With `refused` they are a refusal.
    pub(super) fn responses_last(&mut self, message: &str, event_id: &str, refused: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if self.end() {
            return out;
        }
        let head = self.head(Some(event_id));
        if !self.track.started {
            let response = refused_response(&head, "in_progress", "", event_id);
            for kind in ["response.created", "response.in_progress"] {
                self.responses_event(kind, &format!("\"response\":{response}"), &mut out);
            }
        }
        for (at, open) in std::mem::take(&mut self.track.items) {
            self.close_item(at, &open, &mut out);
        }
        let at = self.track.next_item;
        let item = |status, content: &str| refused_item(event_id, status, content);
        let id = encode(&format!("msg_{event_id}"));
        let place = format!(r#""item_id":{id},"output_index":{at},"content_index":0"#);
        let text = encode(message);
        let part = |text: &str| said_part(text, refused);
        let (kind, member) = if refused { ("refusal", "refusal") } else { ("output_text", "text") };
        let probabilities = if refused { "" } else { r#","logprobs":[]"# };
        let whole = item("completed", &part(&text));
        let (delta, done) = (format!("response.{kind}.delta"), format!("response.{kind}.done"));
        for (kind, members) in [
            ("response.output_item.added", format!(r#""output_index":{at},"item":{}"#, item("in_progress", ""))),
            ("response.content_part.added", format!(r#"{place},"part":{}"#, part("\"\""))),
            (delta.as_str(), format!(r#"{place},"delta":{text}{probabilities}"#)),
            (done.as_str(), format!(r#"{place},"{member}":{text}{probabilities}"#)),
            ("response.content_part.done", format!(r#"{place},"part":{}"#, part(&text))),
            ("response.output_item.done", format!(r#""output_index":{at},"item":{whole}"#)),
            ("response.completed", format!(r#""response":{}"#, refused_response(&head, "completed", &whole, event_id))),
        ] {
            self.responses_event(kind, &members, &mut out);
        }
        out
    }

    /// Ends an item that the caller saw begin. What was said in it is not said again.
    fn close_item(&mut self, at: u32, open: &Open, out: &mut Vec<u8>) {
        for block in &open.parts {
            let (kind, index, part) = if block & SUMMARY == 0 {
                let part = if open.kind == "reasoning" {
                    r#"{"type":"reasoning_text","text":""}"#
                } else {
                    r#"{"type":"output_text","text":"","annotations":[]}"#
                };
                ("response.content_part.done", format!("\"content_index\":{block}"), part)
            } else {
                let part = r#"{"type":"summary_text","text":""}"#;
                ("response.reasoning_summary_part.done", format!("\"summary_index\":{}", block & !SUMMARY), part)
            };
            let members = format!(r#""item_id":{},"output_index":{at},{index},"part":{part}"#, open.id);
            self.responses_event(kind, &members, out);
        }
        let rest = match open.kind.as_str() {
            "message" => r#""role":"assistant","content":[],"#,
            "reasoning" => r#""summary":[],"#,
            "custom_tool_call" => r#""input":"","#,
            "function_call" | "mcp_call" => r#""arguments":"","#,
            _ => "",
        };
        let item = format!(r#"{{{}{rest}"status":"incomplete"}}"#, open.identity);
        self.responses_event("response.output_item.done", &format!(r#""output_index":{at},"item":{item}"#), out);
    }

    fn head(&self, event_id: Option<&str>) -> Head {
        let known = &self.track.head;
        let or = |value: &str, other: String| if value.is_empty() { other } else { value.to_owned() };
        Head {
            id: or(&known.id, encode(&format!("resp_{}", event_id.unwrap_or("none")))),
            created_at: or(&known.created_at, "0".to_owned()),
            model: or(&known.model, encode(&self.model)),
        }
    }
}

/// What stands around a piece of this channel: as in its own events, or as the protocol has it where an event that
/// begins an item or part brought the first piece. For a field that is not known there is none then: its item says it
/// again at its end.
fn shape(doc: &Doc<'_>, kind: &str, channel: &Channel, pointer: &str) -> Option<Shape> {
    const BESIDE: [&str; 5] = ["item_id", "output_index", "content_index", "summary_index", "command_index"];
    let mut before = String::new();
    let mut member = |key: &str, literal: &str| before.push_str(&format!("\"{key}\":{literal},"));
    let begins = doc.get(0, "item").is_some() || doc.get(0, "part").is_some() || doc.get(0, "response").is_some();
    if !begins {
        for key in BESIDE {
            if let Some(literal) = named(doc, 0, key) {
                member(key, literal);
            }
        }
        let behind = if doc.get(0, "logprobs").is_some() { ",\"logprobs\":[]" } else { "" };
        let nested = pointer.strip_prefix("/delta/");
        let key = encode(nested.or_else(|| pointer.strip_prefix('/')).unwrap_or("delta"));
        let (open, close) = if nested.is_some() { ("\"delta\":{", "}") } else { ("", "") };
        before.push_str(&format!("{open}{key}:"));
        return Some(Shape { event: kind.to_owned(), before, behind: format!("{close}{behind}") });
    }
    let id = doc.get(0, "item").and_then(|item| named(doc, item, "id")).or_else(|| named(doc, 0, "item_id"));
    if let Some(id) = id {
        member("item_id", id);
    }
    if channel.choice != NO_ITEM {
        member("output_index", &channel.choice.to_string());
    }
    let item = doc.get(0, "item").and_then(|i| doc.get_str(i, "type")).unwrap_or_default();
    let (event, index) = match &channel.part {
        ChannelPart::Refusal => ("response.refusal.delta", "content_index"),
        ChannelPart::Reasoning if channel.block & SUMMARY != 0 => {
            ("response.reasoning_summary_text.delta", "summary_index")
        }
        ChannelPart::Reasoning => ("response.reasoning_text.delta", "content_index"),
        ChannelPart::Transcript => ("response.audio.transcript.delta", "content_index"),
        ChannelPart::ToolArguments { .. } => match item.as_ref() {
            "custom_tool_call" => ("response.custom_tool_call_input.delta", ""),
            "mcp_call" => ("response.mcp_call_arguments.delta", ""),
            "code_interpreter_call" => ("response.code_interpreter_call_code.delta", ""),
            _ => ("response.function_call_arguments.delta", ""),
        },
        ChannelPart::Text => ("response.output_text.delta", "content_index"),
        ChannelPart::Field { .. } => return None,
    };
    if !index.is_empty() {
        member(index, &(channel.block & !SUMMARY).to_string());
    }
    let behind = if event == "response.output_text.delta" { ",\"logprobs\":[]" } else { "" };
    before.push_str("\"delta\":");
    Some(Shape { event: event.to_owned(), before, behind: behind.to_owned() })
}

/// What an event begins or ends for the caller.
fn mark(doc: &Doc<'_>, kind: &str, item: u32, block: u32) -> Mark {
    let literal = |object: usize, key: &str| named(doc, object, key).unwrap_or_default().to_owned();
    match kind {
        "response.created" | "response.queued" | "response.in_progress" => match doc.get(0, "response") {
            Some(response) => Mark::Response(Head {
                id: literal(response, "id"),
                created_at: literal(response, "created_at"),
                model: literal(response, "model"),
            }),
            None => Mark::None,
        },
        "response.output_item.added" => match doc.get(0, "item") {
            Some(added) if doc.kind(added) == Some(NodeKind::Object) => {
                let identity: String = ["id", "type", "call_id", "name", "server_label"]
                    .iter()
                    .map(|key| (key, literal(added, key)))
                    .filter(|(_, value)| !value.is_empty())
                    .map(|(key, value)| format!("\"{key}\":{value},"))
                    .collect();
                let id = literal(added, "id");
                let id = if id.is_empty() { "\"\"".to_owned() } else { id };
                let kind = doc.get_str(added, "type").unwrap_or_default().into_owned();
                Mark::Item(item, Box::new(Open { identity, id, kind, parts: BTreeSet::new() }))
            }
            _ => Mark::None,
        },
        "response.output_item.done" => Mark::ItemDone(item),
        "response.content_part.added" | "response.reasoning_summary_part.added" => Mark::Part(item, block),
        "response.content_part.done" | "response.reasoning_summary_part.done" => Mark::PartDone(item, block),
        _ => Mark::None,
    }
}

/// The literal of a number or name. Prose is not kept: it might be masked where it stands.
fn named<'a>(doc: &'a Doc<'_>, object: usize, key: &str) -> Option<&'a str> {
    let value = doc.get(object, key)?;
    let plain = match doc.kind(value)? {
        NodeKind::Number => doc.literal(value).len() <= LONGEST_NUMBER,
        NodeKind::String => is_name(&doc.value(value), false),
        _ => false,
    };
    plain.then(|| doc.literal(value))
}
