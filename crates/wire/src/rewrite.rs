//! Changing single texts of a body and leaving every other byte alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::{Direction, Edit, Exchange, Kind, Limits, Protocol, Span, Text};

use crate::body::reread;
use crate::error::{WireError, shown};
use crate::json::{Doc, NodeKind, encode};
use crate::splice::{Patch, merge, splice, splice_literal, value_range};

/// What stands where the last part of a message was taken out: no API takes an empty list there.
const fn removed(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Gemini | Protocol::BedrockConverse => r#"{"text":"[removed]"}"#,
        _ => r#"{"type":"text","text":"[removed]"}"#,
    }
}

/// The same in OpenAI Responses, where a part says which way it goes.
const REMOVED_INPUT: &str = r#"{"type":"input_text","text":"[removed]"}"#;
const REMOVED_OUTPUT: &str = r#"{"type":"output_text","text":"[removed]","annotations":[]}"#;

/// Applies edits to the body and reads the result.
///
/// * Only the literals of edited texts change, and in them only the replaced ranges.
/// * Replacements that overlap become one: the union of the ranges, with the text of the first.
/// * A replacement in a text that holds a JSON document is carried out on the strings, keys and numbers of that
///   document which it touches (a number becomes a string), so that the document stays one. Keys are changed only
///   where it touches nothing but keys. Where it touches none of all these, it is carried out on the text itself.
/// * [`Edit::Strip`] takes an element out of its list with its comma. A list of parts or blocks that would become
///   empty gets a text part `[removed]`; an OpenAI list of tools that would become empty goes as a whole.
/// * Log probabilities of a choice whose message changes become `null`, of an item `[]`: they repeat its text. So do those of the prompt,
///   and those of a reply without choices, where any text changes.
///
/// # Errors
/// Edits that name nothing, that change what is not editable, or that take out what is not in a list; and what
/// reading the result refuses.
pub fn rewrite(exchange: &Exchange, edits: &[Edit], limits: &Limits) -> Result<Exchange, WireError> {
    let mut replaced: BTreeMap<usize, Vec<Patch<'_>>> = BTreeMap::new();
    let mut stripped: BTreeSet<usize> = BTreeSet::new();
    for (index, edit) in edits.iter().enumerate() {
        match edit {
            Edit::Replace { text, span, with } => {
                let target = exchange.texts.get(*text).ok_or(WireError::BadEdit { index })?;
                if span.end < span.start || target.value.get(span.start..span.end).is_none() {
                    return Err(WireError::BadEdit { index });
                }
                if !target.editable {
                    return Err(WireError::NotEditable { pointer: shown(&target.pointer) });
                }
                replaced.entry(*text).or_default().push((*span, Cow::Borrowed(with.as_str())));
            }
            Edit::Strip { opaque } => {
                let target = exchange.opaque.get(*opaque).ok_or(WireError::BadEdit { index })?;
                if !target.strippable {
                    return Err(WireError::NotStrippable { pointer: shown(&target.pointer) });
                }
                stripped.insert(target.literal.start);
            }
        }
    }
    let body = std::str::from_utf8(&exchange.body).map_err(|_| WireError::BadEdit { index: 0 })?;
    if exchange.protocol == Protocol::Text {
        let patches = merge(replaced.into_values().flatten().collect());
        return reread(exchange, splice(body, &patches).into_bytes(), limits);
    }
    let mut patches = merge(replacements(exchange, body, replaced));
    if !stripped.is_empty() || !patches.is_empty() {
        let doc = Doc::parse(&exchange.body, limits)?;
        patches.extend(void_echoes(exchange, &doc, &patches));
        // What is taken out wins over what changes in it.
        let cuts = merge(cuts(exchange, &doc, &stripped));
        patches.retain(|(span, _)| !touched(*span, &cuts));
        patches.extend(cuts);
    }
    let body = splice(body, &merge(patches));
    reread(exchange, body.into_bytes(), limits)
}

