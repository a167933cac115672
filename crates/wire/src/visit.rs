//! One visitor for all dialects.
//!
//! The visitor reaches every string, key and number of a document, so that completeness does not depend on a dialect.
//! A [`Dialect`] only says what a value at a path is; whatever it does not know is read with the origin of what it
//! stands in.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use bartizan_core::{Exchange, Kind, Limits, Message, Opaque, OpaqueKind, Origin, Source, Text, ToolCall, ToolDef};

use crate::blob::{Payload, payload};
use crate::error::{WireError, shown};
use crate::json::{Doc, NodeKind};
use crate::stream::{CallPart, Channel};

/// How many documents may be nested as strings inside one another.
const MAX_NESTED: u8 = 3;

/// Names longer than this are read as prose.
const LONGEST_NAME: usize = 64;

/// What a value at a path is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<S> {
    /// Where the dialect is in its grammar.
    pub(crate) state: S,
    /// Index into [`Build::origins`].
    pub(crate) origin: u32,
    /// Kind of a string here.
    pub(crate) kind: Kind,
    /// Whether a string here may change.
    pub(crate) editable: bool,
    /// Whether a string here that holds a JSON list or object is read as such.
    pub(crate) nested: bool,
    /// Whether a string here is prose of its message.
    pub(crate) prose: bool,
    /// Any short string here is a name, whatever its characters.
    pub(crate) token: bool,
    /// This value is, or stands for, something that cannot be read.
    pub(crate) opaque: Option<OpaqueKind>,
    /// The string here is the unreadable thing itself, not only a reference to it.
    pub(crate) unread: bool,
    /// A list of nothing but numbers here is the unreadable thing itself.
    pub(crate) numbers: bool,
    /// This value is the part that is taken out where policy says strip.
    pub(crate) part: bool,
    /// Origin of opaque parts here where it differs from that of the texts.
    pub(crate) carrier: Option<u32>,
    /// Index into [`Build::messages`].
    pub(crate) message: Option<u32>,
    /// Index into [`Build::channels`]: the string here is a piece of that channel.
    pub(crate) channel: Option<u32>,
}

impl<S: Copy> Place<S> {
    /// A place of editable text.
    pub(crate) const fn new(state: S, origin: u32) -> Self {
        Self {
            state,
            origin,
            kind: Kind::Text,
            editable: true,
            nested: false,
            prose: false,
            token: false,
            opaque: None,
            unread: false,
            numbers: false,
            part: false,
            carrier: None,
            message: None,
            channel: None,
        }
    }

    /// A place inside this one: same origin, message and kind of text.
    pub(crate) const fn to(self, state: S) -> Self {
        Self { state, prose: false, opaque: None, unread: false, numbers: false, part: false, channel: None, ..self }
    }

    /// The same as a name or enumerated value.
    pub(crate) const fn name(self) -> Self {
        Self { kind: Kind::Name, editable: false, nested: false, ..self }
    }

    /// The same with another kind of text.
    pub(crate) const fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// The same as prose of its message.
    pub(crate) const fn prose(self) -> Self {
        Self { prose: true, ..self }
    }

    /// The same as a reference to, or description of, something that cannot be read.
    pub(crate) const fn stands_for(self, kind: OpaqueKind) -> Self {
        Self { opaque: Some(kind), ..self }
    }

    /// The same as something that cannot be read.
    pub(crate) const fn blob(self, kind: OpaqueKind) -> Self {
        Self { opaque: Some(kind), unread: true, editable: false, ..self }
    }

    /// The same as something that cannot be read: encoded, or a list of numbers.
    pub(crate) const fn vector(self, kind: OpaqueKind) -> Self {
        Self { numbers: true, ..self.blob(kind) }
    }

    /// The same as something that cannot be read where the value is a list of numbers; else nothing changes.
    pub(crate) fn numbers(self, kind: OpaqueKind, entry: &Entry<'_, '_>) -> Self {
        if is_numbers(entry.doc, entry.node) { self.vector(kind) } else { self }
    }

    /// The same as an element that can be taken out.
    pub(crate) const fn part(self) -> Self {
        Self { part: true, ..self }
    }

    /// The same with another origin.
    pub(crate) const fn from(self, origin: u32) -> Self {
        Self { origin, ..self }
    }

    /// The same as signed text: readable, but not to be changed.
    pub(crate) const fn fixed(self) -> Self {
        Self { editable: false, ..self }
    }

