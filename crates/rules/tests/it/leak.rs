//! What a model wrote is compared with the system text of its own exchange.

use bartizan_core::{Confidence, Context, Finding, Kind, Limits, Origin, Source};
use bartizan_engine::{Engine, Input};
use bartizan_rules::{Settings, detectors};
use bartizan_transform::Transform;

use crate::pages::PROTECTED;

const CHINESE: &str =
    "你是港口的泊位规划员，只回答有关泊位、潮汐和起重机的问题。不要提到价目表，也不要给任何船长打折。";

fn leaks(text: &str, source: Source, system: &[&str]) -> Vec<Finding> {
    let engine = Engine::new(detectors(&Settings::default()).unwrap(), vec![], Limits::default()).unwrap();
    let origin = Origin::new(source);
    let scan = engine.scan(&Input {
        text,
        kind: Kind::Text,
        origin: &origin,
        context: Context { system, ..Context::default() },
    });
    scan.findings.into_iter().filter(|f| f.rule.as_str() == "prompt/system-leak").collect()
}

/// The first words of the protected prompt.
fn first(words: usize) -> String {
    PROTECTED.split_whitespace().take(words).collect::<Vec<_>>().join(" ")
}

#[test]
fn twelve_words_in_a_row_are_a_leak_and_eleven_are_not() {
    for (words, found) in [(11, false), (12, true), (24, true)] {
        let text = format!("As I said: {} Anything else?", first(words));
        let leaks = leaks(&text, Source::Model, &["Be kind.", PROTECTED]);
        assert_eq!(!leaks.is_empty(), found, "{words} words");
        for leak in leaks {
            assert_eq!(leak.span().of(&text), first(words).trim_end_matches('.'));
            assert_eq!(leak.confidence == Confidence::High, words >= 24);
        }
    }
}

#[test]
fn only_this_exchange_and_only_the_model_count() {
    let text = first(30);
    assert_eq!(leaks(&text, Source::Model, &[PROTECTED]).len(), 1);
    assert!(
        leaks(&text, Source::Model, &["You are a poet who answers in short lines about the sea and the wind."])
            .is_empty()
    );
    assert!(leaks(&text, Source::Model, &[]).is_empty());
    assert!(leaks(&text, Source::User, &[PROTECTED]).is_empty());
}

#[test]
fn words_in_another_order_are_no_leak() {
    let mut words: Vec<&str> = PROTECTED.split_whitespace().collect();
    words.reverse();
    assert!(leaks(&words.join(" "), Source::Model, &[PROTECTED]).is_empty());
}

#[test]
fn encodings_and_scripts_without_blanks_are_read() {
    assert_eq!(leaks(&Transform::Base64.apply(PROTECTED), Source::Model, &[PROTECTED]).len(), 1);
    assert_eq!(leaks(CHINESE, Source::Model, &[CHINESE]).len(), 1);
    assert!(leaks("你是港口的泊位规划员吗？", Source::Model, &[CHINESE]).is_empty());
}

#[test]
fn backwards_spaced_and_scattered_text_is_a_leak() {
    let backwards: String = PROTECTED.chars().rev().collect();
    assert!(!leaks(&backwards, Source::Model, &[PROTECTED]).is_empty());
    assert!(!leaks(&Transform::Hex.apply(PROTECTED), Source::Model, &[PROTECTED]).is_empty());
    let words: Vec<&str> = PROTECTED.split_whitespace().collect();
    let pieces: Vec<String> = words.chunks(9).map(|piece| piece.join(" ")).collect();
    let scattered = pieces.join(" -- as my notes go on to say -- ");
    assert_eq!(leaks(&scattered, Source::Model, &[PROTECTED]).len(), 1);
    let short = "You speak for Harbour Lines and never mention competitors.";
    assert_eq!(leaks(&format!("I was told: {short}"), Source::Model, &[short]).len(), 1);
    assert!(leaks("You are a helpful assistant.", Source::Model, &["You are a helpful assistant."]).is_empty());
}

/// A support prompt whose facts are meant to be told, and replies that tell them. Figures of the rule's page.
#[test]
fn replies_that_use_what_the_prompt_says_are_no_leak() {
    const PROMPT: &str = "You are the assistant of the Mirabel swimming pool. The pool is open from nine to eight on \
        weekdays and from ten to six at weekends. Tickets are four euros, two for children. Dogs are not allowed. \
        Lockers need a one euro coin. Lessons for beginners are on Tuesday and Thursday at five. Be short and kind. \
        Do not discuss other pools. The cafe closes one hour before the pool.";
    let replies = [
        "The pool is open from nine to eight on weekdays, so tomorrow at ten is fine.",
        "Tickets are four euros, two for children. See you there!",
        "Sorry, dogs are not allowed. Lockers need a one euro coin.",
        "Lessons for beginners are on Tuesday and Thursday at five.",
        "It opens from ten to six at weekends, and the cafe closes one hour before the pool.",
        "I can only help with the Mirabel swimming pool, not with other pools.",
        "Bring a one euro coin for the locker. A ticket is four euros.",
    ];
    let flagged: Vec<&str> = replies.into_iter().filter(|r| !leaks(r, Source::Model, &[PROMPT]).is_empty()).collect();
    assert!(flagged.is_empty(), "{flagged:?}");
}
