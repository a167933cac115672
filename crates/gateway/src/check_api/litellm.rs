//! LiteLLM's generic guardrail: `POST /beta/litellm_basic_guardrail_api`.
//!
//! Shapes: LiteLLM 1.106, `types/proxy/guardrails/guardrail_hooks/generic_guardrail_api.py`. The API is stateless: in
//! a stream LiteLLM sends all of the text so far again and again. `stream_holdback_chars` says how much of the end of
//! each answer can still change, so that what was shown never has to be taken back.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::Deserialize;
use serde_json::{Value, json};

use super::conversation::{message, reply, request, role, texts};
use super::{Attribution, CheckApi, Judged, Offer};
use crate::failure::Failure;
use crate::shared::Live;

pub(crate) struct LiteLlm;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Input {
    Request,
    Response,
}

/// Body of a question. Fields that say nothing about content are not read.
#[derive(Deserialize)]
pub(crate) struct Question {
    input_type: Input,
    texts: Option<Vec<String>>,
    structured_messages: Option<Vec<Value>>,
    images: Option<Vec<String>>,
    tools: Option<Vec<Value>>,
    tool_calls: Option<Vec<Value>>,
    model: Option<String>,
    litellm_trace_id: Option<String>,
    request_data: Option<RequestData>,
}

/// Who asked LiteLLM.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RequestData {
    user_api_key_hash: Option<String>,
    user_api_key_user_id: Option<String>,
    user_api_key_team_id: Option<String>,
    user_api_key_end_user_id: Option<String>,
}

/// Where each of `texts` stands in the offered body. With structured messages their roles say where a text is from;
/// what is in none of them gets a message of its own, as the user's.
fn places(question: &Question) -> Vec<String> {
    let flat = question.texts.as_deref().unwrap_or_default();
    if matches!(question.input_type, Input::Response) {
        return (0..flat.len()).map(|at| format!("/choices/{at}/message/content")).collect();
    }
    let messages = question.structured_messages.as_deref().unwrap_or_default();
    let mut known: HashMap<&str, VecDeque<String>> = HashMap::new();
    for (at, message) in messages.iter().enumerate() {
        for (place, text) in texts(message) {
            known.entry(text).or_default().push_back(format!("/messages/{at}{place}"));
        }
    }
    let mut extra = messages.len()..;
    flat.iter()
        .map(|text| {
            let there = known.get_mut(text.as_str()).and_then(VecDeque::pop_front);
            there.unwrap_or_else(|| format!("/messages/{}/content", extra.next().unwrap_or_default()))
        })
        .collect()
}

/// Roles of OpenAI chat.
const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

/// A structured message as it is judged. Nobody knows who speaks in a role that is none: like every text of unknown origin
/// it counts as the result of a tool, which may instruct least of all.
fn judged_as(message: &Value) -> Value {
    let mut message = message.clone();
    if !ROLES.contains(&role(&message))
        && let Value::Object(members) = &mut message
    {
        members.insert("role".to_owned(), json!("tool"));
    }
    message
}

/// The same with the role that it came with.
fn as_it_came(mut after: Value, came: &Value) -> Value {
    if let Value::Object(members) = &mut after {
        match came.get("role") {
            Some(role) => _ = members.insert("role".to_owned(), role.clone()),
            None => _ = members.remove("role"),
        }
    }
    after
}

/// What makes two calls the same: LiteLLM adds positions and nulls to some, and writes arguments anew.
fn identity(call: &Value) -> String {
    let mut call = call.clone();
    if let Some(arguments) = call.pointer_mut("/function/arguments")
        && let Some(read) = arguments.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok())
    {
        *arguments = read;
    }
    if let Value::Object(members) = &mut call {
        members.retain(|name, value| name != "index" && !value.is_null());
    }
    call.to_string()
}

/// Tool calls that no structured message has.
fn loose_calls(question: &Question) -> Vec<&Value> {
    let messages = question.structured_messages.iter().flatten();
    let known: HashSet<String> =
        messages.filter_map(|message| message.get("tool_calls")?.as_array()).flatten().map(identity).collect();
    question.tool_calls.iter().flatten().filter(|call| !known.contains(&identity(call))).collect()
}

/// Images that no structured message has.
fn loose_images(question: &Question) -> Vec<Value> {
    let messages = question.structured_messages.iter().flatten();
    let known: HashSet<&str> = messages
        .filter_map(|message| message.get("content")?.as_array())
        .flatten()
        .filter_map(|part| part.get("image_url"))
        .filter_map(|image| image.get("url").unwrap_or(image).as_str())
        .collect();
    question.images.iter().flatten().filter(|url| !known.contains(url.as_str())).map(image).collect()
}

