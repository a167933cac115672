//! Streamed replies: events to pieces of text and back.

mod responses;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bartizan_core::{Kind, Limits, Opaque, Origin, Protocol, Source, Span, Text, ToolCall};

use crate::anthropic::Anthropic;
use crate::error::WireError;
use crate::errors::{ErrorKind, error_body};
use crate::gemini::{self, Gemini};
use crate::generic::Generic;
use crate::json::{Doc, NodeKind, encode, inner, lone_ends, of_halves};
use crate::openai::{FUNCTION_CALL, Mode, OpenAi};
use crate::openai_responses::{How, Responses};
use crate::splice::{Patch, merge, splice};
use crate::sse::{SseEvent, field, lines, write_event};
use crate::visit::{Build, is_name, visit};

pub(crate) use responses::Head;
use responses::{Mark, Number, Track};

/// Most channels and choices of one stream.
const MAX_CHANNELS: usize = 4096;

/// A text that arrives in pieces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    /// Choice, or output item of OpenAI Responses (`u32::MAX` where the event names none); 0 where the protocol has one
    /// reply.
    pub choice: u32,
    /// Content block or tool call. OpenAI's deprecated `function_call` has `u32::MAX`; of its compatible servers'
    /// reasoning, `reasoning_content` is 0, `reasoning` 1, and `reasoning_details` 2 and up. Of OpenAI Responses the
    /// content part, or with the highest bit set the part of a reasoning summary.
    pub block: u32,
    /// What the pieces make up.
    pub part: ChannelPart,
}

/// What the pieces of a channel make up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelPart {
    /// Prose.
    Text,
    /// Reasoning in clear.
    Reasoning,
    /// A refusal.
    Refusal,
    /// What spoken audio says.
    Transcript,
    /// Arguments of a tool call, a JSON text.
    ToolArguments {
        /// Tool name, as it was when the call began; empty where it was not known.
        name: Arc<str>,
    },
    /// A string of a choice's delta that has no channel of its own: a field that this version does not know, or one
    /// that usually comes whole.
    Field {
        /// JSON Pointer to it in the delta.
        pointer: Arc<str>,
    },
}

/// A piece of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The channel.
    pub channel: Channel,
    /// The piece; it may be empty. A character whose halves (UTF-16) stand in two events is whole here, in the later one.
    pub text: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is.
    pub kind: Kind,
    /// JSON Pointer to it in the event's data.
    pub pointer: String,
    literal: Span,
    /// It is not what the event says on its own: half of a character of it stood or stands in another event.
    joined: bool,
}

/// What an event states of a tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPart {
    /// Choice, as in [`Channel::choice`].
    pub choice: u32,
    /// Block, as in [`Channel::block`] of the arguments that come in pieces; 0 for OpenAI Responses.
    pub block: u32,
    /// Id, name and arguments. In a part each of them may be a piece, or missing; arguments that come as pieces of a
    /// channel are not in it.
    pub call: ToolCall,
    /// True where the event states the call as a whole.
    pub whole: bool,
}

/// What one event carries.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// Pieces of channels, in order.
    pub deltas: Vec<Delta>,
    /// Every other readable leaf, to be examined as it stands. The event's name has the pointer `#event`; comments,
    /// ids and unknown fields have `#comment`.
    pub texts: Vec<Text>,
    /// Which of the texts say, as a whole, what a channel says in pieces; by index. It may never have come in pieces.
    pub wholes: Vec<(usize, Channel)>,
    /// Texts that a client puts together, as indexes into [`Chunk::texts`]; two or more each.
    pub joined: Vec<Vec<usize>>,
    /// Parts that cannot be read.
    pub opaque: Vec<Opaque>,
    /// What it states of tool calls.
    pub calls: Vec<CallPart>,
    /// The open channel that the event is about without adding to it: held text must go out before it.
    pub beside: Option<Channel>,
    /// Channels that begin with this event.
    pub opens: Vec<Channel>,
    /// Channels that end with this event: held text must go out before it or in it.
    pub closes: Vec<Channel>,
    /// True for the last event of a reply.
    pub terminal: bool,
    /// True where the upstream reports an error.
    pub model_error: bool,
    event: SseEvent,
    /// What repeats the text of a choice and must not outlive a change.
    echoes: Vec<Echo>,
    /// What goes whatever is changed, and what stands there then: the signature, the sound or the tokens of a text that
    /// was changed before.
    void: Vec<(Span, &'static str)>,
    /// The signature of a text, with its channel.
    signature: Option<(Channel, Span)>,
    /// Number of the event, where the protocol numbers them.
    number: Option<Number>,
    mark: Mark,
}

/// What repeats the text of a choice in other words.
#[derive(Clone, Debug)]
struct Echo {
    /// Everything in the event where there is none.
    choice: Option<u32>,
    /// The channel that it repeats; all of the choice where there is none.
    part: Option<ChannelPart>,
    literal: Span,
    /// What stands there once the text is changed.
    with: &'static str,
}

