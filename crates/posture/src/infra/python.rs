//! Python programs that serve or train: what their calls are given.

use bartizan_core::Span;

use super::{launch, variables};
use crate::fact::{Home, Setting, Unit};
use crate::product::{self, Product, general};
use crate::syntax::python::{Argument, Call, Literal, Module, parse};
use crate::syntax::shell::Word;
use crate::tree::Broken;
use crate::value::{Known, Resolved, Variables};

/// Keys of general meaning that say nothing in programs: arrays are loaded everywhere.
const NOT_HERE: &[&str] = &["allow_pickle", "verify_ssl", "verify_certs"];

/// Reads a program.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn read(text: &str, units: &mut Vec<Unit>) -> Result<(), Broken> {
    let module = parse(text)?;
    let mut whole = Unit::new(Home::Part, Span::default());
    whole.models = general::PACKAGES.iter().any(|p| imports(text, p));
    assignments(&module, &mut whole, units);
    let guarded = module.calls.iter().any(|c| {
        c.arguments.iter().any(|a| matches!(a.name.as_deref(), Some("dependencies" | "per_req_config_modifier")))
    });
    let uses = |prefix: &str| module.calls.iter().any(|c| c.callee.starts_with(prefix));
    let program = Program { gradio: uses("gr.") || uses("gradio."), langserve: uses("add_routes"), guarded };
    for call in &module.calls {
        call_of(call, &mut whole, &program, units);
        started(call, text, units);
    }
    if !whole.facts.is_empty() {
        units.push(whole);
    }
    Ok(())
}

/// Calls that start a program, and arguments that are scripts.
const STARTS: &[&str] = &["Popen", "run", "call", "check_call", "check_output", "system", "popen", "getoutput"];

/// What a program starts: `subprocess.run(["vllm", "serve"])`, `os.system("…")`, `bash_command="…"`.
fn started(call: &Call, source: &str, units: &mut Vec<Unit>) {
    let (of, last) = call.callee.rsplit_once('.').unwrap_or(("", call.callee.as_str()));
    let starts = STARTS.contains(&last) && (matches!(of, "subprocess" | "os" | "sp") || last == "Popen");
    for (at, argument) in call.arguments.iter().enumerate() {
        let Literal::Text(text) = &argument.value else { continue };
        let first = starts && at == 0 && matches!(argument.name.as_deref(), None | Some("args" | "cmd"));
        if !first && argument.name.as_deref() != Some("bash_command") {
            continue;
        }
        let raw = source.get(argument.span.start..argument.span.end).unwrap_or_default();
        // The place of a list by place is its end: no string stands there.
        let named = raw.split_once('=').is_some_and(|(_, value)| value.trim_start().starts_with('['));
        if named || !raw.contains(['"', '\'']) {
            let words: Vec<Word> =
                text.split(',').map(|word| Word { text: word.to_owned(), span: call.span }).collect();
            let mut unit = Unit::new(Home::Machine, call.span);
            launch::command(&words, &mut unit, &Variables::new(), "", 0);
            if unit.product.is_some() || !unit.facts.is_empty() || unit.stranger {
                units.push(unit);
            }
        } else {
            launch::scalar(text, argument.span, source, units);
        }
    }
}

/// What the whole program is about.
struct Program {
    gradio: bool,
    langserve: bool,
    /// Something checks its callers.
    guarded: bool,
}

fn imports(text: &str, package: &str) -> bool {
    let name = package.replace('-', "_");
    text.lines().filter(|l| l.starts_with("import ") || l.starts_with("from ") || l.starts_with("    from ")).any(
        |line| {
            line.split_whitespace()
                .nth(1)
                .is_some_and(|m| m.trim_end_matches(',').split('.').next() == Some(name.as_str()))
        },
    )
}

fn of_name(name: &str) -> Option<&'static Product> {
    product::all().find(|p| p.name == name)
}

fn resolved(value: &Literal) -> Resolved {
    match value {
        Literal::Text(text) => Resolved { text: text.clone(), known: Known::Literal },
        // A name that is no constant stands for something else.
        Literal::Word(word)
            if matches!(word.as_str(), "True" | "False" | "None") || word.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            Resolved { text: word.clone(), known: Known::Literal }
        }
        _ => Resolved { text: String::new(), known: Known::Elsewhere },
    }
}

fn assignments(module: &Module, whole: &mut Unit, units: &mut Vec<Unit>) {
    let mut jupyter = Unit::new(Home::Machine, Span::default());
    for assignment in &module.assignments {
        let name = assignment.name.as_deref().unwrap_or_default();
        let value = resolved(&assignment.value);
        if let Some(variable) = name.strip_prefix("os.environ.") {
            let raw = (value.known == Known::Literal).then_some(value.text.as_str());
            variables::take(whole, variable, raw, assignment.span, &Variables::new());
        } else if name.starts_with("c.ServerApp.")
            || name.starts_with("c.NotebookApp.")
            || name.starts_with("c.IdentityProvider.")
        {
            jupyter.product = of_name("Jupyter");
            jupyter.at = assignment.span;
            let rows = jupyter.product.map_or(&[][..], |p| p.keys);
            variables::named(&mut jupyter, name, &value, assignment.span, rows.iter());
        } else {
            variables::secret(whole, name.rsplit('.').next().unwrap_or(name), &value, assignment.span);
        }
    }
    if jupyter.product.is_some() {
        units.push(jupyter);
    }
}

