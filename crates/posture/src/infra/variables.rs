//! Environment variables: what they set, and which of them are secrets.

use bartizan_core::Span;

use crate::fact::{Setting, Unit};
use crate::product::{self, general};
use crate::value::{self, Known, Resolved, SecretValue, Variables};

/// Takes a variable that a unit is started with.
pub(crate) fn take(unit: &mut Unit, name: &str, raw: Option<&str>, at: Span, variables: &Variables) {
    let elsewhere = || Resolved { text: String::new(), known: Known::Elsewhere };
    let value = raw.map_or_else(elsewhere, |raw| value::resolve(raw, variables));
    unit.models |= general::SIGNS.contains(&name);
    let own = unit.product.map_or(&[][..], |p| p.variables);
    named(unit, name, &value, at, own.iter().chain(general::VARIABLES));
}

/// Takes a name with its value: by its rows, or as a secret.
pub(crate) fn named<'r>(
    unit: &mut Unit,
    name: &str,
    value: &Resolved,
    at: Span,
    rows: impl Iterator<Item = &'r product::Row>,
) {
    let mut known = false;
    for (_, setting, reads) in rows.filter(|(row, ..)| *row == name) {
        known |= matches!(setting, Setting::Key | Setting::Secret);
        if reads.takes(value) {
            unit.add(*setting, name, value.clone(), at);
        }
    }
    if !known {
        secret(unit, name, value, at);
    }
}

/// Adds a secret where a name or the value itself says that it is one.
pub(crate) fn secret(unit: &mut Unit, name: &str, value: &Resolved, at: Span) {
    if value.known == Known::Elsewhere {
        return;
    }
    if let Some(password) = value::password_of(&value.text) {
        let part = Resolved { text: password.to_owned(), known: value.known };
        unit.add(Setting::Secret, name, part, at);
    } else if value::is_provider_key(&value.text) {
        // Who has such a key has to do with models.
        unit.models = true;
        unit.add(Setting::Secret, name, value.clone(), at);
    } else if value::names_secret(name) && value::judge_secret(value) != SecretValue::None {
        unit.add(Setting::Secret, name, value.clone(), at);
    }
}

/// The product whose variables these names are, where one has most of them.
pub(crate) fn product_of<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Option<&'static product::Product> {
    product::all()
        .filter(|p| !p.companion)
        .map(|p| {
            let own = |name: &&str| {
                // A name that many products use tells none.
                p.variables.iter().any(|(row, ..)| row == name)
                    && name.len() > 8
                    && name.contains('_')
                    && *name != "CORS_ALLOW_ORIGIN"
            };
            (names.clone().filter(own).count(), p)
        })
        .filter(|(count, _)| *count > 0)
        .max_by_key(|(count, _)| *count)
        .map(|(_, p)| p)
}
