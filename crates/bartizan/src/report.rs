//! `bartizan report`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use bartizan_core::{ChainStore as _, EventStore, StoreError};
use bartizan_store::SqliteStore;

use crate::cli::VerifyArgs;
use crate::problem::Problem;
use crate::{DONE, FOUND, config};

const NOTE: &str = "\
The chain has no key: who can write the file can cut records off its end or write all of it anew. Note the last
record in another place, and give it next time: bartizan report verify --expect SEQ:HASH";

/// `bartizan report verify`.
pub(crate) fn verify(args: &VerifyArgs) -> anyhow::Result<u8> {
    let path = match &args.store {
        Some(path) => path.clone(),
        None => PathBuf::from(config::load(&args.config, &[])?.config.store.path),
    };
    let expected = args.expect.as_deref().map(parse).transpose()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(chain(&path, expected))
}

/// `SEQ:HASH`.
fn parse(text: &str) -> Result<(u64, String), Problem> {
    let parts = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.to_lowercase())));
    parts.filter(|(_, hash)| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit())).ok_or_else(|| {
        Problem::new(format!("`{text}` is not of the form SEQ:HASH")).help("copy it from an earlier run")
    })
}

async fn chain(path: &Path, expected: Option<(u64, String)>) -> anyhow::Result<u8> {
    let name = path.display();
    if !path.exists() {
        return Err(Problem::new(format!("there is no evidence store `{name}`"))
            .help("`--store FILE` names another one; `bartizan up` makes one")
            .into());
    }
    let store = SqliteStore::open_read_only(path).await?;
    let mut out = std::io::stdout().lock();
    let count = match store.verify().await {
        Ok(count) => count,
        Err(broken @ StoreError::Broken { .. }) => {
            writeln!(out, "`{name}`: {broken}")?;
            return Ok(FOUND);
        }
        Err(error) => return Err(error.into()),
    };
    if let Some((seq, hash)) = expected
        && store.hash_at(seq).await?.as_ref() != Some(&hash)
    {
        writeln!(out, "`{name}`: record {seq} is not the expected one: the chain was cut or written anew")?;
        return Ok(FOUND);
    }
    let head = store.head().await?;
    writeln!(out, "`{name}`: chain {}, {count} records fit together", head.chain_id)?;
    match head.seq {
        Some(seq) => writeln!(out, "last record {seq}:{}\n{NOTE}", head.hash)?,
        None => writeln!(out, "it holds no record yet")?,
    }
    Ok(DONE)
}
