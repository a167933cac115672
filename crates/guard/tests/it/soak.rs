//! Generated agent conversations through the vault: no value reaches the model, no placeholder reaches a user or a tool
//! that should see the value.

use std::sync::Arc;

use bartizan_core::{Principal, Protocol, TenantId};
use bartizan_guard::{Conversation, Guard, Recorder};
use bartizan_policy::operator;
use serde_json::{Value, json};

use crate::pseudonyms::{answer, ask, guard, passing, stream};
use crate::streams::{data, event};

/// Numbers that depend on a seed alone.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.roll(list.len())]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.roll(10)).unwrap())).collect()
    }
}

const GIVEN: [&str; 8] = ["Maria", "Thomas", "Laura", "Stefan", "Anna", "Peter", "Julia", "Michael"];
const FAMILY: [&str; 8] = ["Fernandez", "Schneider", "Moreau", "Kowalski", "Rossi", "Johnson", "Peters", "Williams"];
const HOSTS: [&str; 4] = ["acme-mail.com", "nordlicht.de", "courriel.fr", "posta.it"];

/// A number with a check digit, so that it is one.
fn card(dice: &mut Dice) -> String {
    let body = format!("4{}", dice.digits(14));
    let sum = |digits: &str| -> u32 {
        let doubled = digits.chars().rev().enumerate().map(|(at, c)| match (at % 2, c.to_digit(10).unwrap()) {
            (0, d) => d,
            (_, d) if d > 4 => d * 2 - 9,
            (_, d) => d * 2,
        });
        doubled.sum()
    };
    let check = (0..10).find(|check| sum(&format!("{body}{check}")).is_multiple_of(10)).unwrap();
    format!("{} {} {} {}{check}", &body[..4], &body[4..8], &body[8..12], &body[12..])
}

/// What a user tells of: how it is introduced, and the value.
fn facts(dice: &mut Dice) -> Vec<(&'static str, String)> {
    let (given, family) = (*dice.of(&GIVEN), *dice.of(&FAMILY));
    let mail = format!("{}.{}{}@{}", given, family, dice.digits(3), dice.of(&HOSTS)).to_lowercase();
    let mut all = vec![
        ("My e-mail is", mail),
        ("My name is Mr.", format!("{given} {family}")),
        ("Call me at", format!("+49 151 {}", dice.digits(8))),
        ("My card is", card(dice)),
    ];
    while all.len() > 2 && dice.roll(3) == 0 {
        let at = dice.roll(all.len());
        all.remove(at);
    }
    all
}

/// What a model makes of a placeholder.
fn mangled(dice: &mut Dice, name: &str) -> String {
    let bare = name.trim_matches(['<', '>']);
    let (kind, label) = bare.rsplit_once('_').unwrap();
    match dice.roll(12) {
        0 => bare.to_owned(),
        1 => bare.to_lowercase(),
        2 => format!("[{bare}]"),
        3 => name.replace('_', "\\_"),
        4 => format!("&lt;{bare}&gt;"),
        5 => format!("<{kind}_\n{label}>"),
        6 => format!("{kind} {label}"),
        7 => format!("< {bare} >"),
        8 => format!("{{{{{bare}}}}}"),
        _ => name.to_owned(),
    }
}