    /// The same as arguments of a tool call.
    pub(crate) const fn arguments(self) -> Self {
        Self { kind: Kind::ToolArguments, nested: true, editable: true, ..self }
    }
}

/// How a value is reached from what it stands in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    /// The document itself.
    Root,
    /// A member with this key.
    Key(&'a str),
    /// An element.
    Index(usize),
}

/// A value that a dialect classifies.
pub(crate) struct Entry<'a, 'd> {
    /// The document.
    pub(crate) doc: &'a Doc<'d>,
    /// Index of the value's node.
    pub(crate) node: usize,
    /// Index of the list or object that it stands in; the root stands in itself.
    pub(crate) parent: usize,
    /// The step from its parent.
    pub(crate) step: Step<'a>,
    /// JSON Pointer to it.
    pub(crate) pointer: &'a str,
}

impl Entry<'_, '_> {
    /// Kind of the value's node.
    pub(crate) fn kind(&self) -> NodeKind {
        self.doc.kind(self.node).unwrap_or(NodeKind::Null)
    }

    /// Refuses the value unless it is one of these; `null` counts as absent.
    pub(crate) fn need(&self, kinds: &[NodeKind], expected: &'static str) -> Result<(), WireError> {
        if kinds.contains(&self.kind()) { Ok(()) } else { Err(self.bad(expected)) }
    }

    /// The error for this value.
    pub(crate) fn bad(&self, expected: &'static str) -> WireError {
        WireError::shape(self.pointer, expected)
    }

    /// The error for a member of this value.
    pub(crate) fn bad_member(&self, key: &str, expected: &'static str) -> WireError {
        WireError::shape(&format!("{}/{key}", self.pointer), expected)
    }

    /// Notes the model that the value names.
    pub(crate) fn read_model(&self, build: &mut Build) -> Result<(), WireError> {
        self.need(&[NodeKind::String, NodeKind::Null], "a string")?;
        if self.kind() == NodeKind::String {
            build.model = self.doc.value(self.node).into_owned();
        }
        Ok(())
    }

    /// Notes whether the value asks for a stream.
    pub(crate) fn read_stream(&self, build: &mut Build) -> Result<(), WireError> {
        self.need(&[NodeKind::Bool, NodeKind::Null], "true or false")?;
        build.stream = self.doc.literal(self.node) == "true";
        Ok(())
    }

    /// A string member of this value.
    pub(crate) fn str(&self, key: &str) -> Option<Cow<'_, str>> {
        self.doc.get_str(self.node, key)
    }

    /// A string beside this value.
    pub(crate) fn sibling(&self, key: &str) -> Option<Cow<'_, str>> {
        self.doc.get_str(self.parent, key)
    }

    /// The index in a member of this value; `None` where it is absent or `null`. Clients differ in what they make of
    /// `1.0` or `"1"`, so it would not be clear which text a piece belongs to.
    pub(crate) fn index(&self, key: &str) -> Result<Option<u32>, WireError> {
        let Some(at) = self.doc.get(self.node, key) else { return Ok(None) };
        let index = match self.doc.kind(at) {
            Some(NodeKind::Null) => return Ok(None),
            Some(NodeKind::Number) => self.doc.literal(at).parse().ok(),
            _ => None,
        };
        index.map(Some).ok_or_else(|| self.bad_member(key, "an integer from 0 to 4294967295"))
    }
}

/// Says what values are, from where they stand.
pub(crate) trait Dialect {
    /// Position in the dialect's grammar.
    type State: Copy;

    /// True where keys that the protocol defines have capital letters.
    const CAMEL: bool = false;

    /// What the document's root is.
    fn root(&mut self, entry: &Entry<'_, '_>, build: &mut Build) -> Result<Place<Self::State>, WireError>;

    /// True where the keys of an object are the application's own, false where the protocol defines them.
    fn is_free(&self, state: Self::State) -> bool;

    /// The keys that the protocol defines for an object, as it writes them: those by which it is decided what is said
    /// and by whom.
    fn defined(&self, state: Self::State) -> &'static [&'static str];

    /// What a value is that stands in `parent`.
    fn enter(
        &mut self,
        parent: &Place<Self::State>,
        entry: &Entry<'_, '_>,
        build: &mut Build,
    ) -> Result<Place<Self::State>, WireError>;
}

