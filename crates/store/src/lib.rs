//! Evidence: the record of every decision, in SQLite or Postgres, linked by a hash chain.
//!
//! # What is kept
//! One row for one [`Event`](bartizan_core::Event) or [`Act`](bartizan_core::Act). Neither has a field for content.
//! Content is kept only where recording is on, in rows of its own and only as
//! [`SealedContent`](bartizan_core::SealedContent): the store has no key that opens it.
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
//! these, keep what [`head`](bartizan_core::ChainStore::head) answers in a place that an attacker on this machine cannot
//! write.
//!
//! Records past their retention are taken from the beginning of the chain. The record of that names the hash that the
//! oldest one left builds on, so the rest still verifies.
//!
//! # One writer
//! A store that is open for writing holds a lock on `FILE.lock`. Readers ([`SqliteStore::open_read_only`]) need none,
//! and a command that adds a few records beside a running gateway takes none ([`SqliteStore::open_shared`]). Positions
//! are unique in the database, so two writers cannot fork the chain: whoever finds a position taken looks again where
//! the chain ends.
//!
//! # Postgres
//! [`PgStore`] keeps the same records for any number of gateways that share one chain; see the module for how.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a store owns files")]

mod access;
mod approval;
mod backup;
mod chain;
mod contain;
mod database;
mod evidence;
mod file;
mod pg;
mod private;
mod queue;
mod read;
mod restore;
mod schema;
mod sealed;
mod sqlite;
mod totals;
mod vault;
mod wal;
mod writer;

#[cfg(test)]
mod copies;
#[cfg(test)]
mod places;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walls;

pub use access::{Access, SqliteAccess, access_path};
pub use backup::{BackupError, BackupFile, Choices, MANIFEST, Manifest, Part, backup, check_backup, read_backup};
pub use evidence::{Evidence, Store};
pub use pg::{PgAccess, PgStore, PgVault};
pub use restore::{Restored, restore};
pub use sqlite::{OpenError, Options, SqliteStore};
pub use totals::{DeedTotal, Totals};
pub use vault::{PseudonymVault, SqliteVault, vault_path};
pub use wal::SYNC_EVERY;
