//! Tests of the guard as a whole.
mod budgets;
mod cache;
mod contain;
mod coverage;
mod documents;
mod exceptions;
mod requests;
mod routes;
mod streams;
