//! What is to be done: probes × wordings × ways of writing × trials, and what that costs at most.

use aws_lc_rs::digest;
use bartizan_client::{Budget, Endpoint};
use bartizan_sign::hex;
use serde::{Deserialize, Serialize};

use crate::error::RedteamError;
use crate::gate::Gate;
use crate::probe::{Channel, Pack, Probe};
use crate::scene::Chain;

/// A plan as it stands in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// What is attacked. Without one it is given on the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Endpoint>,
    /// The guard of this program is attacked, with no model.
    pub guard: bool,
    /// The target is an agent that takes its tools from the hostile server, at `{{mcp}}` in its template or `mcp` in what a
    /// command is given.
    pub agent: bool,
    /// Probes by id, group, risk (`LLM01`) or `*`.
    pub probes: Vec<String>,
    /// Probes that are left out, named in the same ways.
    pub skip: Vec<String>,
    /// Files with probes of your own, beside the plan.
    pub packs: Vec<String>,
    /// Ways of writing: `plain`, names of transforms, `frame:NAME`, several with `+`.
    pub transforms: Vec<String>,
    /// Trials of each wording in each way.
    pub trials: u32,
    /// Trials of each harmless twin.
    pub benign_trials: u32,
    /// Most times that a target's tool calls are answered in one trial.
    pub steps: u32,
    /// A model that words attacks of a user anew where they did not work (PAIR).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attacker: Option<Endpoint>,
    /// How often it may.
    pub rounds: u32,
    /// Seed of the canaries; random where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// Bounds of the run.
    pub budget: Budget,
    /// What has to hold, such as `asr_upper95(system-prompt) < 2%`.
    pub gates: Vec<String>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            target: None,
            guard: false,
            agent: false,
            probes: vec!["*".to_owned()],
            skip: Vec::new(),
            packs: Vec::new(),
            transforms: vec!["plain".to_owned(), "base64".to_owned(), "frame:json".to_owned()],
            trials: 2,
            benign_trials: 2,
            steps: 3,
            attacker: None,
            rounds: 3,
            seed: None,
            budget: Budget::default(),
            gates: Vec::new(),
        }
    }
}

impl Plan {
    /// Reads a plan. `path` is for errors.
    ///
    /// # Errors
    /// It is not TOML of this form; keys that are unknown are errors.
    pub fn parse(path: &str, text: &str) -> Result<Self, RedteamError> {
        toml::from_str(text).map_err(|e| RedteamError::File { path: path.to_owned(), reason: e.to_string() })
    }
}

/// One wording of a probe in one way of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Index of the probe.
    pub probe: usize,
    /// Index of the wording.
    pub wording: usize,
    /// Index of the way; harmless twins are written plainly.
    pub chain: usize,
    /// A harmless twin.
    pub benign: bool,
}

/// A plan made ready. Trials have numbers from 0; those of one wording in one way are together.
#[derive(Clone, Debug)]
pub struct Work {
    /// As given.
    pub plan: Plan,
    /// Probes, tools and frames, selected.
    pub pack: Pack,
    /// Ways of writing.
    pub chains: Vec<Chain>,
    /// Gates.
    pub gates: Vec<Gate>,
    cells: Vec<Cell>,
    attacks: usize,
    digest: String,
}

