//! The OpenAPI document of the check API that is nobody else's.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::retrieval::{Answer, Question};

/// The OpenAPI 3.1 document of `POST /v1/check/retrieval`. The other check APIs are as their products describe them.
#[must_use]
pub fn check_openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut of = |schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema| json!(schema(&mut generator));
    let (question, answer) = (of(schema::<Question>), of(schema::<Answer>));
    let content = |schema: &Value| json!({ "application/json": { "schema": schema } });
    let problem =
        |description: &str| json!({ "description": description, "content": content(&json!({ "type": "object" })) });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bartizan checks",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Served on `listen` with client keys, where `[check_api]` is on.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "key": [] }],
        "paths": { "/v1/check/retrieval": { "post": {
            "operationId": "checkRetrieval",
            "summary": "Which retrieved chunks the caller may read, and what of them may go into a prompt.",
            "requestBody": { "required": true, "content": content(&question) },
            "responses": {
                "200": { "description": "Decided, and on record.", "content": content(&answer) },
                "400": problem("The body does not fit, or holds more than 1000 chunks."),
                "401": problem("The key is not known."),
                "403": problem("The caller is cut off."),
                "503": problem("It cannot be put on record; ask again."),
            },
        } } },
        "components": {
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
            "schemas": generator.take_definitions(true),
        },
    })
}

fn schema<T: JsonSchema>(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    generator.subschema_for::<T>()
}
