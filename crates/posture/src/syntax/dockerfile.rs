//! Dockerfiles: instructions with their arguments.

use bartizan_core::Span;

use super::{json, shell};
use crate::tree::Node;

/// One instruction.
#[derive(Debug)]
pub(crate) struct Instruction {
    /// In capitals.
    pub(crate) name: String,
    /// All behind the name, lines joined.
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl Instruction {
    /// The arguments as words: of the JSON form, or as a shell splits them.
    pub(crate) fn commands(&self) -> Vec<shell::Command> {
        if self.text.trim_start().starts_with('[')
            && let Ok(list) = json::parse(&self.text)
        {
            let words = list.items().iter().filter_map(|item| word(item, self.span.start)).collect();
            return vec![shell::Command { words, ..shell::Command::default() }];
        }
        shell::parse(&self.text, self.span.start)
    }
}

fn word(item: &Node, offset: usize) -> Option<shell::Word> {
    let span = Span::new(offset + item.span.start, offset + item.span.end);
    Some(shell::Word { text: item.text()?.to_owned(), span })
}

const NAMES: &[&str] = &[
    "FROM",
    "RUN",
    "CMD",
    "LABEL",
    "EXPOSE",
    "ENV",
    "ADD",
    "COPY",
    "ENTRYPOINT",
    "VOLUME",
    "USER",
    "WORKDIR",
    "ARG",
    "ONBUILD",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "SHELL",
    "MAINTAINER",
];

/// Reads all instructions. The second value is the first line that is none.
pub(crate) fn parse(text: &str) -> (Vec<Instruction>, Option<usize>) {
    let (mut all, mut odd) = (Vec::new(), None);
    // Continued lines are joined by blanks of the same length, so that places stay.
    let mut open: Option<(usize, String)> = None;
    let mut heredoc: Option<String> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        if let Some(end) = &heredoc {
            if line.trim() == end {
                heredoc = None;
            }
            continue;
        }
        let body = line.trim_end();
        let comment = line.trim_start().starts_with('#');
        let (begin, mut joined) = match open.take() {
            Some(open) => open,
            None if comment || body.is_empty() => continue,
            None => (at, String::new()),
        };
        let continued = body.ends_with('\\');
        if comment || body.is_empty() {
            joined.extend(std::iter::repeat_n(' ', line.len()));
            open = Some((begin, joined));
            continue;
        }
        joined.push_str(body.strip_suffix('\\').unwrap_or(body));
        if continued {
            joined.extend(std::iter::repeat_n(' ', line.len() - body.len() + 1));
            open = Some((begin, joined));
            continue;
        }
        heredoc = delimiter(&joined);
        push(begin, &joined, &mut all, &mut odd);
    }
    if let Some((begin, joined)) = open {
        push(begin, &joined, &mut all, &mut odd);
    }
    (all, odd)
}

/// The end word of `RUN <<EOF`.
fn delimiter(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("<<")?;
    let word: String =
        rest.trim_start_matches(['-', '"', '\'']).chars().take_while(char::is_ascii_alphanumeric).collect();
    (!word.is_empty()).then_some(word)
}

fn push(begin: usize, line: &str, all: &mut Vec<Instruction>, odd: &mut Option<usize>) {
    let lead = line.len() - line.trim_start().len();
    let plain = line.trim_start();
    let (name, _) = plain.split_once(char::is_whitespace).unwrap_or((plain, ""));
    let upper = name.to_ascii_uppercase();
    if !NAMES.contains(&upper.as_str()) {
        odd.get_or_insert(begin + lead);
        return;
    }
    let rest = plain.get(name.len()..).unwrap_or_default();
    let text = rest.trim_start();
    let at = begin + lead + name.len() + (rest.len() - text.len());
    all.push(Instruction { name: upper, text: text.to_owned(), span: Span::new(at, at + text.len()) });
}
