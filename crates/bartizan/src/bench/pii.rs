//! `bartizan bench sensitive`, its half about personal data: what is found of annotated texts, and what is left.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use bartizan_core::{Family, Source};
use bartizan_guard::{Guard, Settings};
use serde::Deserialize;

use super::cpu_seconds;

/// A text as presidio-research annotates it, or as `training/pii/generate.py long` does.
#[derive(Deserialize)]
struct Annotated {
    #[serde(alias = "full_text")]
    text: String,
    spans: Vec<Annotation>,
    /// Texts of odd templates are the half that is held out.
    #[serde(default)]
    template_id: u64,
}

/// Offsets are code points.
#[derive(Deserialize)]
#[serde(untagged)]
enum Annotation {
    Named { entity_type: String, start_position: usize, end_position: usize },
    Short(usize, usize, String),
}

/// A span of a type, in code points.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entity {
    kind: &'static str,
    start: usize,
    end: usize,
}

/// The name a type is scored under; `None` for types that the texts do not annotate.
fn kind(name: &str) -> Option<&'static str> {
    Some(match name {
        "PERSON" | "PER" => "PERSON",
        "STREET_ADDRESS" | "GPE" | "LOCATION" | "LOC" | "ADR" => "LOCATION",
        "ORGANIZATION" | "ORG" => "ORGANIZATION",
        "DOMAIN_NAME" | "URL" => "URL",
        "CREDIT_CARD" => "CREDIT_CARD",
        "DATE_TIME" => "DATE_TIME",
        "PHONE_NUMBER" => "PHONE_NUMBER",
        "EMAIL_ADDRESS" => "EMAIL_ADDRESS",
        "AGE" => "AGE",
        "TITLE" => "TITLE",
        "ZIP_CODE" => "ZIP_CODE",
        "NRP" => "NRP",
        "IBAN_CODE" => "IBAN_CODE",
        "US_SSN" => "US_SSN",
        "IP_ADDRESS" => "IP_ADDRESS",
        "US_DRIVER_LICENSE" => "US_DRIVER_LICENSE",
        _ => return None,
    })
}

/// Neighbours of one type with nothing but marks and blanks between them are one.
fn merged(mut all: Vec<Entity>, text: &[char]) -> Vec<Entity> {
    all.sort_by_key(|e| (e.start, e.end));
    let mut out: Vec<Entity> = Vec::new();
    for entity in all {
        match out.last_mut() {
            Some(last)
                if last.kind == entity.kind
                    && (entity.start < last.end
                        || entity.kind == "LOCATION"
                            && text.iter().take(entity.start).skip(last.end).all(|c| !c.is_alphanumeric())) =>
            {
                last.end = last.end.max(entity.end);
            }
            _ => out.push(entity),
        }
    }
    out
}

fn overlap(a: &Entity, b: &Entity) -> usize {
    a.end.min(b.end).saturating_sub(a.start.max(b.start))
}

#[derive(Clone, Copy, Default)]
struct Count {
    wanted: usize,
    given: usize,
    near: usize,
    exact: usize,
    characters: usize,
    leaked: usize,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.wanted += other.wanted;
        self.given += other.given;
        self.near += other.near;
        self.exact += other.exact;
        self.characters += other.characters;
        self.leaked += other.leaked;
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// One text: counts by type.
fn score(text: &Annotated, found: &[Entity]) -> BTreeMap<&'static str, Count> {
    let chars: Vec<char> = text.text.chars().collect();
    let wanted = text.spans.iter().filter_map(|a| {
        let (name, start, end) = match a {
            Annotation::Named { entity_type, start_position, end_position } => {
                (entity_type.as_str(), *start_position, *end_position)
            }
            Annotation::Short(start, end, name) => (name.as_str(), *start, *end),
        };
        Some(Entity { kind: kind(name)?, start, end })
    });
    let wanted = merged(wanted.collect(), &chars);
    let given = merged(found.to_vec(), &chars);
    let mut counts: BTreeMap<&'static str, Count> = BTreeMap::new();
    let mut used = vec![false; given.len()];
    for entity in &wanted {
        let count = counts.entry(entity.kind).or_default();
        count.wanted += 1;
        count.characters += entity.end - entity.start;
        count.leaked +=
            (entity.start..entity.end).filter(|at| !found.iter().any(|f| (f.start..f.end).contains(at))).count();
        let near = given.iter().enumerate().filter(|(at, g)| !used[*at] && g.kind == entity.kind).find(|(_, g)| {
            let both = overlap(entity, g);
            2 * both >= entity.end - entity.start + (g.end - g.start) - both && both > 0
        });
        if let Some((at, g)) = near {
            used[at] = true;
            count.near += 1;
            count.exact += usize::from((g.start, g.end) == (entity.start, entity.end));
        }
    }
    for entity in &given {
        counts.entry(entity.kind).or_default().given += 1;
    }
    counts
}