impl Chunk {
    /// The bytes as they came.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.event.raw
    }

    /// The event with other texts in some of its deltas. Without a change these are the bytes as they came. The log
    /// probabilities of a choice whose text changes become `null`, since they repeat the text, and the sound of a
    /// transcript that changes becomes empty. Unknown indexes are ignored. An event that the stream's end cut off gets
    /// its empty line: what is put behind it would become a part of it.
    #[must_use]
    pub fn rewrite(&self, deltas: &[(usize, String)]) -> Vec<u8> {
        self.rewrite_all(deltas, &[])
    }

    fn completed(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if !self.event.complete && !bytes.is_empty() {
            let end: &[u8] = match bytes.last() {
                Some(b'\n') => b"\n",
                // A line feed alone would be the other half of this line end.
                Some(b'\r') => b"\r\n",
                _ => b"\n\n",
            };
            bytes.extend_from_slice(end);
        }
        bytes
    }

    /// Leaves halves of characters in the events that they came in.
    pub fn keep_halves(&mut self) {
        self.deltas.iter_mut().for_each(|delta| delta.joined = false);
    }

    /// As [`Chunk::rewrite`], with other values for some of [`Chunk::texts`] too. Texts that are not editable, or
    /// that are in another text, stay as they are.
    #[must_use]
    pub fn rewrite_all(&self, deltas: &[(usize, String)], texts: &[(usize, String)]) -> Vec<u8> {
        self.render(deltas, texts, None)
    }

    /// The same with one more value that changes, such as another number.
    fn render(&self, deltas: &[(usize, String)], texts: &[(usize, String)], number: Option<(Span, String)>) -> Vec<u8> {
        let mut patches: Vec<Patch<'_>> = Vec::new();
        let mut changed = BTreeSet::new();
        for (index, text) in deltas {
            let Some(delta) = self.deltas.get(*index) else { continue };
            if delta.text != *text {
                changed.insert(&delta.channel);
            }
            if delta.joined || delta.text != *text {
                patches.push((delta.literal, Cow::Owned(encode(text))));
            }
        }
        for (index, delta) in self.deltas.iter().enumerate().filter(|(_, delta)| delta.joined) {
            if !deltas.iter().any(|(given, _)| *given == index) {
                patches.push((delta.literal, Cow::Owned(encode(&delta.text))));
            }
        }
        for (index, value) in texts {
            if let Some(text) = self.texts.get(*index)
                && text.editable
                && text.container.is_none()
                && text.value != *value
            {
                patches.push((text.literal, Cow::Owned(encode(value))));
            }
        }
        let any = !patches.is_empty();
        let echoes = self.echoes.iter().filter(|echo| match echo.choice {
            None => any,
            Some(choice) => {
                changed.iter().any(|c| choice == c.choice && echo.part.as_ref().is_none_or(|part| *part == c.part))
            }
        });
        patches.extend(echoes.map(|echo| (echo.literal, Cow::Borrowed(echo.with))));
        patches.extend(self.void.iter().map(|(span, with)| (*span, Cow::Borrowed(*with))));
        patches.extend(number.map(|(span, number)| (span, Cow::Owned(number))));
        self.completed(match (&self.event.data, std::str::from_utf8(&self.event.raw)) {
            (Some(data), Ok(raw)) if !patches.is_empty() => with_data(raw, &splice(data, &merge(patches))),
            _ => self.event.raw.clone(),
        })
    }
}

/// The event with other data; its other lines stay.
fn with_data(raw: &str, data: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + data.len());
    let mut written = false;
    for line in lines(raw) {
        let content = line.trim_end_matches(['\r', '\n']);
        let end = line.get(content.len()..).filter(|e| !e.is_empty()).unwrap_or("\n");
        let (bom, content) = match content.strip_prefix('\u{feff}') {
            Some(rest) => ("\u{feff}", rest),
            None => ("", content),
        };
        if field(content).0 != "data" || content.is_empty() {
            out.extend_from_slice(line.as_bytes());
            continue;
        }
        if written {
            continue;
        }
        written = true;
        out.extend_from_slice(bom.as_bytes());
        for part in data.split('\n') {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(part.as_bytes());
            out.extend_from_slice(end.as_bytes());
        }
    }
    out
}

/// How a stream is ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending<'a> {
    /// As if the model refused to go on.
    Refusal {
        /// What the user reads.
        message: &'a str,
        /// Id of the guard's event.
        event_id: &'a str,
    },
    /// As if the model had said so and was done: a tool call did not go out, and the conversation goes on.
    Notice {
        /// What the user and the model read.
        message: &'a str,
        /// Id of the guard's event.
        event_id: &'a str,
    },
    /// With an error that says that content was blocked.
    Error {
        /// What the client reads.
        message: &'a str,
        /// Id of the guard's event.
        event_id: &'a str,
    },
}

#[derive(Debug)]
enum Reader {
    OpenAi(OpenAi),
    Responses(Box<Responses>),
    Anthropic(Anthropic),
    Gemini(Gemini),
    Generic(Generic),
}

/// What the events have begun and ended so far, for an ending that fits.
#[derive(Clone, Debug, Default)]
struct Said {
    /// Choices seen, and whether they are finished.
    choices: BTreeMap<u32, bool>,
    /// Blocks that were started and not stopped.
    blocks: BTreeSet<u32>,
    next_block: u32,
    started: bool,
    stopping: bool,
    done: bool,
}

/// Reads the events of one streamed reply.
#[derive(Debug)]
pub struct StreamReader {
    protocol: Protocol,
    limits: Limits,
    reader: Reader,
    model: String,
    open: Vec<Channel>,
    /// Where in a delta the text of a channel stands.
    paths: BTreeMap<Channel, String>,
    /// What stands around the text of an unknown field's channel in a delta, before and behind.
    shapes: BTreeMap<Channel, (String, String)>,
    /// Members of the last chunk that every chunk of the stream repeats.
    envelope: String,
    said: Said,
    /// As it was before the last event.
    said_before: Said,
    /// As it was before the first event that waits.
    said_marked: Said,
    altered: BTreeSet<Channel>,
    /// High halves of characters that channels ended with so far.
    halves: BTreeMap<Channel, u32>,
    track: Track,
    /// Nothing more can be said: the reply was ended, or its upstream failed.
    ended: bool,
}

impl StreamReader {
    /// A reader for one stream.
    #[must_use]
    pub fn new(protocol: Protocol, limits: &Limits) -> Self {
        let reader = match protocol {
            Protocol::OpenaiChat | Protocol::OpenaiCompletions => Reader::OpenAi(OpenAi::new(Mode::Stream)),
            Protocol::OpenaiResponses => Reader::Responses(Box::new(Responses::new(Mode::Stream))),
            Protocol::AnthropicMessages => Reader::Anthropic(Anthropic::new(Mode::Stream)),
            Protocol::Gemini => Reader::Gemini(Gemini::new(Mode::Stream)),
            _ => Reader::Generic(Generic { source: Source::Model }),
        };
        Self {
            protocol,
            limits: limits.clone(),
            reader,
            model: String::new(),
            open: Vec::new(),
            paths: BTreeMap::new(),
            shapes: BTreeMap::new(),
            envelope: String::new(),
            said: Said::default(),
            said_before: Said::default(),
            said_marked: Said::default(),
            altered: BTreeSet::new(),
            halves: BTreeMap::new(),
            track: Track::default(),
            ended: false,
        }
    }

