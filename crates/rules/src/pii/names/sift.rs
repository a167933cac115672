//! What the model takes for names and is none: labels of forms, words for identifiers, names of programs, numbers of
//! things. What is left of a name without them stays.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::super::identifier;
use super::spans::{Kind, Name, own};
use super::token::{Shape, Token, class, hash_word};
use crate::tape::Tape;

/// Words with capitals that stand where names do, as in `My SSN`, and are kinds of things: abbreviations and programs.
const THINGS: &[&str] = &[
    "api",
    "bearer",
    "bic",
    "basic",
    "cpf",
    "cpr",
    "dni",
    "ein",
    "iban",
    "imei",
    "itin",
    "nhs",
    "nie",
    "nif",
    "nino",
    "npi",
    "pan",
    "pesel",
    "sim",
    "ssn",
    "vat",
    "vin",
    "cvc",
    "cvv",
    "dob",
    "http",
    "https",
    "id",
    "ip",
    "json",
    "jwt",
    "llm",
    "mac",
    "mcp",
    "mfa",
    "otp",
    "pdf",
    "pem",
    "pin",
    "sdk",
    "sql",
    "ssh",
    "tls",
    "url",
    "copd",
    "pps",
    "sla",
    "po",
    "faq",
    "eta",
    "kpi",
    "crm",
    "erp",
    "rxjs",
    "angular",
    "postgresql",
    "mysql",
    "mariadb",
    "sqlite",
    "mongodb",
    "redis",
    "kafka",
    "kubernetes",
    "docker",
    "react",
    "redux",
    "nodejs",
    "typescript",
    "javascript",
    "python",
    "graphql",
    "webpack",
    "numpy",
    "pytorch",
    "tensorflow",
    "nginx",
    "linux",
    "ubuntu",
    "debian",
    "bluetooth",
    "elasticsearch",
    "rabbitmq",
    "terraform",
    "ansible",
    "github",
    "gitlab",
    "bitbucket",
    "jenkins",
    "prometheus",
    "grafana",
    "dockerfile",
    "kubectl",
    "vuejs",
    "nextjs",
    "django",
    "openssl",
    "ffmpeg",
    "opengl",
    "vulkan",
    "chromium",
    "firefox",
    "vscode",
    "intellij",
    "xcode",
    "webassembly",
    "protobuf",
    "grpc",
    "oauth",
];

/// Labels of forms, by language; what they are in front of is not part of them.
const LABELS: &[&str] = &[
    // English
    "name",
    "forename",
    "surname",
    "firstname",
    "lastname",
    "tenant",
    "landlord",
    "patient",
    "customer",
    "address",
    "birthdate",
    "gender",
    "nationality",
    "signature",
    "email",
    "phone",
    "mobile",
    "employer",
    "employee",
    "applicant",
    "recipient",
    "sender",
    "subject",
    "invoice",
    "reference",
    "telephone",
    "comments",
    "remarks",
    "occupation",
    // German
    "vorname",
    "nachname",
    "familienname",
    "geburtsdatum",
    "geburtsort",
    "geburtsname",
    "verwendungszweck",
    "vermieter",
    "vermieterin",
    "mieter",
    "mieterin",
    "nachbar",
    "nachbarin",
    "anschrift",
    "adresse",
    "wohnort",
    "straße",
    "strasse",
    "steuer",
    "steuernummer",
    "kontonummer",
    "kontoinhaber",
    "empfänger",
    "absender",
    "kunde",
    "kundin",
    "kundennummer",
    "rechnung",
    "rechnungsnummer",
    "betreff",
    "patientin",
    "versicherte",
    "versicherter",
    "telefon",
    "telefonnummer",
    "rufnummer",
    "handynummer",
    "ausweisnummer",
    "staatsangehörigkeit",
    "geschlecht",
    "familienstand",
    "unterschrift",
    "ansprechpartner",
    "ansprechpartnerin",
    "arbeitgeber",
    "arbeitnehmer",
    "losnummer",
    "bauteil",
    "artikelnummer",
    "aktenzeichen",
    "kennzeichen",
    "zahlungsempfänger",
    "sachbearbeiter",
    "sachbearbeiterin",
    "kaufpreis",
    "hausnummer",
    // French
    "nom",
    "prénom",
    "prenom",
    "adresse",
    "téléphone",
    "tél",
    "courriel",
    "destinataire",
    "expéditeur",
    "bailleur",
    "locataire",
    "objet",
    "facture",
    "naissance",
    "nationalité",
    "employeur",
    "salarié",
    "demandeur",
    // Spanish
    "nombre",
    "apellido",
    "apellidos",
    "dirección",
    "domicilio",
    "teléfono",
    "tfno",
    "tlf",
    "tfn",
    "correo",
    "arrendador",
    "arrendatario",
    "inquilino",
    "paciente",
    "nacimiento",
    "nacionalidad",
    "asunto",
    "destinatario",
    "remitente",
    "factura",
    // Italian
    "cognome",
    "indirizzo",
    "residenza",
    "telefono",
    "cellulare",
    "oggetto",
    "locatore",
    "conduttore",
    "paziente",
    "destinatario",
    "mittente",
    "fattura",
    "nascita",
    "cittadinanza",
    "codice",
    "fiscale",
    "partita",
    // Dutch
    "naam",
    "voornaam",
    "achternaam",
    "adres",
    "woonplaats",
    "geboortedatum",
    "geboorteplaats",
    "telefoonnummer",
    "huurder",
    "verhuurder",
    "patiënt",
    "klant",
    "klantnummer",
    "onderwerp",
    "afzender",
    "ontvanger",
    "factuur",
    "rekeningnummer",
    "nationaliteit",
    "handtekening",
    "werkgever",
    "werknemer",
    // Portuguese
    "nome",
    "sobrenome",
    "apelido",
    "endereço",
    "morada",
    "telefone",
    "telemóvel",
    "contacto",
    "contato",
    "nascimento",
    "naturalidade",
    "assunto",
    "destinatário",
    "remetente",
    "senhorio",
    "inquilino",
    "fatura",
    // Polish
    "imię",
    "nazwisko",
    "adres",
    "telefon",
    "najemca",
    "wynajmujący",
    "pacjent",
    "pacjentka",
    "odbiorca",
    "nadawca",
    "temat",
    "faktura",
    "obywatelstwo",
    "urodzenia",
    "zamieszkania",
    "podpis",
    "pracodawca",
    "pracownik",
];

