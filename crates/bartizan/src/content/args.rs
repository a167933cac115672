//! The command line of `pack` and `update`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::ConfigArgs;
use crate::signing::args::{KeyArgs, TrustArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum PackCommand {
    /// Make a content pack from a folder, and sign it.
    #[command(after_help = BUILD_HELP)]
    Build(PackBuildArgs),
    /// Verify a content pack and list what is in it.
    Show(PackShowArgs),
}

const BUILD_HELP: &str = "\
The folder holds any of:
  rules/NAME.toml          rules as in `rules.packs`; under the name of a shipped table (secrets, secrets_ai, secrets_cloud,
                           secrets_dev, secrets_comm, secrets_business, secrets_generic) instead of it
  classifier/injection.bin weights of the classifier
  classifier/encoder.onnx and classifier/encoder.json, its second stage, with the weights that were fitted with it
  profiles.toml            profiles by name, as [NAME] instead of [profile.NAME]

Example:
  bartizan pack build ./content --name acme --version 7 --key key.pem -o acme-7.pack";

#[derive(Debug, Args)]
pub(crate) struct PackBuildArgs {
    /// The folder
    pub(crate) folder: PathBuf,
    /// Name of the packs
    #[arg(long, value_parser = name)]
    pub(crate) name: String,
    /// Version of this one, from 1 on; each is higher than those before it
    #[arg(long = "version", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) number: u64,
    /// Oldest program that can use it [default: this one]
    #[arg(long, value_name = "VERSION")]
    pub(crate) program: Option<String>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Where the pack goes
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PackShowArgs {
    /// The pack
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

pub(crate) const UPDATE_HELP: &str = "\
A pack is used only where a key in `content.public_keys` signed it, it is newer than any that was in force, and the program
starts with it and the configuration. A running gateway takes it within a second or two. The one before is kept.

Examples:
  bartizan update --from acme-7.pack
  bartizan update --roll-back";

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// The pack
    #[arg(long, value_name = "FILE", required_unless_present = "roll_back", conflicts_with = "roll_back")]
    pub(crate) from: Option<PathBuf>,
    /// Put the pack before in its place, or where there is none what the program was shipped with
    #[arg(long)]
    pub(crate) roll_back: bool,
    /// Also take a pack that is older than one that was in force
    #[arg(long, requires = "from")]
    pub(crate) allow_older: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > 64 || text.starts_with('.') || !text.chars().all(plain) {
        return Err("a name is 1 to 64 of a-z, A-Z, 0-9, `-`, `_` and `.`".to_owned());
    }
    Ok(text.to_owned())
}
