//! Syntaxes: text in, trees or words with their places out. None of them knows a product or a rule.

pub(crate) mod dockerfile;
pub(crate) mod env;
pub(crate) mod ini;
pub(crate) mod json;
pub(crate) mod python;
pub(crate) mod shell;
pub(crate) mod toml;
pub(crate) mod yaml;
