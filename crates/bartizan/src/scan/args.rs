//! The command line of `scan model`.

use std::path::PathBuf;

use clap::Args;

use crate::args::{Gate, gate};
use crate::signing::args::{BillArgs, ModelFormat};

pub(crate) const HELP: &str = "\
Types are told by content, never by name. Folders are walked; links that lead out of them are not followed.

Examples:
  bartizan scan model model.safetensors
  bartizan scan model ~/.cache/huggingface/hub/models--owner--name --format sarif
  bartizan scan model pytorch_model.bin --explain
  bartizan scan model ./llama --format cyclonedx --require-complete > llama.cdx.json
  bartizan scan model ./llama --attest llama.scan --key key.pem";

#[derive(Debug, Args)]
pub(crate) struct ScanModelArgs {
    /// Files and folders; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How to answer
    #[arg(long, value_enum, default_value_t = ModelFormat::Human)]
    pub(crate) format: ModelFormat,
    /// Least severity of findings that make the exit code 1 [default: high]
    #[arg(long, value_name = "SEVERITY", value_parser = gate())]
    pub(crate) fail_on: Option<Gate>,
    /// Exit with 3 also where parts are known but are not read, such as tensors
    #[arg(long)]
    pub(crate) strict: bool,
    /// Leave out the SHA-256 of each file
    #[arg(long)]
    pub(crate) no_hash: bool,
    /// Show how the file comes to each finding, with byte offsets
    #[arg(long)]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) bill: BillArgs,
}
