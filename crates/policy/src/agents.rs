//! Settings of what is decided about tool calls.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::provenance::coding::{Allowed, Coding};
use crate::provenance::{PolicyFault, Rules, Syntax};

/// What becomes of decisions about tool calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentMode {
    /// They are carried out, where the gateway as a whole enforces.
    #[default]
    Enforce,
    /// They are recorded.
    Monitor,
    /// None is made.
    Off,
}

/// What kind of agents there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentProfile {
    /// Any: commands are the user's words, or wait.
    #[default]
    General,
    /// Coding agents: commands and edits are decided by what they do.
    Coding,
}

/// Tool calls, decided by where their arguments came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Agents {
    /// What becomes of decisions.
    pub mode: AgentMode,
    /// A short policy, TOML or YAML by its ending; without one the built-in rules decide alone.
    pub policy: Option<PolicyFile>,
    /// Minutes that a call waits for an approval, and that an approval lasts; then it is a denial. At most a day.
    pub approval_minutes: u32,
    /// Most tool calls of one conversation; 0 is any number.
    pub max_calls: u32,
    /// How often in a row the same tool may be called with the same arguments; 0 is any number.
    pub max_repeats: u32,
    /// Hours for which keyed fingerprints of what models and tools have produced are kept, by tenant: where it comes back
    /// as the words of a user or operator, it is not theirs. 0 keeps none.
    pub remember_hours: u32,
    /// Mebibytes that the fingerprints of one tenant may take; the oldest go first.
    pub remember_mib: u32,
    /// What kind of agents there are.
    pub profile: AgentProfile,
    /// Folders in which coding agents work, as absolute paths. What the system text calls the working directory is one too.
    pub workspace: Vec<String>,
    /// Packages that commands of coding agents may install: a file with a line for each, `npm left-pad`; the ecosystems are
    /// cargo, npm, pypi, gem, go and system. Without it the user's words name them.
    pub packages: Option<PolicyFile>,
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            mode: AgentMode::default(),
            policy: None,
            approval_minutes: 15,
            max_calls: 0,
            max_repeats: 20,
            remember_hours: 24,
            remember_mib: 16,
            profile: AgentProfile::default(),
            workspace: Vec::new(),
            packages: None,
        }
    }
}

impl Agents {
    /// The files that are read with the configuration, by their key.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &PolicyFile)> {
        [("policy", &self.policy), ("packages", &self.packages)]
            .into_iter()
            .filter_map(|(key, f)| Some((key, f.as_ref()?)))
    }

    /// The same, in the same order, to be filled.
    pub fn files_mut(&mut self) -> impl Iterator<Item = &mut PolicyFile> {
        [&mut self.policy, &mut self.packages].into_iter().flatten()
    }

    /// How commands and edits are decided, where they are by what they do.
    ///
    /// # Errors
    /// The list of packages cannot be used.
    pub fn coding(&self) -> Result<Option<Arc<Coding>>, PolicyFault> {
        if self.profile != AgentProfile::Coding {
            return Ok(None);
        }
        let fault = |line, text: String| PolicyFault { line, column: 1, text, fatal: true };
        let list = |file: &PolicyFile| {
            let text = file.text.as_deref().ok_or_else(|| fault(1, "the file was not read".to_owned()))?;
            Allowed::parse(text).map_err(|(line, text)| fault(line, text))
        };
        let packages = self.packages.as_ref().map(list).transpose()?;
        Ok(Some(Arc::new(Coding { packages, workspace: self.workspace.clone() })))
    }

    /// Milliseconds that a call waits for an approval.
    #[must_use]
    pub fn approval_ms(&self) -> i64 {
        i64::from(self.approval_minutes.clamp(1, 24 * 60)) * 60_000
    }

    /// For how many milliseconds, and in how many bytes, it is remembered what a tenant's models and tools have
    /// produced; `None` where it is not.
    #[must_use]
    pub fn remembers(&self) -> Option<(i64, usize)> {
        let kept = self.mode != AgentMode::Off && self.remember_hours > 0 && self.remember_mib > 0;
        kept.then(|| (i64::from(self.remember_hours) * 3_600_000, self.remember_mib as usize * (1 << 20)))
    }
}

/// A policy file. Its text is read when the configuration is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub struct PolicyFile {
    /// Where it is.
    pub path: String,
    /// What it says, once it was read.
    pub text: Option<String>,
}

impl From<String> for PolicyFile {
    fn from(path: String) -> Self {
        Self { path, text: None }
    }
}

impl From<PolicyFile> for String {
    fn from(file: PolicyFile) -> Self {
        file.path
    }
}

impl PolicyFile {
    /// The rules in it. One that was not read has none, which is a fault and not an empty policy.
    ///
    /// # Errors
    /// It was not read, or is no policy: the first fault with line and column.
    pub fn rules(&self) -> Result<Arc<Rules>, PolicyFault> {
        let fault = |text: &str| PolicyFault { line: 1, column: 1, text: text.to_owned(), fatal: true };
        let text = self.text.as_deref().ok_or_else(|| fault("the file was not read"))?;
        let parsed = Rules::parse(text, Syntax::of_path(&self.path));
        parsed.map(Arc::new).map_err(|faults| faults.into_iter().next().unwrap_or_else(|| fault("it is no policy")))
    }
}
