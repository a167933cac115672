//! What is said about a container, whoever says it: compose, Kubernetes, `docker run`.

use bartizan_core::Span;

use crate::fact::{Setting, Unit};
use crate::product;
use crate::value::{self, Known, Resolved, Variables};

/// Its image, which names the product where nothing else did.
pub(crate) fn image(unit: &mut Unit, raw: &str, at: Span, variables: &Variables) {
    let value = value::resolve(raw, variables);
    if unit.product.is_none() {
        unit.product = product::of_image(&value.text);
    }
    unit.at = at;
    unit.add(Setting::Image, "image", value, at);
}

/// A published port: `[ADDRESS:]PORT:PORT`.
pub(crate) fn publish(unit: &mut Unit, raw: &str, at: Span, variables: &Variables) {
    let value = value::resolve(raw, variables);
    let text = value.text.trim();
    let address = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => text.rsplitn(3, ':').nth(2).unwrap_or_default(),
    };
    // An address from elsewhere may be any; a port from elsewhere is still a port of every interface.
    let known = if address.is_empty() && value.known == Known::Elsewhere && !text.starts_with(':') {
        Known::Literal
    } else {
        value.known
    };
    unit.add(Setting::Publish, text, Resolved { text: address.to_owned(), known }, at);
}

/// A path of the machine that is mounted.
pub(crate) fn mount(unit: &mut Unit, path: &str, at: Span, variables: &Variables) {
    unit.add(Setting::Mount, "mount", value::resolve(path, variables), at);
}

/// The path of `PATH:PATH[:ro]`; `None` for named volumes.
pub(crate) fn bind_source(raw: &str) -> Option<&str> {
    let (source, rest) = raw.split_once(':')?;
    // `${HOME:-/root}:/x` has a colon of its own.
    if source.contains("${") && !source.contains('}') {
        return raw.split_once('}').map(|(before, _)| raw.get(..before.len() + 1).unwrap_or(raw));
    }
    (!rest.is_empty() && source.starts_with(['/', '.', '~', '$'])).then_some(source)
}

/// A wall that is taken down.
pub(crate) fn privilege(unit: &mut Unit, what: &str, at: Span) {
    unit.add(Setting::Privilege, what, Resolved { text: String::new(), known: Known::Literal }, at);
}

/// A capability that is as good as all of them.
pub(crate) fn capability(unit: &mut Unit, name: &str, at: Span) {
    let plain = name.trim().to_ascii_uppercase();
    let plain = plain.strip_prefix("CAP_").unwrap_or(&plain);
    if matches!(
        plain,
        "ALL" | "SYS_ADMIN" | "SYS_PTRACE" | "SYS_MODULE" | "DAC_READ_SEARCH" | "NET_ADMIN" | "SYS_RAWIO" | "BPF"
    ) {
        privilege(unit, &format!("capability `{plain}`"), at);
    }
}
