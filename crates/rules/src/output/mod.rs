//! Active content in what the model wrote.
