//! `bartizan scan data --clean`: a corpus without what was found in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bartizan_core::Action;
use bartizan_data::clean::{Cleaned, Cleaning, Manifest, Names, On, Plan, Target};
use bartizan_data::{Corpus, DataError, Looked, Passed, Scanner};
use bartizan_gateway::SecretRef;
use bartizan_guard::Guard;
use clap::Args;
use serde::Serialize;

use super::answer::Summary;
use crate::problem::Problem;
use crate::signing::args::{CertificateArgs, KeyPlace};
use crate::signing::{Signing, put};

/// How a corpus is cleaned.
#[derive(Clone, Debug, Args)]
pub(crate) struct CleanArgs {
    /// Write the corpus without what must not be trained on: a file where one file is given, else a folder
    #[arg(long, value_name = "OUT", conflicts_with = "stdin")]
    pub(crate) clean: Option<PathBuf>,
    /// What is done with what, as secret=redact or poison=drop: keep, redact, pseudonym, drop or quarantine
    #[arg(long, value_name = "WHAT=CHOICE", requires = "clean")]
    pub(crate) on: Vec<On>,
    /// Key of pseudonyms, env:NAME or file:PATH: personal data gets other values of its form, the same ones everywhere
    #[arg(long, value_name = "SECRET", requires = "clean", value_parser = secret)]
    pub(crate) pseudonym_key: Option<SecretRef>,
    /// Where the manifest goes [default: OUT.manifest.json]
    #[arg(long, value_name = "FILE", requires = "clean")]
    pub(crate) manifest: Option<PathBuf>,
    /// Private key in PEM that signs the manifest: a file, or env:NAME
    #[arg(long, value_name = "KEY", requires = "clean")]
    pub(crate) key: Option<KeyPlace>,
    #[command(flatten)]
    pub(crate) certificates: CertificateArgs,
}

fn secret(text: &str) -> Result<SecretRef, String> {
    SecretRef::try_from(text.to_owned())
}

/// What was written, for the summary.
#[derive(Debug, Serialize)]
pub(super) struct Made {
    /// The corpus.
    pub(super) out: PathBuf,
    /// Rows that were set aside, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quarantine: Option<PathBuf>,
    /// A line for each row that is not in it any more.
    pub(super) removed: PathBuf,
    /// What was done, signed where there is a key.
    pub(super) manifest: PathBuf,
    /// Who signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signer: Option<String>,
    /// Rows by what was done with them.
    pub(super) actions: BTreeMap<Action, u64>,
}

impl Made {
    /// True where no row is left to train on.
    pub(super) fn is_empty(&self) -> bool {
        self.actions.iter().all(|(action, rows)| matches!(action, Action::Drop | Action::Quarantine) || *rows == 0)
    }
}

/// A clean that can begin: nothing about it is left to fail before hours of work.
pub(super) struct Ready {
    plan: Plan,
    names: Option<Names>,
    target: Target,
    manifest: PathBuf,
    signing: Option<Signing>,
}

impl Ready {
    /// Reads keys and looks at where things go.
    pub(super) fn new(args: &CleanArgs, paths: &[PathBuf], corpus: &Corpus) -> anyhow::Result<Option<Self>> {
        let Some(out) = &args.clean else { return Ok(None) };
        let names = match &args.pseudonym_key {
            Some(secret) => {
                let secret = secret.resolve().map_err(Problem::new)?;
                Some(Names::new(&secret).map_err(|e| Problem::of_setting("--pseudonym-key", e))?)
            }
            None => None,
        };
        let plan = Plan::new(args.on.clone(), names.is_some());
        if plan.wants_key() && names.is_none() {
            let help = "make one with `openssl rand -hex 32`, keep it, and give `--pseudonym-key file:PATH`";
            return Err(Problem::new("pseudonyms need a key").help(help).into());
        }
        let target = target(out, paths)?;
        one_place_each(&target, corpus)?;
        let signing = args.key.as_ref().map(|key| Signing::of(key, &args.certificates)).transpose()?;
        let manifest = args.manifest.clone().unwrap_or_else(|| beside(&target.out, target.file, "manifest.json"));
        for path in [&target.quarantine, &target.removed, &manifest] {
            if path.exists() {
                let title = format!("`{}` exists", path.display());
                return Err(Problem::new(title).help("it is of an earlier run; move it, or give another place").into());
            }
        }
        Ok(Some(Self { plan, names, target, manifest, signing }))
    }

