//! One decision under way: what it may still look at, and what it has found out already.
//!
//! Who writes a request chooses how many values there are to compare with how many others. Each reader says what it looks
//! at before it looks; where that is too much, nothing more is found and the call is not let through.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::ops::Deref;
use std::rc::Rc;

use super::decide::Trace;
use super::history::{History, Outcome, Place};
use super::text::{Shape, Words, stem, tokens};
use super::tool::Role;
use super::value::Leaf;

/// Most values that one decision compares.
pub(super) const WORK: usize = 1_000_000;
/// Bytes of a text that are searched in the time in which one value is compared.
const BYTES: usize = 64;
/// Most bytes that are searched for nothing but an explanation.
const EXPLAINED: usize = 16 << 20;

/// A decision on a history. Everything in it is a function of both, and found out once.
pub(super) struct Decider<'a> {
    history: &'a History,
    left: Cell<usize>,
    spent: Cell<bool>,
    explained: Cell<usize>,
    /// By the name of the argument, its role and the value.
    pub(super) traces: Known<(String, Role, String), (Trace, Option<Place>)>,
    results: Vec<OnceCell<Box<Sight<'a>>>>,
    quotes: OnceCell<bool>,
    mailboxes: OnceCell<HashMap<String, Only<&'a str>>>,
    pub(super) worked_out: OnceCell<bool>,
}

impl Deref for Decider<'_> {
    type Target = History;

    fn deref(&self) -> &History {
        self.history
    }
}

/// Answers to questions that come again.
#[derive(Debug)]
pub(super) struct Known<Q, A>(RefCell<HashMap<Q, A>>);

impl<Q, A> Default for Known<Q, A> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<Q: Eq + Hash, A: Clone> Known<Q, A> {
    /// The answer to a question that may ask others in turn.
    pub(super) fn ask(&self, question: Q, find: impl FnOnce() -> A) -> A {
        if let Some(answer) = self.0.borrow().get(&question) {
            return answer.clone();
        }
        let answer = find();
        self.0.borrow_mut().insert(question, answer.clone());
        answer
    }
}

/// One of a kind, or one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Only<T> {
    One(T),
    Several,
}

impl<T: Copy + PartialEq> Only<T> {
    /// True where there is no other.
    pub(super) fn is(self, one: T) -> bool {
        self == Self::One(one)
    }

    fn note<Q: Eq + Hash>(all: &mut HashMap<Q, Self>, key: Q, one: T) {
        match all.entry(key) {
            Entry::Vacant(at) => _ = at.insert(Self::One(one)),
            Entry::Occupied(mut at) if !at.get().is(one) => _ = at.insert(Self::Several),
            Entry::Occupied(_) => {}
        }
    }
}

/// Whether the user's words point at a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pointed {
    No,
    /// By an address in it, which points at all of it but itself.
    By(usize),
    Yes,
}

/// A value of a field by which records of a list can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rival<'a> {
    pub(super) record: usize,
    pub(super) folded: &'a str,
    /// The user's words hold the value itself; else they point at its record.
    pub(super) said: bool,
}

/// What is known of one result.
pub(super) struct Sight<'a> {
    outcome: &'a Outcome,
    /// Leaves by their record.
    rows: Vec<usize>,
    families: HashMap<&'a str, Family>,
    /// In which record a value stands.
    values: OnceCell<HashMap<&'a str, Only<usize>>>,
    /// In which record a value of a family stands.
    fields: OnceCell<HashMap<(&'a str, &'a str), Only<usize>>>,
    /// Which value of a family holds a word.
    words: RefCell<HashMap<&'a str, HashMap<String, Only<&'a str>>>>,
    pub(super) pointed: Known<usize, Pointed>,
    /// By how many lookups are followed.
    pub(super) looked_up: Known<u8, bool>,
    pub(super) sole: Known<&'a str, bool>,
    pub(super) spoken_of: Known<&'a str, Option<(usize, usize)>>,
    pub(super) hit: OnceCell<Option<usize>>,
    pub(super) all_meant: OnceCell<bool>,
    pub(super) contesting: Known<&'a str, Rc<[Rival<'a>]>>,
    pub(super) rivals: Known<&'a str, Rc<[Rival<'a>]>>,
}

/// The leaves of the same list.
#[derive(Debug, Default)]
struct Family {
    leaves: Vec<usize>,
    /// They are of more than one record.
    several: bool,
}