    /// The same with a model name, for an ending before the first event names it.
    #[must_use]
    pub fn with_model(mut self, model: &str) -> Self {
        model.clone_into(&mut self.model);
        self
    }

    /// The channels that are open, in the order in which they began.
    #[must_use]
    pub fn open(&self) -> &[Channel] {
        &self.open
    }

    /// True where the stream has said its end, or all that comes before it: servers that leave out the last event are
    /// common. A stream of no known protocol has no end of its own.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let finished = !self.said.choices.is_empty() && self.said.choices.values().all(|finished| *finished);
        self.said.done
            || self.ended
            || match self.reader {
                Reader::OpenAi(_) | Reader::Gemini(_) => finished,
                Reader::Anthropic(_) => self.said.stopping,
                Reader::Responses(_) => false,
                Reader::Generic(_) => true,
            }
    }

    /// Says that the text of a channel was changed on its way. A signature over it that is still to come is then
    /// emptied: it would vouch for words that nobody signed. So is the sound of a transcript.
    pub fn altered(&mut self, channel: &Channel) {
        if self.altered.len() < MAX_CHANNELS {
            self.altered.insert(channel.clone());
        }
    }

    /// Takes the half of a character that a channel has ended with. Like every lone half it reads as U+FFFD.
    pub fn take_half(&mut self, channel: &Channel) -> bool {
        self.halves.remove(channel).is_some()
    }

    /// Puts characters together whose halves came in two events: a client that joins the pieces reads one character.
    fn join_halves(&mut self, data: &str, chunk: &mut Chunk) {
        for delta in chunk.deltas.iter_mut().filter(|delta| !delta.text.is_empty()) {
            let high = self.halves.remove(&delta.channel);
            let literal = inner(delta.literal.of(data));
            if high.is_none() && !literal.contains("\\u") {
                continue;
            }
            let (low, next) = lone_ends(literal);
            match (high, low) {
                (Some(high), Some(low)) if delta.text.starts_with('\u{FFFD}') => {
                    delta.text.replace_range(..'\u{FFFD}'.len_utf8(), &of_halves(high, low).to_string());
                    delta.joined = true;
                }
                (Some(_), _) => {
                    delta.text.insert(0, '\u{FFFD}');
                    delta.joined = true;
                }
                (None, _) => {}
            }
            if let Some(next) = next
                && delta.text.ends_with('\u{FFFD}')
            {
                delta.text.pop();
                delta.joined = true;
                self.halves.insert(delta.channel.clone(), next);
            }
        }
    }

    /// Says that the last event was not passed on: an ending then closes what that event would have closed.
    pub fn withhold(&mut self) {
        self.said.clone_from(&self.said_before);
    }

    /// Says that the last event waits, and is the first that does.
    pub fn mark(&mut self) {
        self.said_marked.clone_from(&self.said_before);
    }

    /// Says that no event from the marked one on was passed on.
    pub fn rewind(&mut self) {
        self.said.clone_from(&self.said_marked);
    }

    /// Reads the next event.
    ///
    /// # Errors
    /// Data that is not JSON, of a shape in which it is not clear what is said, or larger than the limits; text for a
    /// choice or block that is closed, or for a block that was never opened.
    pub fn event(&mut self, event: &SseEvent) -> Result<Chunk, WireError> {
        self.said_before.clone_from(&self.said);
        let mut chunk = Chunk { event: event.clone(), ..Chunk::default() };
        if !event.rest.is_empty() {
            chunk.texts.push(bare(&event.rest, "#comment"));
        }
        if !event.name.is_empty() {
            chunk.texts.push(Text { kind: Kind::Name, ..bare(&event.name, "#event") });
        }
        let Some(data) = &event.data else { return Ok(chunk) };
        if matches!(self.reader, Reader::OpenAi(_)) && data.trim() == "[DONE]" {
            self.close(&mut chunk, |_| true);
            chunk.terminal = true;
            self.said.done = true;
            self.ended = true;
            return Ok(chunk);
        }
        let doc = match Doc::parse(data.as_bytes(), &self.limits) {
            Ok(doc) => doc,
            Err(_) if matches!(self.reader, Reader::Generic(_)) || data.is_empty() => {
                chunk.texts.push(bare(data, ""));
                return Ok(chunk);
            }
            Err(error) => return Err(error.into()),
        };
        let mut build = Build::new(&self.limits);
        match &mut self.reader {
            Reader::OpenAi(dialect) => visit(&doc, dialect, &mut build)?,
            Reader::Responses(dialect) => visit(&doc, dialect.as_mut(), &mut build)?,
            Reader::Anthropic(dialect) => visit(&doc, dialect, &mut build)?,
            Reader::Gemini(dialect) => visit(&doc, dialect, &mut build)?,
            Reader::Generic(dialect) => visit(&doc, dialect, &mut build)?,
        }
        if !build.model.is_empty() {
            self.model = std::mem::take(&mut build.model);
        }
        let choices = self.choices(&doc);
        let whole = matches!(&self.reader, Reader::Responses(dialect) if dialect.how() == How::Whole);
        take_pieces(&mut chunk, build, &choices, whole)?;
        match self.protocol {
            Protocol::OpenaiChat | Protocol::OpenaiCompletions => self.openai(&doc, &mut chunk)?,
            Protocol::OpenaiResponses => self.responses(&doc, event, &mut chunk)?,
            Protocol::AnthropicMessages => self.anthropic(&doc, event, &mut chunk)?,
            Protocol::Gemini => self.gemini(&doc, &mut chunk)?,
            _ => {}
        }
        self.join_halves(data, &mut chunk);
        Ok(chunk)
    }

    /// Opens the channels of the chunk's deltas that are not open.
    fn open_channels(&mut self, chunk: &mut Chunk) -> Result<(), WireError> {
        for delta in &chunk.deltas {
            if !self.open.contains(&delta.channel) {
                if self.open.len() >= MAX_CHANNELS || self.paths.len() >= MAX_CHANNELS {
                    return Err(WireError::Stream("too many channels"));
                }
                let path = delta.pointer.split_once("/delta/").map_or("", |(_, path)| path);
                self.paths.insert(delta.channel.clone(), path.to_owned());
                self.open.push(delta.channel.clone());
                chunk.opens.push(delta.channel.clone());
            }
        }
        Ok(())
    }

    /// Opens the channels of calls that began without a piece of arguments, so that they end too.
    fn open_calls(&mut self, chunk: &mut Chunk) -> Result<(), WireError> {
        let over = |choice: u32| self.ended || self.said.choices.get(&choice) == Some(&true);
        let says = |call: &ToolCall| !call.name.is_empty() || !call.arguments.is_empty();
        if chunk.calls.iter().any(|part| over(part.choice) && says(&part.call)) {
            return Err(WireError::Stream("a tool call behind the end of its choice"));
        }
        chunk.calls.retain(|part| !over(part.choice));
        for part in chunk.calls.iter().filter(|part| !part.whole) {
            let own = |c: &Channel| {
                (c.choice, c.block) == (part.choice, part.block) && matches!(c.part, ChannelPart::ToolArguments { .. })
            };
            if self.open.iter().any(own) {
                continue;
            }
            if self.open.len() >= MAX_CHANNELS {
                return Err(WireError::Stream("too many channels"));
            }
            let name = Arc::from(part.call.name.as_str());
            let (choice, block) = (part.choice, part.block);
            let channel = Channel { choice, block, part: ChannelPart::ToolArguments { name } };
            self.open.push(channel.clone());
            chunk.opens.push(channel);
        }
        Ok(())
    }

    /// Indexes of the choices of an event, by position.
    fn choices(&self, doc: &Doc<'_>) -> Vec<u32> {
        let list = doc.get(0, "choices").filter(|_| matches!(self.reader, Reader::OpenAi(_)));
        let choices = list.into_iter().flat_map(|list| doc.children(list)).enumerate();
        choices.map(|(position, choice)| choice_index(doc, choice, position)).collect()
    }

    fn close(&mut self, chunk: &mut Chunk, ends: impl Fn(&Channel) -> bool) {
        chunk.closes.extend(self.open.iter().filter(|c| ends(c)).cloned());
        self.open.retain(|c| !ends(c));
    }

    /// Refuses text for what is closed, and forgets pieces without text: a channel never opens again.
    fn refuse_late(chunk: &mut Chunk, is_open: impl Fn(&Delta) -> bool) -> Result<(), WireError> {
        if chunk.deltas.iter().any(|delta| !delta.text.is_empty() && !is_open(delta)) {
            return Err(WireError::Stream("text for a part that is not open"));
        }
        chunk.deltas.retain(is_open);
        Ok(())
    }

    /// Positions of the choices in this event that were finished, by an earlier event or earlier in this one.
    fn finished(&self, doc: &Doc<'_>) -> BTreeSet<usize> {
        let mut late = BTreeSet::new();
        let mut finished = BTreeSet::new();
        let choices = doc.get(0, "choices").into_iter().flat_map(|choices| doc.children(choices));
        for (position, choice) in choices.enumerate() {
            let index = choice_index(doc, choice, position);
            if self.ended || finished.contains(&index) || self.said.choices.get(&index) == Some(&true) {
                late.insert(position);
            }
            if is_finish(doc, choice) {
                finished.insert(index);
            }
        }
        late
    }

    fn openai(&mut self, doc: &Doc<'_>, chunk: &mut Chunk) -> Result<(), WireError> {
        let late = self.finished(doc);
        if !late.is_empty() {
            Self::refuse_late(chunk, |delta| position(&delta.pointer).is_none_or(|at| !late.contains(&at)))?;
        }
        self.open_channels(chunk)?;
        self.open_calls(chunk)?;
        for delta in &chunk.deltas {
            if let ChannelPart::Field { pointer } = &delta.channel.part
                && !self.shapes.contains_key(&delta.channel)
                && let Some(holder) = holder(doc, &delta.pointer)
            {
                self.shapes.insert(delta.channel.clone(), shape(doc, holder, pointer, &chunk.deltas));
            }
        }
        if doc.get(0, "error").is_some_and(|e| doc.kind(e) != Some(NodeKind::Null)) {
            chunk.model_error = true;
            // Clients stop reading here.
            self.close(chunk, |_| true);
        }
        let Some(choices) = doc.get(0, "choices") else { return Ok(()) };
        self.said.started = true;
        self.keep_envelope(doc);
        chunk.echoes.extend(tokens(doc, 0, "prompt_logprobs", None));
        for (position, choice) in doc.children(choices).enumerate() {
            let index = choice_index(doc, choice, position);
            chunk.echoes.extend(tokens(doc, choice, "logprobs", Some(index)));
            chunk.echoes.extend(tokens(doc, choice, "prompt_logprobs", None));
            // Some servers repeat beside each delta all that was said before: text that is held or masked would go out.
            if let (Some(_), Some(message)) = (doc.get(choice, "delta"), doc.get(choice, "message")) {
                chunk.void.extend(doc.node(message).map(|node| (node.literal(), "null")));
            }
            self.sound(doc, choice, index, chunk);
            if self.said.choices.len() >= MAX_CHANNELS {
                return Err(WireError::Stream("too many choices"));
            }
            let finished = is_finish(doc, choice);
            *self.said.choices.entry(index).or_default() |= finished;
            if finished {
                self.close(chunk, |c| c.choice == index);
            }
        }
        Ok(())
    }

    /// The sound of a transcript says what the transcript says.
    fn sound(&self, doc: &Doc<'_>, choice: usize, index: u32, chunk: &mut Chunk) {
        let transcript = Channel { choice: index, block: 0, part: ChannelPart::Transcript };
        let altered = self.altered.contains(&transcript);
        for holder in ["delta", "message"] {
            let audio = doc.get(choice, holder).and_then(|h| doc.get(h, "audio"));
            let Some(data) = audio.and_then(|a| doc.get(a, "data")).and_then(|d| doc.node(d)) else { continue };
            if data.kind != NodeKind::String {
                continue;
            }
            if altered {
                chunk.void.push((data.literal(), "\"\""));
            } else {
                let part = Some(ChannelPart::Transcript);
                chunk.echoes.push(Echo { choice: Some(index), part, literal: data.literal(), with: "\"\"" });
            }
        }
    }

    fn keep_envelope(&mut self, doc: &Doc<'_>) {
        const KEYS: [&str; 6] = ["id", "object", "created", "model", "service_tier", "system_fingerprint"];
        const LONGEST: usize = 512;
        self.envelope.clear();
        for key in KEYS {
            if let Some(value) = doc.get(0, key).and_then(|v| doc.node(v)) {
                let literal = value.literal().of(doc.text());
                let scalar = !matches!(value.kind, NodeKind::Array | NodeKind::Object);
                if scalar && literal.len() <= LONGEST {
                    self.envelope.push('"');
                    self.envelope.push_str(key);
                    self.envelope.push_str("\":");
                    self.envelope.push_str(literal);
                    self.envelope.push(',');
                }
            }
        }
    }

    fn anthropic(&mut self, doc: &Doc<'_>, event: &SseEvent, chunk: &mut Chunk) -> Result<(), WireError> {
        let index = number(doc, 0, "index").unwrap_or(0);
        let kind = doc.get_str(0, "type").unwrap_or_default();
        if kind == "content_block_start" {
            if self.ended || doc.get(0, "content_block").is_none() {
                return Err(WireError::Stream("a content block that cannot begin"));
            }
            if self.said.blocks.len() >= MAX_CHANNELS {
                return Err(WireError::Stream("too many content blocks"));
            }
            self.said.blocks.insert(index);
            self.said.next_block = self.said.next_block.max(index.saturating_add(1));
            if let Reader::Anthropic(dialect) = &self.reader
                && let Some(part) = dialect.block(index)
            {
                let channel = Channel { choice: 0, block: index, part: part.clone() };
                if doc.get(0, "content_block").and_then(|b| doc.get_str(b, "type")).as_deref() == Some("compaction") {
                    self.paths.insert(channel.clone(), "content".to_owned());
                }
                if !self.open.contains(&channel) {
                    self.open.push(channel.clone());
                    chunk.opens.push(channel);
                }
            }
        }
        Self::refuse_late(chunk, |delta| !self.ended && self.said.blocks.contains(&delta.channel.block))?;
        self.open_channels(chunk)?;
        let reasoning = Channel { choice: 0, block: index, part: ChannelPart::Reasoning };
        let holder = doc.get(0, "delta").or_else(|| doc.get(0, "content_block"));
        let signature = holder.and_then(|h| doc.get(h, "signature")).and_then(|s| doc.node(s));
        let signature = signature.filter(|s| s.kind == NodeKind::String).map(|s| s.literal());
        if self.altered.contains(&reasoning) {
            chunk.void.extend(signature.map(|literal| (literal, "\"\"")));
        }
        chunk.signature = signature.map(|literal| (reasoning, literal));
        if kind == "content_block_delta" && chunk.deltas.is_empty() {
            // A citation stands behind the words that it is about, a signature behind what it vouches for.
            let text = |c: &&Channel| c.block == index && matches!(c.part, ChannelPart::Text | ChannelPart::Reasoning);
            chunk.beside = self.open.iter().find(text).cloned();
        }
        match kind.as_ref() {
            "message_start" => self.said.started = true,
            "content_block_stop" => {
                self.said.blocks.remove(&index);
                self.close(chunk, |c| c.block == index);
            }
            "message_delta" => self.said.stopping = true,
            "message_stop" => {
                self.close(chunk, |_| true);
                chunk.terminal = true;
                self.said.done = true;
                self.ended = true;
            }
            _ => {}
        }
        if kind == "error" || event.name == "error" {
            chunk.model_error = true;
            self.ended = true;
            self.close(chunk, |_| true);
        }
        Ok(())
    }

    /// A candidate is not over when it says why it finished: some models say so in every event. Its text ends with the
    /// stream.
    fn gemini(&mut self, doc: &Doc<'_>, chunk: &mut Chunk) -> Result<(), WireError> {
        Self::refuse_late(chunk, |_| !self.ended)?;
        self.open_channels(chunk)?;
        if doc.get(0, "error").is_some_and(|e| doc.kind(e) != Some(NodeKind::Null)) {
            chunk.model_error = true;
            self.ended = true;
            self.close(chunk, |_| true);
        }
        for (index, finish, tokens) in gemini::candidates(doc) {
            if self.said.choices.len() >= MAX_CHANNELS {
                return Err(WireError::Stream("too many candidates"));
            }
            let finished = finish.is_some_and(|reason| !reason.is_empty());
            *self.said.choices.entry(index).or_default() |= finished;
            chunk.terminal |= finished;
            if let Some(tokens) = tokens.and_then(|at| doc.node(at)).filter(|node| node.kind != NodeKind::Null) {
                let echo = Echo { choice: Some(index), part: None, literal: tokens.literal(), with: "null" };
                chunk.echoes.push(echo);
            }
        }
        self.said.started |= !self.said.choices.is_empty();
        Ok(())
    }

    /// An event with another piece of a channel, in the shape of those that came: for text that was held back. A field
    /// without a channel of its own goes out at its path with the `type`, `index` and `id` beside it; of a list on that
    /// path there is only the element that leads to it. For such a field that did not come yet there is no event.
    /// To be called when it goes out: where the protocol numbers events it gets the next number.
    #[must_use]
    pub fn synth(&mut self, channel: &Channel, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        if text.is_empty() {
            return out;
        }
        match self.protocol {
            Protocol::OpenaiCompletions => {
                self.openai_chunk(channel.choice, &format!("\"text\":{}", encode(text)), "null", "", &mut out);
            }
            Protocol::OpenaiChat => {
                let delta = match (&channel.part, self.shapes.get(channel)) {
                    (ChannelPart::Field { .. }, None) => return out,
                    (_, Some((before, behind))) => format!("{before}{}{behind}", encode(text)),
                    _ => openai_delta(self.paths.get(channel).map_or("", String::as_str), channel, text),
                };
                self.openai_chunk(channel.choice, &format!("\"delta\":{delta}"), "null", "", &mut out);
            }
            Protocol::Gemini => {
                let finished = self.said.choices.get(&channel.choice) == Some(&true);
                let thought = channel.part == ChannelPart::Reasoning;
                // A client that stops at the reason to finish has to see one behind the last text too.
                let finish = finished.then_some("STOP");
                write_event("", &gemini::event(channel.choice, thought, text, finish, &self.model), &mut out);
            }
            Protocol::OpenaiResponses => self.synth_responses(channel, text, &mut out),
            Protocol::AnthropicMessages => {
                let (kind, key) = match (&channel.part, self.paths.get(channel).map(String::as_str)) {
                    (ChannelPart::Reasoning, _) => ("thinking_delta", "thinking"),
                    (ChannelPart::ToolArguments { .. }, _) => ("input_json_delta", "partial_json"),
                    (_, Some("content")) => ("compaction_delta", "content"),
                    _ => ("text_delta", "text"),
                };
                let data = format!(
                    r#"{{"type":"content_block_delta","index":{},"delta":{{"type":"{kind}","{key}":{}}}}}"#,
                    channel.block,
                    encode(text)
                );
                write_event("content_block_delta", &data, &mut out);
            }
            _ => write_event("", text, &mut out),
        }
        out
    }

    /// An event as it goes out, with other values for some of its deltas and texts: [`Chunk::rewrite_all`] with a number
    /// that is larger than the last one's, where the protocol numbers events.
    #[must_use]
    pub fn write(&mut self, chunk: &Chunk, deltas: &[(usize, String)], texts: &[(usize, String)]) -> Vec<u8> {
        match self.protocol {
            Protocol::OpenaiResponses => self.write_responses(chunk, deltas, texts),
            _ => {
                // The text may have changed since the event came.
                let signature = chunk.signature.as_ref().filter(|(channel, _)| self.altered.contains(channel));
                chunk.render(deltas, texts, signature.map(|(_, literal)| (*literal, "\"\"".to_owned())))
            }
        }
    }

    /// A chunk with one choice; `said` is its member with what is said.
    fn openai_chunk(&self, choice: u32, said: &str, finish: &str, tail: &str, out: &mut Vec<u8>) {
        let data =
            format!(r#"{{{}"choices":[{{"index":{choice},{said},"finish_reason":{finish}}}]{tail}}}"#, self.envelope);
        write_event("", &data, out);
    }

    /// The events that end the stream here, in the protocol's own terms. After the last event of a reply there is
    /// nothing to end.
    #[must_use]
    pub fn ending(&mut self, ending: Ending<'_>) -> Vec<u8> {
        let (message, event_id, refused) = match ending {
            Ending::Error { message, event_id } => {
                return self.failure(ErrorKind::Blocked, message, Some(event_id));
            }
            Ending::Refusal { message, event_id } => (message, event_id, true),
            Ending::Notice { message, event_id } => (message, event_id, false),
        };
        match self.protocol {
            Protocol::AnthropicMessages => self.anthropic_last(message, event_id, refused),
            Protocol::Gemini => self.gemini_last(message, refused),
            Protocol::OpenaiResponses => self.responses_last(message, event_id, refused),
            _ => self.openai_last(message, event_id, refused),
        }
    }

    /// The events that end the stream with an error of any kind.
    #[must_use]
    pub fn failure(&mut self, kind: ErrorKind, message: &str, event_id: Option<&str>) -> Vec<u8> {
        if self.protocol == Protocol::OpenaiResponses {
            return self.responses_failure(kind, message, event_id);
        }
        let mut out = Vec::new();
        if self.end() {
            return out;
        }
        let (_, body) = error_body(self.protocol, kind, message, event_id);
        let body = String::from_utf8(body).unwrap_or_default();
        if self.protocol == Protocol::AnthropicMessages {
            write_event("error", &body, &mut out);
        } else {
            write_event("", &body, &mut out);
            if self.protocol != Protocol::Gemini {
                write_event("", "[DONE]", &mut out);
            }
        }
        out
    }

    /// Marks the stream as ended; true where it was before.
    fn end(&mut self) -> bool {
        self.open.clear();
        std::mem::replace(&mut self.said.done, true)
    }

    /// The last words of a reply. With `refused` they are a refusal.
    fn openai_last(&mut self, message: &str, event_id: &str, refused: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if self.end() {
            return out;
        }
        let completion = self.protocol == Protocol::OpenaiCompletions;
        if self.envelope.is_empty() {
            let (id, object) =
                if completion { ("cmpl", "text_completion") } else { ("chatcmpl", "chat.completion.chunk") };
            self.envelope = format!(
                r#""id":{},"object":"{object}","created":0,"model":{},"#,
                encode(&format!("{id}-{event_id}")),
                encode(&self.model)
            );
        }
        if self.said.choices.is_empty() {
            self.said.choices.insert(0, false);
        }
        let role = match (self.said.started, refused) {
            (true, _) => "",
            (false, true) => r#""role":"assistant","content":null,"#,
            (false, false) => r#""role":"assistant","#,
        };
        let key = if refused { "refusal" } else { "content" };
        // Clients raise an error at a filtered reply. It is right for what was cut off, and for the older protocol, which
        // has no field for a refusal.
        let finish = if refused && (completion || self.said.started) { "\"content_filter\"" } else { "\"stop\"" };
        let (said, nothing) = if completion {
            (format!("\"text\":{}", encode(message)), "\"text\":\"\"")
        } else {
            (format!("\"delta\":{{{role}\"{key}\":{}}}", encode(message)), "\"delta\":{}")
        };
        let tail = format!(",\"event_id\":{}", encode(event_id));
        for (choice, _) in self.said.choices.iter().filter(|(_, finished)| !**finished) {
            self.openai_chunk(*choice, &said, "null", "", &mut out);
            self.openai_chunk(*choice, nothing, finish, &tail, &mut out);
        }
        write_event("", "[DONE]", &mut out);
        out
    }

    fn gemini_last(&mut self, message: &str, refused: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if self.end() {
            return out;
        }
        if self.said.choices.is_empty() {
            self.said.choices.insert(0, false);
        }
        let finish = if refused { "SAFETY" } else { "STOP" };
        for candidate in self.said.choices.keys() {
            let data = gemini::event(*candidate, false, message, Some(finish), &self.model);
            write_event("", &data, &mut out);
        }
        out
    }

    fn anthropic_last(&mut self, message: &str, event_id: &str, refused: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if self.end() {
            return out;
        }
        if !self.said.started {
            let start = format!(
                r#"{{"type":"message_start","message":{{"id":{},"type":"message","role":"assistant","model":{},"content":[],"stop_reason":null,"stop_sequence":null,"usage":{{"input_tokens":0,"output_tokens":0}}}}}}"#,
                encode(&format!("msg_{event_id}")),
                encode(&self.model)
            );
            write_event("message_start", &start, &mut out);
        }
        for block in std::mem::take(&mut self.said.blocks) {
            write_event("content_block_stop", &format!(r#"{{"type":"content_block_stop","index":{block}}}"#), &mut out);
        }
        if !self.said.stopping {
            let index = self.said.next_block;
            let text = encode(message);
            let id = encode(event_id);
            let reason = if refused { "refusal" } else { "end_turn" };
            for (name, data) in [
                (
                    "content_block_start",
                    format!(
                        r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"text","text":""}}}}"#
                    ),
                ),
                (
                    "content_block_delta",
                    format!(
                        r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"text_delta","text":{text}}}}}"#
                    ),
                ),
                ("content_block_stop", format!(r#"{{"type":"content_block_stop","index":{index}}}"#)),
                (
                    "message_delta",
                    format!(
                        r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}","stop_sequence":null}},"usage":{{"output_tokens":0}},"event_id":{id}}}"#
                    ),
                ),
            ] {
                write_event(name, &data, &mut out);
            }
        }
        write_event("message_stop", r#"{"type":"message_stop"}"#, &mut out);
        out
    }
}

