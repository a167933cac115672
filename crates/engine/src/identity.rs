//! The original alone, serving every view.

use bartizan_core::{Coverage, Limits, OffsetMap, View, ViewText, Views};

pub(crate) const VERSION: &str = "0";

pub(crate) fn build<'a>(text: &'a str, _: &Limits, _: &mut Coverage) -> Vec<ViewText<'a>> {
    let serves = Views::RAW | Views::CLEAN | Views::FOLDED | Views::SKELETON;
    vec![ViewText { view: View::Raw, serves, depth: 0, text: text.into(), map: OffsetMap::identity() }]
}

pub(crate) fn live(_: &str) -> usize {
    0
}
