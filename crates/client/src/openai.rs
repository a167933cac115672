//! OpenAI chat completions and completions (API reference, 2025).

use serde_json::{Map, Value, json};

use crate::ask::{Answer, Ask, Attachment, Block, Call, Finish, MediaKind, Reply, Role, Token, Turn, Usage};
use crate::failure::Failure;

/// Path and body of a question.
pub(crate) fn encode(ask: &Ask, model: &str, max_tokens: u32, temperature: Option<f64>) -> (&'static str, Value) {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("max_tokens".to_owned(), json!(max_tokens));
    if let Some(temperature) = temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    if let Some(seed) = ask.seed {
        body.insert("seed".to_owned(), json!(seed));
    }
    if let Some(completion) = &ask.completion {
        body.insert("prompt".to_owned(), json!(completion.prompt));
        if completion.echo {
            body.insert("echo".to_owned(), json!(true));
        }
        if let Some(top) = ask.logprobs {
            body.insert("logprobs".to_owned(), json!(top));
        }
        return ("/completions", Value::Object(body));
    }
    body.insert("messages".to_owned(), Value::Array(ask.turns.iter().map(message).collect()));
    if !ask.tools.is_empty() {
        let tool = |t: &crate::ask::Tool| {
            let function = json!({"name": t.name, "description": t.description, "parameters": t.parameters});
            json!({"type": "function", "function": function})
        };
        body.insert("tools".to_owned(), ask.tools.iter().map(tool).collect());
    }
    if let Some(top) = ask.logprobs {
        body.insert("logprobs".to_owned(), json!(true));
        body.insert("top_logprobs".to_owned(), json!(top));
    }
    ("/chat/completions", Value::Object(body))
}

