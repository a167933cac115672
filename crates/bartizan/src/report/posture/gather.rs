//! What a posture report is made of, from where it lies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use bartizan_core::{Event, StoreError, TenantId};
use bartizan_gateway::{ResultsError, result_files, result_of};
use bartizan_guard::SegmentCache;
use bartizan_report::{Chain, Done, Evidence, LONGEST, Records, Report, Setup};
use bartizan_sign::hex;
use bartizan_store::Totals;

use super::{PostureArgs, not_a_report};
use crate::config::Loaded;
use crate::problem::Problem;
use crate::record::close;
use crate::signing::read_bytes;
use crate::store::{self, Place, Use};

/// SHA-256, hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// An earlier report.
pub(super) fn report(path: &Path) -> anyhow::Result<Report> {
    Ok(Report::parse(&read_bytes(path, LONGEST)?).map_err(|error| not_a_report(path, &error))?)
}

/// The evidence of result files, and what in folders is none.
pub(super) fn files(paths: &[PathBuf]) -> anyhow::Result<(Vec<Evidence>, Vec<String>)> {
    let (mut evidence, mut unread) = (Vec::new(), Vec::new());
    for path in paths {
        let folder = path.is_dir();
        for file in walk(path)? {
            match result_of(&file, file.display().to_string()) {
                Ok(found) => evidence.extend(found),
                Err(error) if folder => unread.push(error.to_string()),
                Err(error) => {
                    return Err(Problem::new(error.to_string())
                        .help("result files are written with --format json; see bartizan report posture --help")
                        .into());
                }
            }
        }
    }
    Ok((evidence, unread))
}

/// A file itself, or the files below a folder, in order.
pub(super) fn walk(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    result_files(path).map_err(|error| {
        let problem = Problem::new(error.to_string());
        let many = matches!(error, ResultsError::Many(_));
        if many { problem.help("name a folder with results alone") } else { problem }.into()
    })
}

/// The records of the store, counted; none where there is no store and none was named.
pub(super) async fn totals(
    args: &PostureArgs,
    loaded: &Loaded,
    tenant: Option<&TenantId>,
) -> anyhow::Result<Option<Counted>> {
    let place = Place::of(&loaded.config, args.store.as_deref())?;
    if !place.is_there() {
        if args.store.is_none() {
            return Ok(None);
        }
        return Err(Problem::new(format!("there is no evidence store `{}`", place.name()))
            .help("leave `--store` out for a report without decisions")
            .into());
    }
    let store = store::open(&loaded.config, args.store.as_deref(), Use::Reading).await?;
    if let Some(tenant) = tenant {
        store::known(&loaded.config, store.as_ref(), tenant).await?;
    }
    let broken = match store.walk(&mut |_| ()).await {
        Ok(_) => None,
        Err(broken @ StoreError::Broken { .. }) => Some(broken.to_string()),
        Err(error) => return Err(error.into()),
    };
    let totals = store.totals(tenant, args.since.as_deref()).await?;
    close(store).await;
    Ok(Some(Counted { path: PathBuf::from(place.name()), totals, broken }))
}

/// What the store holds.
pub(super) struct Counted {
    pub(super) path: PathBuf,
    pub(super) totals: Totals,
    /// Where its chain is broken.
    pub(super) broken: Option<String>,
}

impl Counted {
    /// What is known of the chain.
    pub(super) fn chain(&self) -> Chain {
        let path = self.path.display();
        let says = match &self.broken {
            Some(broken) => format!("`{path}`: {broken}; what its records are said to show is worth nothing"),
            None => {
                format!("`{path}`: the records fit together; `bartizan report verify` compares them with checkpoints")
            }
        };
        Chain { intact: self.broken.is_none(), says }
    }
}

/// Totals in the words of a report.
pub(super) fn records(path: &Path, totals: &Totals) -> Records {
    let done = |(deed, total): (&String, &bartizan_store::DeedTotal)| {
        (deed.clone(), Done { count: total.count, last: total.last.clone() })
    };
    Records {
        source: path.display().to_string(),
        chain_id: totals.head.chain_id.clone(),
        head: totals.head.seq.map(|seq| format!("{seq}:{}", totals.head.hash)),
        decisions: totals.decisions,
        times: totals.since.clone().zip(totals.until.clone()),
        verdicts: totals.verdicts.iter().map(|(verdict, n)| (verdict.to_string(), *n)).collect(),
        passed: totals.passed,
        rules: totals.rules.clone(),
        deeds: totals.deeds.iter().map(done).collect(),
        contain: totals.contain.iter().map(|&word| word.to_owned()).collect(),
    }
}

/// The configuration, where a file says what it is.
pub(super) fn setup(loaded: &Loaded, last: Option<&Event>) -> anyhow::Result<Option<Setup>> {
    let Some(file) = &loaded.file else { return Ok(None) };
    let decided = last.map(|event| event.policy.as_str()).filter(|policy| !policy.is_empty());
    let in_force = match decided {
        None => None,
        // A record names the settings that decided by the digest that a guard of them has.
        Some(policy) => {
            let profiles = loaded.profiles(&Arc::new(SegmentCache::new(0)))?;
            Some(loaded.guard()?.policy_digest() == policy || profiles.values().any(|of| of.policy_digest() == policy))
        }
    };
    Ok(Some(Setup {
        source: file.display().to_string(),
        sha256: Some(sha256(&read_bytes(file, LONGEST)?)),
        value: loaded.value()?,
        in_force,
    }))
}
