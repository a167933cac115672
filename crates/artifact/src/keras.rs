//! Configurations of Keras models: each layer, function and object by the module and name that its loader imports.

use bartizan_core::Severity;
use serde_json::{Map, Value};

use crate::bytes::show;
use crate::danger::{is_builtin, is_code};
use crate::desk::Desk;
use crate::path::leads_away;
use crate::{rules, tensorflow};

/// Packages whose objects are Keras's own.
const HOMES: &[&str] = &["keras", "keras_nlp", "keras_hub", "keras_cv", "tensorflow", "tf_keras", "builtins"];

/// Functions of Keras itself that reach files or the network, load a model, or switch the safe mode off.
const REACHING: &[&str] = &[
    "get_file",
    "load_model",
    "save_model",
    "load_weights",
    "save_weights",
    "load_img",
    "save_img",
    "model_from_json",
    "model_from_config",
    "deserialize_keras_object",
    "enable_unsafe_deserialization",
    "image_dataset_from_directory",
    "text_dataset_from_directory",
    "audio_dataset_from_directory",
    "plot_model",
    "set_backend",
];

/// Layers that read their vocabulary from a file where it is a text (CVE-2025-12058).
const LOOKUPS: &[&str] =
    &["StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization", "Hashing", "CategoryEncoding"];

fn text<'v>(map: &'v Map<String, Value>, key: &str) -> &'v str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// One object of a configuration.
pub(crate) fn object(map: &Map<String, Value>, desk: &mut Desk<'_>) {
    let class = text(map, "class_name");
    if class.is_empty() {
        return;
    }
    let module = text(map, "module");
    let registered = text(map, "registered_name");
    // A custom object is registered as `package>Name`, in old files as the name of its class.
    let bare = registered.rsplit('>').next().unwrap_or_default();
    if matches!(class, "Lambda" | "__lambda__" | "TorchModuleWrapper")
        || matches!(bare, "Lambda" | "TorchModuleWrapper")
    {
        let named = class == "Lambda" && map.get("config").and_then(|c| c.get("function")).is_some_and(is_reference);
        let (severity, what) = if named {
            (Severity::Medium, "a `Lambda` layer calls a function of the program that loads it".to_owned())
        } else {
            (Severity::High, format!("a `{}` layer holds code", show(class)))
        };
        desk.find_as(&rules::CONFIG, severity, what, (0, 0), Vec::new());
        return;
    }
    if matches!(class, "TFOpLambda" | "SlicingOpLambda") {
        operation(map, desk);
        return;
    }
    vocabulary(class, map, desk);
    foreign_model(class, map, desk);
    let inner = text(map, "config");
    let top = module.split('.').next().unwrap_or_default();
    let name = format!("{}.{}", show(module), show(class));
    let own = module.is_empty() || HOMES.contains(&top);
    let utility = ["utils", "saving", "config", "src.utils", "src.saving", "src.config", "api.utils", "api.saving"];
    let reaches = ["keras", "tensorflow.keras", "tf_keras", "tensorflow.python.keras"].iter().any(|home| {
        module.strip_prefix(home).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| {
            utility.iter().any(|u| rest.strip_prefix(u).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
        })
    });
    if REACHING.contains(&class) || REACHING.contains(&inner) || reaches {
        let what = if inner.is_empty() { name } else { format!("{}.{}", show(module), show(inner)) };
        desk.find(&rules::CONFIG, format!("a layer is loaded from `{what}`"), 0, 0);
    } else if !own {
        // The module is imported. A registered class of another package is a custom layer, as many models have.
        let custom = registered.contains('>') && class != "function" && is_class(class) && !is_code(module);
        let severity = if custom { Severity::Medium } else { Severity::High };
        let what = if class == "function" {
            format!("a function is loaded: `{}.{}`", show(module), show(inner))
        } else {
            format!("a layer is loaded from `{name}`")
        };
        desk.find_as(&rules::CONFIG, severity, what, (0, 0), Vec::new());
    } else if class == "function" {
        let builtin = top == "builtins" && (is_code(inner) || is_builtin(inner));
        let below = module.strip_prefix("tensorflow").map(|rest| format!("{rest}.{inner}"));
        let operation = below.is_some_and(|path| is_dangerous(path.trim_start_matches('.')));
        if builtin || operation || top != "builtins" && is_code(module) {
            desk.find(&rules::CONFIG, format!("a function is loaded: `{}`", show(inner)), 0, 0);
        }
    } else if top == "builtins" && is_builtin(class) || top == "tensorflow" && is_dangerous(class) {
        desk.find(&rules::CONFIG, format!("a layer is loaded from `{name}`"), 0, 0);
    } else if !registered.is_empty() && registered.contains('>') {
        let what = format!("the custom object `{}` is code of the program that loads it", show(registered));
        desk.find_as(&rules::CONFIG, Severity::Low, what, (0, 0), Vec::new());
    }
}

