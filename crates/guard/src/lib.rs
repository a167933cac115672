//! bartizan-guard