/// What visiting collects.
#[derive(Debug, Default)]
pub(crate) struct Build {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) messages: Vec<Message>,
    pub(crate) tools: Vec<ToolDef>,
    pub(crate) texts: Vec<Text>,
    pub(crate) opaque: Vec<Opaque>,
    /// Channels of a stream event that pieces belong to.
    pub(crate) channels: Vec<Channel>,
    /// Text index and channel index of every piece.
    pub(crate) pieces: Vec<(usize, usize)>,
    /// Tool calls, or parts of such, that a stream event states.
    pub(crate) calls: Vec<CallPart>,
    origins: Vec<Origin>,
    limits: Limits,
    values_left: usize,
    pointers_left: usize,
}

impl Build {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            // Long keys above many leaves would multiply: pointers get a budget of their own.
            pointers_left: limits.max_body.saturating_mul(4).max(1 << 16),
            values_left: limits.max_json_values,
            limits: limits.clone(),
            ..Self::default()
        }
    }

    /// The index of an origin; equal neighbours share one.
    pub(crate) fn origin(&mut self, origin: Origin) -> u32 {
        let recent = self.origins.len().saturating_sub(8);
        let found = self.origins.iter().skip(recent).position(|o| *o == origin);
        let index = found.map_or(self.origins.len(), |at| recent + at);
        if index == self.origins.len() {
            self.origins.push(origin);
        }
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// The origin with this index.
    pub(crate) fn origin_at(&self, index: u32) -> Origin {
        self.origins.get(index as usize).cloned().unwrap_or(Origin::new(Source::Parameter))
    }

    /// Source of the origin with this index.
    pub(crate) fn source_at(&self, index: u32) -> Source {
        self.origins.get(index as usize).map_or(Source::Parameter, |o| o.source)
    }

    /// Begins a message.
    pub(crate) fn message(&mut self, origin: u32) -> u32 {
        let origin = self.origin_at(origin);
        self.messages.push(Message { origin, ..Message::default() });
        u32::try_from(self.messages.len() - 1).unwrap_or(u32::MAX)
    }

    /// Adds a tool call to a message.
    pub(crate) fn call(&mut self, message: Option<u32>, call: ToolCall) {
        if let Some(message) = message.and_then(|m| self.messages.get_mut(m as usize)) {
            message.calls.push(call);
        }
    }

    /// Adds what a stream event states of a tool call.
    pub(crate) fn call_part(&mut self, choice: u32, block: u32, call: ToolCall, whole: bool) {
        self.calls.push(CallPart { choice, block, call, whole });
    }

    /// The index of a channel for [`Place::channel`].
    pub(crate) fn channel(&mut self, channel: Channel) -> u32 {
        self.channels.push(channel);
        u32::try_from(self.channels.len() - 1).unwrap_or(u32::MAX)
    }

    fn pointer(&mut self, pointer: &str, suffix: &str) -> Result<String, WireError> {
        let length = pointer.len() + suffix.len();
        self.pointers_left = self.pointers_left.checked_sub(length).ok_or(WireError::TooLarge {
            what: "the sum of the paths to all values",
            limit: self.limits.max_body.saturating_mul(4),
        })?;
        let mut out = String::with_capacity(length);
        out.push_str(pointer);
        out.push_str(suffix);
        Ok(out)
    }

    /// The exchange of a body that has been visited.
    pub(crate) fn finish(self, mut exchange: Exchange) -> Exchange {
        exchange.model = self.model;
        exchange.stream = self.stream;
        exchange.messages = self.messages;
        exchange.tools = self.tools;
        exchange.texts = self.texts;
        exchange.opaque = self.opaque;
        exchange
    }
}

/// A list or object that is being visited.
struct Frame<S> {
    place: Place<S>,
    node: usize,
    /// Index of the first node behind it.
    end: usize,
    /// Length of its pointer.
    pointer: usize,
    /// Next element, for lists.
    index: usize,
    object: bool,
    /// True where it is an element of a list.
    element: bool,
}

/// Where a document that is visited stands.
struct Site {
    /// The text that holds it, for a document in a string.
    container: Option<usize>,
    /// Length of the pointer at which `Origin::field` begins.
    field: Option<usize>,
    depth: u8,
}

/// Visits a whole body.
///
/// # Errors
/// What the dialect refuses, a repeated key, or more than the limits allow.
pub(crate) fn visit<D: Dialect>(doc: &Doc<'_>, dialect: &mut D, build: &mut Build) -> Result<(), WireError> {
    build.values_left = build.values_left.saturating_sub(doc.len());
    build.texts.reserve(doc.len());
    let entry = Entry { doc, node: 0, parent: 0, step: Step::Root, pointer: "" };
    let root = dialect.root(&entry, build)?;
    walk(doc, dialect, root, &mut String::new(), &Site { container: None, field: None, depth: 0 }, build)
}

