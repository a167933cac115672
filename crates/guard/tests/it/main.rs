//! Tests of the guard as a whole.
mod coverage;
mod documents;
mod requests;
mod routes;
mod streams;
