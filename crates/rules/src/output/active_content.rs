//! Scripts and what acts like them, in text that a client may render as HTML.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span,
    Subject, ViewText, Views,
};
use memchr::memchr_iter;

use super::code::CodeSpans;
use crate::html::{Opened, Tag, border, tag_at};
use crate::tape::Tape;
use crate::{RulesError, Settings};

/// Most bytes of one tag that are read.
const TAG: usize = 1024;

/// Elements that load or run something by themselves.
const ACTIVE: [&[u8]; 7] = [b"script", b"object", b"embed", b"applet", b"base", b"iframe", b"frame"];

/// What has to occur: an element, a scheme, or the start of the name of an event (HTML Standard, event handlers;
/// SVG 2; older names that browsers still know).
const LITERALS: [&str; 88] = [
    "<script",
    "<object",
    "<embed",
    "<applet",
    "<base",
    "<iframe",
    "<frame",
    "<meta",
    "script:",
    "script&",
    "&tab;",
    "&newline;",
    "&#x",
    "&#1",
    "srcdoc",
    "data:text/html",
    "data:image/svg",
    "onload",
    "onerror",
    "onclick",
    "onmouse",
    "onpointer",
    "onfocus",
    "onblur",
    "ontoggle",
    "onbegin",
    "onend",
    "onrepeat",
    "onanimation",
    "ontransition",
    "onkey",
    "oncopy",
    "oncut",
    "onpaste",
    "ondrag",
    "ondrop",
    "onscroll",
    "onwheel",
    "onsubmit",
    "oninput",
    "onchange",
    "onselect",
    "onreset",
    "oninvalid",
    "onhash",
    "onpage",
    "onpop",
    "onmessage",
    "onresize",
    "onstorage",
    "onun",
    "onbefore",
    "onafter",
    "onplay",
    "onpause",
    "oncan",
    "ondur",
    "onstalled",
    "onsuspend",
    "onvolume",
    "onseek",
    "onrate",
    "onprogress",
    "ontime",
    "onwaiting",
    "onempt",
    "onaux",
    "oncontext",
    "ondbl",
    "ontouch",
    "ongot",
    "onlost",
    "onshow",
    "onsearch",
    "onclose",
    "oncue",
    "onform",
    "onslot",
    "onfull",
    "onbounce",
    "onfinish",
    "onstart",
    "onwebkit",
    "ononline",
    "onoffline",
    "onlanguage",
    "onreject",
    "onsecurity",
];

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("output/active-content"),
    summary: Cow::Borrowed("script or other active HTML"),
    doc: Cow::Borrowed(include_str!("active_content.md")),
    severity: Severity::High,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM05"),
        Reference::new("CWE", "CWE-79"),
        Reference::new("CWE", "CWE-116"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

struct ActiveContent {
    literals: Vec<Cow<'static, str>>,
}

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(ActiveContent { literals: LITERALS.iter().map(|l| Cow::Borrowed(*l)).collect() }))
}

/// True where an attribute makes a client run something.
pub(super) fn is_active(tape: &Tape<'_>, tag: &Tag) -> bool {
    if ACTIVE.contains(&tag.name.as_slice()) {
        return true;
    }
    let value = |span: Span| {
        let text = String::from_utf8_lossy(tape.slice(span)).into_owned();
        crate::egress::as_browsers_read(&text).to_ascii_lowercase()
    };
    tag.attributes.iter().any(|attribute| {
        let name = attribute.name.as_slice();
        match name {
            b"http-equiv" => tag.name == b"meta" && value(attribute.value) == "refresh",
            b"srcdoc" => true,
            b"href" | b"src" | b"action" | b"formaction" | b"data" | b"xlink:href" | b"to" | b"values" | b"from" => {
                let value = value(attribute.value);
                ["javascript:", "vbscript:", "data:text/html", "data:image/svg"].iter().any(|s| value.starts_with(s))
            }
            // `onload`, `onclick`: no attribute that starts so is anything else.
            _ => {
                name.len() > 4
                    && name.starts_with(b"on")
                    && name.iter().all(u8::is_ascii_lowercase)
                    && !attribute.value.is_empty()
            }
        }
    })
}

impl ActiveContent {
    fn read(text: &ViewText<'_>, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        let tape = Tape::new(&text.text);
        let mut code = None;
        for start in memchr_iter(b'<', text.text.as_bytes()) {
            let Some(Opened::Tag(tag)) = tag_at(&tape, start, TAG) else { continue };
            if is_active(&tape, &tag) {
                let report = Report::new(rule, text, Span::new(start, border(&tape, tag.end)));
                let code = code.get_or_insert_with(|| CodeSpans::new(&text.text));
                out.report(if code.contains(start) { report.severity(Severity::Info) } else { report });
            }
            if out.is_full() {
                return;
            }
        }
    }
}

impl Detector for ActiveContent {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::TOKENS
    }

    /// Whether a tag stands in a code block depends on everything before it.
    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Parse
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &self.literals, ..Anchors::default() }
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let mut last = usize::MAX;
        for (text, hit) in subject.anchored() {
            if hit.text != last {
                last = hit.text;
                Self::read(text, out);
            }
        }
    }
}
