//! Configurations: JSON and YAML that make a loader run code.

mod tags;

use bartizan_core::{Reason, Severity};
use serde_json::Value;

use crate::bytes::{contains, show};
use crate::danger::{Force, force, is_builtin, is_code};
use crate::desk::Desk;
use crate::path::{leads_away, leads_out};
use crate::{keras, rules, template};

/// Without one of these no document says anything here. `\u00` may hide them.
const KEYS: &[&[u8]] = &[
    b"auto_map",
    b"class_name",
    b"chat_template",
    b"_target_",
    b"__module__",
    b"__class__",
    b"custom_pipelines",
    b"__reduce__",
    b"trust_remote_code",
    b"base_model_name_or_path",
    b"weight_map",
    b"registered_name",
    b"py_object",
    b"python/",
    b"\"handler\"",
    b"_diffusers_version",
    b"attn_implementation",
    b"megatron_core",
];

/// The same in short documents: in long ones they are words of a vocabulary.
const SHORT_KEYS: &[&[u8]] = &[b"\"idx\"", b"\"structure\"", b"\"tokenizer_class\""];
/// Longest of these, bytes.
const SHORT: usize = 1 << 20;

/// Values of one anchor or key that are looked at.
const ALIASES: usize = 16;

/// Reads a JSON document; false where it is none.
pub(crate) fn json(text: &str, desk: &mut Desk<'_>) -> bool {
    let bytes = text.as_bytes();
    if !is_named(bytes) {
        // Templates begin with braces, too.
        return bytes.len() > desk.budget.document || is_json(text);
    }
    if bytes.len() > desk.budget.document {
        desk.partial(Reason::TooLong, bytes.len(), "the JSON document is longer than the limit");
        return true;
    }
    let Some(value) = parse(text.trim_start_matches('\u{feff}')) else { return false };
    tree(&value, desk);
    true
}

fn is_named(bytes: &[u8]) -> bool {
    let short = || bytes.len() <= SHORT && SHORT_KEYS.iter().any(|key| contains(bytes, key));
    KEYS.iter().any(|key| contains(bytes, key)) || contains(bytes, b"\\u00") || short()
}

/// True for what is no JSON here and may be in a program: it has the keys, and is not one document per line.
pub(crate) fn is_lost(text: &str) -> bool {
    let mut count = 0;
    let mut all = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>().inspect(|_| count += 1);
    is_named(text.as_bytes()) && (all.any(|one| one.is_err()) || count < 2)
}

/// A document as Python reads it.
fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&strict(text)).ok())
}

/// The document without what Python reads and JSON does not have: numbers that are none or too large, and halves of
/// characters.
fn strict(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let plain = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '"');
        let len = if first == '"' {
            string(rest, &mut out)
        } else if plain(first) {
            let len = rest.find(|c| !plain(c)).unwrap_or(rest.len());
            out.push_str(rest.get(..len).unwrap_or_default());
            len
        } else {
            let len =
                rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '+' | '.')).unwrap_or(rest.len());
            let word = rest.get(..len).unwrap_or_default();
            let number = word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
            let large = number && word.parse::<f64>().is_ok_and(f64::is_infinite);
            out.push_str(if large || matches!(word, "NaN" | "Infinity" | "-Infinity") { "null" } else { word });
            len
        };
        rest = rest.get(len..).unwrap_or_default();
    }
    out
}

/// Copies a text with its quotes; the length of it. Halves of characters that stand alone become a mark.
fn string(text: &str, out: &mut String) -> usize {
    let half = |at: usize, kinds: &[u8]| {
        let code = text.as_bytes().get(at..at + 6).unwrap_or_default();
        matches!(code, [b'\\', b'u', b'd' | b'D', kind, _, _] if kinds.contains(kind))
    };
    let (mut at, mut from) = (1, 1);
    out.push('"');
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => {
                at += 1;
                break;
            }
            b'\\' if half(at, b"89abAB") && half(at + 6, b"cdefCDEF") => at += 12,
            b'\\' if half(at, b"89abABcdefCDEF") => {
                out.push_str(text.get(from..at).unwrap_or_default());
                out.push_str("\\ufffd");
                at += 6;
                from = at;
            }
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    out.push_str(text.get(from..end).unwrap_or_default());
    end
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text.trim_start_matches('\u{feff}')).is_ok()
}