/// Takes values out by their JSON Pointers: an element goes out of its list with its comma, a string that is a member
/// of an object becomes empty. What a pointer does not lead to stays as it is. The result is read again.
///
/// # Errors
/// A value that is neither, and what reading the result refuses.
pub fn prune(exchange: &Exchange, pointers: &BTreeSet<String>, limits: &Limits) -> Result<Exchange, WireError> {
    let doc = Doc::parse(&exchange.body, limits)?;
    let (mut starts, mut patches) = (BTreeSet::new(), Vec::new());
    for pointer in pointers {
        let Some((parent, node)) = find(&doc, pointer) else { continue };
        let literal = doc.node(node).map(|n| n.literal()).unwrap_or_default();
        match (doc.kind(parent), doc.kind(node)) {
            (Some(NodeKind::Array), _) => {
                starts.insert(literal.start);
            }
            (_, Some(NodeKind::String)) => patches.push((literal, Cow::Borrowed("\"\""))),
            _ => return Err(WireError::NotStrippable { pointer: shown(pointer) }),
        }
    }
    patches.extend(cuts(exchange, &doc, &starts));
    let body = splice(doc.text(), &merge(patches));
    reread(exchange, body.into_bytes(), limits)
}

/// The node that a JSON Pointer (RFC 6901) leads to, and the node that it stands in.
fn find(doc: &Doc<'_>, pointer: &str) -> Option<(usize, usize)> {
    let (mut parent, mut node) = (0, 0);
    for token in pointer.split('/').skip(1) {
        let next = match doc.kind(node)? {
            NodeKind::Array => doc.children(node).nth(token.parse().ok()?)?,
            _ => doc.get(node, &token.replace("~1", "/").replace("~0", "~"))?,
        };
        (parent, node) = (node, next);
    }
    (node != 0).then_some((parent, node))
}

/// True where one of a sorted list of disjoint patches falls in the span.
fn touched(span: Span, patches: &[Patch<'_>]) -> bool {
    let after = patches.partition_point(|(patch, _)| patch.end <= span.start);
    patches.get(after).is_some_and(|(patch, _)| patch.overlaps(span))
}

/// Replacements in texts as patches of the body.
fn replacements<'a>(
    exchange: &'a Exchange,
    body: &'a str,
    mut replaced: BTreeMap<usize, Vec<Patch<'a>>>,
) -> Vec<Patch<'a>> {
    if replaced.is_empty() {
        return Vec::new();
    }
    let mut inside: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, text) in exchange.texts.iter().enumerate() {
        if let Some(container) = text.container {
            inside.entry(container).or_default().push(index);
        }
    }
    // Inward: a container stands before what is in it.
    let containers: Vec<usize> = inside.keys().copied().collect();
    for container in &containers {
        let (Some(own), Some(members)) = (replaced.remove(container), inside.get(container)) else { continue };
        let value = exchange.texts.get(*container).map_or("", |t| t.value.as_str());
        let mut rest = Vec::new();
        for (span, with) in merge(own) {
            let mut touched = Vec::new();
            // Members are in document order and do not overlap.
            let first =
                members.partition_point(|m| exchange.texts.get(*m).is_some_and(|t| t.literal.end <= span.start));
            for member in members.get(first..).unwrap_or_default() {
                let Some(text) = exchange.texts.get(*member).filter(|t| t.literal.overlaps(span)) else { break };
                let literal = text.literal.of(value);
                let range = if text.kind == Kind::Number {
                    Span::new(0, text.value.len())
                } else {
                    let from = span.start.saturating_sub(text.literal.start);
                    value_range(literal, Span::new(from, span.end.min(text.literal.end) - text.literal.start))
                };
                if !range.is_empty() {
                    touched.push((*member, range, text.kind));
                }
            }
            if touched.is_empty() {
                rest.push((span, with));
                continue;
            }
            // Around a value that is replaced the names of the fields stay: the reader needs them.
            let keys_alone = touched.iter().all(|(.., kind)| *kind == Kind::Key);
            for (member, range, _) in touched.into_iter().filter(|(.., kind)| keys_alone || *kind != Kind::Key) {
                replaced.entry(member).or_default().push((range, with.clone()));
            }
        }
        if !rest.is_empty() {
            replaced.insert(*container, rest);
        }
    }
    // Outward: the new literal of a member is a replacement in its container.
    let mut patches = Vec::new();
    while let Some((index, own)) = replaced.pop_last() {
        let Some(text) = exchange.texts.get(index) else { continue };
        let own = merge(own);
        let holder = text.container.and_then(|c| exchange.texts.get(c));
        let literal = text.literal.of(holder.map_or(body, |h| h.value.as_str()));
        let new = Cow::Owned(new_literal(text, literal, &own));
        match text.container {
            Some(container) => replaced.entry(container).or_default().push((text.literal, new)),
            None => patches.push((text.literal, new)),
        }
    }
    patches
}

