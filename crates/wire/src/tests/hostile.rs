use bartizan_core::{Edit, Limits, Protocol, Span};
use proptest::prelude::*;

use super::laws;
use super::limits;

const SEEDS: [&str; 11] = [
    r#"{"model":"m","stream":true,"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA"}}]},{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":[1,\"b\"]}"}}]},{"role":"tool","tool_call_id":"c","content":"[\"x\",{\"y\":\"z\"}]"}],"tools":[{"type":"web_search"}]}"#,
    r#"{"system":"s","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"{\"a\":\"b\"}"}]},{"type":"document","source":{"type":"text","data":"d"}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":"iVBORw0KGgoAAAANSUhEUgAA"},{"type":"tool_use","id":"t","name":"n","input":{"q":"r"}}]}]}"#,
    "data: {\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\",\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]},\"logprobs\":{\"content\":[]},\"finish_reason\":null}]}\r\n\r\ndata: [DONE]\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"name\":\"n\",\"input\":{}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}\n\n",
    r#"{"model":"m","prompt":["p",[1,2]],"suffix":"s","stream":true,"logit_bias":{"5":1}}"#,
    r#"{"model":"m","input":["a",{"text":"b"}],"data":[{"embedding":[0.5,-1e-3],"index":0},{"embedding":"iVBORw0KGgoAAAANSUhEUgAA"}]}"#,
    r#"{"contents":[{"role":"user","parts":[{"text":"t"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgoAAAANSUhEUgAA"}}]},{"role":"model","parts":[{"functionCall":{"id":"c","name":"f","args":{"a":"b"}}},{"thought":true,"text":"h","thoughtSignature":"iVBORw0KGgoAAAANSUhEUgAA"}]},{"role":"user","parts":[{"function_response":{"id":"c","response":{"r":"x"}}}]}],"system_instruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f"}]},{"googleSearch":{}}]}"#,
    r#"{"messages":[{"role":"user","content":[{"text":"t"},{"document":{"name":"n","source":{"text":"d"}}}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"c","name":"f","input":{"a":"b"}}},{"reasoningContent":{"reasoningText":{"text":"h","signature":"iVBORw0KGgoAAAANSUhEUgAA"}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"c","content":[{"json":{"r":"x"}}]}}]}],"system":[{"text":"s"}],"toolConfig":{"tools":[{"toolSpec":{"name":"f"}},{"systemTool":{"name":"g"}}]}}"#,
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"},{\"thought\":true,\"text\":\"b\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"logprobsResult\":{}}],\"modelVersion\":\"m\"}\r\n\r\n",
    r#"{"model":"m","instructions":"s","previous_response_id":"r","input":[{"role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":[1,\"b\"]}"},{"type":"function_call_output","call_id":"c","output":"[\"x\"]"},{"type":"reasoning","summary":[{"type":"summary_text","text":"h"}]}],"tools":[{"type":"web_search"}]}"#,
    "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"i\",\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"\"}}\n\nevent: response.function_call_arguments.delta\ndata: {\"type\":\"response.function_call_arguments.delta\",\"sequence_number\":2,\"item_id\":\"i\",\"output_index\":0,\"delta\":\"{\"}\n\nevent: response.output_text.done\ndata: {\"type\":\"response.output_text.done\",\"sequence_number\":3,\"item_id\":\"j\",\"output_index\":1,\"content_index\":0,\"text\":\"t\",\"logprobs\":[{\"token\":\"t\"}]}\n\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = laws::body(&bytes);
        let _ = laws::stream(&bytes);
    }

    #[test]
    fn damaged_bodies_and_streams_are_read_or_refused(
        seed in prop::sample::select(SEEDS.to_vec()),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[\\[\\]{}\":,a-z0-9\\\\é\u{1}\n]{0,6}"), 1..4),
    ) {
        let mut bytes = seed.as_bytes().to_vec();
        for (at, len, with) in &damage {
            let at = at.index(bytes.len() + 1);
            let end = (at + len).min(bytes.len());
            bytes.splice(at..end, with.bytes());
        }
        let _ = laws::body(&bytes);
        let _ = laws::stream(&bytes);
    }
}

#[test]
fn the_seeds_themselves_are_read() {
    for seed in SEEDS {
        let bytes = seed.as_bytes();
        assert!(laws::body(bytes) | laws::stream(bytes), "{seed}");
    }
}

#[test]
fn large_hostile_bodies_take_linear_time() {
    let many = Limits { max_body: 64 << 20, ..Limits::default() };
    let chat = |body: String| crate::request(Protocol::OpenaiChat, body.into_bytes(), &many);
    // Each of these is quadratic with a careless structure: repeated look-ups, suffix scans, repeated moves.
    let parts = r#"{"type":"image_url","image_url":{"url":"x"}},"#.repeat(20_000);
    let exchange =
        chat(format!(r#"{{"messages":[{{"role":"user","content":[{parts}{{"type":"text","text":"t"}}]}}]}}"#)).unwrap();
    let strips: Vec<_> = (0..exchange.opaque.len()).map(|opaque| Edit::Strip { opaque }).collect();
    assert_eq!(crate::rewrite(&exchange, &strips, &many).unwrap().opaque.len(), 0);
    let text = "a\\n".repeat(500_000);
    let exchange = chat(format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]}}"#)).unwrap();
    let at = exchange.texts.iter().position(|t| t.value.len() > 1000).unwrap();
    let edits: Vec<_> = (0..100_000)
        .map(|i| Edit::Replace { text: at, span: Span::new(i * 4, i * 4 + 1), with: "b".to_owned() })
        .collect();
    let edited = crate::rewrite(&exchange, &edits, &many).unwrap();
    assert!(edited.texts[at].value.starts_with("b\na\nb\na\n"));
    let calls: String =
        (0..20_000).map(|i| format!(r#"{{"id":"c{i}","function":{{"name":"f{i}","arguments":"[0]"}}}},"#)).collect();
    let last = r#"{"id":"z","function":{"name":"z","arguments":"{}"}}"#;
    assert!(chat(format!(r#"{{"messages":[{{"role":"assistant","tool_calls":[{calls}{last}]}}]}}"#)).is_ok());
    let keys: String = (0..100_000).map(|i| format!("\"k{i}\":0,")).collect();
    assert!(chat(format!(r#"{{"messages":[],{keys}"z":0}}"#)).is_ok());
}

#[test]
fn a_stream_in_single_bytes_takes_linear_time() {
    let mut decoder = crate::SseDecoder::new(&limits());
    let mut events = Vec::new();
    let event = format!("data: {}\n\n", "x".repeat(1 << 20));
    for byte in event.bytes() {
        decoder.push(&[byte], &mut events).unwrap();
    }
    assert_eq!(events.len(), 1);
}
