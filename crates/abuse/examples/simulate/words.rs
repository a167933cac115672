//! A language: words by rank, subjects, and sentences about them.

use bartizan_stats::SplitMix64;

/// Words of the language.
const VOCABULARY: usize = 60_000;
/// Words that stand in every text.
const COMMON: usize = 150;
/// Subjects.
pub(crate) const TOPICS: usize = 200;
/// Words of a subject.
const OWN: usize = 600;

/// A language with subjects.
pub(crate) struct Language {
    words: Vec<String>,
    topics: Vec<Vec<u32>>,
}

/// A rank of a Zipf distribution with exponent one.
fn zipf(random: &mut SplitMix64, most: usize) -> usize {
    let rank = ((most as f64 + 1.0).powf(random.unit())) as usize;
    rank.clamp(1, most) - 1
}

fn spell(random: &mut SplitMix64) -> String {
    const ONSET: [&str; 16] = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "pl"];
    const NUCLEUS: [&str; 8] = ["a", "e", "i", "o", "u", "ai", "ou", "ea"];
    const CODA: [&str; 8] = ["", "", "n", "r", "s", "t", "l", "nd"];
    let mut word = String::new();
    for _ in 0..2 + random.below(3) {
        word.push_str(ONSET[random.below(16)]);
        word.push_str(NUCLEUS[random.below(8)]);
        word.push_str(CODA[random.below(8)]);
    }
    word
}

impl Language {
    pub(crate) fn new() -> Self {
        let mut random = SplitMix64::new(1);
        let words = (0..VOCABULARY).map(|_| spell(&mut random)).collect();
        let topics = (0..TOPICS)
            .map(|_| (0..OWN).map(|_| (COMMON + random.below(VOCABULARY - COMMON)) as u32).collect())
            .collect();
        Self { words, topics }
    }

    fn at(&self, rank: usize) -> &str {
        &self.words[rank % VOCABULARY]
    }

    /// A word that nobody has used: a name, an identifier, a slip.
    pub(crate) fn fresh(random: &mut SplitMix64) -> String {
        spell(random) + &spell(random)
    }

    /// One word about a subject.
    pub(crate) fn word(&self, topic: usize, random: &mut SplitMix64) -> String {
        let share = random.unit();
        if share < 0.45 {
            self.at(zipf(random, COMMON)).to_owned()
        } else if share < 0.85 {
            self.at(self.topics[topic % TOPICS][zipf(random, OWN)] as usize).to_owned()
        } else if share < 0.985 {
            self.at(COMMON + zipf(random, VOCABULARY - COMMON)).to_owned()
        } else {
            Self::fresh(random)
        }
    }

    /// A word of the subject itself.
    pub(crate) fn own(&self, topic: usize, random: &mut SplitMix64) -> String {
        self.at(self.topics[topic % TOPICS][random.below(OWN)] as usize).to_owned()
    }

    /// Any word of a list of so many.
    pub(crate) fn any(&self, most: usize, random: &mut SplitMix64) -> String {
        self.at(random.below(most)).to_owned()
    }

    /// So many words about a subject.
    pub(crate) fn text(&self, topic: usize, words: usize, random: &mut SplitMix64) -> String {
        let mut text = String::with_capacity(words * 8);
        for _ in 0..words {
            text.push_str(&self.word(topic, random));
            text.push(' ');
        }
        text
    }

    /// Distinct words of three letters or more in the first so many words of texts about many subjects.
    pub(crate) fn growth(&self, counts: &[usize]) -> Vec<usize> {
        let mut random = SplitMix64::new(2);
        let (mut seen, mut total, mut out) = (std::collections::HashSet::new(), 0, Vec::new());
        for count in counts {
            while total < *count {
                let topic = random.below(TOPICS);
                for _ in 0..20 {
                    seen.insert(self.word(topic, &mut random));
                }
                total += 20;
            }
            out.push(seen.len());
        }
        out
    }
}
