//! Prints what reading, visiting and rewriting cost. `cargo bench -p bartizan-wire`
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark reads a clock and prints"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use bartizan_core::{Edit, Limits, Protocol, Span};
use bartizan_wire::json::Doc;
use bartizan_wire::{SseDecoder, StreamReader, conversation, request, rewrite};

/// The best of many short rounds, in nanoseconds for one call: what disturbs a round only makes it longer.
fn time(calls: u32, mut f: impl FnMut()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        for _ in 0..calls {
            f();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
    };
    (0..400).map(round).fold(f64::INFINITY, f64::min)
}

fn show(name: &str, bytes: usize, nanos: f64) {
    #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
    let rate = bytes as f64 * 1e3 / nanos;
    println!("{name:44} {bytes:>9} B {:>10.2} µs {rate:>8.0} MB/s", nanos / 1e3);
}

/// A chat of about 4 KiB: a system text, turns of a few sentences, a tool call with its result.
fn chat(turns: usize, sentences: usize) -> String {
    let mut out = String::from(
        r#"{"model":"gpt-x","stream":true,"temperature":0.7,"messages":[{"role":"system","content":"You are a helpful assistant.\nAnswer briefly."}"#,
    );
    for turn in 0..turns {
        let words = "The quick brown fox jumps over the lazy dog while it rains. ".repeat(sentences);
        write!(
            out,
            r#",{{"role":"user","content":"{words}Turn {turn}?"}},{{"role":"assistant","content":"{words}\nYes."}}"#
        )
        .unwrap_or_default();
    }
    out.push_str(r#",{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_mail","arguments":"{\"folder\":\"inbox\",\"limit\":5}"}}]}"#);
    out.push_str(r#",{"role":"tool","tool_call_id":"call_1","content":"{\"mails\":[{\"from\":\"a@example.org\",\"subject\":\"hi\"}]}"}],"tools":[{"type":"function","function":{"name":"get_mail","description":"Reads mail","parameters":{"type":"object","properties":{"folder":{"type":"string"},"limit":{"type":"integer"}}}}}]}"#);
    out
}

fn main() {
    let limits = Limits::default();
    let few = chat(2, 14).into_bytes();
    show(
        "request of 7 messages, visited",
        few.len(),
        time(40, || drop(black_box(request(Protocol::OpenaiChat, black_box(few.clone()), &limits)))),
    );
    let body = chat(9, 3);
    show("scan", body.len(), time(40, || drop(black_box(Doc::parse(black_box(body.as_bytes()), &limits)))));
    let bytes = body.clone().into_bytes();
    show(
        "request of 21 messages, visited",
        body.len(),
        time(40, || drop(black_box(request(Protocol::OpenaiChat, black_box(bytes.clone()), &limits)))),
    );
    show(
        "serde_json::Value, for comparison",
        body.len(),
        time(40, || drop(black_box(serde_json::from_slice::<serde_json::Value>(black_box(&bytes))))),
    );
    if let Ok(exchange) = request(Protocol::OpenaiChat, bytes.clone(), &limits) {
        println!("  {} texts, {} messages", exchange.texts.len(), exchange.messages.len());
        let text = exchange.texts.iter().position(|t| t.pointer == "/messages/3/content").unwrap_or_default();
        let edits = [Edit::Replace { text, span: Span::new(4, 9), with: "[REDACTED]".to_owned() }];
        show(
            "rewrite of one text, read again",
            body.len(),
            time(20, || drop(black_box(rewrite(&exchange, &edits, &limits)))),
        );
    }
    let long = format!(r#"[{{"role":"user","content":"{}"}}]"#, "Some longer prose, as it stands. ".repeat(32_000));
    show("conversation of one long text", long.len(), time(1, || drop(black_box(conversation(&long, &limits)))));
    let numbers = format!(r#"{{"messages":[],"x":[{}1]}}"#, "1.5,".repeat(25_000));
    show(
        "request of numbers",
        numbers.len(),
        time(1, || drop(black_box(request(Protocol::OpenaiChat, numbers.clone().into_bytes(), &limits)))),
    );
    let event = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
    let mut reader = StreamReader::new(Protocol::OpenaiChat, &limits);
    let mut decoder = SseDecoder::new(&limits);
    let mut events = Vec::new();
    show(
        "stream event, decoded and read",
        event.len(),
        time(40, || {
            events.clear();
            drop(black_box(decoder.push(event.as_bytes(), &mut events)));
            for event in &events {
                drop(black_box(reader.event(event)));
            }
        }),
    );
}
