//! `bartizan up`.

use crate::cli::UpArgs;
use crate::config;
use crate::problem::Problem;

/// Starts the gateway and serves until told to stop.
pub(crate) fn run(args: &UpArgs) -> anyhow::Result<u8> {
    let _config = config::load(&args.config, &config::flags(args))?;
    Err(Problem::new("`up` is not part of this build").into())
}
