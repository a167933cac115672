//! Endpoints that take and give JSON of any form.

use serde_json::Value;

use crate::ask::{Answer, Ask, Reply, Role, Usage};
use crate::failure::Failure;
use crate::openai;
use crate::said;
use crate::settings::{SettingsError, Template};

/// A template, ready.
pub(crate) struct Form {
    pub(crate) method: http::Method,
    body: Value,
    reply: String,
    calls: Option<String>,
    stream: bool,
}

impl Form {
    pub(crate) fn new(template: &Template) -> Result<Self, SettingsError> {
        let wrong = |what: String| Err(SettingsError::Setting(what));
        let method = match template.method.as_str() {
            "POST" => http::Method::POST,
            "PUT" => http::Method::PUT,
            other => return wrong(format!("method `{other}` is not `POST` or `PUT`")),
        };
        for pointer in template.calls.iter().chain([&template.reply]) {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                return wrong(format!("`{pointer}` is no JSON Pointer; they start with `/`"));
            }
        }
        let body = serde_json::to_value(&template.body).map_err(|e| SettingsError::Setting(e.to_string()))?;
        if !mentions(&body) {
            return wrong("`http.body` has neither `{{prompt}}` nor `{{messages}}`".to_owned());
        }
        Ok(Self { method, body, reply: template.reply.clone(), calls: template.calls.clone(), stream: template.stream })
    }

    pub(crate) fn encode(&self, ask: &Ask, model: &str) -> Value {
        let last = |role| ask.turns.iter().rev().find(|t| t.role == role).map_or("", |t| t.content.as_str());
        let prompt = ask.completion.as_ref().map_or_else(|| last(Role::User), |c| c.prompt.as_str());
        let mcp = ask.mcp.as_deref().unwrap_or_default();
        let words =
            [("{{prompt}}", prompt), ("{{system}}", last(Role::System)), ("{{model}}", model), ("{{mcp}}", mcp)];
        fill(&self.body, ask, &words)
    }

    pub(crate) fn decode(&self, body: &[u8]) -> Result<Answer, Failure> {
        let mut reply = Reply { usage: Usage { estimated: true, ..Usage::default() }, ..Reply::default() };
        if self.stream {
            let text = std::str::from_utf8(body).map_err(|_| Failure::malformed("not UTF-8"))?;
            let mut events = 0;
            for data in text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim) {
                let Ok(event) = serde_json::from_str::<Value>(data) else { continue };
                // A stream that fails midway says so in an event; what came before is no answer.
                if event.get("error").is_some_and(|error| !error.is_null()) && !self.read(&event, &mut reply) {
                    let said = said::message(&event).unwrap_or_default();
                    return Err(Failure::malformed("an event of the stream is an error").saying(said));
                }
                events += usize::from(self.read(&event, &mut reply));
            }
            if events == 0 {
                return Err(Failure::malformed("no event has a reply at the pointer"));
            }
        } else {
            let value: Value = serde_json::from_slice(body).map_err(|_| Failure::malformed("not JSON"))?;
            if !self.read(&value, &mut reply) {
                return Err(Failure::malformed("no reply at the pointer"));
            }
        }
        Ok(Answer::Reply(reply))
    }

    /// True where there was something.
    fn read(&self, value: &Value, reply: &mut Reply) -> bool {
        let text = value.pointer(&self.reply).and_then(Value::as_str);
        let calls = self.calls.as_ref().and_then(|p| value.pointer(p)).and_then(Value::as_array);
        reply.text.push_str(text.unwrap_or_default());
        reply.calls.extend(calls.into_iter().flatten().filter_map(openai::call));
        text.is_some() || calls.is_some_and(|c| !c.is_empty())
    }
}

fn mentions(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("{{prompt}}") || text == "{{messages}}",
        Value::Array(all) => all.iter().any(mentions),
        Value::Object(all) => all.values().any(mentions),
        _ => false,
    }
}

fn fill(value: &Value, ask: &Ask, words: &[(&str, &str)]) -> Value {
    match value {
        Value::String(text) if text == "{{messages}}" => ask.turns.iter().map(openai::message).collect(),
        Value::String(text) => Value::String(replaced(text, words)),
        Value::Array(all) => all.iter().map(|v| fill(v, ask, words)).collect(),
        Value::Object(all) => all.iter().map(|(k, v)| (k.clone(), fill(v, ask, words))).collect(),
        other => other.clone(),
    }
}

/// In one pass, so that a prompt that names a placeholder stays as it is.
fn replaced(text: &str, words: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        match words.iter().find_map(|(word, value)| Some((from.strip_prefix(word)?, value))) {
            Some((after, value)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push_str("{{");
                rest = from.strip_prefix("{{").unwrap_or_default();
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Turn;

    fn form(toml: &str) -> Result<Form, SettingsError> {
        Form::new(&toml::from_str(toml).unwrap())
    }

    #[test]
    fn a_prompt_cannot_leave_its_place() {
        let form = form("reply = '/a/b'\n[body]\nq = 'Q: {{prompt}} ({{model}}) {{x}}'\nm = '{{messages}}'").unwrap();
        let ask = Ask::chat(vec![Turn::new(Role::User, "\"}{{model}}")]);
        let body = form.encode(&ask, "m1");
        assert_eq!(body["q"], "Q: \"}{{model}} (m1) {{x}}");
        assert_eq!(body["m"][0]["role"], "user");
    }

    #[test]
    fn replies_and_streams_are_read() {
        let whole = form("reply = '/a/b'\ncalls = '/t'\nbody = '{{prompt}}'").unwrap();
        let Ok(Answer::Reply(reply)) = whole.decode(br#"{"a":{"b":"hi"},"t":[{"name":"f","arguments":{"x":1}}]}"#)
        else {
            panic!()
        };
        assert_eq!((reply.text.as_str(), reply.calls[0].arguments.as_str()), ("hi", "{\"x\":1}"));
        for broken in ["", "{", "{}", "{\"a\":{\"b\":7}}"] {
            assert!(whole.decode(broken.as_bytes()).is_err(), "{broken}");
        }
        let stream = form("reply = '/d'\nstream = true\nbody = '{{prompt}}'").unwrap();
        let events = b"event: x\ndata: {\"d\":\"he\"}\n\ndata: {\"d\":\"llo\"}\n\ndata: [DONE]\n\n";
        assert!(matches!(stream.decode(events), Ok(Answer::Reply(r)) if r.text == "hello"));
        assert!(stream.decode(b"data: {}\n\n").is_err());
    }

    #[test]
    fn templates_that_cannot_work_are_named() {
        for wrong in [
            "reply = 'a'\nbody = '{{prompt}}'",
            "reply = '/a'\nbody = 'x'",
            "reply = '/a'\nmethod = 'GET'\nbody = '{{prompt}}'",
        ] {
            assert!(form(wrong).is_err(), "{wrong}");
        }
    }
}
