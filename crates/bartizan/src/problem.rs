//! Errors as people see them: what, where, and what to do.

use std::fmt;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Snippet};

use crate::terminal;

/// Something that ends the program, with its place and a way out.
#[derive(Debug)]
pub(crate) struct Problem {
    title: String,
    place: Option<Box<Place>>,
    help: Option<String>,
}

/// A place in a file.
#[derive(Debug)]
struct Place {
    path: String,
    source: String,
    span: Range<usize>,
    label: String,
}

impl Problem {
    /// What is wrong: lower case, no full stop.
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), place: None, help: None }
    }

    /// What is wrong with an option or a setting, by its whole path: `--key`, `record.master_key`.
    pub(crate) fn of_setting(path: &str, why: impl fmt::Display) -> Self {
        Self::new(format!("`{path}`: {why}"))
    }

    /// What to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What is wrong with an endpoint that is to be asked.
    pub(crate) fn of_endpoint(error: &bartizan_client::SettingsError) -> Self {
        Self { help: error.help().map(str::to_owned), ..Self::new(error.to_string()) }
    }

    /// Where it is: a byte range of a text that was read from `path`.
    pub(crate) fn at(mut self, path: &Path, source: &str, span: Range<usize>, label: impl Into<String>) -> Self {
        let end = span.end.min(source.len());
        let span = span.start.min(end)..end;
        let path = path.display().to_string();
        self.place = Some(Box::new(Place { path, source: source.to_owned(), span, label: label.into() }));
        self
    }

    /// File, line and column of its place, both from 1. Columns count characters.
    pub(crate) fn position(&self) -> Option<(String, usize, usize)> {
        let place = self.place.as_ref()?;
        let before = place.source.get(..place.span.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Some((place.path.clone(), line, column))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)
    }
}

impl std::error::Error for Problem {}

/// Draws an error on standard error.
pub(crate) fn show(error: &anyhow::Error) {
    let plain;
    let problem = match error.downcast_ref::<Problem>() {
        Some(problem) => problem,
        None => {
            plain = Problem::new(told(error));
            &plain
        }
    };
    // There is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "{}", terminal::errors().render(&draw(problem)));
}

/// An error with what it came from. One that says already what it came from says it once.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !last.ends_with(&cause) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause);
            last = cause;
        }
    }
    text
}

fn draw(problem: &Problem) -> Vec<Group<'_>> {
    let title = Level::ERROR.primary_title(terminal::line(&problem.title));
    let what = match &problem.place {
        Some(place) => title.element(
            Snippet::source(place.source.as_str())
                .path(place.path.as_str())
                .annotation(AnnotationKind::Primary.span(place.span.clone()).label(place.label.as_str())),
        ),
        None => Group::with_title(title),
    };
    let help = problem.help.as_ref().map(|help| Group::with_title(Level::HELP.secondary_title(help.as_str())));
    std::iter::once(what).chain(help).collect()
}
