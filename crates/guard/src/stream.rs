//! A streamed reply: every channel through its own engine stream, tool calls held until they are whole.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bartizan_core::{Action, Context, Finding, Limits, Mode, Part, Protocol, Reason, Source, Verdict};
use bartizan_engine::{Engine, Input, Step, Stream};
use bartizan_policy::{Cause, OpaqueRule, Outcome, Permitted, Piece, Refusal, Table, decide, release};
use bartizan_wire::{
    Channel, ChannelPart, Chunk, Delta, Ending, ErrorKind, SseDecoder, SseEvent, StreamReader, WireError,
};

use crate::assess::assess;
use crate::guard::ReplyContext;
use crate::record::Noted;

/// What goes to the caller now.
#[derive(Debug)]
pub struct Output {
    /// Bytes for the caller; may be empty.
    pub permitted: Permitted<Vec<u8>>,
    /// The stream ends here, whatever the upstream still sends.
    pub ended: bool,
}

/// A streamed reply on its way through the guard. Sans-I/O: bytes in, bytes out.
pub struct ReplyStream {
    engine: Arc<Engine>,
    table: Arc<Table>,
    mode: Mode,
    sse: SseDecoder,
    reader: StreamReader,
    system: Vec<String>,
    event_id: String,
    refusal: bool,
    texts: BTreeMap<Channel, Stream>,
    /// Arguments of tool calls that are not complete yet.
    calls: BTreeMap<Channel, String>,
    /// Arguments that had to change, until their events go out.
    changed_calls: BTreeMap<Channel, Option<Permitted<String>>>,
    /// Events that carry parts of calls.
    held_events: Vec<HeldEvent>,
    /// Leaves that repeat in every event are looked at once.
    seen: HashSet<u64>,
    noted: Noted,
    ended: bool,
}

/// An event that carries a part of a tool call and waits for the rest of it.
struct HeldEvent {
    /// The permit for what is not part of the call.
    leaves: Permitted<Vec<(usize, String)>>,
    /// Text that went out ahead.
    blank: Vec<(usize, String)>,
    chunk: Chunk,
}

/// Leaves that are remembered as seen; more are simply looked at again.
const SEEN: usize = 4096;

/// A stream that ends early, with the reason for the record.
enum Stopped {
    Refused(Refusal),
    Broken(&'static str),
}

impl ReplyStream {
    pub(crate) fn new(
        engine: Arc<Engine>,
        table: Arc<Table>,
        mode: Mode,
        protocol: Protocol,
        context: ReplyContext,
        event_id: &str,
        refusal: bool,
    ) -> Self {
        let limits = engine.limits().clone();
        Self {
            engine,
            table,
            mode,
            sse: SseDecoder::new(&limits),
            reader: StreamReader::new(protocol, &limits),
            system: context.system,
            event_id: event_id.to_owned(),
            refusal,
            texts: BTreeMap::new(),
            calls: BTreeMap::new(),
            changed_calls: BTreeMap::new(),
            held_events: Vec::new(),
            seen: HashSet::new(),
            noted: Noted::default(),
            ended: false,
        }
    }

    /// Takes bytes from the upstream.
    pub fn push(&mut self, bytes: &[u8]) -> Output {
        if self.ended {
            return self.output(Permitted::nothing());
        }
        let mut out = Permitted::nothing();
        let mut events = Vec::new();
        let read = self.sse.push(bytes, &mut events);
        self.events(&events, &mut out);
        if let Err(error) = read {
            self.broken(&error, &mut out);
        }
        self.output(out)
    }

    /// The upstream has ended its stream: what is still held goes out. Call it once.
    pub fn finish(&mut self) -> Output {
        if self.ended {
            return self.output(Permitted::nothing());
        }
        let mut out = Permitted::nothing();
        match self.sse.finish() {
            Ok(event) => self.events(event.as_slice(), &mut out),
            Err(error) => self.broken(&error, &mut out),
        }
        if !self.ended {
            let open: Vec<Channel> = self.texts.keys().cloned().collect();
            let stopped = self.close(&open, &mut out).err();
            if let Some(stopped) = stopped {
                self.stop(stopped, &mut out);
            } else if !self.calls.is_empty() {
                // Half a tool call was never checked, so it is never sent.
                self.calls.clear();
                self.held_events.clear();
                self.stop(Stopped::Broken("the upstream broke off inside a tool call"), &mut out);
            }
            self.ended = true;
        }
        self.output(out)
    }