fn image(url: &String) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}})
}

fn attribution(question: &Question) -> Attribution {
    let Some(data) = &question.request_data else { return Attribution::default() };
    let person = [&data.user_api_key_end_user_id, &data.user_api_key_user_id, &data.user_api_key_hash];
    Attribution {
        user: person.into_iter().flatten().find(|name| !name.is_empty()).cloned(),
        session: question.litellm_trace_id.clone(),
        team: data.user_api_key_team_id.clone(),
    }
}

impl CheckApi for LiteLlm {
    const ROUTE: &'static str = "check:litellm";
    type Question = Question;

    fn offer(question: &Question, _: &Live) -> Result<Offer, Failure> {
        let flat = question.texts.as_deref().unwrap_or_default();
        let calls = loose_calls(question);
        let calling = json!({"role": "assistant", "content": null, "tool_calls": calls});
        let model = question.model.as_deref();
        let mut offer = if matches!(question.input_type, Input::Response) {
            let mut said: Vec<Value> = flat.iter().map(|text| message("assistant", json!(text))).collect();
            // LiteLLM does not take changed calls or images back.
            let frozen = (said.len()..said.len() + 2).map(|at| format!("/choices/{at}")).collect();
            said.push(calling);
            let images = loose_images(question);
            if !images.is_empty() {
                said.push(message("assistant", Value::Array(images)));
            }
            Offer { frozen, ..Offer::reply(reply(said, model)) }
        } else {
            let mut messages: Vec<Value> = question.structured_messages.iter().flatten().map(judged_as).collect();
            for (text, place) in flat.iter().zip(places(question)) {
                if place == format!("/messages/{}/content", messages.len()) {
                    messages.push(message("user", json!(text)));
                }
            }
            let first = messages.len();
            if !calls.is_empty() {
                messages.push(calling);
            }
            let images = loose_images(question);
            if !images.is_empty() {
                messages.push(message("user", Value::Array(images)));
            }
            let frozen = (first..messages.len()).map(|at| format!("/messages/{at}")).collect();
            let mut body = request(messages, model);
            if let (Some(tools), Value::Object(members)) = (&question.tools, &mut body) {
                members.insert("tools".to_owned(), json!(tools));
            }
            Offer { frozen, ..Offer::request(body) }
        };
        offer.attribution = attribution(question);
        Ok(offer)
    }

    fn answer(question: &Question, judged: &Judged) -> Value {
        let count = question.texts.as_ref().map_or(0, Vec::len);
        let Some(passed) = &judged.passed else {
            return json!({"action": "BLOCKED", "blocked_reason": judged.reason()});
        };
        let mut answer = json!({"action": "NONE"});
        if matches!(question.input_type, Input::Response) && count > 0 {
            answer["stream_holdback_chars"] = json!(judged.held.iter().take(count).collect::<Vec<_>>());
        }
        if *passed == judged.offered {
            return answer;
        }
        answer["action"] = json!("GUARDRAIL_INTERVENED");
        let places = places(question);
        let masked: Vec<Value> =
            places.iter().map(|place| passed.pointer(place).cloned().unwrap_or_else(|| json!(""))).collect();
        answer["texts"] = json!(masked);
        if passed.get("tools") != judged.offered.get("tools") {
            answer["tools"] = passed.get("tools").cloned().unwrap_or_else(|| json!([]));
        }
        if let Some(rows) = rows(question, judged, passed, &places, &masked) {
            answer["structured_messages"] = rows;
        }
        answer
    }
}

/// The structured messages with their changes, where `texts` alone do not say them all. LiteLLM drops the unknown
/// fields of a changed row, so it gets rows only where it needs them.
fn rows(question: &Question, judged: &Judged, passed: &Value, places: &[String], masked: &[Value]) -> Option<Value> {
    let came = question.structured_messages.as_ref()?;
    let count = came.len();
    let after = passed.get("messages")?.as_array()?.get(..count)?;
    let mut before = judged.offered.clone();
    for (place, text) in places.iter().zip(masked) {
        if let Some(at) = before.pointer_mut(place) {
            *at = text.clone();
        }
    }
    let told = before.get("messages")?.as_array()?.get(..count)?;
    let rows = after.iter().zip(came).map(|(after, came)| as_it_came(after.clone(), came));
    (told != after).then(|| rows.collect())
}
