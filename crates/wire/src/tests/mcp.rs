//! Messages of the Model Context Protocol.

use std::sync::Arc;

use bartizan_core::{Direction, Exchange, Kind, OpaqueKind, Rpc, Source};
use serde_json::{Value, json};

use crate::{WireError, mcp, prune};

fn read(direction: Direction, method: &str, message: &Value) -> Result<Exchange, WireError> {
    let rpc = Rpc { server: Arc::from("files"), method: Arc::from(method), tool: Some(Arc::from("t")) };
    mcp(direction, rpc, message.to_string().into_bytes(), &super::limits())
}

fn source(exchange: &Exchange, pointer: &str) -> Source {
    let text = exchange.texts.iter().find(|text| text.pointer == pointer);
    text.unwrap_or_else(|| panic!("{pointer}")).origin.source
}

#[test]
fn origins_follow_the_method() {
    let tools = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "a", "description": "d", "inputSchema": {"properties": {"p": {"description": "e"}}}}]}});
    let listed = read(Direction::Request, "tools/list", &tools).unwrap();
    for pointer in ["/result/tools/0/description", "/result/tools/0/inputSchema/properties/p/description"] {
        assert_eq!(source(&listed, pointer), Source::Definition);
    }
    assert_eq!(listed.tools.first().map(|tool| tool.name.as_str()), Some("a"));
    // What answers a call is no definition, whatever it looks like.
    let called = read(Direction::Request, "tools/call", &tools).unwrap();
    assert_eq!(source(&called, "/result/tools/0/description"), Source::Tool);
    let unknown =
        read(Direction::Request, "novel/method", &json!({"jsonrpc": "2.0", "id": 1, "result": {"x": ["y"]}})).unwrap();
    assert_eq!(source(&unknown, "/result/x/0"), Source::Tool);
    let text = called.texts.iter().find(|text| text.pointer == "/result/tools/0/description").unwrap();
    assert_eq!((text.origin.server.as_deref(), text.origin.tool.as_deref()), (Some("files"), Some("t")));
}

#[test]
fn results_are_texts_and_opaque_parts() {
    let result = json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [
        {"type": "text", "text": "{\"a\": \"b\"}"}, {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"},
        {"type": "resource", "resource": {"uri": "x://y", "blob": "AAECAwQF", "mimeType": "application/octet-stream"}},
        {"type": "novel", "x": "y"}], "structuredContent": {"k": "v"}}});
    let exchange = read(Direction::Request, "tools/call", &result).unwrap();
    let kinds: Vec<OpaqueKind> = exchange.opaque.iter().map(|part| part.kind).collect();
    assert_eq!(kinds, [OpaqueKind::Image, OpaqueKind::File, OpaqueKind::Unknown]);
    assert_eq!(source(&exchange, "/result/content/0/text/a"), Source::Tool);
    assert_eq!(source(&exchange, "/result/structuredContent/k"), Source::Tool);
    let resource = json!({"jsonrpc": "2.0", "id": 1, "result": {"contents": [{"uri": "x://y", "text": "t"}]}});
    let exchange = read(Direction::Request, "resources/read", &resource).unwrap();
    assert_eq!(source(&exchange, "/result/contents/0/text"), Source::Document);
}

#[test]
fn calls_have_arguments_of_the_model() {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "send", "arguments": {"to": "a"}, "_meta": {"k": "v"}}});
    let exchange = read(Direction::Reply, "tools/call", &call).unwrap();
    let argument = exchange.texts.iter().find(|text| text.pointer == "/params/arguments/to").unwrap();
    assert_eq!((argument.kind, argument.origin.source), (Kind::ToolArguments, Source::Model));
    let calls: Vec<_> = exchange.messages.iter().flat_map(|message| &message.calls).collect();
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].name.as_str(), calls[0].arguments.as_str()), ("send", r#"{"to":"a"}"#));
    let wrong =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "send", "arguments": "x"}});
    assert!(matches!(read(Direction::Reply, "tools/call", &wrong), Err(WireError::Shape { .. })));
}

#[test]
fn two_readings_are_refused() {
    let rpc = || Rpc { method: Arc::from("tools/call"), ..Rpc::default() };
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"content":[]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"Content":[]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"Result":{}}"#,
    ] {
        let read = mcp(Direction::Request, rpc(), text.as_bytes().to_vec(), &super::limits());
        assert!(matches!(read, Err(WireError::Ambiguous { .. })), "{text}");
    }
    let list = mcp(Direction::Request, rpc(), b"[]".to_vec(), &super::limits());
    assert!(matches!(list, Err(WireError::Shape { .. })));
}

#[test]
fn what_is_taken_out_leaves_the_rest_as_it_was() {
    let text = r#"{"jsonrpc":"2.0","id":1,"result":{ "tools":[ {"name":"a"} , {"name":"b"},{"name":"c"}],"instructions":"x \u00e9"}}"#;
    let rpc = Rpc { method: Arc::from("tools/list"), ..Rpc::default() };
    let exchange = mcp(Direction::Request, rpc, text.as_bytes().to_vec(), &super::limits()).unwrap();
    let without = |pointers: &[&str]| {
        let pointers = pointers.iter().map(ToString::to_string).collect();
        String::from_utf8(prune(&exchange, &pointers, &super::limits()).unwrap().body).unwrap()
    };
    assert_eq!(without(&[]), text);
    assert_eq!(
        without(&["/result/tools/1", "/result/instructions"]),
        r#"{"jsonrpc":"2.0","id":1,"result":{ "tools":[ {"name":"a"},{"name":"c"}],"instructions":""}}"#
    );
    let none: Value =
        serde_json::from_str(&without(&["/result/tools/0", "/result/tools/1", "/result/tools/2"])).unwrap();
    assert_eq!(none["result"]["tools"], json!([]));
    assert_eq!(without(&["/result/nothing/3"]), text);
}
