//! Topics of a deployment: which words count, and when.

use bartizan_core::{Context, Direction, Finding, Kind, Limits, Origin, Source};
use bartizan_engine::{Engine, Input, law};
use bartizan_rules::topic::Wanted;
use bartizan_rules::{Settings, Topic, detectors};
use std::sync::Arc;

fn topic(name: &str, words: &[&str]) -> Topic {
    let words: Vec<&str> = words.to_vec();
    serde_json::from_value(serde_json::json!({"name": name, "words": words})).unwrap()
}

fn engine(topics: Vec<Topic>) -> Engine {
    let settings = Settings { topic: topics, ..Settings::default() };
    Engine::new(detectors(&settings).unwrap(), vec![], Limits::default()).unwrap()
}

fn found(engine: &Engine, text: &str, source: Source) -> Vec<Finding> {
    let origin = Origin::new(source);
    let scan = engine.scan(&Input { text, kind: Kind::Text, origin: &origin, context: Context::default() });
    scan.findings.into_iter().filter(|f| f.rule.as_str().starts_with("topic/")).collect()
}

#[test]
fn competitors_are_found_in_every_spelling() {
    let engine = engine(vec![topic("competitors", &["Acme Corp", "Globex", "Иннотех"])]);
    for text in [
        "Is ACME  corp cheaper?",
        "Globex's prices",
        "G\u{200b}lobex",
        "Gl\u{f6}bex",
        "\u{ff27}\u{ff4c}obex",
        "R2xvYmV4IGlzIGJldHRlciB0aGFuIHlvdQ==",
        "лучше, чем Иннотеха",
    ] {
        assert_eq!(found(&engine, text, Source::User).len(), 1, "{text}");
    }
    for text in ["acme is a summit", "corporate", "globexis", "the globe"] {
        assert_eq!(found(&engine, text, Source::User).len(), 0, "{text}");
    }
    assert!(found(&engine, "Globex", Source::System).is_empty());
    let finding = &found(&engine, "ask Globex's people", Source::User)[0];
    assert_eq!(finding.span().of("ask Globex's people"), "Globex's");
}

#[test]
fn some_topics_need_more_than_a_word() {
    let mut betting = topic("betting", &["odds", "wager", "bookmaker"]);
    (betting.count, betting.within) = (3, Some(12));
    let engine = engine(vec![betting]);
    assert!(found(&engine, "against all odds he found a wager", Source::User).is_empty());
    let near = "a bookmaker gives odds on every wager";
    assert_eq!(found(&engine, near, Source::User)[0].span().of(near), "bookmaker gives odds on every wager");
    let far = format!("odds {} wager {} bookmaker", "word ".repeat(20), "word ".repeat(20));
    assert!(found(&engine, &far, Source::User).is_empty());
}

#[test]
fn only_allowed_topics_are_on_topic() {
    let mut rooms = topic("rooms", &["room", "booking", "Zimmer", "部屋"]);
    rooms.mode = Wanted::Allow;
    let engine = engine(vec![rooms]);
    for text in [
        "Can I change the booking that I made last week?",
        "yes, thank you",
        "部屋を予約したいのですが、明日から三日間お願いできますか",
    ] {
        assert!(found(&engine, text, Source::User).is_empty(), "{text}");
    }
    let off = "Write a poem about the sea and the wind in the manner of a sailor";
    assert_eq!(found(&engine, off, Source::User)[0].rule.as_str(), "topic/off-topic");
    assert!(found(&engine, off, Source::Tool).is_empty());
}

#[test]
fn words_stream_without_a_letter_of_them_getting_out() {
    let engine = Arc::new(engine(vec![topic("competitors", &["Globex", "Acme Corp", "кредит"])]));
    let origin = Origin::new(Source::Model);
    let context = Context { direction: Direction::Reply, ..Context::default() };
    for text in [
        "ask Globex's people at Acme  Corp.",
        "globexx globex",
        "о кредитах и кредит",
        "pre-Globex",
        "Acme Corporation Acme corps",
    ] {
        let splits: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let input = Input { text, kind: Kind::Text, origin: &origin, context };
        law::check_stream_of(&engine, &input, |_| true, &splits).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
}

#[test]
fn mistakes_are_named() {
    let bad =
        |topic: Topic| detectors(&Settings { topic: vec![topic], ..Settings::default() }).err().unwrap().to_string();
    assert!(bad(topic("Bad Name", &["word"])).contains("`Bad Name`"));
    assert!(bad(topic("x", &[])).contains("0 words"));
    assert!(bad(topic("x", &["ab"])).contains("`ab`"));
    assert!(bad(topic("off-topic", &["word"])).contains("choose another"));
}
