//! OpenVINO's intermediate representation: XML with a layer an element; weights are in a file beside it.

use std::collections::BTreeSet;

use bartizan_core::{Reason, Severity};
use quick_xml::events::{BytesStart, Event};

use crate::bytes::show;
use crate::desk::Desk;
use crate::path::leads_away;
use crate::rules;

/// Layers of other libraries that are listed one by one.
const LISTED: usize = 64;

/// True where the text is XML whose first element is a network with layers.
pub(crate) fn begins(text: &str) -> bool {
    let head: String = text.chars().take(4096).collect();
    head.trim_start_matches('\u{feff}').trim_start().starts_with('<')
        && head.contains("<net ")
        && head.contains("<layers")
}

/// Examines a network.
pub(crate) fn examine(text: &str, desk: &mut Desk<'_>) -> &'static str {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut foreign = BTreeSet::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => one(&element, &mut foreign, desk),
            Ok(Event::DocType(_)) => {
                desk.find_as(
                    &rules::CONFIG,
                    Severity::Medium,
                    "the document declares entities, which may name files",
                    (0, 0),
                    Vec::new(),
                );
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => {
                let at = usize::try_from(reader.buffer_position()).unwrap_or(text.len());
                let left = text.len().saturating_sub(at);
                desk.partial(Reason::Malformed, left, format!("the XML breaks off at byte {at}"));
                break;
            }
        }
    }
    for (kind, version) in foreign {
        let what = format!("the layer `{}` of `{}` needs a native library", show(&kind), show(&version));
        desk.find_as(&rules::CONFIG, Severity::Low, what, (0, 0), Vec::new());
    }
    desk.opaque(text.len(), "the graph of the model");
    "openvino"
}

fn one(element: &BytesStart<'_>, foreign: &mut BTreeSet<(String, String)>, desk: &mut Desk<'_>) {
    let name = element.local_name();
    let attribute = |name: &str| {
        let found = element.try_get_attribute(name).ok().flatten();
        found.map(|a| a.value.into_owned()).unwrap_or_default()
    };
    match name.as_ref() {
        "layer" => {
            let (kind, version) = (attribute("type"), attribute("version"));
            let own = version.is_empty()
                || version.strip_prefix("opset").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
                || matches!(version.as_str(), "experimental" | "ie_internal_opset" | "gpu_opset" | "util");
            if !own && foreign.len() < LISTED {
                foreign.insert((kind, version));
            }
        }
        "data" => {
            // Layers take parameters here; some are paths.
            for attribute in element.attributes().flatten() {
                let key: &str = attribute.key.as_ref();
                let value = attribute.value.as_ref();
                let path = ["path", "file", "library", "location", "cache_dir"].iter().any(|k| key.ends_with(k));
                if path && leads_away(value) {
                    desk.find(&rules::PATH, format!("`{}` names `{}`", show(key), show(value)), 0, 0);
                }
            }
        }
        _ => {}
    }
}
