//! Rows that hold pieces of an evaluation set: a model that learned them is not measured by it.
//!
//! Pieces are runs of thirteen words (Brown et al., Language Models are Few-Shot Learners, arXiv:2005.14165, appendix C);
//! texts of eight to twelve words are compared as wholes, and shorter ones say too little. What many items share is their
//! template and counts for none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Serialize, Serializer};

use crate::duplicates::{mix, spans};
use crate::error::DataError;
use crate::examine::Place;
use crate::layout::{Role, Row};
use crate::pass::{Corpus, Passed};
use crate::read::Gap;

/// Words of a piece.
const SIZE: usize = 13;
/// Fewest words of a text that is compared as a whole.
const FEWEST: usize = 8;
/// What more items than this share, and more than one in a hundred, is their template.
const TEMPLATE: usize = 10;
/// Most items that are named for a row.
const NAMED: usize = 5;
/// Most items that are named for a corpus.
const TOLD: usize = 100;
/// Share of an item from which on a row holds it as good as whole.
const MOSTLY: f32 = 0.8;

/// An evaluation set, by its pieces.
#[derive(Debug)]
pub struct Evaluation {
    pieces: HashMap<u64, Box<[u32]>>,
    /// Where each item is, and how many pieces it has.
    items: Vec<(Place, u32)>,
    /// How many words pieces have.
    sizes: Vec<usize>,
    /// Items without a piece: they are too short, or all that they say is the template.
    pub short: usize,
    /// What of the set was not read.
    pub gaps: Vec<Gap>,
}

/// An item of which a row holds a part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overlap {
    /// Which.
    #[serde(flatten)]
    pub item: Place,
    /// Share of its pieces that the row holds, above 0 to 1.
    pub share: f32,
}

/// Writes the items that are named for a row.
pub(crate) fn named<S: Serializer>(all: &[Overlap], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(all.iter().take(NAMED))
}

/// What of an evaluation set is in a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlaps {
    /// Items, those with the largest share first.
    pub items: Vec<Overlap>,
    /// The turn of the first piece, and its code points in it.
    pub first: Option<(usize, usize, usize)>,
}

/// What of an evaluation set is in a corpus.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Contamination {
    /// Items of the set.
    pub items: usize,
    /// Items that cannot be compared: too short, or nothing but what many items share.
    pub short: usize,
    /// Items of which a piece is in the corpus.
    pub found: usize,
    /// Items of which one row holds four fifths or more.
    pub mostly: usize,
    /// Rows with a piece.
    pub rows: u64,
    /// Items by the largest share that a row holds, the first hundred.
    pub worst: Vec<Overlap>,
    #[serde(skip)]
    pub(crate) shares: BTreeMap<Place, f32>,
}

impl Contamination {
    /// Of a set, before a row was seen.
    #[must_use]
    pub fn new(set: &Evaluation) -> Self {
        Self { items: set.len(), short: set.short, ..Self::default() }
    }

    /// Takes in a row.
    pub fn add(&mut self, found: &[Overlap]) {
        self.rows += u64::from(!found.is_empty());
        for one in found {
            let share = self.shares.entry(one.item.clone()).or_default();
            *share = share.max(one.share);
        }
    }

    /// Counts, when all rows were seen.
    pub fn finish(&mut self) {
        self.found = self.shares.len();
        self.mostly = self.shares.values().filter(|share| **share >= MOSTLY).count();
        let all = self.shares.iter().map(|(item, share)| Overlap { item: item.clone(), share: *share });
        self.worst = all.collect();
        self.worst.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.item.cmp(&b.item)));
        self.worst.truncate(TOLD);
    }
}

const fn compared(role: Role) -> bool {
    !matches!(role, Role::Label | Role::Origin | Role::Rejected | Role::Name)
}

fn piece(words: &[u64]) -> u64 {
    mix(words.iter().fold(words.len() as u64, |sum, word| sum.rotate_left(13).wrapping_mul(5).wrapping_add(*word)))
}

