//! Ordinary traffic of keys of many kinds, day by day.

use bartizan_stats::SplitMix64;

use crate::words::{Language, TOPICS};

/// One request, before it is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    /// Second of the day.
    pub(crate) second: u32,
    /// What the user said last; empty in the middle of an agent's loop.
    pub(crate) text: String,
    pub(crate) logprobs: bool,
    pub(crate) bias: Option<u64>,
    pub(crate) embeds: Vec<String>,
    pub(crate) tokens: u64,
    pub(crate) refused: bool,
    /// Made by whoever steals.
    pub(crate) attack: bool,
}

/// Kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Support,
    Assistant,
    Coding,
    Retrieval,
    Classifier,
    Agent,
    Developer,
    Growing,
    BatchWeekly,
    BatchMonthly,
    BatchAdHoc,
    EvalNightly,
    EvalOccasional,
    Ingest,
    Search,
}

impl Kind {
    pub(crate) const ALL: [Self; 15] = [
        Self::Support,
        Self::Assistant,
        Self::Coding,
        Self::Retrieval,
        Self::Classifier,
        Self::Agent,
        Self::Developer,
        Self::Growing,
        Self::BatchWeekly,
        Self::BatchMonthly,
        Self::BatchAdHoc,
        Self::EvalNightly,
        Self::EvalOccasional,
        Self::Ingest,
        Self::Search,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Support => "support chat, few subjects",
            Self::Assistant => "general assistant",
            Self::Coding => "coding assistant",
            Self::Retrieval => "retrieval with passages",
            Self::Classifier => "classifier with log probabilities",
            Self::Agent => "agent loops, bursts of tokens",
            Self::Developer => "developer, now and then",
            Self::Growing => "support chat that grows 8 % a week",
            Self::BatchWeekly => "weekly batch, one template",
            Self::BatchMonthly => "monthly batch, one template",
            Self::BatchAdHoc => "chat key with two new batch jobs a month",
            Self::EvalNightly => "nightly evaluation, log probabilities",
            Self::EvalOccasional => "developer key, two new benchmarks a month",
            Self::Ingest => "index: first load, daily, monthly re-index",
            Self::Search => "search queries embedded",
        }
    }

    /// What its owner would say is usual for it.
    pub(crate) fn expected(self) -> &'static [bartizan_abuse::Signal] {
        use bartizan_abuse::Signal;
        match self {
            Self::BatchWeekly | Self::BatchMonthly | Self::BatchAdHoc => {
                &[Signal::Probing, Signal::Coverage, Signal::Usage]
            }
            Self::EvalNightly | Self::EvalOccasional => {
                &[Signal::Probing, Signal::Coverage, Signal::Logprobs, Signal::Usage]
            }
            Self::Ingest => &[Signal::Embeddings, Signal::Usage],
            _ => &[],
        }
    }
}

/// One key of a kind.
pub(crate) struct Key<'a> {
    pub(crate) kind: Kind,
    language: &'a Language,
    random: SplitMix64,
    topics: Vec<usize>,
    /// Requests of an ordinary day.
    rate: f64,
    template: String,
    suite: Vec<String>,
    documents: u64,
    label: u64,
}

impl<'a> Key<'a> {
    pub(crate) fn new(kind: Kind, language: &'a Language, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed ^ (kind as u64) << 32 ^ 0x5eed);
        let between = |low: f64, high: f64, random: &mut SplitMix64| low * (high / low).powf(random.unit());
        let (topics, rate) = match kind {
            Kind::Support | Kind::Growing => (3, between(150.0, 1500.0, &mut random)),
            Kind::Assistant => (TOPICS, between(300.0, 3000.0, &mut random)),
            Kind::Coding => (12, between(100.0, 800.0, &mut random)),
            Kind::Retrieval => (6, between(200.0, 1500.0, &mut random)),
            Kind::Classifier => (8, between(300.0, 3000.0, &mut random)),
            Kind::Agent => (10, between(30.0, 200.0, &mut random)),
            Kind::Developer | Kind::EvalOccasional => (20, between(5.0, 60.0, &mut random)),
            Kind::BatchWeekly | Kind::BatchMonthly => (5, between(2.0, 20.0, &mut random)),
            Kind::BatchAdHoc => (4, between(150.0, 1000.0, &mut random)),
            Kind::EvalNightly => (TOPICS, 5.0),
            Kind::Ingest => (10, between(100.0, 800.0, &mut random)),
            Kind::Search => (30, between(500.0, 4000.0, &mut random)),
        };
        let topics = (0..topics).map(|_| random.below(TOPICS)).collect();
        let mut this = Self {
            kind,
            language,
            topics,
            rate,
            template: String::new(),
            suite: Vec::new(),
            documents: 0,
            label: seed,
            random,
        };
        this.template = this.new_template();
        this.suite = (0..600 + this.random.below(1400)).map(|_| this.question()).collect();
        this
    }

