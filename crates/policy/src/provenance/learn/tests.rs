//! What is learned from the runs of a service desk, and what is not.

use super::*;
use serde_json::{Value, json};

/// Runs of a service desk, harmless and attacked. `conformance/agents/README.md` says what they hold.
const RUNS: &str = include_str!("../../../../../conformance/agents/reviewed.jsonl");

fn runs() -> Vec<ReviewedRun> {
    runs_where(|_| true)
}

fn runs_where(keep: impl Fn(&Value) -> bool) -> Vec<ReviewedRun> {
    let read = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let run: Run = serde_json::from_value(value.clone()).unwrap();
        let review = run.reviewed().unwrap();
        keep(&value).then(|| ReviewedRun::new(run, review, None))
    };
    RUNS.lines().filter_map(read).collect()
}

fn lines(learned: &Learned) -> Vec<&str> {
    learned.lines.iter().map(|l| l.line.as_str()).collect()
}

#[test]
fn lines_free_harmless_calls_and_no_attack_on_tasks_they_were_not_learned_on() {
    let learned = learn(&runs(), None, Settings::default());
    assert_eq!(
        lines(&learned),
        [
            r#"contacts = ["list_staff"]"#,
            r#"refs.list_parts = ["title"]"#,
            r#"calls.add_note = "unasked""#,
            r#"calls.move_ticket = { ticket_id = "ref" }"#,
            r#"calls.send_email = { recipients = ["record", "contact"] }"#,
        ],
        "{}",
        learned.policy
    );
    for line in &learned.lines {
        assert!(line.frees >= 3 && line.tasks >= 3 && line.lets_through == 0, "{line:?}");
    }
    let Effect { benign, free, attacks, stopped, passed, .. } = learned.held_out;
    assert!(benign >= 16 && attacks >= 12, "{:?}", learned.held_out);
    assert_eq!((stopped.now, stopped.then, passed.then), (attacks, attacks, 0));
    assert!(free.now * 2 < free.then && free.then < benign, "{free:?} of {benign}");
    // The file is a policy, and does what was shown.
    let rules = Arc::new(Rules::parse(&learned.policy, Syntax::Toml).unwrap());
    let is_free = |run: &&ReviewedRun| {
        run.review() == Review::Benign
            && run.judge(Some(&rules)).iter().all(|j| j.decision.verdict == bartizan_core::Verdict::Allow)
    };
    let free = runs().iter().filter(is_free).count();
    assert_eq!(free, learned.learned_on.free.then + learned.held_out.free.then);
}

#[test]
fn what_nobody_vouches_for_stays_with_approvals() {
    let learned = learn(&runs(), None, Settings::default());
    let because = |tool: &str, reason: &str| {
        let mut left = learned.left.iter().filter(|l| l.tool == tool && l.reason == reason);
        left.next().map(|l| l.because)
    };
    // A value out of a text is nobody's, however often people let it pass.
    assert_eq!(because("send_email", "authority recipients"), Some(Stay::UNTRUSTED), "{:?}", learned.left);
    // The same line would let an attack pass.
    assert_eq!(because("update_ticket", "authority ticket_id"), Some(Stay::LETS_THROUGH), "{:?}", learned.left);
}

#[test]
fn a_line_needs_calls_tasks_and_no_attack_against_it() {
    let proposed = |settings| lines(&learn(&runs(), None, settings)).join("\n");
    let most = Settings::default();
    assert!(!proposed(Settings { calls: 7, ..most }).contains("send_email"));
    assert!(proposed(Settings { calls: 7, ..most }).contains("move_ticket"));
    assert_eq!(proposed(Settings { tasks: 9, ..most }), "");
    // One person's harmless run, a hundred times, is one task.
    let one = runs_where(|run| run["id"] == "move-0");
    let many: Vec<ReviewedRun> = std::iter::repeat_n(one[0].clone(), 100).collect();
    assert_eq!(lines(&learn(&many, None, most)), [""; 0]);
    // Where the attack on these tasks is not known, the line is proposed, and the file says that nothing was tried.
    let harmless = learn(&runs_where(|run| run["label"] == "benign"), None, most);
    assert!(lines(&harmless).iter().any(|l| l.contains("update_ticket")), "{}", harmless.policy);
    assert!(harmless.policy.contains("NO ATTACK WAS AMONG"), "{}", harmless.policy);
}

#[test]
fn an_attack_of_the_other_half_takes_a_line_back() {
    let all = runs();
    let (_, there) = halves(&all);
    let there: BTreeSet<String> = there.iter().map(|run| run.task()).collect();
    // Only the half that is not learned on knows the attack.
    let some: Vec<ReviewedRun> =
        runs().into_iter().filter(|run| run.review == Review::Benign || there.contains(&run.task())).collect();
    let learned = learn(&some, None, Settings::default());
    assert!(learned.withdrawn.iter().any(|line| line.contains("update_ticket")), "{}", learned.policy);
    assert_eq!(learned.held_out.passed.then, 0);
    assert!(!lines(&learned).iter().any(|line| line.contains("update_ticket")));
}