    /// Writes the corpus.
    pub(super) fn run(
        &self,
        scanner: Scanner<'_>,
        see: &mut dyn FnMut(Passed<Looked>) -> std::io::Result<()>,
    ) -> anyhow::Result<Vec<Cleaned>> {
        let cleaning = Cleaning { scanner, plan: &self.plan, names: self.names.as_ref() };
        cleaning.run(&self.target, see).map_err(|error| match error {
            // A closed pipe is told by the error itself.
            DataError::Stopped(error) if error.kind() == std::io::ErrorKind::BrokenPipe => error.into(),
            error => Problem::new(format!("cannot write `{}`: {error}", self.target.out.display())).into(),
        })
    }

    /// Writes the manifest.
    pub(super) fn manifest(&self, guard: &Guard, files: &[Cleaned], summary: &Summary) -> anyhow::Result<Made> {
        let name = self.target.out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let manifest = Manifest {
            name: &name,
            file: self.target.file,
            files,
            version: env!("CARGO_PKG_VERSION"),
            rules: guard.id(),
            choices: self.plan.rows(),
            key: self.names.as_ref().map(Names::hint),
            denied: summary.denied(),
            worst: summary.worst,
            coverage: &summary.coverage,
        };
        let statement = manifest.statement();
        let text = match &self.signing {
            Some(signing) => signing.sign(&statement)?,
            None => serde_json::to_string_pretty(&statement)?,
        };
        put(&self.manifest, &text)?;
        let mut actions: BTreeMap<Action, u64> = BTreeMap::new();
        for (action, count) in files.iter().flat_map(|file| &file.actions) {
            *actions.entry(*action).or_default() += count;
        }
        let aside = files.iter().any(|file| file.quarantine.is_some());
        Ok(Made {
            out: self.target.out.clone(),
            quarantine: aside.then(|| self.target.quarantine.clone()),
            removed: self.target.removed.clone(),
            manifest: self.manifest.clone(),
            signer: self.signing.as_ref().map(Signing::hint),
            actions,
        })
    }
}

fn target(out: &Path, paths: &[PathBuf]) -> anyhow::Result<Target> {
    let wants_folder = out.is_dir() || out.as_os_str().to_string_lossy().ends_with('/');
    let file = matches!(paths, [one] if !one.is_dir()) && !wants_folder;
    let shown = out.display();
    let empty = || std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    if out.exists() && !(out.is_dir() && empty()) {
        return Err(Problem::new(format!("`{shown}` exists")).help("give a place that is not there yet").into());
    }
    let Some(name) = out.file_name() else {
        return Err(Problem::new(format!("`{shown}` is no name of a file or folder"))
            .help("give `--clean NAME`")
            .into());
    };
    let folder = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let home = folder.canonicalize().map_err(|error| {
        Problem::new(format!("cannot write `{shown}`: {error}")).help("the folder around it has to be there")
    })?;
    for path in paths.iter().filter(|path| path.is_dir()) {
        if path.canonicalize().is_ok_and(|path| home.join(name).starts_with(path)) {
            let title = format!("`{shown}` is inside of `{}`, which is read", path.display());
            return Err(Problem::new(title).help("write beside what is read").into());
        }
    }
    let out = folder.join(name);
    let (quarantine, removed) = (beside(&out, file, "quarantine"), beside(&out, file, "removed.jsonl"));
    Ok(Target { out, file, quarantine, removed })
}

/// The name of something that belongs to an output: `rows.jsonl` has `rows.quarantine.jsonl`, a folder `rows` has
/// `rows.quarantine`. A word with an ending of its own keeps it.
fn beside(out: &Path, file: bool, word: &str) -> PathBuf {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let split = name.char_indices().skip(1).find(|(_, c)| file && *c == '.').map_or(name.len(), |(at, _)| at);
    let (stem, end) = name.split_at(split);
    let end = if word.contains('.') { "" } else { end };
    out.with_file_name(format!("{stem}.{word}{end}"))
}

/// That no two files would be written to one place.
fn one_place_each(target: &Target, corpus: &Corpus) -> anyhow::Result<()> {
    if target.file {
        return Ok(());
    }
    let mut places = BTreeSet::new();
    for unit in &corpus.units {
        if !places.insert(&unit.below) {
            let title = format!("two of the files would become `{}`", unit.below.display());
            return Err(Problem::new(title).help("clean one folder at a time").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_an_output_is_named_after_it() {
        for (out, file, word, wanted) in [
            ("a/rows.jsonl.gz", true, "quarantine", "a/rows.quarantine.jsonl.gz"),
            ("rows.jsonl", true, "manifest.json", "rows.manifest.json"),
            ("rows.v2", false, "quarantine", "rows.v2.quarantine"),
            (".rows", true, "quarantine", ".rows.quarantine"),
        ] {
            assert_eq!(beside(Path::new(out), file, word), Path::new(wanted), "{out}");
        }
    }
}