/// Moves what was collected into the chunk: pieces of channels apart from the rest. `choices` are the indexes of the
/// choices, by position. Where they are wholes they stay texts.
fn take_pieces(chunk: &mut Chunk, build: Build, choices: &[u32], whole: bool) -> Result<(), WireError> {
    let Build { texts, opaque, channels, pieces, messages, calls, .. } = build;
    chunk.calls = calls;
    let mut pieces = pieces.into_iter().peekable();
    let mut moved = BTreeMap::new();
    // A piece is never a container, but the texts behind it move up.
    for (index, text) in texts.into_iter().enumerate() {
        let mut known = pieces.next_if(|(at, _)| *at == index).and_then(|(_, channel)| channels.get(channel));
        if let Some(channel) = known.take_if(|_| whole) {
            chunk.wholes.push((chunk.texts.len(), channel.clone()));
        }
        match known.cloned().map_or_else(|| field_channel(&text, choices), |channel| Ok(Some(channel)))? {
            Some(channel) => chunk.deltas.push(Delta {
                channel,
                text: text.value,
                origin: text.origin,
                kind: text.kind,
                pointer: text.pointer,
                literal: text.literal,
                joined: false,
            }),
            None => {
                moved.insert(index, chunk.texts.len());
                let container = text.container.and_then(|c| moved.get(&c).copied());
                chunk.texts.push(Text { container, ..text });
            }
        }
    }
    let parts = messages.into_iter().map(|message| message.parts).filter(|_| whole);
    let parts = parts.map(|parts| parts.iter().filter_map(|part| moved.get(part).copied()).collect::<Vec<usize>>());
    chunk.joined = parts.filter(|parts| parts.len() > 1).collect();
    chunk.opaque = opaque;
    Ok(())
}

