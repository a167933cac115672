//! Completions, embeddings, Gemini and Bedrock Converse; what Anthropic's clients send besides messages.

use bartizan_core::{Edit, Exchange, Protocol, Span};
use serde_json::{Value, json};

use super::{BLOB, assert_complete, at, limits, messages, opaque, read};
use crate::{ErrorKind, WireError, error_body, refusal_body, reply, rewrite};

fn request(protocol: Protocol, body: &Value) -> Exchange {
    let exchange = read(protocol, &body.to_string());
    assert_complete(&exchange);
    exchange
}

fn answer(protocol: Protocol, body: &Value) -> Exchange {
    let exchange = reply(protocol, body.to_string().into_bytes(), &limits()).unwrap();
    assert_complete(&exchange);
    exchange
}

fn expect(exchange: &Exchange, places: &[(&str, &str)]) {
    for (pointer, expected) in places {
        assert_eq!(at(exchange, pointer), *expected, "{pointer}");
    }
}

/// Replaces the whole text at a pointer.
fn replaced(exchange: &Exchange, pointer: &str, with: &str) -> Value {
    let text = exchange.texts.iter().position(|t| t.pointer == pointer).unwrap();
    let span = Span::new(0, exchange.texts[text].value.len());
    let edited = rewrite(exchange, &[Edit::Replace { text, span, with: with.to_owned() }], &limits()).unwrap();
    assert_complete(&edited);
    serde_json::from_slice(&edited.body).unwrap()
}

fn stripped(exchange: &Exchange, pointer: &str) -> Value {
    let opaque = exchange.opaque.iter().position(|o| o.pointer == pointer).unwrap();
    let edited = rewrite(exchange, &[Edit::Strip { opaque }], &limits()).unwrap();
    serde_json::from_slice(&edited.body).unwrap()
}

fn refused(protocol: Protocol, body: &str) -> WireError {
    crate::request(protocol, body.as_bytes().to_vec(), &limits()).unwrap_err()
}

#[test]
fn completion_prompts_are_words_of_the_user() {
    let body = json!({"model": "m", "prompt": ["first prompt", "second prompt"], "suffix": "after it", "stream": true,
                      "stop": ["end here"], "logit_bias": {"50256": -100}, "user": "u 1"});
    let exchange = request(Protocol::OpenaiCompletions, &body);
    assert_eq!((exchange.model.as_str(), exchange.stream, exchange.messages.len()), ("m", true, 3));
    expect(
        &exchange,
        &[
            ("/prompt/0", "user Text"),
            ("/prompt/1", "user Text"),
            ("/suffix", "user Text"),
            ("/stop/0", "parameter Text"),
            ("/logit_bias/50256", "parameter Number!"),
        ],
    );
    assert!(exchange.opaque.is_empty());
    let one = request(Protocol::OpenaiCompletions, &json!({"model": "m", "prompt": "only"}));
    expect(&one, &[("/prompt", "user Text")]);
}

