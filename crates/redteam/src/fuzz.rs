//! Search for attacks that the guard lets through: mutation guided by which rules fire.
//!
//! A candidate is a wording of an attack in a chain of ways of writing that a reader can undo, so what is found is still an
//! attack. Candidates that make a new set of rules fire are kept and mutated further (coverage-guided, as fuzzers of
//! programs do with branches), and those that score lower are preferred. No model is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bartizan_core::{Source, Verdict};
use bartizan_guard::Guard;
use bartizan_stats::SplitMix64;
use bartizan_transform::Way;
use serde::Serialize;

use crate::error::RedteamError;
use crate::probe::{Channel, Pack};
use crate::scene::Chain;

/// Most ways on one another.
const DEPTH: usize = 3;

/// Most candidates that one worker keeps.
const KEPT: usize = 512;

/// Longest text that is tried, bytes: encodings on encodings grow fast.
const LONGEST: usize = 16 << 10;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Fuzz {
    /// Prompts in all.
    pub prompts: u64,
    /// Workers.
    pub threads: usize,
    /// Seed. The same prompts are tried for the same seed, number and workers.
    pub seed: u64,
}

/// An attack that was let through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evasion {
    /// The probe.
    pub probe: String,
    /// The wording.
    pub wording: usize,
    /// How it was written.
    pub chain: String,
    /// True where the classifier's training texts were written so.
    pub seen_in_training: bool,
    /// The classifier's score, where it has one.
    pub score: Option<f64>,
    /// The text.
    pub text: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Fuzzed {
    /// Prompts that were tried.
    pub prompts: u64,
    /// Of these let through.
    pub passed: u64,
    /// Seconds.
    pub seconds: f64,
    /// Wordings that the guard stops as they are.
    pub stopped: usize,
    /// Wordings that it lets through as they are: nothing had to be searched for.
    pub open: usize,
    /// For each wording that it stops, the way found that has the fewest links and then the lowest score.
    pub evasions: Vec<Evasion>,
    /// Sets of rules that fired, and how often.
    pub coverage: BTreeMap<String, u64>,
}

/// One of so many.
fn below(random: &mut SplitMix64, bound: usize) -> usize {
    usize::try_from(random.bits() % (bound.max(1) as u64)).unwrap_or(0)
}

/// A wording to start from.
struct Start {
    probe: String,
    wording: usize,
    text: String,
}

#[derive(Clone)]
struct Candidate {
    start: usize,
    links: Vec<String>,
    score: f64,
}

/// Searches.
///
/// # Errors
/// The pack has no attack of a user that the guard stops as it is.
pub fn fuzz(guard: &Guard, pack: &Pack, how: Fuzz) -> Result<Fuzzed, RedteamError> {
    let begun = Instant::now();
    let users = pack.probe.iter().filter(|p| p.channel == Channel::User);
    let all: Vec<Start> = users
        .flat_map(|p| {
            p.attacks.iter().enumerate().map(|(wording, text)| Start {
                probe: p.id.clone(),
                wording,
                text: text
                    .replace("{{left}}", "bodego")
                    .replace("{{right}}", "519284")
                    .replace("{{canary}}", "bodego519284"),
            })
        })
        .collect();
    let (starts, open): (Vec<Start>, Vec<Start>) =
        all.into_iter().partition(|s| guard.check_text(&s.text, Source::User).verdict >= Verdict::Hold);
    if starts.is_empty() {
        return Err(RedteamError::Plan(
            "the guard stops none of the attacks as they are: nothing to get past".to_owned(),
        ));
    }
    let names: Vec<String> =
        Way::all().map(|w| w.name().to_owned()).chain(pack.frames.keys().map(|f| format!("frame:{f}"))).collect();
    let threads = how.threads.max(1);
    let each = how.prompts.div_ceil(threads as u64);
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|at| {
                let (starts, names) = (&starts, &names);
                let random = SplitMix64::new(how.seed ^ (at as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93));
                scope.spawn(move || work(guard, pack, (starts, names), each, random))
            })
            .collect();
        workers.into_iter().filter_map(|w| w.join().ok()).collect()
    });
    let mut fuzzed = Fuzzed { stopped: starts.len(), open: open.len(), ..Fuzzed::default() };
    let mut best: BTreeMap<usize, (usize, Evasion)> = BTreeMap::new();
    for part in parts {
        fuzzed.prompts += part.prompts;
        fuzzed.passed += part.passed;
        for (set, n) in part.coverage {
            *fuzzed.coverage.entry(set).or_default() += n;
        }
        for (start, (links, evasion)) in part.best {
            let better = best.get(&start).is_none_or(|(l, e)| rank(links, &evasion) < rank(*l, e));
            if better {
                best.insert(start, (links, evasion));
            }
        }
    }
    fuzzed.evasions = best.into_values().map(|(_, e)| e).collect();
    fuzzed.seconds = begun.elapsed().max(Duration::from_nanos(1)).as_secs_f64();
    Ok(fuzzed)
}