/// The channel of a string in a choice's delta that has none of its own. Arguments that come as an object come whole,
/// sources and pictures too, and what cannot change does not grow.
fn field_channel(text: &Text, choices: &[u32]) -> Result<Option<Channel>, WireError> {
    const LONGEST_POINTER: usize = 512;
    // Lists of which servers send an element at once: a part of an address that is held back would be an element more.
    const SOURCES: [&str; 5] = ["annotations", "citations", "images", "search_results", "videos"];
    let prose = matches!(text.kind, Kind::Text | Kind::Reasoning | Kind::Refusal);
    if !prose || !text.editable || text.container.is_some() || text.value.is_empty() {
        return Ok(None);
    }
    let Some(choice) = position(&text.pointer).and_then(|at| choices.get(at)) else { return Ok(None) };
    let Some((_, path)) = in_delta(&text.pointer) else { return Ok(None) };
    if path.split('/').nth(1).is_some_and(|member| SOURCES.contains(&member)) {
        return Ok(None);
    }
    if path.len() > LONGEST_POINTER {
        return Err(WireError::Stream("a field whose path is too long"));
    }
    Ok(Some(Channel { choice: *choice, block: 0, part: ChannelPart::Field { pointer: Arc::from(path) } }))
}

/// Splits a pointer into that of the delta, or of the message in its place, and the rest.
fn in_delta(pointer: &str) -> Option<(&str, &str)> {
    let choice = pointer.strip_prefix("/choices/")?;
    let (_, member) = choice.split_once('/')?;
    let (key, _) = member.split_once('/')?;
    if !matches!(key, "delta" | "message") {
        return None;
    }
    let at = pointer.len() - member.len() + key.len();
    pointer.split_at_checked(at)
}

