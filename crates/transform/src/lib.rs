//! bartizan-transform
