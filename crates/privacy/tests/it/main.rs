//! Privacy tests against a server whose memory is known exactly.

mod known;
mod memoriser;
