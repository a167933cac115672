//! `bartizan report verify`.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use bartizan_core::{Deed, Record, StoreError};
use bartizan_guard::tree_of;
use bartizan_sign::merkle::{Tree, leaf};
use bartizan_sign::{Checkpoint, Claim, NoteVerifier, notes, unhex};

use super::args::VerifyArgs;
use super::case;
use crate::config::Config;
use crate::problem::Problem;
use crate::store::{self, Place, Use};
use crate::{DONE, FOUND, config, record, recorded};

const NOTE: &str = "\
The chain has no key: who can write the file can cut records off its end or write all of it anew. Note the last
record in another place, and give it next time: bartizan report verify --expect SEQ:HASH";

/// `bartizan report verify`.
pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<u8> {
    if let Some(file) = &args.case {
        return case::verify(file, args.public_key.as_deref());
    }
    // A file that is named needs no configuration.
    let config = match &args.evidence.store {
        Some(_) => Config::default(),
        None => config::load(&args.evidence.config, &[])?.config,
    };
    let expected = args.expect.as_deref().map(parse).transpose()?;
    let witness = Witness::read(args.checkpoints.as_deref(), args.public_key.as_deref())?;
    record::block_on(chain(&config, args.evidence.store.as_deref(), expected, witness))
}

/// `SEQ:HASH`.
fn parse(text: &str) -> Result<(u64, String), Problem> {
    let parts = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.to_lowercase())));
    parts.filter(|(_, hash)| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit())).ok_or_else(|| {
        Problem::new(format!("`{text}` is not of the form SEQ:HASH")).help("copy it from an earlier run")
    })
}

/// What was kept elsewhere.
#[derive(Default)]
struct Witness {
    key: Option<NoteVerifier>,
    /// By size.
    checkpoints: Vec<Checkpoint>,
}

impl Witness {
    fn read(checkpoints: Option<&Path>, key: Option<&str>) -> anyhow::Result<Self> {
        let key = key.map(NoteVerifier::parse).transpose()?;
        let Some(path) = checkpoints else { return Ok(Self { key, checkpoints: Vec::new() }) };
        let Some(verifier) = &key else {
            return Err(Problem::new("checkpoints are worth what their key is worth: give it with `--public-key`")
                .help("`bartizan report new-key` printed it")
                .into());
        };
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let mut checkpoints = Vec::new();
        for note in notes(&text) {
            let checkpoint = verifier.open(&format!("{note}\n")).and_then(Checkpoint::parse);
            let checkpoint = checkpoint.with_context(|| format!("`{}`", path.display()))?;
            if checkpoint.claim == Claim::Checkpoint {
                checkpoints.push(checkpoint);
            }
        }
        checkpoints.sort_by_key(|c| c.size);
        Ok(Self { key, checkpoints })
    }
}

/// What a walk along the chain found besides broken links.
struct Compared {
    tree: Tree,
    /// Of the witness, how many were compared.
    next: usize,
    vouched: Option<(u64, String)>,
    fault: Option<String>,
}

impl Compared {
    /// Compares what the tree is now with the checkpoints of its size.
    fn compare(&mut self, chain_id: &str, checkpoints: &[Checkpoint]) {
        while let Some(checkpoint) = checkpoints.get(self.next).filter(|c| c.size <= self.tree.size()) {
            self.next += 1;
            if checkpoint.size < self.tree.size() {
                // Of records that were pruned; nothing can be said about it any more.
                continue;
            }
            if checkpoint.chain_id != chain_id {
                self.fault.get_or_insert_with(|| {
                    format!(
                        "the checkpoint of {} is about chain {}, not this one",
                        checkpoint.time, checkpoint.chain_id
                    )
                });
            } else if checkpoint.root != self.tree.root() {
                let after = self.vouched.as_ref().map_or(0, |(size, _)| *size);
                self.fault.get_or_insert_with(|| {
                    format!(
                        "records {after} to {} are not those that the checkpoint of {} vouches for: they were written anew",
                        checkpoint.size.saturating_sub(1),
                        checkpoint.time
                    )
                });
            } else {
                self.vouched = Some((checkpoint.size, checkpoint.time.clone()));
            }
        }
    }
}