/// Placeholders in what a model sees, in order.
fn placeholders(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (at, _) in text.match_indices('<') {
        let name: String = text[at..].chars().take_while(|c| *c != '>').chain(['>']).collect();
        if operator::is_well_formed(&name) && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// Pieces of a text as a model's tokens cut it.
fn pieces(dice: &mut Dice, text: &str) -> Vec<String> {
    let (mut out, mut chars) = (Vec::new(), text.chars().peekable());
    while chars.peek().is_some() {
        let size = 1 + dice.roll(6);
        out.push(chars.by_ref().take(size).collect());
    }
    out
}

/// One call of a tool.
#[derive(Clone)]
struct Call {
    tool: &'static str,
    arguments: Value,
}

/// What a model says: a text, and perhaps a call.
struct Said {
    text: String,
    call: Option<Call>,
}

fn whole(protocol: Protocol, said: &Said) -> Value {
    match protocol {
        Protocol::AnthropicMessages => {
            let mut content = vec![json!({"type": "text", "text": said.text})];
            content.extend(
                said.call.iter().map(|c| json!({"type": "tool_use", "id": "t", "name": c.tool, "input": c.arguments})),
            );
            json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": content, "stop_reason": "end_turn", "usage": {}})
        }
        _ => {
            let mut message = json!({"role": "assistant", "content": said.text});
            if let Some(c) = &said.call {
                message["tool_calls"] = json!([{"id": "t", "type": "function", "function": {"name": c.tool, "arguments": c.arguments.to_string()}}]);
            }
            json!({"id": "i", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        }
    }
}

fn streamed(dice: &mut Dice, protocol: Protocol, said: &Said) -> String {
    let text = pieces(dice, &said.text);
    let arguments = said.call.as_ref().map(|c| pieces(dice, &c.arguments.to_string().replace('<', "\\u003c")));
    if protocol != Protocol::AnthropicMessages {
        let mut out: String = text.iter().map(|p| event(&json!({"content": p}), &Value::Null)).collect();
        if let (Some(call), Some(pieces)) = (&said.call, arguments) {
            let function =
                |f: Value| json!({"tool_calls": [{"index": 0, "id": "t", "type": "function", "function": f}]});
            out += &event(&function(json!({"name": call.tool, "arguments": ""})), &Value::Null);
            for piece in pieces {
                let delta = json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
                out += &event(&delta, &Value::Null);
            }
        }
        return out + &event(&json!({}), &json!("stop")) + "data: [DONE]\n\n";
    }
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": null, "usage": {"input_tokens": 1, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ];
    let delta = |index: u8, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    events.extend(text.iter().map(|p| delta(0, json!({"type": "text_delta", "text": p}))));
    events.push(json!({"type": "content_block_stop", "index": 0}));
    if let (Some(call), Some(pieces)) = (&said.call, arguments) {
        events.push(json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": call.tool, "input": {}}}));
        events.extend(pieces.iter().map(|p| delta(1, json!({"type": "input_json_delta", "partial_json": p}))));
        events.push(json!({"type": "content_block_stop", "index": 1}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 5}}));
    events.push(json!({"type": "message_stop"}));
    events.iter().map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap())).collect()
}

/// What a client reads of a whole reply: the text and the arguments.
fn read_whole(protocol: Protocol, body: &Value) -> (String, Option<Value>) {
    match protocol {
        Protocol::AnthropicMessages => {
            let text = body["content"][0]["text"].as_str().unwrap().to_owned();
            (text, body["content"].get(1).map(|block| block["input"].clone()))
        }
        _ => {
            let message = &body["choices"][0]["message"];
            let arguments = message["tool_calls"][0]["function"]["arguments"].as_str();
            let text = message["content"].as_str().unwrap().to_owned();
            (text, arguments.map(|a| serde_json::from_str(a).unwrap()))
        }
    }
}

fn read_stream(protocol: Protocol, stream: &str) -> (String, Option<Value>) {
    let (mut text, mut arguments) = (String::new(), String::new());
    for event in data(stream) {
        let (said, called) = match protocol {
            Protocol::AnthropicMessages => (event["delta"]["text"].clone(), event["delta"]["partial_json"].clone()),
            _ => {
                let delta = &event["choices"][0]["delta"];
                (delta["content"].clone(), delta["tool_calls"][0]["function"]["arguments"].clone())
            }
        };
        text += said.as_str().unwrap_or_default();
        arguments += called.as_str().unwrap_or_default();
    }
    (text, (!arguments.is_empty()).then(|| serde_json::from_str(&arguments).unwrap()))
}

/// A turn of the model in the history of the client, and what the tool has answered.
fn history(protocol: Protocol, text: &str, call: Option<&Call>, result: &Value) -> Vec<Value> {
    if protocol == Protocol::AnthropicMessages {
        let mut content = vec![json!({"type": "text", "text": text})];
        let mut more = Vec::new();
        if let Some(call) = call {
            content.push(json!({"type": "tool_use", "id": "t", "name": call.tool, "input": call.arguments}));
            more.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": result.to_string()}]}));
        }
        return std::iter::once(json!({"role": "assistant", "content": content})).chain(more).collect();
    }
    let mut message = json!({"role": "assistant", "content": text});
    let mut more = Vec::new();
    if let Some(call) = call {
        message["tool_calls"] = json!([{"id": "t", "type": "function", "function": {"name": call.tool, "arguments": call.arguments.to_string()}}]);
        more.push(json!({"role": "tool", "tool_call_id": "t", "content": result.to_string()}));
    }
    std::iter::once(message).chain(more).collect()
}

/// What was seen over all conversations.
#[derive(Default, Debug)]
struct Seen {
    turns: usize,
    streams: usize,
    calls: usize,
    restored: usize,
    /// Values in what the model was sent.
    leaked: usize,
    /// Replies that were not what the user should see.
    wrong_texts: usize,
    /// Calls that were not what the tool should get.
    wrong_calls: usize,
    first: Option<String>,
}

impl Seen {
    fn note(&mut self, what: &str, got: &str, wanted: &str) {
        self.first.get_or_insert_with(|| format!("{what}\n   got: {got}\nwanted: {wanted}"));
    }
}

struct Agent<'a> {
    guard: &'a Guard,
    recorder: &'a Recorder,
    who: Principal,
    protocol: Protocol,
    messages: Vec<Value>,
    facts: Vec<(&'static str, String)>,
    /// A placeholder of somebody else.
    foreign: Option<String>,
}

impl Agent<'_> {
    /// Asks; answers with what the model sees.
    async fn ask(&self, seen: &mut Seen) -> (Value, Option<Arc<Conversation>>) {
        let mut body = json!({"model": "m", "messages": self.messages});
        if self.protocol == Protocol::AnthropicMessages {
            body["max_tokens"] = json!(100);
        }
        let (passed, talk) = ask(self.guard, self.recorder, &self.who, self.protocol, &body).await;
        let text = passed.to_string();
        for (_, value) in &self.facts {
            if text.contains(value.as_str()) {
                seen.leaked += 1;
                seen.note("a value reached the model", &text, value);
            }
        }
        (passed, talk)
    }

    /// What the model says about what it sees, and what should become of it.
    fn reply(&self, dice: &mut Dice, names: &[String], values: &[String]) -> (Said, Said) {
        let (mut text, mut wanted) = ("Well: ".to_owned(), "Well: ".to_owned());
        for _ in 0..1 + dice.roll(3) {
            let lead = *dice.of(&["I have noted ", "So it is ", "About ", "- **Contact:** ", "| a | "]);
            let at = dice.roll(names.len());
            text += &format!("{lead}{}; ", mangled(dice, &names[at]));
            wanted += &format!("{lead}{}; ", values[at]);
        }
        if let Some(foreign) = &self.foreign
            && dice.roll(3) == 0
        {
            text += &format!("and {foreign}. ");
            wanted += &format!("and {foreign}. ");
        }
        text += "That is all.";
        wanted += "That is all.";
        let call = (dice.roll(2) == 0).then(|| {
            let tool = *dice.of(&["send_email", "crm.update", "web_search"]);
            let at = dice.roll(names.len());
            let written = match dice.roll(3) {
                0 => names[at].trim_matches(['<', '>']).to_owned(),
                _ => names[at].clone(),
            };
            let of = |name: &str| json!({"to": name, "items": [{"note": format!("for {name}, soon")}], "count": 3});
            let kept = tool.starts_with("web_");
            let wanted = if kept { of(&written) } else { of(&values[at]) };
            (Call { tool, arguments: of(&written) }, Call { tool, arguments: wanted })
        });
        let (call, wanted_call) = call.unzip();
        (Said { text, call }, Said { text: wanted, call: wanted_call })
    }

    async fn run(&mut self, dice: &mut Dice, seen: &mut Seen) -> Option<String> {
        let told: Vec<String> = self.facts.iter().map(|(lead, value)| format!("{lead} {value}.")).collect();
        self.messages.push(json!({"role": "user", "content": format!("Please help me. {}", told.join(" "))}));
        let mut first = None;
        for turn in 0..2 + dice.roll(3) {
            seen.turns += 1;
            let (passed, talk) = self.ask(seen).await;
            let visible = passed["messages"][0]["content"].as_str().unwrap().to_owned();
            let names = placeholders(&visible);
            // In the order in which they are told.
            if names.len() != self.facts.len() {
                seen.leaked += 1;
                seen.note("not every value has a pseudonym", &visible, &format!("{:?}", self.facts));
                return first;
            }
            let values: Vec<String> = self.facts.iter().map(|(_, value)| value.clone()).collect();
            first.get_or_insert_with(|| names[0].clone());
            let (said, wanted) = self.reply(dice, &names, &values);
            let (text, arguments) = if dice.roll(2) == 0 {
                seen.streams += 1;
                let bytes = streamed(dice, self.protocol, &said);
                let out = stream(self.guard, talk, self.protocol, &bytes, 1 + dice.roll(400));
                read_stream(self.protocol, &out)
            } else {
                read_whole(self.protocol, &answer(self.guard, talk, self.protocol, &whole(self.protocol, &said)))
            };
            seen.restored += names.len();
            if text != wanted.text {
                seen.wrong_texts += 1;
                seen.note("the user sees something else", &text, &wanted.text);
            }
            let wanted_arguments = wanted.call.as_ref().map(|call| call.arguments.clone());
            seen.calls += usize::from(wanted_arguments.is_some());
            if arguments != wanted_arguments {
                seen.wrong_calls += 1;
                seen.note("a tool gets something else", &format!("{arguments:?}"), &format!("{wanted_arguments:?}"));
            }
            // The tool tells of it in its own words.
            let at = dice.roll(values.len());
            let result = json!({"ok": true, "record": {"id": 17, "about": values[at], "log": format!("done for {}", values[at])}});
            let mut turns = history(self.protocol, &text, wanted.call.as_ref(), &result);
            // Some clients keep what the model has said.
            if dice.roll(5) == 0 {
                turns = history(self.protocol, &said.text, said.call.as_ref(), &result);
            }
            self.messages.extend(turns);
            let again = format!("Turn {turn}: and now? Remember {}, please.", values[dice.roll(values.len())]);
            self.messages.push(json!({"role": "user", "content": again}));
        }
        self.ask(seen).await;
        first
    }
}

async fn soak(conversations: usize, seed: u64) -> Seen {
    let guard = guard(&json!({
        "operator": [{"rule": "pii/*", "operator": "pseudonym"}],
        "rows": [{"rule": "pii/date", "verdict": "allow"}, {"rule": "pii/title", "verdict": "allow"}],
        "restore": [{"tool": "web_*", "restore": false}],
    }));
    let recorder = passing().await;
    let (mut seen, mut foreign) = (Seen::default(), None);
    for number in 0..conversations {
        let mut dice = Dice(seed.wrapping_add(number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        dice.roll(2);
        let session = (dice.roll(2) == 0).then(|| Arc::from(format!("s{number}")));
        let name: &str = dice.of::<&str>(&["a", "b"]);
        let tenant = TenantId::authenticated(name).unwrap();
        let who = Principal { tenant, key: "app".into(), session, ..Principal::default() };
        let protocol = *dice.of(&[Protocol::OpenaiChat, Protocol::AnthropicMessages]);
        let facts = facts(&mut dice);
        let mut agent =
            Agent { guard: &guard, recorder: &recorder, who, protocol, messages: Vec::new(), facts, foreign };
        foreign = agent.run(&mut dice, &mut seen).await;
    }
    seen
}

fn clean(seen: &Seen) {
    assert_eq!(
        (seen.leaked, seen.wrong_texts, seen.wrong_calls),
        (0, 0, 0),
        "{seen:?}\n{}",
        seen.first.as_deref().unwrap_or_default()
    );
    assert!(seen.streams > 0 && seen.calls > 0);
}

#[tokio::test]
async fn values_and_placeholders_stay_on_their_sides() {
    clean(&soak(200, 1).await);
}

#[tokio::test]
#[ignore = "minutes; the figures of docs/benchmarks.md"]
#[allow(clippy::print_stdout, clippy::disallowed_methods, reason = "it is run for its figures")]
async fn ten_thousand_conversations() {
    let started = std::time::Instant::now();
    let seen = soak(10_000, 2).await;
    println!("{seen:?} in {:.0} s", started.elapsed().as_secs_f64());
    clean(&seen);
}
