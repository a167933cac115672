//! What is measured is what is true, at every signal.

use std::sync::Arc;

use bartizan_client::{Budget, Client, Endpoint, Spent};
use bartizan_privacy::canary::{Canary, Manifest, Shape};
use bartizan_privacy::exposure::{self, Effort, Method};
use bartizan_privacy::extraction;
use bartizan_privacy::journal::Asked;
use bartizan_privacy::membership;
use bartizan_privacy::signal::{Probe, Signal};
use bartizan_privacy::stats::Dice;

use crate::memoriser::{Memoriser, Memory, Tells};

const DIGITS: u32 = 5;

/// Canaries of a strength that grows with their count; half of them are not known at all.
fn planted(each: usize, seed: u64) -> (Manifest, Vec<Memory>) {
    let mut dice = Dice::new(seed);
    let (mut canaries, mut memories) = (Vec::new(), Vec::new());
    for (count, strength) in [(1, 0.1), (4, 0.4), (16, 0.8), (64, 0.97)] {
        for number in 0..each {
            let secret: Vec<usize> = (0..DIGITS).map(|_| dice.below(10)).collect();
            let planted = number % 2 == 0;
            let prefix = format!("The registry number of folder {seed}-{count}-{number} is ");
            canaries.push(Canary {
                prefix: prefix.clone(),
                secret: secret.iter().map(ToString::to_string).collect(),
                count,
                planted,
            });
            memories.push(Memory { prefix, secret, strength: if planted { strength } else { 0.0 } });
        }
    }
    let corpus_sha256 = String::new();
    (Manifest { version: 1, digits: DIGITS, shape: Shape::Lines, rows: 0, corpus_sha256, canaries }, memories)
}

fn client(url: &str) -> Client {
    let endpoint =
        Endpoint { url: url.to_owned(), model: "memoriser".to_owned(), concurrency: 4, ..Endpoint::default() };
    Client::new(endpoint, Arc::new(Spent::new(Budget::default(), None))).unwrap()
}

async fn probe(server: &Arc<Memoriser>) -> Probe {
    let url = Arc::clone(server).serve().await;
    Probe::detect(Asked::open(Some(client(&url)), None).unwrap(), Signal::Echo).await.unwrap()
}

fn effort(references: u32, samples: u32) -> Effort {
    Effort { references, samples, within: 10, template: None }
}

#[tokio::test]
async fn exposure_is_right_within_a_bit_with_echo() {
    let (manifest, memories) = planted(6, 1);
    let server = Arc::new(Memoriser::new(memories.clone(), Tells::Echo));
    let probe = probe(&server).await;
    assert_eq!(probe.signal, Signal::Echo);
    let report = exposure::test(&probe, &manifest, &effort(400, 0)).await;
    assert_eq!((report.canaries.len(), report.missing.len()), (24, 0));
    let (mut off, mut outside) = (Vec::new(), Vec::new());
    for one in &report.canaries {
        let memory = &memories[one.canary];
        let truth = memory.exposure();
        let p = memory.log(&memory.secret).exp();
        assert!((one.extraction.value - p).abs() < 1e-9, "{one:?}");
        // What is memorised a little lies beyond the references, and the tail of few digits is not skew-normal.
        let extrapolated = one.method == Method::Fitted && memory.strength < 0.2;
        if (one.exposure.value - truth).abs() > if extrapolated { 2.0 } else { 1.0 } {
            off.push(format!("{} of strength {}: {:?}, in truth {truth}", one.canary, memory.strength, one.exposure));
        }
        if one.exposure.low > truth + 1e-9 || truth > one.exposure.high + 1e-9 {
            outside.push(format!("{one:?}, in truth {truth}"));
        }
    }
    assert!(outside.len() * 100 <= 7 * report.canaries.len(), "{}", outside.join("\n"));
    assert!(off.is_empty(), "{}", off.join("\n"));
    let groups: Vec<f64> = report.groups.iter().map(|g| g.exposure.unwrap().value).collect();
    assert!(groups.windows(2).all(|pair| pair[0] <= pair[1] + 0.5), "{groups:?}");
    assert_eq!(report.groups[3].extractable, 3);
    assert_eq!(report.groups[0].extractable, 0);
}

#[tokio::test]
async fn exposure_is_right_within_a_bit_with_sampled_probabilities() {
    let (mut manifest, memories) = planted(2, 2);
    manifest.canaries.retain(|canary| canary.planted && canary.count > 1);
    let server = Arc::new(Memoriser::new(memories.clone(), Tells::Sampled));
    let probe = probe(&server).await;
    assert_eq!(probe.signal, Signal::Sampled);
    let report = exposure::test(&probe, &manifest, &effort(60, 0)).await;
    for one in &report.canaries {
        let secret = &manifest.canaries[one.canary].secret;
        let memory =
            memories.iter().find(|m| m.secret.iter().map(ToString::to_string).collect::<String>() == *secret).unwrap();
        assert!((one.exposure.value - memory.exposure()).abs() <= 1.0, "{one:?} {}", memory.exposure());
        assert!((one.extraction.value - memory.log(&memory.secret).exp()).abs() < 1e-9);
    }
}