/// Words right before a place. `en` also joins two people in Dutch.
const IN: &[&str] = &["in", "em", "te", "aus", "nach", "w", "we", "from", "near", "à"];
const EN: &str = "en";
/// Before the `a` of a place.
const LIVES: &[&str] =
    &["nato", "nata", "nati", "residente", "residenti", "abita", "vive", "domiciliato", "domiciliata"];
/// Labels of places.
const PLACES: &[&str] = &[
    "city",
    "town",
    "place",
    "ort",
    "wohnort",
    "geburtsort",
    "stadt",
    "ville",
    "commune",
    "lieu",
    "ciudad",
    "localidad",
    "población",
    "lugar",
    "città",
    "comune",
    "luogo",
    "cidade",
    "localidade",
    "local",
    "stad",
    "plaats",
    "woonplaats",
    "geboorteplaats",
    "miasto",
    "miejscowość",
];
/// Labels of names of people.
const PERSONS: &[&str] = &[
    "name",
    "vorname",
    "nachname",
    "nom",
    "prénom",
    "nombre",
    "apellidos",
    "nome",
    "cognome",
    "naam",
    "voornaam",
    "imię",
    "nazwisko",
    "forename",
    "firstname",
];

/// Ends of one-word names of streets.
const ROADS: &[&str] = &[
    "straße", "strasse", "str", "weg", "gasse", "platz", "allee", "ring", "damm", "ufer", "steig", "chaussee", "laan",
    "straat", "plein", "kade", "gracht", "dijk", "singel", "steeg", "dreef", "markt", "hof", "baan", "gatan", "vägen",
    "vej", "gade", "vei", "veien", "utca", "katu", "tie", "pfad", "graben", "wall", "berg", "park", "lei", "rak",
    "wal",
];

/// Digits of a number that is none of a house and no postal code.
const MANY: usize = 7;
/// Shortest run of letters and digits of several kinds that is something encoded.
const ENCODED: usize = 20;
/// How much around a word is looked at for such a run.
const AROUND: usize = 48;