    /// The upstream failed: the caller gets the text that is still held and a wire-correct ending.
    pub fn fail(&mut self, message: &'static str) -> Output {
        let mut out = Permitted::nothing();
        if !self.ended {
            let open: Vec<Channel> = self.texts.keys().cloned().collect();
            let stopped = self.close(&open, &mut out).err().unwrap_or(Stopped::Broken(message));
            self.stop(stopped, &mut out);
        }
        self.output(out)
    }

    /// Bytes of text that are held back now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.texts.values().map(Stream::held).sum::<usize>() + self.calls.values().map(String::len).sum::<usize>()
    }

    /// What to record.
    #[must_use]
    pub fn noted(&self) -> Noted {
        self.noted.clone()
    }

    fn output(&self, permitted: Permitted<Vec<u8>>) -> Output {
        Output { permitted, ended: self.ended }
    }

    fn events(&mut self, events: &[SseEvent], out: &mut Permitted<Vec<u8>>) {
        for event in events {
            if self.ended {
                return;
            }
            match self.reader.event(event) {
                Ok(chunk) => {
                    if let Err(stopped) = self.chunk(chunk, out) {
                        self.reader.withhold();
                        self.stop(stopped, out);
                    }
                }
                Err(error) => self.broken(&error, out),
            }
        }
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut Permitted<Vec<u8>>) -> Result<(), Stopped> {
        let leaves = self.leaves(&chunk)?;
        let mut passed = Vec::with_capacity(chunk.deltas.len());
        let mut calls = false;
        for (index, delta) in chunk.deltas.iter().enumerate() {
            if is_call(&delta.channel) {
                calls = true;
                self.hold_call(&delta.channel, &delta.text)?;
                continue;
            }
            let step = self.flow(&delta.channel, delta).push(&delta.text);
            passed.push((index, self.pass(step, &delta.channel)?));
            if chunk.closes.contains(&delta.channel)
                && let Some(mut stream) = self.texts.remove(&delta.channel)
            {
                passed.push((index, self.pass(stream.finish(), &delta.channel)?));
            }
        }
        if calls && self.mode == Mode::Enforce {
            // Text in the same event goes out ahead of the call.
            let mut blank = Vec::new();
            for (index, text) in passed {
                if let Some(delta) = chunk.deltas.get(index) {
                    self.synthesise(&delta.channel, text, out);
                }
                blank.push((index, String::new()));
            }
            let closes = chunk.closes.clone();
            self.held_events.push(HeldEvent { leaves, blank, chunk });
            return self.close(&closes, out);
        }
        self.close(&chunk.closes, out)?;
        let (indexes, texts): (Vec<usize>, Vec<Permitted<String>>) = passed.into_iter().unzip();
        if withheld(&chunk, &texts) {
            return Ok(());
        }
        out.append(leaves.and(Permitted::all(texts)).encode(|(leaves, texts)| {
            let mut deltas: Vec<(usize, String)> = Vec::with_capacity(indexes.len());
            for (index, text) in indexes.into_iter().zip(texts) {
                match deltas.last_mut() {
                    Some((last, joined)) if *last == index => joined.push_str(&text),
                    _ => deltas.push((index, text)),
                }
            }
            chunk.rewrite_all(&deltas, &leaves)
        }));
        Ok(())
    }

    fn hold_call(&mut self, channel: &Channel, arguments: &str) -> Result<(), Stopped> {
        let held = self.calls.entry(channel.clone()).or_default();
        held.push_str(arguments);
        if held.len() <= self.engine.limits().max_held {
            return Ok(());
        }
        self.noted.coverage.add(Part::partial(Reason::TooLong, held.len()));
        if self.mode == Mode::Monitor {
            held.clear();
            return Ok(());
        }
        Err(Stopped::Refused(Refusal { verdict: Verdict::Deny, causes: vec![Cause::Coverage] }))
    }

    fn synthesise(&mut self, channel: &Channel, text: Permitted<String>, out: &mut Permitted<Vec<u8>>) {
        if !text.get().is_empty() {
            let reader = &mut self.reader;
            out.append(text.encode(|text| reader.synth(channel, &text)));
        }
    }

    fn flow(&mut self, channel: &Channel, delta: &Delta) -> &mut Stream {
        let (engine, table, system, mode) = (&self.engine, &self.table, &self.system, self.mode);
        self.texts.entry(channel.clone()).or_insert_with(|| {
            let table = Arc::clone(table);
            let source = delta.origin.source;
            let masks = move |rule: &bartizan_core::Rule| {
                mode == Mode::Enforce && table.strictest(rule, source) >= Verdict::Redact
            };
            engine.stream(delta.origin.clone(), delta.kind, masks, system.clone())
        })
    }