#[tokio::test]
async fn intervals_hold_the_truth_with_text_only() {
    for tells in [Tells::Text, Tells::Chat] {
        let (mut held, mut all, mut near) = (0, 0, 0);
        let (manifest, memories) = planted(10, 3);
        let server = Arc::new(Memoriser::new(memories.clone(), tells));
        let probe = probe(&server).await;
        assert_eq!(probe.signal, if tells == Tells::Text { Signal::Text } else { Signal::Chat });
        let report = exposure::test(&probe, &manifest, &effort(0, 30)).await;
        for one in &report.canaries {
            let memory = &memories[one.canary];
            let (p, truth) = (memory.log(&memory.secret).exp(), memory.exposure());
            all += 1;
            held += u32::from(one.extraction.low <= p && p <= one.extraction.high);
            assert!(one.exposure.low <= truth + 1.0, "{one:?} {truth}");
            if p > 0.6 {
                near += 1;
                assert!((one.exposure.value - truth).abs() <= 1.0, "{one:?} {truth}");
            }
        }
        assert!(near >= 5 && f64::from(held) >= 0.93 * f64::from(all), "{held} of {all}");
    }
}

#[tokio::test]
async fn a_wrong_signal_is_not_used() {
    let (_, memories) = planted(2, 4);
    let server = Arc::new(Memoriser::new(memories, Tells::Truncated));
    // Probabilities of half of a given text are no signal; those of sampled tokens still are.
    assert_eq!(probe(&server).await.signal, Signal::Sampled);
}

#[tokio::test]
async fn a_report_is_the_same_from_the_journal_and_after_a_break() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let (manifest, memories) = planted(4, 5);
    let server = Arc::new(Memoriser::new(memories, Tells::Echo));
    let url = Arc::clone(&server).serve().await;
    *server.turned_away.lock().unwrap() = 2;
    let run = async |client: Option<Client>| {
        let probe = Probe::detect(Asked::open(client, Some(&path)).unwrap(), Signal::Echo).await.unwrap();
        serde_json::to_string(&exposure::test(&probe, &manifest, &effort(20, 0)).await).unwrap()
    };
    let first = run(Some(client(&url))).await;
    let asked = *server.served.lock().unwrap();
    assert_eq!(run(None).await, first);
    // A run that was killed in the middle of a line.
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, &text[..text.len() * 2 / 3]).unwrap();
    assert_eq!(run(Some(client(&url))).await, first);
    let again = *server.served.lock().unwrap() - asked;
    assert!(again > 0 && again < asked / 2, "{again} of {asked}");
}

#[tokio::test]
async fn membership_separates_as_theory_says() {
    // Words score normally; those of members are likelier by a third of a deviation.
    let (texts, words, shift) = (250, 12, 0.3);
    let mut dice = Dice::new(6);
    let mut normal = || (0..12).map(|_| dice.unit()).sum::<f64>() - 6.0;
    let mut server = Memoriser::new(Vec::new(), Tells::Echo);
    let mut sets = [Vec::new(), Vec::new()];
    for (set, mean) in sets.iter_mut().zip([shift, 0.0]) {
        for number in 0..texts {
            // The first token has no probability.
            let name = |word: usize| format!("q{}{number}x{word}", if mean > 0.0 { "k" } else { "z" });
            let text = (0..=words).map(name).collect::<Vec<_>>();
            for word in &text {
                server.words.insert(word.clone(), -6.0 + mean + normal());
            }
            set.push(text.join(" "));
        }
    }
    let server = Arc::new(server);
    let probe = probe(&server).await;
    let report = membership::test(&probe, None, &sets[0], &sets[1]).await;
    let loss = report.scores.iter().find(|s| s.score == "loss").unwrap();
    // Mean of twelve: the difference is shift * sqrt(12) deviations; AUROC is the normal distribution at that / sqrt(2).
    let theory = 0.5 * libm::erfc(-shift * 12_f64.sqrt() / 2.0);
    assert!(loss.auroc.low <= theory && theory <= loss.auroc.high, "{:?} {theory}", loss.auroc);
    assert!(loss.tpr_at_1_percent.is_some() && loss.tpr_at_0_1_percent.is_none());
    assert!(loss.evidence, "{:?}", report.blind);
}

#[tokio::test]
async fn no_membership_is_no_evidence() {
    let server = Arc::new(Memoriser::new(Vec::new(), Tells::Echo));
    let probe = probe(&server).await;
    let text = |n: usize| format!("a letter about {n} apples and {} pears that nobody ate", n * 7 % 13);
    let sets: [Vec<String>; 2] = [(0..60).map(|n| text(2 * n)).collect(), (0..60).map(|n| text(2 * n + 1)).collect()];
    let report = membership::test(&probe, None, &sets[0], &sets[1]).await;
    assert!(report.verdict.starts_with("no evidence"), "{}", report.verdict);
}

#[tokio::test]
async fn records_are_extracted_as_often_as_they_are_known() {
    let secret: Vec<usize> = vec![3, 1, 4, 1, 5, 9];
    let prefix = "the door in the garden opens to the number ".to_owned();
    let memory = Memory { prefix: prefix.clone(), secret, strength: 0.97 };
    let record = format!("{prefix}314159");
    let effort = extraction::Effort { prefix: 9, suffix: 1, samples: 40, probability: 0.5 };
    for tells in [Tells::Echo, Tells::Text] {
        let server = Arc::new(Memoriser::new(vec![memory.clone()], tells));
        let probe = probe(&server).await;
        let report = extraction::test(&probe, &[record.clone(), "too short".to_owned()], &effort).await;
        assert_eq!((report.measured, report.short), (1, 1));
        let p = memory.log(&memory.secret).exp();
        let got = report.records[0].extraction;
        assert!(got.low <= p + 1e-9 && p <= got.high + 1e-9, "{got:?} {p}");
        assert_eq!(report.discoverable[&1], 1, "{:?}", report.records[0].samples_needed);
    }
}