    fn topic(&mut self) -> usize {
        // Some subjects come more often than others.
        let share = self.random.unit();
        let at = (share * share * self.topics.len() as f64) as usize;
        self.topics[at.min(self.topics.len() - 1)]
    }

    fn new_template(&mut self) -> String {
        let (topic, words) = (self.topics[0], 12 + self.random.below(30));
        self.language.text(topic, words, &mut self.random)
    }

    fn question(&mut self) -> String {
        let topic = self.random.below(TOPICS);
        let words = 15 + self.random.below(50);
        self.language.text(topic, words, &mut self.random)
    }

    fn say(&mut self, least: usize, most: usize) -> String {
        let topic = self.topic();
        // Most are short, some long.
        let share = self.random.unit();
        let words = least + ((most - least) as f64 * share * share) as usize;
        self.language.text(topic, words, &mut self.random)
    }

    /// In working hours, mostly.
    fn second(&mut self) -> u32 {
        let bell = (self.random.unit() + self.random.unit() + self.random.unit()) / 3.0;
        ((4.0 + 18.0 * bell) * 3600.0) as u32
    }

    fn ordinary(&mut self, text: String, output: u64) -> Ask {
        let tokens = text.len() as u64 / 4 + output + self.random.below(output as usize + 1) as u64;
        Ask { second: self.second(), text, tokens, ..Ask::default() }
    }

    /// Requests of an ordinary day of people.
    fn people(&mut self, day: u32, out: &mut Vec<Ask>) {
        let weekend = day % 7 >= 5;
        let noise = 0.6 + 0.8 * self.random.unit();
        // Now and then a busy day: a launch, an outage, a Monday.
        let busy = if self.random.unit() < 0.03 { 2.0 } else { 1.0 };
        let growth = if self.kind == Kind::Growing { 1.08_f64.powf(f64::from(day) / 7.0) } else { 1.0 };
        let count = self.rate * noise * busy * growth * if weekend { 0.35 } else { 1.0 };
        for _ in 0..count as usize {
            self.person(out);
        }
    }

    fn person(&mut self, out: &mut Vec<Ask>) {
        let (least, most) = match self.kind {
            Kind::Coding => (20, 250),
            Kind::Agent => (15, 120),
            _ => (3, 70),
        };
        match self.kind {
            Kind::Coding => {
                let mut text = self.say(least, most);
                for _ in 0..text.len() / 60 {
                    text.push_str(&Language::fresh(&mut self.random));
                    text.push(' ');
                }
                let ask = self.ordinary(text, 600);
                out.push(ask);
            }
            Kind::Retrieval => {
                let passages = self.say(150, 400);
                let question = self.say(4, 20);
                let text = format!("{} {passages} {question}", self.template);
                let ask = self.ordinary(text, 200);
                out.push(ask);
            }
            Kind::Classifier => {
                let record = self.say(5, 40);
                let text = format!("{} {record}", self.template);
                let ask = self.ordinary(text, 2);
                out.push(Ask { logprobs: true, bias: Some(self.label), ..ask });
            }
            Kind::Agent => {
                let text = self.say(least, most);
                let first = self.ordinary(text, 300);
                let steps = 3 + self.random.below(25);
                for step in 0..steps {
                    let tokens = 2_000 + 800 * step as u64;
                    out.push(Ask { second: first.second + step as u32 * 7, tokens, ..Ask::default() });
                }
                out.push(first);
            }
            Kind::Search => {
                let text = self.say(2, 9);
                let second = self.second();
                out.push(Ask { second, tokens: text.len() as u64 / 4, embeds: vec![text], ..Ask::default() });
            }
            _ => {
                let text = self.say(least, most);
                let refused = self.random.unit() < 0.004;
                let ask = Ask { refused, ..self.ordinary(text, 250) };
                // Who is refused asks again in other words, once or twice.
                if refused {
                    for again in 0..self.random.below(3) {
                        let more = self.say(1, 6);
                        let text = format!("{} {more}", ask.text);
                        let refused = self.random.unit() < 0.7;
                        out.push(Ask { second: ask.second + 30 + 40 * again as u32, text, refused, ..ask.clone() });
                    }
                } else if self.random.unit() < 0.05 {
                    out.push(Ask { second: ask.second + 5, ..ask.clone() });
                } else if self.random.unit() < 0.05 {
                    let more = self.say(1, 4);
                    out.push(Ask { second: ask.second + 20, text: format!("{} {more}", ask.text), ..ask.clone() });
                }
                out.push(ask);
            }
        }
    }

