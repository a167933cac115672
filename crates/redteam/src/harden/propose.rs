//! Changes that would stop what worked: words, thresholds, lines of the policy of tool calls.

use std::collections::BTreeMap;

use bartizan_client::Answer;
use bartizan_core::{Severity, Source};
use bartizan_policy::Thresholds;
use bartizan_rules::Topic;
use bartizan_rules::topic::Wanted;

use super::bench::Bench;
use super::case::Case;
use super::change::Change;
use super::effect::{HeldOut, Trying};
use super::phrase::{Attack, Harmless, covering, telling};
use super::{Group, Proposal};
use crate::error::RedteamError;
use crate::evidence::Seen;
use crate::probe::Proof;

/// Words that stand within so many words of one another are about the same.
const NEAR: usize = 12;

/// Most groups that rules are made for.
const GROUPS: usize = 40;

/// Everything worth proposing.
pub(super) fn all(
    trying: &Trying<'_>,
    groups: &[Group],
    harmless: &Harmless,
    most_blocked: f64,
) -> Result<Vec<Proposal>, RedteamError> {
    let mut out = Vec::new();
    for (at, group) in groups.iter().enumerate().take(GROUPS) {
        out.extend(words(trying, (at, group), harmless, most_blocked)?);
    }
    out.extend(thresholds(trying, most_blocked));
    out.extend(calls(trying)?);
    Ok(out)
}

/// Rules about words for a group: phrases of its attacks, or words of them near each other; what does better.
fn words(
    trying: &Trying<'_>,
    (at, group): (usize, &Group),
    harmless: &Harmless,
    most_blocked: f64,
) -> Result<Option<Proposal>, RedteamError> {
    let made_from = trying.made_from(Some(group));
    let pack = &trying.given.work.pack;
    let about = |attack: &super::Shortest| {
        let place = pack.probe.iter().position(|p| p.id == attack.probe)?;
        made_from.contains(&(place, attack.wording)).then(|| pack.probe.get(place)?.attacks.get(attack.wording))?
    };
    let attacks: Vec<Attack<'_>> =
        group.attacks.iter().filter_map(|a| Some(Attack { whole: about(a)?, core: &a.text })).collect();
    let telling = telling(&attacks, harmless);
    let mut topics = vec![topic(covering(&attacks, harmless), 1)];
    if telling.len() >= 3 {
        topics.push(topic(telling.clone(), 3));
        topics.push(topic(telling, 2));
    }
    let mut best: Option<Proposal> = None;
    for topic in topics.into_iter().filter(|t| !t.words.is_empty()) {
        let change = Change::Topic(topic);
        let with = match change.over(trying.given.settings) {
            Ok(settings) => Bench::of_rule(&settings, change.rule().as_deref().unwrap_or_default())?,
            Err(_) => continue,
        };
        let stops = |case: &Case<'_>| with.stops(case).is_some();
        let effect = trying.effect(stops);
        let is_fit = effect.gained() > 0 && share(effect.lost(), effect.blocked_after.of) <= most_blocked;
        if !is_fit {
            continue;
        }
        let held_out = trying.held_out(&made_from, stops);
        let proposal = Proposal { id: change.id(), change, group: Some(at), effect, held_out };
        let worth = |p: &Proposal| {
            (p.held_out.wordings.0 + p.held_out.ways.0 + p.effect.gained(), std::cmp::Reverse(p.effect.lost()))
        };
        if best.as_ref().is_none_or(|b| worth(&proposal) > worth(b)) {
            best = Some(proposal);
        }
    }
    Ok(best)
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run")]
fn share(hits: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { hits as f64 / of as f64 }
}

/// A topic of these words; its name depends on them.
fn topic(words: Vec<String>, count: usize) -> Topic {
    let within = (count > 1).then_some(NEAR);
    let mut topic =
        Topic { name: String::new(), words, mode: Wanted::Deny, exact: false, count, within, severity: Severity::High };
    topic.name = format!("harden-{}", Change::Topic(topic.clone()).id().trim_start_matches('h'));
    topic
}

/// Lower thresholds of the classifier, one for each place that texts are from: as low as harmless texts allow.
fn thresholds(trying: &Trying<'_>, most_blocked: f64) -> Vec<Proposal> {
    let scored = |cases: &[&Case<'_>]| -> Vec<BTreeMap<Source, f32>> {
        cases.iter().map(|case| trying.live.scores(case).into_iter().collect()).collect()
    };
    let (attacks, harmless) = (scored(trying.open), scored(&trying.harmless));
    if attacks.is_empty() {
        return Vec::new();
    }
    let variants = trying.variants(&trying.made_from(None));
    let [ways, wordings] = variants.each_ref().map(|cases| scored(&cases.iter().collect::<Vec<_>>()));
    let mut out = Vec::new();
    for source in [Source::User, Source::Tool, Source::Document] {
        let Some(now) = trying.given.settings.policy.injection.of(source) else { continue };
        let all = trying.run.benign.iter().filter(|case| !case.unseen).count();
        let seen = trying.harmless.iter().zip(&harmless).filter(|(case, _)| !case.unseen);
        let mut clean: Vec<f32> = seen.filter_map(|(_, s)| s.get(&source).copied()).collect();
        clean.sort_by(|a, b| b.total_cmp(a));
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count"
        )]
        let allowed = (all as f64 * most_blocked).floor() as usize;
        // Just above the first harmless text that has to pass, in steps of a thousandth.
        let highest = clean.get(allowed).copied().unwrap_or(0.0);
        let lowest = ((highest * 1000.0).floor() + 1.0) / 1000.0;
        let reached = attacks.iter().filter_map(|s| s.get(&source).copied()).filter(|s| *s >= lowest);
        // No lower than the attacks need.
        let Some(needed) = reached.min_by(f32::total_cmp) else { continue };
        let block = ((needed * 1000.0).floor() / 1000.0).max(lowest);
        let shipped = Thresholds::default().of(source).map_or(0.0, |(flag, _)| flag);
        if block >= now.1 || block < 0.5_f32.min(shipped) {
            continue;
        }
        let change = Change::Threshold { source, block };
        let stops = |scores: &BTreeMap<Source, f32>| scores.get(&source).is_some_and(|score| *score >= block);
        let each = |scored: &[BTreeMap<Source, f32>]| scored.iter().map(stops).collect::<Vec<bool>>();
        let effect = trying.effect_of(&each(&attacks), &each(&harmless));
        if effect.gained() == 0 {
            continue;
        }
        let count =
            |scored: &[BTreeMap<Source, f32>]| (scored.iter().filter(|s| stops(s)).count() as u64, scored.len() as u64);
        let held_out = HeldOut { ways: count(&ways), wordings: count(&wordings), wordless: false };
        out.push(Proposal { id: change.id(), change, group: None, effect, held_out });
    }
    out
}

