//! The values of one pickle: the first ones and all names for good, later ones while they are recent. Of the others
//! stays what a verdict needs.

use std::collections::VecDeque;

use super::value::{Keys, Level, Node, V};

/// Values that are recent. What an opcode works on was nearly always made shortly before.
const RECENT: usize = 1 << 15;
/// Marks a place among the later ones.
const LATER: u32 = 1 << 31;
/// The most values that are let go: one byte each.
const GONE: usize = 1 << 25;

/// What a value that was let go was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Was {
    Seq,
    Dict,
    /// An object that takes items.
    Taker,
    Other,
}

/// What stays of a value that was let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) level: Level,
    pub(super) keys: Keys,
    pub(super) was: Was,
    /// An object that may be given a state.
    pub(super) builds: bool,
}

impl Trace {
    fn pack(self) -> u8 {
        let level = match self.level {
            Level::Inert => 0,
            Level::Known => 1,
            Level::Foreign => 2,
        };
        let was = match self.was {
            Was::Seq => 0,
            Was::Dict => 1,
            Was::Taker => 2,
            Was::Other => 3,
        };
        let bit = |set: bool, at: u8| u8::from(set) << at;
        level
            | was << 2
            | bit(self.keys.special, 4)
            | bit(self.keys.hook, 5)
            | bit(self.keys.unclear, 6)
            | bit(self.builds, 7)
    }

    fn unpack(byte: u8) -> Self {
        let level = match byte & 3 {
            0 => Level::Inert,
            1 => Level::Known,
            _ => Level::Foreign,
        };
        let was = match byte >> 2 & 3 {
            0 => Was::Seq,
            1 => Was::Dict,
            2 => Was::Taker,
            _ => Was::Other,
        };
        let bit = |at: u8| byte >> at & 1 == 1;
        Self { level, was, keys: Keys { special: bit(4), hook: bit(5), unclear: bit(6) }, builds: bit(7) }
    }
}

#[derive(Default)]
pub(super) struct Arena {
    kept: Vec<Node>,
    recent: VecDeque<Node>,
    gone: Vec<u8>,
}

impl Arena {
    pub(super) fn get(&self, value: V) -> Option<&Node> {
        let V::Node(at) = value else { return None };
        match place(at) {
            Ok(at) => self.kept.get(at),
            Err(at) => self.recent.get(at.checked_sub(self.gone.len())?),
        }
    }

    pub(super) fn get_mut(&mut self, value: V) -> Option<&mut Node> {
        let V::Node(at) = value else { return None };
        match place(at) {
            Ok(at) => self.kept.get_mut(at),
            Err(at) => self.recent.get_mut(at.checked_sub(self.gone.len())?),
        }
    }

    /// What stays of a value that was let go.
    pub(super) fn trace(&self, value: V) -> Option<Trace> {
        let V::Node(at) = value else { return None };
        place(at).err().and_then(|at| self.gone.get(at)).map(|byte| Trace::unpack(*byte))
    }

    pub(super) fn set_trace(&mut self, value: V, trace: Trace) {
        let V::Node(at) = value else { return };
        if let Some(byte) = place(at).err().and_then(|at| self.gone.get_mut(at)) {
            *byte = trace.pack();
        }
    }

    /// Values that are kept for good.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Keeps a value for good.
    pub(super) fn keep(&mut self, node: Node) -> V {
        let at = u32::try_from(self.kept.len()).unwrap_or(0) & !LATER;
        self.kept.push(node);
        V::Node(at)
    }

    /// The value that has to go before another one comes.
    pub(super) fn oldest(&self) -> Option<&Node> {
        (self.recent.len() >= RECENT).then(|| self.recent.front()).flatten()
    }

    /// Keeps a value for a while; `trace` is of the oldest one. `None` where there were too many.
    pub(super) fn push(&mut self, node: Node, trace: Option<Trace>) -> Option<V> {
        if let Some(trace) = trace {
            if self.gone.len() >= GONE {
                return None;
            }
            self.recent.pop_front();
            self.gone.push(trace.pack());
        }
        let at = u32::try_from(self.gone.len() + self.recent.len()).ok()?;
        self.recent.push_back(node);
        Some(V::Node(at | LATER))
    }
}

/// The place among those that are kept, or among the later ones.
fn place(at: u32) -> Result<usize, usize> {
    if at & LATER == 0 { Ok(at as usize) } else { Err((at & !LATER) as usize) }
}
