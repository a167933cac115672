//! The pickle machine: CPython's semantics over abstract values, in one pass, without recursion.

use std::collections::HashMap;

use super::arena::{Arena, Trace, Was};
use super::profile::{self, Verdict};
use super::value::{Keys, Kind, Level, Node, Shape, V};
use crate::bytes::{piece, u16le, u32le, u64le};
use crate::desk::Step;

/// Elements of a container that are kept; the rest counts only by its level.
const KEPT: usize = 64;
/// Candidates for payloads in constants.
const PAYLOADS: usize = 1000;
/// Bytes of payloads that are not in the file as they are.
const TEXTS: usize = 32 << 20;
/// Effects that are kept of one stream.
const EFFECTS: usize = 4096;
/// Longest module and name: no module has longer ones.
const LONGEST: usize = 1024;
/// Names that are kept for good.
const NAMES: usize = 1 << 14;
/// Values that are visited to see what became of containers after they were put into others.
const VISITS: u32 = 1 << 20;

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Stop,
    /// Not a pickle from here on: every loader fails.
    Broken(&'static str),
    /// The budget ran out.
    Spent(&'static str),
}

/// What a name that is imported is known for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It runs any command or code that it is given.
    Runs,
    /// It runs code in some way, or reaches files or the network.
    Code,
    Unknown,
}

/// What may happen on loading.
#[derive(Debug)]
pub(super) enum What {
    /// Judged and not allowed, or imported.
    Call(Verdict),
    Import(Reach),
    Write(&'static str),
    Unresolved(&'static str),
    Frame,
    Persistent,
}

#[derive(Debug)]
pub(super) struct Effect {
    pub(super) what: What,
    /// Dotted name of what it is about.
    pub(super) name: String,
    /// The name is one that can be imported.
    pub(super) sound: bool,
    pub(super) at: usize,
    pub(super) chain: Vec<Step>,
}

/// A constant that may be a file of its own.
#[derive(Debug)]
pub(super) enum Payload {
    Place {
        at: usize,
        len: usize,
        loaded: bool,
    },
    /// The bytes that a text stands for.
    Text {
        at: usize,
        bytes: Vec<u8>,
        loaded: bool,
    },
}

pub(super) struct Machine<'a> {
    pub(super) data: &'a [u8],
    pub(super) at: usize,
    /// Offset of the opcode in hand.
    op: usize,
    stack: Vec<V>,
    marks: Vec<usize>,
    memo: Vec<Option<V>>,
    sparse: HashMap<u64, V>,
    memoized: u64,
    /// Names that were imported: module and name on two lines.
    pub(super) globals: HashMap<String, u32>,
    arena: Arena,
    /// The worst that became of a container after another value held it.
    late: Level,
    visits: u32,
    pub(super) effects: Vec<Effect>,
    pub(super) payloads: Vec<Payload>,
    texts: usize,
    frame: Option<usize>,
    steps: u64,
    values: usize,
    /// Something was dropped for want of room.
    pub(super) dropped: bool,
    /// Raw array bytes that follow the instruction in hand: size, or an error.
    pub(super) raw: Option<usize>,
    /// Arrays of joblib are raw bytes, as its own loader reads them; else as all others do.
    pub(super) arrays: bool,
    /// Where the first of them begins.
    pub(super) first_raw: Option<usize>,
    /// Some were of objects: pickles with a memo of their own.
    pub(super) objects: bool,
    /// Streams that wait for one inside them: joblib's arrays of objects.
    outer: Vec<Waiting>,
    /// The bytes are of another format: what no loader reads on from ends them.
    pub(super) hidden: bool,
    /// Known names of frameworks that were used.
    pub(super) framework: Option<&'static str>,
}

/// A stream that waits: stack, marks, memo, sparse memo, entries of the memo.
type Waiting = (Vec<V>, Vec<usize>, Vec<Option<V>>, HashMap<u64, V>, u64);

type Run<T = ()> = Result<T, End>;

impl<'a> Machine<'a> {
    pub(super) fn new(data: &'a [u8], at: usize, steps: u64, values: usize) -> Self {
        Self {
            data,
            at,
            op: at,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            sparse: HashMap::new(),
            memoized: 0,
            globals: HashMap::new(),
            arena: Arena::default(),
            late: Level::Inert,
            visits: VISITS,
            effects: Vec::new(),
            payloads: Vec::new(),
            texts: 0,
            frame: None,
            steps,
            values,
            dropped: false,
            raw: None,
            arrays: true,
            first_raw: None,
            objects: false,
            outer: Vec::new(),
            hidden: false,
            framework: None,
        }
    }

    /// Interprets up to STOP. Everything before an error stays recorded.
    pub(super) fn run(&mut self) -> (End, V) {
        loop {
            match self.step() {
                Ok(None) => {}
                Ok(Some(value)) => return (End::Stop, value),
                Err(end) => return (end, V::None),
            }
        }
    }

    // Reading.

    fn take(&mut self, len: usize) -> Run<usize> {
        let at = self.at;
        let end = at.checked_add(len).filter(|end| *end <= self.data.len()).ok_or(End::Broken("it is cut off"))?;
        if let Some(frame) = self.frame {
            if at < frame && end > frame {
                self.frame = None;
                self.effect(What::Frame, String::new(), Vec::new());
            } else if at >= frame {
                self.frame = None;
            }
        }
        self.at = end;
        Ok(at)
    }

