//! The loop of each sink.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bartizan_core::{EventStore, Record};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::task::JoinSet;

use crate::cursor::Cursor;
use crate::error::SinkError;
use crate::http::{Http, tls};
use crate::otlp::Otlp;
use crate::settings::{Filter, Sink, Target};
use crate::splunk::Splunk;
use crate::syslog::Syslog;
use crate::webhook::Webhook;

/// How often a sink that is up to date looks for new records.
const EVERY: Duration = Duration::from_millis(500);

/// Pauses between attempts grow from the first to the last of these.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// What a sink has done, as handles of metrics.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Records acknowledged.
    pub delivered: Counter,
    /// Attempts that failed.
    pub failed: Counter,
    /// Position behind the last record acknowledged or passed over.
    pub position: Gauge,
}

/// Sinks that are ready to run.
pub struct Sinks {
    sinks: Vec<(Sink, Sender)>,
}

enum Sender {
    Webhook(Box<Webhook>),
    Splunk(Splunk),
    Syslog(Box<Syslog>),
    Otlp(Otlp),
}

impl Sender {
    async fn deliver(&self, records: &[Record]) -> Result<(), SinkError> {
        match self {
            Self::Webhook(webhook) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
                webhook.deliver(records, now).await
            }
            Self::Splunk(splunk) => splunk.deliver(records).await,
            Self::Syslog(syslog) => syslog.deliver(records).await,
            Self::Otlp(otlp) => otlp.deliver(records).await,
        }
    }
}

impl Sinks {
    /// Reads secrets and certificates.
    ///
    /// # Errors
    /// [`SinkError::Settings`], naming the sink.
    pub fn new(settings: &[Sink]) -> Result<Self, SinkError> {
        let mut sinks: Vec<(Sink, Sender)> = Vec::with_capacity(settings.len());
        for sink in settings {
            let wrong = |reason: String| SinkError::Settings { name: sink.name.clone(), reason };
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if sink.name.is_empty() || !sink.name.bytes().all(plain) {
                return Err(wrong("a name is made of letters, digits, `-` and `_`".to_owned()));
            }
            if sinks.iter().any(|(other, _)| other.name == sink.name) {
                return Err(wrong("another sink has the same name".to_owned()));
            }
            if !(1..=1000).contains(&sink.batch) {
                return Err(wrong("`batch` is from 1 to 1000".to_owned()));
            }
            let sender = sender(sink).map_err(wrong)?;
            sinks.push((sink.clone(), sender));
        }
        Ok(Self { sinks })
    }

    /// Delivers until this future is dropped. `folder` keeps the place of each sink; `counts` gives the counters of one
    /// by its name.
    pub async fn run(self, store: Arc<dyn EventStore>, folder: PathBuf, counts: impl Fn(&str) -> Counts) {
        let mut running = JoinSet::new();
        for (sink, sender) in self.sinks {
            let counts = counts(&sink.name);
            running.spawn(keep_delivering(sink, sender, counts, Arc::clone(&store), folder.clone()));
        }
        while running.join_next().await.is_some() {}
    }
}

fn sender(sink: &Sink) -> Result<Sender, String> {
    let timeout = Duration::from_millis(sink.timeout_ms);
    let http = || Http::new(sink.ca.as_deref(), timeout);
    Ok(match &sink.to {
        Target::Webhook { url, secret } => Sender::Webhook(Box::new(Webhook::new(url, &secret.resolve()?, http()?)?)),
        Target::SplunkHec { url, token, index } => {
            Sender::Splunk(Splunk::new(url, &token.resolve()?, index.clone(), http()?)?)
        }
        Target::Syslog { address, server_name } => {
            let tls = tls(sink.ca.as_deref())?;
            Sender::Syslog(Box::new(Syslog::new(address, server_name.as_deref(), tls, timeout)?))
        }
        Target::OtlpLogs { url, authorization } => {
            let authorization = authorization.as_ref().map(bartizan_sign::SecretRef::resolve).transpose()?;
            Sender::Otlp(Otlp::new(url, authorization, http()?)?)
        }
    })
}

async fn keep_delivering(sink: Sink, sender: Sender, counts: Counts, store: Arc<dyn EventStore>, folder: PathBuf) {
    let mut pause = PAUSES.0;
    let mut cursor = None;
    loop {
        match step(&sink, &sender, &counts, store.as_ref(), &folder, &mut cursor).await {
            Ok(true) => pause = PAUSES.0,
            Ok(false) => {
                pause = PAUSES.0;
                tokio::time::sleep(EVERY).await;
            }
            Err(error) => {
                counts.failed.inc();
                // Said once for every pause, and pauses grow: an outage does not fill the log.
                tracing::warn!(sink = sink.name, %error, "records are not delivered; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// One delivery. Answers whether there may be more at once.
async fn step(
    sink: &Sink,
    sender: &Sender,
    counts: &Counts,
    store: &dyn EventStore,
    folder: &Path,
    cursor: &mut Option<Cursor>,
) -> Result<bool, SinkError> {
    let cursor = match cursor {
        Some(cursor) => cursor,
        None => cursor.insert(Cursor::open(folder, &sink.name)?),
    };
    // The oldest record says which chain this is; the place of another chain means nothing here.
    let Some(oldest) = store.after(None, 1).await?.into_iter().next() else { return Ok(false) };
    let chain = chain_id(&oldest).to_owned();
    let records = store.after(cursor.seq(&chain), sink.batch).await?;
    let Some(last) = records.last().map(Record::seq) else { return Ok(false) };
    let wanted: Vec<Record> = records.into_iter().filter(|record| wants(&sink.only, record)).collect();
    if !wanted.is_empty() {
        sender.deliver(&wanted).await?;
        counts.delivered.inc_by(wanted.len() as u64);
    }
    cursor.advance(&chain, last)?;
    counts.position.set(i64::try_from(last).unwrap_or(i64::MAX).saturating_add(1));
    Ok(true)
}

fn chain_id(record: &Record) -> &str {
    match record {
        Record::Act(act) => &act.chain_id,
        Record::Decision(event) => &event.chain_id,
    }
}

fn wants(filter: &Filter, record: &Record) -> bool {
    if !filter.tenants.is_empty() && !filter.tenants.contains(record.tenant()) {
        return false;
    }
    match record {
        Record::Act(_) => filter.deeds,
        Record::Decision(event) => {
            event.verdict >= filter.verdict
                && (filter.families.is_empty() || event.rules.keys().any(|r| filter.families.contains(&r.family())))
        }
    }
}
