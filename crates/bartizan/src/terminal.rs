//! What a terminal shows, and what must never reach one.

use std::io::IsTerminal;

use annotate_snippets::Renderer;

/// A renderer for standard output.
pub(crate) fn output() -> Renderer {
    renderer(std::io::stdout().is_terminal())
}

/// A renderer for standard error.
pub(crate) fn errors() -> Renderer {
    renderer(std::io::stderr().is_terminal())
}

fn renderer(terminal: bool) -> Renderer {
    if terminal && colours() { Renderer::styled() } else { Renderer::plain() }
}

/// True where standard output takes colours.
pub(crate) fn colored_stdout() -> bool {
    std::io::stdout().is_terminal() && colours()
}

/// True where standard error takes colours.
pub(crate) fn colored_stderr() -> bool {
    std::io::stderr().is_terminal() && colours()
}

/// <https://no-color.org>: set and not empty means none.
fn colours() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// What a word means to the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Heading,
    Good,
    Bad,
}

/// The text in a style, where `color`.
pub(crate) fn paint(text: &str, style: Style, color: bool) -> String {
    let code = match style {
        Style::Heading => "1",
        Style::Good => "32",
        Style::Bad => "1;31",
    };
    if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// True for characters that are not seen, or that change how others are seen: control characters but line feed,
/// zero-width and format characters, bidirectional controls, variation selectors, fillers, tags. Text under
/// examination is hostile, and a terminal obeys.
pub(crate) const fn is_unseen(c: char) -> bool {
    matches!(c,
        '\0'..='\x08' | '\x0b'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Text from outside on one line, with unseen characters written as escapes.
pub(crate) fn line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if is_unseen(c) || c == '\n' {
            out.extend(c.escape_unicode())
        } else {
            out.push(c)
        }
        out
    })
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
