//! Values of the pickle machine: constants stay in the file, the rest are small nodes.

use super::profile::Grant;

/// A value on the stack or in the memo.
#[derive(Clone, Copy, Debug)]
pub(super) enum V {
    None,
    Bool(bool),
    Int(i64),
    Float,
    /// A long of more than eight bytes, in the file.
    Big {
        at: usize,
        len: u32,
    },
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
    },
    Seq {
        shape: Shape,
        items: Vec<V>,
        more: bool,
    },
    Dict {
        items: Vec<(V, V)>,
        more: bool,
        special: bool,
    },
    Persistent(V),
    Extension(i64),
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) level: Level,
    /// Offset of the opcode that made it.
    pub(super) at: usize,
}