fn walk<D: Dialect>(
    doc: &Doc<'_>,
    dialect: &mut D,
    root: Place<D::State>,
    pointer: &mut String,
    site: &Site,
    build: &mut Build,
) -> Result<(), WireError> {
    let mut frames: Vec<Frame<D::State>> = Vec::new();
    let base = pointer.len();
    let mut node = 0;
    while node < doc.len() {
        while frames.last().is_some_and(|f| node >= f.end) {
            frames.pop();
        }
        let (place, value, element) = match frames.last_mut() {
            None => {
                pointer.truncate(base);
                (root, node, false)
            }
            Some(frame) => {
                pointer.truncate(frame.pointer);
                let parent = frame.place;
                if frame.object {
                    let key = doc.value(node);
                    push_key(pointer, &key);
                    let entry = Entry { doc, node: node + 1, parent: frame.node, step: Step::Key(&key), pointer };
                    let place = dialect.enter(&parent, &entry, build)?;
                    emit_key(doc, node, &key, place.origin, pointer, site, build)?;
                    (place, node + 1, false)
                } else {
                    push_index(pointer, frame.index);
                    let entry = Entry { doc, node, parent: frame.node, step: Step::Index(frame.index), pointer };
                    frame.index += 1;
                    (dialect.enter(&parent, &entry, build)?, node, true)
                }
            }
        };
        let Some(found) = doc.node(value) else { break };
        match found.kind {
            NodeKind::Array if place.numbers && is_numbers(doc, value) => {
                if let Some(kind) = place.opaque {
                    let bytes = found.literal().len();
                    emit_opaque(doc, kind, bytes, &place, &frames, (value, element), pointer, build)?;
                }
                node = found.next();
                continue;
            }
            NodeKind::Array | NodeKind::Object => {
                let object = found.kind == NodeKind::Object;
                if object && site.container.is_none() {
                    refuse_ambiguous_keys(doc, value, dialect, place.state, pointer)?;
                }
                let frame =
                    Frame { place, node: value, end: found.next(), pointer: pointer.len(), index: 0, object, element };
                frames.push(frame);
                if let Some(kind) = place.opaque {
                    emit_opaque(doc, kind, 0, &place, &frames, (value, element), pointer, build)?;
                }
                node = value + 1;
                continue;
            }
            NodeKind::Number => {
                let text = Text {
                    pointer: build.pointer(pointer, "")?,
                    origin: origin_of(place.origin, pointer, site, build),
                    kind: Kind::Number,
                    value: doc.literal(value).to_owned(),
                    literal: found.literal(),
                    container: site.container,
                    editable: false,
                };
                build.texts.push(text);
                if let Some(kind) = place.opaque {
                    emit_opaque(doc, kind, 0, &place, &frames, (value, element), pointer, build)?;
                }
            }
            NodeKind::String => {
                let decoded = doc.value(value);
                let data = if place.unread && place.opaque.is_some() { payload(&decoded) } else { Payload::Plain };
                let unread = data == Payload::Blob;
                if let Some(kind) = place.opaque
                    && !decoded.is_empty()
                {
                    let bytes = if unread { found.literal().len() } else { 0 };
                    emit_opaque(doc, kind, bytes, &place, &frames, (value, element), pointer, build)?;
                }
                if !unread || decoded.is_empty() {
                    emit_string(doc, value, decoded, &place, pointer, site, build)?;
                }
                if let Payload::Text(decoded) = data
                    && !decoded.is_empty()
                {
                    let text = Text {
                        pointer: build.pointer(pointer, "#data")?,
                        origin: origin_of(place.origin, pointer, site, build),
                        kind: Kind::Text,
                        value: decoded,
                        literal: found.literal(),
                        container: site.container,
                        editable: false,
                    };
                    build.texts.push(text);
                }
            }
            NodeKind::Null | NodeKind::Bool | NodeKind::Key => {}
        }
        node = value + 1;
    }
    pointer.truncate(base);
    Ok(())
}

/// True for a list that holds nothing but numbers, and at least one.
fn is_numbers(doc: &Doc<'_>, list: usize) -> bool {
    let end = doc.node(list).map_or(0, |n| n.next());
    let inside = doc.nodes().get(list + 1..end).unwrap_or_default();
    !inside.is_empty() && inside.iter().all(|n| n.kind == NodeKind::Number)
}