impl Work {
    /// Selects and checks.
    ///
    /// # Errors
    /// A probe, way, gate or number does not fit.
    pub fn new(plan: Plan, mut pack: Pack) -> Result<Self, RedteamError> {
        let wrong = |what: String| Err(RedteamError::Plan(what));
        pack.check()?;
        if plan.target.is_some() && plan.guard {
            return wrong("a plan has either `target` or `guard = true`".to_owned());
        }
        if plan.budget.price.is_some() && plan.target.as_ref().is_none_or(|target| target.price.is_none()) {
            return wrong("a budget of `price` needs `price` of the target: without it nothing is counted".to_owned());
        }
        if plan.rounds > 20 {
            return wrong("`rounds` is at most 20".to_owned());
        }
        if plan.agent && plan.guard {
            return wrong("the guard alone is no agent: `agent` and `guard` exclude each other".to_owned());
        }
        if !(1..=10_000).contains(&plan.trials) || plan.benign_trials > 10_000 {
            return wrong("`trials` is from 1 to 10000, `benign_trials` from 0".to_owned());
        }
        if plan.steps > 20 {
            return wrong("`steps` is at most 20".to_owned());
        }
        for pattern in plan.probes.iter().chain(&plan.skip) {
            if !pack.probe.iter().any(|p| p.fits(pattern)) {
                return wrong(format!("no probe is `{pattern}`; `bartizan redteam list probes` lists them"));
            }
        }
        pack.probe.retain(|p| plan.probes.iter().any(|w| p.fits(w)) && !plan.skip.iter().any(|s| p.fits(s)));
        if pack.probe.is_empty() {
            return wrong("no probe is left".to_owned());
        }
        let chains = plan.transforms.iter().map(|name| Chain::parse(name, &pack)).collect::<Result<Vec<Chain>, _>>()?;
        if chains.is_empty() {
            return wrong("`transforms` is empty; `plain` is the text as it is".to_owned());
        }
        let gates = plan.gates.iter().map(|g| Gate::parse(g)).collect::<Result<Vec<_>, _>>()?;
        for gate in &gates {
            gate.check(&pack.probe)?;
        }
        let ways = chains.len();
        let attacks = pack.probe.iter().enumerate().flat_map(|(probe, p)| {
            let each = move |wording| (0..ways).map(move |chain| (wording, chain));
            (0..p.attacks.len()).flat_map(each).map(move |(wording, chain)| Cell {
                probe,
                wording,
                chain,
                benign: false,
            })
        });
        let mut cells: Vec<Cell> = attacks.collect();
        let attacks = cells.len();
        if plan.benign_trials > 0 {
            cells.extend(pack.probe.iter().enumerate().flat_map(|(probe, p)| {
                (0..p.benign.len()).map(move |wording| Cell { probe, wording, chain: 0, benign: true })
            }));
        }
        let digest = fingerprint(&plan, &pack)?;
        Ok(Self { plan, pack, chains, gates, cells, attacks, digest })
    }

    /// Names all that decides what a trial is; a journal of another one cannot be gone on with.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Wordings in their ways, attacks first.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    fn split(&self) -> (u64, u64) {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let attacks = count(self.attacks) * u64::from(self.plan.trials);
        (attacks, count(self.cells.len() - self.attacks) * u64::from(self.plan.benign_trials))
    }

    /// Number of trials.
    #[must_use]
    pub fn trials(&self) -> u64 {
        let (attacks, benign) = self.split();
        attacks + benign
    }

    /// Index of the cell of a trial, and which of its trials it is.
    #[must_use]
    pub fn cell_of(&self, trial: u64) -> Option<(usize, u32)> {
        let (attacks, all) = (self.split().0, self.trials());
        if trial >= all {
            return None;
        }
        let (from, base, each) = if trial < attacks {
            (0, trial, u64::from(self.plan.trials))
        } else {
            (self.attacks, trial - attacks, u64::from(self.plan.benign_trials))
        };
        let at = usize::try_from(base / each).ok()?;
        Some((from + at, u32::try_from(base % each).ok()?))
    }

    /// The probe of a cell.
    #[must_use]
    pub fn probe(&self, cell: Cell) -> Option<&Probe> {
        self.pack.probe.get(cell.probe)
    }

    /// The name of a trial: the same in every run of the same probe, wording, way and number.
    #[must_use]
    pub fn name(&self, cell: Cell, trial: u32) -> String {
        let probe = self.probe(cell).map_or("", |p| p.id.as_str());
        let chain = self.chains.get(cell.chain).filter(|_| !cell.benign).map_or("plain", Chain::name);
        let kind = if cell.benign { "benign" } else { "attack" };
        format!("{probe}#{kind}{}@{chain}/{trial}", cell.wording)
    }

    /// What it costs at most, and usually.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        let (attacks, benign) = self.split();
        let mut estimate = Estimate { attacks, benign, ..Estimate::default() };
        let one = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        for cell in &self.cells {
            let Some(probe) = self.probe(*cell) else { continue };
            let times = u64::from(if cell.benign { self.plan.benign_trials } else { self.plan.trials });
            let lead = if cell.benign || probe.channel != Channel::User { 0 } else { probe.lead.len() };
            let press = if cell.benign { 0 } else { probe.press.len() };
            let steps = if probe.tools.is_empty() { 0 } else { u64::from(self.plan.steps) };
            let least = one(1 + lead);
            estimate.least += times * least;
            let refined = self.plan.attacker.is_some() && !cell.benign && probe.channel == Channel::User;
            let rounds = if refined { u64::from(self.plan.rounds) } else { 0 };
            estimate.most += times * ((least + one(press)) * (1 + steps) + rounds * (1 + steps));
            estimate.attacker += times * rounds;
            let text = if cell.benign { &probe.benign } else { &probe.attacks };
            let text = text.get(cell.wording).map_or(0, String::len)
                + probe.system.len()
                + probe.carrier.len()
                + probe.task.len();
            // An encoded text is about half as long again; a turn repeats those before it.
            estimate.tokens += times * least * (one(text) * 3 / 8 + 16);
        }
        estimate
    }
}

