//! Attacks on a model and its guard, with proof.