/// Walks a whole tree, whatever it belongs to.
pub(crate) fn tree(value: &Value, desk: &mut Desk<'_>) {
    walk(value, true, desk);
}

/// `opens`: documents in texts are walked too, and those in their texts are not.
fn walk(value: &Value, opens: bool, desk: &mut Desk<'_>) {
    // The reader of JSON bounds the depth at 128.
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                object(map, desk);
                open.extend(map.values());
            }
            Value::Array(items) => open.extend(items),
            Value::String(text)
                if opens
                    && text.trim_start().starts_with('{')
                    && text.len() < desk.budget.document
                    && KEYS.iter().any(|k| contains(text.as_bytes(), k)) =>
            {
                // A document in a text, as metadata of safetensors and Keras have.
                if let Some(inner @ Value::Object(_)) = parse(text) {
                    walk(&inner, false, desk);
                }
            }
            _ => {}
        }
    }
}

fn object(map: &serde_json::Map<String, Value>, desk: &mut Desk<'_>) {
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    if let Some(targets) = map.get("auto_map") {
        let names =
            targets.as_object().map(|t| t.values().filter_map(Value::as_str).map(show).collect::<Vec<_>>().join(", "));
        desk.find(&rules::REMOTE, format!("`auto_map` loads {}", names.unwrap_or_default()), 0, 0);
    }
    if map.contains_key("custom_pipelines") {
        desk.find(&rules::REMOTE, "`custom_pipelines` loads code of the repository", 0, 0);
    }
    if let Some(handler) = text("handler").filter(|h| h.ends_with(".py") && map.contains_key("modelName")) {
        let what = format!("the server runs `{}` of the archive", show(handler));
        desk.find_as(&rules::REMOTE, Severity::Medium, what, (0, 0), Vec::new());
    }
    if map.contains_key("_diffusers_version") {
        pipeline(map, desk);
    }
    if map.get("trust_remote_code") == Some(&Value::Bool(true)) {
        desk.find(&rules::REMOTE, "`trust_remote_code` is set", 0, 0);
    }
    for key in ["attn_implementation", "_attn_implementation"] {
        if let Some(kernel) = text(key).filter(|kernel| kernel.contains('/')) {
            desk.find(&rules::REMOTE, format!("`{key}` loads the kernel `{}`", show(kernel)), 0, 0);
        }
    }
    if let Some(module) = text("megatron_core").filter(|module| *module != "megatron.core") {
        desk.find(&rules::REMOTE, format!("`megatron_core` imports `{}`", show(module)), 0, 0);
    }
    imported(map, desk);
    if let Some(target) = text("_target_") {
        let severity = reach(target);
        desk.find_as(&rules::CONFIG, severity, format!("`_target_` names `{}`", show(target)), (0, 0), Vec::new());
    }
    if let Some(source) = text("chat_template") {
        template::examine(source, 0, desk);
    }
    if let Some(Value::Object(named)) = map.get("chat_template") {
        for source in named.values().filter_map(Value::as_str) {
            template::examine(source, 0, desk);
        }
    }
    if let Some(Value::Array(all)) = map.get("chat_template") {
        for source in all.iter().filter_map(|t| t.get("template")).filter_map(Value::as_str) {
            template::examine(source, 0, desk);
        }
    }
    if let Some(base) = text("base_model_name_or_path")
        && leads_away(base)
    {
        let severity = if base.contains("..") || base.starts_with("http") { Severity::High } else { Severity::Low };
        desk.find_as(
            &rules::PATH,
            severity,
            format!("the base model is read from `{}`", show(base)),
            (0, 0),
            Vec::new(),
        );
    }
    if let Some(Value::Object(files)) = map.get("weight_map") {
        // Shards lie beside their index; what begins with a dot is hidden from people and tools.
        let hidden = |f: &str| f.split(['/', '\\']).any(|part| part.starts_with('.') && part != ".");
        for file in files.values().filter_map(Value::as_str).filter(|f| leads_out(f) || hidden(f)) {
            desk.find(&rules::PATH, format!("a shard is read from `{}`", show(file)), 0, 0);
        }
    }
    keras::object(map, desk);
    skops(map, desk);
}

