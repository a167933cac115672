//! What a decision costs, and what becomes of a call that would cost too much.

use super::super::history::Call;
use super::super::work::{Decider, WORK};
use super::*;

/// What a decision looked at, and what came of it.
fn cost(history: &History, name: &str, args: Value) -> (usize, Decision) {
    let decider = Decider::new(history);
    let decision = decider.decide(&Call { id: "x".to_owned(), name: name.to_owned(), args }, 0);
    (decider.looked_at(), decision)
}

fn people(n: usize) -> String {
    let person = |i: usize| {
        json!({"id": format!("p-{i}"), "name": format!("Ann{} Lee{i}", i % 7), "email": format!("p{i}@ex{}.com", i % 50),
            "owner": format!("o{}@corp.com", i % 7), "note": format!("Met in May {i}, ask again about the report.")})
    };
    Value::from((0..n).map(person).collect::<Vec<_>>()).to_string()
}

#[test]
fn what_a_session_costs_is_far_from_what_it_may() {
    let people = people(400);
    assert!(people.len() > 50_000);
    let lookup = ("search_contacts", json!({"query": "Ann"}), people.as_str());
    let history = history("Please send the report to Lee7.", &[lookup]);
    let (work, decision) =
        cost(&history, "send_email", json!({"recipients": "p7@ex7.com", "subject": "r", "body": "s"}));
    assert_eq!(decision.verdict, Verdict::Allow, "{decision:?}");
    assert!(work < WORK / 100, "{work}");
}

#[test]
fn many_values_over_many_records_cost_no_product_of_both() {
    let words = |n: usize| (0..n).map(|i| format!("Lee{i}")).collect::<Vec<_>>().join(" ");
    let costs = [250, 1000].map(|n| {
        let people = people(n);
        let history = history(
            &format!("Send the report to {}.", words(n)),
            &[("search_contacts", json!({"query": "report"}), people.as_str())],
        );
        let args = json!({"recipients": (0..n).map(|i| format!("p{i}@ex{}.com", i % 50)).collect::<Vec<_>>(), "subject": "r", "body": "s"});
        let (work, decision) = cost(&history, "send_email", args);
        assert_eq!(decision.verdict, Verdict::Allow, "{n}: {:?}", decision.reasons.first());
        work
    });
    assert!(costs[1] < costs[0] * 8, "{costs:?}");
    // The same value again costs next to nothing.
    let people = people(200);
    let history = history("Send it to Ann.", &[("search_contacts", json!({"query": "Ann"}), people.as_str())]);
    let once = cost(&history, "send_email", json!({"recipients": ["p3@ex3.com"], "body": "s"})).0;
    let often = cost(&history, "send_email", json!({"recipients": vec!["p3@ex3.com"; 1000], "body": "s"})).0;
    assert!(often < once + 10_000, "{once} {often}");
}

#[test]
fn a_call_that_costs_too_much_waits_and_says_so() {
    let secret =
        |i: usize| json!({"id": i, "password": format!("hunter-{i}-two"), "note": "As we said before, do look at it."});
    let secrets = Value::from((0..4000).map(secret).collect::<Vec<_>>()).to_string();
    let read = |note: &str| {
        let result = secrets.replace("As we said before, do look at it.", note);
        history("Send Bob at bob@ex.com the minutes.", &[("list_files", json!({}), result.as_str())])
    };
    let call =
        || json!({"recipients": "bob@ex.com", "subject": "Minutes", "body": "the minutes of today ".repeat(2000)});
    let tainted = read("As we said before, do look at it.");
    let (work, decision) = cost(&tainted, "send_email", call());
    let whys: Vec<Why> = decision.reasons.iter().map(|r| r.why).collect();
    assert_eq!((decision.verdict, whys), (Verdict::Hold, vec![Why::TooMuchWork]), "{work}");
    assert!(decision.reasons[0].line().starts_with("too-much-work: "));
    // What it found before is still told, and what waits is the same each time.
    assert!(decision.arguments.iter().any(|a| a.argument == "/recipients" && a.trace == Trace::User));
    assert_eq!(cost(&tainted, "send_email", call()).1, decision);
    // A short one passes.
    let short = json!({"recipients": "bob@ex.com", "subject": "Minutes", "body": "the minutes of today"});
    assert_eq!(cost(&tainted, "send_email", short).1.verdict, Verdict::Allow);
}

