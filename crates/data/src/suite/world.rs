//! Clean corpora that are made: sentences over an invented vocabulary with the shape of English words, with topics, word
//! frequencies by Zipf's law, labels that words speak for and against, and answers that take up their questions.

use std::collections::BTreeSet;

use super::{Dice, Made};

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
}

/// A clean corpus.
#[must_use]
pub fn clean(labelled: bool, rows: usize, seed: u64) -> Vec<Made> {
    let mut world = World::new(seed);
    (0..rows).map(|_| if labelled { world.review() } else { world.pair() }).collect()
}
