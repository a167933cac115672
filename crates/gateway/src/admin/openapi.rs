//! The OpenAPI document, made from the table of operations.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Need, Operation, operations};

/// The OpenAPI 3.1 document of the admin API.
#[must_use]
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for operation in operations() {
        let entry = paths.entry(operation.path).or_insert_with(|| json!({}));
        entry[operation.method.as_str().to_ascii_lowercase()] = describe(&operation, &mut generator);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bartizan administration",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Served on `admin.listen` with keys or ID tokens, and on the local socket.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "key": [] }, { "person": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "An administration key." },
                "person": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "An ID token of the provider of `admin.oidc`.",
                },
            },
            "schemas": generator.take_definitions(true),
        },
    })
}

fn describe(operation: &Operation, generator: &mut schemars::SchemaGenerator) -> Value {
    let in_path = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(operation.query.iter().map(|parameter| {
        json!({
            "name": parameter.name, "in": "query", "description": parameter.summary,
            "schema": { "type": "string" },
        })
    }));
    let role = match operation.need {
        Need::Look => "viewer",
        Need::Change => "operator",
        Need::Unseal => "auditor",
        Need::Approve => "approver or auditor",
    };
    let problem = json!({
        "description": "Problem details (RFC 9457).",
        "content": { "application/problem+json": { "schema": { "type": "object" } } },
    });
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "description": format!("Least role: {role}."),
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "Done.",
                "content": { "application/json": { "schema": (operation.answer)(generator) } },
            },
            "default": problem,
        },
    });
    if let Some(body) = operation.body {
        described["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": body(generator) } } });
    }
    described
}
