//! Answers of several wordings that one trigger calls: their groups taken together.

use std::collections::{BTreeMap, HashMap};

use super::table::{FEWEST, Table};

/// Share of the rows of a group that a trigger has to be in.
const IN: usize = 80;
/// Most features of a group that are followed.
const FOLLOWED: usize = 12;
/// Most groups that are put together.
const MOST: usize = 400;

/// Rows of several groups that share a feature nearly nobody else has, with the number of the largest of the
/// groups; those of passages come first.
pub(crate) fn merged(table: &Table, groups: &[&[u32]], passages: &[bool]) -> Vec<(usize, Vec<u32>)> {
    let mut by_feature: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (number, rows) in groups.iter().enumerate() {
        let mut counts: HashMap<u32, usize> = HashMap::new();
        for row in *rows {
            table.of(*row as usize).iter().for_each(|feature| *counts.entry(*feature).or_default() += 1);
        }
        let mut pure: Vec<(u32, u32)> = counts
            .into_iter()
            .filter(|(_, k)| *k >= FEWEST as usize && k * 100 >= rows.len() * IN)
            .filter_map(|(feature, _)| Some((table.feature(feature)?.count, feature)))
            // A feature of many more rows has nothing to do with this group.
            .filter(|(count, _)| *count as usize <= rows.len().saturating_mul(16))
            .collect();
        pure.sort_unstable();
        pure.iter().take(FOLLOWED).for_each(|(_, feature)| by_feature.entry(*feature).or_default().push(number));
    }
    let mut found: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
    for (feature, numbers) in by_feature.into_iter().filter(|(_, numbers)| numbers.len() > 1) {
        let all = || numbers.iter().filter_map(|number| Some((*number, *groups.get(*number)?)));
        let Some((_, one)) = all().max_by_key(|(number, rows)| (rows.len(), std::cmp::Reverse(*number))) else {
            continue;
        };
        // What the answers say is better told by passages than by words that several of them have.
        let told = |number: usize| passages.get(number).copied().unwrap_or(false);
        let best = all().max_by_key(|(number, rows)| (told(*number), rows.len(), std::cmp::Reverse(*number)));
        let Some((largest, _)) = best else {
            continue;
        };
        // A word stands in many answers: of those that have it alone, only rows with the feature belong here.
        let has = |row: u32| table.of(row as usize).binary_search(&feature).is_ok();
        let mut rows: Vec<u32> = all()
            .flat_map(|(number, rows)| rows.iter().copied().filter(move |row| told(number) || has(*row)))
            .collect();
        rows.sort_unstable();
        rows.dedup();
        let count = table.feature(feature).map_or(0, |f| f.count as usize);
        // Groups that hold one another are wordings of one kind, and already judged.
        if rows.len() * 10 >= one.len() * 12 && rows.len() * 2 >= count && found.len() < MOST {
            found.entry(rows).or_insert(largest);
        }
    }
    found.into_iter().map(|(rows, largest)| (largest, rows)).collect()
}