/// Runs the benchmark on annotated texts: a JSON array, or JSON lines.
pub(super) fn run(path: &Path) -> anyhow::Result<()> {
    let file = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let texts: Vec<Annotated> = if file.trim_start().starts_with('[') {
        serde_json::from_str(&file)?
    } else {
        file.lines().map(serde_json::from_str).collect::<Result<_, _>>()?
    };
    let families = bartizan_rules::catalogue().into_iter().map(|rule| rule.id.family());
    let mut disabled: Vec<String> = families.filter(|f| *f != Family::Pii).map(|f| format!("{f}/*")).collect();
    disabled.sort();
    disabled.dedup();
    let rules = bartizan_rules::Settings { disabled, ..Default::default() };
    let guard = Guard::new(&Settings { rules, ..Settings::default() })?;
    let mut out = std::io::stdout().lock();
    let (mut clean, mut alarms) = (0, 0);
    let mut halves: [BTreeMap<&'static str, Count>; 2] = Default::default();
    for text in &texts {
        let mut at = vec![0; text.text.len() + 1];
        let mut last = 0;
        for (number, (byte, _)) in text.text.char_indices().enumerate() {
            at[byte] = number;
            last = number + 1;
        }
        at[text.text.len()] = last;
        let mut any = false;
        let found: Vec<Entity> = guard
            .check_text(&text.text, Source::User)
            .findings
            .iter()
            .filter_map(|f| {
                any = true;
                let span = f.span();
                Some(Entity { kind: kind(f.entity.as_deref()?)?, start: at[span.start], end: at[span.end] })
            })
            .collect();
        if text.spans.is_empty() {
            clean += 1;
            alarms += usize::from(any);
        }
        for (kind, count) in score(text, &found) {
            halves[usize::from(text.template_id % 2 == 1)].entry(kind).or_default().add(count);
        }
    }
    for (name, half) in
        [("texts for tuning (even templates, or all)", &halves[0]), ("held out (odd templates)", &halves[1])]
    {
        if half.is_empty() {
            continue;
        }
        writeln!(
            out,
            "{name}\n{:<18} {:>6} {:>7} {:>7} {:>7} {:>7} {:>7}",
            "type", "spans", "P", "R", "F1", "strict", "leaked"
        )?;
        let mut all = Count::default();
        half.values().for_each(|c| all.add(*c));
        for (kind, c) in half.iter().map(|(k, c)| (*k, *c)).chain([("all", all)]) {
            writeln!(
                out,
                "{kind:<18} {:>6} {:>7.3} {:>7.3} {:>7.3} {:>7.3} {:>6.1}%",
                c.wanted,
                share(c.near, c.given),
                share(c.near, c.wanted),
                share(2 * c.near, c.wanted + c.given),
                share(2 * c.exact, c.wanted + c.given),
                100.0 * share(c.leaked, c.characters),
            )?;
        }
    }
    writeln!(out, "{alarms} of {clean} texts without personal data raise something")?;
    let whole: String = texts.iter().flat_map(|t| [t.text.as_str(), "\n"]).collect();
    let start = cpu_seconds();
    for _ in 0..20 {
        std::hint::black_box(guard.check_text(&whole, Source::User));
    }
    if let Some((now, then)) = cpu_seconds().zip(start) {
        #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
        let rate = 20.0 * whole.len() as f64 / (now - then) / 1e6;
        writeln!(out, "{rate:.1} MB/s of one core on these texts as one")?;
    }
    Ok(())
}