struct Words {
    labels: HashSet<u32>,
    /// Words for identifiers, of which many are names too.
    kinds: HashSet<u32>,
    things: HashSet<u32>,
    places: HashSet<u32>,
    persons: HashSet<u32>,
    before_places: HashSet<u32>,
    lives: HashSet<u32>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let set = |list: &[&str]| list.iter().map(|w| hash_word(w)).collect::<HashSet<u32>>();
    let parts = identifier::words().flat_map(|w| w.split(|c: char| !c.is_alphanumeric())).filter(|w| w.len() > 1);
    Words {
        labels: set(LABELS),
        kinds: parts.map(hash_word).collect(),
        things: set(THINGS),
        places: set(PLACES),
        persons: set(PERSONS),
        before_places: set(IN),
        lives: set(LIVES),
    }
});

/// The names that are some, without the labels at their ends.
pub(super) fn sift(text: &str, all: &[Token], names: Vec<Name>) -> Vec<Name> {
    let sifted = names.into_iter().filter_map(|name| {
        let name = trimmed(text, all, name)?;
        let name = without_identifier(text, all, name)?;
        let sound = match name.kind {
            Kind::Address => is_road(text, all, &name),
            Kind::Person | Kind::Location | Kind::Organization => !is_encoded(text, all, &name),
        };
        let kind = if is_place(all, &name) { Kind::Location } else { name.kind };
        sound.then_some(Name { kind, ..name })
    });
    inverted(text, all, sifted.collect())
}

const fn listed(token: &Token) -> bool {
    token.classes & (class::FIRST | class::LAST | class::CITY | class::COUNTRY) != 0
}

const fn is_number(token: &Token) -> bool {
    matches!(
        token.shape,
        Shape::OneDigit
            | Shape::ThreeDigits
            | Shape::FourDigits
            | Shape::FiveDigits
            | Shape::ManyDigits
            | Shape::LettersAndDigits
    )
}

/// True for a word that says what stands behind it. Words for identifiers that people are called too are some only
/// where a number follows.
fn is_label(all: &[Token], at: usize) -> bool {
    let Some(token) = all.get(at).filter(|t| t.shape.is_word()) else { return false };
    let words = &*WORDS;
    let next = || all.get(at + 1..).unwrap_or_default().iter().take(2).find(|t| t.shape != Shape::Colon);
    let plain = || !listed(token) || token.shape == Shape::Capitals;
    words.labels.contains(&token.word)
        || words.things.contains(&token.word) && plain()
        || words.kinds.contains(&token.word) && (plain() || next().is_some_and(is_number))
}

/// The name without labels at its ends; `None` where nothing is left.
fn trimmed(text: &str, all: &[Token], name: Name) -> Option<Name> {
    let (mut first, mut behind) =
        (all.partition_point(|t| t.start < name.start), all.partition_point(|t| t.start < name.end));
    let words = || own(all, &name).iter().enumerate().filter(|(_, t)| t.shape.is_word());
    // `C.F.`, `R.U.T.`
    if words().all(|(_, t)| t.shape == Shape::Initial) {
        let letters: String = words().filter_map(|(_, t)| text.get(t.start..t.end)).collect::<String>().to_lowercase();
        if WORDS.kinds.contains(&hash_word(&letters)) {
            return None;
        }
    }
    if name.kind == Kind::Organization {
        return (!words().all(|(at, _)| is_label(all, first + at))).then_some(name);
    }
    // Capitals that no list has are an abbreviation.
    if let [token] = own(all, &name)
        && token.shape == Shape::Capitals
        && token.end - token.start <= 4
        && !listed(token)
    {
        return None;
    }
    let (from, to) = (first, behind);
    while first < behind && is_label(all, first) {
        first += 1;
        while first < behind && all.get(first).is_some_and(|t| !t.starts_name()) {
            first += 1;
        }
    }
    while first < behind && behind.checked_sub(1).is_some_and(|last| is_label(all, last)) {
        behind -= 1;
        while first < behind
            && behind.checked_sub(1).and_then(|l| all.get(l)).is_some_and(|t| !t.shape.is_word() && !is_number(t))
        {
            behind -= 1;
        }
    }
    if (first, behind) == (from, to) {
        return Some(name);
    }
    let left = all.get(first..behind)?;
    left.iter().any(|t| t.strong && t.shape.is_word() && t.shape != Shape::Initial).then_some(())?;
    Some(Name { start: left.first()?.start, end: left.last()?.end, ..name })
}