/// Classes that sentence-transformers imports by their dotted path: parts of a model, routes, and tokenizers.
fn imported(map: &serde_json::Map<String, Value>, desk: &mut Desk<'_>) {
    let part = ["idx", "name", "path"].iter().all(|key| map.contains_key(*key));
    let routes = map.get("types").and_then(Value::as_object).filter(|_| map.contains_key("structure"));
    let paths = map.get("type").filter(|_| part).into_iter();
    let paths = paths.chain(routes.into_iter().flat_map(serde_json::Map::values)).chain(map.get("tokenizer_class"));
    let foreign = |path: &&str| {
        let top = path.split('.').next().unwrap_or_default();
        path.contains('.') && !matches!(top, "sentence_transformers" | "transformers" | "pylate")
    };
    for path in paths.filter_map(Value::as_str).filter(foreign) {
        desk.find(&rules::REMOTE, format!("the class `{}` is imported by its path", show(path)), 0, 0);
    }
}

/// How far what a configuration names reaches.
fn reach(target: &str) -> Severity {
    match force(target) {
        _ if is_code(target) => Severity::High,
        Some(Force::Loads) => Severity::Medium,
        _ => Severity::Low,
    }
}

/// What an alias or an interpolation of YAML stands for, within the document; itself where it cannot be told.
fn resolved<'t>(text: &'t str, target: &'t str) -> Vec<&'t str> {
    if let Some(alias) = target.strip_prefix('*') {
        let anchors = text.match_indices('&').filter_map(|(at, _)| {
            let rest = text.get(at + 1..)?.strip_prefix(alias)?;
            let value = rest.strip_prefix(|c: char| c.is_whitespace())?.trim_start().trim_start_matches(['"', '\'']);
            value.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '}' | ']' | '#')).next()
        });
        return anchors.take(ALIASES).chain([target]).collect();
    }
    let Some(inner) = target.strip_prefix("${") else { return vec![target] };
    let key = inner.trim_end_matches('}');
    let last = key.rsplit('.').next().unwrap_or(key);
    let plain = !last.is_empty() && !last.contains([':', ',']);
    let values = plain.then(|| named(text, last)).into_iter().flatten().map(|(_, value)| value).take(ALIASES);
    // `oc.env:NAME,default`
    values.chain(key.split([',', ':'])).chain([target]).collect()
}

/// The parts of a diffusers pipeline: a package and a class each. What is no package is a file of the repository.
fn pipeline(map: &serde_json::Map<String, Value>, desk: &mut Desk<'_>) {
    const HOMES: &[&str] = &["diffusers", "transformers", "onnxruntime", "flax", "sentence_transformers", "tokenizers"];
    for (name, value) in map {
        let Some([Value::String(home), Value::String(class)]) = value.as_array().map(Vec::as_slice) else { continue };
        let top = home.split('.').next().unwrap_or_default();
        // Pipelines of diffusers itself are named by their module alone, such as `stable_diffusion`.
        let own = HOMES.contains(&top) || name != "_class_name" && class.starts_with("StableDiffusion");
        if !own && (name == "_class_name" || !name.starts_with('_')) {
            let what = format!("`{}` is loaded from `{}.{}`", show(name), show(home), show(class));
            let severity = if is_code(home) || name == "_class_name" { Severity::High } else { Severity::Medium };
            desk.find_as(&rules::REMOTE, severity, what, (0, 0), Vec::new());
        }
    }
}

/// skops' `schema.json`: each node names its class and module.
fn skops(map: &serde_json::Map<String, Value>, desk: &mut Desk<'_>) {
    const HOMES: &[&str] = &[
        "builtins",
        "sklearn",
        "numpy",
        "scipy",
        "collections",
        "datetime",
        "xgboost",
        "lightgbm",
        "catboost",
        "skops",
        "functools",
        "imblearn",
        "quantile_forest",
        "pandas",
    ];
    let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
    let (class, module) = (text("__class__"), text("__module__"));
    if module.is_empty() || class.is_empty() || !map.contains_key("__loader__") {
        return;
    }
    let loader = text("__loader__");
    let top = module.split('.').next().unwrap_or_default();
    let name = format!("{}.{}", show(module), show(class));
    let operator = top == "operator" || loader == "OperatorFuncNode" && !matches!(class, "itemgetter" | "attrgetter");
    let code = is_code(module) && top != "builtins" && top != "functools" || top == "builtins" && is_builtin(class);
    if code || operator || !HOMES.contains(&top) {
        desk.find(&rules::CONFIG, format!("the schema names `{name}`"), 0, 0);
    }
    if loader == "MethodNode" {
        desk.find(&rules::CONFIG, format!("the schema binds a method of `{name}`"), 0, 0);
    }
}

