//! The text of content streams (ISO 32000-2, 9.4).

use std::collections::HashSet;
use std::rc::Rc;

use super::file::File;
use super::font::{Font, Fonts};
use super::lex::{Dict, Item, Lexer, Value};
use super::stream;
use crate::charset;
use crate::layer::Layer;

/// Most operands of an operator.
const OPERANDS: usize = 512;

/// Deepest nesting of forms, and of saved states.
const DEPTH: usize = 16;
const SAVED: usize = 256;

/// Values in one stream.
const VALUES: usize = 1 << 24;

/// A gap that is a space and a step that is a line, in sizes of the font.
const SPACE: f64 = 0.2;
const LINE: f64 = 0.5;

/// What all pages share.
pub(super) struct Pages<'f, 'd> {
    pub(super) file: &'f File<'d>,
    pub(super) fonts: Fonts,
    /// Streams that have been read, by their place among the objects. Each is read once.
    pub(super) used: HashSet<usize>,
    /// Resources for streams without.
    pub(super) fallback: Vec<&'f Dict>,
}

/// Text and what is said about it.
#[derive(Debug, Default)]
pub(super) struct Writing {
    pub(super) text: String,
    pub(super) asides: String,
    /// Where the last piece ended on the page.
    pen: Option<(f64, f64)>,
}

type Matrix = [f64; 6];

const IDENTITY: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// First one, then the other.
fn then(first: &Matrix, other: &Matrix) -> Matrix {
    let [a, b, c, d, e, f] = *first;
    let [g, h, i, j, k, l] = *other;
    [a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + l]
}

#[derive(Clone)]
struct State {
    ctm: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    character: f64,
    word: f64,
    scale: f64,
    leading: f64,
}

struct Reader<'r, 'f, 'd, 'l, 'b> {
    pages: &'r mut Pages<'f, 'd>,
    layer: &'l mut Layer<'b>,
    out: &'r mut Writing,
    resources: Vec<&'f Dict>,
    state: State,
    saved: Vec<State>,
    text: Matrix,
    line: Matrix,
    depth: usize,
}

/// Reads a content stream. `resources` are looked through in order.
pub(super) fn read<'f>(
    pages: &mut Pages<'f, '_>,
    data: &[u8],
    resources: Vec<&'f Dict>,
    out: &mut Writing,
    layer: &mut Layer<'_>,
) {
    let state = State { ctm: IDENTITY, font: None, size: 1.0, character: 0.0, word: 0.0, scale: 1.0, leading: 0.0 };
    let mut reader =
        Reader { pages, layer, out, resources, state, saved: Vec::new(), text: IDENTITY, line: IDENTITY, depth: 0 };
    reader.run(data);
}

impl<'f> Reader<'_, 'f, '_, '_, '_> {
    fn run(&mut self, data: &[u8]) {
        let mut lexer = Lexer::new(data, 0, VALUES);
        let mut operands: Vec<Value> = Vec::new();
        while let Some(item) = lexer.operand() {
            match item {
                Item::Value(value) => {
                    if operands.len() < OPERANDS {
                        operands.push(value);
                    }
                }
                Item::Word(b"ID") => {
                    if !skip_image(&mut lexer) {
                        self.layer.fault(bartizan_core::Reason::Malformed);
                        return;
                    }
                    operands.clear();
                }
                Item::Word(b"true" | b"false" | b"null") => operands.push(Value::Null),
                Item::Word(word) => {
                    self.operator(word, &operands);
                    operands.clear();
                }
            }
            if self.out.text.len() > self.layer.text_left() {
                return;
            }
        }
        if lexer.left == 0 {
            self.layer.fault(bartizan_core::Reason::TooManyParts);
        }
    }

    fn operator(&mut self, word: &[u8], operands: &[Value]) {
        let number = |at: usize| operands.get(at).and_then(Value::number).unwrap_or(0.0);
        let last = operands.last();
        match word {
            b"q" if self.saved.len() < SAVED => self.saved.push(self.state.clone()),
            b"Q" => self.state = self.saved.pop().unwrap_or_else(|| self.state.clone()),
            b"cm" => self.state.ctm = then(&matrix(operands), &self.state.ctm),
            b"BT" => {
                self.text = IDENTITY;
                self.line = IDENTITY;
            }
            b"Tf" => {
                self.state.size = number(1);
                let name = operands.first().and_then(Value::name);
                let font = name.and_then(|name| self.resource("Font", name)).and_then(Value::dict);
                self.state.font = Some(self.pages.fonts.of(self.pages.file, font, self.layer));
            }
            b"Tc" => self.state.character = number(0),
            b"Tw" => self.state.word = number(0),
            b"Tz" => self.state.scale = number(0) / 100.0,
            b"TL" => self.state.leading = number(0),
            b"Td" => self.step(number(0), number(1)),
            b"TD" => {
                self.state.leading = -number(1);
                self.step(number(0), number(1));
            }
            b"Tm" => {
                self.line = matrix(operands);
                self.text = self.line;
            }
            b"T*" => self.step(0.0, -self.state.leading),
            b"Tj" => self.show(last),
            b"'" => {
                self.step(0.0, -self.state.leading);
                self.show(last);
            }
            b"\"" => {
                self.state.word = number(0);
                self.state.character = number(1);
                self.step(0.0, -self.state.leading);
                self.show(last);
            }
            b"TJ" => {
                for value in last.and_then(Value::list).unwrap_or_default() {
                    match value {
                        Value::Number(n) => self.advance(-n / 1000.0 * self.state.size * self.state.scale),
                        value => self.show(Some(value)),
                    }
                }
            }
            b"Do" => self.form(last),
            b"BDC" | b"DP" => self.marked(last),
            _ => {}
        }
    }