impl<'a> Sight<'a> {
    fn new(outcome: &'a Outcome) -> Self {
        let leaves = &outcome.parts.leaves;
        let mut rows: Vec<usize> = (0..leaves.len()).collect();
        rows.sort_by_key(|i| leaves.get(*i).map(|l| l.record));
        let mut families: HashMap<&str, Family> = HashMap::new();
        for (i, leaf) in leaves.iter().enumerate() {
            let family = families.entry(&leaf.family).or_default();
            let last = family.leaves.last().and_then(|last| leaves.get(*last));
            family.several |= last.is_some_and(|last| last.record != leaf.record);
            family.leaves.push(i);
        }
        Self {
            outcome,
            rows,
            families,
            values: OnceCell::new(),
            fields: OnceCell::new(),
            words: RefCell::default(),
            pointed: Known::default(),
            looked_up: Known::default(),
            sole: Known::default(),
            spoken_of: Known::default(),
            hit: OnceCell::new(),
            all_meant: OnceCell::new(),
            contesting: Known::default(),
            rivals: Known::default(),
        }
    }

    fn leaf(&self, at: usize) -> Option<&'a Leaf> {
        self.outcome.parts.leaves.get(at)
    }

    /// The leaves of a record, each with its place.
    pub(super) fn of_record(&self, record: usize) -> impl Iterator<Item = (usize, &'a Leaf)> + '_ {
        let of = |i: &usize| self.leaf(*i).map_or(usize::MAX, |l| l.record);
        let from = self.rows.partition_point(|i| of(i) < record);
        let to = self.rows.partition_point(|i| of(i) <= record);
        self.places(self.rows.get(from..to).unwrap_or_default())
    }

    /// The leaves of a family, each with its place.
    pub(super) fn of_family(&self, family: &str) -> impl Iterator<Item = (usize, &'a Leaf)> + '_ {
        self.places(self.families.get(family).map(|f| f.leaves.as_slice()).unwrap_or_default())
    }

    fn places<'s>(&'s self, at: &'s [usize]) -> impl Iterator<Item = (usize, &'a Leaf)> + 's {
        at.iter().filter_map(|i| Some((*i, self.leaf(*i)?)))
    }

    /// True where no other record holds the value of a leaf.
    pub(super) fn is_alone(&self, leaf: &Leaf) -> bool {
        let values = self.values.get_or_init(|| {
            let mut values = HashMap::new();
            for leaf in &self.outcome.parts.leaves {
                Only::note(&mut values, leaf.folded.as_str(), leaf.record);
            }
            values
        });
        values.get(leaf.folded.as_str()).is_none_or(|only| only.is(leaf.record))
    }

    /// True where there are such fields in several records, and no other holds the value of this one.
    pub(super) fn is_alone_in_family(&self, leaf: &Leaf) -> bool {
        let fields = self.fields.get_or_init(|| {
            let mut fields = HashMap::new();
            for leaf in &self.outcome.parts.leaves {
                Only::note(&mut fields, (leaf.family.as_str(), leaf.folded.as_str()), leaf.record);
            }
            fields
        });
        let only = fields.get(&(leaf.family.as_str(), leaf.folded.as_str()));
        only.is_none_or(|only| only.is(leaf.record))
            && self.families.get(leaf.family.as_str()).is_some_and(|family| family.several)
    }

    /// True where no other value of a leaf's family holds a word.
    pub(super) fn is_only_with(&self, leaf: &'a Leaf, word: &str) -> bool {
        let mut all = self.words.borrow_mut();
        let words = all.entry(&leaf.family).or_insert_with(|| {
            let mut words = HashMap::new();
            for (_, leaf) in self.of_family(&leaf.family) {
                tokens(&leaf.value).for_each(|token| Only::note(&mut words, token, leaf.folded.as_str()));
            }
            words
        });
        words.get(word).is_none_or(|only| only.is(leaf.folded.as_str()))
    }
}

impl<'a> Decider<'a> {
    pub(super) fn new(history: &'a History) -> Self {
        Self {
            history,
            left: Cell::new(WORK),
            spent: Cell::new(false),
            explained: Cell::new(EXPLAINED),
            traces: Known::default(),
            results: history.outcomes.iter().map(|_| OnceCell::new()).collect(),
            quotes: OnceCell::new(),
            mailboxes: OnceCell::new(),
            worked_out: OnceCell::new(),
        }
    }

    /// Takes what is about to be looked at from what may be; false where that is too much.
    pub(super) fn spend(&self, values: usize) -> bool {
        let left = self.left.get().checked_sub(values).filter(|_| !self.spent.get());
        self.left.set(left.unwrap_or_default());
        self.spent.set(left.is_none());
        left.is_some()
    }

