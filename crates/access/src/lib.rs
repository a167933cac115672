//! Who a caller is and how much they may use: keys, tokens, limits and budgets. Time is an argument.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