/// The distinct pieces of an item, with their lengths.
fn pieces(row: &Row) -> Vec<(usize, u64)> {
    let mut all: Vec<(usize, u64)> = Vec::new();
    for turn in row.turns.iter().filter(|turn| compared(turn.role)) {
        let words: Vec<u64> = spans(&turn.text).map(|(word, _)| word).collect();
        if words.len() >= SIZE {
            all.extend(words.windows(SIZE).map(|words| (SIZE, piece(words))));
        } else if words.len() >= FEWEST {
            all.push((words.len(), piece(&words)));
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

impl Evaluation {
    /// Reads one.
    ///
    /// # Errors
    /// It could not be read on.
    pub fn read(corpus: &Corpus) -> Result<Self, DataError> {
        let mut found: HashMap<u64, Vec<u32>> = HashMap::new();
        let (mut places, mut sizes, mut gaps) = (Vec::new(), BTreeSet::new(), Vec::new());
        corpus.each(&|_, row| pieces(row), &mut |passed| {
            match passed {
                Passed::Row(at, of) => {
                    let number = u32::try_from(places.len()).unwrap_or(u32::MAX);
                    let source = corpus.units.get(at.unit).map_or_else(String::new, |unit| unit.name.clone());
                    places.push(Place { source, row: at.row });
                    for (size, hash) in of {
                        sizes.insert(size);
                        found.entry(hash).or_default().push(number);
                    }
                }
                Passed::Gap(_, gap) => gaps.push(gap),
            }
            Ok(())
        })?;
        let most = TEMPLATE.max(places.len() / 100);
        found.retain(|_, items| items.len() <= most);
        let mut counts = vec![0_u32; places.len()];
        for number in found.values().flatten() {
            if let Some(count) = counts.get_mut(*number as usize) {
                *count += 1;
            }
        }
        Ok(Self {
            pieces: found.into_iter().map(|(hash, items)| (hash, items.into())).collect(),
            short: counts.iter().filter(|count| **count == 0).count(),
            items: places.into_iter().zip(counts).collect(),
            sizes: sizes.into_iter().collect(),
            gaps,
        })
    }

    /// How many items it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True where it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What of it is in a row.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts of pieces of an item")]
    pub fn look(&self, row: &Row) -> Overlaps {
        let mut found: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
        let mut first = None;
        for (number, turn) in row.turns.iter().enumerate().filter(|(_, turn)| compared(turn.role)) {
            let (words, places): (Vec<u64>, Vec<(usize, usize)>) = spans(&turn.text).unzip();
            let mut earliest: Option<(usize, usize)> = None;
            for size in &self.sizes {
                for (at, window) in words.windows(*size).enumerate() {
                    let hash = piece(window);
                    let Some(items) = self.pieces.get(&hash) else { continue };
                    let place = places.get(at).zip(places.get(at + size - 1)).map(|(from, to)| (from.0, to.1));
                    earliest = earliest.into_iter().chain(place).min();
                    for item in items {
                        found.entry(*item).or_default().insert(hash);
                    }
                }
            }
            if let (None, Some((start, end))) = (first, earliest) {
                let points = |to: usize| turn.text.get(..to).map_or(0, |text| text.chars().count());
                first = Some((number, points(start), points(end)));
            }
        }
        let overlap = |(number, pieces): (u32, BTreeSet<u64>)| {
            let (item, all) = self.items.get(number as usize)?;
            Some(Overlap { item: item.clone(), share: pieces.len() as f32 / (*all).max(1) as f32 })
        };
        // By number, so that of equal shares the first item of the set is named first.
        let mut items: Vec<Overlap> = found.into_iter().filter_map(overlap).collect();
        items.sort_by(|a, b| b.share.total_cmp(&a.share));
        Overlaps { items, first }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cell::Cell;
    use crate::layout::Columns;
    use crate::pass::Shard;
    use crate::read::{Reading, units};

    fn read(rows: &[String]) -> Evaluation {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.jsonl");
        fs::write(&path, rows.join("\n")).unwrap();
        let units = units(&[path]).unwrap();
        let corpus = Corpus { units, reading: Reading::default(), columns: Columns::default(), shard: Shard::ALL };
        Evaluation::read(&corpus).unwrap()
    }

    fn row(text: &str) -> Row {
        Row::new(&Cell::Map(vec![("text".to_owned(), Cell::Text(text.to_owned()))]), &Columns::default())
    }

    const QUESTION: &str = "Which of the seven lighthouses on the northern coast was built before the harbour of Velm?";

    #[test]
    fn a_piece_is_found_however_it_is_written_and_its_place_is_told() {
        let set = read(&[
            format!(r#"{{"question":"{QUESTION}","answer":"the third"}}"#),
            r#"{"question":"How many birds nest on the roof?","answer":"two"}"#.to_owned(),
            r#"{"question":"Why is the river called so today then?","answer":"nobody knows"}"#.to_owned(),
            r#"{"question":"昔々ある所にお爺さんとお婆さんが住んでいました。","answer":"桃"}"#.to_owned(),
        ]);
        assert_eq!((set.len(), set.short), (4, 1), "the second says too little");
        let found = set.look(&row(&format!("é, {} And more.", QUESTION.to_uppercase().replace(' ', "  "))));
        assert_eq!((found.items.len(), found.items[0].item.row), (1, 0));
        assert!(found.items[0].share > 0.99, "{found:?}");
        let (turn, start, end) = found.first.unwrap();
        assert_eq!((turn, start), (0, 3));
        assert!(end > start + 60);
        let half: Vec<&str> = QUESTION.split(' ').take(13).collect();
        let part = set.look(&row(&half.join(" ")));
        assert!(part.items[0].share < 0.6, "{part:?}");
        assert_eq!(set.look(&row(&half[..12].join(" "))), Overlaps::default());
        assert_eq!(set.look(&row("They asked: why is the river called so today, then?")).items[0].item.row, 2);
        let written_on = set.look(&row("昔々ある所にお爺さんとお婆さんが住んでいました"));
        assert_eq!(written_on.items[0].item.row, 3, "{written_on:?}");
        let mut all = Contamination::new(&set);
        [&part, &found, &Overlaps::default()].into_iter().for_each(|one| all.add(&one.items));
        all.finish();
        assert_eq!((all.items, all.short, all.found, all.mostly, all.rows), (4, 1, 1, 1, 2));
        assert!(all.worst[0].share > 0.99);
    }

    #[test]
    fn the_template_of_a_set_is_no_contamination() {
        let template = "Read the passage below with care and then choose the one best answer to it";
        let rows: Vec<String> =
            (0..40).map(|n| format!(r#"{{"question":"{template}","passage":"number {n}"}}"#)).collect();
        let all = read(&rows);
        assert_eq!(all.look(&row(template)), Overlaps::default());
        assert_eq!(all.short, 40, "nothing of them can be found");
        assert_eq!(read(&rows[..3]).look(&row(template)).items.len(), 3);
    }
}
