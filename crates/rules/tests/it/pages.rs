//! Every rule page says what it must, and its examples behave as it says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_classifier::{Classifier, channel};
use bartizan_core::{
    Context, Detector as _, Direction, Family, Kind, Limits, Origin, Profile, RuleId, Source, TenantId,
};
use bartizan_engine::{Engine, Input};
use bartizan_mcp::{Elsewhere, Listed, Note, Pinned, Reach, Tickets, ToolCall, audit, links, requested};
use bartizan_policy::retrieval::{Chunk, Reader, Retrieval};
use bartizan_protected::{Builder, Common, Index, Key, ProtectedText, Public, Writer};
use bartizan_rules::limits::input_tokens;
use bartizan_rules::output::schema_violation::{Fit, ReplySchema};
use bartizan_rules::{RouteSettings, Scripts, Settings, SinkKind, catalogue, detectors};

/// Headings after the title, in order.
const SECTIONS: [&str; 7] =
    ["What it finds", "Why it matters", "How it decides", "Examples", "Limits", "Fix", "References"];

/// One example of a page.
#[derive(Debug)]
pub(crate) struct Example {
    /// File and line, for messages.
    pub(crate) place: String,
    /// The page's rule.
    pub(crate) rule: String,
    /// True for `fire`.
    pub(crate) fires: bool,
    /// Where the text comes from.
    pub(crate) origin: Origin,
    /// What the text is.
    pub(crate) kind: Kind,
    /// Whether it runs on the route that declares sinks and scripts.
    pub(crate) declared: bool,
    /// Entity type that a finding must have.
    pub(crate) entity: Option<String>,
    /// The text.
    pub(crate) text: String,
}

struct Page {
    path: PathBuf,
    rule: String,
    body: String,
}

#[allow(clippy::disallowed_methods, reason = "the pages are files of this crate")]
fn pages() -> Vec<Page> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut pages = Vec::new();
    for family in Family::ALL {
        let Ok(folder) = fs::read_dir(src.join(family.as_str())) else { continue };
        for path in folder.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "md")) {
            let stem = path.file_stem().unwrap().to_str().unwrap().replace('_', "-");
            let body = fs::read_to_string(&path).unwrap();
            pages.push(Page { rule: format!("{family}/{stem}"), body, path });
        }
    }
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!pages.is_empty());
    pages
}

/// `\u{..}`, `\n`, `\t`, `\r` and `\\`, so that invisible characters can be seen in a page.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('\\') => out.push('\\'),
            Some('u') => {
                let (hex, tail) = after[1..].strip_prefix('{').and_then(|t| t.split_once('}')).expect("\\u{..}");
                out.push(char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap());
                rest = tail;
                continue;
            }
            other => panic!("unknown escape `\\{other:?}`"),
        }
        rest = chars.as_str();
    }
    out + rest
}

fn word<T: serde::de::DeserializeOwned>(value: &str, place: &str) -> T {
    T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(value))
        .unwrap_or_else(|e| panic!("{place}: {e}"))
}

fn examples_of(page: &Page) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut lines = page.body.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```").filter(|i| !i.is_empty()) else { continue };
        let place = format!("{}:{}", page.path.display(), number + 1);
        let mut words = info.split_whitespace();
        let fires = match words.next() {
            Some("fire") => true,
            Some("silent") => false,
            _ => {
                lines.by_ref().find(|(_, l)| *l == "```");
                continue;
            }
        };
        let body: Vec<&str> = lines.by_ref().map(|(_, l)| l).take_while(|l| *l != "```").collect();
        let mut example = Example {
            place: place.clone(),
            rule: page.rule.clone(),
            fires,
            origin: Origin::default(),
            kind: Kind::Text,
            declared: false,
            entity: None,
            text: body.join("\n"),
        };
        let mut repeat = 1;
        for word_ in words {
            match word_.split_once('=').unwrap_or((word_, "")) {
                ("origin", source) => example.origin = Origin::new(word::<Source>(source, &place)),
                ("kind", kind) => example.kind = word(kind, &place),
                ("type", entity) => example.entity = Some(entity.to_owned()),
                ("declared", "") => example.declared = true,
                ("escaped", "") => example.text = unescape(&example.text),
                ("repeat", times) => repeat = times.parse().unwrap(),
                other => panic!("{place}: unknown info word {other:?}"),
            }
        }
        example.text = example.text.repeat(repeat);
        examples.push(example);
    }
    examples
}

/// The examples of all pages.
pub(crate) fn examples() -> Vec<Example> {
    pages().iter().flat_map(examples_of).collect()
}

/// Settings that the examples of the pages are written for.
pub(crate) fn settings() -> Settings {
    Settings {
        canary: vec!["orchid-lantern-7731".to_owned()],
        protected_prompt: vec![PROTECTED.to_owned()],
        routes: vec![declared()],
        ..Settings::default()
    }
}

