//! HTML: every word of it, shown or not.

use std::convert::Infallible;

use html5gum::Tokenizer;
use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};

use crate::layer::Layer;
use crate::xml::is_worded;

/// Elements that begin and end a line. All others, unknown ones too, do not end a word: `ig<b>no</b>re` is one.
const LINES: [&[u8]; 67] = [
    b"address",
    b"article",
    b"aside",
    b"audio",
    b"blockquote",
    b"body",
    b"br",
    b"button",
    b"canvas",
    b"caption",
    b"center",
    b"col",
    b"dd",
    b"details",
    b"dialog",
    b"dir",
    b"div",
    b"dl",
    b"dt",
    b"fieldset",
    b"figcaption",
    b"figure",
    b"footer",
    b"form",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"head",
    b"header",
    b"hr",
    b"html",
    b"iframe",
    b"legend",
    b"li",
    b"main",
    b"menu",
    b"nav",
    b"noscript",
    b"object",
    b"ol",
    b"optgroup",
    b"option",
    b"p",
    b"pre",
    b"script",
    b"section",
    b"select",
    b"style",
    b"summary",
    b"svg",
    b"table",
    b"tbody",
    b"td",
    b"template",
    b"textarea",
    b"tfoot",
    b"th",
    b"thead",
    b"title",
    b"tr",
    b"ul",
    b"video",
    b"xmp",
    b"plaintext",
];

/// Attributes that say what something is called, whatever their form.
const WORDS: [&[u8]; 13] = [
    b"alt",
    b"title",
    b"content",
    b"placeholder",
    b"value",
    b"label",
    b"summary",
    b"aria-label",
    b"aria-description",
    b"aria-roledescription",
    b"aria-valuetext",
    b"abbr",
    b"data",
];

/// Reads a page: text, attributes, comments, scripts and styles, in the order of the source. What style sheets and
/// `hidden` do is not looked at, so text that is not shown counts.
pub(crate) fn read(member: &str, page: &str, layer: &mut Layer<'_>) {
    if !layer.part() {
        return;
    }
    let mut words = Words::default();
    let mut frames = Vec::new();
    let mut attribute = Vec::new();
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: html5gum::Span<()>| -> Option<Infallible> {
        match event {
            CallbackEvent::OpenStartTag { name } | CallbackEvent::EndTag { name } => {
                if LINES.contains(&name) {
                    words.end_line();
                }
            }
            CallbackEvent::AttributeName { name } => {
                attribute.clear();
                attribute.extend_from_slice(name.get(..32).unwrap_or(name));
            }
            CallbackEvent::AttributeValue { value } => {
                let value = String::from_utf8_lossy(value);
                if attribute == b"srcdoc" {
                    frames.push(value.into_owned());
                } else if WORDS.contains(&attribute.as_slice()) || is_worded(&value) {
                    words.aside(&value);
                }
            }
            CallbackEvent::String { value } => words.text(&String::from_utf8_lossy(value)),
            CallbackEvent::Comment { value } => words.aside(&String::from_utf8_lossy(value)),
            CallbackEvent::Doctype { public_identifier, system_identifier, .. } => {
                for identifier in [public_identifier, system_identifier].into_iter().flatten() {
                    words.aside(&String::from_utf8_lossy(identifier));
                }
            }
            CallbackEvent::CloseStartTag { .. } | CallbackEvent::Error(_) => {}
        }
        None
    });
    // The callback makes no tokens, so the tokenizer goes through the whole page before it answers.
    // Naively: as a browser with scripts switches between states, so that scripts are not taken for markup.
    emitter.naively_switch_states(true);
    let _: Option<Result<Infallible, Infallible>> = Tokenizer::new_with_emitter(page, emitter).next();
    let (text, asides) = words.finish();
    layer.text(member, text);
    layer.text(&format!("{member}#attributes"), asides);
    for frame in frames {
        layer.inside(member, |layer| read("srcdoc", &frame, layer));
    }
}

/// Text as it is collected. What stands beside the flow of the text is kept apart, so that neither splits the other.
#[derive(Default)]
struct Words {
    text: String,
    asides: String,
}

impl Words {
    fn text(&mut self, piece: &str) {
        self.text.push_str(piece);
    }

    fn end_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    fn aside(&mut self, piece: &str) {
        if !piece.trim().is_empty() {
            self.asides.push_str(piece);
            self.asides.push('\n');
        }
    }

    fn finish(self) -> (String, String) {
        (self.text, self.asides)
    }
}
