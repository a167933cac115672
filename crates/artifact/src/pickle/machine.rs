//! The pickle machine: CPython's semantics over abstract values, in one pass, without recursion.

use std::collections::HashMap;

use super::profile::{self, Verdict};
use super::value::{Kind, Level, Node, Shape, V};
use crate::bytes::{piece, u16le, u32le, u64le};
use crate::desk::Step;

/// Elements of a container that are kept; the rest counts only by its level.
const KEPT: usize = 64;
/// Candidates for payloads in constants.
const PAYLOADS: usize = 1000;
/// Effects that are kept of one stream.
const EFFECTS: usize = 4096;

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Stop,
    /// Not a pickle from here on: every loader fails.
    Broken(&'static str),
    /// The budget ran out.
    Spent(&'static str),
}

/// What may happen on loading.
#[derive(Debug)]
pub(super) enum What {
    /// Judged and not allowed, or imported.
    Call(Verdict),
    /// True where the name runs code.
    Import(bool),
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
    pub(super) nodes: Vec<Node>,
    pub(super) effects: Vec<Effect>,
    pub(super) payloads: Vec<Payload>,
    frame: Option<usize>,
    steps: u64,
    values: usize,
    /// Something was dropped for want of room.
    pub(super) dropped: bool,
    /// Raw array bytes that follow the instruction in hand: size, or an error.
    pub(super) raw: usize,
    /// Streams that wait for one inside them: joblib's arrays of objects.
    outer: Vec<Waiting>,
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
            nodes: Vec::new(),
            effects: Vec::new(),
            payloads: Vec::new(),
            frame: None,
            steps,
            values,
            dropped: false,
            raw: 0,
            outer: Vec::new(),
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
        match value {
            V::Node(at) => self.nodes.get(at as usize),
            _ => None,
        }
    }

    pub(super) fn level(&self, value: V) -> Level {
        match value {
            V::Node(_) => self.node(value).map_or(Level::Known, |node| node.level),
            V::Lost => Level::Known,
            _ => Level::Inert,
        }
    }

    fn add(&mut self, kind: Kind, level: Level) -> V {
        if self.nodes.len() >= self.values / 2 {
            self.dropped |= level > Level::Inert;
            return if level == Level::Inert { V::Data } else { V::Lost };
        }
        let at = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(Node { kind, level, at: self.op });
        V::Node(at)
    }

    fn worst(&self, values: &[V]) -> Level {
        values.iter().map(|v| self.level(*v)).max().unwrap_or(Level::Inert)
    }

    fn seq(&mut self, shape: Shape, mark: usize) -> V {
        let level = self.worst(self.above(mark));
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

    /// A value of a dictionary by its key.
    pub(super) fn get(&self, dict: V, key: &str) -> Option<V> {
        match &self.node(dict)?.kind {
            Kind::Dict { items, .. } => {
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
                self.payloads.push(Payload::Text { at, bytes: latin1(&text) });
            }
            let value = self.add(Kind::Text(text.into()), Level::Inert);
            return self.push(value);
        }
        self.string(at, len)
    }

    // Effects.

    pub(super) fn effect(&mut self, what: What, name: String, chain: Vec<Step>) {
        if self.effects.len() < EFFECTS {
            self.effects.push(Effect { what, name, at: self.op, chain });
        } else if matches!(what, What::Call(_) | What::Write(_) | What::Unresolved(_)) {
            // The findings have their own limit; the first thousands are enough to stop a file.
            self.dropped = true;
        }
    }

    fn import(&mut self, module: &str, name: &str) -> Run {
        let key = format!("{module}\n{name}");
        if let Some(at) = self.globals.get(&key) {
            return self.push(V::Node(*at));
        }
        let grant = profile::grant(module, name);
        let level = if grant.known { Level::Known } else { Level::Foreign };
        if grant.known && self.framework.is_none() {
            self.framework = profile::framework(module);
        }
        let (known, code) = (grant.known, grant.code);
        let value = self.add(Kind::Global { module: module.into(), name: name.into(), grant }, level);
        if let V::Node(at) = value {
            self.globals.insert(key, at);
        }
        if !known || !matches!(value, V::Node(_)) {
            let step = Step {
                offset: self.op,
                text: format!("from {} import {}", crate::bytes::show(module), crate::bytes::show(name)),
            };
            self.effect(What::Import(code), format!("{module}.{name}"), vec![step]);
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
        let verdict = profile::judge(self, callee, args, by);
        let level = match verdict {
            Verdict::Allowed => Level::Known,
            _ => Level::Foreign,
        };
        match verdict {
            Verdict::Allowed => {}
            verdict => {
                let chain = super::explain::chain(self, callee, args, by, self.op);
                let name = super::explain::name(self, callee);
                self.effect(What::Call(verdict), name, chain);
            }
        }
        self.add(Kind::Made { callee, args }, level)
    }

    /// Puts values into a container; anything but a plain one runs a method of it.
    fn put(&mut self, target: V, values: &[V], pairs: bool) {
        let level = self.worst(values);
        // Values of special keys are looked at where the dictionary becomes a state.
        let special = pairs && values.chunks(2).any(|pair| pair.first().is_some_and(|key| self.is_special(*key)));
        let room = match target {
            V::Node(at) => self.nodes.get_mut(at as usize),
            V::Data | V::Lost => {
                self.dropped |= level > Level::Inert || special;
                return;
            }
            _ => return,
        };
        let Some(node) = room else { return };
        match &mut node.kind {
            Kind::Seq { items, more, .. } => {
                node.level = node.level.max(level);
                let left = KEPT.saturating_sub(items.len());
                *more |= values.len() > left;
                items.extend(values.iter().take(left));
            }
            Kind::Dict { items, more, special: known } => {
                node.level = node.level.max(level);
                *known |= special;
                let left = KEPT.saturating_sub(items.len());
                *more |= values.len() / 2 > left;
                items.extend(values.chunks_exact(2).take(left).filter_map(|pair| match pair {
                    [key, value] => Some((*key, *value)),
                    _ => None,
                }));
            }
            Kind::Made { callee, .. } => {
                let callee = *callee;
                if !profile::takes_items(self, callee) {
                    let name = super::explain::name(self, callee);
                    let step = Step { offset: self.op, text: format!("{name}(…)[…] = …") };
                    self.effect(What::Write("items are set on an object that is no container"), name, vec![step]);
                }
            }
            _ => {
                let name = super::explain::name(self, target);
                let step = Step { offset: self.op, text: format!("{name}[…] = …") };
                self.effect(What::Write("items are set on what is no container"), name, vec![step]);
            }
        }
    }

    fn is_special(&self, key: V) -> bool {
        let text = match key {
            V::Str { at, len } if len < 64 => piece(self.data, at, len as usize).unwrap_or_default(),
            V::Node(_) => match self.node(key).map(|n| &n.kind) {
                Some(Kind::Text(text)) => text.as_bytes(),
                _ => return false,
            },
            _ => return false,
        };
        text.starts_with(b"__")
            && text.ends_with(b"__")
            && !profile::PLAIN_SPECIALS.iter().any(|p| p.as_bytes() == text)
    }

    fn has_special(&self, state: V) -> bool {
        match self.node(state).map(|n| &n.kind) {
            Some(Kind::Dict { special, .. }) => *special,
            Some(Kind::Seq { items, .. }) => {
                items.iter().any(|v| matches!(self.node(*v).map(|n| &n.kind), Some(Kind::Dict { special: true, .. })))
            }
            _ => false,
        }
    }

    /// BUILD: `__setstate__`, or an update of the instance's attributes.
    fn build(&mut self, target: V, state: V) -> Run {
        let name = super::explain::name(self, target);
        let write = |machine: &mut Self, why| {
            let step = Step {
                offset: machine.op,
                text: format!("{name}.__setstate__({})", super::explain::value(machine, state, 3)),
            };
            machine.effect(What::Write(why), name.clone(), vec![step]);
        };
        match self.node(target).map(|n| (&n.kind, n.level)) {
            Some((Kind::Made { callee, .. }, _)) => {
                let callee = *callee;
                if self.has_special(state) {
                    write(self, "special methods are set on an object");
                } else if !profile::may_build(self, target, callee) {
                    let level = self.level(target);
                    // What made it was reported already; its state is part of the same story.
                    if level != Level::Foreign {
                        write(self, "the state of an object is set that has none");
                    }
                }
                self.raw = super::joblib::raw_bytes(self, callee, state)?;
            }
            Some((Kind::Global { .. }, _)) => write(self, "attributes of something imported are set"),
            Some((Kind::Persistent(_), _)) => write(self, "the state of an object outside the file is set"),
            Some(_) => write(self, "attributes of a plain value are set"),
            None => match target {
                V::Lost | V::Data => self.dropped = true,
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
                self.line()?;
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
                    _ => whole(line),
                };
                self.push(value)?;
            }
            b'L' => {
                let (at, len) = self.line()?;
                let line = piece(self.data, at, len).unwrap_or_default();
                let value = whole(line.strip_suffix(b"L").unwrap_or(line));
                self.push(value)?;
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
                let value = small(piece(self.data, at, len).unwrap_or_default())
                    .unwrap_or_else(|| u32::try_from(len).map_or(V::Data, |len| V::Big { at, len }));
                self.push(value)?;
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
                let value = self.add(Kind::Dict { items: Vec::new(), more: false, special: false }, Level::Inert);
                self.push(value)?;
            }
            b'd' => {
                let mark = self.mark()?;
                let values = self.above(mark).to_vec();
                self.stack.truncate(mark);
                let value = self.add(Kind::Dict { items: Vec::new(), more: false, special: false }, Level::Inert);
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
            V::Int(index) => u64::try_from(index).map_err(|_| End::Broken("a memo index is negative")),
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
        match std::mem::take(&mut self.raw) {
            0 => Ok(()),
            super::joblib::OBJECTS => {
                if self.outer.len() >= 8 {
                    return Err(End::Spent("arrays of objects are nested deeper than the limit"));
                }
                self.frame = None;
                self.outer.push((
                    std::mem::take(&mut self.stack),
                    std::mem::take(&mut self.marks),
                    std::mem::take(&mut self.memo),
                    std::mem::take(&mut self.sparse),
                    std::mem::take(&mut self.memoized),
                ));
                Ok(())
            }
            len => {
                self.frame = None;
                self.take(len)?;
                Ok(())
            }
        }
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

/// A decimal number as CPython's `int` reads it, where it is small.
fn whole(line: &[u8]) -> V {
    std::str::from_utf8(line).ok().and_then(|text| text.trim().parse().ok()).map_or(V::Data, V::Int)
}

/// A little-endian two's complement number of up to eight bytes.
fn small(bytes: &[u8]) -> Option<V> {
    if bytes.len() > 8 {
        return None;
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

/// Python's escapes. In `all`, those of a string literal; else only `\u` and `\U` of raw-unicode-escape.
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
            b'u' => 4,
            b'U' => 8,
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
                out.extend(char::from_u32(number));
            }
            b'a' => out.push('\x07'),
            b'b' => out.push('\x08'),
            b'f' => out.push('\x0c'),
            b'v' => out.push('\x0b'),
            other => out.push(char::from(*other)),
        }
    }
    out
}
