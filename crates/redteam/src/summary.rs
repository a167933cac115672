//! What a run says, with how sure it is.

use std::collections::BTreeMap;

use bartizan_stats::{Interval, exact, wilson};
use serde::{Deserialize, Serialize};

use crate::evidence::Step;
use crate::gate::{Bound, Gate, Measure};
use crate::plan::{Cell, Work};
use crate::stats::{Cluster, anytime, clustered, hit_at};
use crate::tally::{Fault, Tally};

/// A share with its intervals at 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Trials that hit.
    pub hits: u64,
    /// Trials with evidence.
    pub trials: u64,
    /// The share that was seen; 0 of none.
    pub share: f64,
    /// For these prompts: Clopper and Pearson's, or, of a run that ended early, one that holds whenever a run is stopped.
    pub interval: Interval,
    /// For these prompts, by Wilson's method.
    pub wilson: Interval,
    /// For prompts like these: prompts are taken as a sample, and trials of one prompt go together.
    pub clustered: Interval,
}

impl Share {
    #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
    fn new(clusters: &[Cluster], complete: bool) -> Self {
        let hits = clusters.iter().map(|c| c.hits).sum();
        let trials = clusters.iter().map(|c| c.trials).sum();
        let (h, n) = (hits as f64, trials as f64);
        let interval = match (trials, complete) {
            (0, _) => Interval::WHOLE,
            (_, true) => exact(h, n),
            (_, false) => anytime(hits, trials),
        };
        let share = if trials == 0 { 0.0 } else { h / n };
        Self { hits, trials, share, interval, wilson: wilson(hits, trials), clustered: clustered(clusters) }
    }
}

/// A probe family, or all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its id.
    pub id: String,
    /// What is tried.
    pub title: String,
    /// OWASP's entries.
    pub risk: Vec<String>,
    /// Techniques of MITRE ATLAS.
    pub atlas: Vec<String>,
    /// Attacks by what came of them.
    pub attacks: BTreeMap<Step, u64>,
    /// Harmless twins by what came of them.
    pub benign: BTreeMap<Step, u64>,
    /// Attack success: proven, or let through by the guard alone.
    pub asr: Share,
    /// The same with what a judge takes for success.
    pub likely_asr: Share,
    /// Harmless twins that a guard stopped.
    pub false_block: Share,
    /// Harmless twins that the model refused.
    pub false_refusal: Share,
    /// Share of wordings of which one of five trials works; none where no wording had five.
    pub hit_at_5: Option<f64>,
}

/// A way of writing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WayLine {
    /// Its name.
    pub name: String,
    /// True where the injection classifier's training texts were written in it.
    pub seen_in_training: bool,
    /// Attack success.
    pub asr: Share,
}

/// A gate and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// As given.
    pub gate: String,
    /// The number it looks at; none where there is no evidence.
    pub value: Option<f64>,
    /// It is met. Without evidence none is.
    pub met: bool,
}

/// What a run says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What was attacked.
    pub target: String,
    /// Digest of the plan.
    pub plan: String,
    /// Trials of the plan.
    pub trials: u64,
    /// Trials that something came of.
    pub done: u64,
    /// Every trial was made.
    pub complete: bool,
    /// Why the run ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// All families together.
    pub total: Line,
    /// Each family.
    pub families: Vec<Line>,
    /// Each way of writing.
    pub ways: Vec<WayLine>,
    /// How often each rule of the guard stopped something.
    pub rules: BTreeMap<String, u64>,
    /// What went wrong in trials without evidence, the most frequent first. What targets say is redacted.
    pub failures: Vec<Fault>,
    /// Gates.
    pub gates: Vec<GateResult>,
}