/// Lines for tools that were called although the call was the attack's.
fn calls(trying: &Trying<'_>) -> Result<Vec<Proposal>, RedteamError> {
    let mut tools: BTreeMap<&str, u64> = BTreeMap::new();
    for case in trying.open {
        let wanted = match trying.given.work.probe(case.cell).map(|p| &p.proof) {
            Some(Proof::Call { tool, .. }) => Some(tool.as_str()),
            _ => None,
        };
        let called = |name: &str| {
            case.turns.iter().any(|t| match &t.seen {
                Seen::Answer(Answer::Reply(reply)) => reply.calls.iter().any(|c| c.name == name),
                _ => false,
            })
        };
        if let Some(tool) = wanted.filter(|tool| called(tool)) {
            *tools.entry(tool).or_default() += 1;
        }
    }
    let mut out = Vec::new();
    for tool in tools.into_keys() {
        for need in ["user", "ask"] {
            let change = Change::Call { tool: tool.to_owned(), need: need.to_owned() };
            let Ok(settings) = change.over(trying.given.settings) else { break };
            let with = Bench::new(&settings)?;
            // Only calls of this tool can be decided otherwise.
            let calls = |case: &Case<'_>| {
                case.turns.iter().any(|t| match &t.seen {
                    Seen::Answer(Answer::Reply(reply)) => reply.calls.iter().any(|c| c.name == tool),
                    _ => false,
                })
            };
            let effect = trying.effect(|case| calls(case) && with.stops(case).is_some());
            if effect.gained() > 0 {
                let held_out = HeldOut { wordless: true, ..HeldOut::default() };
                out.push(Proposal { id: change.id(), change, group: None, effect, held_out });
                break;
            }
        }
    }
    Ok(out)
}
