//! Text from outside, made harmless for where it is shown.

use std::fmt::Write as _;

/// Most characters of one text from outside.
const LONGEST: usize = 240;

/// One line of bounded length. Characters that turn text round or are not seen are spelled out.
#[must_use]
pub fn line(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        match c {
            c if c.is_control() => out.push(' '),
            '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}' => {
                let _ = write!(out, "[U+{:04X}]", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// For HTML and XML: text in elements and in quoted attributes.
#[must_use]
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// For a cell of a Markdown table: no markup, no HTML, no address that becomes a link.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // What follows a scheme makes a link of it.
            ':' if rest.as_str().starts_with('/') => out.push_str("\\:"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '|' | '~' | '#' | '!' | '@' => {
                out.push('\\');
                out.push(c);
            }
            // A bare `www.` becomes a link too.
            'w' if out.ends_with("ww") => out.push_str("&#119;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markup_and_links_are_text() {
        assert_eq!(html("<img src=x onerror='a()'>&"), "&lt;img src=x onerror=&#39;a()&#39;&gt;&amp;");
        let shown = markdown("[a](javascript:x) | `b` www.example.com https://c <b>\n# d");
        assert_eq!(shown, "\\[a\\]\\(javascript:x\\) \\| \\`b\\` ww&#119;.example.com https\\://c &lt;b&gt; \\# d");
        assert_eq!(line("a\u{202e}b\nc"), "a[U+202E]b c");
        assert_eq!(line(&"x".repeat(1000)).chars().count(), LONGEST + 1);
    }

    proptest! {
        #[test]
        fn nothing_of_markup_is_left(text in ".{0,300}") {
            let active = html(&line(&text)).contains(['<', '>', '"', '\'', '\n', '\r', '\u{202e}']);
            prop_assert!(!active);
            let active = markdown(&text).contains(['<', '>', '\n', '\r']);
            prop_assert!(!active);
        }
    }
}
