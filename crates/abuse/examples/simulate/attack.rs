//! Ways of stealing a model through its front door, and of trying a refused text again.

use bartizan_stats::SplitMix64;

use crate::traffic::Ask;
use crate::words::{Language, TOPICS};

/// Families of attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Random words (Krishna et al., 2020).
    RandomWords,
    /// Natural questions about everything, as for distillation.
    Diverse,
    /// Earlier queries with words exchanged (active learning, Jacobian augmentation: Papernot et al., 2017).
    Active,
    /// One template over a list.
    Template,
    /// Log probabilities of natural texts.
    Logprobs,
    /// One prompt, a bias that changes (Carlini et al., 2024).
    BiasSweep,
    /// Embeddings of short texts about everything.
    Embeddings,
    /// The same three, a little every day.
    SlowDiverse,
    SlowTemplate,
    SlowLogprobs,
    /// A refused text, again and again in other words.
    Retries,
}

impl Family {
    pub(crate) const ALL: [Self; 11] = [
        Self::RandomWords,
        Self::Diverse,
        Self::Active,
        Self::Template,
        Self::Logprobs,
        Self::BiasSweep,
        Self::Embeddings,
        Self::SlowDiverse,
        Self::SlowTemplate,
        Self::SlowLogprobs,
        Self::Retries,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RandomWords => "random words",
            Self::Diverse => "diverse natural questions",
            Self::Active => "active learning",
            Self::Template => "templated enumeration",
            Self::Logprobs => "log probability harvest",
            Self::BiasSweep => "logit bias sweep",
            Self::Embeddings => "embedding dump",
            Self::SlowDiverse => "slow: diverse questions",
            Self::SlowTemplate => "slow: template",
            Self::SlowLogprobs => "slow: log probabilities",
            Self::Retries => "retries of a refused text",
        }
    }

    const fn is_slow(self) -> bool {
        matches!(self, Self::SlowDiverse | Self::SlowTemplate | Self::SlowLogprobs)
    }
}

/// One attacker. `variant` is the half of the parameters: 0 is what levels were chosen on, 1 what is reported.
pub(crate) struct Attacker<'a> {
    family: Family,
    language: &'a Language,
    random: SplitMix64,
    variant: usize,
    per_day: usize,
    templates: Vec<String>,
    pool: Vec<String>,
    core: String,
    sent: u64,
}

impl<'a> Attacker<'a> {
    pub(crate) fn new(family: Family, language: &'a Language, variant: usize, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed ^ (family as u64) << 40 ^ 0xa77a);
        let between = |low: f64, high: f64, random: &mut SplitMix64| (low * (high / low).powf(random.unit())) as usize;
        let per_day = match family {
            Family::SlowDiverse | Family::SlowTemplate => between(60.0, 250.0, &mut random),
            Family::SlowLogprobs => between(60.0, 180.0, &mut random),
            Family::Retries => between(10.0, 60.0, &mut random),
            _ => between(1_000.0, 10_000.0, &mut random),
        };
        let text = |words, random: &mut SplitMix64| {
            let topic = random.below(TOPICS);
            language.text(topic, words, random)
        };
        let templates = (0..[1, 4][variant]).map(|_| text([6, 14][variant], &mut random)).collect();
        let pool = (0..[50, 200][variant]).map(|_| text([12, 22][variant], &mut random)).collect();
        let core = text([18, 30][variant], &mut random);
        Self { family, language, random, variant, per_day, templates, pool, core, sent: 0 }
    }

    fn text(&mut self) -> String {
        let (random, language) = (&mut self.random, self.language);
        match self.family {
            Family::RandomWords => {
                let (list, words) = [(10_000, 8), (30_000, 14)][self.variant];
                (0..words).map(|_| language.any(list, random) + " ").collect()
            }
            Family::Template | Family::SlowTemplate => {
                let template = &self.templates[random.below(self.templates.len())];
                let slot = (0..1 + self.variant).map(|_| language.any(40_000, random) + " ").collect::<String>();
                format!("{template} {slot}")
            }
            Family::Active => {
                let at = random.below(self.pool.len());
                let topic = random.below(TOPICS);
                let change = [0.3, 0.5][self.variant];
                let words = self.pool[at].split_whitespace();
                let words: Vec<String> = words
                    .map(|word| if random.unit() < change { language.own(topic, random) } else { word.to_owned() })
                    .collect();
                let text = words.join(" ");
                self.pool[at].clone_from(&text);
                text
            }
            Family::Retries => {
                let more = 2 + random.below(6);
                let (before, after) = (random.below(TOPICS), random.below(TOPICS));
                let mut core: Vec<&str> = self.core.split_whitespace().collect();
                for _ in 0..1 + 2 * self.variant {
                    core.remove(random.below(core.len()));
                }
                let core = core.join(" ");
                format!("{}{core} {}", language.text(before, more, random), language.text(after, more, random))
            }
            Family::Embeddings => {
                let (topic, words) = (random.below(TOPICS), [6, 20][self.variant]);
                language.text(topic, words, random)
            }
            Family::BiasSweep => self.pool[0].clone(),
            Family::Diverse | Family::SlowDiverse | Family::Logprobs | Family::SlowLogprobs => {
                let (topic, words) = (random.below(TOPICS), [12, 25][self.variant] + random.below(15));
                language.text(topic, words, random)
            }
        }
    }

    /// Its requests of one day.
    pub(crate) fn day(&mut self) -> Vec<Ask> {
        let start = if self.family.is_slow() { 0 } else { 3600 * self.random.below(12) as u32 };
        let span = if self.family.is_slow() || self.family == Family::Retries { 40_000 } else { 36_000 };
        (0..self.per_day)
            .map(|at| {
                self.sent += 1;
                let text = self.text();
                let second = start + (at * span / self.per_day) as u32;
                let mut ask = Ask { second, tokens: text.len() as u64 / 4 + 80, attack: true, ..Ask::default() };
                match self.family {
                    Family::Embeddings => ask.embeds = vec![text],
                    Family::Logprobs | Family::SlowLogprobs => (ask.logprobs, ask.text) = (true, text),
                    Family::BiasSweep => {
                        (ask.logprobs, ask.bias, ask.text) = (self.sent.is_multiple_of(2), Some(self.sent), text);
                    }
                    Family::Retries => (ask.refused, ask.text) = (self.random.unit() < 0.8, text),
                    _ => ask.text = text,
                }
                ask
            })
            .collect()
    }
}
