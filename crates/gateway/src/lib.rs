//! bartizan-gateway