/// A turn in this form.
pub(crate) fn message(turn: &Turn) -> Value {
    let mut message = json!({"role": turn.role, "content": turn.content});
    if !turn.media.is_empty() {
        let file = |one: &Attachment| {
            let data = format!("data:{};base64,{}", one.kind.mime(), one.data);
            match one.kind {
                MediaKind::Png => json!({"type": "image_url", "image_url": {"url": data}}),
                MediaKind::Pdf => json!({"type": "file", "file": {"filename": one.name, "file_data": data}}),
            }
        };
        let text = json!({"type": "text", "text": turn.content});
        message["content"] = std::iter::once(text).chain(turn.media.iter().map(file)).collect();
    }
    if !turn.calls.is_empty() {
        let call =
            |c: &Call| json!({"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}});
        message["tool_calls"] = turn.calls.iter().map(call).collect();
    }
    if let (Role::Tool, Some(id)) = (turn.role, &turn.call_id) {
        message["tool_call_id"] = json!(id);
    }
    message
}

/// What a body of status 200 says.
pub(crate) fn decode(body: &Value) -> Result<Answer, Failure> {
    let choice = body.pointer("/choices/0").ok_or_else(|| Failure::malformed("no `choices`"))?;
    let finish = choice["finish_reason"].as_str().unwrap_or_default();
    if finish == "content_filter" {
        let event = body["event_id"].as_str().map(str::to_owned);
        return Ok(Answer::Blocked(Block { code: "content_filter".to_owned(), event, rules: Vec::new() }));
    }
    // A guard's refusal has the id of its record; a model's own has none.
    if let (Some(event), Some(_)) =
        (body["event_id"].as_str(), choice.pointer("/message/refusal").and_then(Value::as_str))
    {
        let event = Some(event.to_owned());
        return Ok(Answer::Blocked(Block { code: "refusal".to_owned(), event, rules: Vec::new() }));
    }
    let finish = match finish {
        "length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::Calls,
        "error" => return Err(Failure::malformed("`finish_reason` is `error`")),
        _ => Finish::Stop,
    };
    let usage = Usage {
        input: body.pointer("/usage/prompt_tokens").and_then(Value::as_u64).unwrap_or(0),
        output: body.pointer("/usage/completion_tokens").and_then(Value::as_u64).unwrap_or(0),
        estimated: body.pointer("/usage/prompt_tokens").is_none(),
    };
    let Some(message) = choice.get("message") else {
        let text = choice["text"].as_str().ok_or_else(|| Failure::malformed("no `message` and no `text`"))?;
        // llama.cpp gives probabilities of completions in the form of chats.
        let tokens = match chat_tokens(&choice["logprobs"]) {
            tokens if tokens.is_empty() => completion_tokens(&choice["logprobs"]),
            tokens => tokens,
        };
        return Ok(Answer::Reply(Reply { text: text.to_owned(), finish, usage, tokens, ..Reply::default() }));
    };
    let calls: Vec<Call> = message["tool_calls"].as_array().into_iter().flatten().filter_map(call).collect();
    let text = match &message["content"] {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(parts.iter().filter_map(|p| p["text"].as_str()).collect()),
        _ => message["refusal"].as_str().map(str::to_owned),
    };
    let reasoning = reasoning(message);
    if text.is_none() && calls.is_empty() && reasoning.is_empty() {
        return Err(Failure::malformed("neither text nor tool calls"));
    }
    let tokens = chat_tokens(&choice["logprobs"]);
    Ok(Answer::Reply(Reply { text: text.unwrap_or_default(), reasoning, calls, finish, usage, tokens }))
}

/// What a model thought: `reasoning_content` (DeepSeek, vLLM, llama.cpp), `reasoning` (Ollama, newer vLLM), or
/// `reasoning_details` (OpenRouter), which may repeat the second.
fn reasoning(message: &Value) -> String {
    let plain =
        ["reasoning_content", "reasoning"].iter().find_map(|name| message[name].as_str().filter(|t| !t.is_empty()));
    let details = message["reasoning_details"].as_array().into_iter().flatten();
    let texts = details.filter_map(|d| d["text"].as_str().or_else(|| d["summary"].as_str()));
    plain.map_or_else(|| texts.collect::<Vec<_>>().join("\n"), str::to_owned)
}

/// A tool call, in OpenAI's form or as a plain object of `name` and `arguments`.
pub(crate) fn call(value: &Value) -> Option<Call> {
    let function = value.get("function").unwrap_or(value);
    let arguments = match &function["arguments"] {
        Value::String(text) => text.clone(),
        Value::Null => "{}".to_owned(),
        other => other.to_string(),
    };
    let id = value["id"].as_str().unwrap_or_default().to_owned();
    Some(Call { id, name: function["name"].as_str()?.to_owned(), arguments })
}

fn chat_tokens(logprobs: &Value) -> Vec<Token> {
    let token = |t: &Value| {
        let top = |o: &Value| Some((o["token"].as_str()?.to_owned(), o["logprob"].as_f64()?));
        Some(Token {
            text: t["token"].as_str()?.to_owned(),
            logprob: t["logprob"].as_f64(),
            top: t["top_logprobs"].as_array().into_iter().flatten().filter_map(top).collect(),
        })
    };
    logprobs["content"].as_array().into_iter().flatten().filter_map(token).collect()
}

fn completion_tokens(logprobs: &Value) -> Vec<Token> {
    let tokens = logprobs["tokens"].as_array().into_iter().flatten();
    let token = |(at, text): (usize, &Value)| {
        let top = logprobs["top_logprobs"][at].as_object();
        let mut top: Vec<(String, f64)> =
            top.into_iter().flatten().filter_map(|(t, p)| Some((t.clone(), p.as_f64()?))).collect();
        top.sort_by(|a, b| b.1.total_cmp(&a.1));
        Some(Token { text: text.as_str()?.to_owned(), logprob: logprobs["token_logprobs"][at].as_f64(), top })
    };
    tokens.enumerate().filter_map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::{Completion, Tool};

    #[test]
    fn questions_are_written() {
        let mut ask = Ask::chat(vec![Turn::new(Role::System, "s"), Turn::new(Role::User, "u")]);
        ask.tools.push(Tool { name: "t".into(), description: "d".into(), parameters: json!({"type": "object"}) });
        ask.logprobs = Some(3);
        let (path, body) = encode(&ask, "m", 9, Some(0.5));
        assert_eq!(path, "/chat/completions");
        assert_eq!(body["messages"][1], json!({"role": "user", "content": "u"}));
        assert_eq!(body["tools"][0]["function"]["name"], "t");
        assert_eq!((&body["top_logprobs"], &body["max_tokens"]), (&json!(3), &json!(9)));
        let ask = Ask {
            completion: Some(Completion { prompt: "p".into(), echo: true }),
            logprobs: Some(0),
            ..Ask::default()
        };
        let (path, body) = encode(&ask, "m", 0, None);
        assert_eq!((path, &body["echo"], &body["logprobs"]), ("/completions", &json!(true), &json!(0)));
    }

    fn reply(body: &Value) -> Reply {
        match decode(body).unwrap() {
            Answer::Reply(reply) => reply,
            Answer::Blocked(block) => panic!("{block:?}"),
        }
    }

    #[test]
    fn replies_are_read() {
        let calls = json!([{"id": "c", "function": {"name": "f", "arguments": "{\"a\":1}"}}]);
        let body = json!({"choices": [{"message": {"content": null, "tool_calls": calls}, "finish_reason": "tool_calls"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2}});
        let got = reply(&body);
        assert_eq!(got.calls, [Call { id: "c".into(), name: "f".into(), arguments: "{\"a\":1}".into() }]);
        assert_eq!((got.finish, got.usage.input, got.usage.estimated), (Finish::Calls, 5, false));

        let logprobs_of_chat =
            json!({"content": [{"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -1.0}]}]});
        let body = json!({"choices": [{"message": {"content": "a"}, "logprobs": logprobs_of_chat}]});
        assert_eq!(
            reply(&body).tokens,
            [Token { text: "a".into(), logprob: Some(-0.5), top: vec![("b".into(), -1.0)] }]
        );

        // llama.cpp's completions.
        let body = json!({"choices": [{"text": "a", "logprobs": logprobs_of_chat}]});
        assert_eq!(reply(&body).tokens[0].top, [("b".to_owned(), -1.0)]);

        let logprobs =
            json!({"tokens": ["x", "y"], "token_logprobs": [null, -2.0], "top_logprobs": [null, {"z": -1.0}]});
        let got = reply(&json!({"choices": [{"text": "xy", "logprobs": logprobs}]}));
        assert_eq!((got.tokens[0].logprob, got.tokens[1].logprob), (None, Some(-2.0)));
        assert_eq!(got.tokens[1].top, [("z".to_owned(), -1.0)]);

        for (message, thought) in [
            (json!({"content": "a", "reasoning_content": "hm"}), "hm"),
            (json!({"content": null, "reasoning_content": "", "reasoning": "ho"}), "ho"),
            (json!({"content": "a", "reasoning_details": [{"text": "x"}, {"summary": "y"}, {"data": "z"}]}), "x\ny"),
            (json!({"content": "a", "reasoning": null}), ""),
        ] {
            assert_eq!(reply(&json!({"choices": [{"message": message}]})).reasoning, thought, "{message}");
        }

        let refusal = json!({"choices": [{"message": {"content": null, "refusal": "no"}}]});
        assert_eq!(reply(&refusal).text, "no");
    }

    #[test]
    fn what_is_no_reply_is_none() {
        for body in
            [json!({}), json!({"choices": []}), json!({"choices": [{"message": {"content": null}}]}), json!([1])]
        {
            assert!(decode(&body).is_err(), "{body}");
        }
        let filtered =
            json!({"choices": [{"message": {"content": null}, "finish_reason": "content_filter"}], "event_id": "e"});
        assert!(matches!(decode(&filtered), Ok(Answer::Blocked(Block { event: Some(e), .. })) if e == "e"));
        let refused = json!({"choices": [{"message": {"content": null, "refusal": "no"}, "finish_reason": "stop"}], "event_id": "e"});
        assert!(matches!(decode(&refused), Ok(Answer::Blocked(Block { event: Some(e), .. })) if e == "e"));
        let broken = json!({"choices": [{"message": {"content": "half"}, "finish_reason": "error"}]});
        assert!(decode(&broken).is_err());
    }
}
