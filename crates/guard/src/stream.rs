//! A streamed reply: every channel through its own engine stream, tool calls held until they are whole.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bartizan_core::{
    Action, Context, Direction, Edit, Exchange, Finding, Found, Kind, Limits, Message, Mode, Part, Profile, Protocol,
    Reason, Source, Text, ToolCall, Verdict,
};
use bartizan_engine::{Engine, Meter, Step, Stream, Surroundings};
use bartizan_policy::operator::{Matcher, Restorer, Setting, restored};
use bartizan_policy::{
    Assessment, Cause, Contained, Conversing, OnFailure, Outcome, Piece, Redaction, Refusal, Table, apply, decide,
    grounds, judge, release,
};
use bartizan_rules::output::schema_violation::ReplySchema;
use bartizan_wire::{
    Channel, ChannelPart, Chunk, Delta, Ending, ErrorKind, SseDecoder, SseEvent, StreamReader, WireError,
};

use crate::agents::{Asking, Decider};
use crate::assess::assess;
use crate::cache::Scanner;
use crate::candidate::Compared;
use crate::checks::violation;
use crate::contain::{Containments, NamePieces};
use crate::conversation::Conversation;
use crate::exceptions::Excepted;
use crate::exchange::{ReplyContext, bare_text, rewrite};
use crate::record::Noted;
use crate::restore::{self, is_read};

/// Bytes of a streamed reply that may be sent. Only this module makes them, out of what policy let pass.
#[derive(Debug, Default)]
pub struct Released(Vec<u8>);

impl Released {
    /// The bytes, to be sent.
    #[must_use]
    pub fn into_inner(self) -> Vec<u8> {
        self.0
    }
}

/// What goes to the caller now.
#[derive(Debug)]
pub struct Output {
    /// Bytes for the caller; may be empty.
    pub released: Released,
    /// The stream ends here, whatever the upstream still sends.
    pub ended: bool,
    /// The upstream has said its end. It waits for [`ReplyStream::finish`], so that the record can be written before.
    pub complete: bool,
}

/// A streamed reply on its way through the guard. Sans-I/O: bytes in, bytes out.
pub struct ReplyStream {
    engine: Arc<Engine>,
    table: Arc<Table>,
    /// A policy that is tried on the same findings.
    candidate: Option<Arc<Table>>,
    meter: Meter,
    mode: Mode,
    sse: SseDecoder,
    reader: StreamReader,
    system: Vec<String>,
    profile: Profile,
    /// What the text of the reply has to fit.
    schema: Option<ReplySchema>,
    event_id: String,
    refusal: bool,
    protocol: Protocol,
    texts: BTreeMap<Channel, Flow>,
    /// Texts that have to be whole before any of them goes out.
    whole: BTreeMap<Channel, Whole>,
    /// Arguments of tool calls that are not complete yet.
    calls: BTreeMap<Channel, String>,
    /// Arguments that had to change, until their events go out; `None` once they are out.
    changed_calls: BTreeMap<Channel, Option<String>>,
    /// What waits for a call to be complete, in order: its events and everything behind them.
    waiting: Vec<Waiting>,
    /// Bytes of it.
    waiting_bytes: usize,
    /// Events that stand in a text of which a part is held, such as citations: with how much of it came before them.
    beside: BTreeMap<Channel, VecDeque<(usize, Waiting)>>,
    /// Bytes of them.
    beside_bytes: usize,
    /// Leaves that repeat in other events are looked at once.
    seen: HashSet<u64>,
    /// What became of those that had to change.
    masked: Masked,
    /// Texts that came in pieces: what was found in them is counted already.
    counted: HashSet<u64>,
    noted: Noted,
    cut_off: Arc<Containments>,
    names: NamePieces,
    excepted: Excepted,
    /// What decides about its tool calls; `None` where nothing does.
    decider: Option<Decider>,
    /// Tool calls that have begun and are not decided.
    begun: BTreeMap<(u32, u32), ToolCall>,
    /// A tool call has begun: what comes from there on waits for the end of the reply.
    called: bool,
    conversation: Option<Arc<Conversation>>,
    /// Finds its pseudonyms; `None` where there are none.
    matcher: Option<Arc<Matcher>>,
    /// Texts on their way out in which a pseudonym may be incomplete.
    restorers: BTreeMap<Channel, Restorer>,
    ended: bool,
    /// The upstream has said its end.
    complete: bool,
    /// The upstream has said that it failed.
    failed: bool,
    /// The end, with what came in the same piece.
    last: Vec<u8>,
}

/// What decides about a stream.
pub(crate) struct Policies {
    pub(crate) table: Arc<Table>,
    /// A policy that is tried on the same findings.
    pub(crate) candidate: Option<Arc<Table>>,
    pub(crate) mode: Mode,
}

/// A growing text and where it comes from.
struct Flow {
    stream: Stream,
    kind: Kind,
    source: Source,
    /// Hash of all of it so far.
    hash: DefaultHasher,
    /// Bytes of it so far.
    came: usize,
}

/// New texts by the hash of the old ones, as long as they are not too many.
#[derive(Default)]
struct Masked {
    texts: HashMap<u64, Option<String>>,
    bytes: usize,
}

impl Masked {
    fn keep(&mut self, key: u64, text: Option<&str>, most: usize) {
        let size = text.map_or(0, str::len);
        if self.bytes + size > most || self.texts.len() >= SEEN {
            *self = Self::default();
        }
        if size <= most {
            self.bytes += size;
            self.texts.insert(key, text.map(str::to_owned));
        }
    }
}

/// A text that is judged at its end.
#[derive(Default)]
struct Whole {
    /// As it came.
    came: String,
    /// As policy lets it pass; empty in monitor mode, where it has passed.
    passed: String,
}

/// Something that goes out in its turn.
enum Waiting {
    /// An event, with what policy let pass of its texts.
    Event { chunk: Box<Chunk>, deltas: Vec<(usize, String)>, leaves: Vec<(usize, String)> },
    /// For an event of our own: text that was held back.
    Synthetic { channel: Channel, text: String },
}

impl Waiting {
    /// Bytes that it takes while it waits.
    fn cost(&self) -> usize {
        EVENT_COST
            + match self {
                Self::Event { chunk, .. } => chunk.raw().len(),
                Self::Synthetic { text, .. } => text.len(),
            }
    }
}

/// What an event costs besides its bytes.
const EVENT_COST: usize = 512;

