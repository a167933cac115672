//! `bartizan verify model --chain`: from a model back to its data.

use std::io::Write;
use std::path::{Path, PathBuf};

use bartizan_core::Severity;
use bartizan_scan::findings;
use bartizan_sign::chain::{Artifact, Evidence, Link, Outside, State};
use bartizan_sign::{Bundle, Resource, Statement, Trust, chain};
use serde_json::{Value, json};

use super::{attest, keys};
use crate::problem::Problem;
use crate::terminal::{self, Style, paint};

/// Most files of a folder with statements.
const MOST: usize = 10_000;
/// Longest statement that is read, bytes.
const LONGEST: usize = 64 << 20;

/// Reads every signed statement of files and folders. Files in folders that are no statements are passed over; a file
/// that is named has to be one.
pub(crate) fn evidence(paths: &[PathBuf], trust: &[Trust]) -> anyhow::Result<Vec<Evidence>> {
    let mut all = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path)
                .map_err(|error| Problem::new(format!("cannot read `{}`: {error}", path.display())))?;
            let mut files: Vec<PathBuf> =
                entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_file()).collect();
            files.sort();
            if files.len() > MOST {
                return Err(Problem::new(format!("`{}` has more than {MOST} files", path.display())).into());
            }
            for file in files {
                all.extend(keys::read(&file, LONGEST).ok().and_then(|bytes| read(&file, &bytes, trust).ok()));
            }
        } else {
            all.push(read(path, &keys::read(path, LONGEST)?, trust)?);
        }
    }
    Ok(all)
}

fn read(path: &Path, bytes: &[u8], trust: &[Trust]) -> anyhow::Result<Evidence> {
    let named = |error| Problem::new(format!("`{}`: {error}", path.display()));
    let bundle = Bundle::parse(bytes).map_err(named)?;
    let signer =
        bartizan_sign::open(trust, &bundle).map(|signed| signed.signer.to_string()).map_err(|error| error.to_string());
    let statement = Statement::parse(&bundle.payload).map_err(named)?;
    Ok(Evidence { file: path.display().to_string(), statement, signer })
}

/// What lies on disk, and what examinations on record found.
pub(crate) struct World<'a> {
    /// Where materials are looked up.
    pub(crate) materials: Option<&'a Path>,
}

impl Outside for World<'_> {
    fn changed(&self, material: &Resource) -> Option<String> {
        // Names come from a statement that is believed, but they must not lead out of the folder.
        let path = self.materials?.join(super::plain(Path::new(&material.name))?);
        if !path.exists() {
            return None;
        }
        match attest::whole(&path) {
            Ok((found, _)) if found.sha256_hex() == material.sha256_hex() => None,
            Ok(_) => Some("it has other bytes than on record".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    }

    fn examined(&self, statement: &Statement) -> Option<Result<(), String>> {
        if let Ok(Some(said)) = bartizan_data::clean::said(statement) {
            return Some(match (said.worst, said.denied) {
                (Some(worst), _) if worst >= Severity::High => {
                    Err(format!("something {worst} was left in it when it was cleaned"))
                }
                (_, true) => Err("findings at the gate were left in it when it was cleaned".to_owned()),
                _ => Ok(()),
            });
        }
        let said = findings::said(statement)?;
        let why = match said.worst {
            Some(worst) if worst >= Severity::High => format!("its examination found something {worst}"),
            _ => "its examination did not read all of it".to_owned(),
        };
        Some(if said.is_clean(Severity::High) { Ok(()) } else { Err(why) })
    }
}

/// Walks from a model on disk.
pub(crate) fn walk(path: &Path, evidence: &[Evidence], materials: Option<&Path>) -> anyhow::Result<Vec<Link>> {
    let (whole, files) = attest::whole(path)?;
    let digest = whole.sha256_hex().unwrap_or_default().to_owned();
    let files = files.iter().filter_map(|file| file.sha256_hex().map(str::to_owned)).collect();
    Ok(chain::walk(&Artifact { name: whole.name, digest, files }, evidence, &World { materials }))
}

pub(crate) fn holds(links: &[Link]) -> bool {
    links.iter().all(|link| link.state.holds())
}

pub(super) fn draw(out: &mut impl Write, links: &[Link]) -> std::io::Result<()> {
    let color = terminal::colored_stdout();
    let (word, style) = if holds(links) { ("chain holds", Style::Good) } else { ("chain broken", Style::Bad) };
    writeln!(
        out,
        "{}: statements are intact; whether their signers told the truth is not shown",
        paint(word, style, color)
    )?;
    for link in links {
        let (word, more) = match &link.state {
            State::Made { file, step, signer } => ("made", format!("by {step} ({file}, signed by {signer})")),
            State::Signed { file, signer } => ("signed", format!("({file}, signed by {signer})")),
            State::Hashed { examined: Some(file) } => ("known", format!("examined ({file})")),
            State::Hashed { examined: None } => ("known", "by its digest only".to_owned()),
            State::Changed { why } => ("changed", why.clone()),
            State::Missing { why } => ("missing", why.clone()),
            State::Unsigned { file, why } => ("unsigned", format!("{file}: {why}")),
            State::Failed { file, why } => ("failed", format!("{why} ({file})")),
        };
        let style = if link.state.holds() { Style::Heading } else { Style::Bad };
        let indent = "  ".repeat(link.depth + 1);
        let (name, more) = (terminal::line(&link.name), terminal::line(&more));
        let digest = link.digest.get(..12).unwrap_or(&link.digest);
        writeln!(out, "{indent}{} {} {name} {digest} {more}", paint(word, style, color), link.kind)?;
    }
    Ok(())
}

pub(super) fn record(links: &[Link]) -> Value {
    let all: Vec<Value> = links
        .iter()
        .map(|link| {
            let mut line = json!({
                "depth": link.depth, "name": link.name, "kind": link.kind.as_str(), "digest": link.digest, "holds": link.state.holds(),
            });
            let (state, more): (&str, Vec<(&str, &String)>) = match &link.state {
                State::Made { file, step, signer } => ("made", vec![("file", file), ("step", step), ("signer", signer)]),
                State::Signed { file, signer } => ("signed", vec![("file", file), ("signer", signer)]),
                State::Hashed { examined } => ("known", examined.iter().map(|file| ("examined", file)).collect()),
                State::Changed { why } => ("changed", vec![("reason", why)]),
                State::Missing { why } => ("missing", vec![("reason", why)]),
                State::Unsigned { file, why } => ("unsigned", vec![("file", file), ("reason", why)]),
                State::Failed { file, why } => ("failed", vec![("file", file), ("reason", why)]),
            };
            line["state"] = state.into();
            for (key, value) in more {
                line[key] = value.as_str().into();
            }
            line
        })
        .collect();
    json!({ "holds": holds(links), "links": all })
}