fn new_literal(text: &Text, literal: &str, patches: &[Patch<'_>]) -> String {
    if text.kind == Kind::Number {
        return encode(&splice(&text.value, patches));
    }
    // U+FFFD in the value may be a lone surrogate in the literal.
    let lone = text.value.contains('\u{FFFD}') && literal.contains("\\u");
    splice_literal(literal, lone, &text.value, patches)
}

/// Nothing for what repeats a changed reply: the sound and the log probabilities of every choice in which a patch falls,
/// the log probabilities that stand outside of the choices, and of the prompt anywhere, where there is any patch.
fn void_echoes(exchange: &Exchange, doc: &Doc<'_>, patches: &[Patch<'_>]) -> Vec<Patch<'static>> {
    let mut void = Vec::new();
    let chat = matches!(exchange.protocol, Protocol::OpenaiChat | Protocol::OpenaiCompletions);
    let gemini = exchange.protocol == Protocol::Gemini;
    let responses = exchange.protocol == Protocol::OpenaiResponses;
    let tokens = chat || gemini || responses || exchange.protocol == Protocol::Json;
    if !tokens || exchange.direction != Direction::Reply || patches.is_empty() {
        return void;
    }
    let list = match exchange.protocol {
        Protocol::Gemini => doc.get(0, "candidates"),
        Protocol::OpenaiResponses => doc.get(0, "output"),
        _ => doc.get(0, "choices").filter(|_| chat),
    };
    let choices: Vec<Span> = list
        .into_iter()
        .flat_map(|choices| doc.children(choices))
        .filter_map(|choice| Some(doc.node(choice)?.literal()))
        .collect();
    for choice in list.into_iter().flat_map(|choices| doc.children(choices)) {
        let sound = ["message", "audio", "data"].iter().try_fold(choice, |node, key| doc.get(node, key));
        if let (Some(choice), Some(sound)) = (doc.node(choice), sound.and_then(|node| doc.node(node)))
            && sound.kind == NodeKind::String
            && touched(choice.literal(), patches)
        {
            void.push((sound.literal(), Cow::Borrowed("\"\"")));
        }
    }
    for (index, node) in doc.nodes().iter().enumerate() {
        if node.kind != NodeKind::Key {
            continue;
        }
        let Some(value) = doc.node(index + 1).filter(|v| v.kind != NodeKind::Null) else { continue };
        let literal = value.literal();
        let repeats = match doc.value(index).as_ref() {
            "prompt_logprobs" => true,
            // A setting of the same name is no list.
            "logprobs" if responses && value.kind != NodeKind::Array => false,
            "logprobsResult" | "logprobs_result" if !gemini => false,
            "logprobs" | "logprobsResult" | "logprobs_result" => {
                let at = choices.partition_point(|choice| choice.end <= literal.start);
                let own = choices.get(at).filter(|choice| choice.start <= literal.start);
                own.is_none_or(|choice| touched(*choice, patches))
            }
            _ => false,
        };
        if repeats {
            void.push((literal, Cow::Borrowed(if responses { "[]" } else { "null" })));
        }
    }
    void
}

/// The patches that take out the elements that begin at these offsets.
fn cuts(exchange: &Exchange, doc: &Doc<'_>, starts: &BTreeSet<usize>) -> Vec<Patch<'static>> {
    let mut cuts = Vec::new();
    if starts.is_empty() {
        return cuts;
    }
    // Parents of the lists that are met, to see what kind of list it is.
    let mut owner: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, node) in doc.nodes().iter().enumerate() {
        match node.kind {
            NodeKind::Object => {
                for key in doc.children(index) {
                    if doc.kind(key + 1) == Some(NodeKind::Array) {
                        owner.insert(key + 1, index);
                    }
                }
            }
            NodeKind::Array => {
                let elements: Vec<(Span, bool)> = doc
                    .children(index)
                    .filter_map(|e| doc.node(e))
                    .map(|n| (n.literal(), starts.contains(&n.literal().start)))
                    .collect();
                if elements.iter().any(|(_, cut)| *cut) {
                    cut_elements(exchange, doc, index, owner.get(&index).copied(), &elements, &mut cuts);
                }
            }
            _ => {}
        }
    }
    cuts
}

