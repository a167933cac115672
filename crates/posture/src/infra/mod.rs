//! Configurations of servers and jobs: from syntax trees to units of facts.

pub(crate) mod anywhere;
pub(crate) mod compose;
pub(crate) mod container;
pub(crate) mod dockerfile;
pub(crate) mod files;
pub(crate) mod kubernetes;
pub(crate) mod launch;
pub(crate) mod policy;
pub(crate) mod python;
pub(crate) mod variables;