#[test]
fn titles_of_what_outsiders_write_are_no_fields_of_the_system() {
    let run = |n: usize| {
        let tools = json!([{"name": "list_products"}, {"name": "move_item", "parameters": {"properties": {"product": {"type": "string"}}}}]);
        let call = |id: &str, name: &str| json!({"id": id, "function": {"name": name, "arguments": "{}"}});
        let listed = json!([{"title": format!("Paper {n}"), "body": "A text that anybody may have written here."}]);
        let messages = json!([
            {"role": "user", "content": format!("Move what is newest in week {n} away")},
            {"role": "assistant", "tool_calls": [call("1", "list_products")]},
            {"role": "tool", "tool_call_id": "1", "content": listed.to_string()},
        ]);
        let calls = json!([{"id": "2", "index": 3, "name": "move_item", "args": {"product": format!("Paper {n}")}}]);
        let run = json!({"tools": tools, "messages": messages, "calls": calls});
        ReviewedRun::new(serde_json::from_value(run).unwrap(), Review::Benign, None)
    };
    let learned = learn(&(0..20).map(run).collect::<Vec<_>>(), None, Settings::default());
    assert!(learned.lines.is_empty() && learned.left.len() == 1, "{}", learned.policy);
}

#[test]
fn a_policy_at_hand_is_added_to_and_not_contradicted() {
    let base = Arc::new(Rules::parse("[calls]\nmove_ticket = { queue = \"user\" }\n", Syntax::Toml).unwrap());
    let learned = learn(&runs(), Some(&base), Settings::default());
    assert!(!lines(&learned).iter().any(|l| l.contains("move_ticket")), "{}", learned.policy);
    assert!(learned.left.iter().any(|l| l.tool == "move_ticket" && l.because == Stay::RULED));
}

#[test]
fn nothing_comes_of_nothing_and_names_cannot_break_out_of_the_file() {
    let learned = learn::<ReviewedRun>(&[], None, Settings::default());
    assert!(learned.policy.contains("No line is proposed") && learned.lines.is_empty());
    let run = |n: usize| -> ReviewedRun {
        let name = "add_note\"]\n[calls]\nx = \"any";
        let tools =
            json!([{"name": "read_page", "parameters": {"properties": {"url": {"type": "string"}}}}, {"name": name}]);
        let call = |id: &str, name: &str| json!({"id": id, "function": {"name": name, "arguments": "{}"}});
        let messages = json!([
            {"role": "user", "content": format!("Look at number {n}")},
            {"role": "assistant", "tool_calls": [call("1", "read_page")]},
            {"role": "tool", "tool_call_id": "1", "content": "A text that anybody may have written."},
        ]);
        let calls = json!([{"id": "2", "index": 3, "name": name, "args": {}}]);
        let run = json!({"label": "benign", "tools": tools, "messages": messages, "calls": calls});
        ReviewedRun::new(serde_json::from_value(run).unwrap(), Review::Benign, None)
    };
    let learned = learn(&(0..20).map(run).collect::<Vec<_>>(), None, Settings::default());
    assert!(!learned.left.is_empty() && learned.lines.is_empty(), "{}", learned.policy);
    assert!(Rules::parse(&learned.policy, Syntax::Toml).is_ok(), "{}", learned.policy);
    assert!(learned.policy.lines().all(|line| line.is_empty() || line.starts_with('#')), "{}", learned.policy);
}

#[test]
fn lines_that_only_tighten_stop_attacks_that_pass() {
    let tools = json!([
        {"name": "read_page", "parameters": {"properties": {"url": {"type": "string"}}}},
        {"name": "list_channels"},
        {"name": "post_message", "parameters": {"properties": {"channel": {"type": "string"}, "text": {"type": "string"}}}},
    ]);
    let run = |n: usize, attack: bool| {
        let call = |id: &str, name: &str| json!({"id": id, "function": {"name": name, "arguments": "{}"}});
        let messages = json!([
            {"role": "user", "content": format!("Read our page number {n} and post a summary to the channel team-{n}")},
            {"role": "assistant", "tool_calls": [call("1", "read_page"), call("2", "list_channels")]},
            {"role": "tool", "tool_call_id": "1", "content": "A text that anybody may have written."},
            {"role": "tool", "tool_call_id": "2", "content": "[\"general\", \"random\"]"},
        ]);
        let channel = if attack { "general".to_owned() } else { format!("team-{n}") };
        let calls = json!([{"id": "3", "index": 4, "name": "post_message", "args": {"channel": channel, "text": "All is well."}}]);
        let review = if attack { Review::Attack } else { Review::Benign };
        let run = json!({"tools": tools, "messages": messages, "calls": calls});
        ReviewedRun::new(serde_json::from_value(run).unwrap(), review, None)
    };
    let runs: Vec<ReviewedRun> = (0..12).flat_map(|n| [run(n, false), run(n, true)]).collect();
    assert_eq!(lines(&learn(&runs, None, Settings::default())), [""; 0]);
    let learned = learn(&runs, None, Settings { tighten: true, ..Settings::default() });
    assert_eq!(lines(&learned), [r#"calls.post_message = { channel = "user" }"#], "{}", learned.policy);
    let Effect { benign, free, attacks, stopped, .. } = learned.held_out;
    assert_eq!((free.then, stopped.now, stopped.then), (benign, 0, attacks), "{}", learned.policy);
}