    fn step(&mut self, x: f64, y: f64) {
        self.line = then(&[1.0, 0.0, 0.0, 1.0, x, y], &self.line);
        self.text = self.line;
    }

    fn advance(&mut self, by: f64) {
        self.text = then(&[1.0, 0.0, 0.0, 1.0, by, 0.0], &self.text);
    }

    fn show(&mut self, value: Option<&Value>) {
        let Some(Value::Text(bytes)) = value else { return };
        let font = match &self.state.font {
            Some(font) => Rc::clone(font),
            None => self.pages.fonts.of(self.pages.file, None, self.layer),
        };
        self.separate();
        let before = self.out.text.len();
        let (width, codes) = font.show(bytes, &mut self.out.text, self.layer);
        let spaces = self.out.text.get(before..).unwrap_or_default().matches(' ').count();
        let State { size, character, word, scale, .. } = self.state;
        self.advance((width * size + codes as f64 * character + spaces as f64 * word) * scale);
        let [.., e, f] = then(&self.text, &self.state.ctm);
        self.out.pen = Some((e, f));
    }

    /// Puts a space or a line end where the page has one.
    fn separate(&mut self) {
        let Some((x, y)) = self.out.pen else { return };
        let [a, b, _, _, e, f] = then(&self.text, &self.state.ctm);
        let scale = a.hypot(b);
        let size = (scale * self.state.size).abs();
        let (dx, dy) = (e - x, f - y);
        let along = (dx * a + dy * b) / scale / size;
        let across = (dy * a - dx * b) / scale / size;
        let text = &mut self.out.text;
        // Where the text has no size it cannot be seen, and where it stands says nothing.
        if !along.is_finite() || across.abs() > LINE || along < -4.0 {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
        } else if along > SPACE && !text.ends_with(char::is_whitespace) {
            text.push(' ');
        }
    }

    fn resource(&self, kind: &str, name: &[u8]) -> Option<&'f Value> {
        let file = self.pages.file;
        let find = |resources: &'f Dict| file.resolve(file.get(resources, kind)?.dict()?.get(name)?);
        self.resources.iter().find_map(|r| find(r)).or_else(|| self.pages.fallback.iter().find_map(|r| find(r)))
    }

    /// A form: a stream that is drawn as a part of this one.
    fn form(&mut self, name: Option<&Value>) {
        let Some(name) = name.and_then(Value::name) else { return };
        let file = self.pages.file;
        let number = self.resources.iter().chain(&self.pages.fallback).find_map(|r| {
            match file.get(r, "XObject")?.dict()?.get(name)? {
                Value::Reference(number) => Some(*number),
                _ => None,
            }
        });
        let Some((index, object)) = number.and_then(|n| Some((file.index(n)?, file.object(n)?))) else { return };
        if !object.is("Subtype", "Form") || self.depth >= DEPTH || !self.pages.used.insert(index) {
            return;
        }
        let Some(data) = stream::decode(file, object, self.layer) else { return };
        let own = object.value.dict().and_then(|d| file.get(d, "Resources")).and_then(Value::dict);
        let mut resources = self.resources.clone();
        if let Some(own) = own {
            resources.insert(0, own);
        }
        let outer = std::mem::replace(&mut self.resources, resources);
        let (state, saved) = (self.state.clone(), std::mem::take(&mut self.saved));
        let (text, line) = (self.text, self.line);
        if let Some(place) = object.get("Matrix").and_then(|m| file.resolve(m)).and_then(Value::list) {
            self.state.ctm = then(&matrix(place), &self.state.ctm);
        }
        self.depth += 1;
        self.run(&data);
        self.depth -= 1;
        self.resources = outer;
        self.state = state;
        self.saved = saved;
        (self.text, self.line) = (text, line);
    }

    /// What marked content says it is: replacement text, alternative text, expansions.
    fn marked(&mut self, properties: Option<&Value>) {
        let Some(Value::Dict(dict)) = properties else { return };
        for key in ["ActualText", "Alt", "E"] {
            if let Some(Value::Text(bytes)) = dict.get(key.as_bytes()) {
                self.out.asides.push_str(&charset::text(bytes));
                self.out.asides.push('\n');
            }
        }
    }
}

fn matrix(operands: &[Value]) -> Matrix {
    let mut out = IDENTITY;
    for (place, value) in out.iter_mut().zip(operands) {
        *place = value.number().unwrap_or(*place);
    }
    out
}

/// Moves behind the data of an inline image; false where it does not end.
fn skip_image(lexer: &mut Lexer<'_>) -> bool {
    let start = lexer.at;
    let rest = lexer.data.get(start..).unwrap_or_default();
    for at in memchr::memmem::find_iter(rest, b"EI") {
        let before = at.checked_sub(1).and_then(|at| rest.get(at));
        let after = rest.get(at + 2);
        if before.is_some_and(u8::is_ascii_whitespace) && after.is_none_or(u8::is_ascii_whitespace) {
            lexer.at = start + at + 2;
            return true;
        }
    }
    lexer.at = lexer.data.len();
    false
}