/// A function by its name, not as code.
fn is_reference(function: &Value) -> bool {
    let plain =
        |name: &str| !name.is_empty() && name.len() < 80 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match function {
        Value::String(name) => plain(name) && !is_builtin(name) && !is_code(name),
        Value::Object(map) => {
            let name = text(map, "config");
            text(map, "class_name") == "function" && plain(name) && !is_builtin(name) && !is_code(name)
        }
        _ => false,
    }
}

/// A layer made of one function of TensorFlow, by its path below `tf`.
fn operation(map: &Map<String, Value>, desk: &mut Desk<'_>) {
    let config = map.get("config").and_then(Value::as_object);
    let function = config.map(|c| text(c, "function")).unwrap_or_default();
    if is_dangerous(function) {
        desk.find(&rules::CONFIG, format!("a layer calls `tf.{}`", show(function)), 0, 0);
    } else {
        let what = format!("a `{}` layer calls `tf.{}`", show(text(map, "class_name")), show(function));
        desk.find_as(&rules::CONFIG, Severity::Low, what, (0, 0), Vec::new());
    }
}

fn is_dangerous(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    path.starts_with("io.") && !path.starts_with("io.decode") && !path.starts_with("io.parse")
        || ["py_function", "numpy_function", "py_func", "load_op_library", "load_library"].contains(&last)
        || ["write_file", "read_file", "matching_files"].contains(&last)
        || path.contains("raw_ops.") && tensorflow::danger(last).is_some()
        || path
            .split('.')
            .any(|part| matches!(part, "gfile" | "file_io" | "saved_model" | "loader" | "os" | "sys" | "subprocess"))
}

fn vocabulary(class: &str, map: &Map<String, Value>, desk: &mut Desk<'_>) {
    let path = map.get("config").and_then(|c| c.get("vocabulary")).and_then(Value::as_str);
    let Some(path) = path.filter(|p| !p.is_empty() && LOOKUPS.contains(&class)) else { return };
    let out = leads_away(path);
    let severity = if out { Severity::High } else { Severity::Low };
    let what = format!("the vocabulary of a `{}` layer is read from `{}`", show(class), show(path));
    desk.find_as(&rules::PATH, severity, what, (0, 0), Vec::new());
}

/// A layer that loads a SavedModel, whose graph runs.
fn foreign_model(class: &str, map: &Map<String, Value>, desk: &mut Desk<'_>) {
    let path = map.get("config").and_then(|c| c.get("filepath")).and_then(Value::as_str);
    let Some(path) = path.filter(|_| class == "TFSMLayer") else { return };
    let severity = if leads_away(path) { Severity::High } else { Severity::Medium };
    desk.find_as(&rules::PATH, severity, format!("a `TFSMLayer` loads the model `{}`", show(path)), (0, 0), Vec::new());
}

fn is_class(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