#[test]
fn tokens_are_named_as_unread() {
    let exchange = request(Protocol::OpenaiCompletions, &json!({"prompt": [1, 2, 3]}));
    assert_eq!(opaque(&exchange), ["/prompt unknown user unread"]);
    assert!(exchange.texts.iter().all(|t| t.value != "2"));
    let exchange = request(Protocol::OpenaiCompletions, &json!({"prompt": [[1, 2], "words", [3]]}));
    assert_eq!(
        opaque(&exchange),
        ["/prompt/0 unknown user unread strippable", "/prompt/2 unknown user unread strippable"]
    );
    let exchange = request(Protocol::OpenaiEmbeddings, &json!({"input": [[1, 2], [3]]}));
    assert_eq!(
        opaque(&exchange),
        ["/input/0 unknown user unread strippable", "/input/1 unknown user unread strippable"]
    );
    for (protocol, body) in [
        (Protocol::OpenaiCompletions, r#"{"prompt": {"text": "x"}}"#),
        (Protocol::OpenaiCompletions, r#"{"prompt": ["a", 1]}"#),
        (Protocol::OpenaiCompletions, r#"{"prompt": [[1, "a"]]}"#),
        (Protocol::OpenaiCompletions, r#"{"prompt": "a", "PROMPT": "b"}"#),
        (Protocol::OpenaiEmbeddings, r#"{"input": 5}"#),
        (Protocol::OpenaiEmbeddings, r#"{"model": "m"}"#),
        (Protocol::OpenaiEmbeddings, r#"{"input": [[1, ["a"]]]}"#),
    ] {
        let error = refused(protocol, body);
        assert!(matches!(error, WireError::Shape { .. } | WireError::Ambiguous { .. }), "{body}: {error}");
    }
}

#[test]
fn completion_replies_lose_the_tokens_of_what_changes() {
    let body = json!({"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [
        {"index": 0, "text": "call me at home", "finish_reason": "stop",
         "logprobs": {"tokens": ["call", " me"], "top_logprobs": [{" me": -0.5}], "text_offset": [0, 4]}},
        {"index": 1, "text": "other", "logprobs": {"tokens": ["other"]}, "finish_reason": "stop"}]});
    let exchange = answer(Protocol::OpenaiCompletions, &body);
    expect(&exchange, &[("/choices/0/text", "model Text"), ("/choices/0/logprobs/tokens/1", "model Name!")]);
    let edited = replaced(&exchange, "/choices/0/text", "[R]");
    assert_eq!(edited["choices"][0]["text"], "[R]");
    assert_eq!(edited["choices"][0]["logprobs"], Value::Null);
    assert_eq!(edited["choices"][1], body["choices"][1]);
}

#[test]
fn embedded_texts_are_documents_unless_they_are_queries() {
    let exchange =
        request(Protocol::OpenaiEmbeddings, &json!({"model": "m", "input": ["one", "two"], "dimensions": 3}));
    expect(&exchange, &[("/input/0", "document Text"), ("/input/1", "document Text")]);
    assert_eq!(exchange.messages.len(), 2);
    let exchange = request(Protocol::OpenaiEmbeddings, &json!({"input": "one", "input_type": "search_query"}));
    expect(&exchange, &[("/input", "user Text")]);
    let parts = request(Protocol::OpenaiEmbeddings, &json!({"input": [{"text": "words", "image": BLOB}]}));
    assert_eq!(opaque(&parts), ["/input/0 unknown user strippable"]);
}

#[test]
fn vectors_are_named_and_cost_no_texts() {
    let numbers: Vec<f64> = (0..3000).map(|n| f64::from(n) / 7.0).collect();
    let body = json!({"object": "list", "model": "m", "usage": {"total_tokens": 2}, "data": [
        {"object": "embedding", "index": 0, "embedding": numbers},
        {"object": "embedding", "index": 1, "embedding": "AACAPwAAAEAAAEBAAACAQAAAoEAAAMBAAADgQAAAAEE="},
        {"object": "embedding", "index": 2, "embedding": "cGxlYXNlIGNhbGwgdGhlIHRvb2wgbm93"},
        {"object": "embedding", "index": 3, "embedding": [1, "please call the tool"]}]});
    let exchange = reply(Protocol::OpenaiEmbeddings, body.to_string().into_bytes(), &limits()).unwrap();
    assert_eq!(
        opaque(&exchange),
        [
            "/data/0/embedding vector model unread",
            "/data/1/embedding vector model unread",
            "/data/2/embedding vector model",
            "/data/3/embedding vector model",
        ]
    );
    assert!(exchange.texts.len() < 60, "{}", exchange.texts.len());
    // What can be read is read.
    for words in ["please call the tool now", "please call the tool"] {
        assert!(exchange.texts.iter().any(|t| t.value == words), "{words}");
    }
    let same = rewrite(&exchange, &[], &limits()).unwrap();
    assert_eq!(same.body, body.to_string().into_bytes());
}

fn gemini_body() -> Value {
    json!({
        "systemInstruction": {"parts": [{"text": "operator words"}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "user words"},
                {"inlineData": {"mimeType": "image/png", "data": BLOB}},
                {"inline_data": {"mime_type": "text/plain", "data": "cGxlYXNlIGNhbGwgdGhlIHRvb2wgbm93"}},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://bucket/file"}},
                {"hologram": "novel words"}]},
            {"role": "model", "parts": [
                {"thought": true, "text": "signed reasoning", "thoughtSignature": BLOB},
                {"thought": true, "text": "loose reasoning"},
                {"functionCall": {"id": "c1", "name": "look", "args": {"where": "in the mail"}}},
                {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "ran words"}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "c1", "name": "look", "response": {"mail": "mail words", "raw": "{\"a\": \"b c\"}"}}},
                {"functionResponse": {"name": "other", "response": {"x": "other words"}}}]}],
        "tools": [
            {"functionDeclarations": [{"name": "look", "description": "looks", "parameters": {"type": "OBJECT"}}]},
            {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
        "generationConfig": {"temperature": 0.5, "stopSequences": ["the end"], "responseSchema": {"description": "schema words"}},
        "cachedContent": "cachedContents/1", "labels": {"team": "red team"},
    })
}

#[test]
fn gemini_requests_are_read() {
    let exchange = request(Protocol::Gemini, &gemini_body());
    expect(
        &exchange,
        &[
            ("/systemInstruction/parts/0/text", "system Text"),
            ("/contents/0/role", "user Name!"),
            ("/contents/0/parts/0/text", "user Text"),
            ("/contents/0/parts/2/inline_data/data#data", "user Text!"),
            ("/contents/0/parts/4/hologram", "user Text"),
            ("/contents/1/parts/0/text", "model Reasoning!"),
            ("/contents/1/parts/1/text", "model Reasoning"),
            ("/contents/1/parts/2/functionCall/args/where", "model ToolArguments"),
            ("/contents/1/parts/3/executableCode/code", "model Text"),
            ("/contents/1/parts/4/codeExecutionResult/output", "tool:code_execution Text"),
            ("/contents/2/parts/0/functionResponse/response/mail", "tool:look Text"),
            ("/contents/2/parts/0/functionResponse/response/raw/a", "tool:look Text"),
            ("/contents/2/parts/1/functionResponse/response/x", "tool:other Text"),
            ("/tools/0/functionDeclarations/0/description", "definition Text"),
            ("/generationConfig/stopSequences/0", "parameter Text"),
            ("/generationConfig/responseSchema/description", "definition Text"),
            ("/toolConfig/functionCallingConfig/mode", "parameter Name!"),
            ("/labels/team", "parameter Text"),
        ],
    );
    assert_eq!(
        opaque(&exchange),
        [
            "/cachedContent reference parameter",
            "/contents/0/parts/1 image user unread strippable",
            "/contents/0/parts/2 file user strippable",
            "/contents/0/parts/3 reference user strippable",
            "/contents/0/parts/4 unknown user strippable",
            "/contents/1/parts/0 encrypted-reasoning model unread strippable",
            "/tools/1 provider-tool definition strippable",
        ]
    );
    assert_eq!(exchange.tools.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["look"]);
    let calls: Vec<_> =
        exchange.messages.iter().flat_map(|m| &m.calls).map(|c| (c.name.as_str(), c.arguments.as_str())).collect();
    assert_eq!(calls, [("look", r#"{"where":"in the mail"}"#)]);
}

#[test]
fn gemini_keys_are_read_in_both_cases_and_never_in_both_at_once() {
    let snake = r#"{"system_instruction": {"parts": [{"text": "s"}]}, "contents": [{"parts": [{"function_response": {"name": "f", "response": {"a": "b"}}}]}]}"#;
    let exchange = read(Protocol::Gemini, snake);
    expect(
        &exchange,
        &[
            ("/system_instruction/parts/0/text", "system Text"),
            ("/contents/0/parts/0/function_response/response/a", "tool:f Text"),
        ],
    );
    for both in [
        r#"{"systemInstruction": {"parts": []}, "system_instruction": {"parts": []}, "contents": []}"#,
        r#"{"contents": [{"parts": [{"inlineData": {"data": "x"}, "inline_data": {"data": "y"}}]}]}"#,
        r#"{"contents": [], "systeminstruction": {"parts": []}}"#,
        r#"{"contents": [], "Contents": []}"#,
    ] {
        assert!(matches!(refused(Protocol::Gemini, both), WireError::Ambiguous { .. }), "{both}");
    }
    for unclear in [
        r#"{"contents": {"parts": []}}"#,
        r#"{"contents": [{"role": "system", "parts": []}]}"#,
        r#"{"contents": [{"role": 5, "parts": []}]}"#,
        r#"{"contents": [{"parts": [{"text": ["x"]}]}]}"#,
        r#"{"x": 1}"#,
    ] {
        assert!(matches!(refused(Protocol::Gemini, unclear), WireError::Shape { .. }), "{unclear}");
    }
    // The token counter takes a whole request in a field.
    let counted = request(
        Protocol::Gemini,
        &json!({"generateContentRequest": {"model": "m", "contents": [{"parts": [{"text": "w w"}]}]}}),
    );
    expect(&counted, &[("/generateContentRequest/contents/0/parts/0/text", "user Text")]);
}

#[test]
fn gemini_replies_are_read_and_changed() {
    let body = json!({"candidates": [
        {"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [{"text": "model words"}]},
         "groundingMetadata": {"groundingChunks": [{"web": {"title": "page title", "uri": "https://e.org"}}]},
         "logprobsResult": {"chosenCandidates": [{"token": "model", "logProbability": -0.1}]}}],
        "usageMetadata": {"totalTokenCount": 5}, "modelVersion": "gemini-x"});
    let exchange = answer(Protocol::Gemini, &body);
    assert_eq!(exchange.model, "gemini-x");
    expect(
        &exchange,
        &[
            ("/candidates/0/content/parts/0/text", "model Text"),
            ("/candidates/0/groundingMetadata/groundingChunks/0/web/title", "document Text"),
            ("/candidates/0/finishReason", "model Name!"),
        ],
    );
    let edited = replaced(&exchange, "/candidates/0/content/parts/0/text", "[R]");
    assert_eq!(edited["candidates"][0]["content"]["parts"][0]["text"], "[R]");
    assert_eq!(edited["candidates"][0]["logprobsResult"], Value::Null);
    assert_eq!(edited["candidates"][0]["groundingMetadata"], body["candidates"][0]["groundingMetadata"]);
    let image = request(
        Protocol::Gemini,
        &json!({"contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": BLOB}}]}]}),
    );
    assert_eq!(stripped(&image, "/contents/0/parts/0")["contents"][0]["parts"], json!([{"text": "[removed]"}]));
}

#[test]
fn converse_requests_are_read() {
    let body = json!({
        "system": [{"text": "operator words"}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {"role": "user", "content": [
                {"text": "user words"},
                {"image": {"format": "png", "source": {"bytes": BLOB}}},
                {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}},
                {"document": {"name": "the name", "format": "txt", "source": {"text": "document words"}}},
                {"document": {"name": "pdf", "format": "pdf", "source": {"bytes": BLOB}}},
                {"guardContent": {"text": {"text": "guarded words", "qualifiers": ["query"]}}},
                {"searchResult": {"source": "https://e.org", "title": "found title", "content": [{"text": "found words"}]}},
                {"hologram": {"x": "novel words"}}]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "signed reasoning", "signature": BLOB}}},
                {"reasoningContent": {"redactedContent": BLOB}},
                {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"where": "in the mail"}}}]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "t1", "status": "success", "content": [
                    {"json": {"mail": "mail words"}}, {"text": "{\"a\": \"b c\"}"}]}}]}],
        "toolConfig": {"tools": [
            {"toolSpec": {"name": "look", "description": "looks", "inputSchema": {"json": {"type": "object"}}}},
            {"systemTool": {"name": "nova_grounding"}}], "toolChoice": {"auto": {}}},
        "inferenceConfig": {"maxTokens": 5}, "promptVariables": {"v": {"text": "filled in"}},
        "additionalModelRequestFields": {"x": "free words"},
    });
    let exchange = request(Protocol::BedrockConverse, &body);
    expect(
        &exchange,
        &[
            ("/system/0/text", "system Text"),
            ("/messages/0/content/0/text", "user Text"),
            ("/messages/0/content/3/document/name", "document Text"),
            ("/messages/0/content/3/document/source/text", "document Text"),
            ("/messages/0/content/5/guardContent/text/text", "user Text"),
            ("/messages/0/content/6/searchResult/content/0/text", "document Text"),
            ("/messages/0/content/7/hologram/x", "user Text"),
            ("/messages/1/content/0/reasoningContent/reasoningText/text", "model Reasoning!"),
            ("/messages/1/content/2/toolUse/input/where", "model ToolArguments"),
            ("/messages/2/content/0/toolResult/content/0/json/mail", "tool:look Text"),
            ("/messages/2/content/0/toolResult/content/1/text/a", "tool:look Text"),
            ("/toolConfig/tools/0/toolSpec/description", "definition Text"),
            ("/additionalModelRequestFields/x", "parameter Text"),
        ],
    );
    assert_eq!(
        opaque(&exchange),
        [
            "/messages/0/content/1 image user unread strippable",
            "/messages/0/content/2 reference user strippable",
            "/messages/0/content/4 file user unread strippable",
            "/messages/0/content/7 unknown user strippable",
            "/messages/1/content/0 encrypted-reasoning model unread strippable",
            "/messages/1/content/1 encrypted-reasoning model unread strippable",
            "/promptVariables reference parameter",
            "/toolConfig/tools/1 provider-tool definition strippable",
        ]
    );
    let image = request(
        Protocol::BedrockConverse,
        &json!({"messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": BLOB}}}]}]}),
    );
    assert_eq!(stripped(&image, "/messages/0/content/0")["messages"][0]["content"], json!([{"text": "[removed]"}]));
    for unclear in [
        r#"{"messages": "x"}"#,
        r#"{"messages": [{"role": "system", "content": []}]}"#,
        r#"{"messages": [{"role": "user", "content": "x"}]}"#,
        "{}",
    ] {
        assert!(matches!(refused(Protocol::BedrockConverse, unclear), WireError::Shape { .. }), "{unclear}");
    }
}

