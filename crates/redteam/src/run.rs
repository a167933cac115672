//! Carrying a plan out: many trials at once, each on disk before it counts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use bartizan_client::{Answer, Usage};
use bartizan_sign::{hex, unhex};

use crate::error::RedteamError;
use crate::evidence::{Evidence, Seen, Step};
use crate::harness::Sink;
use crate::journal::{FORM, Head, Journal, Record, read};
use crate::judge::Judge;
use crate::pair::refine;
use crate::plan::Work;
use crate::tally::{Fault, Tally};
use crate::target::Target;
use crate::trial::{Draw, NOWHERE, Outside, prepare};

/// Trials that wait for the disk at most.
const WAITING: usize = 1024;

/// Failures in a row after which a target is taken to be down.
const DOWN: u64 = 50;

/// How a run is made.
#[derive(Clone)]
pub struct Options {
    /// Trials under way at once.
    pub concurrency: usize,
    /// What is attacked, in words and without secrets.
    pub target: String,
    /// A model that words attacks of a user anew where they did not work.
    pub attacker: Option<Target>,
    /// Digest of the guard that is attacked, where that is all; empty otherwise. A run goes on with the same one only.
    pub guard: String,
    /// A run that is complete may be shown again. Without it that is an error: old figures are not those of today.
    pub again: bool,
}

impl Options {
    /// Without an attacker.
    #[must_use]
    pub fn new(concurrency: usize, target: impl Into<String>) -> Self {
        Self { concurrency, target: target.into(), attacker: None, guard: String::new(), again: false }
    }
}

/// A run that ended.
#[derive(Clone, Debug)]
pub struct Done {
    /// What came of it.
    pub tally: Tally,
    /// Why it ended early, if it did.
    pub stopped: Option<String>,
    /// Trials that were in the journal when it began.
    pub earlier: u64,
}

struct Shared {
    work: Arc<Work>,
    target: Target,
    attacker: Option<Target>,
    judge: Judge,
    seed: Vec<u8>,
    sink: Option<Arc<Sink>>,
    host: String,
    stop: AtomicBool,
    failures: AtomicU64,
}

/// What came of one trial.
enum Came {
    Record(Box<Record>),
    /// The budget is used up: the trial was not made, or not to its end.
    Over(String),
}

/// Carries a plan out, or goes on with it where `journal` is there. `progress` gets the number of trials that are done. What
/// the journal says was used already counts against the target's budget.
///
/// # Errors
/// The journal cannot be used, or is of a run that is complete. A target that fails is none: its trials end without
/// evidence.
pub async fn run(
    work: Arc<Work>,
    target: Target,
    sink: Option<Arc<Sink>>,
    journal: &Path,
    options: &Options,
    mut progress: impl FnMut(u64),
) -> Result<Done, RedteamError> {
    if work.plan.agent && sink.is_none() {
        return Err(RedteamError::Plan("an agent takes its tools from a sink; there is none".to_owned()));
    }
    let mut tally = Tally::new(&work);
    let host = sink.as_ref().map_or_else(|| NOWHERE.to_owned(), |s| s.address().to_string());
    let (journal, seed) = open(&work, journal, (options, &host), &mut tally)?;
    if let Target::Endpoint(client) = &target {
        client.spent().add_earlier(tally.questions, tally.usage);
    }
    let (pending, earlier) = (tally.missing(), tally.done());
    let shared = Arc::new(Shared {
        work,
        target,
        attacker: options.attacker.clone(),
        judge: Judge::built_in()?,
        seed,
        sink,
        host,
        stop: AtomicBool::new(false),
        failures: AtomicU64::new(0),
    });
    let (send, receive) = tokio::sync::mpsc::channel::<String>(WAITING);
    let writer = tokio::task::spawn_blocking(move || write(journal, receive));
    let mut stopped = None;
    let mut pending = pending.into_iter().flatten();
    let mut trials = tokio::task::JoinSet::new();
    loop {
        while trials.len() < options.concurrency.max(1) && !shared.stop.load(Ordering::Relaxed) {
            let Some(n) = pending.next() else { break };
            let shared = Arc::clone(&shared);
            trials.spawn(async move { one(&shared, n).await });
        }
        let Some(came) = trials.join_next().await else { break };
        match came {
            Ok(Some(Came::Record(record))) => {
                let line = serde_json::to_string(&record).map_err(|e| RedteamError::Plan(e.to_string()))?;
                if send.send(line).await.is_err() {
                    // The writer says why.
                    break;
                }
                tally.add(&record);
                progress(tally.done());
                if shared.failures.load(Ordering::Relaxed) >= DOWN && !shared.stop.swap(true, Ordering::Relaxed) {
                    stopped = Some(format!("the target failed {DOWN} times in a row ({})", Fault::of(&record).told()));
                }
            }
            Ok(Some(Came::Over(why))) => {
                shared.stop.store(true, Ordering::Relaxed);
                stopped.get_or_insert(why);
            }
            Ok(None) => {}
            Err(_) => {
                shared.stop.store(true, Ordering::Relaxed);
                stopped.get_or_insert_with(|| "a trial ended with an internal error".to_owned());
            }
        }
    }
    drop(trials);
    drop(send);
    writer.await.unwrap_or_else(|_| Err(RedteamError::Plan("the writer of the journal ended".to_owned())))?;
    Ok(Done { tally, stopped, earlier })
}