    /// What a step lets out, masked.
    fn pass(&mut self, step: Step, channel: &Channel) -> Result<Permitted<String>, Stopped> {
        self.noted.coverage.merge(&step.coverage);
        self.noted.scores = self.noted.scores.max(step.scores);
        self.noted.count(&step.findings);
        self.noted.count(step.late.iter().map(|(finding, _)| finding));
        let partial = self.table.coverage(step.coverage.status);
        self.noted.verdict = self.noted.verdict.max(partial);
        let piece = release(step.text, step.start, &step.findings, Source::Model, &self.table, self.mode);
        let text = match piece {
            Piece::Cut(refusal) => return Err(Stopped::Refused(refusal)),
            Piece::Forward { permitted, verdict, masked } => {
                self.noted.verdict = self.noted.verdict.max(verdict);
                if masked > 0 {
                    self.noted.action = Action::Mask;
                    self.reader.altered(channel);
                }
                permitted
            }
        };
        self.late(&step.late)?;
        if self.mode == Mode::Enforce && partial >= Verdict::Hold {
            return Err(Stopped::Refused(Refusal { verdict: partial, causes: vec![Cause::Coverage] }));
        }
        Ok(text)
    }

    /// Findings of which a part is out already: they can only end the stream.
    fn late(&mut self, late: &[(Finding, usize)]) -> Result<(), Stopped> {
        for (finding, sent) in late {
            let verdict = self.table.finding(finding, Source::Model);
            self.noted.verdict = self.noted.verdict.max(verdict);
            if verdict >= Verdict::Redact && self.mode == Mode::Enforce {
                self.noted.coverage.add(Part::structural(Reason::AlreadySent, *sent));
                let cause = Cause::Rule(finding.rule.clone());
                return Err(Stopped::Refused(Refusal { verdict, causes: vec![cause] }));
            }
        }
        Ok(())
    }

    /// Leaves of an event that are no part of a growing text: the permit for its envelope, with the changes that it
    /// needs.
    fn leaves(&mut self, chunk: &Chunk) -> Result<Permitted<Vec<(usize, String)>>, Stopped> {
        let mut changes = Vec::new();
        for (index, text) in chunk.texts.iter().enumerate() {
            let mut hasher = DefaultHasher::new();
            (&text.pointer, &text.value).hash(&mut hasher);
            let key = hasher.finish();
            if self.seen.contains(&key) {
                continue;
            }
            let source = text.origin.source;
            let input = Input { text: &text.value, kind: text.kind, origin: &text.origin, context: Context::default() };
            let scan = self.engine.scan(&input);
            self.noted.count(&scan.findings);
            self.noted.coverage.merge(&scan.coverage);
            match release(text.value.clone(), 0, &scan.findings, source, &self.table, self.mode) {
                Piece::Cut(refusal) => return Err(Stopped::Refused(refusal)),
                Piece::Forward { verdict, masked, .. } if masked > 0 && !text.editable => {
                    self.noted.verdict = self.noted.verdict.max(verdict);
                    let causes = scan.findings.iter().map(|f| Cause::NotEditable(f.rule.clone())).collect();
                    return Err(Stopped::Refused(Refusal { verdict: Verdict::Deny, causes }));
                }
                Piece::Forward { permitted, verdict, masked } => {
                    self.noted.verdict = self.noted.verdict.max(verdict);
                    if masked > 0 {
                        self.noted.action = Action::Mask;
                        changes.push(permitted.encode(|text| (index, text)));
                    } else {
                        if self.seen.len() >= SEEN {
                            self.seen.clear();
                        }
                        self.seen.insert(key);
                    }
                }
            }
        }
        for part in &chunk.opaque {
            self.noted.coverage.add(Part::structural(part.kind.reason(), part.bytes));
            let source = part.origin.source;
            if self.mode == Mode::Enforce && self.table.opaque.rule(part.kind, source) != OpaqueRule::Allow {
                let causes = vec![Cause::Opaque(part.kind, source)];
                return Err(Stopped::Refused(Refusal { verdict: Verdict::Deny, causes }));
            }
        }
        Ok(Permitted::all(changes))
    }

