//! Instructions smuggled to the model, and what they are after.
