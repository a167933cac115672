//! Operators and pseudonyms: what reaches the model, and what comes back.

use std::sync::Arc;

use bartizan_core::{EventStore, Principal, Protocol, Source, TenantId, VaultStore};
use bartizan_guard::{Conversation, Guard, Recorder, ReplyContext, Route, Settings, Vault};
use bartizan_policy::{Outcome, operator};
use bartizan_sign::LocalMaster;
use bartizan_store::{SqliteStore, SqliteVault};
use serde_json::{Value, json};

use crate::streams::{anthropic, data, openai};

const MAIL: &str = "ann.lee@acme-mail.com";
const CARD: &str = "4111 1111 1111 1111";

/// A guard with this policy.
pub(crate) fn guard(policy: &Value) -> Guard {
    let policy = serde_json::from_value(policy.clone()).unwrap();
    Guard::new(&Settings { policy, ..Settings::default() }).unwrap()
}

fn pseudonyms() -> Guard {
    guard(&json!({
        "operator": [{"rule": "pii/*", "operator": "pseudonym"}],
        "restore": [{"tool": "web_*", "restore": false}],
    }))
}

/// A recorder whose keys and pseudonyms are gone with it.
pub(crate) async fn passing() -> Recorder {
    Recorder::new(Arc::new(SqliteStore::open_in_memory().await.unwrap())).unwrap()
}

pub(crate) fn who(session: Option<&str>) -> Principal {
    Principal { key: "app".into(), session: session.map(Arc::from), ..Principal::default() }
}

/// What reaches the model of a request, and its conversation.
pub(crate) async fn ask(
    guard: &Guard,
    recorder: &Recorder,
    who: &Principal,
    protocol: Protocol,
    body: &Value,
) -> (Value, Option<Arc<Conversation>>) {
    recorder.know(&who.tenant).await.unwrap();
    let mut parsed = guard.read_request(protocol, body.to_string().into_bytes()).unwrap();
    let conversation = recorder.converse(guard, who, &parsed).await.unwrap();
    parsed.converse(conversation.clone());
    let checked = guard.check(parsed, &ReplyContext::default(), Route::default());
    let Outcome::Forward { permitted, .. } = checked.outcome else { panic!("{:?}", checked.outcome) };
    if let Some(conversation) = &conversation {
        recorder.keep_pseudonyms(guard, conversation, who, permitted.get()).await.unwrap();
    }
    (serde_json::from_slice(&permitted.into_inner().body).unwrap(), conversation)
}

/// What a caller gets of a whole reply.
pub(crate) fn answer(
    guard: &Guard,
    conversation: Option<Arc<Conversation>>,
    protocol: Protocol,
    body: &Value,
) -> Value {
    let mut parsed = guard.read_reply(protocol, body.to_string().into_bytes()).unwrap();
    parsed.converse(conversation);
    let checked = guard.check(parsed, &ReplyContext::default(), Route::default());
    let Outcome::Forward { permitted, .. } = checked.outcome else { panic!("{:?}", checked.outcome) };
    serde_json::from_slice(&permitted.into_inner().body).unwrap()
}

/// The same of a stream that comes in pieces of so many bytes.
pub(crate) fn stream(
    guard: &Guard,
    conversation: Option<Arc<Conversation>>,
    protocol: Protocol,
    bytes: &str,
    piece: usize,
) -> String {
    let mut stream = guard.reply_stream(protocol, ReplyContext::default(), "e", false);
    stream.converse(conversation);
    let mut out = Vec::new();
    for piece in bytes.as_bytes().chunks(piece) {
        out.extend(stream.push(piece).released.into_inner());
    }
    out.extend(stream.finish().released.into_inner());
    String::from_utf8(out).unwrap()
}

/// The text of a stream of chat completions.
pub(crate) fn said(stream: &str) -> String {
    data(stream).iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect()
}