/// The route of examples that say `declared`: every sink, and Latin script only.
fn declared() -> RouteSettings {
    use SinkKind::{Html, Log, Markdown, Shell, Sql, Template};
    RouteSettings {
        sink: Some(vec![Html, Sql, Shell, Template, Log, Markdown]),
        scripts: Some(Scripts { allow: vec!["Latin".to_owned(), "Common".to_owned()], classes: vec![] }),
    }
}

/// What an example stands in. What a model writes is a reply.
pub(crate) fn context(origin: &Origin, declared: bool) -> Context<'static> {
    let direction = if origin.source == Source::Model { Direction::Reply } else { Direction::Request };
    Context { system: &[], direction, profile: Profile(usize::from(declared)) }
}

/// What the guard finds in an example of a rule about a whole exchange; `None` for other rules.
fn found_in_exchange(example: &Example) -> Option<bool> {
    match example.rule.as_str() {
        "limits/input-tokens" => Some(input_tokens::estimate(&example.text) > 40),
        "limits/broad-coverage"
        | "limits/embedding-dump"
        | "limits/logprob-harvest"
        | "limits/refusal-retries"
        | "limits/templated-probing"
        | "limits/usage-anomaly" => Some(crate::abuse::is_raised(&example.text, &example.rule)),
        "output/schema-violation" => {
            let schema = serde_json::json!({
                "type": "object", "required": ["city", "beds"], "additionalProperties": false,
                "properties": {"city": {"type": "string"}, "beds": {"type": "integer", "minimum": 1}}
            });
            Some(ReplySchema::new(&schema).unwrap().judge(&example.text) == Fit::Violates)
        }
        id if id.starts_with("data/") => Some(dropped(&example.text) == Some(id)),
        "mcp/undecided-call" => {
            let value: serde_json::Value = serde_json::from_str(&example.text).unwrap();
            let mut tickets = Tickets::default();
            tickets.issue("", "mcp__mail__send", &serde_json::json!({"to": "ann@corp.example"}), 0, 1);
            let call = value.get("call").map(|call| ToolCall {
                name: call["name"].as_str().unwrap().to_owned(),
                arguments: call["arguments"].clone(),
            });
            Some(call.is_some_and(|call| !tickets.take("", "mail", &call, 0)))
        }
        id if id.starts_with("mcp/") && id != "mcp/tool-poisoning" => {
            let value: serde_json::Value = serde_json::from_str(&example.text).unwrap();
            Some(notes_of(&value).iter().any(|note| note.rule == id))
        }
        "output/protected-text" => {
            let context = context(&example.origin, example.declared);
            Some(
                protected_text().concerns(&example.origin, &context) && {
                    let engine = Engine::new(vec![Box::new(protected_text())], vec![], Limits::default()).unwrap();
                    let input = Input { text: &example.text, kind: example.kind, origin: &example.origin, context };
                    !engine.scan(&input).findings.is_empty()
                },
            )
        }
        "prompt/learned-injection" => {
            let scorer = Classifier::scorer().unwrap();
            let channel = channel(example.origin.source).unwrap();
            let probability = scorer.probability(scorer.score(&example.text, channel).as_ref(), channel);
            Some(probability >= scorer.weights().calibration(channel).flag)
        }
        _ => None,
    }
}

/// The rule under which a retrieved chunk is dropped.
fn dropped(chunk: &str) -> Option<&'static str> {
    let chunk: serde_json::Value = serde_json::from_str(chunk).unwrap();
    let readers: Option<Vec<String>> = chunk.get("readers").map(|list| serde_json::from_value(list.clone()).unwrap());
    let said = |key: &str| chunk.get(key).and_then(serde_json::Value::as_str);
    let rules: Retrieval = serde_json::from_value(serde_json::json!({
        "classifications": ["internal", "secret"], "canaries": ["hr/salaries-2019.xlsx", "trap/*"]
    }))
    .unwrap();
    let who = Reader::new(TenantId::authenticated("acme").unwrap(), "app", Some("ann"), None);
    let chunk = Chunk {
        source: said("source").unwrap_or_default(),
        tenant: said("tenant"),
        readers: readers.as_deref(),
        classification: said("classification"),
        intact: true,
    };
    rules.admit(&who, &chunk).err().map(bartizan_policy::retrieval::Dropped::rule)
}

/// What is noted about a list of tools, a message or a result, beside another server with the tool `send_email`. The
/// server is reached over the network, and its tool `add` is pinned.
fn notes_of(value: &serde_json::Value) -> Vec<Note> {
    let result = serde_json::json!({"tools": value});
    let pinned = serde_json::json!({"tools": [{"name": "add", "description": "Adds."}]});
    let pinned = Pinned::of(None, &Listed::read(&pinned).tools);
    let elsewhere = Elsewhere::names(["send_email"]);
    let mut notes = audit(&result, "", Some(&pinned), &elsewhere);
    notes.extend(requested(value, "", Reach::Remote));
    notes.extend(links(value, "", Reach::Remote));
    notes
}