    /// A job over records, one template.
    fn job(&mut self, records: usize, out: &mut Vec<Ask>) {
        let start = 3600 * (1 + self.random.below(20) as u32);
        for record in 0..records {
            let body = self.say(8, 80);
            let text = format!("{} {body}", self.template);
            let tokens = text.len() as u64 / 4 + 60;
            out.push(Ask { second: (start + record as u32 / 2).min(86_399), text, tokens, ..Ask::default() });
        }
    }

    fn evaluation(&mut self, start: u32, out: &mut Vec<Ask>) {
        let shots = self.template.clone();
        for (at, question) in self.suite.iter().enumerate() {
            let text = format!("{shots} {question}");
            let tokens = text.len() as u64 / 4 + 20;
            let second = (start + at as u32 / 3).min(86_399);
            out.push(Ask { second, text, tokens, logprobs: at % 2 == 0, ..Ask::default() });
        }
    }

    fn index(&mut self, documents: usize, out: &mut Vec<Ask>) {
        let start = 3600 * self.random.below(12) as u32;
        for batch in 0..documents.div_ceil(50) {
            let embeds: Vec<String> = (0..50)
                .map(|_| {
                    self.documents += 1;
                    format!("document {} {}", self.label, self.documents)
                })
                .collect();
            out.push(Ask { second: (start + batch as u32).min(86_399), tokens: 50 * 300, embeds, ..Ask::default() });
        }
    }

    /// One day, in order.
    pub(crate) fn day(&mut self, day: u32) -> Vec<Ask> {
        let mut out = Vec::new();
        self.people(day, &mut out);
        let size = |low: usize, high: usize, random: &mut SplitMix64| low + random.below(high - low);
        match self.kind {
            Kind::BatchWeekly if day.is_multiple_of(7) => {
                let records = size(1_000, 3_000, &mut self.random);
                self.job(records, &mut out);
            }
            Kind::BatchMonthly if day % 30 == 12 => {
                let records = size(1_000, 4_000, &mut self.random);
                self.job(records, &mut out);
            }
            Kind::BatchAdHoc if self.random.below(15) == 0 => {
                let kept = std::mem::take(&mut self.template);
                self.template = self.new_template();
                let records = size(100, 3_000, &mut self.random);
                self.job(records, &mut out);
                self.template = kept;
            }
            Kind::EvalNightly => {
                if day % 14 == 13 {
                    for at in 0..self.suite.len() * 3 / 10 {
                        self.suite[at] = self.question();
                    }
                }
                self.evaluation(2 * 3600, &mut out);
            }
            Kind::EvalOccasional if self.random.below(15) == 0 => {
                self.suite = (0..size(500, 4_000, &mut self.random)).map(|_| self.question()).collect();
                self.template = self.new_template();
                self.evaluation(14 * 3600, &mut out);
            }
            Kind::Ingest if day == 0 || day % 30 == 20 => {
                let documents = size(5_000, 20_000, &mut self.random);
                self.index(documents, &mut out);
            }
            Kind::Ingest => {
                let documents = (self.rate * self.random.unit()) as usize;
                self.index(documents, &mut out);
            }
            _ => {}
        }
        out.sort_by_key(|ask| ask.second);
        out
    }
}
