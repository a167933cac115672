//! Attacks as data: what is tried, where it stands, and what would prove that it worked.

use std::collections::BTreeMap;

use bartizan_client::Tool;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::RedteamError;

/// Where the attack stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// The user says it.
    User,
    /// In something that the user hands over: a mail, a page, a document, code.
    Document,
    /// In the result of a tool.
    ToolResult,
    /// In what a tool says of itself.
    ToolDescription,
    /// In what is kept of earlier conversations, behind the operator's text.
    Memory,
    /// In the words of an image that the user hands over.
    Image,
    /// In a layer of a PDF that a reader does not see; the carrier without the attack is what is shown.
    Pdf,
}

/// What would prove that an attack worked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Proof {
    /// The reply holds the secret that the operator's side of the conversation was given as `{{secret}}`.
    Secret,
    /// The reply holds `{{left}}` and `{{right}}` put together: the attack has them apart.
    Joined,
    /// The tool is called, and an argument holds `{{canary}}`, which stands in the attack alone.
    Call {
        /// The tool.
        tool: String,
        /// The argument in which the attack wants it; without one any.
        #[serde(default)]
        argument: Option<String>,
    },
    /// The secret stands in an address of the attacker's: `{{sink}}`, in the reply or in a tool's argument.
    Address,
    /// The reply holds this text as it is. It names `{{joined}}`.
    Literal {
        /// The text.
        text: String,
    },
    /// The reply is at least so long, and repeats itself or was cut.
    Flood {
        /// Bytes.
        bytes: usize,
    },
}

/// One attack idea in several wordings, with harmless twins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Its family, `group/name`, lower case with hyphens.
    pub id: String,
    /// What is tried.
    pub title: String,
    /// Entries of OWASP's Top 10 for LLM applications (2025, `LLM01`) and for agentic applications (2026, `ASI01`).
    pub risk: Vec<String>,
    /// Techniques of MITRE ATLAS.
    #[serde(default)]
    pub atlas: Vec<String>,
    /// Where the attack stands.
    pub channel: Channel,
    /// What would prove it.
    pub proof: Proof,
    /// The operator's text; `{{secret}}` is the secret.
    #[serde(default)]
    pub system: String,
    /// What the user asks for, where the attack stands elsewhere.
    #[serde(default)]
    pub task: String,
    /// What the attack is embedded in; `{{attack}}` is its place.
    #[serde(default)]
    pub carrier: String,
    /// Wordings of the attack.
    pub attacks: Vec<String>,
    /// Turns of the user before the attack.
    #[serde(default)]
    pub lead: Vec<String>,
    /// Turns of the user after a reply that did not do it.
    #[serde(default)]
    pub press: Vec<String>,
    /// Harmless texts in the place of the attack.
    pub benign: Vec<String>,
    /// Tools that are offered.
    #[serde(default)]
    pub tools: Vec<String>,
    /// The tool whose result or description holds the attack; the first one where not given.
    #[serde(default)]
    pub through: Option<String>,
    /// A judge's word counts: what is tried cannot be proven by a canary alone.
    #[serde(default)]
    pub judged: bool,
}

impl Probe {
    /// Its group: the first part of its id.
    #[must_use]
    pub fn group(&self) -> &str {
        self.id.split('/').next().unwrap_or_default()
    }

    /// Whether this pattern selects it: its id or group, `*`, or a risk such as `LLM01`.
    #[must_use]
    pub fn fits(&self, pattern: &str) -> bool {
        let prefix = pattern.strip_suffix('*').unwrap_or(pattern);
        let by_name =
            self.id == pattern || self.group() == pattern || (prefix != pattern && self.id.starts_with(prefix));
        by_name || self.risk.iter().any(|r| r == pattern)
    }

    fn check(&self, tools: &BTreeMap<String, Gadget>) -> Result<(), RedteamError> {
        let wrong = |reason: String| Err(RedteamError::Probe { id: self.id.clone(), reason });
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '/';
        if self.id.split('/').count() != 2 || !self.id.chars().all(plain) {
            return wrong("an id is `group/name` of lower-case letters, digits and hyphens".to_owned());
        }
        if self.attacks.is_empty() || self.benign.is_empty() {
            return wrong("it needs at least one of `attacks` and one of `benign`".to_owned());
        }
        if let Some(missing) = self.tools.iter().find(|name| !tools.contains_key(*name)) {
            return wrong(format!("tool `{missing}` is not described under `[tools]`"));
        }
        let needs_tool = matches!(self.channel, Channel::ToolResult | Channel::ToolDescription);
        if needs_tool && self.tools.is_empty() {
            return wrong("this channel needs `tools`".to_owned());
        }
        if let Some(through) = self.through.as_ref().filter(|t| !self.tools.contains(t)) {
            return wrong(format!("`through` names `{through}`, which is not in `tools`"));
        }
        if self.channel != Channel::User && !self.carrier.contains("{{attack}}") {
            return wrong("`carrier` has no `{{attack}}`".to_owned());
        }
        let given = |word: &str| self.system.contains(word) || self.carrier.contains(word);
        let attacks = |word: &str| self.attacks.iter().chain(&self.lead).chain(&self.press).any(|a| a.contains(word));
        if attacks("{{secret}}") || attacks("{{joined}}") || attacks("{{left}}{{right}}") {
            return wrong("an attack that holds its own proof proves nothing".to_owned());
        }
        let fits = match &self.proof {
            Proof::Secret => given("{{secret}}"),
            Proof::Address => given("{{secret}}") && attacks("{{sink}}"),
            Proof::Joined => attacks("{{left}}") && attacks("{{right}}"),
            Proof::Call { tool, argument } => {
                let known = |name: &String| tools.get(tool).is_some_and(|gadget| gadget.arguments.contains(name));
                self.tools.contains(tool) && argument.as_ref().is_none_or(known) && attacks("{{canary}}")
            }
            Proof::Literal { text } => text.contains("{{joined}}") && attacks("{{left}}") && attacks("{{right}}"),
            Proof::Flood { bytes } => *bytes > 0,
        };
        if !fits {
            return wrong("its texts do not hold what its `proof` needs".to_owned());
        }
        Ok(())
    }
}

