//! `bartizan policy`: agent policies, and the candidate beside the policy in force.

pub(crate) mod agents;
pub(crate) mod args;
pub(crate) mod candidate;
mod compare;
pub(crate) mod learn;
pub(crate) mod replay;

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use bartizan_core::{Act, Deed, TenantId};
use hyper::Method;
use toml_edit::{DocumentMut, Item, Table};

use crate::args::ConfigArgs;
use crate::config;
use crate::problem::Problem;
use crate::record::{actor, block_on};
use crate::store::{self, Use};
use crate::{DONE, control};

/// Keys that a candidate may replace.
const KEYS: [&str; 4] = ["mode", "policy", "rules", "suppress"];

/// `bartizan policy promote`.
pub(crate) fn promote(args: &ConfigArgs) -> anyhow::Result<u8> {
    let loaded = config::load(args, &[])?;
    let nothing = || Problem::new("there is no candidate to promote").help("write a `[candidate]` section");
    let (Some(file), Some(wanted)) = (&loaded.file, loaded.config.candidate_guard()) else {
        return Err(nothing().into());
    };
    let policy = config::digest(&wanted);
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let promoted = merged(&text, loaded.config.candidate.file.as_deref())?;

    // It is written aside and read as a whole before it takes the place of the file.
    let aside = file.with_extension("toml.promoted");
    std::fs::write(&aside, promoted)
        .and_then(|()| std::fs::set_permissions(&aside, std::fs::metadata(file)?.permissions()))
        .with_context(|| format!("cannot write `{}`", aside.display()))?;
    let read = config::load(&ConfigArgs { config: Some(aside.clone()) }, &[]);
    let same = read.as_ref().is_ok_and(|read| config::digest(&read.config.guard()) == policy);
    if !same {
        let _ = std::fs::remove_file(&aside);
        read?;
        return Err(Problem::new("the candidate cannot be promoted: the environment sets what it changes").into());
    }
    std::fs::rename(&aside, file).with_context(|| format!("cannot replace `{}`", file.display()))?;

    let running = block_on(async {
        let running = control::ask(&loaded.config, Method::GET, "/admin/v1/status", None).await?.is_some();
        if !running {
            let (id, time) = (uuid::Uuid::now_v7().to_string(), format!("{:.6}", jiff::Timestamp::now()));
            let act = Act::new(id, time, TenantId::sole(), &actor(), Deed::PolicyPromoted).about(&policy);
            store::open(&loaded.config, None, Use::Gateway).await?.act(act).await?;
        }
        anyhow::Ok(running)
    })?;
    let next =
        if running { "the running gateway takes it within a second" } else { "it is in force from the next start" };
    writeln!(std::io::stdout().lock(), "`{}` now holds the candidate; {next}", file.display())?;
    Ok(DONE)
}

/// The configuration with the candidate's tables in the place of the live ones. Comments stay.
fn merged(text: &str, file: Option<&Path>) -> anyhow::Result<String> {
    let mut main: DocumentMut = text.parse()?;
    let mut from: Table = match (file, main.remove("candidate")) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
            text.parse::<DocumentMut>()?.as_table().clone()
        }
        (None, Some(Item::Table(table))) => table,
        (None, Some(Item::Value(value))) => {
            value.as_inline_table().context("`candidate` is no table")?.clone().into_table()
        }
        _ => anyhow::bail!("the candidate is not in this file"),
    };
    for key in KEYS {
        if let Some(item) = from.remove(key) {
            main.insert(key, item);
        }
    }
    Ok(main.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_takes_the_place_of_what_it_names() {
        let text = "# ours\nlisten = \"127.0.0.1:1\" # here\n\n[rules]\ncanary = [\"c\"]\n\n[[policy.rows]]\nrule = \"pii/*\"\n\
                    verdict = \"allow\"\n\n[candidate]\nmode = \"monitor\"\n\n[[candidate.policy.rows]]\nrule = \"pii/*\"\n\
                    verdict = \"deny\"\n";
        let merged = merged(text, None).expect("it fits");
        let read: toml::Table = merged.parse().expect("TOML");
        assert!(merged.starts_with("# ours\nlisten = \"127.0.0.1:1\" # here\n"), "{merged}");
        assert!(!merged.contains("candidate") && !merged.contains("allow"), "{merged}");
        assert_eq!(read["mode"].as_str(), Some("monitor"));
        assert_eq!(read["policy"]["rows"][0]["verdict"].as_str(), Some("deny"));
        assert_eq!(read["rules"]["canary"][0].as_str(), Some("c"));
    }
}
