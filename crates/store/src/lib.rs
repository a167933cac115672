//! bartizan-store