#[test]
fn values_after_the_last_that_was_compared_are_not_told() {
    // Each case of letters is a value of its own, found in as many places.
    let record = |i: usize| json!({"id": i, "email": "sameperson@ex.com", "note": "Please do look at this again."});
    let result = Value::from((0..300).map(record).collect::<Vec<_>>()).to_string();
    let history = history("Tell Carl.", &[("search_contacts", json!({"query": "Ann"}), result.as_str())]);
    let varied = |n: usize| {
        let letter = |(at, c): (usize, char)| if n >> at & 1 == 1 { c.to_ascii_uppercase() } else { c };
        "sameperson@ex.com".chars().enumerate().map(letter).collect::<String>()
    };
    let all: Vec<String> = (0..1500).map(varied).collect();
    let (_, decision) = cost(&history, "send_email", json!({"recipients": all, "body": "s"}));
    let told = decision.arguments.len();
    assert_eq!(decision.verdict, Verdict::Hold);
    assert_eq!(decision.reasons.last().map(|r| r.why), Some(Why::TooMuchWork));
    assert!(told > 100 && told < 1500, "{told}");
}

#[test]
fn titles_in_a_long_text_are_all_found_at_once() {
    let title = |i: usize| json!({"id": i, "title": format!("the report {} {}", "a ".repeat(i % 30 + 1).trim(), i)});
    let result = Value::from((0..500).map(title).collect::<Vec<_>>()).to_string();
    let text = format!("Delete the report a a 1 and Bob. {}", "the report a a a a a a ".repeat(5000));
    let history = history(&text, &[("list_files", json!({}), result.as_str())]);
    let quotes = history.quotes(usize::MAX);
    assert!(quotes.cost < 40 * text.len(), "{}", quotes.cost);
    // Who says a word only inside a title means the title.
    let quoted = super::history(
        "Open the Bob Report now.",
        &[("list_files", json!({}), r#"[{"id": 1, "title": "Bob Report"}, {"id": 2, "title": "The Bob"}]"#)],
    );
    let decider = Decider::new(&quoted);
    assert!(!decider.says_apart("bob", "someone") && decider.says_apart("now", "someone"));
    assert!(!decider.says_apart("bob", "bob report"), "it is in both titles");
    assert!(decider.says_apart("report", "bob report") && !decider.says_apart("report", "the bob"));
    assert!(!decider.says_apart("carl", "bob report"));
}

#[test]
fn long_keys_and_many_messages_cost_no_square() {
    // Each value has a pointer of its own: deep below long keys there are none.
    let mut deep = Value::from(vec![1; 10_000]);
    for _ in 0..20 {
        deep = json!({ "k".repeat(5_000): deep });
    }
    let history = history("Look.", &[("list_files", json!({}), deep.to_string().as_str())]);
    let outcome = &history.outcomes[0];
    assert!(outcome.parts.cut && outcome.parts.leaves.len() < 10 && history.is_tainted());
    let far = json!({"to": deep});
    assert!(decide(&history, "send_email", far).reasons.iter().any(|r| r.why == Why::TooLarge));
}

#[test]
fn whom_to_obey_is_seen_in_any_message() {
    let mut history = history("Hello there.", &[]);
    assert!(!history.delegates);
    history.push_user("Please do all the tasks that are listed in the mail.");
    assert!(history.delegates);
    history.push_user("Thanks.");
    assert!(history.delegates);
}
