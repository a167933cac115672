//! `bartizan report export`.

use std::io::Write;

use anyhow::Context as _;
use bartizan_core::{Deed, Record, TenantId};
use bartizan_guard::deed;

use super::args::{ExportArgs, ExportFormat};
use super::columns::Columns;
use super::ocsf;
use crate::problem::Problem;
use crate::terminal::counted;
use crate::{DONE, config, record, store};

/// Records that are read at once.
const PAGE: u32 = 1000;

/// Takes records one after the other.
enum Writer {
    Lines { out: Box<dyn Write + Send>, ocsf: bool },
    Parquet(Box<Columns>),
}

impl Writer {
    fn put(&mut self, record: &Record) -> anyhow::Result<()> {
        match self {
            Self::Lines { out, ocsf: true } => writeln!(out, "{}", ocsf::event(record)?)?,
            Self::Lines { out, ocsf: false } => writeln!(out, "{}", serde_json::to_string(record)?)?,
            Self::Parquet(columns) => columns.put(record)?,
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Lines { mut out, .. } => Ok(out.flush()?),
            Self::Parquet(columns) => columns.finish(),
        }
    }
}

/// `bartizan report export`.
pub(crate) async fn run(args: &ExportArgs) -> anyhow::Result<u8> {
    let config = config::load(&args.evidence.config, &[])?.config;
    let tenant = args.tenant.as_deref().map(TenantId::authenticated).transpose()?;
    let store = record::shared(&config, args.evidence.store.as_ref()).await?;
    if let Some(tenant) = &tenant {
        store::known(&config, store.as_ref(), tenant).await?;
    }
    // The record of it comes first: what was not recorded is not exported.
    let mut act = deed(Deed::Exported, tenant.as_ref().unwrap_or(&TenantId::sole()), &record::actor())
        .about(tenant.as_ref().map_or("every tenant", TenantId::as_str))
        .with("format", args.format.word());
    for (name, time) in [("since", &args.since), ("until", &args.until)] {
        if let Some(time) = time {
            act = act.with(name, time);
        }
    }
    store.act(act).await?;
    let mut writer = open(args)?;
    let (mut after, mut count) = (None, 0_u64);
    loop {
        let page = store.after(after, PAGE).await?;
        let Some(last) = page.last().map(Record::seq) else { break };
        after = Some(last);
        for record in &page {
            let wanted = tenant.as_ref().is_none_or(|t| record.tenant() == t)
                && args.since.as_deref().is_none_or(|since| record.time() >= since)
                && args.until.as_deref().is_none_or(|until| record.time() < until);
            if wanted {
                writer.put(record)?;
                count += 1;
            }
        }
    }
    writer.finish()?;
    if let Some(path) = &args.output {
        writeln!(std::io::stdout().lock(), "{} in `{}`", counted(count, "record"), path.display())?;
    }
    record::close(store).await;
    Ok(DONE)
}

fn open(args: &ExportArgs) -> anyhow::Result<Writer> {
    let file = match &args.output {
        Some(path) => Some(std::fs::File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?),
        None => None,
    };
    Ok(match (args.format, file) {
        (ExportFormat::Parquet, Some(file)) => Writer::Parquet(Box::new(Columns::new(file)?)),
        (ExportFormat::Parquet, None) => {
            return Err(Problem::new("Parquet goes to a file only").help("--output records.parquet").into());
        }
        (format, file) => {
            let out: Box<dyn Write + Send> = match file {
                Some(file) => Box::new(std::io::BufWriter::new(file)),
                None => Box::new(std::io::stdout()),
            };
            Writer::Lines { out, ocsf: format == ExportFormat::Ocsf }
        }
    })
}