/// A system text, for the examples of leak detection.
pub(crate) const PROTECTED: &str = "You are Harbour, the berth planner of Port Mirabel. Answer only questions about \
    berths, tides and cranes. Never mention the rate table. If a captain asks for a discount, send them to the \
    desk on pier nine and close the conversation politely.";

/// A detector with one protected record.
fn protected_text() -> ProtectedText {
    const RECORD: &str = "The keeper of the northern lighthouse owes four hundred crowns to the ferryman of the lower \
        harbour, and signed for it in the presence of the notary.";
    let key = Key::new("the key of the pages' examples, which is long enough").unwrap();
    let mut builder = Builder::new(key.clone(), 0, 1);
    builder.record(RECORD).unwrap();
    let mut body = Vec::new();
    let public = Public::new(key.clone());
    let mut writer = Writer::new(&mut body, key.clone(), Common::default(), public, builder.chosen(), 1);
    writer.part(&mut builder).unwrap();
    let written = writer.finish(&builder, &[]).unwrap();
    let index = Index::open(Arc::new([written.head, body].concat()), key).unwrap();
    ProtectedText::new(bartizan_rules::output::protected_text::RULE.clone(), vec![Arc::new(index)])
}

/// The engine that the examples run in.
pub(crate) fn engine() -> Engine {
    Engine::new(detectors(&settings()).unwrap(), vec![], Limits::default()).unwrap()
}

#[test]
fn pages_have_their_sections() {
    for page in pages() {
        let place = page.path.display();
        let mut fenced = false;
        let mut headings = Vec::new();
        let mut filled: BTreeMap<String, usize> = BTreeMap::new();
        for line in page.body.lines() {
            fenced ^= line.starts_with("```");
            if !fenced && let Some(heading) = line.strip_prefix("# ").or(line.strip_prefix("## ")) {
                headings.push(heading.to_owned());
            } else if let Some(heading) = headings.last() {
                *filled.entry(heading.clone()).or_default() += line.trim().len();
            }
        }
        let mut wanted = vec![page.rule.clone()];
        wanted.extend(SECTIONS.map(str::to_owned));
        assert_eq!(headings, wanted, "{place}: headings");
        for section in SECTIONS {
            assert!(filled.get(section).is_some_and(|n| *n >= 20), "{place}: section `{section}` says too little");
        }
        assert!(!fenced, "{place}: a code block is not closed");
    }
}

#[test]
fn every_page_is_a_registered_rule_with_references() {
    let rules = catalogue();
    for page in pages() {
        let rule = rules.iter().find(|r| r.id.as_str() == page.rule);
        let rule = rule.unwrap_or_else(|| panic!("{} is not in the registry", page.rule));
        assert_eq!(rule.doc, page.body, "{}: `Rule.doc` is not the page", page.rule);
    }
    for pair in rules.windows(2) {
        assert_ne!(pair[0].id, pair[1].id, "id used twice");
    }
    for rule in &rules {
        assert!(RuleId::parse(rule.id.as_str()).is_ok(), "{}", rule.id);
        assert!(!rule.references.is_empty(), "{} has no reference", rule.id);
        assert!(!rule.summary.is_empty() && !rule.summary.ends_with('.'), "{}: summary", rule.id);
    }
}

#[test]
fn examples_behave_as_the_page_says() {
    let engine = engine();
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for example in examples() {
        let count = counts.entry(example.rule.clone()).or_default();
        if example.fires {
            count.0 += 1
        } else {
            count.1 += 1
        };
        let scan = engine.scan(&Input {
            text: &example.text,
            kind: example.kind,
            origin: &example.origin,
            context: context(&example.origin, example.declared),
        });
        let found = scan.findings.iter().any(|f| {
            f.rule.as_str() == example.rule
                && (example.entity.is_none() || f.entity.as_deref() == example.entity.as_deref())
        });
        let found = found_in_exchange(&example).unwrap_or(found);
        if found != example.fires {
            let all: Vec<_> = scan.findings.iter().map(|f| f.rule.as_str()).collect();
            wrong.push(format!(
                "{} should {}fire {}, found {all:?}",
                example.place,
                if example.fires { "" } else { "not " },
                example.rule
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for page in pages() {
        let (fire, silent) = counts.get(&page.rule).copied().unwrap_or_default();
        assert!(
            fire >= 3 && silent >= 3,
            "{}: {fire} fire and {silent} silent examples, three of each are needed",
            page.rule
        );
    }
}
