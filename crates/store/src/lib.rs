//! Evidence on disk: the record of every decision, in SQLite, linked by a hash chain.
//!
//! # What is kept
//! One row for one [`Event`](bartizan_core::Event). An event has no field for content, so there is none here.
//!
//! # Durability
//! [`append`](bartizan_core::EventStore::append) answers after the commit. Whatever ends the process, `kill -9`
//! included, nothing acknowledged is missing. After a power loss or a crash of the operating system:
//!
//! * by default the last [`SYNC_EVERY`] plus one `fsync` may be missing (SQLite's `synchronous=NORMAL`, and the
//!   write-ahead log is synced on a timer), never anything from the middle;
//! * with [`Options::sync`] nothing acknowledged is missing (`synchronous=FULL`): every group of appends waits for
//!   the disk.
//!
//! # What the chain shows, and what it does not
//! Each record carries the SHA-256 of the one before it. Changing, deleting, inserting or reordering records breaks
//! the chain at the first of them, and [`verify`](bartizan_core::EventStore::verify) names it. Two attacks leave a
//! valid chain and need a witness elsewhere: cutting records off the end, and writing the whole chain anew. For
//! these, keep what [`SqliteStore::head`] answers in a place that an attacker on this machine cannot write.
//!
//! # One writer
//! A chain with two writers would fork, so a store that is open for writing holds a lock on `FILE.lock`. Readers
//! ([`SqliteStore::open_read_only`]) need none. Where the lock does not hold, as on some network file systems, the
//! positions are still unique in the database: of two writers one gets an error, and the chain does not fork.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a store owns files")]

mod chain;
mod sqlite;
mod writer;

#[cfg(test)]
mod tests;

pub use chain::{GENESIS, Head};
pub use sqlite::{OpenError, Options, SqliteStore};
pub use writer::SYNC_EVERY;