fn cut_elements(
    exchange: &Exchange,
    doc: &Doc<'_>,
    list: usize,
    owner: Option<usize>,
    elements: &[(Span, bool)],
    cuts: &mut Vec<Patch<'static>>,
) {
    let Some(whole) = doc.node(list).map(|n| n.literal()) else { return };
    if elements.iter().all(|(_, cut)| *cut) {
        match owner.map(|object| emptied(exchange, doc, object, list)) {
            Some(Emptied::Removed(part)) => {
                cuts.push((Span::new(whole.start + 1, whole.end.saturating_sub(1)), Cow::Borrowed(part)));
            }
            Some(Emptied::Member(span)) => cuts.push((span, Cow::Borrowed(""))),
            Some(Emptied::Empty) | None => {
                cuts.push((Span::new(whole.start + 1, whole.end.saturating_sub(1)), Cow::Borrowed("")));
            }
        }
        return;
    }
    // With each element goes the comma before it, or behind it where nothing is left before.
    let mut kept_end = None;
    for (position, (span, cut)) in elements.iter().enumerate() {
        if !*cut {
            kept_end = Some(span.end);
            continue;
        }
        let next = elements.get(position + 1).map(|(next, _)| next.start);
        let range = match (kept_end, next) {
            (None, Some(next)) => Span::new(span.start, next),
            (_, None) => Span::new(elements.get(position.wrapping_sub(1)).map_or(span.start, |(s, _)| s.end), span.end),
            (Some(_), Some(_)) => {
                let before = elements.get(position.wrapping_sub(1)).map_or(span.start, |(s, _)| s.end);
                Span::new(before, span.end)
            }
        };
        cuts.push((range, Cow::Borrowed("")));
    }
}

/// What becomes of a list without elements.
enum Emptied {
    /// It stays, empty.
    Empty,
    /// It gets a text part.
    Removed(&'static str),
    /// The member that holds it goes, with its comma.
    Member(Span),
}

fn emptied(exchange: &Exchange, doc: &Doc<'_>, object: usize, list: usize) -> Emptied {
    let key = doc.value(list.saturating_sub(1));
    let kind = doc.get_str(object, "type").unwrap_or_default();
    // Results of provider-side tools have lists of results, not of blocks.
    let blocks = !kind.ends_with("_tool_result") || kind == "mcp_tool_result";
    let responses = exchange.protocol == Protocol::OpenaiResponses;
    match key.as_ref() {
        "content" if responses && doc.get_str(object, "role").as_deref() == Some("assistant") => {
            Emptied::Removed(REMOVED_OUTPUT)
        }
        "content" | "output" if responses && exchange.direction == Direction::Request => {
            Emptied::Removed(REMOVED_INPUT)
        }
        "content" | "system" if blocks && !responses => Emptied::Removed(removed(exchange.protocol)),
        "parts" if exchange.protocol == Protocol::Gemini => Emptied::Removed(removed(exchange.protocol)),
        "tools" if exchange.protocol == Protocol::OpenaiChat || responses => {
            let members: Vec<Span> = doc
                .children(object)
                .filter_map(|k| Some(Span::new(doc.node(k)?.literal().start, doc.node(k + 1)?.literal().end)))
                .collect();
            let end = doc.node(list).map_or(0, |n| n.literal().end);
            let at = members.iter().position(|m| m.end == end).unwrap_or_default();
            let before = at.checked_sub(1).and_then(|b| members.get(b));
            let (own, after) = (members.get(at).copied().unwrap_or_default(), members.get(at + 1));
            Emptied::Member(match (before, after) {
                (Some(before), _) => Span::new(before.end, own.end),
                (None, Some(after)) => Span::new(own.start, after.start),
                (None, None) => own,
            })
        }
        _ => Emptied::Empty,
    }
}
