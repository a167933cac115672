//! Pages, fixtures and laws.

mod fixtures;
mod laws;
mod pages;
