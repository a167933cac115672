//! Titles of results that the user's words quote: a name in one is a part of the title.

use std::collections::{HashMap, HashSet};

use super::text::{Words, tokens};

/// The words that stand in quoted titles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quotes {
    /// Words of titles in the user's, and how each stands there.
    words: HashMap<String, Apart>,
    /// Steps that it took to find them.
    pub(crate) cost: usize,
}

/// How a word stands in the user's words.
#[derive(Clone, Debug, Default)]
struct Apart {
    /// Outside all titles too.
    free: bool,
    /// In these titles and in no other at the same place.
    titles: HashSet<String>,
}

/// Which titles a place is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cover {
    Nothing,
    One(usize),
    Several,
}

impl Cover {
    fn join(&mut self, other: Self) {
        *self = match *self {
            Self::Nothing => other,
            own if own == other => own,
            _ => Self::Several,
        };
    }
}

impl Quotes {
    /// Finds titles, as written and as compared, in words. After `most` steps it stops.
    pub(crate) fn new<'a>(user: &Words, titles: impl Iterator<Item = (&'a str, &'a str)>, most: usize) -> Self {
        // Titles that begin alike share their first steps, so that all of them are looked for at once.
        let mut steps: HashMap<(usize, &str), usize> = HashMap::new();
        let mut ends: HashMap<usize, Cover> = HashMap::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        let mut names: Vec<&str> = Vec::new();
        for (title, folded) in titles {
            if known.contains_key(folded) {
                continue;
            }
            let words: Option<Vec<&str>> = tokens(title).map(|token| user.word(&token)).collect();
            let Some(words) = words.filter(|words| words.len() > 1) else { continue };
            known.insert(folded, names.len());
            let mut at = 0;
            for word in words {
                let next = steps.len() + 1;
                at = *steps.entry((at, word)).or_insert(next);
            }
            ends.entry(at).or_insert(Cover::Nothing).join(Cover::One(names.len()));
            names.push(folded);
        }
        let mut found = Self::default();
        if names.is_empty() {
            return found;
        }
        let sequence = user.sequence();
        let mut covers = vec![Cover::Nothing; sequence.len()];
        for start in 0..sequence.len() {
            // What the two longest cover, shorter ones cover no better.
            let mut longest = [(0, Cover::Nothing); 2];
            let mut at = 0;
            for (length, word) in sequence.iter().skip(start).enumerate() {
                found.cost += 1;
                let Some(next) = steps.get(&(at, word.as_str())) else { break };
                at = *next;
                if let Some(title) = ends.get(&at) {
                    longest = [(length + 1, *title), longest[0]];
                }
            }
            for (length, title) in longest {
                found.cost += length;
                covers.iter_mut().skip(start).take(length).for_each(|cover| cover.join(title));
            }
            if found.cost > most {
                return found;
            }
        }
        for (word, _) in sequence.iter().zip(&covers).filter(|(_, cover)| **cover != Cover::Nothing) {
            found.words.entry(word.clone()).or_default();
        }
        for (word, cover) in sequence.iter().zip(&covers) {
            let Some(apart) = found.words.get_mut(word) else { continue };
            match cover {
                Cover::Nothing => apart.free = true,
                Cover::One(title) => {
                    apart
                        .titles
                        .extend(names.get(*title).filter(|t| !apart.titles.contains(**t)).map(|t| (*t).to_owned()));
                }
                Cover::Several => {}
            }
        }
        found
    }

    /// True where a word that the user's hold stands outside the titles, or in this one.
    pub(crate) fn leave(&self, user: &Words, word: &str, own: &str) -> bool {
        self.words.is_empty()
            || user.says(word) && self.words.get(word).is_none_or(|apart| apart.free || apart.titles.contains(own))
    }
}