/// The node of the delta in which a pointer ends.
fn holder(doc: &Doc<'_>, pointer: &str) -> Option<usize> {
    let (holder, _) = in_delta(pointer)?;
    let choice = doc.children(doc.get(0, "choices")?).nth(position(pointer)?)?;
    doc.get(choice, holder.rsplit('/').next()?)
}

/// What stands before and behind the string at a pointer in a delta, with what says what kind of element it is in
/// and is no piece of text itself.
fn shape(doc: &Doc<'_>, holder: usize, pointer: &str, pieces: &[Delta]) -> (String, String) {
    const BESIDE: [&str; 3] = ["type", "index", "id"];
    const LONGEST: usize = 2048;
    let (mut before, mut behind) = (String::new(), Vec::new());
    let mut node = Some(holder);
    for token in pointer.split('/').skip(1) {
        if node.and_then(|n| doc.kind(n)) == Some(NodeKind::Array) {
            before.push('[');
            behind.push(']');
            node = node.zip(token.parse().ok()).and_then(|(n, at): (usize, usize)| doc.children(n).nth(at));
            continue;
        }
        let key = token.replace("~1", "/").replace("~0", "~");
        before.push('{');
        behind.push('}');
        for beside in BESIDE.iter().filter(|b| **b != key) {
            let Some(value) = node.and_then(|n| doc.get(n, beside)) else { continue };
            let named = match doc.kind(value) {
                Some(NodeKind::String) => {
                    let literal = doc.node(value).map(|n| n.literal());
                    is_name(&doc.value(value), false) && pieces.iter().all(|p| Some(p.literal) != literal)
                }
                Some(NodeKind::Number) => doc.literal(value).len() <= 20,
                _ => false,
            };
            if named && before.len() < LONGEST {
                before.push_str(&format!("\"{beside}\":{},", doc.literal(value)));
            }
        }
        before.push_str(&encode(&key));
        before.push(':');
        node = node.and_then(|n| doc.get(n, &key));
    }
    (before, behind.into_iter().rev().collect())
}

