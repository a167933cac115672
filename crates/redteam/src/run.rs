//! Carrying a plan out: many trials at once, each on disk before it counts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use bartizan_client::{Answer, Ask, FailureKind, Role, Turn as Said, Usage};
use bartizan_sign::{hex, unhex};

use crate::canary::Canary;
use crate::error::RedteamError;
use crate::evidence::{Evidence, Marks, Seen, Step, weigh};
use crate::journal::{Head, Journal, Record, Turn, read};
use crate::judge::Judge;
use crate::plan::{Cell, Work};
use crate::scene::{Filling, Scene, set};
use crate::sink::Sink;
use crate::tally::Tally;
use crate::target::Target;

/// Trials that wait for the disk at most.
const WAITING: usize = 1024;

/// Failures in a row after which a target is taken to be down.
const DOWN: u64 = 50;

/// The attacker's host where no sink listens; it cannot exist (RFC 2606).
const NOWHERE: &str = "collect.example";

/// How a run is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Trials under way at once.
    pub concurrency: usize,
    /// What is attacked, in words and without secrets.
    pub target: String,
}

/// A run that ended.
#[derive(Clone, Debug)]
pub struct Done {
    /// What came of it.
    pub tally: Tally,
    /// Why it ended early, if it did.
    pub stopped: Option<String>,
}

struct Shared {
    work: Arc<Work>,
    target: Target,
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

/// Carries a plan out, or goes on with it where `journal` is there. `progress` gets the number of trials that are done.
///
/// # Errors
/// The journal cannot be used. A target that fails is none: its trials end without evidence.
pub async fn run(
    work: Arc<Work>,
    target: Target,
    sink: Option<Arc<Sink>>,
    journal: &Path,
    options: &Options,
    mut progress: impl FnMut(u64),
) -> Result<Done, RedteamError> {
    let mut tally = Tally::new(work.trials());
    let host = sink.as_ref().map_or_else(|| NOWHERE.to_owned(), |s| s.address().to_string());
    let (journal, seed) = open(&work, journal, (options, &host), &mut tally)?;
    let pending: Vec<std::ops::Range<u64>> = gaps(&tally, work.trials());
    let shared = Arc::new(Shared {
        work,
        target,
        judge: Judge::built_in()?,
        seed,
        sink,
        host,
        stop: AtomicBool::new(false),
        failures: AtomicU64::new(0),
    });
    let mut done = tally.done();
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
                done += u64::from(tally.step(record.n).is_none());
                tally.add(&record);
                progress(done);
                if shared.failures.load(Ordering::Relaxed) >= DOWN && !shared.stop.swap(true, Ordering::Relaxed) {
                    stopped = Some(format!("the target failed {DOWN} times in a row ({})", record.evidence.why));
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
    Ok(Done { tally, stopped })
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
        bartizan_redteam: 1,
        plan: work.digest().to_owned(),
        seed: hex(&seed),
        trials: work.trials(),
        target: options.target.clone(),
        sink: host.to_owned(),
    };
    Ok((Journal::create(path, &head)?, seed.to_vec()))
}

/// Runs of trials that are still to be made.
fn gaps(tally: &Tally, trials: u64) -> Vec<std::ops::Range<u64>> {
    let mut out: Vec<std::ops::Range<u64>> = Vec::new();
    for n in (0..trials).filter(|n| !tally.is_done(*n)) {
        match out.last_mut() {
            Some(last) if last.end == n => last.end += 1,
            _ => out.push(n..n + 1),
        }
    }
    out
}

/// Writes what has come since the last write, and waits for the disk once for all of it.
fn write(mut journal: Journal, mut receive: tokio::sync::mpsc::Receiver<String>) -> Result<(), RedteamError> {
    let mut lines = Vec::new();
    while receive.blocking_recv_many(&mut lines, WAITING) > 0 {
        journal.append(std::mem::take(&mut lines))?;
    }
    Ok(())
}

/// What a trial is made of besides its words.
struct Trial<'a> {
    cell: Cell,
    name: String,
    secret: Canary,
    canary: Canary,
    sink: String,
    scene: Scene,
    probe: &'a crate::probe::Probe,
}

