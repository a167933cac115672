//! JSON that belongs to no conversation: every leaf has the same origin.

use bartizan_core::Source;

use crate::error::WireError;
use crate::visit::{Build, Dialect, Entry, Place};

/// The dialect.
#[derive(Debug)]
pub(crate) struct Generic {
    /// Where everything comes from.
    pub(crate) source: Source,
}

impl Dialect for Generic {
    type State = ();

    fn root(&mut self, _: &Entry<'_, '_>, build: &mut Build) -> Result<Place<()>, WireError> {
        let origin = build.origin(self.source.into());
        Ok(Place::new((), origin))
    }

    fn is_free(&self, (): ()) -> bool {
        true
    }

    fn defined(&self, (): ()) -> &'static [&'static str] {
        &[]
    }

    fn enter(&mut self, parent: &Place<()>, _: &Entry<'_, '_>, _: &mut Build) -> Result<Place<()>, WireError> {
        Ok(*parent)
    }
}