/// The delta object of a chunk for a channel whose texts came at `path`.
fn openai_delta(path: &str, channel: &Channel, text: &str) -> String {
    let text = encode(text);
    let mut steps = path.split('/');
    match (steps.next().unwrap_or_default(), &channel.part) {
        ("content", _) if steps.next().is_some() => format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#),
        ("reasoning_details", _) => {
            let index = channel.block.saturating_sub(2);
            format!(r#"{{"reasoning_details":[{{"type":"reasoning.text","index":{index},"text":{text}}}]}}"#)
        }
        (_, ChannelPart::ToolArguments { .. }) if channel.block == FUNCTION_CALL => {
            format!(r#"{{"function_call":{{"arguments":{text}}}}}"#)
        }
        (_, ChannelPart::ToolArguments { .. }) => {
            let body = if path.contains("/custom/") {
                format!(r#""custom":{{"input":{text}}}"#)
            } else {
                format!(r#""function":{{"arguments":{text}}}"#)
            };
            format!(r#"{{"tool_calls":[{{"index":{},{body}}}]}}"#, channel.block)
        }
        (_, ChannelPart::Transcript) => format!(r#"{{"audio":{{"transcript":{text}}}}}"#),
        ("reasoning", _) => format!(r#"{{"reasoning":{text}}}"#),
        (_, ChannelPart::Reasoning) => format!(r#"{{"reasoning_content":{text}}}"#),
        (_, ChannelPart::Refusal) => format!(r#"{{"refusal":{text}}}"#),
        (_, ChannelPart::Text | ChannelPart::Field { .. }) => format!(r#"{{"content":{text}}}"#),
    }
}

/// The log probabilities under a key: they repeat tokens of a choice or, without one, of any.
fn tokens(doc: &Doc<'_>, object: usize, key: &str, choice: Option<u32>) -> Option<Echo> {
    let found = doc.get(object, key).and_then(|l| doc.node(l)).filter(|l| l.kind != NodeKind::Null)?;
    Some(Echo { choice, part: None, literal: found.literal(), with: "null" })
}

/// Index of the choice that stands at `position` in its list.
fn choice_index(doc: &Doc<'_>, choice: usize, position: usize) -> u32 {
    number(doc, choice, "index").unwrap_or_else(|| u32::try_from(position).unwrap_or(u32::MAX))
}

/// True where a choice says that it is finished. Some servers write an empty reason in every chunk.
fn is_finish(doc: &Doc<'_>, choice: usize) -> bool {
    doc.get_str(choice, "finish_reason").is_some_and(|reason| !reason.is_empty())
}

/// Position of the choice in which a pointer of an event ends.
fn position(pointer: &str) -> Option<usize> {
    pointer.strip_prefix("/choices/")?.split('/').next()?.parse().ok()
}

fn number(doc: &Doc<'_>, object: usize, key: &str) -> Option<u32> {
    let value = doc.get(object, key).filter(|v| doc.kind(*v) == Some(NodeKind::Number))?;
    doc.literal(value).parse().ok()
}

/// A text of an event that is not a leaf of its data.
fn bare(value: &str, pointer: &str) -> Text {
    Text { pointer: pointer.to_owned(), origin: Source::Model.into(), value: value.to_owned(), ..Text::default() }
}
