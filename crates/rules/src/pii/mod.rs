//! Personal data.

pub(crate) mod checksum;