    /// The same for bytes that are searched.
    pub(super) fn spend_bytes(&self, bytes: usize) -> bool {
        self.spend(bytes / BYTES + 1)
    }

    /// True where more would have to be looked at than may be.
    pub(super) fn is_spent(&self) -> bool {
        self.spent.get()
    }

    /// True where so many bytes may still be searched for an explanation. What is decided does not rest on it.
    pub(super) fn explains(&self, bytes: usize) -> bool {
        let left = self.explained.get().checked_sub(bytes);
        self.explained.set(left.unwrap_or_default());
        left.is_some()
    }

    /// True where there is still something left for explanations.
    pub(super) fn is_explaining(&self) -> bool {
        self.explained.get() > 0
    }

    /// What has been looked at so far.
    #[cfg(test)]
    pub(super) fn looked_at(&self) -> usize {
        WORK - self.left.get()
    }

    /// A result, and what is known of it.
    pub(super) fn sight(&self, at: usize) -> Option<&Sight<'a>> {
        let outcome = self.history.outcomes.get(at)?;
        Some(self.results.get(at)?.get_or_init(|| Box::new(Sight::new(outcome))))
    }

    /// A leaf and the result that it is in.
    pub(super) fn at(&self, place: Place) -> Option<(&'a Outcome, &'a Leaf)> {
        let outcome = self.history.outcomes.get(place.outcome)?;
        Some((outcome, outcome.parts.leaves.get(place.leaf)?))
    }

    /// True where the user's words hold a value.
    pub(super) fn holds(&self, value: &str, shape: Shape) -> bool {
        self.find(&self.history.user, value, shape)
    }

    /// True where the user's or the operator's do.
    pub(super) fn said(&self, value: &str, shape: Shape) -> bool {
        self.holds(value, shape) || self.find(&self.history.operator, value, shape)
    }

    fn find(&self, words: &Words, value: &str, shape: Shape) -> bool {
        let (found, bytes) = words.find(value, shape);
        self.spend_bytes(bytes) && found
    }

    /// True where the user's words ask with a verb.
    pub(super) fn asks(&self, verb: &str) -> bool {
        self.spend(self.history.user.places(&stem(verb)).len() + 1) && self.history.user.asks(verb)
    }

    /// True where a word of the user's begins like this one.
    pub(super) fn has_like(&self, word: &str) -> bool {
        self.spend(self.history.user.like(word).len() + 1) && self.history.user.has_like(word)
    }

    /// True where the user's words hold a word outside the titles that they quote, or in this one.
    pub(super) fn says_apart(&self, word: &str, own: &str) -> bool {
        let quotes = self.history.quotes(WORK);
        *self.quotes.get_or_init(|| self.spend(quotes.cost)) && quotes.leave(&self.history.user, word, own)
    }

    /// True where no address that was read holds a word before its host, but this one.
    pub(super) fn is_only_mailbox(&self, word: &str, own: &str) -> bool {
        let mailboxes = self.mailboxes.get_or_init(|| {
            let mut mailboxes = HashMap::new();
            for key in self.history.index.keys() {
                let Some((local, _)) = key.rsplit_once('@') else { continue };
                tokens(local).for_each(|token| Only::note(&mut mailboxes, token, key.as_str()));
            }
            mailboxes
        });
        mailboxes.get(word).is_none_or(|only| *only == Only::One(own))
    }

    /// The records of a list in which a field stands, by what it holds, where the user's words point at it: each value
    /// in two records at most, since no more are needed to tell that there is another.
    pub(super) fn chosen(
        &self,
        leaves: impl Iterator<Item = (usize, &'a Leaf)>,
        mut said: impl FnMut(usize, &'a Leaf) -> Option<bool>,
    ) -> Rc<[Rival<'a>]> {
        let mut met: HashMap<(&str, bool), (usize, bool)> = HashMap::new();
        let mut all = Vec::new();
        for (at, leaf) in leaves {
            if !self.spend(1) {
                break;
            }
            let Some(said) = said(at, leaf) else { continue };
            match met.entry((leaf.folded.as_str(), said)) {
                Entry::Vacant(entry) => _ = entry.insert((leaf.record, false)),
                Entry::Occupied(mut entry) if !entry.get().1 && entry.get().0 != leaf.record => {
                    entry.get_mut().1 = true
                }
                Entry::Occupied(_) => continue,
            }
            all.push(Rival { record: leaf.record, folded: &leaf.folded, said });
        }
        all.into()
    }
}