    fn byte(&mut self) -> Run<u8> {
        let at = self.take(1)?;
        self.data.get(at).copied().ok_or(End::Broken("it is cut off"))
    }

    fn number(&mut self, width: usize) -> Run<u64> {
        let at = self.take(width)?;
        let value = match width {
            1 => self.data.get(at).map(|b| u64::from(*b)),
            2 => u16le(self.data, at).map(u64::from),
            4 => u32le(self.data, at).map(u64::from),
            _ => u64le(self.data, at),
        };
        value.ok_or(End::Broken("it is cut off"))
    }

    /// A counted piece: its place and length.
    fn counted(&mut self, width: usize) -> Run<(usize, usize)> {
        let len = self.number(width)?;
        let len = usize::try_from(len).map_err(|_| End::Broken("a length is past the end"))?;
        Ok((self.take(len)?, len))
    }

    /// A piece whose length is a signed 32-bit number.
    fn signed(&mut self) -> Run<(usize, usize)> {
        let len = i32::from_le_bytes(u32::try_from(self.number(4)?).unwrap_or(0).to_le_bytes());
        let len = usize::try_from(len).map_err(|_| End::Broken("a length is negative"))?;
        Ok((self.take(len)?, len))
    }

    /// A line without its end.
    fn line(&mut self) -> Run<(usize, usize)> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let len = memchr::memchr(b'\n', rest).ok_or(End::Broken("a line has no end"))?;
        let at = self.take(len + 1)?;
        Ok((at, len))
    }

    // Stack.