/// The name up to an identifier in it.
fn without_identifier(text: &str, all: &[Token], name: Name) -> Option<Name> {
    if name.kind == Kind::Organization || !own(all, &name).iter().any(is_number) {
        return Some(name);
    }
    // Nothing behind the last word counts, so that what follows in a stream does not.
    let goes_on = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'/');
    let rest = text.as_bytes().get(name.end..).unwrap_or_default().iter().take(24).take_while(|b| goes_on(b)).count();
    let tape = Tape::new(text.get(..name.end + rest).unwrap_or(text));
    let tokens = own(all, &name);
    let at = tokens.iter().position(|t| identifier::end_at(&tape, t.start).is_some_and(|end| end > t.start + 6));
    let Some(at) = at else { return Some(name) };
    let left = tokens.get(..at).unwrap_or_default();
    let last = left.iter().rposition(|t| t.shape.is_word()).and_then(|last| left.get(last))?;
    let strong = left.iter().any(|t| listed(t) && t.strong);
    (strong && name.kind != Kind::Address).then_some(Name { end: last.end, ..name })
}

/// True where a word of a name is part of a longer run of letters of both cases and digits, as base64 has.
fn is_encoded(text: &str, all: &[Token], name: &Name) -> bool {
    let bytes = text.as_bytes();
    let part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_');
    own(all, name).iter().any(|token| {
        let before = bytes.get(..token.start).unwrap_or_default().iter().rev().take(AROUND).take_while(part).count();
        let behind = bytes.get(token.end..).unwrap_or_default().iter().take(AROUND).take_while(part).count();
        let run = bytes.get(token.start - before..token.end + behind).unwrap_or_default();
        let switches =
            run.windows(2).filter(|w| matches!(w, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
        run.len() >= ENCODED
            && (run.iter().any(u8::is_ascii_digit) && run.iter().any(u8::is_ascii_uppercase)
                || run.len() > token.end - token.start && switches.count() >= 4)
    })
}

/// True where an address has a word for streets, or a postal code and a town; one bare word and a number are none.
fn is_road(text: &str, all: &[Token], name: &Name) -> bool {
    let own = own(all, name);
    if own.iter().any(|t| t.shape == Shape::ManyDigits && t.end - t.start >= MANY) {
        return false;
    }
    let words = || own.iter().filter(|t| t.shape.is_word() && t.shape != Shape::LettersAndDigits);
    let ends_so = |t: &Token| {
        let word = text.get(t.start..t.end).unwrap_or_default().to_lowercase();
        ROADS.iter().any(|end| word.len() > end.len() && word.ends_with(end))
    };
    let first = all.partition_point(|t| t.start < name.start);
    let behind = all.partition_point(|t| t.start < name.end);
    let before = all.get(..first).unwrap_or_default().iter().rev().take(2);
    let town = || {
        let mut next = all.get(behind..).unwrap_or_default().iter();
        next.next().is_some_and(|t| t.shape == Shape::Comma)
            && next.next().is_some_and(|t| is_number(t) || t.classes & class::CITY != 0)
    };
    let code = |t: &Token| matches!(t.shape, Shape::FourDigits | Shape::FiveDigits | Shape::ManyDigits);
    own.iter().any(|t| t.classes & class::STREET != 0)
        || before.into_iter().any(|t| t.classes & class::STREET != 0)
        || words().any(ends_so)
        || own.iter().any(code) && words().any(|t| t.classes & class::CITY != 0)
        || words().filter(|t| t.shape != Shape::Capitals || t.end - t.start > 3).count() > 1
        || words().all(|t| t.shape != Shape::Capitals) && town()
}

/// True for a town's name that words before it say is one, though people are called so too.
fn is_place(all: &[Token], name: &Name) -> bool {
    let [token] = own(all, name) else { return false };
    if name.kind != Kind::Person || token.classes & class::CITY == 0 {
        return false;
    }
    let first = all.partition_point(|t| t.start < name.start);
    let back = |n: usize| first.checked_sub(n).and_then(|at| all.get(at));
    // `in Charlotte's opinion`
    if all.get(first + 1).is_some_and(|t| t.shape == Shape::Apostrophe && t.start == token.end) {
        return false;
    }
    let words = &*WORDS;
    let Some(before) = back(1) else { return false };
    if before.shape == Shape::Colon {
        return back(2).is_some_and(|t| words.places.contains(&t.word));
    }
    let en = || before.word == hash_word(EN) && token.classes & class::FIRST == 0;
    let lives = || before.word == hash_word("a") && back(2).is_some_and(|t| words.lives.contains(&t.word));
    words.before_places.contains(&before.word) || words.places.contains(&before.word) || en() || lives()
}

/// Joins a surname and a given name around a comma that are a whole cell, or stand behind a label for names:
/// `"Burnett, Ashley"`, `Name, Vorname: Ernst, Simone`.
fn inverted(text: &str, all: &[Token], names: Vec<Name>) -> Vec<Name> {
    let whole = |name: &Name| -> Option<(usize, usize)> {
        let (first, behind) =
            (all.partition_point(|t| t.start < name.start), all.partition_point(|t| t.start < name.end));
        (first..=behind).find_map(|comma| {
            let at = |n: usize| all.get(n);
            let mark = at(comma).filter(|t| t.shape == Shape::Comma)?;
            let (surname, given) = (at(comma.checked_sub(1)?)?, at(comma + 1)?);
            let capital = |t: &Token| matches!(t.shape, Shape::Capitalised | Shape::Capitals) && t.end - t.start > 1;
            let told = capital(surname)
                && capital(given)
                && surname.end == mark.start
                && given.start == mark.end + 1
                && given.classes & class::FIRST != 0
                && !is_label(all, comma - 1)
                && !is_label(all, comma + 1);
            let before = at(comma.checked_sub(2)?)?;
            let sign =
                |t: &Token| text.get(t.start..t.end).filter(|s| matches!(*s, "\"" | "|" | "\u{201c}" | "\u{201e}"));
            let cell = sign(before).is_some() && at(comma + 2).and_then(sign).is_some();
            let label = || {
                before.shape == Shape::Colon
                    && comma.checked_sub(3).and_then(at).is_some_and(|t| WORDS.persons.contains(&t.word))
                    && at(comma + 2).is_none_or(|t| matches!(t.shape, Shape::Line | Shape::Stop | Shape::Comma))
            };
            (told && (cell || label())).then_some((surname.start, given.end))
        })
    };
    let mut sifted: Vec<Name> = Vec::with_capacity(names.len());
    for name in names {
        let joined = match whole(&name) {
            Some((start, end)) if name.start >= start && name.end <= end => Name { kind: Kind::Person, start, end },
            _ => name,
        };
        if sifted.last() != Some(&joined) {
            sifted.push(joined);
        }
    }
    sifted
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    fn all(text: &str) -> Vec<(Kind, &str)> {
        let mut found = Vec::new();
        names(text, |name, _| found.push((name.kind, &text[name.start..name.end])));
        found
    }

    #[test]
    fn labels_are_no_names() {
        for text in [
            "Verwendungszweck: Miete, Geburtsdatum: 3.4.1980",
            "P. Iva 03700120965, C.F. RSSMRA85T10A562S",
            "Social 550-46-4175",
            "NI no. YE 91 90 20 A",
            "The COPD of the PPS was seen by the BSN",
        ] {
            assert_eq!(all(text), [], "{text}");
        }
        let people = |text| all(text).into_iter().filter(|(kind, _)| *kind == Kind::Person).collect::<Vec<_>>();
        assert_eq!(people("Der Vermieter Thomas Müller wohnt dort."), [(Kind::Person, "Thomas Müller")]);
    }

    #[test]
    fn a_bare_word_and_a_number_are_no_address() {
        for text in [
            "ticket age 24 h, SLA 98.12 %, queue",
            "subtotal 7809.41, VAT 17%, PO 1047765839.",
            "Losnummer 5550649382, Bauteil YX 0466.",
            "das Wort Kraft hat 7 Bedeutungen",
        ] {
            assert!(all(text).iter().all(|(kind, _)| *kind != Kind::Address), "{text}: {:?}", all(text));
        }
        for text in ["Ich wohne in der Hauptstraße 12 in Köln.", "She lives at 12 Baker Street, London."] {
            assert!(all(text).iter().any(|(kind, _)| *kind == Kind::Address), "{text}: {:?}", all(text));
        }
    }

    #[test]
    fn programs_and_encoded_text_are_no_names() {
        for text in ["in Angular, RxJS and PostgreSQL", "key mVxTbRwNcQzLfKpHdJsGyAuEiOtBnWqX7 there"] {
            assert_eq!(all(text), [], "{text}");
        }
    }

    #[test]
    fn surnames_first_are_one_person() {
        for (text, person) in [
            ("the record \"Burnett, Ashley\" was read", "Burnett, Ashley"),
            ("Name, Vorname: Ernst, Simone\nOrt: Köln", "Ernst, Simone"),
        ] {
            assert!(all(text).contains(&(Kind::Person, person)), "{text}: {:?}", all(text));
        }
    }
}