fn prepare<'a>(work: &'a Work, seed: &[u8], host: &str, n: u64) -> Option<Trial<'a>> {
    let (at, trial) = work.cell_of(n)?;
    let cell = *work.cells().get(at)?;
    let probe = work.probe(cell)?;
    let name = work.name(cell, trial);
    let secret = Canary::new(seed, &format!("secret {name}"));
    let canary = Canary::new(seed, &format!("canary {name}"));
    let sink = format!("{host}/{}", Canary::new(seed, &format!("sink {name}")).left);
    let wording = if cell.benign { probe.benign.get(cell.wording) } else { probe.attacks.get(cell.wording) }?;
    // Harmless twins are written plainly: who writes in base64 all day is no one's user.
    let chain = if cell.benign {
        crate::scene::Chain::parse("plain", &work.pack).ok()?
    } else {
        work.chains.get(cell.chain)?.clone()
    };
    let filling = Filling { secret: &secret, canary: &canary, sink: &sink };
    let scene = set(probe, &work.pack, wording, &chain, filling, cell.benign);
    Some(Trial { cell, name, secret, canary, sink, scene, probe })
}

impl Trial<'_> {
    fn weigh(&self, turns: &[Turn], arrived: &[String], judge: &Judge) -> Evidence {
        let seen: Vec<Seen> = turns.iter().map(|t| t.seen.clone()).collect();
        let marks = Marks {
            proof: &self.probe.proof,
            secret: &self.secret,
            canary: &self.canary,
            sink: &self.sink,
            planted: &self.scene.planted,
            arrived,
            judged: self.probe.judged,
            benign: self.cell.benign,
        };
        weigh(&seen, &marks, judge)
    }

    fn token(&self) -> &str {
        self.sink.rsplit('/').next().unwrap_or_default()
    }
}

async fn one(shared: &Shared, n: u64) -> Option<Came> {
    let start = Instant::now();
    let trial = prepare(&shared.work, &shared.seed, &shared.host, n)?;
    let (turns, over) = talk(shared, &trial).await;
    if let Some(why) = over {
        return Some(Came::Over(why));
    }
    let arrived = shared.sink.as_ref().map(|s| s.take(trial.token())).unwrap_or_default();
    let evidence = trial.weigh(&turns, &arrived, &shared.judge);
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
    Some(Came::Record(Box::new(Record { n, name: trial.name, evidence, turns, arrived, usage, ms })))
}

/// Has the conversation. The second part is why the budget ended it.
async fn talk(shared: &Shared, trial: &Trial<'_>) -> (Vec<Turn>, Option<String>) {
    let scene = &trial.scene;
    let mut said = scene.turns.clone();
    let mut turns: Vec<Turn> = Vec::new();
    let mut then = scene.then.iter();
    let mut press = scene.press.iter();
    loop {
        for step in 0..=shared.work.plan.steps {
            let ask = Ask { turns: said.clone(), tools: scene.tools.clone(), ..Ask::default() };
            let seen = shared.target.ask(&ask, &scene.payload).await;
            if let Seen::Failed(failure) = &seen
                && failure.kind == FailureKind::Budget
            {
                return (turns, Some(failure.detail.clone()));
            }
            let reply = match &seen {
                Seen::Answer(Answer::Reply(reply)) => Some(reply.clone()),
                _ => None,
            };
            turns.push(Turn { ask, seen });
            let Some(reply) = reply else { return (turns, None) };
            let calls = reply.calls.clone();
            said.push(Said { calls: reply.calls, ..Said::new(Role::Assistant, reply.text) });
            if calls.is_empty() || step == shared.work.plan.steps {
                break;
            }
            for call in calls {
                let gadget = shared.work.pack.tools.get(&call.name);
                let result = gadget.map_or("unknown tool", |g| g.result.as_str());
                let result = result.replace("{{secret}}", &trial.secret.code());
                said.push(Said { call_id: Some(call.id), ..Said::new(Role::Tool, result) });
            }
        }
        let next = match then.next() {
            Some(next) => next,
            None if trial.weigh(&turns, &[], &shared.judge).step == Step::Proven => return (turns, None),
            None => match press.next() {
                Some(next) => next,
                None => return (turns, None),
            },
        };
        said.push(Said::new(Role::User, next.as_str()));
    }
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
    let mut tally = Tally::new(work.trials());
    let head = read(journal, |_| ())?;
    if head.plan != work.digest() {
        return Err(RedteamError::journal(journal, "it belongs to another plan"));
    }
    let seed = unhex::<32>(&head.seed).ok_or_else(|| RedteamError::journal(journal, "its seed is none"))?;
    read(journal, |mut record| {
        if let Some(trial) = prepare(work, &seed, &head.sink, record.n) {
            let evidence = trial.weigh(&record.turns, &record.arrived, &judge);
            each(&record, &evidence);
            record.evidence = evidence;
        }
        tally.add(&record);
    })?;
    Ok((tally, head))
}
