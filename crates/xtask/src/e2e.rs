//! Heavy tests outside the gate: a model that can call tools and is easily fooled, a real LiteLLM proxy.

use crate::Result;
use crate::components::{self, Group};
use crate::runner::{self, Selection};

/// Runs the ignored tests of the binary.
pub(crate) fn run(filter: Option<&str>) -> Result {
    let fetched = components::fetch(Group::Heavy)?;
    let selection = Selection { package: Some("bartizan"), filter, ignored: true, ..Selection::default() };
    runner::run(runner::command(selection, &fetched)).1
}