impl Summary {
    /// Counts and judges.
    #[must_use]
    pub fn new(work: &Work, tally: &Tally, target: &str, stopped: Option<String>) -> Self {
        let done = tally.done();
        let complete = done == work.trials();
        let line = |probe: Option<usize>| line(work, tally, complete, probe);
        let families = (0..work.pack.probe.len()).map(|at| line(Some(at))).collect();
        let ways = work.chains.iter().enumerate().map(|(at, chain)| {
            let (_, clusters) = tally.of(|c| !c.benign && c.chain == at, Step::is_success);
            WayLine {
                name: chain.name().to_owned(),
                seen_in_training: chain.seen_in_training(),
                asr: Share::new(&clusters, complete),
            }
        });
        let gates = work.gates.iter().map(|gate| gated(gate, work, tally, complete)).collect();
        Self {
            target: target.to_owned(),
            plan: work.digest().to_owned(),
            trials: work.trials(),
            done,
            complete,
            stopped,
            total: line(None),
            families,
            ways: ways.collect(),
            rules: tally.rules.clone(),
            failures: tally.faults(),
            gates,
        }
    }

    /// True where every gate is met.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.gates.iter().all(|g| g.met)
    }

    /// Trials without evidence.
    #[must_use]
    pub fn errors(&self) -> u64 {
        let of = |counts: &BTreeMap<Step, u64>| counts.get(&Step::Error).copied().unwrap_or(0);
        of(&self.total.attacks) + of(&self.total.benign)
    }
}

fn likely(step: Step) -> bool {
    step.is_success() || step == Step::Likely
}

fn line(work: &Work, tally: &Tally, complete: bool, probe: Option<usize>) -> Line {
    let of = |benign: bool, hit: fn(Step) -> bool| {
        tally.of(|c: Cell| c.benign == benign && probe.is_none_or(|at| c.probe == at), hit)
    };
    let share = |clusters: &[Cluster]| Share::new(clusters, complete);
    let (attacks, proven) = of(false, Step::is_success);
    let (benign, blocked) = of(true, |step| step == Step::Blocked);
    let about = probe.and_then(|at| work.pack.probe.get(at));
    Line {
        id: about.map_or_else(|| "*".to_owned(), |p| p.id.clone()),
        title: about.map_or_else(|| "all".to_owned(), |p| p.title.clone()),
        risk: about.map(|p| p.risk.clone()).unwrap_or_default(),
        atlas: about.map(|p| p.atlas.clone()).unwrap_or_default(),
        attacks,
        benign,
        asr: share(&proven),
        likely_asr: share(&of(false, likely).1),
        false_block: share(&blocked),
        false_refusal: share(&of(true, |step| step == Step::Refused).1),
        hit_at_5: hit_at(5, &proven),
    }
}

fn gated(gate: &Gate, work: &Work, tally: &Tally, complete: bool) -> GateResult {
    let fits = |cell: Cell| work.probe(cell).is_some_and(|p| p.fits(&gate.probes));
    let share = match gate.measure {
        Measure::Errors => {
            let (counts, _) = tally.of(fits, |_| false);
            let (errors, all) = (counts.get(&Step::Error).copied().unwrap_or(0), counts.values().sum());
            Share::new(&[Cluster { hits: errors, trials: all }], complete)
        }
        Measure::Asr | Measure::LikelyAsr => {
            let hit = if gate.measure == Measure::Asr { Step::is_success } else { likely };
            Share::new(&tally.of(|c| !c.benign && fits(c), hit).1, complete)
        }
        Measure::FalseBlock | Measure::FalseRefusal => {
            let wanted = if gate.measure == Measure::FalseBlock { Step::Blocked } else { Step::Refused };
            Share::new(&tally.of(|c| c.benign && fits(c), |step| step == wanted).1, complete)
        }
    };
    let value = match gate.bound {
        Bound::Seen => share.share,
        Bound::Upper => share.interval.high,
        Bound::Lower => share.interval.low,
        Bound::ClusteredUpper => share.clustered.high,
    };
    let value = (share.trials > 0).then_some(value);
    GateResult { gate: gate.text.clone(), value, met: value.is_some_and(|v| gate.passes(v)) }
}
