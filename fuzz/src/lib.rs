//! Bodies of the fuzz targets. Each takes any bytes and panics where a law is broken.

pub mod agents;
pub mod artifact;
pub mod body;
pub mod classifier;
pub mod config;
pub mod document;
pub mod engine;
pub mod json;
pub mod sse;
pub mod views;

/// A target: it must return on every input.
pub type Target = fn(&[u8]);

/// Every target by name; `corpus/NAME` holds its inputs.
pub const TARGETS: &[(&str, Target)] = &[
    ("agents", agents::run),
    ("artifact", artifact::any),
    ("body", body::run),
    ("classifier", classifier::run),
    ("config", config::run),
    ("document", document::run),
    ("engine", engine::run),
    ("gguf", artifact::gguf),
    ("hdf5", artifact::hdf5),
    ("json", json::run),
    ("onnx", artifact::onnx),
    ("pickle", artifact::pickle),
    ("sse", sse::run),
    ("views", views::run),
    ("zip", artifact::zip),
];

/// Longest text that is worth the time of one run.
pub const LONGEST: usize = 1 << 14;

/// The text of some bytes, as a server would read them.
#[must_use]
pub fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data.get(..LONGEST).unwrap_or(data)).into_owned()
}
