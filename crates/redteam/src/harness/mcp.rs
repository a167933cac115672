//! The hostile server of tools: the Model Context Protocol over one world, without sessions or streams.

use serde_json::{Value, json};

use super::world::World;

/// The revision that is spoken where a client asks for one that is unknown here.
const REVISION: &str = "2025-11-25";

/// Revisions in which what is spoken here is the same.
const KNOWN: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", REVISION];

/// The answer to one message; none to a notification.
pub(crate) fn answer(world: &mut World, message: &str) -> Option<Value> {
    let Ok(message) = serde_json::from_str::<Value>(message) else {
        return Some(json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "not JSON"}}));
    };
    let id = message.get("id").filter(|id| id.is_string() || id.is_number())?.clone();
    let params = &message["params"];
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => {
            let asked = params["protocolVersion"].as_str().filter(|v| KNOWN.contains(v));
            Ok(json!({
                "protocolVersion": asked.unwrap_or(REVISION),
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "office", "version": "1"},
            }))
        }
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({"tools": world.list()})),
        "tools/call" => {
            let arguments = params.get("arguments").cloned().unwrap_or_else(|| json!({}));
            match world.call(params["name"].as_str().unwrap_or_default(), &arguments) {
                Some(text) => Ok(json!({"content": [{"type": "text", "text": text}], "isError": false})),
                None => Err((-32602, "there is no such tool, or it was called too often")),
            }
        }
        _ => Err((-32601, "there is no such method")),
    };
    Some(match result {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err((code, text)) => json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}}),
    })
}
