//! Values of the pickle machine: constants stay in the file, the rest are small nodes.

use super::profile::Grant;

/// A value on the stack or in the memo.
#[derive(Clone, Copy, Debug)]
pub(super) enum V {
    None,
    Bool(bool),
    Int(i64),
    Float,
    /// The long that torch's format before 1.6 begins with, however it is written.
    Magic,
    /// Another long of more than eight bytes.
    Big,
    /// Text, as UTF-8 in the file.
    Str {
        at: usize,
        len: u32,
    },
    Bytes {
        at: usize,
        len: u32,
    },
    /// Plain values whose details were not kept.
    Data,
    /// A value that had to be given up.
    Lost,
    Node(u32),
}

/// How far a value is trusted. A container is as foreign as what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Numbers, text, bytes, and containers of these.
    Inert,
    /// Names and objects of known frameworks.
    Known,
    /// Anything else.
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Tuple,
    List,
    Set,
}

/// What is known of the keys of a mapping: they become names of attributes where it is a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    /// One is the name of a special method, or is made by a call.
    pub(super) special: bool,
    /// One is the name of a method that the pickle machine looks up on instances.
    pub(super) hook: bool,
    /// One was not kept.
    pub(super) unclear: bool,
}

impl Keys {
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            special: self.special | other.special,
            hook: self.hook | other.hook,
            unclear: self.unclear | other.unclear,
        }
    }
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Text that had escapes.
    Text(Box<str>),
    Global {
        module: Box<str>,
        name: Box<str>,
        grant: Grant,
    },
    /// What a call made.
    Made {
        callee: V,
        args: V,
        /// Of the items that were put in.
        keys: Keys,
        /// The last state that it was given.
        state: Option<V>,
        /// How many states it was given, up to two.
        built: u8,
    },
    Seq {
        shape: Shape,
        items: Vec<V>,
        more: bool,
    },
    Dict {
        items: Vec<(V, V)>,
        more: bool,
        keys: Keys,
    },
    Persistent(V),
    Extension(i64),
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) level: Level,
    /// Another value holds it.
    pub(super) held: bool,
    /// Offset of the opcode that made it.
    pub(super) at: usize,
}