fn emit_key(
    doc: &Doc<'_>,
    node: usize,
    key: &str,
    origin: u32,
    pointer: &str,
    site: &Site,
    build: &mut Build,
) -> Result<(), WireError> {
    let text = Text {
        pointer: build.pointer(pointer, "#key")?,
        origin: origin_of(origin, pointer, site, build),
        kind: Kind::Key,
        value: key.to_owned(),
        literal: doc.node(node).map(|n| n.literal()).unwrap_or_default(),
        container: site.container,
        editable: false,
    };
    build.texts.push(text);
    Ok(())
}

fn emit_string<S: Copy>(
    doc: &Doc<'_>,
    node: usize,
    value: Cow<'_, str>,
    place: &Place<S>,
    pointer: &mut String,
    site: &Site,
    build: &mut Build,
) -> Result<(), WireError> {
    let index = build.texts.len();
    let kind = match place.kind {
        // A name is not examined as prose is, so prose must not pass for one.
        Kind::Name if !is_name(&value, place.token) => Kind::Text,
        kind => kind,
    };
    let text = Text {
        pointer: build.pointer(pointer, "")?,
        origin: origin_of(place.origin, pointer, site, build),
        kind,
        value: value.into_owned(),
        literal: doc.node(node).map(|n| n.literal()).unwrap_or_default(),
        container: site.container,
        editable: place.editable,
    };
    build.texts.push(text);
    if place.prose
        && let Some(message) = place.message.and_then(|m| build.messages.get_mut(m as usize))
    {
        message.parts.push(index);
    }
    if let Some(channel) = place.channel {
        build.pieces.push((index, channel as usize));
    }
    if place.nested && site.depth < MAX_NESTED {
        visit_nested(index, place, pointer, site, build)?;
    }
    Ok(())
}

/// Visits the document in the text at `index`, if it holds a list or object.
fn visit_nested<S: Copy>(
    index: usize,
    place: &Place<S>,
    pointer: &mut String,
    site: &Site,
    build: &mut Build,
) -> Result<(), WireError> {
    let Some(text) = build.texts.get_mut(index) else { return Ok(()) };
    if !text.value.trim_start_matches([' ', '\t', '\n', '\r']).starts_with(['{', '[']) {
        return Ok(());
    }
    // The visitor appends to the list that the value lives in.
    let value = std::mem::take(&mut text.value);
    let mut result = Ok(());
    // What does not parse is read as the text that it is.
    if let Ok(doc) = Doc::parse_str(&value, build.limits.max_json_depth, build.values_left) {
        build.values_left = build.values_left.saturating_sub(doc.len());
        let outside = matches!(build.source_at(place.origin), Source::Tool | Source::Document);
        let field = site.field.or(outside.then_some(pointer.len()));
        let inner = Site { container: Some(index), field, depth: site.depth + 1 };
        let (kind, editable) = (place.kind, place.editable);
        let root = Place { kind, editable, nested: true, ..Place::new((), place.origin) };
        result = walk(&doc, &mut Inherit, root, pointer, &inner, build);
    }
    if let Some(text) = build.texts.get_mut(index) {
        text.value = value;
    }
    result
}

/// The dialect of a document in a string: everything is what the string is.
struct Inherit;

impl Dialect for Inherit {
    type State = ();

    fn root(&mut self, _: &Entry<'_, '_>, build: &mut Build) -> Result<Place<()>, WireError> {
        let origin = build.origin(Origin::new(Source::Parameter));
        Ok(Place::new((), origin))
    }

    fn is_free(&self, (): ()) -> bool {
        true
    }

    fn defined(&self, (): ()) -> &'static [&'static str] {
        &[]
    }

    fn enter(&mut self, parent: &Place<()>, _: &Entry<'_, '_>, _: &mut Build) -> Result<Place<()>, WireError> {
        Ok(parent.to(()))
    }
}

#[expect(clippy::too_many_arguments, reason = "the visitor's state, split so that borrows stay apart")]
fn emit_opaque<S: Copy>(
    doc: &Doc<'_>,
    kind: OpaqueKind,
    bytes: usize,
    place: &Place<S>,
    frames: &[Frame<S>],
    (node, element): (usize, bool),
    pointer: &str,
    build: &mut Build,
) -> Result<(), WireError> {
    // The part that can be taken out is the nearest one around the value; without one, the value itself.
    let around = frames.iter().rev().find(|f| f.place.part);
    let (at, length, element) = match around {
        Some(frame) if !place.part => (frame.node, frame.pointer, frame.element),
        _ => (node, pointer.len(), element),
    };
    let opaque = Opaque {
        pointer: build.pointer(pointer.get(..length).unwrap_or(pointer), "")?,
        origin: build.origin_at(place.carrier.unwrap_or(place.origin)),
        kind,
        literal: doc.node(at).map(|n| n.literal()).unwrap_or_default(),
        strippable: element,
        bytes,
    };
    // A part that says twice what it is counts once.
    match build.opaque.last_mut() {
        Some(last) if last.literal == opaque.literal && last.kind == kind => {
            last.bytes = last.bytes.saturating_add(bytes);
        }
        _ => build.opaque.push(opaque),
    }
    Ok(())
}

