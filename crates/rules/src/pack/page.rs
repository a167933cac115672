//! The page of a rule that is data, with the headings of every rule page.

use std::fmt::Write as _;

use super::schema::{Defaults, Row};

/// Renders the page; `fire` and `silent` are the examples with their generators expanded.
pub(super) fn render(row: &Row, defaults: &Defaults, fire: &[String], silent: &[String]) -> String {
    let mut page = format!("# {}\n\n", row.id.get_ref());
    let or = |own: &Option<String>, default: &str| own.clone().unwrap_or_else(|| default.to_owned());
    let mut section = |title: &str, body: &str| {
        let _ = write!(page, "## {title}\n\n{}\n\n", body.trim());
    };
    section("What it finds", &row.description.clone().unwrap_or_else(|| format!("{}.", row.summary)));
    section("Why it matters", &or(&row.why, &defaults.why));
    section("How it decides", &how(row, defaults));
    let block = |info: &str, text: &String| format!("```{info}\n{text}\n```\n\n");
    let blocks: String =
        fire.iter().map(|t| block("fire", t)).chain(silent.iter().map(|t| block("silent", t))).collect();
    section("Examples", &blocks);
    section("Limits", &or(&row.limits, &defaults.limits));
    section("Fix", &or(&row.fix, &defaults.fix));
    let references: Vec<String> = row.references(defaults).iter().map(|r| format!("- {r}")).collect();
    section("References", &references.join("\n"));
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn how(row: &Row, defaults: &Defaults) -> String {
    let mut text = String::new();
    match &row.regex {
        Some(regex) => {
            let _ = write!(
                text,
                "It looks for `{}`, beginning with one of `{}` and at most {} bytes long.",
                regex.get_ref(),
                row.literals.join("`, `"),
                row.max_length
            );
        }
        None => {
            let shapes: Vec<&str> = row.shapes.iter().map(|s| s.get_ref().as_str()).collect();
            let _ = write!(text, "It looks for a token of the form `{}`.", shapes.join("`, `"));
        }
    }
    if !row.context.is_empty() {
        let _ = write!(text, " One of `{}` must stand in the {} bytes before.", row.context.join("`, `"), row.within);
    }
    if !row.keywords.is_empty() {
        let _ = write!(
            text,
            " It must be the value given to a name with `{}` in it, and all of that value.",
            row.keywords.join("` or `")
        );
        if row.named {
            text.push_str(" The name must also say that it is one, as with `token`, `key`, `secret` or `client`.");
        }
    }
    if !row.public.is_empty() {
        let _ = write!(
            text,
            " Behind one of `{}`, in the {} bytes before, it is a key that is made to be shown, and the confidence is low.",
            row.public.join("`, `"),
            row.within
        );
    }
    if row.checksum != super::checksum::Checksum::None {
        text.push_str(match row.mismatch {
            super::schema::Mismatch::Drop => " Its checksum must be right.",
            super::schema::Mismatch::Lower => {
                " With the right checksum the confidence is that of the rule, without it one step lower."
            }
        });
    }
    let _ = write!(
        text,
        " Characters of low entropy (below {} bits each), placeholders, counting and repeated sequences are passed over.",
        row.least_entropy(defaults)
    );
    text
}
