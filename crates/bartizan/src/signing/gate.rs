//! Whether the models behind upstreams are what their records say.

use std::collections::BTreeMap;

use bartizan_core::Severity;
use bartizan_scan::findings;
use bartizan_scan::signed::{self, Leave};
use bartizan_sign::chain::{self as links, Artifact, Evidence};
use bartizan_sign::{MODEL_SIGNATURE, ModelManifest, Resource, Trust, unhex};

use super::args::TrustArgs;
use super::{attest, below, chain, keys};
use crate::config::{Config, ModelArtifact, Require};
use crate::problem::Problem;

/// Upstreams whose models do not have on record what they have to have, and why. What cannot be read counts as not on
/// record.
pub(crate) fn held(config: &Config) -> Result<BTreeMap<String, String>, Problem> {
    let models = &config.models;
    let mut held = BTreeMap::new();
    if models.artifact.is_empty() {
        return Ok(held);
    }
    for artifact in &models.artifact {
        let upstream = &artifact.upstream;
        if !config.upstream.iter().any(|u| u.name == *upstream) {
            return Err(Problem::new(format!("`models.artifact` names upstream `{upstream}`, which does not exist"))
                .help("name one of the `[[upstream]]` sections"));
        }
        if artifact.path.is_some() == artifact.digest.is_some() {
            let title = format!("the model of upstream `{upstream}` needs either a `path` or a `digest`");
            return Err(Problem::new(title).help("`path` where it is on this machine, else `digest = \"sha256:HEX\"`"));
        }
    }
    let trust = keys::trust(&TrustArgs {
        public_key: models.public_keys.clone(),
        certificate_chain: models.certificate_chain.clone(),
        identity: models.identity.clone(),
        trust_root: None,
        identity_provider: None,
        at: None,
    });
    for artifact in &models.artifact {
        let result = match &trust {
            Ok(trust) => check(artifact, trust),
            Err(error) => Err(anyhow::anyhow!("{error}")),
        };
        if let Err(why) = result {
            held.insert(artifact.upstream.clone(), format!("{why:#}"));
        }
    }
    Ok(held)
}

fn check(wanted: &ModelArtifact, trust: &[Trust]) -> anyhow::Result<()> {
    let mut paths = wanted.statements.clone();
    paths.extend(wanted.signature.clone());
    let evidence = chain::evidence(&paths, trust)?;
    let (artifact, files) = artifact(wanted)?;
    let about: Vec<&Evidence> = evidence
        .iter()
        .filter(|e| e.signer.is_ok() && links::covers(&e.statement, &artifact.digest, &artifact.files))
        .collect();
    let mut examined = false;
    for said in about.iter().filter_map(|e| findings::said(&e.statement)) {
        anyhow::ensure!(
            said.is_clean(Severity::High),
            "an examination on record found something, or did not read all of it"
        );
        examined = true;
    }
    anyhow::ensure!(examined, "no examination of this model is on record that somebody trusted signed");
    if wanted.require >= Require::Signature {
        let signature = about.iter().find(|e| e.statement.predicate_type == MODEL_SIGNATURE);
        let signature = signature
            .ok_or_else(|| anyhow::anyhow!("no signature over this model is on record that somebody trusted made"))?;
        let manifest = ModelManifest::from_statement(&signature.statement)?;
        anyhow::ensure!(unchanged(wanted, &manifest, &files)?, "the model is not what was signed");
    }
    if wanted.require >= Require::Chain {
        let walked = links::walk(&artifact, &evidence, &chain::World { materials: None });
        if let Some(broken) = walked.iter().find(|link| !link.state.holds()) {
            anyhow::bail!("its chain is broken at {} `{}`", broken.kind, broken.name);
        }
    }
    Ok(())
}

/// The model, and its files where it is on this machine.
fn artifact(wanted: &ModelArtifact) -> anyhow::Result<(Artifact, Vec<Resource>)> {
    if let Some(path) = &wanted.path {
        let (whole, files) = attest::whole(path)?;
        let digest = whole.sha256_hex().unwrap_or_default().to_owned();
        let digests = files.iter().filter_map(|file| file.sha256_hex().map(str::to_owned)).collect();
        return Ok((Artifact { name: whole.name, digest, files: digests }, files));
    }
    let digest = wanted.digest.as_deref().and_then(|d| d.strip_prefix("sha256:")).filter(|d| unhex::<32>(d).is_some());
    let digest = digest.ok_or_else(|| anyhow::anyhow!("`digest` is not `sha256:` and 64 hex digits"))?.to_lowercase();
    Ok((Artifact { name: wanted.upstream.clone(), digest, files: Vec::new() }, Vec::new()))
}

/// That every file is as it was signed and no other is there. A model elsewhere is known by its digest alone.
fn unchanged(wanted: &ModelArtifact, manifest: &ModelManifest, files: &[Resource]) -> anyhow::Result<bool> {
    let Some(path) = &wanted.path else { return Ok(true) };
    let found: BTreeMap<&str, &str> = files.iter().filter_map(|f| Some((f.name.as_str(), f.sha256_hex()?))).collect();
    let signed: Vec<(&str, String)> = manifest
        .entries
        .iter()
        .filter(|entry| entry.range.is_none())
        .map(|entry| (entry.path.as_str(), bartizan_sign::hex(&entry.sha256)))
        .collect();
    if signed.len() == found.len() && signed.iter().all(|(path, digest)| found.get(path) == Some(&digest.as_str())) {
        return Ok(true);
    }
    // One file, parts of files, or a signature that lies inside of the model.
    let inside = wanted.signature.iter().filter_map(|signature| below(path, signature)).collect();
    let checked = signed::check(path, manifest, &Leave { paths: inside, ..Leave::default() })?;
    Ok(checked.holds() && !checked.leaves_out())
}