/// Calls that name a model first, and calls that name a data set first.
const MODEL_CALLS: &[&str] = &[
    "from_pretrained",
    "SentenceTransformer",
    "CrossEncoder",
    "snapshot_download",
    "hf_hub_download",
    "LLM",
    "pipeline",
];
const DATASET_CALLS: &[&str] = &["load_dataset"];
const MODEL_NAMES: &[&str] = &[
    "model_name_or_path",
    "pretrained_model_name_or_path",
    "model_id",
    "base_model",
    "repo_id",
    "HF_MODEL_ID",
    "model_name",
];
const DATASET_NAMES: &[&str] = &["dataset_name", "dataset_id"];

fn call_of(call: &Call, whole: &mut Unit, program: &Program, units: &mut Vec<Unit>) {
    let last = call.callee.rsplit('.').next().unwrap_or_default();
    let argument = |name: &str| call.arguments.iter().find(|a| a.name.as_deref() == Some(name));
    match last {
        "launch" if program.gradio => units.push(gradio(call)),
        "run" if call.callee == "uvicorn.run" && program.langserve => {
            let mut unit = served(call, "LangServe", "host");
            if program.guarded {
                unit.add(
                    Setting::AuthOn,
                    "dependencies",
                    Resolved { text: String::new(), known: Known::Literal },
                    call.span,
                );
            }
            units.push(unit);
        }
        "init" if call.callee == "ray.init" && argument("dashboard_host").is_some() => {
            units.push(served(call, "Ray", "dashboard_host"));
        }
        _ => {}
    }
    references(call, last, units);
    for each in &call.arguments {
        let value = resolved(&each.value);
        let Some(name) = each.name.as_deref() else {
            // `login("hf_…")`: by place, a key is known by its shape alone.
            if crate::value::is_provider_key(&value.text) {
                variables::secret(whole, last, &value, each.span);
            }
            continue;
        };
        if name == "image" || name == "image_uri" {
            if value.known == Known::Literal && value.text.contains(['/', ':']) {
                whole.models |= product::of_image(&value.text).is_some();
                whole.add(Setting::Image, name, value.clone(), each.span);
            }
        } else if name == "verify" && value.text == "False" {
            whole.add(Setting::TlsOff, name, value.clone(), each.span);
        } else if name == "privileged" && value.text == "True" {
            whole.add(Setting::Privilege, "`privileged=True`", value.clone(), each.span);
        } else if !NOT_HERE.contains(&name) {
            let rows = general::KEYS.iter().chain(general::VARIABLES);
            whole.models |= general::SIGNS.contains(&name);
            variables::named(whole, name, &value, each.span, rows);
        }
    }
}

fn served(call: &Call, product: &str, host: &str) -> Unit {
    let mut unit = Unit::new(Home::Machine, call.span);
    unit.product = of_name(product);
    for each in &call.arguments {
        match each.name.as_deref() {
            Some(name) if name == host => unit.add(Setting::Bind, name, resolved(&each.value), each.span),
            Some("reload" | "debug") if resolved(&each.value).text == "True" => {
                unit.add(Setting::Debug, each.name.clone().unwrap_or_default(), resolved(&each.value), each.span);
            }
            Some("ssl_keyfile" | "ssl_certfile") => unit.add(Setting::Tls, "ssl", resolved(&each.value), each.span),
            _ => {}
        }
    }
    unit
}

fn gradio(call: &Call) -> Unit {
    let mut unit = served(call, "Gradio", "server_name");
    for each in &call.arguments {
        let value = resolved(&each.value);
        match each.name.as_deref() {
            Some("share") if value.text == "True" => unit.add(Setting::Share, "share=True", value, each.span),
            Some("auth") if value.text != "None" => unit.add(Setting::AuthOn, "auth", value, each.span),
            Some("allowed_paths") if value.text.split(',').any(|p| matches!(p, "/" | "/root" | "/home" | "~")) => {
                unit.add(Setting::FileAccess, "allowed_paths", value, each.span);
            }
            _ => {}
        }
    }
    unit
}

/// Models and data sets that a call names: one unit a call, so that revisions stay with what they are of.
fn references(call: &Call, last: &str, units: &mut Vec<Unit>) {
    let argument =
        |names: &[&str]| call.arguments.iter().find(|a| a.name.as_deref().is_some_and(|n| names.contains(&n)));
    let first = call.arguments.first().filter(|a| a.name.is_none());
    let mut unit = Unit::new(Home::Job, call.span);
    unit.models = true;
    let mut add = |setting, argument: Option<&Argument>| {
        if let Some(argument) = argument {
            unit.add(setting, argument.name.clone().unwrap_or_default(), resolved(&argument.value), argument.span);
        }
    };
    if DATASET_CALLS.contains(&last) {
        add(Setting::Dataset, first.or_else(|| argument(&["path"])));
        add(Setting::DatasetRevision, argument(&["revision"]));
    } else {
        let by_name = argument(MODEL_NAMES).or_else(|| argument(&["model"]).filter(|_| MODEL_CALLS.contains(&last)));
        add(Setting::Model, by_name.or_else(|| first.filter(|_| MODEL_CALLS.contains(&last) && last != "pipeline")));
        add(Setting::Dataset, argument(DATASET_NAMES));
        add(Setting::Revision, argument(&["revision", "model_revision", "HF_MODEL_REVISION"]));
        add(Setting::DatasetRevision, argument(&["dataset_revision"]));
    }
    if unit.has(Setting::Model) || unit.has(Setting::Dataset) {
        units.push(unit);
    }
}
