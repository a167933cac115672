//! One trial: its scene, the conversation, and what that proved.

use std::borrow::Cow;

use bartizan_client::{Answer, Ask, FailureKind, Role, Turn as Said};

use crate::canary::Canary;
use crate::evidence::{Evidence, Marks, Seen, Step, weigh};
use crate::harness::{Effect, Sink, World};
use crate::journal::Turn;
use crate::judge::Judge;
use crate::plan::Work;
use crate::probe::{Channel, Pack, Probe, Proof};
use crate::scene::{Chain, Filling, Scene, set};
use crate::target::Target;

/// The attacker's host where no sink listens; it cannot exist (RFC 2606).
pub(crate) const NOWHERE: &str = "collect.example";

/// Where a run draws its marks from: its seed, and the attacker's host.
#[derive(Clone, Copy)]
pub(crate) struct Draw<'a> {
    pub(crate) seed: &'a [u8],
    pub(crate) host: &'a str,
}

/// What is said in a trial. Its marks depend on the seed and the name.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) name: &'a str,
    pub(crate) wording: &'a str,
    pub(crate) chain: &'a Chain,
    pub(crate) benign: bool,
}

/// A trial, ready to be made.
#[derive(Clone)]
pub(crate) struct Trial<'a> {
    pub(crate) name: String,
    pub(crate) scene: Scene,
    secret: Canary,
    canary: Canary,
    sink: String,
    probe: &'a Probe,
    benign: bool,
}

/// The trial of this number in a plan.
pub(crate) fn prepare<'a>(work: &'a Work, draw: Draw<'_>, n: u64) -> Option<Trial<'a>> {
    let (at, trial) = work.cell_of(n)?;
    let cell = *work.cells().get(at)?;
    let probe = work.probe(cell)?;
    let (wording, plain) =
        (if cell.benign { probe.benign.get(cell.wording) } else { probe.attacks.get(cell.wording) }?, Chain::plain());
    // Harmless twins are written plainly: who writes in base64 all day is no one's user.
    let chain = if cell.benign { &plain } else { work.chains.get(cell.chain)? };
    let words = Words { name: &work.name(cell, trial), wording, chain, benign: cell.benign };
    Some(Trial::new(&work.pack, probe, draw, words))
}

impl<'a> Trial<'a> {
    /// A wording of a probe, perhaps one that is in no plan.
    pub(crate) fn new(pack: &Pack, probe: &'a Probe, draw: Draw<'_>, words: Words<'_>) -> Self {
        let Words { name, wording, chain, benign } = words;
        let secret = Canary::new(draw.seed, &format!("secret {name}"));
        let canary = Canary::new(draw.seed, &format!("canary {name}"));
        let sink = format!("{}/{}", draw.host, Canary::new(draw.seed, &format!("sink {name}")).left);
        let filling = Filling { secret: &secret, canary: &canary, sink: &sink };
        let scene = set(probe, pack, wording, chain, filling, benign);
        Self { name: name.to_owned(), scene, secret, canary, sink, probe, benign }
    }

    /// What the turns and what arrived at the sink prove.
    pub(crate) fn weigh(&self, turns: &[Turn], outside: Outside<'_>, judge: &Judge) -> Evidence {
        let seen: Vec<&Seen> = turns.iter().map(|t| &t.seen).collect();
        let planted = self.planted(turns);
        let code = self.secret.code();
        let asked = turns.iter().rev().take(1).flat_map(|t| &t.ask.turns).filter(|said| said.role == Role::User);
        let shown: Vec<&str> = asked.map(|said| said.content.as_str()).filter(|text| text.contains(&code)).collect();
        let marks = Marks {
            proof: &self.probe.proof,
            secret: &self.secret,
            canary: &self.canary,
            sink: &self.sink,
            planted: &planted,
            shown: &shown,
            arrived: outside.arrived,
            effects: outside.effects,
            judged: self.probe.judged,
            benign: self.benign,
        };
        weigh(&seen, &marks, judge)
    }