/// The origin of a leaf, with its place inside a tool result or document where it has one.
fn origin_of(origin: u32, pointer: &str, site: &Site, build: &Build) -> Origin {
    let mut origin = build.origin_at(origin);
    if let Some(field) = site.field {
        origin.field = pointer.get(field..).map(Arc::from);
    }
    origin
}

/// True where a string can be taken for a name, an id or an enumerated value.
pub(crate) fn is_name(value: &str, token: bool) -> bool {
    value.len() <= LONGEST_NAME
        && (token || value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:/@#+=~".contains(&b)))
}

/// A key that comes twice is refused: parsers differ in which of the two they take. Where the protocol defines the
/// keys, those that differ only in case count as the same, and one that is a defined key in another case is refused
/// even where it stands alone: some widely used decoders match keys without regard to case.
fn refuse_ambiguous_keys<D: Dialect>(
    doc: &Doc<'_>,
    object: usize,
    dialect: &D,
    state: D::State,
    pointer: &str,
) -> Result<(), WireError> {
    const FEW: usize = 12;
    let free = dialect.is_free(state);
    let ambiguous = |key: usize| {
        let mut path = pointer.to_owned();
        push_key(&mut path, &doc.value(key));
        Err(WireError::Ambiguous { pointer: shown(&path) })
    };
    let plain = doc.children(object).all(|key| !folds(&doc.value(key)));
    if !free && (D::CAMEL || !plain) {
        for key in doc.children(object) {
            let value = doc.value(key);
            let otherwise = |known: &&str| **known != *value && same_folded(known, &value);
            if (D::CAMEL || folds(&value)) && dialect.defined(state).iter().any(otherwise) {
                return ambiguous(key);
            }
        }
    }
    let same_case = free || plain;
    if doc.children(object).nth(FEW).is_none() {
        for (at, key) in doc.children(object).enumerate() {
            let value = doc.value(key);
            let same = |other: usize| {
                let other = doc.value(other);
                other == value || (!same_case && folded(&other) == folded(&value))
            };
            if doc.children(object).take(at).any(same) {
                return ambiguous(key);
            }
        }
        return Ok(());
    }
    let mut seen = HashSet::new();
    for key in doc.children(object) {
        let value = doc.value(key);
        if !seen.insert(if same_case { value } else { Cow::Owned(folded(&value)) }) {
            return ambiguous(key);
        }
    }
    Ok(())
}

/// Letters that are not ASCII but have an ASCII letter in their simple case folding (Unicode CaseFolding.txt, status
/// C): long s and the Kelvin sign. Go's encoding/json matches keys by it.
const fn ascii_fold(c: char) -> char {
    match c {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

/// True where folding changes the key.
fn folds(key: &str) -> bool {
    key.bytes().any(|b| b.is_ascii_uppercase() || !b.is_ascii()) && key.chars().any(|c| ascii_fold(c) != c)
}

/// True where two keys differ in case alone.
fn same_folded(a: &str, b: &str) -> bool {
    // Long s and the Kelvin sign are longer than what they fold to, so lengths say nothing.
    a.chars().map(ascii_fold).eq(b.chars().map(ascii_fold))
}

fn folded(key: &str) -> String {
    key.chars().map(ascii_fold).collect()
}

/// Appends a reference token for a key (RFC 6901, section 3).
pub(crate) fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    if memchr::memchr2(b'~', b'/', key.as_bytes()).is_none() {
        pointer.push_str(key);
        return;
    }
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

fn push_index(pointer: &mut String, index: usize) {
    pointer.push('/');
    // Formatting machinery costs more than everything else about a short list.
    let mut scale = 1;
    while index / scale >= 10 {
        scale *= 10;
    }
    while scale > 0 {
        pointer.push(char::from(b'0' + (index / scale % 10) as u8));
        scale /= 10;
    }
}
