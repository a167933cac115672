//! LLM Guard's server: `/analyze/prompt`, `/scan/prompt`, `/analyze/output`, `/scan/output`.
//!
//! Shapes: LLM Guard 0.3.16, `llm_guard_api/app/schemas.py`. The purpose of the API is to name scanners, so the answer
//! does; they are coarse kinds, and scanners that nobody serves are left out.

use axum::body::Body;
use http::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::conversation::{message, reply, request};
use super::words::Detector;
use super::{CheckApi, Judged, Offer, invalid};
use crate::failure::Failure;
use crate::shared::Live;

/// `/analyze/prompt` (with the sanitised text) or `/scan/prompt`.
pub(crate) struct Prompt<const SANITISED: bool>;

/// `/analyze/output` (with the sanitised text) or `/scan/output`.
pub(crate) struct Output<const SANITISED: bool>;

/// Body of a question about a prompt.
#[derive(Deserialize)]
pub(crate) struct PromptQuestion {
    prompt: String,
    #[serde(default)]
    scanners_suppress: Vec<String>,
}

/// Body of a question about an output. The prompt is not judged again: it was when it was asked.
#[derive(Deserialize)]
pub(crate) struct OutputQuestion {
    #[expect(dead_code, reason = "part of the shape: without it the question is not one")]
    prompt: String,
    output: String,
    #[serde(default)]
    scanners_suppress: Vec<String>,
}

/// `GET /healthz`.
pub(crate) async fn alive() -> Response<Body> {
    crate::failure::json(200, json!({"status": "alive"}).to_string().into_bytes())
}

/// The detectors that the caller does not want. One that is not served cannot be left out: the caller believes it is
/// there.
fn suppressed(names: &[String], output: bool, live: &Live) -> Result<Vec<Detector>, Failure> {
    let served = Detector::served(live.guard.rules().map(|rule| &rule.id));
    let known = || served.iter().copied().filter(|d| *d != Detector::Unread);
    names
        .iter()
        .map(|name| {
            known().find(|d| d.scanner(output) == name).ok_or_else(|| {
                let all: Vec<&str> = known().map(|d| d.scanner(output)).collect();
                invalid(format!(
                    "`scanners_suppress` names a scanner that is not served; served are {}",
                    all.join(", ")
                ))
            })
        })
        .collect()
}

fn answer(judged: &Judged, names: &[String], output: bool) -> Value {
    let mut scanners = Map::new();
    for detector in judged.served.iter().copied() {
        let name = detector.scanner(output);
        if !names.iter().any(|n| n == name) {
            scanners.insert(name.to_owned(), json!(judged.strongest(detector).unwrap_or(0.0)));
        }
    }
    json!({"is_valid": !judged.flagged(), "scanners": scanners})
}

impl<const SANITISED: bool> CheckApi for Prompt<SANITISED> {
    const ROUTE: &'static str = "check:llm-guard";
    type Question = PromptQuestion;

    fn offer(question: &PromptQuestion, live: &Live) -> Result<Offer, Failure> {
        let without = suppressed(&question.scanners_suppress, false, live)?;
        let body = request(vec![message("user", json!(question.prompt))], None);
        Ok(Offer { without, ..Offer::request(body) })
    }

    fn answer(question: &PromptQuestion, judged: &Judged) -> Value {
        let mut answer = answer(judged, &question.scanners_suppress, false);
        if SANITISED {
            answer["sanitized_prompt"] = json!(judged.masked("/messages/0/content"));
        }
        answer
    }
}

impl<const SANITISED: bool> CheckApi for Output<SANITISED> {
    const ROUTE: &'static str = "check:llm-guard";
    type Question = OutputQuestion;

    fn offer(question: &OutputQuestion, live: &Live) -> Result<Offer, Failure> {
        let without = suppressed(&question.scanners_suppress, true, live)?;
        let body = reply([message("assistant", json!(question.output))], None);
        Ok(Offer { without, ..Offer::reply(body) })
    }

    fn answer(question: &OutputQuestion, judged: &Judged) -> Value {
        let mut answer = answer(judged, &question.scanners_suppress, true);
        if SANITISED {
            answer["sanitized_output"] = json!(judged.masked("/choices/0/message/content"));
        }
        answer
    }
}
