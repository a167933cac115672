//! `bartizan console`: the way into the console of a running gateway.

use std::io::Write as _;

use anyhow::Context as _;
use hyper::Method;
use serde_json::Value;

use crate::cli::ConfigArgs;
use crate::problem::Problem;
use crate::record::block_on;
use crate::{DONE, config, control};

/// Prints an address that signs a browser in, once and soon.
pub(crate) fn run(args: &ConfigArgs) -> anyhow::Result<u8> {
    let config = config::load(args, &[])?.config;
    let answer = block_on(control::ask(&config, Method::POST, "/admin/v1/console/tickets", None))?;
    let Some(answer) = answer else {
        return Err(Problem::new("no gateway runs with this configuration's store on this machine")
            .help("start one with `bartizan up`, in the same folder or with the same --config")
            .into());
    };
    let text =
        |name: &str| answer.get(name).and_then(Value::as_str).context("the running gateway's answer is not known");
    let (ticket, address) = (text("ticket")?, text("address")?);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{address}#ticket={ticket}")?;
    writeln!(
        std::io::stderr(),
        "open it within two minutes; it signs in one browser, as the operator of this machine"
    )?;
    Ok(DONE)
}