/// Fewer links first, then the lower score, then by name so that the answer does not depend on who found it.
fn rank(links: usize, evasion: &Evasion) -> (usize, u64, &str) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a score is from 0 to 1")]
    let score = (evasion.score.unwrap_or(0.0).clamp(0.0, 1.0) * 1e6) as u64;
    (links, score, &evasion.chain)
}

#[derive(Default)]
struct Part {
    prompts: u64,
    passed: u64,
    coverage: BTreeMap<String, u64>,
    best: BTreeMap<usize, (usize, Evasion)>,
}

fn work(
    guard: &Guard,
    pack: &Pack,
    (starts, names): (&[Start], &[String]),
    prompts: u64,
    mut random: SplitMix64,
) -> Part {
    let mut part = Part::default();
    let mut seen: BTreeSet<(usize, String)> = BTreeSet::new();
    let mut kept: Vec<Candidate> =
        (0..starts.len()).map(|start| Candidate { start, links: Vec::new(), score: 1.0 }).collect();
    while part.prompts < prompts {
        // The better of two, so that low scores are mutated more often.
        let (a, b) = (below(&mut random, kept.len()), below(&mut random, kept.len()));
        let (Some(one), Some(two)) = (kept.get(a), kept.get(b)) else { break };
        let mut candidate = if one.score <= two.score { one.clone() } else { two.clone() };
        mutate(&mut candidate, names, &mut random);
        part.prompts += 1;
        let name = if candidate.links.is_empty() { "plain".to_owned() } else { candidate.links.join("+") };
        let (Some(start), Ok(chain)) = (starts.get(candidate.start), Chain::parse(&name, pack)) else { continue };
        let text = chain.apply(&start.text);
        if text.len() > LONGEST {
            continue;
        }
        let decision = guard.check_text(&text, Source::User);
        let score = decision.scores.injection;
        candidate.score = score.map_or(0.0, f64::from);
        if decision.verdict < Verdict::Hold {
            part.passed += 1;
            let evasion = Evasion {
                probe: start.probe.clone(),
                wording: start.wording,
                chain: name.clone(),
                seen_in_training: chain.seen_in_training(),
                score: score.map(f64::from),
                text,
            };
            let links = candidate.links.len();
            let better = part.best.get(&candidate.start).is_none_or(|(l, e)| rank(links, &evasion) < rank(*l, e));
            if better {
                part.best.insert(candidate.start, (links, evasion));
            }
        }
        let rules: BTreeSet<&str> = decision.findings.iter().map(|f| f.rule.as_str()).collect();
        let set = rules.into_iter().collect::<Vec<_>>().join(" ");
        *part.coverage.entry(set.clone()).or_default() += 1;
        if seen.insert((candidate.start, set)) {
            if kept.len() < KEPT {
                kept.push(candidate);
            } else if let Some(slot) = kept.get_mut(below(&mut random, KEPT)) {
                *slot = candidate;
            }
        }
    }
    part
}

/// Adds, takes away or replaces a link, or goes over to another wording.
fn mutate(candidate: &mut Candidate, names: &[String], random: &mut SplitMix64) {
    let Some(name) = names.get(below(random, names.len())).cloned() else { return };
    let at = below(random, candidate.links.len() + 1);
    match below(random, 4) {
        0 if candidate.links.len() > at => {
            candidate.links.remove(at);
        }
        1 if candidate.links.len() > at => {
            if let Some(link) = candidate.links.get_mut(at) {
                *link = name;
            }
        }
        _ if candidate.links.len() < DEPTH => candidate.links.insert(at, name),
        _ => candidate.links = vec![name],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_gets_past_the_guard() {
        let guard = Guard::new(&bartizan_guard::Settings::default()).unwrap();
        let pack = Pack::built_in().unwrap();
        let how = Fuzz { prompts: 600, threads: 2, seed: 3 };
        let fuzzed = fuzz(&guard, &pack, how).unwrap();
        assert_eq!(fuzzed.prompts, 600);
        for evasion in &fuzzed.evasions {
            assert!(guard.check_text(&evasion.text, Source::User).verdict < Verdict::Hold, "{}", evasion.chain);
        }
        let again = fuzz(&guard, &pack, how).unwrap();
        assert_eq!((again.passed, again.evasions, again.coverage), (fuzzed.passed, fuzzed.evasions, fuzzed.coverage));
    }
}
