//! Sections with `key=value` lines: units of systemd, programs of supervisord.

use bartizan_core::Span;

/// One setting, joined over continued lines.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) section: String,
    pub(crate) key: String,
    pub(crate) value: String,
    /// The value in the file.
    pub(crate) span: Span,
}

/// Reads all settings. Lines that end in a backslash go on, as systemd has it.
pub(crate) fn parse(text: &str) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    let (mut section, mut start, mut goes_on) = (String::new(), 0, false);
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let body = line.trim_end_matches(['\n', '\r']);
        let continued = body.ends_with('\\');
        let content = body.strip_suffix('\\').unwrap_or(body);
        if goes_on && let Some(last) = all.last_mut() {
            last.value.push(' ');
            last.value.push_str(content.trim());
            last.span.end = at + content.len();
            goes_on = continued;
            continue;
        }
        let plain = content.trim();
        if plain.is_empty() || plain.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = plain.strip_prefix('[').and_then(|p| p.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let Some((key, value)) = content.split_once('=') else { continue };
        let value_at = at + content.len() - value.trim_start().len();
        let value = value.trim();
        all.push(Entry {
            section: section.clone(),
            key: key.trim().to_owned(),
            value: value.to_owned(),
            span: Span::new(value_at, value_at + value.len()),
        });
        goes_on = continued;
    }
    all
}