/// How many times the bytes of its arguments the events of a call may take.
const WAITING: usize = 4;

/// Texts of the operator that are learnt from a reply.
const MOST_SYSTEM: usize = 8;

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
        policies: Policies,
        meter: Meter,
        protocol: Protocol,
        context: ReplyContext,
        event_id: &str,
        refusal: bool,
    ) -> Self {
        let limits = engine.limits().clone();
        let Policies { table, candidate, mode } = policies;
        let decider = context.agent.map(|agent| Decider::new(agent, context.desk, mode, &limits));
        Self {
            engine,
            table,
            candidate,
            meter,
            mode,
            sse: SseDecoder::new(&limits),
            reader: StreamReader::new(protocol, &limits),
            system: context.system,
            profile: context.profile,
            schema: context.requested,
            event_id: event_id.to_owned(),
            refusal,
            protocol,
            texts: BTreeMap::new(),
            whole: BTreeMap::new(),
            calls: BTreeMap::new(),
            changed_calls: BTreeMap::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            beside: BTreeMap::new(),
            beside_bytes: 0,
            seen: HashSet::new(),
            masked: Masked::default(),
            counted: HashSet::new(),
            noted: Noted::default(),
            cut_off: Arc::default(),
            names: NamePieces::default(),
            excepted: Excepted::default(),
            decider,
            begun: BTreeMap::new(),
            called: false,
            conversation: None,
            matcher: None,
            restorers: BTreeMap::new(),
            ended: false,
            complete: false,
            failed: false,
            last: Vec::new(),
        }
    }

    /// Says what is cut off from now on. A caller or model that is ends the stream, and so does a call that is not
    /// complete of such a tool. `key` and `model` are those of the request.
    pub fn contain(&mut self, cut_off: &Arc<Containments>, key: &str, model: &str) -> Output {
        let mut out = Vec::new();
        if !self.ended && !Arc::ptr_eq(cut_off, &self.cut_off) {
            self.cut_off = Arc::clone(cut_off);
            let mut met = cut_off.caller(key);
            met.extend(cut_off.model(model));
            for channel in self.calls.keys() {
                if let ChannelPart::ToolArguments { name } = &channel.part {
                    cut_off.tool(name, &mut met);
                }
            }
            if let Err(stopped) = self.refuse(met) {
                self.stop(stopped, &mut out);
            }
        }
        self.output(out)
    }

    /// Says which exceptions hold for who asks.
    pub fn except(&mut self, excepted: Excepted) {
        self.excepted = excepted;
    }

    /// Says which conversation it belongs to, before anything is pushed. Its pseudonyms are restored.
    pub fn converse(&mut self, conversation: Option<Arc<Conversation>>) {
        let pseudonyms = self.mode == Mode::Enforce && self.table.operators.has_pseudonyms();
        let matcher = conversation.as_ref().filter(|_| pseudonyms).map(|one| one.matcher());
        self.matcher = matcher.filter(|matcher| !matcher.is_empty());
        self.conversation = conversation;
    }

    /// Puts values in place of pseudonyms in what may go out of a text.
    fn restored(&mut self, channel: &Channel, passed: String, last: bool) -> String {
        let Some(matcher) = &self.matcher else { return passed };
        let is_read = match channel.part {
            ChannelPart::Text | ChannelPart::Refusal | ChannelPart::Transcript | ChannelPart::Field { .. } => true,
            ChannelPart::Reasoning => is_read(Kind::Reasoning, self.protocol),
            ChannelPart::ToolArguments { .. } => false,
        };
        if !is_read {
            return passed;
        }
        let make = || Restorer::new(Arc::clone(matcher), Setting::Prose);
        let restorer = self.restorers.entry(channel.clone()).or_insert_with(make);
        let before = restorer.count();
        let mut out = restorer.push(&passed);
        if last {
            out.push_str(&restorer.finish());
        }
        if restorer.count() > before {
            self.reader.altered(channel);
        }
        if last {
            self.restorers.remove(channel);
        }
        out
    }

    /// The same in the arguments of a call.
    fn restored_arguments(&self, name: &str, arguments: &str) -> Option<String> {
        let matcher = self.matcher.as_ref().filter(|_| self.table.restores(name))?;
        restore::arguments(arguments, matcher, self.engine.limits())
    }

    /// Takes the findings of a step out that are covered by exceptions. Where a part is out already, what was matched is
    /// not known any more.
    fn take_excepted(&mut self, step: &mut Step, source: Source) {
        let Noted { suppressed, exceptions, .. } = &mut self.noted;
        let (text, start) = (std::mem::take(&mut step.text), step.start);
        let matched = |finding: &Finding| {
            let span = finding.span();
            text.get(span.start.checked_sub(start)?..span.end.checked_sub(start)?)
        };
        let excepted = &self.excepted;
        step.findings.retain(|f| excepted.count(f, source, matched(f), (suppressed, exceptions)).is_none());
        step.late.retain(|(f, _)| excepted.count(f, source, None, (suppressed, exceptions)).is_none());
        step.text = text;
    }

    /// Refuses an event that names what is cut off.
    fn look_for_contained(&mut self, chunk: &Chunk) -> Result<(), Stopped> {
        let pieces = self.names.take(&chunk.texts);
        if self.cut_off.is_empty() {
            return Ok(());
        }
        let mut met = self.cut_off.parts(&chunk.texts, &chunk.opaque);
        for name in &pieces {
            self.cut_off.tool(name, &mut met);
        }
        for channel in chunk.deltas.iter().map(|delta| &delta.channel).chain(&chunk.opens) {
            if let ChannelPart::ToolArguments { name } = &channel.part {
                self.cut_off.tool(name, &mut met);
            }
        }
        self.refuse(met)
    }

    /// Has policy decide about what was met.
    fn refuse(&mut self, met: BTreeSet<Contained>) -> Result<(), Stopped> {
        if met.is_empty() {
            return Ok(());
        }
        self.noted.contained.extend(met.iter().map(|one| one.id.to_string()));
        self.refuse_what(Assessment { contained: met.into_iter().collect(), ..Assessment::default() })
    }

    fn refuse_what(&mut self, mut assessment: Assessment) -> Result<(), Stopped> {
        let exchange = Exchange { direction: Direction::Reply, ..Exchange::default() };
        self.noted.grounds.get_or_insert_default().merge(grounds(&exchange, &assessment, &self.table, None));
        let unchanged = |exchange: &Exchange, _: &[Edit]| Ok::<_, String>(exchange.clone());
        match decide(exchange, &mut assessment, &self.table, None, None, self.mode, unchanged) {
            Outcome::Refuse(refusal) | Outcome::Hold(refusal) => Err(Stopped::Refused(refusal)),
            Outcome::Forward { verdict, .. } => {
                self.noted.verdict = self.noted.verdict.max(verdict);
                Ok(())
            }
        }
    }

    /// Approvals that calls have taken since this was asked last: they have to be used up before what was released is
    /// sent.
    pub fn take_approvals(&mut self) -> Vec<String> {
        let Some(decider) = &mut self.decider else { return Vec::new() };
        decider.take()
    }

    /// Calls that what was released so far lets out, and that were not asked for before: tool and arguments.
    pub fn take_cleared(&mut self) -> Vec<(String, serde_json::Value)> {
        let cut = matches!(self.noted.action, Action::Cut | Action::Hold | Action::Refuse);
        let waits = self.mode == Mode::Enforce && self.waits_for_call();
        match &mut self.decider {
            Some(decider) if !cut && !waits => decider.cleared(),
            _ => Vec::new(),
        }
    }

    /// Requests for an approval that have to be kept before the end is sent.
    #[must_use]
    pub fn asking(&self) -> Vec<Asking> {
        self.decider.as_ref().map(Decider::asking).unwrap_or_default()
    }

    /// Takes note of what an event states of tool calls, and decides about those that it states as a whole.
    fn state_calls(&mut self, chunk: &Chunk) -> Result<(), Stopped> {
        if self.decider.is_none() {
            return Ok(());
        }
        for part in chunk.calls.iter().filter(|part| !part.call.provider) {
            let place = (part.choice, part.block);
            self.called = true;
            if part.whole {
                self.begun.remove(&place);
                let name = part.call.name.as_str();
                let restored = self.restored_arguments(name, &part.call.arguments);
                match restored {
                    Some(arguments) => self.decide_tool(&ToolCall { arguments, ..part.call.clone() })?,
                    None => self.decide_tool(&part.call)?,
                }
                continue;
            }
            if self.begun.len() >= SEEN {
                return Err(Stopped::Broken("the upstream's reply holds too many tool calls"));
            }
            let begun = self.begun.entry(place).or_default();
            // A name in pieces is put together; one that is said again is no piece.
            if begun.name != part.call.name {
                begun.name.push_str(&part.call.name);
            }
            if begun.id.is_empty() {
                begun.id.clone_from(&part.call.id);
            }
            let given = part.call.arguments.as_str();
            if !given.is_empty() && given != "{}" {
                begun.arguments.push_str(given);
            }
        }
        if chunk.terminal && !self.begun.is_empty() && self.protocol == Protocol::OpenaiResponses {
            // A call of which the end was never said.
            let calls = std::mem::take(&mut self.begun);
            for call in calls.into_values() {
                self.decide_tool(&ToolCall { arguments: "?".to_owned(), ..call })?;
            }
        }
        Ok(())
    }

    /// Decides about a call whose arguments came in pieces, now that they are whole.
    fn state_ended(&mut self, channel: &Channel, arguments: &str) -> Result<(), Stopped> {
        // Items of Responses say themselves as a whole when they end.
        if self.decider.is_none() || self.protocol == Protocol::OpenaiResponses {
            return Ok(());
        }
        let Some(begun) = self.begun.remove(&(channel.choice, channel.block)) else { return Ok(()) };
        if !begun.arguments.is_empty() {
            // Clients may take either where both came.
            self.decide_tool(&begun)?;
            if arguments.is_empty() {
                return Ok(());
            }
        }
        self.decide_tool(&ToolCall { arguments: arguments.to_owned(), ..begun })
    }

    /// Has policy decide about a call.
    fn decide_tool(&mut self, call: &ToolCall) -> Result<(), Stopped> {
        let Some(decider) = &mut self.decider else { return Ok(()) };
        decider.decide(call);
        let calls = decider.stopped();
        self.refuse_what(Assessment { calls, ..Assessment::default() })
    }

    /// Says that events up to this number are with the caller already: they are examined again and not sent.
    pub fn resume_after(&mut self, number: u64) {
        self.reader.resume_after(number);
    }

    /// Takes bytes from the upstream.
    pub fn push(&mut self, bytes: &[u8]) -> Output {
        if self.ended {
            return self.output(Vec::new());
        }
        let mut out = Vec::new();
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
            return self.output(Vec::new());
        }
        let mut out = Vec::new();
        match self.sse.finish() {
            Ok(event) => self.events(event.as_slice(), &mut out),
            Err(error) => self.broken(&error, &mut out),
        }
        if !self.ended {
            let open: Vec<Channel> = self.texts.keys().cloned().collect();
            let stopped = self.close(&open, &mut out).err();
            // A reply without its end is not whole, and neither are its calls.
            self.called &= !self.failed && !self.reader.is_finished();
            self.release_waiting(&mut out);
            if let Some(stopped) = stopped {
                self.stop(stopped, &mut out);
            } else if !self.calls.is_empty() || !self.begun.is_empty() {
                // Half a tool call was never checked, so it is never sent.
                self.calls.clear();
                self.waiting.clear();
                self.stop(Stopped::Broken("the upstream broke off inside a tool call"), &mut out);
            } else if !self.failed && !self.reader.is_finished() {
                // A caller cannot tell half an answer from a whole one.
                self.stop(Stopped::Broken("the upstream broke off"), &mut out);
            }
            self.ended = true;
        }
        self.output(out)
    }

    /// The upstream failed: the caller gets the text that is still held and a wire-correct ending.
    pub fn fail(&mut self, message: &'static str) -> Output {
        let mut out = Vec::new();
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
        self.texts.values().map(|flow| flow.stream.held()).sum::<usize>()
            + self.restorers.values().map(Restorer::held).sum::<usize>()
            + self.calls.values().map(String::len).sum::<usize>()
            + self.whole.values().map(|whole| whole.passed.len()).sum::<usize>()
    }

    /// What to record.
    #[must_use]
    pub fn noted(&self) -> Noted {
        let calls = self.decider.as_ref().map_or_else(Vec::new, |decider| decider.notes().to_vec());
        Noted { spent: self.meter.spent().collect(), calls, ..self.noted.clone() }
    }

    fn output(&mut self, bytes: Vec<u8>) -> Output {
        let mut released = bytes;
        if self.complete {
            self.last.append(&mut released);
            if self.ended {
                released = std::mem::take(&mut self.last);
            }
        }
        Output { released: Released(released), ended: self.ended, complete: self.complete }
    }

    fn events(&mut self, events: &[SseEvent], out: &mut Vec<u8>) {
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

    fn chunk(&mut self, chunk: Chunk, out: &mut Vec<u8>) -> Result<(), Stopped> {
        self.look_for_contained(&chunk)?;
        self.learn(&chunk);
        self.complete |= chunk.terminal;
        self.failed |= chunk.model_error;
        self.state_calls(&chunk)?;
        // The event that ends a text often repeats it.
        for flow in chunk.closes.iter().filter_map(|channel| self.texts.get(channel)) {
            if self.counted.len() < SEEN {
                self.counted.insert(text_key(flow.hash.clone(), flow.kind, flow.source));
            }
        }
        let leaves = self.leaves(&chunk)?;
        let mut deltas: Vec<(usize, String)> = Vec::with_capacity(chunk.deltas.len());
        for (index, delta) in chunk.deltas.iter().enumerate() {
            if is_call(&delta.channel) {
                self.hold_call(&delta.channel, &delta.text)?;
                continue;
            }
            if let Some(decider) = self.decider.as_mut().filter(|_| delta.channel.part == ChannelPart::Text) {
                decider.said(place(&delta.channel), &delta.text);
            }
            let mut meter = std::mem::take(&mut self.meter);
            let flow = self.flow(delta);
            flow.hash.write(delta.text.as_bytes());
            flow.came += delta.text.len();
            let (step, source) = (flow.stream.push_metered(&delta.text, &mut meter), flow.source);
            self.meter = meter;
            let passed = self.pass_in_order(step, &delta.channel, source, out)?;
            let passed = self.restored(&delta.channel, passed, false);
            deltas.push((index, self.keep_whole(&delta.channel, &delta.text, passed)?));
        }
        for channel in &chunk.closes {
            // What was held goes into the channel's last piece in this event, else into an event ahead of it.
            let rest = self.finished(channel, out)?;
            let last =
                deltas.iter_mut().rev().find(|(i, _)| chunk.deltas.get(*i).is_some_and(|d| d.channel == *channel));
            match last {
                Some((_, text)) => text.push_str(&rest),
                None => self.synthesise(channel, &rest, out)?,
            }
            self.decide_call(channel)?;
        }
        if !withheld(&chunk, &deltas) {
            let mut chunk = chunk;
            if self.mode == Mode::Monitor {
                chunk.keep_halves();
            }
            let beside = chunk.beside.clone().filter(|channel| self.holds(channel));
            let event = Waiting::Event { chunk: Box::new(chunk), deltas, leaves };
            match beside {
                Some(channel) => self.stand_beside(channel, event)?,
                None => self.send(event, out)?,
            }
        }
        self.release_waiting(out);
        Ok(())
    }

    /// True where a part of a text is not out yet.
    fn holds(&self, channel: &Channel) -> bool {
        self.beside.contains_key(channel)
            || self.texts.get(channel).is_some_and(|flow| flow.stream.held() > 0)
            || self.restorers.get(channel).is_some_and(|restorer| restorer.held() > 0)
            || self.whole.get(channel).is_some_and(|whole| !whole.passed.is_empty())
    }

    /// Has an event wait for the text before it.
    fn stand_beside(&mut self, channel: Channel, event: Waiting) -> Result<(), Stopped> {
        self.beside_bytes += event.cost();
        let came = self.texts.get(&channel).map_or(0, |flow| flow.came);
        self.beside.entry(channel).or_default().push_back((came, event));
        if self.beside_bytes <= self.engine.limits().max_held {
            return Ok(());
        }
        self.too_long(self.beside_bytes)
    }

    /// What a step lets out behind the last event that stands in it. What comes before such an event goes out with it; one
    /// that would stand in what is masked goes behind that.
    fn pass_in_order(
        &mut self,
        mut step: Step,
        channel: &Channel,
        source: Source,
        out: &mut Vec<u8>,
    ) -> Result<String, Stopped> {
        // A text that has to be whole goes out at its end.
        while !self.whole.contains_key(channel)
            && let Some(mark) = self.beside.get(channel).and_then(|events| events.front()).map(|(came, _)| *came)
            && mark <= step.start + step.text.len()
        {
            let (before, behind) = split(step, mark);
            step = behind;
            let passed = self.pass(before, channel, source)?;
            let passed = self.restored(channel, passed, true);
            self.synthesise(channel, &passed, out)?;
            self.send_beside(channel, 1, out)?;
        }
        self.pass(step, channel, source)
    }

    /// Sends the first events that wait for a text.
    fn send_beside(&mut self, channel: &Channel, most: usize, out: &mut Vec<u8>) -> Result<(), Stopped> {
        let Some(events) = self.beside.get_mut(channel) else { return Ok(()) };
        let due: Vec<Waiting> = events.drain(..most.min(events.len())).map(|(_, event)| event).collect();
        if events.is_empty() {
            self.beside.remove(channel);
        }
        for event in due {
            self.beside_bytes = self.beside_bytes.saturating_sub(event.cost());
            self.send(event, out)?;
        }
        Ok(())
    }

    /// The rest of a text that has come to its end.
    fn finished(&mut self, channel: &Channel, out: &mut Vec<u8>) -> Result<String, Stopped> {
        if let Some(decider) = self.decider.as_mut().filter(|_| channel.part == ChannelPart::Text) {
            decider.said_all(place(channel));
        }
        match self.texts.remove(channel) {
            Some(mut flow) => {
                let mut rest = String::new();
                // In monitor mode it went out as it came.
                if self.reader.take_half(channel) && self.mode == Mode::Enforce {
                    let step = flow.stream.push_metered("\u{FFFD}", &mut self.meter);
                    rest = self.pass_in_order(step, channel, flow.source, out)?;
                }
                let step = flow.stream.finish_metered(&mut self.meter);
                rest.push_str(&self.pass_in_order(step, channel, flow.source, out)?);
                let rest = self.restored(channel, rest, true);
                let rest = self.judge_whole(channel, rest)?;
                if !self.beside.contains_key(channel) {
                    return Ok(rest);
                }
                self.synthesise(channel, &rest, out)?;
                self.send_beside(channel, usize::MAX, out)?;
                Ok(String::new())
            }
            None => Ok(String::new()),
        }
    }

    /// Keeps a piece of a text that has to fit a schema; answers with what may go out now.
    fn keep_whole(&mut self, channel: &Channel, came: &str, passed: String) -> Result<String, Stopped> {
        if self.schema.is_none() || channel.part != ChannelPart::Text {
            return Ok(passed);
        }
        let whole = self.whole.entry(channel.clone()).or_default();
        whole.came.push_str(came);
        let bytes = whole.came.len();
        let out = match self.mode {
            Mode::Monitor => passed,
            Mode::Enforce => {
                whole.passed.push_str(&passed);
                String::new()
            }
        };
        if bytes > self.engine.limits().max_held {
            self.whole.remove(channel);
            self.schema = None;
            self.too_long(bytes)?;
        }
        Ok(out)
    }

    /// Judges a text that is whole, and lets it out with the rest of it.
    fn judge_whole(&mut self, channel: &Channel, rest: String) -> Result<String, Stopped> {
        let (Some(schema), Some(whole)) = (&self.schema, self.whole.remove(channel)) else { return Ok(rest) };
        let mut judged = violation(&self.engine, schema, &whole.came);
        let Noted { suppressed, exceptions, .. } = &mut self.noted;
        let came = Some(whole.came.as_str());
        judged.finding =
            judged.finding.filter(|f| self.excepted.count(f, Source::Model, came, (suppressed, exceptions)).is_none());
        self.noted.coverage.merge(&judged.coverage);
        self.noted.suppressed += judged.suppressed;
        self.noted.count(&judged.finding);
        let unread = self.table.coverage(judged.coverage.status);
        self.besides(unread);
        let found = judged.finding.iter().map(|finding| Found::new(finding, Source::Model));
        found.for_each(|found| self.noted.grounds.get_or_insert_default().find(found));
        let found =
            judged.finding.as_ref().map_or(Verdict::Allow, |f| self.table.finding(f, Source::Model, Direction::Reply));
        let verdict = unread.max(found);
        self.noted.verdict = self.noted.verdict.max(verdict);
        if verdict >= Verdict::Redact && self.mode == Mode::Enforce {
            let cause = judged.finding.map_or(Cause::Coverage, |finding| Cause::Rule(finding.rule));
            return Err(Stopped::Refused(Refusal { verdict, causes: vec![cause] }));
        }
        Ok(whole.passed + &rest)
    }

    fn hold_call(&mut self, channel: &Channel, arguments: &str) -> Result<(), Stopped> {
        let held = self.calls.entry(channel.clone()).or_default();
        held.push_str(arguments);
        if held.len() <= self.engine.limits().max_held {
            return Ok(());
        }
        let bytes = std::mem::take(held).len();
        self.too_long(bytes)
    }

    /// More than may be held: it cannot be examined as a whole.
    fn too_long(&mut self, bytes: usize) -> Result<(), Stopped> {
        self.noted.coverage.add(Part::partial(Reason::TooLong, bytes));
        self.noted.verdict = self.noted.verdict.max(Verdict::Deny);
        self.besides(Verdict::Deny);
        if self.mode == Mode::Monitor {
            return Ok(());
        }
        Err(Stopped::Refused(Refusal { verdict: Verdict::Deny, causes: vec![Cause::Coverage] }))
    }

    /// Held text as an event of its own.
    fn synthesise(&mut self, channel: &Channel, text: &str, out: &mut Vec<u8>) -> Result<(), Stopped> {
        if text.is_empty() {
            return Ok(());
        }
        self.send(Waiting::Synthetic { channel: channel.clone(), text: text.to_owned() }, out)
    }

    /// Sends something in its turn: behind a call that is not complete yet, it waits.
    fn send(&mut self, what: Waiting, out: &mut Vec<u8>) -> Result<(), Stopped> {
        let waits = self.waits_for_call() || !self.waiting.is_empty();
        if self.mode == Mode::Monitor || !waits {
            self.write(what, out);
            return Ok(());
        }
        self.waiting_bytes += what.cost();
        if self.waiting.is_empty() {
            self.reader.mark();
        }
        self.waiting.push(what);
        if self.waiting_bytes <= self.engine.limits().max_held.saturating_mul(WAITING) {
            return Ok(());
        }
        self.too_long(self.waiting_bytes)
    }

    /// True where something waits for a tool call. Where calls are decided, those of one reply go out together or not at
    /// all; a choice of OpenAI chat ends all of its calls at once.
    fn waits_for_call(&self) -> bool {
        let for_end = self.called && !self.complete && self.protocol != Protocol::OpenaiChat;
        !self.calls.is_empty() || !self.begun.is_empty() || for_end
    }

    fn release_waiting(&mut self, out: &mut Vec<u8>) {
        if !self.waits_for_call() {
            self.waiting_bytes = 0;
            for what in std::mem::take(&mut self.waiting) {
                self.write(what, out);
            }
            self.changed_calls.clear();
        }
    }

    fn write(&mut self, what: Waiting, out: &mut Vec<u8>) {
        match what {
            Waiting::Synthetic { channel, text } => out.extend(self.reader.synth(&channel, &text)),
            Waiting::Event { chunk, mut deltas, leaves } => {
                for (index, delta) in chunk.deltas.iter().enumerate() {
                    // The first event with a piece of a changed call carries all of it, the others nothing.
                    if let Some(new) = self.changed_calls.get_mut(&delta.channel)
                        && !delta.text.is_empty()
                    {
                        deltas.push((index, new.take().unwrap_or_default()));
                    }
                }
                out.extend(self.reader.write(&chunk, &deltas, &leaves));
            }
        }
    }

    fn flow(&mut self, delta: &Delta) -> &mut Flow {
        let (engine, table, mode) = (&self.engine, &self.table, self.mode);
        let (system, profile) = (&self.system, self.profile);
        self.texts.entry(delta.channel.clone()).or_insert_with(|| {
            let table = Arc::clone(table);
            let source = delta.origin.source;
            let masks = move |rule: &bartizan_core::Rule| {
                mode == Mode::Enforce && table.strictest(rule, source, Direction::Reply) >= Verdict::Redact
            };
            let around = Surroundings { system: system.clone(), direction: Direction::Reply, profile };
            let stream = engine.stream(delta.origin.clone(), delta.kind, masks, around);
            Flow { stream, kind: delta.kind, source, hash: DefaultHasher::new(), came: 0 }
        })
    }

    /// What a step lets out, masked.
    fn pass(&mut self, mut step: Step, channel: &Channel, source: Source) -> Result<String, Stopped> {
        self.take_excepted(&mut step, source);
        self.noted.coverage.merge(&step.coverage);
        self.noted.scores = self.noted.scores.max(step.scores);
        self.noted.count(&step.findings);
        self.noted.count(step.late.iter().map(|(finding, _)| finding));
        let grounds = self.noted.grounds.get_or_insert_default();
        for finding in step.findings.iter().chain(step.late.iter().map(|(finding, _)| finding)) {
            grounds.find(Found::new(finding, source));
        }
        grounds.score(source, &step.scores);
        self.compare(&step, source);
        self.unfinished()?;
        let partial = self.table.coverage(step.coverage.status);
        self.besides(partial);
        self.noted.verdict = self.noted.verdict.max(partial);
        let piece = {
            let talk = self.conversation.as_deref().map(|one| one as &dyn Conversing);
            release(step.text, step.start, &step.findings, source, &self.table, talk, self.mode)
        };
        let text = match piece {
            Piece::Cut(refusal) => return Err(Stopped::Refused(refusal)),
            Piece::Forward { permitted, verdict, masked } => {
                self.noted.verdict = self.noted.verdict.max(verdict);
                if masked > 0 {
                    self.noted.action = Action::Mask;
                    self.reader.altered(channel);
                }
                permitted.into_inner()
            }
        };
        self.late(&step.late, source)?;
        if self.mode == Mode::Enforce && partial >= Verdict::Hold {
            return Err(Stopped::Refused(Refusal { verdict: partial, causes: vec![Cause::Coverage] }));
        }
        Ok(text)
    }

    /// Takes note of a verdict that no finding has led to.
    fn besides(&mut self, verdict: Verdict) {
        let grounds = self.noted.grounds.get_or_insert_default();
        grounds.besides = grounds.besides.max(verdict);
    }

    /// What the candidate would have said of a step.
    fn compare(&mut self, step: &Step, source: Source) {
        let Some(candidate) = &self.candidate else { return };
        let compared = self.noted.compared.get_or_insert_default();
        for finding in step.findings.iter().chain(step.late.iter().map(|(finding, _)| finding)) {
            compared.finding(&self.table, candidate, finding, source);
        }
        compared.coverage(&self.table, candidate, step.coverage.status);
    }

    /// Guards that ran out of time: what was not looked at stays here, or passes where policy says so.
    fn unfinished(&mut self) -> Result<(), Stopped> {
        for (family, bytes) in self.meter.take_skipped() {
            self.noted.coverage.add(Part::partial(Reason::Deadline, bytes));
            match self.table.guards.rule(family, Direction::Reply).on_failure {
                OnFailure::Open => self.noted.failed_open = true,
                OnFailure::Closed => {
                    self.noted.verdict = Verdict::Deny;
                    self.besides(Verdict::Deny);
                    if self.mode == Mode::Enforce {
                        let causes = vec![Cause::Timeout(family)];
                        return Err(Stopped::Refused(Refusal { verdict: Verdict::Deny, causes }));
                    }
                }
            }
        }
        Ok(())
    }

    /// Findings of which a part is out already: they can only end the stream.
    fn late(&mut self, late: &[(Finding, usize)], source: Source) -> Result<(), Stopped> {
        for (finding, sent) in late {
            let verdict = self.table.finding(finding, source, Direction::Reply);
            self.noted.verdict = self.noted.verdict.max(verdict);
            if verdict >= Verdict::Redact && self.mode == Mode::Enforce {
                self.noted.coverage.add(Part::structural(Reason::AlreadySent, *sent));
                let cause = Cause::Rule(finding.rule.clone());
                return Err(Stopped::Refused(Refusal { verdict, causes: vec![cause] }));
            }
        }
        Ok(())
    }

    /// The operator's text that the reply itself repeats: of a stored response there is no request to learn it from.
    fn learn(&mut self, chunk: &Chunk) {
        for text in chunk.texts.iter().filter(|t| t.origin.source == Source::System && t.kind == Kind::Text) {
            if self.system.len() < MOST_SYSTEM && !self.system.contains(&text.value) {
                self.system.push(text.value.clone());
            }
        }
    }

    /// The leaves of an event that are no part of a growing text: what policy makes of them, and values in place of
    /// pseudonyms.
    fn leaves(&mut self, chunk: &Chunk) -> Result<Vec<(usize, String)>, Stopped> {
        let mut changes = self.decided_leaves(chunk)?;
        let Some(matcher) = self.matcher.clone() else { return Ok(changes) };
        let tools = restore::tools(&chunk.texts);
        for (index, text) in chunk.texts.iter().enumerate() {
            let said = text.editable && text.container.is_none() && text.origin.source == Source::Model;
            let setting = match text.kind {
                // Arguments that are one text were decided about as such.
                Kind::ToolArguments if chunk.wholes.iter().any(|(at, _)| *at == index) => continue,
                Kind::ToolArguments if self.table.restores(restore::tool_of(&tools, &text.pointer)) => {
                    Setting::Arguments
                }
                kind if is_read(kind, self.protocol) => Setting::Prose,
                _ => continue,
            };
            let at = changes.iter().position(|(at, _)| *at == index);
            let value = at.and_then(|at| changes.get(at)).map_or(text.value.as_str(), |(_, new)| new.as_str());
            if !said || matcher.placeholders(value).is_empty() {
                continue;
            }
            let with = restored(&matcher, value, setting);
            match at.and_then(|at| changes.get_mut(at)) {
                Some((_, new)) => *new = with,
                None => changes.push((index, with)),
            }
        }
        Ok(changes)
    }

    /// Decides about the leaves of an event that are no part of a growing text; answers with the changes they need.
    fn decided_leaves(&mut self, chunk: &Chunk) -> Result<Vec<(usize, String)>, Stopped> {
        self.noted.facts.read(&chunk.texts);
        let mut changes = Vec::new();
        let mut done = BTreeSet::new();
        for (index, channel) in chunk.wholes.iter().filter(|(_, channel)| is_call(channel)) {
            let Some(text) = chunk.texts.get(*index) else { continue };
            changes.extend(self.settled_arguments(channel, &text.value)?.map(|new| (*index, new)));
            done.insert(*index);
        }
        let joined: BTreeSet<usize> = chunk.joined.iter().flatten().copied().collect();
        // Documents in strings are looked at together with their leaves.
        let nested = chunk.texts.iter().any(|t| t.container.is_some());
        let mut fresh = Vec::new();
        for (index, text) in chunk.texts.iter().enumerate().filter(|(index, _)| !done.contains(index)) {
            let key = key(text);
            if !nested && !joined.contains(&index) {
                if self.seen.contains(&key) {
                    continue;
                }
                if let Some(Some(new)) = self.masked.texts.get(&key) {
                    changes.push((index, new.clone()));
                    continue;
                }
            }
            fresh.push((index, key));
        }
        if chunk.opaque.is_empty() && fresh.iter().all(|(_, key)| self.seen.contains(key)) && joined.is_empty() {
            return Ok(changes);
        }
        let place = |index: usize| fresh.iter().position(|(at, _)| *at == index);
        let texts = fresh.iter().filter_map(|(index, _)| chunk.texts.get(*index));
        let texts: Vec<Text> = texts.map(|t| Text { container: t.container.and_then(place), ..t.clone() }).collect();
        let messages = chunk.joined.iter().map(|parts| Message {
            parts: parts.iter().filter_map(|part| place(*part)).collect(),
            ..Message::default()
        });
        let exchange = Exchange {
            direction: Direction::Reply,
            messages: messages.collect(),
            texts,
            opaque: chunk.opaque.clone(),
            ..Exchange::default()
        };
        let counted: Vec<bool> = fresh.iter().map(|(_, key)| self.counted.contains(key)).collect();
        let mut changed: Vec<(usize, String)> = Vec::new();
        self.decide(
            exchange,
            |text| counted.get(text) != Some(&true),
            |exchange, edits| {
                changed = changed_leaves(exchange, edits)?;
                Ok(exchange.clone())
            },
        )?;
        if !changed.is_empty() {
            self.noted.action = Action::Mask;
        }
        if self.seen.len() + fresh.len() > SEEN {
            self.seen.clear();
        }
        let most = self.engine.limits().max_held;
        let unchanged = fresh.iter().enumerate().filter(|(at, _)| !changed.iter().any(|(text, _)| text == at));
        self.seen.extend(unchanged.map(|(_, (_, key))| *key));
        for (text, new) in changed {
            let Some((index, key)) = fresh.get(text) else { continue };
            if !nested && !joined.contains(index) {
                self.masked.keep(*key, Some(&new), most);
            }
            changes.push((*index, new));
        }
        Ok(changes)
    }

    /// Ends channels when the stream ends without saying so.
    fn close(&mut self, channels: &[Channel], out: &mut Vec<u8>) -> Result<(), Stopped> {
        for channel in channels {
            let rest = self.finished(channel, out)?;
            self.synthesise(channel, &rest, out)?;
        }
        Ok(())
    }

    /// Decides about a tool call that has come to its end.
    fn decide_call(&mut self, channel: &Channel) -> Result<(), Stopped> {
        if !is_call(channel) {
            return Ok(());
        }
        let Some(arguments) = self.calls.remove(channel) else { return self.state_ended(channel, "") };
        let changed = self.settled_arguments(channel, &arguments)?;
        // It is decided as the model wrote it, with the values that the tool is called with: what is masked was masked for
        // whoever reads it, and is traced to nothing.
        let restored = match &channel.part {
            ChannelPart::ToolArguments { name } => self.restored_arguments(name, &arguments),
            _ => None,
        };
        self.state_ended(channel, restored.as_deref().unwrap_or(&arguments))?;
        if let Some(changed) = changed {
            self.changed_calls.insert(channel.clone(), Some(changed));
        }
        Ok(())
    }

    /// What the arguments of a call have to be, where they change: by policy, and with values in place of pseudonyms.
    fn settled_arguments(&mut self, channel: &Channel, arguments: &str) -> Result<Option<String>, Stopped> {
        let decided = self.decide_arguments(arguments)?;
        let ChannelPart::ToolArguments { name } = &channel.part else { return Ok(decided) };
        let restored = self.restored_arguments(name, decided.as_deref().unwrap_or(arguments));
        Ok(restored.or(decided))
    }

    /// Decides about what a tool is called with; answers with what it has to be. A repetition is decided the same.
    fn decide_arguments(&mut self, arguments: &str) -> Result<Option<String>, Stopped> {
        let mut hash = DefaultHasher::new();
        hash.write(arguments.as_bytes());
        "arguments".hash(&mut hash);
        let key = hash.finish();
        if let Some(known) = self.masked.texts.get(&key) {
            return Ok(known.clone());
        }
        let limits = self.engine.limits().clone();
        let exchange = arguments_exchange(arguments, &limits);
        let decided = self.decide(
            exchange,
            |_| true,
            |exchange, edits| rewrite(exchange, edits, &limits).map_err(|e| e.to_string()),
        )?;
        let changed = decided.map(|changed| String::from_utf8_lossy(&changed.body).into_owned());
        if changed.is_some() {
            self.noted.action = Action::Mask;
        }
        self.masked.keep(key, changed.as_deref(), limits.max_held);
        Ok(changed)
    }

    /// Decides about whole texts inside the stream. Answers with the changed exchange, if it had to change. `counts`
    /// says by index which texts' findings are counted.
    fn decide(
        &mut self,
        exchange: Exchange,
        counts: impl Fn(usize) -> bool,
        rewrite: impl FnOnce(&Exchange, &[Edit]) -> Result<Exchange, String>,
    ) -> Result<Option<Exchange>, Stopped> {
        let system: Vec<&str> = self.system.iter().map(String::as_str).collect();
        let context = Context { system: &system, direction: Direction::Reply, profile: self.profile };
        let mut scanner = Scanner::new(&self.engine, 0, None, std::mem::take(&mut self.meter));
        let mut assessment = assess(&mut scanner, &exchange, context);
        let meter = std::mem::take(&mut scanner.meter);
        drop(scanner);
        self.meter = meter;
        self.excepted.apply(&exchange, &mut assessment);
        for (id, count) in &assessment.exceptions {
            *self.noted.exceptions.entry(id.clone()).or_default() += count;
        }
        if let Some(candidate) = &self.candidate {
            let judged = |table| judge(&exchange, &assessment, table, None);
            let compared = Compared { live: judged(&self.table), candidate: judged(candidate) };
            self.noted.compared.get_or_insert_default().merge(compared);
        }
        self.noted.grounds.get_or_insert_default().merge(grounds(&exchange, &assessment, &self.table, None));
        let talk = self.conversation.as_deref().map(|one| one as &dyn Conversing);
        let outcome = decide(exchange, &mut assessment, &self.table, None, talk, self.mode, rewrite);
        self.noted.count(assessment.findings.iter().filter(|f| counts(f.text)).map(|f| &f.finding));
        self.noted.scores = self.noted.scores.max(assessment.max_scores());
        self.noted.suppressed += assessment.suppressed;
        self.noted.coverage.merge(&assessment.coverage);
        self.noted.verdict = self.noted.verdict.max(outcome.verdict());
        match outcome {
            Outcome::Refuse(refusal) | Outcome::Hold(refusal) => Err(Stopped::Refused(refusal)),
            Outcome::Forward { permitted, masked, stripped, failed_open, .. } => {
                self.noted.failed_open |= failed_open;
                Ok((masked + stripped > 0).then(|| permitted.into_inner()))
            }
        }
    }

    fn broken(&mut self, error: &WireError, out: &mut Vec<u8>) {
        tracing::warn!(%error, "the upstream's stream cannot be read");
        self.noted.coverage.add(Part::partial(Reason::Malformed, 0));
        self.stop(Stopped::Broken("the upstream's reply cannot be read"), out);
    }

    fn stop(&mut self, stopped: Stopped, out: &mut Vec<u8>) {
        self.ended = true;
        let about_calls = matches!(&stopped, Stopped::Refused(refusal) if refusal.is_about_calls());
        self.beside.clear();
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            self.reader.rewind();
        }
        // What the model said before its calls was let pass, and is only late.
        for what in waiting.into_iter().filter(|what| about_calls && matches!(what, Waiting::Synthetic { .. })) {
            self.write(what, out);
        }
        self.noted.action = Action::Cut;
        let event_id = self.event_id.as_str();
        let bytes = match &stopped {
            Stopped::Refused(refusal) if about_calls => {
                self.noted.verdict = self.noted.verdict.max(refusal.verdict);
                self.noted.action = if refusal.verdict == Verdict::Hold { Action::Hold } else { Action::Refuse };
                tracing::info!(event = event_id, causes = refusal.names(), "tool call stopped");
                let message = self.decider.as_ref().map(|d| d.notice(event_id)).unwrap_or_default();
                self.reader.ending(Ending::Notice { message: &message, event_id })
            }
            Stopped::Refused(refusal) => {
                self.noted.verdict = self.noted.verdict.max(refusal.verdict);
                tracing::info!(event = event_id, causes = refusal.names(), "stream cut");
                let message = format!("this content was blocked by policy (event {event_id})");
                self.reader.ending(if self.refusal {
                    Ending::Refusal { message: &message, event_id }
                } else {
                    Ending::Error { message: &message, event_id }
                })
            }
            Stopped::Broken(message) => self.reader.failure(ErrorKind::Upstream, message, Some(event_id)),
        };
        out.extend(bytes);
    }
}

