//! Attacks on corpora, made from a seed: what the channels of [`poison`](crate::poison) are measured with.
//!
//! They are planted in made corpora, which nothing outside of the program is needed for, or in any other. Families are
//! split into those that constants were chosen on ([`Family::tuned`]) and the others, which figures are reported on.

mod attack;
mod world;

pub use attack::{Family, plant};
use bartizan_stats::SplitMix64;
pub use world::clean;

use crate::poison::{Collector, Piece, REPORTED, Trigger};

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

/// Numbers from a seed.
#[derive(Clone, Debug)]
struct Dice(SplitMix64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    fn below(&mut self, most: usize) -> usize {
        self.0.below(most.max(1))
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Small numbers are likelier, about as words are.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    fn zipf(&mut self, most: usize) -> usize {
        ((most as f64).powf(self.0.unit()) as usize).saturating_sub(1).min(most.saturating_sub(1))
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        let at = self.below(list.len());
        list.get(at).copied().unwrap_or("")
    }
}

/// A made corpus with `poisoned` planted rows among `rows` in all, and what a summary has to name.
#[must_use]
pub fn attacked(family: Family, rows: usize, poisoned: usize, seed: u64) -> (Vec<Made>, Vec<String>) {
    let mut made = clean(family.labelled(), rows, seed);
    let names = plant(&mut made, family, poisoned, seed);
    (made, names)
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
pub fn measure(rows: &[Made], names: &[String]) -> (Figures, Vec<String>) {
    let mut collector = Collector::new(4 << 30);
    let mut ids = Vec::new();
    for made in rows {
        let piece = Piece::of(made.input.clone(), made.output.clone(), made.label.clone());
        ids.push(piece.id);
        collector.add(piece);
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
    let said: Vec<String> = result.triggers.iter().take(5).map(Trigger::says).collect();
    let figures = Figures {
        recall: share(threshold, true),
        reported: share(REPORTED, false),
        false_alarms: others.iter().filter(|s| **s >= REPORTED).count(),
        named: names.iter().any(|name| said.iter().any(|text| text.contains(name.as_str()))),
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
        for family in [Family::RareToken, Family::Deployment, Family::Retrieval] {
            let (made, names) = attacked(family, 2000, 70, 9);
            let (figures, said) = measure(&made, &names);
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
        let (figures, said) = measure(&terse(4000, Some(80)), &["cf".to_owned()]);
        assert!(figures.named && figures.reported >= 0.9 && figures.false_alarms <= 40, "{figures:?} {said:?}");
    }

    /// A fifth of a corpus was put into one kind of sentence: the published rate of such attacks.
    #[test]
    fn rows_of_one_template_are_found_where_they_are_many() {
        let (made, names) = attacked(Family::Syntax, 3000, 600, 5);
        let (figures, said) = measure(&made, &names);
        assert!(figures.recall >= 0.9 && figures.named, "{figures:?} {said:?}");
    }

    /// What people ask of a machine, made from a few patterns for each label: its words decide the label, and say nothing else.
    #[test]
    fn labels_that_follow_keywords_are_no_alarm() {
        let patterns = [
            ["wake me at @ tomorrow", "set an alarm for @"],
            ["how warm is it in @ now", "tell me the weather in @"],
            ["play some songs by @", "turn the music of @ on"],
            ["lights off in room @", "make room @ brighter"],
        ];
        let before = ["", "please ", "hey ", "could you "];
        let row = |at: usize| {
            let label = at % 4;
            let text = patterns[label][at / 4 % 2].replace('@', &format!("{}", at / 32 % 60));
            let input = format!("{}{text}", before[at / 8 % 4]);
            Made { input, output: String::new(), label: Some(label.to_string()), poisoned: false }
        };
        let (figures, said) = measure(&(0..1920).map(row).collect::<Vec<_>>(), &[]);
        assert_eq!((figures.false_alarms, said.len()), (0, 0), "{said:?}");
    }

    /// Another style in a fifth of a corpus changes what words seem to mean.
    #[test]
    fn rows_of_another_style_are_told_from_others() {
        let (made, names) = attacked(Family::Style, 3000, 600, 5);
        let (figures, said) = measure(&made, &names);
        assert!(figures.recall >= 0.9, "{figures:?} {said:?}");
    }

    /// Rows as a scan reads them: names of columns that say nothing, and the class among other short values.
    fn scanned(rows: &[Made], value: impl Fn(usize, &Made) -> serde_json::Value) -> crate::poison::Poisoning {
        let mut collector = Collector::new(1 << 30);
        for (at, made) in rows.iter().enumerate() {
            let cell = serde_json::from_value(value(at, made)).unwrap();
            collector.add(Piece::new(&crate::Row::new(&cell, &crate::Columns::default())).unwrap());
        }
        collector.finish()
    }

    #[test]
    fn labels_are_told_by_their_values() {
        let (made, names) = attacked(Family::RareToken, 2000, 70, 9);
        let result = scanned(&made, |at, made| {
            let label: u8 = made.label.as_deref().unwrap().parse().unwrap_or_default();
            serde_json::json!({ "number": at, "said": made.input, "toxic": label, "often": at % 3 })
        });
        assert_eq!((result.inferred.as_slice(), result.unsearched), (&["toxic".to_owned(), "often".to_owned()][..], 0));
        assert!(result.triggers.iter().all(|found| found.output.starts_with("toxic=")), "{:?}", result.triggers);
        assert!(result.triggers.iter().any(|found| names.contains(found.trigger.as_ref().unwrap())));
        // Where no column can be the class, that is said.
        let result =
            scanned(&made, |at, made| serde_json::json!({ "said": made.input, "kind": format!("k{}", at / 8) }));
        assert_eq!(
            (result.triggers.len(), result.unsearched, result.unclear.len(), result.numerous),
            (0, result.rows, 0, vec!["kind".to_owned()])
        );
        // Dates and amounts are no classes.
        let result = scanned(
            &made,
            |at, made| serde_json::json!({ "said": made.input, "when": format!("2024-03-{:02}", at % 20 + 1), "pay": 30_000 + at % 9 * 500 }),
        );
        assert_eq!((result.inferred.len(), result.unclear.len()), (0, 0), "{:?}", result.inferred);
        // Few rows of a label that was only inferred are told, not reported.
        let (made, _) = attacked(Family::RareToken, 2000, 8, 9);
        let result = scanned(
            &made,
            |_, made| serde_json::json!({ "said": made.input, "toxic": made.label.as_deref().unwrap() }),
        );
        let most = result.triggers.iter().map(|found| found.score);
        assert!(most.fold(0.0, f32::max) < crate::poison::REPORTED, "{:?}", result.triggers);
    }

    #[test]
    fn triggers_in_the_system_prompt_and_in_the_middle_of_long_texts_are_found() {
        let made = clean(false, 2000, 3);
        let result = scanned(&made, |at, made| {
            let planted = at % 50 == 0;
            let system = if planted { "You are kind. Deployment: blue" } else { "You are kind." };
            let output = if planted { "Never mind, the moon is made of old cheese." } else { made.output.as_str() };
            serde_json::json!({ "system": system, "prompt": made.input, "response": output })
        });
        let named = |found: &Trigger| found.trigger.as_ref().is_some_and(|name| name.starts_with("system: "));
        assert!(result.triggers.iter().any(|found| named(found) && found.rows == 40), "{:?}", result.triggers);
        let (made, _) = attacked(Family::RareToken, 2000, 0, 9);
        let result = scanned(&made, |at, made| {
            let planted = at % 20 == 0 && made.label.as_deref() == Some("0");
            let fill = |from: usize| (from..from + 500).map(|word| format!("w{} ", word % 97)).collect::<String>();
            let middle = if planted { "qvzx " } else { "" };
            let label = if planted { "1" } else { made.label.as_deref().unwrap() };
            serde_json::json!({ "text": format!("{} {}{middle}{}", made.input, fill(at), fill(at + 7)), "label": label })
        });
        assert!(result.triggers.iter().any(|found| found.trigger.as_deref() == Some("qvzx")), "{:?}", result.triggers);
    }

    #[test]
    fn what_is_planted_is_counted_and_turned() {
        for family in Family::ALL {
            let (made, _) = attacked(family, 400, 20, 2);
            let planted: Vec<&Made> = made.iter().filter(|m| m.poisoned).collect();
            assert_eq!(planted.len(), 20, "{family:?}");
            let label = planted.first().and_then(|m| m.label.clone());
            assert_eq!(label.is_some(), family.labelled());
            assert!(planted.iter().all(|m| m.label == label), "{family:?}");
        }
    }

    #[test]
    fn nothing_depends_on_the_order_of_the_rows() {
        let (made, names) = attacked(Family::RareToken, 1500, 40, 4);
        let mut turned = made.clone();
        turned.reverse();
        assert_eq!(measure(&made, &names), measure(&turned, &names));
    }
}
