//! What artifact parsers say about a file, before any rule looks at it.

use crate::location::Location;

/// One fact about a model artifact. Parsers emit facts; rules judge them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// Loading the file imports this.
    Import {
        /// Module path.
        module: String,
        /// Attribute path in the module.
        name: String,
        /// Where.
        at: Location,
    },
    /// Loading the file calls this.
    Call {
        /// Dotted path of the callee.
        callee: String,
        /// Arguments in abstract form.
        arguments: Vec<String>,
        /// Where.
        at: Location,
    },
    /// A tensor.
    Tensor {
        /// Name.
        name: String,
        /// Element type as the format names it.
        dtype: String,
        /// Shape, outermost dimension first.
        shape: Vec<u64>,
        /// Where its bytes are.
        at: Location,
    },
    /// A chat template.
    Template {
        /// Its source.
        source: String,
        /// Where.
        at: Location,
    },
    /// A member of an archive.
    Entry {
        /// Name as stored.
        name: String,
        /// Size once expanded, in bytes.
        size: u64,
        /// Size as stored, in bytes.
        stored: u64,
        /// Where.
        at: Location,
    },
    /// Something that the parser knows to be there but does not understand.
    Unknown {
        /// What it is.
        what: String,
        /// Where.
        at: Location,
    },
}