/// True where an event would say nothing any more: all of its text is held back, and it begins and ends nothing.
fn withheld(chunk: &Chunk, passed: &[(usize, String)]) -> bool {
    passed.len() == chunk.deltas.len()
        && chunk.deltas.iter().any(|delta| !delta.text.is_empty())
        && passed.iter().all(|(_, text)| text.is_empty())
        && chunk.opens.is_empty()
        && chunk.closes.is_empty()
        && !chunk.terminal
}

/// A step in two: up to a place of its text and behind that. What was found across the place belongs to the first part.
fn split(mut step: Step, mark: usize) -> (Step, Step) {
    let end = step.start + step.text.len();
    let mut at = mark.clamp(step.start, end);
    while let Some(over) = step.findings.iter().map(Finding::span).find(|s| s.start < at && at < s.end && s.end <= end)
    {
        at = over.end;
    }
    // Both texts and findings end with characters.
    let cut = at - step.start;
    let behind = if step.text.is_char_boundary(cut) { step.text.split_off(cut) } else { String::new() };
    let (own, later) = step.findings.into_iter().partition(|finding| finding.span().end <= at);
    let rest = Step { start: step.start + step.text.len(), text: behind, findings: later, ..Step::default() };
    step.findings = own;
    (step, rest)
}

/// A leaf by what decides about it.
fn key(text: &Text) -> u64 {
    let mut hash = DefaultHasher::new();
    hash.write(text.value.as_bytes());
    if !text.editable {
        "fixed".hash(&mut hash);
    }
    text_key(hash, text.kind, text.origin.source)
}