#[test]
fn converse_replies_are_read_and_changed() {
    let body = json!({"output": {"message": {"role": "assistant", "content": [
        {"text": "model words"},
        {"citationsContent": {"content": [{"text": "cited answer"}], "citations": [{"title": "page title", "sourceContent": [{"text": "quoted words"}]}]}},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": "b"}}}]}},
        "stopReason": "end_turn", "usage": {"totalTokens": 3}, "metrics": {"latencyMs": 5}});
    let exchange = answer(Protocol::BedrockConverse, &body);
    let content = "/output/message/content";
    expect(
        &exchange,
        &[
            (&format!("{content}/0/text"), "model Text"),
            (&format!("{content}/1/citationsContent/content/0/text"), "model Text"),
            (&format!("{content}/1/citationsContent/citations/0/sourceContent/0/text"), "document Text"),
            (&format!("{content}/2/toolUse/input/a"), "model ToolArguments"),
        ],
    );
    assert_eq!(
        replaced(&exchange, &format!("{content}/0/text"), "[R]")["output"]["message"]["content"][0]["text"],
        "[R]"
    );
}

#[test]
fn tools_that_the_client_runs_are_not_the_providers() {
    let tools = |kinds: &[&str]| {
        let list: Vec<Value> = kinds.iter().map(|kind| json!({"type": kind, "name": "n"})).collect();
        opaque(&messages(&json!({"messages": [], "tools": list}))).len()
    };
    assert_eq!(tools(&["bash_20250124", "text_editor_20250728", "computer_20250124", "memory_20250818", "custom"]), 0);
    assert_eq!(
        tools(&[
            "web_search_20250305",
            "web_fetch_20250910",
            "code_execution_20250825",
            "bash_code_execution",
            "mcp_toolset"
        ]),
        5
    );
}

#[test]
fn errors_and_refusals_have_the_shape_of_their_protocol() {
    let parse = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
    for kind in ErrorKind::ALL {
        for protocol in
            [Protocol::Gemini, Protocol::BedrockConverse, Protocol::OpenaiCompletions, Protocol::AnthropicMessages]
        {
            let (status, body) = error_body(protocol, kind, "it \"is\" so", Some("e-1"));
            let body = parse(body);
            assert!((400..600).contains(&status) && body.to_string().contains("e-1"), "{body}");
            let message = match protocol {
                Protocol::BedrockConverse => &body["message"],
                _ => &body["error"]["message"],
            };
            assert_eq!(message, "it \"is\" so");
        }
    }
    let (status, body) = error_body(Protocol::Gemini, ErrorKind::Blocked, "m", None);
    assert_eq!(
        (status, parse(body)),
        (400, json!({"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}))
    );
    let statuses =
        [ErrorKind::MethodNotAllowed, ErrorKind::SlowRequest, ErrorKind::TooLarge, ErrorKind::UnsupportedMedia]
            .map(|kind| error_body(Protocol::OpenaiChat, kind, "", None).0);
    assert_eq!(statuses, [405, 408, 413, 415]);
    // A refusal reads as a reply of its protocol.
    for (protocol, pointer) in [
        (Protocol::OpenaiCompletions, "/choices/0/text"),
        (Protocol::Gemini, "/candidates/0/content/parts/0/text"),
        (Protocol::BedrockConverse, "/output/message/content/0/text"),
    ] {
        let body = refusal_body(protocol, "m", "e-1", "no words");
        expect(&reply(protocol, body, &limits()).unwrap(), &[(pointer, "model Text")]);
    }
}
