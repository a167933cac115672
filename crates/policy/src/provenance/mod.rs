//! Tool calls decided by where their arguments came from.
//!
//! The model may obey an injected instruction completely; what it can then do is bounded, because an argument that says
//! who, where or which must come from the user's words, from a field that the system set, or from a record that the user's
//! words point at. Wording plays no part, so encoding an attack changes nothing. After CaMeL (arXiv 2503.18813) and FIDES
//! (arXiv 2505.23643), without their planner: labels are recomputed from the history that clients resend.
//!
//! Everything here is a pure function of the messages.

pub mod coding;
mod decide;
mod dialect;
mod figure;
mod history;
pub mod learn;
mod ledger;
mod prints;
mod quotes;
mod rules;
mod said;
mod sql;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod tool;
mod trace;
mod translate;
mod tree;
mod value;
mod vocab;
mod work;

pub use decide::{Decision, Reason, Trace, Traced, Why};
pub use dialect::{chat_call, tools};
pub use history::{Bounds, Call, History, Oddity};
pub use ledger::{Known, Ledger, Saying};
pub use rules::{Need, PolicyFault, Rules, Syntax};
pub use tool::{Role, Tool};
pub use trace::{Answer, Review, Run, RunCall, SourceLine, With, Writer, decisions, evaluate, evaluate_with};