    fn fence(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn push(&mut self, value: V) -> Run {
        if self.stack.len() >= self.values {
            return Err(End::Spent("its stack is larger than the limit"));
        }
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Run<V> {
        if self.stack.len() <= self.fence() {
            return Err(End::Broken("its stack is empty"));
        }
        self.stack.pop().ok_or(End::Broken("its stack is empty"))
    }

    fn top(&self) -> Run<V> {
        if self.stack.len() <= self.fence() {
            return Err(End::Broken("its stack is empty"));
        }
        self.stack.last().copied().ok_or(End::Broken("its stack is empty"))
    }

    /// Where the values above the last mark begin; the mark is taken.
    fn mark(&mut self) -> Run<usize> {
        self.marks.pop().ok_or(End::Broken("a mark is missing"))
    }

    fn above(&self, mark: usize) -> &[V] {
        self.stack.get(mark..).unwrap_or_default()
    }

    // Nodes.

    pub(super) fn node(&self, value: V) -> Option<&Node> {
        self.arena.get(value)
    }

    /// What stays of a value that was let go.
    pub(super) fn trace(&self, value: V) -> Option<Trace> {
        self.arena.trace(value)
    }

    pub(super) fn level(&self, value: V) -> Level {
        match value {
            V::Node(_) => match (self.node(value), self.trace(value)) {
                (Some(node), _) => node.level,
                (None, Some(trace)) => trace.level,
                (None, None) => Level::Foreign,
            },
            V::Lost => Level::Known,
            _ => Level::Inert,
        }
    }

    /// The level with what became of the values inside since they were put there.
    pub(super) fn settled(&mut self, value: V) -> Level {
        let mut worst = self.level(value);
        if self.late <= worst {
            return worst;
        }
        let mut open = vec![value];
        let mut seen = std::collections::HashSet::new();
        while let Some(value) = open.pop() {
            worst = worst.max(self.level(value));
            let V::Node(at) = value else { continue };
            if worst >= self.late {
                return worst;
            }
            if !seen.insert(at) {
                continue;
            }
            self.visits = self.visits.saturating_sub(1);
            match self.node(value).map(|n| &n.kind) {
                _ if self.visits == 0 => return self.late,
                None | Some(Kind::Seq { more: true, .. } | Kind::Dict { more: true, .. }) => return self.late,
                Some(Kind::Seq { items, .. }) => open.extend(items),
                Some(Kind::Dict { items, .. }) => open.extend(items.iter().flat_map(|(key, value)| [key, value])),
                Some(Kind::Made { callee, args, state, .. }) => {
                    open.extend([callee, args]);
                    open.extend(state);
                }
                Some(Kind::Persistent(id)) => open.push(*id),
                Some(Kind::Text(_) | Kind::Global { .. } | Kind::Extension(_)) => {}
            }
        }
        worst
    }

    fn add(&mut self, kind: Kind, level: Level) -> V {
        let global = matches!(kind, Kind::Global { .. });
        let node = Node { kind, level, held: false, at: self.op };
        let kept = self.values / 8;
        if self.arena.len() < kept || global && self.arena.len() < kept + NAMES {
            return self.arena.keep(node);
        }
        let trace = self.arena.oldest().map(|oldest| self.trace_of(oldest));
        match self.arena.push(node, trace) {
            Some(value) => value,
            None => {
                self.dropped |= level > Level::Inert;
                if level == Level::Inert { V::Data } else { V::Lost }
            }
        }
    }

    /// What has to stay of a value.
    fn trace_of(&self, node: &Node) -> Trace {
        let (was, keys, builds) = match &node.kind {
            Kind::Seq { .. } => (Was::Seq, Keys::default(), false),
            Kind::Dict { keys, .. } => (Was::Dict, *keys, false),
            Kind::Made { callee, args, keys, state, .. } => {
                let taker = profile::takes_items(self, *callee);
                let plain = self.items(*args).is_some_and(<[V]>::is_empty) && state.is_none();
                let keys = if plain || !taker { *keys } else { Keys { special: true, ..*keys } };
                let keys = Keys { hook: keys.hook || state.is_some(), ..keys };
                let builds = profile::may_build(self, *callee);
                (if taker { Was::Taker } else { Was::Other }, keys, builds)
            }
            _ => (Was::Other, Keys::default(), false),
        };
        Trace { level: node.level, keys, was, builds }
    }

    /// Another value holds these from now on.
    fn hold(&mut self, mark: usize) {
        for at in mark..self.stack.len() {
            if let Some(value @ V::Node(_)) = self.stack.get(at).copied() {
                self.hold_one(value);
            }
        }
    }

    fn hold_one(&mut self, value: V) {
        let loads = self.global(value).is_some_and(|(_, _, grant)| profile::only_called(grant));
        if loads {
            let why = "a function that loads objects is kept, and not called";
            self.write(why, value);
        }
        self.mark_held(value);
    }

    fn mark_held(&mut self, value: V) {
        if let Some(node) = self.arena.get_mut(value) {
            node.held = true;
        }
    }

    /// Says that something is written into a value, or kept in one, that no framework does.
    fn write(&mut self, why: &'static str, value: V) {
        let name = super::explain::name(self, value);
        let step = Step { offset: self.op, text: format!("… = {}", super::explain::value(self, value, 3)) };
        self.effect(What::Write(why), name, vec![step]);
    }

    /// A value became as foreign as what was put into it.
    fn raise(&mut self, value: V, level: Level) {
        if let Some(node) = self.arena.get_mut(value) {
            if node.level < level {
                node.level = level;
                if node.held {
                    self.late = self.late.max(level);
                }
            }
        } else if let Some(trace) = self.arena.trace(value)
            && trace.level < level
        {
            self.arena.set_trace(value, Trace { level, ..trace });
            self.late = self.late.max(level);
        }
    }

    fn worst(&self, values: &[V]) -> Level {
        values.iter().map(|v| self.level(*v)).max().unwrap_or(Level::Inert)
    }

    fn seq(&mut self, shape: Shape, mark: usize) -> V {
        let level = self.worst(self.above(mark));
        self.hold(mark);
        if shape != Shape::Set
            && let [key, value] = *self.above(mark)
            && let Some(why) = super::state::refuses(self, key, value, false)
        {
            self.write(why, value);
        }
        let all = self.above(mark);
        let (items, more) = (all.iter().take(KEPT).copied().collect(), all.len() > KEPT);
        self.stack.truncate(mark);
        self.add(Kind::Seq { shape, items, more }, level)
    }

    pub(super) fn global(&self, value: V) -> Option<(&str, &str, &profile::Grant)> {
        let kind = match &self.node(value)?.kind {
            // torch's old format names the class of a module by an identifier that holds it.
            Kind::Persistent(id) => &self.node(profile::module_of(self, *id)?)?.kind,
            kind => kind,
        };
        match kind {
            Kind::Global { module, name, grant } => Some((module, name, grant)),
            _ => None,
        }
    }

    /// The text of a string constant.
    pub(super) fn text(&self, value: V) -> Option<String> {
        match value {
            V::Str { at, len } => piece(self.data, at, len as usize).map(|b| String::from_utf8_lossy(b).into_owned()),
            V::Node(_) => match &self.node(value)?.kind {
                Kind::Text(text) => Some(text.to_string()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The elements of a tuple or list that were kept, where these are all.
    pub(super) fn items(&self, value: V) -> Option<&[V]> {
        match &self.node(value)?.kind {
            Kind::Seq { items, more: false, .. } => Some(items),
            _ => None,
        }
    }

    /// A value of a dictionary by its key, where all of it is known.
    pub(super) fn get(&self, dict: V, key: &str) -> Option<V> {
        match &self.node(dict)?.kind {
            Kind::Dict { items, more: false, keys } if !keys.special && !keys.unclear => {
                items.iter().rev().find(|(k, _)| self.text(*k).as_deref() == Some(key)).map(|(_, v)| *v)
            }
            _ => None,
        }
    }

    // Constants.

    fn string(&mut self, at: usize, len: usize) -> Run {
        self.candidate(at, len, false);
        let value = u32::try_from(len).map_or(V::Data, |len| V::Str { at, len });
        self.push(value)
    }

    fn raw_bytes(&mut self, at: usize, len: usize) -> Run {
        self.candidate(at, len, false);
        let value = u32::try_from(len).map_or(V::Data, |len| V::Bytes { at, len });
        self.push(value)
    }

    pub(super) fn candidate(&mut self, at: usize, len: usize, loaded: bool) {
        let bytes = piece(self.data, at, len).unwrap_or_default();
        if loaded || super::payload::may_be(bytes) {
            if self.payloads.len() >= PAYLOADS {
                self.dropped = true;
            } else {
                self.payloads.push(Payload::Place { at, len, loaded });
            }
        }
    }

    /// A text that stands for bytes which may be a file.
    pub(super) fn candidate_text(&mut self, at: usize, bytes: Vec<u8>, loaded: bool) {
        if self.payloads.len() >= PAYLOADS || self.texts + bytes.len() > TEXTS {
            self.dropped = true;
        } else {
            self.texts += bytes.len();
            self.payloads.push(Payload::Text { at, bytes, loaded });
        }
    }

    /// A line with Python's escapes: `quoted` for STRING, else raw-unicode-escape of UNICODE.
    fn escaped(&mut self, quoted: bool) -> Run {
        let (mut at, mut len) = self.line()?;
        let mut line = piece(self.data, at, len).unwrap_or_default();
        if quoted {
            while let [rest @ .., b' ' | b'\t' | b'\r'] = line {
                line = rest;
            }
            let inner = match line {
                [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
                _ => return Err(End::Broken("a string has no quotes")),
            };
            line = inner;
            at += 1;
            len = inner.len();
        }
        if line.contains(&b'\\') || (!quoted && !line.is_ascii()) {
            let text = unescape(line, quoted);
            if super::payload::may_be_text(&text) {
                self.candidate_text(at, latin1(&text), false);
            }
            let value = self.add(Kind::Text(text.into()), Level::Inert);
            return self.push(value);
        }
        self.string(at, len)
    }

    // Effects.

    pub(super) fn effect(&mut self, what: What, name: String, chain: Vec<Step>) {
        self.effect_of(what, name, false, chain);
    }

    fn effect_of(&mut self, what: What, name: String, sound: bool, chain: Vec<Step>) {
        if self.effects.len() < EFFECTS {
            self.effects.push(Effect { what, name, sound, at: self.op, chain });
        } else if matches!(what, What::Call(_) | What::Write(_) | What::Unresolved(_)) {
            // The findings have their own limit; the first thousands are enough to stop a file.
            self.dropped = true;
        }
    }

    fn import(&mut self, module: &str, name: &str) -> Run {
        if module.len() + name.len() > LONGEST {
            let value = self.unresolved("a name is imported that is longer than any");
            return self.push(value);
        }
        let key = format!("{module}\n{name}");
        if let Some(at) = self.globals.get(&key).copied()
            && self.node(V::Node(at)).is_some()
        {
            return self.push(V::Node(at));
        }
        let grant = profile::grant(module, name);
        let level = if grant.known { Level::Known } else { Level::Foreign };
        if grant.known && self.framework.is_none() {
            self.framework = profile::framework(module);
        }
        let (known, calls) = (grant.known, profile::only_called(&grant));
        let reach = match (grant.runs, grant.code) {
            (true, _) => Reach::Runs,
            (_, true) => Reach::Code,
            _ => Reach::Unknown,
        };
        let value = self.add(Kind::Global { module: module.into(), name: name.into(), grant }, level);
        if let V::Node(at) = value
            && self.globals.len() < 2 * NAMES
        {
            self.globals.insert(key, at);
        }
        if !known && !calls {
            let step = Step {
                offset: self.op,
                text: format!("from {} import {}", crate::bytes::show(module), crate::bytes::show(name)),
            };
            let sound = is_importable(module, name);
            self.effect_of(What::Import(reach), format!("{module}.{name}"), sound, vec![step]);
        }
        self.push(value)
    }

    fn unresolved(&mut self, what: &'static str) -> V {
        let chain = vec![Step { offset: self.op, text: what.to_owned() }];
        self.effect(What::Unresolved(what), String::new(), chain);
        self.add(Kind::Extension(-1), Level::Foreign)
    }

    /// A call of any kind; the result.
    fn call(&mut self, callee: V, args: V, by: profile::By) -> V {
        self.mark_held(callee);
        self.hold_one(args);
        let verdict = profile::judge(self, callee, args, by);
        let level = match verdict {
            // What only keeps its arguments is as foreign as they are.
            Verdict::Allowed => self.settled(args).max(Level::Known),
            _ => Level::Foreign,
        };
        match verdict {
            Verdict::Allowed => {}
            Verdict::Gone => self.dropped = true,
            verdict => {
                let chain = super::explain::chain(self, callee, args, by, self.op);
                let name = super::explain::name(self, callee);
                let sound = self.global(callee).is_some_and(|(module, name, _)| is_importable(module, name));
                self.effect_of(What::Call(verdict), name, sound, chain);
            }
        }
        self.add(Kind::Made { callee, args, keys: Keys::default(), state: None, built: 0 }, level)
    }

    /// Puts values into a container; anything but a plain one runs a method of it.
    fn put(&mut self, target: V, values: &[V], pairs: bool) {
        let level = self.worst(values);
        let keys = if pairs { super::state::keys(self, values) } else { Keys::default() };
        for value in values.iter().filter(|v| matches!(v, V::Node(_))) {
            self.hold_one(*value);
        }
        if pairs {
            for pair in values.chunks_exact(2) {
                if let [key, value] = *pair
                    && let Some(why) = super::state::refuses(self, key, value, true)
                {
                    self.write(why, value);
                }
            }
        }
        let called = pairs && values.iter().step_by(2).any(|key| super::state::is_callable(self, *key));
        let Some(node) = self.arena.get_mut(target) else {
            self.put_gone(target, level, keys, pairs);
            return;
        };
        let mut refused = None;
        match &mut node.kind {
            Kind::Seq { items, more, .. } => {
                let left = KEPT.saturating_sub(items.len());
                *more |= values.len() > left;
                items.extend(values.iter().take(left));
            }
            Kind::Dict { items, more, keys: all } => {
                *all = all.and(keys);
                let left = KEPT.saturating_sub(items.len());
                *more |= values.len() / 2 > left;
                items.extend(values.chunks_exact(2).take(left).filter_map(|pair| match pair {
                    [key, value] => Some((*key, *value)),
                    _ => None,
                }));
            }
            Kind::Made { callee, keys: all, built, .. } => {
                // A state or an item may have brought the method that adds. Objects get their items before their state.
                let hooked = all.hook && !pairs || *built > 0;
                *all = all.and(keys);
                refused = Some((*callee, hooked));
            }
            _ => {
                let name = super::explain::name(self, target);
                let step = Step { offset: self.op, text: format!("{name}[…] = …") };
                self.effect(What::Write("items are set on what is no container"), name, vec![step]);
                return;
            }
        }
        self.raise(target, level);
        if let Some((callee, hooked)) = refused
            && (hooked || !profile::takes_items(self, callee) || called && !profile::is_plain_container(self, callee))
        {
            let name = super::explain::name(self, callee);
            let step = Step { offset: self.op, text: format!("{name}(…)[…] = …") };
            let what = if hooked {
                "items are added by a method that the file may have set"
            } else {
                "items are set on an object that is no container"
            };
            self.effect(What::Write(what), name, vec![step]);
        }
    }

    /// The same for a value that was let go.
    fn put_gone(&mut self, target: V, level: Level, keys: Keys, pairs: bool) {
        let Some(trace) = self.trace(target) else {
            if matches!(target, V::Data | V::Lost) {
                self.dropped |= level > Level::Inert || keys != Keys::default();
            }
            return;
        };
        if trace.was == Was::Other || trace.was == Was::Taker && trace.keys.hook && !pairs {
            let step = Step { offset: self.op, text: "…[…] = …".to_owned() };
            let name = "an object".to_owned();
            self.effect(What::Write("items are set on an object that is no container"), name, vec![step]);
        }
        self.arena.set_trace(target, Trace { keys: trace.keys.and(keys), ..trace });
        self.raise(target, level);
    }

    /// BUILD: `__setstate__`, or an update of the instance's attributes.
    fn build(&mut self, target: V, state: V) -> Run {
        let name = super::explain::name(self, target);
        let keys = super::state::of(self, state, profile::is_compiled(self, target));
        let level = self.settled(state);
        self.hold_one(state);
        let write = |machine: &mut Self, why| {
            let step = Step {
                offset: machine.op,
                text: format!("{name}.__setstate__({})", super::explain::value(machine, state, 3)),
            };
            machine.effect(What::Write(why), name.clone(), vec![step]);
        };
        match self.node(target).map(|n| &n.kind) {
            Some(Kind::Made { callee, args, keys: own, .. }) => {
                let (callee, args, own) = (*callee, *args, *own);
                if keys.special || own.special && !profile::is_plain_container(self, callee) {
                    write(self, "special methods, or names that cannot be told, are set on an object");
                } else if !profile::may_build(self, callee) && self.level(target) != Level::Foreign {
                    // What made a foreign one was reported already; its state is part of the same story.
                    write(self, "the state of an object is set that has none");
                } else if let Some(why) = profile::refuses(self, callee, args, state) {
                    write(self, why);
                }
                self.dropped |= keys.unclear;
                if self.arrays {
                    self.raw = super::joblib::raw_bytes(self, target, state)?;
                }
                if let Some(Kind::Made { keys: all, state: last, built, .. }) =
                    self.arena.get_mut(target).map(|n| &mut n.kind)
                {
                    all.hook |= keys.hook;
                    *last = Some(state);
                    *built = (*built + 1).min(2);
                }
                self.raise(target, level);
            }
            Some(Kind::Global { .. }) => write(self, "attributes of something imported are set"),
            Some(Kind::Persistent(_)) => write(self, "the state of an object outside the file is set"),
            Some(_) => write(self, "attributes of a plain value are set"),
            None => match (target, self.trace(target)) {
                (_, Some(trace)) => {
                    if keys.special || !trace.builds && trace.level != Level::Foreign {
                        write(self, "the state of an object is set");
                    }
                    self.dropped |= keys.unclear;
                    let keys = Keys { special: true, hook: trace.keys.hook | keys.hook, ..trace.keys };
                    self.arena.set_trace(target, Trace { keys, ..trace });
                    self.raise(target, level);
                }
                (V::Lost | V::Data, None) => self.dropped = true,
                _ => write(self, "attributes of a plain value are set"),
            },
        }
        Ok(())
    }

    fn remember(&mut self, index: u64, value: V) {
        let dense = self.memo.len() as u64;
        if let Ok(at) = usize::try_from(index)
            && index <= dense + 64
            && at < self.values * 2
        {
            if at >= self.memo.len() {
                self.memo.resize(at + 1, None);
            }
            if let Some(slot) = self.memo.get_mut(at) {
                self.memoized += u64::from(slot.is_none());
                *slot = Some(value);
            }
            return;
        }
        if self.sparse.len() < self.values / 4 {
            self.memoized += u64::from(self.sparse.insert(index, value).is_none());
        } else {
            // A value that is fetched later is then unknown, which is reported where it matters.
            self.memoized += 1;
        }
    }

    fn recall(&mut self, index: u64) -> Run {
        let dense = usize::try_from(index).ok().and_then(|at| self.memo.get(at).copied().flatten());
        match dense.or_else(|| self.sparse.get(&index).copied()) {
            Some(value) => self.push(value),
            None if self.sparse.len() >= self.values / 4 => self.push(V::Lost),
            None => Err(End::Broken("the memo has no such entry")),
        }
    }

    /// One opcode. `Some` at the last STOP.
    #[allow(clippy::too_many_lines, reason = "one arm for each opcode")]
    fn step(&mut self) -> Run<Option<V>> {
        if self.steps == 0 {
            return Err(End::Spent("it has more opcodes than the limit"));
        }
        self.steps -= 1;
        self.op = self.at;
        match self.byte()? {
            b'(' => {
                if self.marks.len() >= self.values {
                    return Err(End::Spent("it has more marks than the limit"));
                }
                self.marks.push(self.stack.len());
            }
            b'.' => {
                let value = self.pop()?;
                let Some((stack, marks, memo, sparse, memoized)) = self.outer.pop() else { return Ok(Some(value)) };
                (self.stack, self.marks, self.memo, self.sparse, self.memoized) =
                    (stack, marks, memo, sparse, memoized);
                // joblib puts the array in the place of its wrapper.
                self.stack.pop();
                self.push(value)?;
            }
            b'0' => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => {
                let mark = self.mark()?;
                self.stack.truncate(mark);
            }
            b'2' => {
                let value = self.top()?;
                self.push(value)?;
            }
            0x80 => {
                let version = self.byte()?;
                if version > 5 {
                    return Err(End::Broken("its protocol is unknown"));
                }
            }
            0x95 => {
                let len = self.number(8)?;
                let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
                let end = end.filter(|end| *end <= self.data.len()).ok_or(End::Broken("a frame is cut off"))?;
                self.frame = Some(end);
            }
            b'F' => {
                let (at, len) = self.line()?;
                if !is_float(piece(self.data, at, len).unwrap_or_default()) {
                    return Err(End::Broken("a number has no digits"));
                }
                self.push(V::Float)?;
            }
            b'G' => {
                self.take(8)?;
                self.push(V::Float)?;
            }
            b'I' => {
                let (at, len) = self.line()?;
                let line = piece(self.data, at, len).unwrap_or_default();
                let value = match line {
                    b"00" => V::Bool(false),
                    b"01" => V::Bool(true),
                    _ => whole(line).ok_or(End::Broken("a number has no digits"))?,
                };
                self.push(value)?;
            }
            b'L' => {
                let (at, len) = self.line()?;
                let line = piece(self.data, at, len).unwrap_or_default();
                let value = whole(line.strip_suffix(b"L").unwrap_or(line));
                self.push(value.ok_or(End::Broken("a number has no digits"))?)?;
            }
            b'J' => {
                let value = i32::from_le_bytes(u32::try_from(self.number(4)?).unwrap_or(0).to_le_bytes());
                self.push(V::Int(i64::from(value)))?;
            }
            op @ (b'K' | b'M') => {
                let value = self.number(if op == b'K' { 1 } else { 2 })?;
                self.push(V::Int(i64::try_from(value).unwrap_or(0)))?;
            }
            op @ (0x8a | 0x8b) => {
                let (at, len) = if op == 0x8a { self.counted(1)? } else { self.signed()? };
                self.push(small(piece(self.data, at, len).unwrap_or_default()).unwrap_or(V::Big))?;
            }
            b'N' => self.push(V::None)?,
            0x88 => self.push(V::Bool(true))?,
            0x89 => self.push(V::Bool(false))?,
            b'S' => self.escaped(true)?,
            b'V' => self.escaped(false)?,
            b'T' => {
                let (at, len) = self.signed()?;
                self.string(at, len)?;
            }
            op @ (b'U' | b'X' | 0x8c | 0x8d) => {
                let width = match op {
                    b'X' => 4,
                    0x8d => 8,
                    _ => 1,
                };
                let (at, len) = self.counted(width)?;
                self.string(at, len)?;
            }
            op @ (b'B' | b'C' | 0x8e | 0x96) => {
                let width = match op {
                    b'B' => 4,
                    b'C' => 1,
                    _ => 8,
                };
                let (at, len) = self.counted(width)?;
                self.raw_bytes(at, len)?;
            }
            // Buffers come from outside of the file.
            0x97 => self.push(V::Data)?,
            0x98 => {
                self.top()?;
            }
            b')' => {
                let mark = self.stack.len();
                let value = self.seq(Shape::Tuple, mark);
                self.push(value)?;
            }
            b't' => {
                let mark = self.mark()?;
                let value = self.seq(Shape::Tuple, mark);
                self.push(value)?;
            }
            op @ (0x85..=0x87) => {
                let count = usize::from(op - 0x84);
                let mark = self.stack.len().checked_sub(count).filter(|mark| *mark >= self.fence());
                let value = self.seq(Shape::Tuple, mark.ok_or(End::Broken("its stack is empty"))?);
                self.push(value)?;
            }
            op @ (b']' | 0x8f) => {
                let shape = if op == b']' { Shape::List } else { Shape::Set };
                let value = self.seq(shape, self.stack.len());
                self.push(value)?;
            }
            op @ (b'l' | 0x91) => {
                let shape = if op == b'l' { Shape::List } else { Shape::Set };
                let mark = self.mark()?;
                let value = self.seq(shape, mark);
                self.push(value)?;
            }
            b'}' => {
                let value =
                    self.add(Kind::Dict { items: Vec::new(), more: false, keys: Keys::default() }, Level::Inert);
                self.push(value)?;
            }
            b'd' => {
                let mark = self.mark()?;
                let values = self.above(mark).to_vec();
                self.stack.truncate(mark);
                let value =
                    self.add(Kind::Dict { items: Vec::new(), more: false, keys: Keys::default() }, Level::Inert);
                self.put(value, &values, true);
                self.push(value)?;
            }
            b'a' => {
                let value = self.pop()?;
                let target = self.top()?;
                self.put(target, &[value], false);
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                let target = self.top()?;
                self.put(target, &[key, value], true);
            }
            op @ (b'e' | b'u' | 0x90) => {
                let mark = self.mark()?;
                let values = self.above(mark).to_vec();
                self.stack.truncate(mark);
                let target = self.top()?;
                self.put(target, &values, op == b'u');
            }
            op @ (b'p' | b'q' | b'r') => {
                let index = match op {
                    b'p' => self.index()?,
                    b'q' => self.number(1)?,
                    _ => self.number(4)?,
                };
                let value = self.top()?;
                self.remember(index, value);
            }
            0x94 => {
                let (index, value) = (self.memoized, self.top()?);
                self.remember(index, value);
            }
            op @ (b'g' | b'h' | b'j') => {
                let index = match op {
                    b'g' => self.index()?,
                    b'h' => self.number(1)?,
                    _ => self.number(4)?,
                };
                self.recall(index)?;
            }
            b'c' => {
                let (module, name) = self.names()?;
                self.import(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.text(module), self.text(name)) {
                    (Some(module), Some(name)) => self.import(&module, &name)?,
                    _ => {
                        let value = self.unresolved("a name is imported that is no constant of the file");
                        self.push(value)?;
                    }
                }
            }
            op @ (0x82..=0x84) => {
                let code = self.number(1 << (op - 0x82))?;
                let chain = vec![Step { offset: self.op, text: format!("copyreg extension {code}") }];
                self.effect(
                    What::Unresolved("an extension code stands for a name outside the file"),
                    String::new(),
                    chain,
                );
                let value = self.add(Kind::Extension(i64::try_from(code).unwrap_or(0)), Level::Foreign);
                self.push(value)?;
            }
            b'R' => {
                let (args, callee) = (self.pop()?, self.pop()?);
                let value = self.call(callee, args, profile::By::Reduce);
                self.push(value)?;
            }
            b'i' => {
                let (module, name) = self.names()?;
                let mark = self.mark()?;
                let args = self.seq(Shape::Tuple, mark);
                self.import(&module, &name)?;
                let callee = self.pop()?;
                let value = self.call(callee, args, profile::By::Reduce);
                self.push(value)?;
            }
            b'o' => {
                let mark = self.mark()?;
                if mark >= self.stack.len() {
                    return Err(End::Broken("a class is missing"));
                }
                let args = self.seq(Shape::Tuple, mark + 1);
                let callee = self.pop()?;
                let value = self.call(callee, args, profile::By::Reduce);
                self.push(value)?;
            }
            0x81 => {
                let (args, callee) = (self.pop()?, self.pop()?);
                let value = self.call(callee, args, profile::By::New);
                self.push(value)?;
            }
            0x92 => {
                let (named, args, callee) = (self.pop()?, self.pop()?, self.pop()?);
                let level = self.level(args).max(self.level(named));
                let args = self.add(Kind::Seq { shape: Shape::Tuple, items: vec![args, named], more: false }, level);
                let value = self.call(callee, args, profile::By::New);
                self.push(value)?;
            }
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                self.build(target, state)?;
                self.skip_raw()?;
            }
            b'P' => {
                let (at, len) = self.line()?;
                if self.hidden {
                    return Err(End::Broken("nothing loads an identifier that is a text"));
                }
                let id = u32::try_from(len).map_or(V::Data, |len| V::Str { at, len });
                self.persistent(id)?;
            }
            b'Q' => {
                let id = self.pop()?;
                self.persistent(id)?;
            }
            _ => return Err(End::Broken("an opcode is unknown")),
        }
        Ok(None)
    }

    fn persistent(&mut self, id: V) -> Run {
        if !profile::known_persistent(self, id) {
            self.effect(What::Persistent, String::new(), Vec::new());
        }
        let level = self.level(id).max(Level::Known);
        let value = self.add(Kind::Persistent(id), level);
        self.push(value)
    }

    fn index(&mut self) -> Run<u64> {
        let (at, len) = self.line()?;
        let line = piece(self.data, at, len).unwrap_or_default();
        match whole(line) {
            Some(V::Int(index)) => u64::try_from(index).map_err(|_| End::Broken("a memo index is negative")),
            _ => Err(End::Broken("a memo index is no number")),
        }
    }

    fn names(&mut self) -> Run<(String, String)> {
        let (at, len) = self.line()?;
        let module = String::from_utf8_lossy(piece(self.data, at, len).unwrap_or_default()).into_owned();
        let (at, len) = self.line()?;
        let name = String::from_utf8_lossy(piece(self.data, at, len).unwrap_or_default()).into_owned();
        Ok((module, name))
    }

    /// The bytes of an array that joblib writes behind the state of its wrapper.
    fn skip_raw(&mut self) -> Run {
        let Some(len) = self.raw.take() else { return Ok(()) };
        self.first_raw = self.first_raw.or(Some(self.at));
        self.frame = None;
        if len == super::joblib::OBJECTS {
            self.objects = true;
            if self.outer.len() >= 8 {
                return Err(End::Spent("arrays of objects are nested deeper than the limit"));
            }
            self.outer.push((
                std::mem::take(&mut self.stack),
                std::mem::take(&mut self.marks),
                std::mem::take(&mut self.memo),
                std::mem::take(&mut self.sparse),
                std::mem::take(&mut self.memoized),
            ));
            return Ok(());
        }
        let at = self.take(len)?;
        // joblib puts the array in the place of its wrapper.
        self.pop()?;
        self.push(u32::try_from(len.max(1)).map_or(V::Data, |len| V::Bytes { at, len }))
    }

    /// What is kept of one stream for the next one in the file.
    pub(super) fn restart(&mut self) {
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        self.sparse.clear();
        self.memoized = 0;
        self.frame = None;
        self.outer.clear();
    }
}

/// True for names as modules and what is in them have.
fn is_importable(module: &str, name: &str) -> bool {
    module.split('.').chain(name.split('.')).all(|part| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The text of a number. C's readers end it where a zero stands.
fn numeral(line: &[u8]) -> Option<&str> {
    let end = memchr::memchr(0, line).unwrap_or(line.len());
    let blank = |c: char| c.is_ascii_whitespace() || c == '\x0b';
    Some(std::str::from_utf8(line.get(..end)?).ok()?.trim_matches(blank))
}

/// True for what any of Python's readers takes for a float.
fn is_float(line: &[u8]) -> bool {
    let Some(text) = numeral(line) else { return false };
    text.chars().filter(|c| *c != '_').collect::<String>().parse::<f64>().is_ok()
}

/// A number as CPython's `int` reads it, where it is small or begins torch's old format; none where it is no number.
fn whole(line: &[u8]) -> Option<V> {
    let text = numeral(line)?;
    if let Ok(number) = text.parse() {
        return Some(V::Int(number));
    }
    if text.is_empty() {
        // `strtol` reads nothing as zero.
        return line.contains(&0).then_some(V::Int(0));
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let negative = text.starts_with('-');
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    let digits = digits.to_ascii_lowercase();
    let (digits, radix) = [("0x", 16), ("0o", 8), ("0b", 2)]
        .iter()
        .find_map(|(prefix, radix)| digits.strip_prefix(prefix).map(|rest| (rest, *radix)))
        .unwrap_or((&digits, 10));
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    Some(match u128::from_str_radix(digits, radix) {
        Ok(super::TORCH_MAGIC) if !negative => V::Magic,
        _ => V::Data,
    })
}

/// A little-endian two's complement number of up to eight bytes.
fn small(bytes: &[u8]) -> Option<V> {
    if bytes.len() > 8 {
        let (head, rest) = bytes.split_at_checked(10)?;
        let magic = super::TORCH_MAGIC.to_le_bytes();
        let is_magic = magic.starts_with(head) && rest.iter().all(|b| *b == 0);
        return is_magic.then_some(V::Magic);
    }
    let sign = if bytes.last().is_some_and(|b| *b >= 0x80) { 0xff } else { 0 };
    let mut wide = [sign; 8];
    for (to, from) in wide.iter_mut().zip(bytes) {
        *to = *from;
    }
    Some(V::Int(i64::from_le_bytes(wide)))
}

/// The bytes that a text of Latin-1 stands for; what is not Latin-1 becomes `?`.
pub(super) fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

/// Python's escapes. In `all`, those of a literal of bytes; else only `\u` and `\U` of raw-unicode-escape.
fn unescape(line: &[u8], all: bool) -> String {
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        at += 1;
        if *byte != b'\\' {
            out.push(char::from(*byte));
            continue;
        }
        let Some(kind) = line.get(at) else {
            out.push('\\');
            break;
        };
        let digits = match kind {
            b'x' if all => 2,
            b'u' if !all => 4,
            b'U' if !all => 8,
            _ => 0,
        };
        if digits > 0 {
            let number = piece(line, at + 1, digits)
                .and_then(|hex| std::str::from_utf8(hex).ok())
                .and_then(|hex| u32::from_str_radix(hex, 16).ok());
            if let Some(c) = number.and_then(char::from_u32) {
                out.push(c);
                at += 1 + digits;
                continue;
            }
        }
        if !all {
            out.push('\\');
            // A backslash takes the next one with it.
            if *kind == b'\\' {
                out.push('\\');
                at += 1;
            }
            continue;
        }
        at += 1;
        match kind {
            b'n' => out.push('\n'),
            b't' => out.push('\t'),
            b'r' => out.push('\r'),
            b'0'..=b'7' => {
                let mut number = u32::from(kind - b'0');
                for _ in 0..2 {
                    match line.get(at) {
                        Some(digit @ b'0'..=b'7') => {
                            number = number * 8 + u32::from(digit - b'0');
                            at += 1;
                        }
                        _ => break,
                    }
                }
                // A byte: what does not fit is cut off.
                out.push(char::from((number & 0xff) as u8));
            }
            b'a' => out.push('\x07'),
            b'b' => out.push('\x08'),
            b'f' => out.push('\x0c'),
            b'v' => out.push('\x0b'),
            b'\\' | b'\'' | b'"' => out.push(char::from(*kind)),
            other => {
                out.push('\\');
                out.push(char::from(*other));
            }
        }
    }
    out
}