/// YAML: tags for Python objects, Hydra targets, MLflow's loader. The document is not parsed.
///
/// `program`: the text is source as well, where marks mean other things; only what runs code counts.
pub(crate) fn yaml(text: &str, program: bool, desk: &mut Desk<'_>) {
    let escapes =
        unescaped(text).filter(|plain| named(plain, "_target_").chain(named(plain, "loader_module")).next().is_some());
    targets(escapes.as_deref().unwrap_or(text), program, desk);
    if !text.contains('!') {
        return;
    }
    let mut at = 0;
    let mut handles = tags::Handles::default();
    for line in text.split_inclusive('\n') {
        let plain = line.trim_start_matches('\u{feff}').trim_start();
        let found = match plain.strip_prefix("%TAG") {
            Some(rest) => handles.declare(rest).map(|found| vec![found]).unwrap_or_default(),
            None if plain.starts_with('#') => Vec::new(),
            None => handles.used(plain),
        };
        for (severity, what) in found.into_iter().filter(|(severity, _)| !program || *severity >= Severity::High) {
            desk.find_as(&rules::CONFIG, severity, what, (at, line.len()), Vec::new());
        }
        at += line.len();
    }
}

/// What a document gives a key, wherever it stands: in blocks, in braces, behind a question mark, on a line of its own.
fn named<'t>(text: &'t str, key: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '"' | '\'');
    text.match_indices(key).filter_map(move |(at, _)| {
        let before = text.get(..at)?;
        let line = before.rsplit(['\n', '\r']).next().unwrap_or_default();
        let opens = line.trim_end_matches(blank).chars().next_back();
        if line.trim_start().starts_with('#')
            || opens.is_some_and(|c| !matches!(c, '-' | '{' | '[' | ',' | '?' | '\u{feff}'))
        {
            return None;
        }
        let rest = text.get(at + key.len()..)?.trim_start_matches(['"', '\'']);
        let rest = rest.trim_start().strip_prefix(':')?.trim_start();
        // A folded text begins on the next line; anchors and tags stand before what they are of.
        let rest =
            rest.split_once(['\n', '\r']).filter(|_| rest.starts_with(['>', '|'])).map_or(rest, |(_, next)| next);
        let tagged = rest.trim_start().starts_with(['&', '!']);
        let rest = rest.trim_start().split_once(char::is_whitespace).filter(|_| tagged).map_or(rest, |(_, next)| next);
        let rest = rest.trim_start().trim_start_matches(['"', '\'']);
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '}' | ']' | '#'))
            .unwrap_or(rest.len());
        // An interpolation may have commas.
        let end = rest.strip_prefix("${").and_then(|rest| rest.find(['}', '\n'])).map_or(end, |at| at + 2);
        Some((at, rest.get(..end)?)).filter(|(_, value)| !value.is_empty())
    })
}

/// Keys that name what is imported. `text` may be `source` with its escapes undone.
fn targets(text: &str, program: bool, desk: &mut Desk<'_>) {
    for (at, target) in named(text, "_target_") {
        let values = resolved(text, target);
        let unknown = if values.len() > 1 { Severity::Medium } else { Severity::Low };
        let severity = values.iter().map(|value| reach(value)).max().unwrap_or(unknown).max(unknown);
        let worst = values.iter().find(|value| reach(value) == severity).unwrap_or(&target);
        if !program || severity >= Severity::High {
            let what = format!("`_target_` names `{}`", show(worst));
            desk.find_as(&rules::CONFIG, severity, what, (at, target.len()), Vec::new());
        }
    }
    for (at, module) in named(text, "loader_module").filter(|(_, module)| !module.starts_with("mlflow.")) {
        desk.find(&rules::CONFIG, format!("MLflow loads the model by `{}`", show(module)), at, module.len());
    }
}

/// Quoted text of YAML with `\\xHH` and `\\uHHHH` undone; none where there are none.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let digits = match after.as_bytes().first() {
            Some(b'x') => 2,
            Some(b'u') => 4,
            _ => 0,
        };
        let code = after.get(1..=digits).filter(|_| digits > 0).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match code.and_then(char::from_u32) {
            Some(c) => {
                out.push(c);
                changed = true;
                rest = after.get(1 + digits..).unwrap_or_default();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    changed.then_some(out)
}
