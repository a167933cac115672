//! Who a caller is and how much they may use: keys, tokens, limits and budgets. Time is an argument.
//!
//! Everything here is without I/O. The gateway brings the clock and the sockets, `store` the disk.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)
)]

mod calendar;
mod clock;
mod error;
mod jwt;
mod key;
mod ledger;
mod oidc;
mod password;
mod places;
mod rate;
mod ring;
mod usage;

pub use calendar::{day_of, month_of, next_day, next_month};
pub use clock::Clock;
pub use error::AccessError;
pub use jwt::{Algorithm, ClaimNames, Identity, JwkKeys, JwtError, JwtSettings, default_algorithms, is_sheltered};
pub use key::{KeyHasher, NewKey, looks_like_key};
pub use ledger::{Account, Bound, Denied, Ledger, Now, Reservation, Why};
pub use oidc::{Attempt, Client, IdTokens, OidcError, Person, Provider, TokenQuestion, id_token_in, person_in_records};
pub use password::{hash_password, is_password_hash, verify_password};
pub use places::Places;
pub use rate::Rate;
pub use ring::{KeyError, KeyRing};
pub use usage::{Price, RequestBound, StreamMeter, TokenUsage, estimate, request_bound, usage_or_estimate};

/// True where a model's name fits a pattern: the name itself, or a prefix with `*` at the end.
#[must_use]
pub fn model_fits(pattern: &str, model: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => model.starts_with(prefix),
        None => pattern == model,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn models_fit_by_name_or_prefix() {
        use super::model_fits;
        assert!(model_fits("gpt-*", "gpt-4o") && model_fits("x", "x") && !model_fits("x", "xy"));
    }
}
