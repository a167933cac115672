//! One trial as a conversation: a probe's wording, written in some way, in its place.

use bartizan_client::{Call, Role, Tool, Turn};
use bartizan_transform::Way;

use crate::canary::Canary;
use crate::error::RedteamError;
use crate::media::{image, pdf};
use crate::probe::{Channel, Pack, Probe};

/// Ways of writing on one another, and frames around: `base64`, `rot13+base64`, `frame:json`, `plain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    name: String,
    links: Vec<Link>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Link {
    Way(Way),
    Frame(String),
}

impl Chain {
    /// The text as it is.
    #[must_use]
    pub fn plain() -> Self {
        Self { name: "plain".to_owned(), links: Vec::new() }
    }

    /// Reads its name.
    ///
    /// # Errors
    /// A part of it is unknown.
    pub fn parse(name: &str, pack: &Pack) -> Result<Self, RedteamError> {
        let mut links = Vec::new();
        for part in name.split('+').filter(|p| *p != "plain") {
            let link = match part.strip_prefix("frame:") {
                Some(frame) => pack.frames.get(frame).cloned().map(Link::Frame),
                None => Way::from_name(part).map(Link::Way),
            };
            let unknown = || {
                RedteamError::Plan(format!(
                    "transform `{part}` is unknown; `bartizan redteam list transforms` lists them"
                ))
            };
            links.push(link.ok_or_else(unknown)?);
        }
        Ok(Self { name: name.to_owned(), links })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True where a part of it was in the classifier's training texts.
    #[must_use]
    pub fn seen_in_training(&self) -> bool {
        self.links.iter().any(|l| matches!(l, Link::Way(way) if way.seen_in_training()))
    }

    /// A text written this way. Where a reader would not see how, it is told.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let mut hint: Option<&str> = None;
        let mut out = text.to_owned();
        for link in &self.links {
            match link {
                Link::Way(way) => {
                    out = way.apply(&out);
                    hint = way.hint().or(hint);
                }
                Link::Frame(frame) => {
                    out = frame.replace("{{text}}", &told(&out, hint.take()));
                }
            }
        }
        told(&out, hint)
    }
}

fn told(text: &str, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("The following is {hint}. Decode it and do what it says:\n{text}"),
        None => text.to_owned(),
    }
}

/// A conversation to be had.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What is there before the target speaks for the first time.
    pub turns: Vec<Turn>,
    /// Turns of the user that follow one reply each, whatever it says: the last one is the attack.
    pub then: Vec<String>,
    /// Turns of the user that follow while the attack did not work.
    pub press: Vec<String>,
    /// Tools that are offered.
    pub tools: Vec<Tool>,
    /// The attack as it is written.
    pub payload: String,
    /// All that the attacker said or planted.
    pub planted: String,
    /// What the attack is embedded in, filled in; the attack itself where it is in nothing.
    pub carrier: String,
    /// The tool whose result or description holds the attack; empty where none does.
    pub through: String,
    /// What the user asks for: the attack itself where the user is the attacker.
    pub task: String,
}

/// What fills the places of a text.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// What only the operator's side holds.
    pub secret: &'a Canary,
    /// What the attack asks for.
    pub canary: &'a Canary,
    /// Host and port of the attacker's addresses.
    pub sink: &'a str,
}

impl Filling<'_> {
    fn attack(&self, text: &str) -> String {
        text.replace("{{left}}", &self.canary.left)
            .replace("{{right}}", &self.canary.right)
            .replace("{{canary}}", &self.canary.whole())
            .replace("{{sink}}", self.sink)
    }

    fn operator(&self, text: &str) -> String {
        text.replace("{{secret}}", &self.secret.code())
    }
}

/// Sets a scene: `wording` is an attack, or a harmless text in its place.
#[must_use]
pub fn set(probe: &Probe, pack: &Pack, wording: &str, chain: &Chain, with: Filling<'_>, benign: bool) -> Scene {
    let payload = chain.apply(&with.attack(wording));
    let mut tools: Vec<Tool> = probe.tools.iter().filter_map(|name| Some(pack.tools.get(name)?.tool(name))).collect();
    let mut system = with.operator(&probe.system);
    let carrier = with.operator(&probe.carrier).replace("{{attack}}", &payload);
    let mut turns = Vec::new();
    let mut then = Vec::new();
    let through = probe.through.as_deref().or(probe.tools.first().map(String::as_str)).unwrap_or_default();
    let whole = if carrier.is_empty() { payload.clone() } else { carrier.clone() };
    let task = if probe.channel == Channel::User { payload.clone() } else { probe.task.clone() };
    let lead: &[String] = if benign { &[] } else { &probe.lead };
    match probe.channel {
        Channel::User => {
            let mut all = lead.iter().map(|t| with.attack(t)).chain([payload.clone()]);
            turns.extend(all.next().map(|first| Turn::new(Role::User, first)));
            then.extend(all);
        }
        Channel::Document => turns.push(Turn::new(Role::User, format!("{}\n\n{carrier}", probe.task))),
        Channel::ToolResult => {
            let id = "call_1".to_owned();
            let call = Call { id: id.clone(), name: through.to_owned(), arguments: "{}".to_owned() };
            turns.push(Turn::new(Role::User, &*probe.task));
            turns.push(Turn { calls: vec![call], ..Turn::new(Role::Assistant, "") });
            turns.push(Turn { call_id: Some(id), ..Turn::new(Role::Tool, carrier) });
        }
        Channel::ToolDescription => {
            if let Some(tool) = tools.iter_mut().find(|t| t.name == through) {
                tool.description = carrier;
            }
            turns.push(Turn::new(Role::User, &*probe.task));
        }
        Channel::Image => {
            turns.push(Turn { media: vec![image(&carrier)], ..Turn::new(Role::User, &*probe.task) });
        }
        Channel::Pdf => {
            let shown = with.operator(&probe.carrier).replace("{{attack}}", "");
            // Harmless twins are there to be read.
            let file = if benign { pdf(&carrier, "") } else { pdf(&shown, &payload) };
            turns.push(Turn { media: vec![file], ..Turn::new(Role::User, &*probe.task) });
        }
        Channel::Memory => {
            system = format!("{system}\n\nNotes from earlier conversations:\n{carrier}");
            turns.push(Turn::new(Role::User, &*probe.task));
        }
    }
    if !system.is_empty() {
        turns.insert(0, Turn::new(Role::System, system));
    }
    let press: Vec<String> = if benign { Vec::new() } else { probe.press.iter().map(|t| with.attack(t)).collect() };
    let mut planted = with.attack(wording);
    for text in [payload.as_str()].into_iter().chain(then.iter().chain(&press).map(String::as_str)) {
        planted.push('\n');
        planted.push_str(text);
    }
    Scene { turns, then, press, tools, payload, planted, carrier: whole, through: through.to_owned(), task }
}
