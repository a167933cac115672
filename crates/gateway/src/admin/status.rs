//! What runs, and how the API looks.

use bartizan_core::{EngineId, Mode};
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::{AdminError, Answer, Call, Need, Operation, openapi};

/// What runs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Status {
    /// Version of the program.
    version: String,
    /// What decides.
    engine: EngineId,
    /// Whether verdicts are carried out.
    mode: Mode,
    /// Number of rules in force.
    rules: usize,
    /// Names of the upstreams that serve the tenants of the asking key.
    upstreams: Vec<String>,
    /// Records in the chain are being written.
    recording: bool,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            method: Method::GET,
            path: "/admin/v1/status",
            id: "status",
            summary: "What runs",
            need: Need::Look,
            query: &[],
            body: None,
            answer: |generator| generator.subschema_for::<Status>(),
            run: |call| Box::pin(status(call)),
        },
        Operation {
            method: Method::GET,
            path: "/admin/v1/metrics",
            id: "metrics",
            summary: "Counters in the OpenMetrics text format, as a JSON string",
            need: Need::Look,
            query: &[],
            body: None,
            answer: |generator| generator.subschema_for::<String>(),
            run: |call| Box::pin(metrics(call)),
        },
        Operation {
            method: Method::GET,
            path: "/admin/v1/openapi.json",
            id: "openapi",
            summary: "This document",
            need: Need::Look,
            query: &[],
            body: None,
            answer: |_| schemars::json_schema!({ "type": "object" }),
            run: |_| Box::pin(async { Ok(openapi()) }),
        },
    ]
}

async fn status(call: Call) -> Answer {
    let live = call.shared.live();
    let status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: live.guard.id().clone(),
        mode: live.guard.mode(),
        rules: live.guard.rules().count(),
        upstreams: live
            .settings
            .upstream
            .iter()
            .filter(|u| call.operator.sees(|tenant| u.serves(tenant)))
            .map(|u| u.name.clone())
            .collect(),
        recording: call.shared.recording.load(std::sync::atomic::Ordering::Relaxed),
    };
    Ok(serde_json::to_value(status)?)
}

/// Counters name tenants and their keys, so they are for those who may see every tenant.
async fn metrics(call: Call) -> Answer {
    if call.operator.is_limited() {
        return Err(AdminError::forbidden("the counters are of all tenants, and this key is not".to_owned()));
    }
    Ok(serde_json::Value::String(call.shared.metrics.encode()))
}
