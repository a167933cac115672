//! bartizan-policy
