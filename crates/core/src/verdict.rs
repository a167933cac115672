//! What policy decides, and what was then done.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What policy decides. Ordered by strictness: combining takes the maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Let it pass.
    #[default]
    Allow,
    /// Let it pass without the offending places.
    Redact,
    /// Wait for a human.
    Hold,
    /// Do not let it pass.
    Deny,
}
crate::rule::lowercase_words!(Verdict, Allow => "allow", Redact => "redact", Hold => "hold", Deny => "deny");

/// What was done. In monitor mode a [`Verdict::Deny`] is a [`Action::Pass`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Forwarded as it came.
    #[default]
    Pass,
    /// Forwarded with placeholders.
    Mask,
    /// Forwarded without a part.
    Strip,
    /// Answered with an error or a refusal.
    Refuse,
    /// Kept until a human decides.
    Hold,
    /// A stream was ended early.
    Cut,
    /// Delayed.
    Slow,
    /// Taken out of a data set.
    Drop,
    /// Set aside.
    Quarantine,
}
crate::rule::lowercase_words!(Action, Pass => "pass", Mask => "mask", Strip => "strip", Refuse => "refuse", Hold => "hold",
    Cut => "cut", Slow => "slow", Drop => "drop", Quarantine => "quarantine");

/// Whether verdicts are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are.
    #[default]
    Enforce,
    /// They are recorded only.
    Monitor,
}
crate::rule::lowercase_words!(Mode, Enforce => "enforce", Monitor => "monitor");