fn user(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

fn reply(text: &str) -> Value {
    json!({"id": "i", "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]})
}

fn content(body: &Value) -> &str {
    body["messages"][0]["content"].as_str().unwrap()
}

#[tokio::test]
async fn each_operator_has_its_form() {
    let recorder = passing().await;
    let text = format!("Please charge the card {CARD} today.");
    for (operator, wanted) in [
        ("mask", "Please charge the card [REDACTED:CREDIT_CARD] today."),
        ("redact", "Please charge the card  today."),
        ("keep-last", "Please charge the card **** **** **** 1111 today."),
        ("hash", "Please charge the card [CREDIT_CARD:"),
        ("encrypt", "Please charge the card [CREDIT_CARD:enc:"),
        ("surrogate", "Please charge the card 9"),
        ("pseudonym", "Please charge the card <CREDIT_CARD_"),
        ("date-shift", "Please charge the card [REDACTED:CREDIT_CARD] today."),
    ] {
        let guard = guard(&json!({"operator": [{"entity": "CREDIT_CARD", "operator": operator}]}));
        let (first, _) = ask(&guard, &recorder, &who(None), Protocol::OpenaiChat, &user(&text)).await;
        assert!(content(&first).starts_with(wanted), "{operator}: {}", content(&first));
        let (again, _) = ask(&guard, &recorder, &who(None), Protocol::OpenaiChat, &user(&text)).await;
        assert_eq!(first, again, "{operator}");
        // What is found does not depend on what becomes of it.
        let decision = guard.check_text(&text, Source::User);
        assert_eq!(decision.findings.len(), 1, "{operator}");
        assert!(decision.redacted.unwrap().starts_with(wanted), "{operator}");
    }
}

#[tokio::test]
async fn a_name_is_let_pass_until_an_operator_is_for_it() {
    let recorder = passing().await;
    let body = user("Please write to Maria Fernandez about the contract.");
    let (passed, _) = ask(&guard(&json!({})), &recorder, &who(None), Protocol::OpenaiChat, &body).await;
    assert_eq!(passed, body);
    let guard = guard(&json!({"operator": [{"entity": "PERSON", "operator": "surrogate", "direction": "request"}]}));
    let (passed, _) = ask(&guard, &recorder, &who(None), Protocol::OpenaiChat, &body).await;
    assert!(!content(&passed).contains("Fernandez"), "{passed}");
    let said = reply("Maria Fernandez has signed.");
    assert_eq!(answer(&guard, None, Protocol::OpenaiChat, &said), said);
}

#[tokio::test]
async fn pseudonyms_come_back_as_values() {
    let (guard, recorder) = (pseudonyms(), passing().await);
    let ask_for = user(&format!("Mail {MAIL} that the card {CARD} was charged."));
    let (seen, talk) = ask(&guard, &recorder, &who(None), Protocol::OpenaiChat, &ask_for).await;
    assert!(!seen.to_string().contains(MAIL) && !seen.to_string().contains("4111"), "{seen}");
    let name = content(&seen).split(' ').nth(1).unwrap().to_owned();
    assert!(operator::is_well_formed(&name), "{name}");
    let bare = name.trim_matches(['<', '>']);
    for said in [name.clone(), bare.to_lowercase(), format!("[{bare}]"), name.replace('_', "\\_")] {
        let whole = answer(&guard, talk.clone(), Protocol::OpenaiChat, &reply(&format!("I have told {said}.")));
        assert_eq!(whole["choices"][0]["message"]["content"], format!("I have told {MAIL}."));
        for piece in [1, 7, 1000] {
            let pieces: Vec<String> = format!("I have told {said}. Bye").chars().map(String::from).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let out = stream(&guard, talk.clone(), Protocol::OpenaiChat, &openai(&pieces), piece);
            assert_eq!(self::said(&out), format!("I have told {MAIL}. Bye"));
            let out = stream(&guard, talk.clone(), Protocol::AnthropicMessages, &anthropic(&pieces), piece);
            let told: String = data(&out).iter().filter_map(|e| e["delta"]["text"].as_str()).collect();
            assert_eq!(told, format!("I have told {MAIL}. Bye"));
        }
    }
    // The history is sent again with values or with pseudonyms: the same reaches the model.
    for said in [MAIL, name.as_str()] {
        let mut next = ask_for.clone();
        let more = [
            json!({"role": "assistant", "content": format!("I have told {said}.")}),
            json!({"role": "user", "content": format!("And again {said}")}),
        ];
        next["messages"].as_array_mut().unwrap().extend(more);
        let (seen, _) = ask(&guard, &recorder, &who(None), Protocol::OpenaiChat, &next).await;
        assert_eq!(seen["messages"][1]["content"], format!("I have told {name}."));
        assert_eq!(seen["messages"][2]["content"], format!("And again {name}"));
    }
    // Also where the client only ever had the pseudonyms.
    let (same, talk) = ask(&guard, &recorder, &who(None), Protocol::OpenaiChat, &seen).await;
    assert_eq!(same, seen);
    let whole = answer(&guard, talk, Protocol::OpenaiChat, &reply(&name));
    assert_eq!(whole["choices"][0]["message"]["content"], MAIL);
}

#[tokio::test]
async fn tools_get_values_unless_they_must_not() {
    let (guard, recorder) = (pseudonyms(), passing().await);
    let (seen, talk) =
        ask(&guard, &recorder, &who(None), Protocol::OpenaiChat, &user(&format!("Mail {MAIL} please"))).await;
    let name = content(&seen).split(' ').nth(1).unwrap().to_owned();
    let arguments = json!({"to": name, "body": format!("Dear {name}"), "deep": [{"cc": [name]}]}).to_string();
    let values = json!({"to": MAIL, "body": format!("Dear {MAIL}"), "deep": [{"cc": [MAIL]}]});
    for (tool, restored) in [("send_email", true), ("web_search", false)] {
        let wanted = if restored { values.clone() } else { serde_json::from_str(&arguments).unwrap() };
        let call = json!({"id": "c", "type": "function", "function": {"name": tool, "arguments": arguments}});
        let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        let whole = json!({"id": "i", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
        let out = answer(&guard, talk.clone(), Protocol::OpenaiChat, &whole);
        let got = out["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(got).unwrap(), wanted, "{tool}");
        let block = json!({"type": "tool_use", "id": "t", "name": tool, "input": serde_json::from_str::<Value>(&arguments).unwrap()});
        let whole = json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [block], "stop_reason": "tool_use", "usage": {}});
        let out = answer(&guard, talk.clone(), Protocol::AnthropicMessages, &whole);
        assert_eq!(out["content"][0]["input"], wanted, "{tool}");
        let chunk = |delta: Value, finish: Value| crate::streams::event(&delta, &finish);
        let mut events = chunk(
            json!({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": tool, "arguments": ""}}]}),
            Value::Null,
        );
        for piece in arguments.as_bytes().chunks(5) {
            let piece = String::from_utf8(piece.to_vec()).unwrap();
            events += &chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), Value::Null);
        }
        events += &chunk(json!({}), json!("tool_calls"));
        events += "data: [DONE]\n\n";
        let out = stream(&guard, talk.clone(), Protocol::OpenaiChat, &events, 11);
        let got: String = data(&out)
            .iter()
            .filter_map(|e| e["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str())
            .collect();
        assert_eq!(serde_json::from_str::<Value>(&got).unwrap(), wanted, "{tool} in a stream");
    }
    // What the tool answers is pseudonymised again, and so is the call in the history.
    let call =
        json!({"id": "c", "type": "function", "function": {"name": "send_email", "arguments": values.to_string()}});
    let next = json!({"model": "m", "messages": [
        {"role": "user", "content": format!("Mail {MAIL} please")},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": json!({"sent": {"to": MAIL}}).to_string()},
    ]});
    let (seen, _) = ask(&guard, &recorder, &who(None), Protocol::OpenaiChat, &next).await;
    assert!(!seen.to_string().contains(MAIL), "{seen}");
    assert_eq!(seen["messages"][2]["content"], json!({"sent": {"to": name}}).to_string());
}

#[tokio::test]
async fn a_value_once_known_is_replaced_where_nothing_shows_what_it_is() {
    let (guard, recorder) = (pseudonyms(), passing().await);
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "My US passport number is 912803456."},
        {"role": "assistant", "content": "Noted."},
        {"role": "user", "content": "Once more: 912803456, thanks. Not 9128034567."},
    ]});
    let (seen, _) = ask(&guard, &recorder, &who(None), Protocol::OpenaiChat, &body).await;
    let name = content(&seen).trim_end_matches('.').rsplit(' ').next().unwrap().to_owned();
    assert!(operator::is_well_formed(&name), "{seen}");
    let last = seen["messages"][2]["content"].as_str().unwrap();
    assert!(last.starts_with(&format!("Once more: {name}, thanks.")), "{last}");
}

#[tokio::test]
async fn nobody_elses_pseudonym_resolves() {
    let (guard, recorder) = (pseudonyms(), passing().await);
    let ask_for = user(&format!("Mail {MAIL} please"));
    let tenant = |name: &str| Principal { tenant: TenantId::authenticated(name).unwrap(), ..who(Some("s")) };
    let (seen, _) = ask(&guard, &recorder, &tenant("a"), Protocol::OpenaiChat, &ask_for).await;
    let name = content(&seen).split(' ').nth(1).unwrap().to_owned();
    let others = [
        tenant("b"),
        Principal { session: Some("t".into()), ..tenant("a") },
        Principal { user: Some("bob".into()), ..tenant("a") },
        Principal { key: "other".into(), ..tenant("a") },
        Principal { session: None, ..tenant("a") },
    ];
    for who in others {
        // The same value has another name there.
        let body = user(&format!("Mail {MAIL} please. What is {name}?"));
        let (seen, talk) = ask(&guard, &recorder, &who, Protocol::OpenaiChat, &body).await;
        assert_ne!(content(&seen).split(' ').nth(1).unwrap(), name);
        let whole = answer(&guard, talk, Protocol::OpenaiChat, &reply(&format!("It is {name}.")));
        assert_eq!(whole["choices"][0]["message"]["content"], format!("It is {name}."));
    }
    let (_, talk) = ask(&guard, &recorder, &tenant("a"), Protocol::OpenaiChat, &user("What did I say?")).await;
    let whole = answer(&guard, talk, Protocol::OpenaiChat, &reply(&format!("It is {name}.")));
    assert_eq!(whole["choices"][0]["message"]["content"], format!("It is {MAIL}."));
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "the test looks at what is on disk")]
async fn what_is_kept_outlives_the_process_sealed_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (evidence, vault) = (folder.path().join("a.sqlite"), folder.path().join("a.sqlite.vault"));
    let guard = pseudonyms();
    let start = async || {
        let store = Arc::new(SqliteStore::open(&evidence).await.unwrap());
        let master = Arc::new(LocalMaster::from_text(&"k".repeat(40)).unwrap());
        let keys = Arc::new(Vault::new(Arc::clone(&store) as _, master, bartizan_guard::RecordSettings::default()));
        let pseudonyms = Arc::new(SqliteVault::open(&vault).await.unwrap());
        let recorder = Recorder::new(Arc::clone(&store) as Arc<dyn EventStore>).unwrap();
        (recorder.with_vault(keys).with_pseudonyms(Arc::clone(&pseudonyms) as _), store, pseudonyms)
    };
    let (recorder, store, _) = start().await;
    let (seen, _) =
        ask(&guard, &recorder, &who(Some("s")), Protocol::OpenaiChat, &user(&format!("Mail {MAIL} please"))).await;
    let (first, _) =
        ask(&guard, &recorder, &who(None), Protocol::OpenaiChat, &user(&format!("Mail {MAIL} please"))).await;
    let name = content(&seen).split(' ').nth(1).unwrap().to_owned();
    drop(recorder);
    Arc::into_inner(store).unwrap().close().await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|w| w == &MAIL.as_bytes()[..7]), "a value is on disk");
    }
    let (recorder, _store, pseudonyms) = start().await;
    let (_, talk) = ask(&guard, &recorder, &who(Some("s")), Protocol::OpenaiChat, &user("Go on")).await;
    let whole = answer(&guard, talk, Protocol::OpenaiChat, &reply(&name));
    assert_eq!(whole["choices"][0]["message"]["content"], MAIL);
    // A client that has only the pseudonyms of a conversation without a name.
    let (same, talk) = ask(&guard, &recorder, &who(None), Protocol::OpenaiChat, &first).await;
    assert_eq!(same, first);
    let whole = answer(&guard, talk, Protocol::OpenaiChat, &reply(content(&first)));
    assert_eq!(whole["choices"][0]["message"]["content"], format!("Mail {MAIL} please"));
    assert_eq!(pseudonyms.vault_expire(i64::MAX).await.unwrap(), 3);
}

