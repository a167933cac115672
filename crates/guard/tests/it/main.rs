//! Tests of the guard as a whole.
mod coverage;
mod requests;
mod routes;
mod streams;