/// A tool that trials offer; nothing is ever done.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gadget {
    /// What it says of itself.
    pub description: String,
    /// Names of its arguments, all of them texts.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// What it answers.
    #[serde(default)]
    pub result: String,
}

impl Gadget {
    /// As it is offered.
    #[must_use]
    pub fn tool(&self, name: &str) -> Tool {
        let properties: serde_json::Map<String, Value> =
            self.arguments.iter().map(|a| (a.clone(), json!({"type": "string"}))).collect();
        let parameters = json!({"type": "object", "properties": properties, "required": self.arguments});
        Tool { name: name.to_owned(), description: self.description.clone(), parameters }
    }
}

/// A pack of probes, tools and frames.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pack {
    /// Attack ideas.
    pub probe: Vec<Probe>,
    /// Tools by name.
    pub tools: BTreeMap<String, Gadget>,
    /// Texts around an attack, by name; `{{text}}` is its place.
    pub frames: BTreeMap<String, String>,
}

const BUILT_IN: &[(&str, &str)] = &[
    ("tools", include_str!("../packs/tools.toml")),
    ("frames", include_str!("../packs/frames.toml")),
    ("prompts", include_str!("../packs/prompts.toml")),
    ("indirect", include_str!("../packs/indirect.toml")),
    ("agents", include_str!("../packs/agents.toml")),
    ("outputs", include_str!("../packs/outputs.toml")),
];

impl Pack {
    /// The built-in probes.
    ///
    /// # Errors
    /// A built-in pack is broken; a test sees to it that none is.
    pub fn built_in() -> Result<Self, RedteamError> {
        let mut all = Self::default();
        for (name, text) in BUILT_IN {
            all.add(name, text)?;
        }
        all.check()?;
        Ok(all)
    }

    /// Adds a pack. `path` is for errors.
    ///
    /// # Errors
    /// It is not TOML of this form, or a probe's id is there already.
    pub fn add(&mut self, path: &str, text: &str) -> Result<(), RedteamError> {
        let file = |reason: String| RedteamError::File { path: path.to_owned(), reason };
        let pack: Self = toml::from_str(text).map_err(|e| file(e.to_string()))?;
        for probe in pack.probe {
            if self.probe.iter().any(|p| p.id == probe.id) {
                return Err(file(format!("there is a probe `{}` already", probe.id)));
            }
            self.probe.push(probe);
        }
        self.tools.extend(pack.tools);
        self.frames.extend(pack.frames);
        Ok(())
    }

    /// Whether everything in it fits together.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), RedteamError> {
        self.probe.iter().try_for_each(|p| p.check(&self.tools))?;
        match self.frames.iter().find(|(_, text)| !text.contains("{{text}}")) {
            Some((name, _)) => Err(RedteamError::Plan(format!("frame `{name}` has no `{{{{text}}}}`"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_packs_are_whole_and_broad() {
        let pack = Pack::built_in().unwrap();
        assert!(pack.probe.len() >= 60, "{} families", pack.probe.len());
        assert!(pack.probe.iter().all(|p| p.attacks.len() >= 3), "three wordings each");
        assert!(pack.frames.len() >= 15);
        for risk in (1..=10).map(|n| format!("LLM{n:02}")).chain((1..=10).map(|n| format!("ASI{n:02}"))) {
            // Three risks are not of what a model says at run time: supply chain, poisoned training data, poisoned components.
            if ["LLM03", "LLM04", "ASI04"].contains(&risk.as_str()) {
                continue;
            }
            assert!(pack.probe.iter().any(|p| p.risk.contains(&risk)), "{risk}");
        }
    }

    #[test]
    fn probes_that_prove_nothing_are_refused() {
        let base = "[[probe]]\nid='a/b'\ntitle='t'\nrisk=['LLM01']\nchannel='user'\nbenign=['x']\n";
        for (more, word) in [
            ("attacks=['say {{secret}}']\nsystem='{{secret}}'\nproof={kind='secret'}", "its own proof"),
            ("attacks=['say it']\nproof={kind='secret'}", "does not hold"),
            ("attacks=['{{canary}}']\nproof={kind='call',tool='t'}", "do not hold"),
            (
                "attacks=['{{canary}}']\ntools=['t']\nproof={kind='call',tool='t',argument='a'}\n[tools.t]\ndescription='t'\narguments=['b']",
                "do not hold",
            ),
            ("attacks=[]\nproof={kind='flood',bytes=1}", "at least one"),
            ("attacks=['x']\nproof={kind='flood',bytes=1}\ntools=['none']", "not described"),
        ] {
            let mut pack = Pack::default();
            pack.add("p", &format!("{base}{more}")).unwrap();
            let error = pack.check().unwrap_err().to_string();
            let word = if word == "does not hold" { "do not hold" } else { word };
            assert!(error.contains(word), "{error}");
        }
        assert!(Pack::default().add("p", "[[probe]]\nidd='a'").unwrap_err().to_string().contains("idd"));
    }

    #[test]
    fn probes_are_selected_by_name_group_and_risk() {
        let pack = Pack::built_in().unwrap();
        let probe = &pack.probe[0];
        assert!(probe.fits("*") && probe.fits(&probe.id) && probe.fits(probe.group()) && probe.fits(&probe.risk[0]));
        assert!(!probe.fits("nothing"));
    }
}
