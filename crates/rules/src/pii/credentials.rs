//! User names with their passwords.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::entity::{Entity, EntityDetector, Match, Places};
use crate::tape::{Class, Tape};
use crate::{RulesError, Settings};

/// Labels of user names, in lower case.
const USER: [&str; 24] = [
    "username",
    "user name",
    "user id",
    "userid",
    "user",
    "login",
    "login name",
    "account name",
    "benutzername",
    "benutzer",
    "kennung",
    "nutzername",
    "identifiant",
    "nom d'utilisateur",
    "usuario",
    "nombre de usuario",
    "utente",
    "nome utente",
    "gebruikersnaam",
    "gebruiker",
    "usuário",
    "nome de usuário",
    "nazwa użytkownika",
    "użytkownik",
];
/// Labels of passwords, in lower case.
const PASSWORD: [&str; 18] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pass",
    "pwd",
    "pw",
    "passwort",
    "kennwort",
    "mot de passe",
    "mdp",
    "contraseña",
    "clave",
    "parola d'ordine",
    "wachtwoord",
    "senha",
    "palavra-passe",
    "hasło",
];
/// Longest label, in bytes.
const LABEL: usize = 24;
/// Longest user name or password.
const VALUE: usize = 48;
/// Most marks between a label and its value.
const SIGNS: usize = 6;
/// Most marks between a user name and the label of its password.
const BETWEEN: usize = 8;
/// What a user name is made of.
const NAME: Class = Class::ALNUM.or(Class::of(b"._@-+\\"));
/// What a password is made of: what can be seen, but for the marks that end it in a list.
const SECRET: Class = Class::range(b'!', b'~');

static ENTITY: Entity = Entity {
    id: "pii/credentials",
    name: "USERNAME",
    summary: "user name that is given with its password",
    doc: include_str!("credentials.md"),
    severity: Severity::High,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-522"),
        Reference::new("URL", "https://docs.aws.amazon.com/comprehend/latest/dg/how-pii.html"),
    ],
    places: Places::Word(SECRET),
    longest: VALUE,
    ahead: BETWEEN + 4 + LABEL + SIGNS + VALUE + 2,
    find,
};

/// Marks that give a label its value, with what may stand around them.
const GIVES: Class = Class::of(b" \t\"':=");
/// Marks between the two halves of a pair.
const JOINS: Class = Class::of(b" \t\r\n,;|/\"'");
/// Words between the two halves of a pair.
const AND: [&[u8]; 8] = [b"and ", b"und ", b"et ", b"y ", b"e ", b"en ", b"i ", b"with "];

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(EntityDetector::new(&ENTITY)))
}

fn find(tape: &Tape<'_>, at: usize) -> Option<Match> {
    if !tape.before(at).is_some_and(|b| GIVES.has(b)) || tape.at(at).is_some_and(|b| GIVES.has(b) || JOINS.has(b)) {
        return None;
    }
    let label_end = label_end(tape, at)?;
    if label_start(tape, label_end, &USER).is_some() {
        let end = name_end(tape, at)?;
        return follows_password(tape, end).then_some(Match::new(end, Confidence::High));
    }
    let start = label_start(tape, label_end, &PASSWORD)?;
    let end = secret_end(tape, at)?;
    follows_name(tape, start).then_some(Match::named(end, Confidence::High, "PASSWORD"))
}

/// Where the label of the value at `at` ends: before a colon or an equal sign with blanks and quotes around it.
fn label_end(tape: &Tape<'_>, at: usize) -> Option<usize> {
    let end = tape.run_back(at, at.saturating_sub(SIGNS), GIVES);
    let signs = tape.slice(Span::new(end, at));
    (signs.iter().filter(|b| matches!(b, b':' | b'=')).count() == 1).then_some(end)
}

/// Where the longest of the labels that end at `end` begins.
fn label_start(tape: &Tape<'_>, end: usize, labels: &[&str]) -> Option<usize> {
    let from = end.saturating_sub(LABEL);
    let before = tape.slice(Span::new(from, end));
    let fits = |label: &&str| {
        let Some(at) = before.len().checked_sub(label.len()) else { return false };
        before.get(at..).is_some_and(|b| b.eq_ignore_ascii_case(label.as_bytes()))
            && !tape.before(from + at).is_some_and(|b| Class::WORD.has(b) || b >= 128 || b == b'-')
    };
    labels.iter().filter(|l| fits(l)).map(|l| end - l.len()).min()
}

/// The end of a user name, which stands for itself and not for another.
fn name_end(tape: &Tape<'_>, at: usize) -> Option<usize> {
    let end = trimmed(tape, at, tape.run(at, at + VALUE + 1, NAME));
    let stands = !matches!(tape.slice(Span::new(at, end)).to_ascii_lowercase().as_slice(), b"null" | b"none" | b"nil");
    ((2..=VALUE).contains(&(end - at)) && stands && !tape.at(end).is_some_and(|b| matches!(b, b'(' | b'[' | b'{')))
        .then_some(end)
}

fn secret_end(tape: &Tape<'_>, at: usize) -> Option<usize> {
    let end = tape.run(at, at + VALUE + 1, SECRET);
    // A quote that opened before closes it.
    let quote = tape.before(at).filter(|b| matches!(b, b'"' | b'\''));
    let inside = tape.slice(Span::new(at, end)).iter().position(|b| Some(*b) == quote);
    let end = inside.map_or_else(|| trimmed(tape, at, end), |n| at + n);
    let stands_for = tape.at(at).is_some_and(|b| matches!(b, b'<' | b'$' | b'{' | b'[' | b'%' | b'('))
        || tape.slice(Span::new(at, end)).iter().all(|b| matches!(b, b'*' | b'x' | b'X' | b'.'));
    ((4..=VALUE).contains(&(end - at)) && !stands_for).then_some(end)
}

/// The end without the marks that belong to the sentence.
fn trimmed(tape: &Tape<'_>, at: usize, end: usize) -> usize {
    let marks = |b: &&u8| matches!(**b, b'.' | b',' | b';' | b')' | b'"' | b'\'' | b'-');
    end - tape.slice(Span::new(at, end)).iter().rev().take_while(marks).count()
}

/// True where the label of a password with a value follows the user name that ends at `end`.
fn follows_password(tape: &Tape<'_>, end: usize) -> bool {
    let mut at = tape.run(end, end + BETWEEN, JOINS);
    if at == end {
        return false;
    }
    at = AND.iter().find(|word| tape.starts(at, word)).map_or(at, |word| at + word.len());
    let here = |label: &&&str| {
        label.bytes().enumerate().all(|(n, want)| tape.at(at + n).is_some_and(|b| b.eq_ignore_ascii_case(&want)))
    };
    PASSWORD.iter().filter(here).any(|label| {
        let from = at + label.len();
        let value = tape.run(from, from + SIGNS, GIVES);
        value > from && label_end(tape, value) == Some(from) && secret_end(tape, value).is_some()
    })
}

/// True where a labelled user name stands before the label that starts at `start`.
fn follows_name(tape: &Tape<'_>, start: usize) -> bool {
    let start = AND
        .iter()
        .find(|w| tape.slice(Span::new(start.saturating_sub(w.len()), start)) == **w)
        .map_or(start, |w| start - w.len());
    let end = tape.run_back(start, start.saturating_sub(BETWEEN), JOINS);
    let from = tape.run_back(end, end.saturating_sub(VALUE), NAME);
    from < end && end < start && label_end(tape, from).is_some_and(|end| label_start(tape, end, &USER).is_some())
}