/// What a plan costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Attacks.
    pub attacks: u64,
    /// Harmless twins.
    pub benign: u64,
    /// Requests, where no tool is called and the first try is the last.
    pub least: u64,
    /// Requests at most, without repetitions of those that were turned away.
    pub most: u64,
    /// Requests to the attacker's model at most.
    pub attacker: u64,
    /// Tokens of the questions of `least`, by a rule of thumb.
    pub tokens: u64,
}

/// An endpoint without what says how fast, how long and at what price it is asked.
fn asked(endpoint: &Endpoint) -> Endpoint {
    let plain = Endpoint::default();
    Endpoint {
        ca: None,
        timeout_ms: plain.timeout_ms,
        concurrency: plain.concurrency,
        requests_per_second: None,
        retries: plain.retries,
        max_reply_bytes: plain.max_reply_bytes,
        price: None,
        ..endpoint.clone()
    }
}

/// Digest of what decides what a trial is and who answers: not how much may be spent, not what is asked of the result.
fn fingerprint(plan: &Plan, pack: &Pack) -> Result<String, RedteamError> {
    let target = plan.target.as_ref().map(asked);
    let attacker = plan.attacker.as_ref().map(|a| (asked(a), plan.rounds));
    let ways: Vec<&str> = plan.transforms.iter().map(String::as_str).collect();
    let json = serde_json::to_string(&(
        (target, attacker),
        plan.guard,
        plan.agent,
        ways,
        plan.trials,
        plan.benign_trials,
        plan.steps,
        &plan.seed,
    ))
    .map_err(|e| RedteamError::Plan(e.to_string()))?;
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(json.as_bytes());
    for probe in &pack.probe {
        context.update(format!("{probe:?}").as_bytes());
    }
    context.update(format!("{:?}{:?}", pack.tools, pack.frames).as_bytes());
    Ok(hex(context.finish().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(toml: &str) -> Result<Work, RedteamError> {
        Work::new(Plan::parse("p", toml)?, Pack::built_in()?)
    }

    #[test]
    fn every_trial_has_a_cell_and_a_name() {
        let work =
            work("trials = 3\nbenign_trials = 1\nprobes = ['system-prompt']\ntransforms = ['plain', 'rot13+base64']")
                .unwrap();
        let names: std::collections::BTreeSet<String> = (0..work.trials())
            .map(|n| {
                let (cell, trial) = work.cell_of(n).unwrap();
                work.name(work.cells()[cell], trial)
            })
            .collect();
        assert_eq!(names.len() as u64, work.trials());
        assert!(work.cell_of(work.trials()).is_none());
        let estimate = work.estimate();
        assert_eq!(estimate.attacks + estimate.benign, work.trials());
        assert!(estimate.least >= work.trials() && estimate.most >= estimate.least && estimate.tokens > 0);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        for (toml, word) in [
            ("probez = []", "probez"),
            ("probes = ['nope']", "no probe is `nope`"),
            ("transforms = ['nope']", "transform `nope`"),
            ("transforms = []", "`plain`"),
            ("trials = 0", "`trials`"),
            ("gates = ['asr < x']", "gate"),
            ("guard = true\n[target]\nurl = 'http://x'", "either"),
            ("[budget]\nmoney = 3", "money"),
            ("[budget]\nprice = 3\n[target]\nurl = 'http://x'", "nothing is counted"),
        ] {
            let error = work(toml).unwrap_err().to_string();
            assert!(error.contains(word), "{toml}: {error}");
        }
    }

    #[test]
    fn a_digest_names_what_a_trial_is() {
        let one = work("").unwrap();
        assert_eq!(one.digest(), work("gates = ['asr < 5%']\n[budget]\nrequests = 5").unwrap().digest());
        for other in ["trials = 5", "seed = 'x'", "transforms = ['plain']", "probes = ['system-prompt']"] {
            assert_ne!(one.digest(), work(other).unwrap().digest(), "{other}");
        }
        let target = |more: &str| work(&format!("[target]\nkind = 'command'\n{more}")).unwrap().digest().to_owned();
        let first = target("command = ['old']");
        assert_eq!(first, target("command = ['old']\nconcurrency = 2\nretries = 0"));
        for other in [
            "command = ['new']",
            "command = ['old', 'x']",
            "command = ['old']\nheaders = {x = 'y'}",
            "command = ['old']\n[target.http]\nbody = '{{prompt}}'\nreply = '/x'",
            "command = ['old']\nkey = 'env:OTHER'",
        ] {
            assert_ne!(first, target(other), "{other}");
        }
    }
}