fn open(
    work: &Work,
    path: &Path,
    (options, host): (&Options, &str),
    tally: &mut Tally,
) -> Result<(Journal, Vec<u8>), RedteamError> {
    if path.exists() {
        let (journal, head) = Journal::resume(path, work.digest(), |record| tally.add(&record))?;
        if head.sink != host {
            let reason = format!("its sink is `{}`; give the same with --sink", head.sink);
            return Err(RedteamError::journal(path, reason));
        }
        if head.guard != options.guard {
            let reason = "the guard had another version, other rules or another configuration; give another folder";
            return Err(RedteamError::journal(path, reason));
        }
        if tally.missing().is_empty() && !options.again {
            return Err(RedteamError::Complete { path: path.to_owned() });
        }
        let seed = unhex::<32>(&head.seed).ok_or_else(|| RedteamError::journal(path, "its seed is none"))?;
        return Ok((journal, seed.to_vec()));
    }
    let mut seed = [0; 32];
    match &work.plan.seed {
        Some(given) => {
            let tag = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, given.as_bytes());
            seed.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        }
        None => aws_lc_rs::rand::fill(&mut seed).map_err(|_| RedteamError::Random)?,
    }
    let head = Head {
        bartizan_redteam: FORM,
        plan: work.digest().to_owned(),
        seed: hex(&seed),
        trials: work.trials(),
        target: options.target.clone(),
        sink: host.to_owned(),
        guard: options.guard.clone(),
    };
    Ok((Journal::create(path, &head)?, seed.to_vec()))
}

/// Writes what has come since the last write, and waits for the disk once for all of it.
fn write(mut journal: Journal, mut receive: tokio::sync::mpsc::Receiver<String>) -> Result<(), RedteamError> {
    let mut lines = Vec::new();
    while receive.blocking_recv_many(&mut lines, WAITING) > 0 {
        journal.append(std::mem::take(&mut lines))?;
    }
    Ok(())
}

async fn one(shared: &Shared, n: u64) -> Option<Came> {
    let start = Instant::now();
    let draw = Draw { seed: &shared.seed, host: &shared.host };
    let trial = prepare(&shared.work, draw, n)?;
    let (mut talk, effects) = match &shared.sink {
        Some(sink) if shared.work.plan.agent => trial.delegate(&shared.work, &shared.target, sink).await,
        _ => (trial.talk(&shared.work, &shared.target, &shared.judge).await, Vec::new()),
    };
    if let Some(attacker) = shared.attacker.as_ref().filter(|_| talk.over.is_none() && trial.is_refinable()) {
        talk = refine(&trial, (&shared.work, &shared.target, attacker), &shared.judge, talk).await;
    }
    if let Some(why) = talk.over {
        return Some(Came::Over(why));
    }
    let turns = talk.turns;
    let arrived = shared.sink.as_ref().map(|s| s.take(trial.token())).unwrap_or_default();
    let known = talk.evidence.filter(|_| arrived.is_empty());
    let outside = Outside { arrived: &arrived, effects: &effects };
    let evidence = known.unwrap_or_else(|| trial.weigh(&turns, outside, &shared.judge));
    if evidence.step == Step::Error {
        shared.failures.fetch_add(1, Ordering::Relaxed);
    } else {
        shared.failures.store(0, Ordering::Relaxed);
    }
    let mut usage = Usage::default();
    for turn in &turns {
        if let Seen::Answer(Answer::Reply(reply)) = &turn.seen {
            usage.input += reply.usage.input;
            usage.output += reply.usage.output;
        }
    }
    let ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Some(Came::Record(Box::new(Record { n, name: trial.name, evidence, turns, arrived, effects, usage, ms })))
}

/// Judges the records of a journal again, with the judge and rules of evidence of now, and asks nobody. `each` gets what
/// was judged before and what is judged now.
///
/// # Errors
/// The journal cannot be used, or is of another plan.
pub fn rescore(
    work: &Work,
    journal: &Path,
    mut each: impl FnMut(&Record, &Evidence),
) -> Result<(Tally, Head), RedteamError> {
    let judge = Judge::built_in()?;
    let mut tally = Tally::new(work);
    let (head, seed) = head_of(work, journal)?;
    read(journal, |mut record| {
        if let Some(trial) = prepare(work, Draw { seed: &seed, host: &head.sink }, record.n) {
            let evidence =
                trial.weigh(&record.turns, Outside { arrived: &record.arrived, effects: &record.effects }, &judge);
            each(&record, &evidence);
            record.evidence = evidence;
        }
        tally.add(&record);
    })?;
    Ok((tally, head))
}

/// The head of a journal of this plan, and its seed.
pub(crate) fn head_of(work: &Work, journal: &Path) -> Result<(Head, Vec<u8>), RedteamError> {
    let head = crate::journal::head(journal)?;
    if head.plan != work.digest() {
        return Err(RedteamError::journal(journal, "it belongs to another plan"));
    }
    let seed = unhex::<32>(&head.seed).ok_or_else(|| RedteamError::journal(journal, "its seed is none"))?;
    Ok((head, seed.to_vec()))
}
