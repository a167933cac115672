//! Data leaving through what a client renders or fetches.

mod address;
mod markup;
pub mod markup_link;

pub(crate) use address::as_browsers_read;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where what a model wrote may link to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Hosts that clients may fetch from: `example.com` exactly, or `*.example.com` with everything below.
    pub allow_hosts: Vec<String>,
}
