//! Tests of the guard as a whole.
mod agents;
mod budgets;
mod cache;
mod classifier;
mod contain;
mod coverage;
mod documents;
mod exceptions;
mod pseudonyms;
mod requests;
mod routes;
mod soak;
mod streams;