/// The same of a text that has been hashed.
fn text_key(mut hash: DefaultHasher, kind: Kind, source: Source) -> u64 {
    (kind, source).hash(&mut hash);
    hash.finish()
}

/// The leaves with their edits. Leaves of JSON inside a string cannot be changed in flight.
fn changed_leaves(exchange: &Exchange, edits: &[Edit]) -> Result<Vec<(usize, String)>, String> {
    let mut places: BTreeMap<usize, Vec<Redaction>> = BTreeMap::new();
    for edit in edits {
        match edit {
            Edit::Replace { text, span, with }
                if exchange.texts.get(*text).is_some_and(|t| t.editable && t.container.is_none()) =>
            {
                places.entry(*text).or_default().push(Redaction { span: *span, with: with.clone() });
            }
            _ => return Err("a part of an event cannot be changed in flight".to_owned()),
        }
    }
    let value = |text: usize| exchange.texts.get(text).map_or("", |t| t.value.as_str());
    Ok(places.into_iter().map(|(text, places)| (text, apply(value(text), 0, &places))).collect())
}

/// A number for the place of a text in its reply.
fn place(channel: &Channel) -> u64 {
    let mut hash = DefaultHasher::new();
    (channel.choice, channel.block).hash(&mut hash);
    hash.finish()
}

const fn is_call(channel: &Channel) -> bool {
    matches!(channel.part, ChannelPart::ToolArguments { .. })
}

/// Arguments that are JSON are looked at leaf by leaf; anything else as one text.
pub(crate) fn arguments_exchange(arguments: &str, limits: &Limits) -> bartizan_core::Exchange {
    match bartizan_wire::reply(Protocol::Json, arguments.as_bytes().to_vec(), limits) {
        Ok(exchange) => exchange,
        Err(_) => bare_text(arguments, Source::Model),
    }
}
