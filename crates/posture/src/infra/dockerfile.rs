//! Dockerfiles.

use bartizan_core::Span;

use super::{container, launch, variables};
use crate::fact::{Home, Setting, Unit};
use crate::product::{self, general};
use crate::syntax::dockerfile::{Instruction, parse};
use crate::syntax::env;
use crate::value::{self, Known, Resolved, Variables};

/// Reads a file into one unit; the byte of the first line that is no instruction.
pub(crate) fn read(text: &str, units: &mut Vec<Unit>) -> Option<usize> {
    let (instructions, odd) = parse(text);
    let mut known = Variables::new();
    let mut stages: Vec<String> = Vec::new();
    let mut unit = Unit::new(Home::Part, Span::default());
    for instruction in &instructions {
        match instruction.name.as_str() {
            "FROM" => from(instruction, &mut unit, &known, &mut stages),
            "ARG" | "ENV" => set(instruction, &mut unit, &mut known),
            "RUN" => run(instruction, &mut unit, &known),
            "CMD" | "ENTRYPOINT" => {
                for command in instruction.commands() {
                    launch::command(&command.words, &mut unit, &known, text, 0);
                }
            }
            "ADD" if instruction.text.contains("://") && !instruction.text.contains("--checksum=") => {
                unit.add(
                    Setting::Download,
                    "ADD",
                    Resolved { text: String::new(), known: Known::Literal },
                    instruction.span,
                );
            }
            _ => {}
        }
    }
    units.push(unit);
    odd
}

fn from(instruction: &Instruction, unit: &mut Unit, known: &Variables, stages: &mut Vec<String>) {
    let commands = instruction.commands();
    let words: Vec<_> = commands.iter().flat_map(|c| &c.words).filter(|w| !w.text.starts_with("--")).collect();
    let Some(image) = words.first() else { return };
    let name = value::resolve(&image.text, known).text;
    if !stages.contains(&name) && name != "scratch" {
        container::image(unit, &image.text, image.span, known);
        // The last stage is what runs; an earlier one may still be of a product.
        unit.product = product::of_image(&name).or(unit.product);
    }
    if let [_, word, stage, ..] = words.as_slice()
        && word.text.eq_ignore_ascii_case("as")
    {
        stages.push(stage.text.clone());
    }
}

fn set(instruction: &Instruction, unit: &mut Unit, known: &mut Variables) {
    // `ENV NAME value` is the old form.
    let first = instruction.text.split_whitespace().next().unwrap_or_default();
    if instruction.name == "ENV" && !first.contains('=') {
        let value = instruction.text.get(first.len()..).unwrap_or_default().trim();
        known.insert(first.to_owned(), value.to_owned());
        variables::take(unit, first, Some(value), instruction.span, known);
        return;
    }
    for command in instruction.commands() {
        let words = command.words.iter().filter_map(|w| {
            let (name, value) = w.text.split_once('=')?;
            Some((name.to_owned(), value.to_owned(), w.span))
        });
        let sets = command.sets.iter().map(|s| (s.name.clone(), s.value.clone(), s.span));
        for (name, value, span) in sets.chain(words) {
            if !env::is_name(&name) {
                continue;
            }
            let resolved = value::resolve(&value, known);
            variables::take(unit, &name, Some(&value), span, known);
            // What a build sets may be given from outside, but this holds where it is not.
            known.insert(name, resolved.text);
        }
    }
}

fn run(instruction: &Instruction, unit: &mut Unit, known: &Variables) {
    let commands = instruction.commands();
    for (at, command) in commands.iter().enumerate() {
        launch::download(at.checked_sub(1).and_then(|at| commands.get(at)), command, unit);
        let installs = command.words.iter().any(|w| w.text == "install" || w.text == "add");
        unit.models |= installs
            && command.words.iter().any(|w| {
                let name = w.text.split(['=', '<', '>', '~', '[', '!', '@']).next().unwrap_or_default();
                general::PACKAGES.contains(&name)
            });
        for set in &command.sets {
            variables::take(unit, &set.name, Some(&set.value), set.span, known);
        }
    }
}
