//! Values in place of pseudonyms, in what a model has said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bartizan_core::{Direction, Edit, Exchange, Kind, Limits, Protocol, Source, Span, Text};
use bartizan_policy::operator::{Matcher, Setting, restored};
use bartizan_policy::{Outcome, Table};
use bartizan_wire::WireError;

use crate::conversation::Conversation;
use crate::exchange::rewrite;
use crate::stream::arguments_exchange;

/// True for what a model has written to be read. Reasoning that providers sign has to come back as it was; that of
/// OpenAI-compatible servers is not signed.
pub(crate) fn is_read(kind: Kind, protocol: Protocol) -> bool {
    match kind {
        Kind::Text | Kind::Refusal => true,
        Kind::Reasoning => protocol == Protocol::OpenaiChat,
        Kind::ToolArguments | Kind::Name | Kind::Key | Kind::Number => false,
    }
}

/// Names of tools by the JSON Pointer of the object that names them.
pub(crate) fn tools(texts: &[Text]) -> BTreeMap<&str, &str> {
    let named = |text: &Text| text.kind == Kind::Name && text.container.is_none();
    let names = texts.iter().filter(|text| named(text));
    names.filter_map(|text| Some((text.pointer.strip_suffix("/name")?, text.value.as_str()))).collect()
}

/// The tool that a leaf is an argument of: the name beside the arguments or above them.
pub(crate) fn tool_of<'a>(tools: &BTreeMap<&str, &'a str>, pointer: &str) -> &'a str {
    let parents = std::iter::successors(Some(pointer), |pointer| Some(pointer.rsplit_once('/')?.0));
    parents.skip(1).find_map(|parent| tools.get(parent).copied()).unwrap_or_default()
}

/// The edits that put values in place of pseudonyms.
fn edits(exchange: &Exchange, table: &Table, matcher: &Arc<Matcher>) -> Vec<Edit> {
    let tools = tools(&exchange.texts);
    let holders: BTreeSet<usize> = exchange.texts.iter().filter_map(|text| text.container).collect();
    let mut edits = Vec::new();
    for (index, text) in exchange.texts.iter().enumerate() {
        let said = text.origin.source == Source::Model && text.editable && !holders.contains(&index);
        let setting = match text.kind {
            Kind::ToolArguments if table.restores(tool_of(&tools, &text.pointer)) => Setting::Arguments,
            kind if is_read(kind, exchange.protocol) => Setting::Prose,
            _ => continue,
        };
        if !said || matcher.placeholders(&text.value).is_empty() {
            continue;
        }
        let with = restored(matcher, &text.value, setting);
        if with != text.value {
            edits.push(Edit::Replace { text: index, span: Span::new(0, text.value.len()), with });
        }
    }
    edits
}

/// What is forwarded, with values in place of pseudonyms where it is a reply.
pub(crate) fn outcome(
    outcome: Outcome,
    table: &Table,
    conversation: Option<&Conversation>,
    limits: &Limits,
) -> Result<Outcome, WireError> {
    let Some(conversation) = conversation.filter(|_| table.operators.has_pseudonyms()) else { return Ok(outcome) };
    let Outcome::Forward { permitted, verdict, masked, stripped, failed_open } = outcome else { return Ok(outcome) };
    let matcher = conversation.matcher();
    let reply = permitted.get().direction == Direction::Reply && !matcher.is_empty();
    let edits = if reply { edits(permitted.get(), table, &matcher) } else { Vec::new() };
    let permitted = bartizan_policy::restore(permitted, &edits, |exchange, edits| rewrite(exchange, edits, limits))?;
    Ok(Outcome::Forward { permitted, verdict, masked, stripped, failed_open })
}

/// What a tool is called with, a JSON text or any other, with values in place of pseudonyms.
pub(crate) fn arguments(arguments: &str, matcher: &Arc<Matcher>, limits: &Limits) -> Option<String> {
    let exchange = arguments_exchange(arguments, limits);
    let mut edits = Vec::new();
    for (index, text) in exchange.texts.iter().enumerate().filter(|(_, text)| text.editable) {
        let with = restored(matcher, &text.value, Setting::Arguments);
        if with != text.value {
            edits.push(Edit::Replace { text: index, span: Span::new(0, text.value.len()), with });
        }
    }
    if edits.is_empty() {
        return None;
    }
    String::from_utf8(rewrite(&exchange, &edits, limits).ok()?.body).ok()
}
