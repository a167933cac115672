//! `scan infra --endpoint`: asks one server for what it answers to callers without a key.
//!
//! Each request is a `GET` without credentials that changes nothing, goes to the origin given and nowhere else, and is
//! listed with its status. Redirects are not followed, and of a body only a marker is looked for.

use std::time::Duration;

use bartizan_core::Rule;
use bartizan_gateway::{Timeouts, Transport, transport};
use bartizan_posture::rules;
use http::header::CONTENT_ENCODING;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;

use crate::problem::Problem;

/// Time for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer that are read. A list of models can be long.
const ANSWER: usize = 256 << 10;

/// One question.
struct Question {
    path: &'static str,
    /// What a body holds, without white space, where it is the answer meant.
    marker: &'static str,
    rule: &'static Rule,
    /// What the answer shows.
    shows: &'static str,
}

const OPEN: &Rule = &rules::MISSING_AUTHENTICATION;

const fn open(path: &'static str, marker: &'static str, shows: &'static str) -> Question {
    Question { path, marker, rule: OPEN, shows }
}

/// Addresses that vendors document for reading, and that ask for a key where one is set.
const QUESTIONS: &[Question] = &[
    open("/v1/models", "\"object\":\"list\"", "an OpenAI-compatible API"),
    open("/api/tags", "\"models\":[", "the API of Ollama"),
    Question {
        path: "/props",
        marker: "default_generation_settings",
        rule: &rules::MANAGEMENT_API,
        shows: "the properties of llama.cpp",
    },
    Question { path: "/slots", marker: "\"n_ctx\"", rule: &rules::DEBUG_MODE, shows: "the slots of llama.cpp" },
    Question {
        path: "/server_info",
        marker: "config",
        rule: &rules::DEBUG_MODE,
        shows: "routes for development of vLLM",
    },
    open("/info", "\"model_id\"", "the API of Text Generation Inference"),
    open("/v2", "\"extensions\":[", "the API of Triton"),
    Question {
        path: "/models",
        marker: "\"modelUrl\"",
        rule: &rules::MANAGEMENT_API,
        shows: "the management API of TorchServe",
    },
    open("/api/jobs/", "\"submission_id\"", "the job API of Ray"),
    open("/api/version", "\"ray_version\"", "the dashboard of Ray"),
    open("/api/contents", "\"content\":[", "the files of a Jupyter server"),
    open("/api/2.0/mlflow/experiments/search?max_results=1", "\"experiments\":", "the API of MLflow"),
    Question {
        path: "/model/info",
        marker: "\"litellm_params\"",
        rule: &rules::MANAGEMENT_API,
        shows: "the model list of LiteLLM",
    },
    open("/collections", "\"collections\":[", "the collections of Qdrant"),
    open("/v1/schema", "\"classes\":", "the schema of Weaviate"),
    open("/api/v2/auth/identity", "\"tenant\":", "the API of Chroma"),
    open("/api/v1/auto_login", "\"access_token\":", "a session of Langflow for everybody"),
    open("/api/config", "\"auth\":false", "Open WebUI without authentication"),
];

/// What one question was answered.
pub(super) struct Answer {
    pub(super) path: &'static str,
    /// `None` where there was no answer.
    pub(super) status: Option<u16>,
    /// The rule that the answer is a finding of, and what it shows.
    pub(super) found: Option<(&'static Rule, &'static str)>,
    /// Why the answer says nothing of whether the server is open.
    pub(super) unknown: Option<&'static str>,
}

/// Asks all questions of an origin such as `http://10.0.0.5:8000`.
pub(super) fn ask(origin: &str) -> anyhow::Result<Vec<Answer>> {
    let uri: Uri = origin.parse().map_err(|_| refused(origin))?;
    let plain = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.authority().is_some_and(|a| !a.as_str().contains('@'))
        && matches!(uri.path(), "" | "/")
        && uri.query().is_none();
    if !plain {
        return Err(refused(origin).into());
    }
    let origin = origin.trim_end_matches('/');
    let timeouts = Timeouts { connect_ms: 5000, ..Timeouts::default() };
    let transport = transport(&timeouts, uri.scheme_str() == Some("https")).map_err(Problem::new)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answers = runtime.block_on(async {
        let mut answers = Vec::new();
        for question in QUESTIONS {
            answers.push(ask_one(transport.as_ref(), origin, question).await);
            // Who does not answer at all is not asked on.
            if answers.len() == 2 && answers.iter().all(|a: &Answer| a.status.is_none()) {
                break;
            }
        }
        answers
    });
    Ok(answers)
}

fn refused(origin: &str) -> Problem {
    Problem::new(format!("`{origin}` is no origin")).help("give scheme, host and port: http://127.0.0.1:8000")
}

async fn ask_one(transport: &dyn Transport, origin: &str, question: &Question) -> Answer {
    let unanswered = Answer { path: question.path, status: None, found: None, unknown: Some("no answer") };
    let request = Request::builder()
        .method(Method::GET)
        .uri(format!("{origin}{}", question.path))
        .header("user-agent", concat!("bartizan/", env!("CARGO_PKG_VERSION")))
        .header("accept", "application/json")
        .body(Full::<Bytes>::default());
    let Ok(request) = request else { return unanswered };
    let answer = tokio::time::timeout(PATIENCE, async {
        let reply = transport.send(request).await.ok()?;
        let status = reply.status().as_u16();
        // No coding was asked for, so a marker cannot be looked for in one.
        let coded = reply.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
        let mut body = reply.into_body();
        let mut plain = Vec::new();
        let mut read = 0;
        let whole = loop {
            match body.frame().await {
                None => break true,
                Some(Err(_)) => break false,
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    let most = ANSWER - read;
                    plain.extend(data.iter().take(most).copied().filter(|b| !b.is_ascii_whitespace()));
                    read += data.len().min(most);
                    if data.len() > most {
                        break false;
                    }
                }
            }
        };
        Some((status, plain, whole && !coded))
    });
    let Ok(Some((status, plain, whole))) = answer.await else { return unanswered };
    let marked = plain.windows(question.marker.len()).any(|part| part == question.marker.as_bytes());
    let found = (status == 200 && marked).then_some((question.rule, question.shows));
    let unknown = match status {
        429 => Some("too many requests"),
        500.. => Some("an error of the server"),
        200 if !marked && !whole => Some("an answer that was not read to its end"),
        _ => None,
    };
    Answer { path: question.path, status: Some(status), found, unknown }
}