#[tokio::test]
async fn a_conversation_is_bounded_and_what_is_more_is_masked() {
    let (guard, recorder) = (pseudonyms(), passing().await);
    let list = |from: usize, to: usize| -> String { (from..to).map(|at| format!("ann{at}@acme-mail.com ")).collect() };
    let many = |from: usize, to: usize| {
        let messages: Vec<Value> =
            (from..to).step_by(500).map(|at| json!({"role": "user", "content": list(at, at + 500)})).collect();
        json!({"model": "m", "messages": messages})
    };
    let me = who(Some("s"));
    let (seen, _) = ask(&guard, &recorder, &me, Protocol::OpenaiChat, &many(0, 10_000)).await;
    assert!(!seen.to_string().contains("REDACTED") && !seen.to_string().contains("acme"));
    let (seen, _) = ask(&guard, &recorder, &me, Protocol::OpenaiChat, &user("Mail ann10001@acme-mail.com")).await;
    assert_eq!(content(&seen), "Mail [REDACTED:EMAIL_ADDRESS]");
}

#[tokio::test]
async fn what_is_forgotten_of_a_tenant_is_restored_no_more() {
    let (guard, recorder) = (pseudonyms(), passing().await);
    let of = |name: &str| {
        let tenant = TenantId::authenticated(name).unwrap();
        Principal { tenant, ..who(Some("s")) }
    };
    let mut names = Vec::new();
    for tenant in ["a", "b"] {
        let (seen, _) = ask(&guard, &recorder, &of(tenant), Protocol::OpenaiChat, &user(&format!("Mail {MAIL}"))).await;
        names.push(content(&seen).split(' ').nth(1).unwrap().to_owned());
    }
    recorder.forget_pseudonyms(&of("a").tenant).await.unwrap();
    for (tenant, name, restored) in [("a", &names[0], names[0].as_str()), ("b", &names[1], MAIL)] {
        let (_, talk) = ask(&guard, &recorder, &of(tenant), Protocol::OpenaiChat, &user("Go on")).await;
        let whole = answer(&guard, talk, Protocol::OpenaiChat, &reply(name));
        assert_eq!(whole["choices"][0]["message"]["content"], restored, "{tenant}");
    }
}
