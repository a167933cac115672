//! `bartizan redteam compare`: two runs of the same attacks.

use std::collections::BTreeMap;
use std::io::Write as _;

use bartizan_redteam::{Step, journal, stats};
use serde::Serialize;

use crate::problem::Problem;
use crate::redteam::args::{CompareArgs, CompareFormat};
use crate::redteam::{JOURNAL, problem};
use crate::{DONE, FOUND};

/// Attacks of a family that both runs made.
#[derive(Clone, Debug, Default, Serialize)]
struct Pair {
    /// Pairs with evidence on both sides.
    pairs: u64,
    /// Worked before.
    before: u64,
    /// Worked after.
    after: u64,
    /// Worked before alone.
    only_before: u64,
    /// Worked after alone.
    only_after: u64,
    /// McNemar's exact test, two-sided.
    p: f64,
    /// The same, adjusted for the number of families by Holm's method.
    p_holm: f64,
}

/// Runs it. Worse after, beyond chance, is a finding.
pub(super) fn run(args: &CompareArgs) -> anyhow::Result<u8> {
    let mut before = BTreeMap::new();
    let mut after = BTreeMap::new();
    for (folder, into) in [(&args.before, &mut before), (&args.after, &mut after)] {
        journal::read(&folder.join(JOURNAL), |record| {
            into.insert(record.name, record.evidence.step);
        })
        .map_err(|e| problem(&e))?;
    }
    let mut families: BTreeMap<String, Pair> = BTreeMap::new();
    let mut benign = Pair::default();
    for (name, one) in &before {
        let Some(two) = after.get(name).filter(|two| **two != Step::Error && *one != Step::Error) else { continue };
        let family = name.split('#').next().unwrap_or_default();
        let is_benign = name.contains("#benign");
        let hit = |step: &Step| if is_benign { *step == Step::Blocked } else { step.is_success() };
        let pair = if is_benign { &mut benign } else { families.entry(family.to_owned()).or_default() };
        pair.pairs += 1;
        pair.before += u64::from(hit(one));
        pair.after += u64::from(hit(two));
        pair.only_before += u64::from(hit(one) && !hit(two));
        pair.only_after += u64::from(!hit(one) && hit(two));
    }
    if families.is_empty() {
        let help = "both have to be runs of the same probes, ways of writing and trials";
        return Err(Problem::new("the two runs have no attack in common").help(help).into());
    }
    let ps: Vec<f64> = families.values().map(|p| stats::mcnemar(p.only_before, p.only_after)).collect();
    for ((pair, p), holm) in families.values_mut().zip(&ps).zip(stats::holm(&ps)) {
        (pair.p, pair.p_holm) = (*p, holm);
    }
    benign.p = stats::mcnemar(benign.only_before, benign.only_after);
    benign.p_holm = benign.p;
    let mut total = Pair::default();
    for pair in families.values() {
        total.pairs += pair.pairs;
        total.before += pair.before;
        total.after += pair.after;
        total.only_before += pair.only_before;
        total.only_after += pair.only_after;
    }
    total.p = stats::mcnemar(total.only_before, total.only_after);
    total.p_holm = total.p;
    let worse = |p: &Pair| p.after > p.before && p.p_holm < 0.05;
    let found = families.values().chain([&total, &benign]).any(worse);
    let mut out = std::io::stdout().lock();
    if args.format == CompareFormat::Json {
        let all = serde_json::json!({ "total": total, "families": families, "false_block": benign, "worse": found });
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
    } else {
        writeln!(out, "{:<28} {:>6} {:>7} {:>7} {:>9}", "family", "pairs", "before", "after", "p (Holm)")?;
        let all = families.iter().map(|(n, p)| (n.as_str(), p));
        for (name, pair) in all.chain([("all", &total), ("harmless texts blocked", &benign)]) {
            let word = if worse(pair) { "  worse" } else { "" };
            writeln!(
                out,
                "{name:<28} {:>6} {:>7} {:>7} {:>9.4}{word}",
                pair.pairs, pair.before, pair.after, pair.p_holm
            )?;
        }
    }
    Ok(if found { FOUND } else { DONE })
}
