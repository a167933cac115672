//! The `[abuse]` section of the configuration.

use bartizan_core::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::signal::{Measure, Signal};

/// From where on a count of a day is reported.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Never below this count, for a key with a past.
    pub least: u32,
    /// Never below this count, for a key without one; 0 is never at all.
    pub fresh: u32,
    /// Not before it is so many times what the key had on its busiest day of the last five weeks.
    pub factor: f32,
}

/// The levels of everything that is counted, by day. What is left out is as shipped; the numbers were chosen on simulated
/// traffic: `docs/benchmarks.md`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Levels {
    /// Words that the key has not used in the last weeks.
    pub new_words: Level,
    /// Requests of six words or more with hardly a word that is common in what the key says.
    pub unnatural_requests: Level,
    /// Requests that are nearly the same as one of the latest, and not the very same.
    pub near_duplicates: Level,
    /// Requests that ask for log probabilities.
    pub logprob_requests: Level,
    /// Requests with a logit bias that none of the latest had.
    pub varied_biases: Level,
    /// Distinct inputs that were embedded, estimated.
    pub embedded_inputs: Level,
    /// Tokens of the busiest hour, in and out.
    pub hour_tokens: Level,
    /// Money of the busiest hour, in millionths of the currency of the prices.
    pub hour_spend: Level,
    /// Distinct texts that were refused.
    pub refused: Level,
    /// Variants of one refused text.
    pub variants: Level,
}

impl Default for Levels {
    fn default() -> Self {
        let level = |least, fresh, factor| Level { least, fresh, factor };
        Self {
            new_words: level(2_000, 0, 3.0),
            unnatural_requests: level(100, 150, 3.0),
            near_duplicates: level(300, 2_000, 3.0),
            logprob_requests: level(200, 2_000, 3.0),
            varied_biases: level(40, 100, 3.0),
            embedded_inputs: level(1_000, 50_000, 3.0),
            hour_tokens: level(200_000, 20_000_000, 4.0),
            hour_spend: level(5_000_000, 200_000_000, 4.0),
            refused: level(25, 100, 4.0),
            variants: level(5, 5, 3.0),
        }
    }
}

impl Levels {
    /// The level of a measure.
    #[must_use]
    pub const fn of(&self, measure: Measure) -> Level {
        match measure {
            Measure::NewWords => self.new_words,
            Measure::UnnaturalRequests => self.unnatural_requests,
            Measure::NearDuplicates => self.near_duplicates,
            Measure::LogprobRequests => self.logprob_requests,
            Measure::VariedBiases => self.varied_biases,
            Measure::EmbeddedInputs => self.embedded_inputs,
            Measure::HourTokens => self.hour_tokens,
            Measure::HourSpend => self.hour_spend,
            Measure::Refused => self.refused,
            Measure::Variants => self.variants,
        }
    }
}

/// Signals that are usual for some keys: an evaluation job asks for log probabilities, a batch job repeats a template.
/// They are counted and listed, and not reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Name of the key, or a prefix with `*` at the end.
    pub key: String,
    /// Its tenant; left out, of any.
    #[serde(default)]
    pub tenant: Option<TenantId>,
    /// What is usual for it.
    pub signals: Vec<Signal>,
}

/// What is done about requests of a signal that is raised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It is reported.
    #[default]
    Report,
    /// Besides, each of them waits `delay_ms` before it goes on.
    Slow,
    /// Besides, log probabilities are taken out of what they ask for.
    StripLogprobs,
    /// They are held, as a finding with the verdict `hold` is.
    Hold,
    /// They are refused.
    Deny,
}

/// One row: what is done about requests that make up a signal while it is raised. The first row that fits decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Signals that it holds for; empty is all.
    #[serde(default)]
    pub signals: Vec<Signal>,
    /// Name of the key, or a prefix with `*` at the end; left out, any.
    #[serde(default)]
    pub key: Option<String>,
    /// Its tenant; left out, any.
    #[serde(default)]
    pub tenant: Option<TenantId>,
    /// Name of the upstream; left out, any.
    #[serde(default)]
    pub route: Option<String>,
    /// What is done.
    pub then: Then,
    /// How long `slow` makes a request wait, in milliseconds: at most 30000.
    #[serde(default = "five_seconds")]
    pub delay_ms: u32,
}

const fn five_seconds() -> u32 {
    5_000
}

/// Longest wait of `slow`, in milliseconds.
const LONGEST: u32 = 30_000;

/// Detection of model theft and abuse, by key: `docs/guide/abuse.md`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether keys are watched.
    pub enabled: bool,
    /// Most keys that are watched at a time, about 20 KiB of memory each; beyond it the least established are forgotten,
    /// and counted.
    pub max_keys: usize,
    /// Days after which a key has a past to be measured against, if it was used on three of them.
    pub learn_days: u32,
    /// Hours that a signal stays raised after the last request that made it.
    pub hold_hours: u32,
    /// From where on counts are reported.
    pub levels: Levels,
    /// Signals that are usual for some keys.
    pub expect: Vec<Expect>,
    /// What is done besides reporting.
    pub response: Vec<Response>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            max_keys: 2048,
            learn_days: 7,
            hold_hours: 24,
            levels: Levels::default(),
            expect: Vec::new(),
            response: Vec::new(),
        }
    }
}

impl Settings {
    /// Checks what the types do not say.
    ///
    /// # Errors
    /// What is wrong, with the key it is about.
    pub fn check(&self) -> Result<(), String> {
        for measure in Measure::ALL {
            let Level { factor, .. } = self.levels.of(measure);
            if !(1.0..=1000.0).contains(&factor) {
                return Err(format!("`abuse.levels.{measure}.factor` is a number from 1 to 1000"));
            }
        }
        if self.max_keys == 0 || self.max_keys > 1_000_000 {
            return Err("`abuse.max_keys` is a number from 1 to 1000000".to_owned());
        }
        match self.response.iter().find(|row| row.delay_ms == 0 || row.delay_ms > LONGEST) {
            Some(row) => {
                Err(format!("`abuse.response.delay_ms` is a number from 1 to {LONGEST}, and not {}", row.delay_ms))
            }
            None => Ok(()),
        }
    }

    /// True where a signal is usual for a key.
    #[must_use]
    pub fn expects(&self, tenant: &TenantId, key: &str, signal: Signal) -> bool {
        self.expect.iter().any(|row| {
            fits(&row.key, key) && row.tenant.as_ref().is_none_or(|t| t == tenant) && row.signals.contains(&signal)
        })
    }

    /// What is done about requests of a raised signal.
    #[must_use]
    pub fn response(&self, tenant: &TenantId, key: &str, route: &str, signal: Signal) -> (Then, u32) {
        let row = self.response.iter().find(|row| {
            (row.signals.is_empty() || row.signals.contains(&signal))
                && row.key.as_deref().is_none_or(|pattern| fits(pattern, key))
                && row.tenant.as_ref().is_none_or(|t| t == tenant)
                && row.route.as_deref().is_none_or(|name| name == route)
        });
        row.map_or((Then::Report, 0), |row| (row.then, row.delay_ms))
    }
}

fn fits(pattern: &str, key: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => key.starts_with(prefix),
        None => pattern == key,
    }
}
