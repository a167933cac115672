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
use toml_edit::{Array, DocumentMut, Item, RawString, Table, TableLike};

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
    let (promoted, replaced) = merged(&text, loaded.config.candidate.file.as_deref())?;

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
    let mut out = std::io::stdout().lock();
    writeln!(out, "`{}` now holds the candidate; {next}", file.display())?;
    if !replaced.is_empty() {
        writeln!(out, "lists of the candidate stand in the place of those before: {}", replaced.join(", "))?;
    }
    Ok(DONE)
}

/// The configuration with what the candidate gives put over what is in force, as it ran, and the lists of it that are
/// replaced. What the candidate does not give stays, with its comments.
fn merged(text: &str, file: Option<&Path>) -> anyhow::Result<(String, Vec<String>)> {
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
    let mut replaced = Vec::new();
    for key in KEYS {
        if let Some(item) = from.remove(key) {
            put_over(main.as_table_mut(), key, item, key, &mut replaced);
        }
    }
    Ok((main.to_string(), replaced))
}

/// Tables go into each other; anything else takes the place of what was there, with its comment where it has none itself.
fn put_over(live: &mut dyn TableLike, key: &str, given: Item, path: &str, replaced: &mut Vec<String>) {
    let Some(there) = live.get_mut(key) else {
        live.insert(key, given);
        return;
    };
    if let (Some(there), Some(table)) = (there.as_table_like_mut(), given.as_table_like()) {
        for (key, item) in table.iter() {
            put_over(there, key, item.clone(), &format!("{path}.{key}"), replaced);
        }
        return;
    }
    let length =
        |item: &Item| item.as_array_of_tables().map_or_else(|| item.as_array().map(Array::len), |a| Some(a.len()));
    if let Some(before @ 1..) = length(there) {
        replaced.push(format!("`{path}` ({before} before, {} now)", length(&given).unwrap_or(0)));
    }
    match (there, given) {
        (Item::Value(there), Item::Value(mut given)) => {
            let (ours, theirs) = (given.decor_mut(), there.decor());
            if ours.suffix().and_then(RawString::as_str).unwrap_or_default().trim().is_empty() {
                *ours = theirs.clone();
            }
            *there = given;
        }
        (there, given) => *there = given,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_takes_the_place_of_what_it_names() {
        let text = "# ours\nlisten = \"127.0.0.1:1\" # here\n\n[rules]\ncanary = [\"c\"]\n\n[[policy.rows]]\nrule = \"pii/*\"\n\
                    verdict = \"allow\"\n\n[candidate]\nmode = \"monitor\"\n\n[[candidate.policy.rows]]\nrule = \"pii/*\"\n\
                    verdict = \"deny\"\n";
        let (merged, replaced) = merged(text, None).expect("it fits");
        let read: toml::Table = merged.parse().expect("TOML");
        assert!(merged.starts_with("# ours\nlisten = \"127.0.0.1:1\" # here\n"), "{merged}");
        assert!(!merged.contains("candidate") && !merged.contains("allow"), "{merged}");
        assert_eq!(read["mode"].as_str(), Some("monitor"));
        assert_eq!(read["policy"]["rows"][0]["verdict"].as_str(), Some("deny"));
        assert_eq!(read["rules"]["canary"][0].as_str(), Some("c"));
        assert_eq!(replaced, ["`policy.rows` (1 before, 1 now)"]);
    }

    #[test]
    fn what_the_candidate_does_not_give_stays_with_its_comments() {
        let live = "# parts\n[policy.opaque.trusted]\nimage = \"deny\"  # audit finding 7\naudio = \"deny\" # by law\n\n\
                    # who may call\n[policy.agents]\nmode = \"monitor\"\n\n";
        for candidate in [
            "[candidate.policy.opaque.trusted]\naudio = \"strip\"\n[[candidate.policy.rows]]\nrule = \"pii/email\"\nverdict = \"deny\"\n",
            "[candidate]\npolicy = { opaque = { trusted.audio = \"strip\" }, rows = [{ rule = \"pii/email\", verdict = \"deny\" }] }\n",
        ] {
            let (merged, replaced) = merged(&format!("{live}{candidate}"), None).expect("it fits");
            let read: toml::Table = merged.parse().unwrap_or_else(|e| panic!("{e}: {merged}"));
            assert!(merged.contains("image = \"deny\"  # audit finding 7\naudio = \"strip\" # by law\n"), "{merged}");
            assert!(merged.contains("# parts\n") && merged.contains("# who may call\n"), "{merged}");
            assert_eq!(read["policy"]["agents"]["mode"].as_str(), Some("monitor"), "{merged}");
            assert_eq!(read["policy"]["rows"][0]["rule"].as_str(), Some("pii/email"), "{merged}");
            assert_eq!(replaced, Vec::<String>::new());
        }
    }
}