    /// All that the attacker said: where the user is the attacker, every turn of the user's is.
    fn planted(&self, turns: &[Turn]) -> Cow<'_, str> {
        let mut planted = Cow::Borrowed(self.scene.planted.as_str());
        if self.probe.channel == Channel::User && !self.benign {
            for said in turns.iter().flat_map(|t| &t.ask.turns).filter(|said| said.role == Role::User) {
                if !planted.contains(&said.content) {
                    planted.to_mut().push('\n');
                    planted.to_mut().push_str(&said.content);
                }
            }
        }
        planted
    }

    /// True where an attacker may word it anew: where the user says it.
    pub(crate) fn is_refinable(&self) -> bool {
        self.probe.channel == Channel::User && !self.benign
    }

    /// What would prove it.
    pub(crate) const fn proof(&self) -> &Proof {
        &self.probe.proof
    }

    /// The same trial with another prompt, in a conversation of its own.
    pub(crate) fn reworded(&self, prompt: &str) -> Self {
        let mut scene = self.scene.clone();
        scene.turns.retain(|turn| turn.role == Role::System);
        scene.turns.push(Said::new(Role::User, prompt));
        (scene.then, scene.press) = (Vec::new(), Vec::new());
        (scene.payload, scene.task) = (prompt.to_owned(), prompt.to_owned());
        Self { scene, ..self.clone() }
    }

    /// The part of the attacker's address that is this trial's alone.
    pub(crate) fn token(&self) -> &str {
        self.sink.rsplit('/').next().unwrap_or_default()
    }

    /// The conversation from its beginning, as far as it is known before the target speaks.
    pub(crate) fn first(&self) -> Ask {
        Ask { turns: self.scene.turns.clone(), tools: self.scene.tools.clone(), ..Ask::default() }
    }

    /// Hands the task to an agent that takes its tools from the hostile server: one question, in a world of its own that is
    /// gone afterwards.
    pub(crate) async fn delegate(&self, work: &Work, target: &Target, sink: &Sink) -> (Talk, Vec<Effect>) {
        let world = World::new(&self.scene, &work.pack, self.probe.channel, &self.secret.code());
        let mcp = sink.open(self.token(), world);
        let ask =
            Ask { turns: vec![Said::new(Role::User, self.scene.task.as_str())], mcp: Some(mcp), ..Ask::default() };
        let seen = target.ask(&ask, &self.scene.payload).await;
        let effects = sink.close(self.token());
        match &seen {
            Seen::Failed(failure) if failure.kind == FailureKind::Budget => {
                (Talk { over: Some(failure.detail.clone()), ..Talk::default() }, effects)
            }
            _ => (Talk { turns: vec![Turn { ask, seen }], ..Talk::default() }, effects),
        }
    }

    /// Has the conversation.
    pub(crate) async fn talk(&self, work: &Work, target: &Target, judge: &Judge) -> Talk {
        let scene = &self.scene;
        let mut said = scene.turns.clone();
        let mut talk = Talk::default();
        let mut then = scene.then.iter();
        let mut press = scene.press.iter();
        loop {
            for step in 0..=work.plan.steps {
                let ask = Ask { turns: said.clone(), tools: scene.tools.clone(), ..Ask::default() };
                let seen = target.ask(&ask, &scene.payload).await;
                if let Seen::Failed(failure) = &seen
                    && failure.kind == FailureKind::Budget
                {
                    return Talk { over: Some(failure.detail.clone()), ..talk };
                }
                let reply = match &seen {
                    Seen::Answer(Answer::Reply(reply)) => Some(reply.clone()),
                    _ => None,
                };
                talk.turns.push(Turn { ask, seen });
                let Some(reply) = reply else { return talk };
                let calls = reply.calls.clone();
                said.push(Said { calls: reply.calls, ..Said::new(Role::Assistant, reply.text) });
                if calls.is_empty() || step == work.plan.steps {
                    break;
                }
                for call in calls {
                    let gadget = work.pack.tools.get(&call.name);
                    let result = gadget.map_or("unknown tool", |g| g.result.as_str());
                    let result = result.replace("{{secret}}", &self.secret.code());
                    said.push(Said { call_id: Some(call.id), ..Said::new(Role::Tool, result) });
                }
            }
            let next = match then.next() {
                Some(next) => next,
                None => {
                    let evidence = self.weigh(&talk.turns, Outside::default(), judge);
                    let next = if evidence.step == Step::Proven { None } else { press.next() };
                    match next {
                        Some(next) => next,
                        None => return Talk { evidence: Some(evidence), ..talk },
                    }
                }
            };
            said.push(Said::new(Role::User, next.as_str()));
        }
    }
}

/// What was seen of a trial besides what was said.
#[derive(Clone, Copy, Default)]
pub(crate) struct Outside<'a> {
    /// Requests at the sink.
    pub(crate) arrived: &'a [String],
    /// What tools of the hostile server did.
    pub(crate) effects: &'a [Effect],
}

/// What was said in a trial.
#[derive(Default)]
pub(crate) struct Talk {
    pub(crate) turns: Vec<Turn>,
    /// What it proved, where that was asked last: without what arrived at a sink.
    pub(crate) evidence: Option<Evidence>,
    /// Why the budget ended it.
    pub(crate) over: Option<String>,
}