    /// Ends channels: held text goes out, complete tool calls are decided.
    fn close(&mut self, channels: &[Channel], out: &mut Permitted<Vec<u8>>) -> Result<(), Stopped> {
        let mut arguments = Vec::new();
        for channel in channels {
            if let Some(mut stream) = self.texts.remove(channel) {
                let text = self.pass(stream.finish(), channel)?;
                self.synthesise(channel, text, out);
            }
            if let Some(call) = self.calls.remove(channel) {
                arguments.push((channel.clone(), call));
            }
        }
        for (channel, call) in arguments {
            if let Some(new) = self.call(&call)? {
                self.changed_calls.insert(channel, Some(new));
            }
        }
        if !self.calls.is_empty() {
            return Ok(());
        }
        for HeldEvent { leaves, mut blank, chunk } in std::mem::take(&mut self.held_events) {
            let mut new = Vec::new();
            for (index, delta) in chunk.deltas.iter().enumerate() {
                // The first event of a changed call carries all of it, the others nothing.
                match self.changed_calls.get_mut(&delta.channel).map(Option::take) {
                    Some(Some(text)) => new.push(text.encode(|text| (index, text))),
                    Some(None) => blank.push((index, String::new())),
                    None => {}
                }
            }
            out.append(leaves.and(Permitted::all(new)).encode(|(leaves, new)| {
                blank.extend(new);
                chunk.rewrite_all(&blank, &leaves)
            }));
        }
        self.changed_calls.clear();
        Ok(())
    }

    /// Decides about the arguments of one complete tool call; answers new ones where they had to change.
    fn call(&mut self, arguments: &str) -> Result<Option<Permitted<String>>, Stopped> {
        let limits = self.engine.limits().clone();
        let exchange = arguments_exchange(arguments, &limits);
        let system: Vec<&str> = self.system.iter().map(String::as_str).collect();
        let mut assessment = assess(&self.engine, &exchange, &system);
        let outcome = decide(exchange, &mut assessment, &self.table, None, self.mode, |exchange, edits| {
            crate::guard::rewrite(exchange, edits, &limits)
        });
        self.noted.count(assessment.findings.iter().map(|f| &f.finding));
        self.noted.coverage.merge(&assessment.coverage);
        self.noted.verdict = self.noted.verdict.max(outcome.verdict());
        match outcome {
            Outcome::Refuse(refusal) | Outcome::Hold(refusal) => Err(Stopped::Refused(refusal)),
            Outcome::Forward { masked: 0, .. } => Ok(None),
            Outcome::Forward { permitted, .. } => {
                self.noted.action = Action::Mask;
                Ok(Some(permitted.encode(|exchange| String::from_utf8_lossy(&exchange.body).into_owned())))
            }
        }
    }

    fn broken(&mut self, error: &WireError, out: &mut Permitted<Vec<u8>>) {
        tracing::warn!(%error, "the upstream's stream cannot be read");
        self.noted.coverage.add(Part::partial(Reason::Malformed, 0));
        self.stop(Stopped::Broken("the upstream's reply cannot be read"), out);
    }

    fn stop(&mut self, stopped: Stopped, out: &mut Permitted<Vec<u8>>) {
        self.ended = true;
        self.noted.action = Action::Cut;
        let event_id = self.event_id.as_str();
        let bytes = match &stopped {
            Stopped::Refused(refusal) => {
                self.noted.verdict = self.noted.verdict.max(refusal.verdict);
                tracing::info!(causes = ?refusal.causes, "stream cut");
                let message = format!("this content was blocked by policy (event {event_id})");
                self.reader.ending(if self.refusal {
                    Ending::Refusal { message: &message, event_id }
                } else {
                    Ending::Error { message: &message, event_id }
                })
            }
            Stopped::Broken(message) => self.reader.failure(ErrorKind::Upstream, message, Some(event_id)),
        };
        out.append(Permitted::nothing().encode(|_| bytes));
    }
}

/// True where an event would say nothing any more: all of its text is held back, and it begins and ends nothing.
fn withheld(chunk: &Chunk, passed: &[Permitted<String>]) -> bool {
    !chunk.deltas.is_empty()
        && chunk.deltas.iter().any(|delta| !delta.text.is_empty())
        && passed.iter().all(|text| text.get().is_empty())
        && chunk.opens.is_empty()
        && chunk.closes.is_empty()
        && !chunk.terminal
}

const fn is_call(channel: &Channel) -> bool {
    matches!(channel.part, ChannelPart::ToolArguments { .. })
}

/// Arguments that are JSON are looked at leaf by leaf; anything else as one text.
fn arguments_exchange(arguments: &str, limits: &Limits) -> bartizan_core::Exchange {
    match bartizan_wire::reply(Protocol::Json, arguments.as_bytes().to_vec(), limits) {
        Ok(exchange) => exchange,
        Err(_) => crate::guard::bare_text(arguments, Source::Model),
    }
}
