//! Tests of what a model memorised.
