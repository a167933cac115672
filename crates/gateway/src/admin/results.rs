//! Results of other commands: scans, signatures, red-team runs, privacy tests. They are of the installation, not of a tenant.

use std::path::PathBuf;
use std::sync::Arc;

use bartizan_report::{Detail, Evidence, Kind, detail};
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::{AdminError, Answer, Call, Need, Operation, Parameter};
use crate::results::{Folder, Results, ResultsError, read};

/// A stage of a model's life, by its word in questions, and what results belong to it.
const STAGES: &[(&str, &[Kind])] = &[
    ("models", &[Kind::ModelScan, Kind::ModelBill, Kind::ModelSignature, Kind::CustodyChain]),
    ("data", &[Kind::DataScan]),
    ("tools", &[Kind::AgentScan]),
    ("infrastructure", &[Kind::InfraScan, Kind::EndpointProbe]),
    ("red-team", &[Kind::RedTeam, Kind::GuardEval]),
    ("privacy", &[Kind::CanaryTest, Kind::ExtractionTest, Kind::MembershipTest, Kind::PrivacyComparison]),
];

/// One result.
#[derive(Debug, Serialize, JsonSchema)]
struct ResultView {
    /// What it is asked for by.
    id: String,
    /// What it is, in words.
    says: &'static str,
    /// What it shows.
    #[serde(flatten)]
    evidence: Evidence,
}

/// A command that makes results of a stage.
#[derive(Debug, Serialize, JsonSchema)]
struct Maker {
    /// What its results are, in words.
    says: &'static str,
    /// The command.
    command: &'static str,
}

/// Results of a stage, one page of them.
#[derive(Debug, Serialize, JsonSchema)]
struct ResultList {
    /// The folder that is looked at; none where `[console] results` names none.
    folder: Option<String>,
    /// Newest first.
    results: Vec<ResultView>,
    /// All of the stage.
    total: usize,
    /// `after` of the next page; none where this is the last.
    next: Option<u32>,
    /// Files of the folder that are no results, and why: the first hundred.
    unread: Vec<String>,
    /// What makes results of the stage.
    makers: Vec<Maker>,
}

/// One result with what it says one by one.
#[derive(Debug, Serialize, JsonSchema)]
struct ResultDetail {
    /// The result.
    result: ResultView,
    /// What it says one by one.
    detail: Detail,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            method: Method::GET,
            path: "/admin/v1/results",
            id: "listResults",
            summary: "Results of scans, signatures, red-team runs and privacy tests, from the folder of `[console] results`",
            need: Need::Look,
            query: &[
                Parameter {
                    name: "stage",
                    summary: "Only of `models`, `data`, `tools`, `infrastructure`, `red-team` or `privacy`.",
                },
                Parameter { name: "limit", summary: "How many, at most 200; 50 if left out." },
                Parameter { name: "after", summary: "Behind so many: the next page." },
            ],
            body: None,
            answer: |generator| generator.subschema_for::<ResultList>(),
            run: |call| Box::pin(list(call)),
        },
        Operation {
            method: Method::GET,
            path: "/admin/v1/results/{id}",
            id: "getResult",
            summary: "One result: its findings, and its shares with how sure they are",
            need: Need::Look,
            query: &[],
            body: None,
            answer: |generator| generator.subschema_for::<ResultDetail>(),
            run: |call| Box::pin(one(call)),
        },
    ]
}

/// What a result is asked for by: its file by content, and which of the file's it is.
fn id(evidence: &Evidence) -> String {
    let kind = serde_json::to_value(evidence.kind).ok();
    let kind = kind.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    format!("{}.{kind}", evidence.sha256.as_deref().unwrap_or_default())
}

fn listed(evidence: &Evidence) -> ResultView {
    ResultView { id: id(evidence), says: evidence.kind.says(), evidence: evidence.clone() }
}

/// The folder and what is in it.
async fn folder(call: &Call) -> Result<Option<(PathBuf, Folder)>, AdminError> {
    if call.operator.is_limited() {
        return Err(AdminError::forbidden("results are of the whole installation, and this key is not".to_owned()));
    }
    let Some(path) = call.shared.live().settings.console.results.clone() else { return Ok(None) };
    let results: Arc<Results> = Arc::clone(&call.shared.results);
    let at = path.clone();
    let found = tokio::task::spawn_blocking(move || results.of(&at)).await;
    let found = found.unwrap_or_else(|_| Ok(Folder::default())).map_err(|error| unreadable(&error))?;
    Ok(Some((path, found)))
}

fn unreadable(error: &ResultsError) -> AdminError {
    tracing::warn!(%error, "the folder of `console.results` cannot be read");
    AdminError::unavailable("the folder of results cannot be read; the gateway's log says why")
}

async fn list(call: Call) -> Answer {
    let kinds = match call.query("stage") {
        None => None,
        Some(name) => match STAGES.iter().find(|(stage, _)| *stage == name) {
            Some((_, kinds)) => Some(*kinds),
            None => return Err(AdminError::bad("`stage` is none of those that there are".to_owned())),
        },
    };
    let limit = call.number("limit", 50, 200)?;
    let after = match call.query("after") {
        None => 0,
        Some(text) => text.parse().map_err(|_| AdminError::bad("`after` is a number".to_owned()))?,
    };
    let found = folder(&call).await?;
    let of = |kind: Kind| kinds.is_none_or(|kinds| kinds.contains(&kind));
    let all: Vec<&Evidence> =
        found.iter().flat_map(|(_, found)| &found.evidence).map(|(_, one)| one).filter(|one| of(one.kind)).collect();
    let (skip, take): (usize, usize) = (as_size(after), as_size(limit));
    let results: Vec<ResultView> = all.iter().skip(skip).take(take).map(|one| listed(one)).collect();
    let more = skip.saturating_add(take) < all.len();
    let makers = STAGES.iter().flat_map(|(_, kinds)| *kinds).filter(|kind| of(**kind));
    let listing = ResultList {
        folder: found.as_ref().map(|(path, _)| path.display().to_string()),
        total: all.len(),
        results,
        next: more.then(|| after.saturating_add(limit)),
        unread: found.iter().flat_map(|(_, found)| &found.unread).take(100).cloned().collect(),
        makers: makers.map(|kind| Maker { says: kind.says(), command: kind.command() }).collect(),
    };
    Ok(serde_json::to_value(listing)?)
}

fn as_size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

async fn one(call: Call) -> Answer {
    let gone = || AdminError::not_found("this result");
    let (_, found) = folder(&call).await?.ok_or_else(gone)?;
    let wanted = call.path("id").to_owned();
    let (path, evidence) = found.evidence.into_iter().find(|(_, one)| id(one) == wanted).ok_or_else(gone)?;
    let kind = evidence.kind;
    let detail = tokio::task::spawn_blocking(move || read(&path).map(|bytes| detail(kind, &bytes))).await;
    let detail = detail.unwrap_or_else(|_| Ok(Detail::default())).map_err(|error| unreadable(&error))?;
    Ok(serde_json::to_value(ResultDetail { result: listed(&evidence), detail })?)
}
