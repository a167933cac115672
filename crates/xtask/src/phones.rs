//! `bench phones`: telephone numbers of every region, beside the matcher of libphonenumber.

use std::path::Path;
use std::process::Command;

use crate::{Result, pypi, repo};

/// What draws the numbers and is compared with.
const PACKAGES: &[&str] = &["phonenumbers==9.0.43"];

/// Runs the comparison.
pub(crate) fn run(binary: &Path) -> Result {
    let python = pypi::tools("phones", PACKAGES)?.join("python");
    repo::run(Command::new(python).args(["-c", include_str!("phones.py")]).arg(binary).args(["check", "--jsonl"]))
}