async fn chain(
    config: &Config,
    named: Option<&Path>,
    expected: Option<(u64, String)>,
    witness: Witness,
) -> anyhow::Result<u8> {
    let name = Place::of(config, named)?.name();
    let store = store::open(config, named, Use::Reading).await?;
    let mut out = std::io::stdout().lock();
    let first = store.first().await?.unwrap_or(0);
    let chain_id = store.head().await?.chain_id;
    let pruned = store.last_act(Deed::Pruned).await?.filter(|_| first > 0);
    let mut unsigned = false;
    let start = match &pruned {
        None => Tree::new(),
        Some(act) => {
            let tree = tree_of(act).filter(|tree| tree.size() == first).unwrap_or_default();
            if let Some(key) = &witness.key {
                let note = act.detail.get("note").map(String::as_str).unwrap_or_default();
                let said = key.open(note).and_then(Checkpoint::parse).ok().filter(|said| {
                    said.claim == Claim::Pruned
                        && said.chain_id == chain_id
                        && said.size == first
                        && said.root == tree.root()
                        && Some(&said.head) == act.detail.get("head")
                });
                if said.is_none() {
                    writeln!(
                        out,
                        "`{name}`: the records before {first} were taken away, and the key signed no such thing"
                    )?;
                    return Ok(FOUND);
                }
            } else {
                unsigned = true;
            }
            tree
        }
    };
    let mut compared = Compared { tree: start, next: 0, vouched: None, fault: None };
    compared.compare(&chain_id, &witness.checkpoints);
    let walked = store
        .walk(&mut |record: Record| {
            if let Some(hash) = unhex::<32>(record.hash()) {
                compared.tree.push(leaf(&hash));
            }
            compared.compare(&chain_id, &witness.checkpoints);
        })
        .await;
    let count = match walked {
        Ok(count) => count,
        Err(broken @ StoreError::Broken { .. }) => {
            writeln!(out, "`{name}`: {broken}")?;
            if let Some((size, time)) = &compared.vouched {
                writeln!(out, "the records before {size} are those that the checkpoint of {time} vouches for")?;
            }
            return Ok(FOUND);
        }
        Err(error) => return Err(error.into()),
    };
    let cut = witness.checkpoints.get(compared.next).map(|c| {
        format!(
            "{} records are there, but the checkpoint of {} vouches for {}: the end was cut off",
            count, c.time, c.size
        )
    });
    if let Some(fault) = compared.fault.or(cut) {
        writeln!(out, "`{name}`: {fault}")?;
        return Ok(FOUND);
    }
    if let Some((seq, hash)) = expected
        && store.hash_at(seq).await?.as_ref() != Some(&hash)
    {
        writeln!(out, "`{name}`: record {seq} is not the expected one: the chain was cut or written anew")?;
        return Ok(FOUND);
    }
    let head = store.head().await?;
    let kept = count.saturating_sub(first);
    writeln!(out, "`{name}`: chain {chain_id}, {kept} records fit together")?;
    if first > 0 {
        let signed = if unsigned {
            ", as a record says; give `--public-key` to see whether it was signed"
        } else {
            ", as a signed record says"
        };
        writeln!(out, "the {first} before them were pruned{signed}")?;
    }
    match (&compared.vouched, witness.checkpoints.is_empty()) {
        (Some((size, time)), _) => writeln!(
            out,
            "the checkpoint of {time} vouches up to record {}; {} came after it and are only linked",
            size.saturating_sub(1),
            count.saturating_sub(*size)
        )?,
        (None, false) => writeln!(out, "no checkpoint is about records that are still there: nothing is vouched for")?,
        (None, true) => {}
    }
    match head.seq {
        Some(seq) => writeln!(out, "last record {seq}:{}", head.hash)?,
        None => writeln!(out, "it holds no record yet")?,
    }
    if head.seq.is_some() && witness.checkpoints.is_empty() {
        writeln!(out, "{NOTE}")?;
    }
    let Some(told) = recorded::told(&recorded::faults(store.as_ref(), None).await?) else { return Ok(DONE) };
    writeln!(out, "`{name}`: {told}")?;
    Ok(FOUND)
}
