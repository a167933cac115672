//! Forms of address before a name, and what somebody's post is called.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::entity::{Entity, EntityDetector, Match, Places};
use super::words::{any_at, word_ending};
use crate::tape::{Class, Tape, word_before, word_starts};
use crate::{RulesError, Settings};

/// Forms of address, as written, in the languages read.
const TITLES: [&str; 166] = [
    "Mr.",
    "Mrs.",
    "Ms.",
    "Miss",
    "Mr",
    "Mrs",
    "Ms",
    "Mx.",
    "Mx",
    "Dr.",
    "Dr",
    "Prof.",
    "Prof",
    "Professor",
    "Sir",
    "Rev.",
    "Hon.",
    "Herr",
    "Frau",
    "Herrn",
    "Hr.",
    "Fr.",
    "Mme",
    "Mme.",
    "Mlle",
    "Monsieur",
    "Madame",
    "Mademoiselle",
    "M.",
    "Me",
    "Sr.",
    "Sra.",
    "Srta.",
    "Señor",
    "Señora",
    "Don",
    "Doña",
    "Sig.",
    "Sig.ra",
    "Signor",
    "Signora",
    "Dott.",
    "Dott.ssa",
    "Avv.",
    "Ing.",
    "Dhr.",
    "Mevr.",
    "Mw.",
    "Meneer",
    "Mevrouw",
    "Senhor",
    "Senhora",
    "Dra.",
    "Pan",
    "Pani",
    "Pana",
    "Doktor",
    "Doctor",
    "Capt.",
    "Lt.",
    "MR.",
    "MR",
    "MRS.",
    "MRS",
    "MS.",
    "DR.",
    "PROF.",
    "mr.",
    "mrs.",
    "ms.",
    "prof.",
    "Missus",
    "Madam",
    "Dame",
    "Fru",
    "Frøken",
    "Fröken",
    "Hr",
    "Herra",
    "Rouva",
    "Neiti",
    "Härra",
    "Proua",
    "Preili",
    "Paní",
    "Pán",
    "Slečna",
    "Gospod",
    "Gospodin",
    "Gospa",
    "Gospođa",
    "Gospodična",
    "Domnul",
    "Doamna",
    "Dna",
    "Bay",
    "Bayan",
    "Úr",
    "Senyor",
    "Senyora",
    "Dona",
    "Dom",
    "Signorina",
    "Señorita",
    "Mej.",
    "Juffrouw",
    "Mstr.",
    "Lord",
    "Lady",
    "Mag.",
    "Dipl.-Ing.",
    "Fräulein",
    "Frl.",
    "Univ.-Prof.",
    "Priv.-Doz.",
    "Cav.",
    "On.",
    "Arch.",
    "Rag.",
    "Geom.",
    "Lic.",
    "Arq.",
    "Mtro.",
    "Mtra.",
    "Ir.",
    "Drs.",
    "drs.",
    "Ds.",
    "mgr",
    "inż.",
    "Bc.",
    "Mgr.",
    "MUDr.",
    "JUDr.",
    "Maître",
    "Mons.",
    "Fra",
    "Cllr",
    "Cllr.",
    "Capitán",
    "Col.",
    "Maj.",
    "Sgt.",
    "Gen.",
    "Ald.",
    "Messrs.",
    "Messrs",
    "Mlle.",
    "Señorito",
    "Sra",
    "Sr",
    "Sig",
    "Dott",
    "Avv",
    "D.ª",
    "Ingeniero",
    "Ingegnere",
    "Sor",
    "Suor",
    "Schwester",
    "meneer",
    "mevrouw",
    "dhr.",
    "mevr.",
    "mw.",
    "dr.",
];

static ENTITY: Entity = Entity {
    id: "pii/title",
    name: "TITLE",
    summary: "form of address or job title",
    doc: include_str!("title.md"),
    severity: Severity::Info,
    references: &[Reference::new("OWASP-LLM", "LLM02"), Reference::new("CWE", "CWE-359")],
    places: Places::Word(Class::UPPER.or(Class::of(b"mpid"))),
    longest: JOB,
    ahead: 24,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(EntityDetector::new(&ENTITY)))
}

/// Titles that are words or initials as often.
const DOUBTFUL: [&[u8]; 28] = [
    b"M.",
    b"Me",
    b"Don",
    b"Pan",
    b"Bay",
    b"Dom",
    b"Dona",
    b"Dame",
    b"Fr.",
    b"Sir",
    b"Hon.",
    b"On.",
    b"Fra",
    b"Sor",
    b"Sr",
    b"Sig",
    b"Col.",
    b"Gen.",
    b"Maj.",
    b"Arch.",
    b"Lady",
    b"Lord",
    b"Schwester",
    b"Sra",
    b"Mag.",
    b"Bc.",
    b"Lic.",
    b"Ds.",
];
/// Words that announce a title: `Title: Dr`, `my salutation should be Mrs`.
const ANNOUNCE: [&[u8]; 9] =
    [b"title", b"titles", b"titel", b"titre", b"titolo", "título".as_bytes(), b"salutation", b"anrede", b"honorific"];
/// Small words before a family name.
const PARTICLES: [&[u8]; 17] = [
    b"de", b"van", b"von", b"der", b"den", b"ter", b"la", b"da", b"dos", b"das", b"du", b"di", b"del", b"della", b"zu",
    b"vom", b"'t",
];
/// How far before a title such a word may start, in bytes.
const NEAR: usize = 40;

fn find(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let first = tape.at(at)?;
    if !word_starts(tape, at) || tape.before(at).is_some_and(|b| b >= 128 || b == b'-' || b == b'.') {
        return None;
    }
    address(tape, at, first).or_else(|| if first.is_ascii_uppercase() { job(tape, at) } else { None })
}

/// A form of address.
fn address(tape: &Tape<'_>, at: usize, first: u8) -> Option<Match> {
    let titles = TITLES.iter().map(|t| t.as_bytes()).filter(|t| t.first() == Some(&first));
    let end = titles
        .filter(|t| tape.starts(at, t))
        .map(|t| at + t.len())
        .filter(|end| precedes_name(tape, at, *end) || precedes_title(tape, *end) || is_announced(tape, at, *end))
        .max()?;
    let text = tape.slice(Span::new(at, end));
    if DOUBTFUL.contains(&text) && (matches!(text, b"Me" | b"Pan") || !starts_sentence(tape, at)) {
        return None;
    }
    Some(Match::new(end, Confidence::Medium))
}

/// Most bytes of a job title, and most words.
const JOB: usize = 56;
const JOB_WORDS: usize = 6;
/// How far before a job title a word that announces it may start, in bytes.
const JOB_NEAR: usize = 28;

/// Words that announce a job title.
const POSTS: [&[u8]; 22] = [
    b"job",
    b"occupation",
    b"profession",
    b"position",
    b"role",
    b"post",
    b"title",
    b"career",
    b"beruf",
    b"stelle",
    "tätigkeit".as_bytes(),
    "profesión".as_bytes(),
    b"profesion",
    b"puesto",
    b"cargo",
    b"poste",
    "métier".as_bytes(),
    b"professione",
    b"mansione",
    b"functie",
    b"beroep",
    b"stanowisko",
];

/// What people do, as the last word of an English job title.
const DOERS: &str = "|accountant|actor|actuary|administrator|adviser|advisor|agent|aide|analyst|anesthesiologist|\
    announcer|appraiser|arbitrator|archaeologist|architect|archivist|artist|assembler|assessor|assistant|astronomer|\
    attendant|attorney|auditor|baker|banker|barber|barista|barrister|bartender|biologist|bookbinder|bookkeeper|broker|\
    buyer|captain|cardiologist|caretaker|carpenter|cartographer|cashier|chairman|chaplain|chef|chemist|chiropractor|\
    choreographer|cleaner|clerk|coach|collector|commissioner|composer|conductor|constable|consultant|contractor|\
    controller|cook|coordinator|coroner|counselor|counsellor|courier|curator|dancer|dealer|dentist|dermatologist|\
    designer|detective|developer|dietitian|director|dispatcher|doctor|drafter|dressmaker|driller|driver|ecologist|\
    economist|editor|educator|electrician|embalmer|engineer|engraver|estimator|examiner|executive|expert|farmer|\
    firefighter|fisherman|fitter|florist|foreman|forester|fundraiser|gardener|geographer|geologist|geophysicist|glazier|\
    goldsmith|grader|guard|guide|hairdresser|handler|handyman|headhunter|helper|historian|hydrologist|hygienist|\
    illustrator|inspector|installer|instructor|interpreter|investigator|janitor|jeweler|jeweller|joiner|journalist|judge|\
    laborer|labourer|lawyer|leader|lecturer|librarian|lifeguard|linguist|lobbyist|locksmith|logistician|machinist|maid|\
    maker|manager|manicurist|mason|masseur|mathematician|mechanic|mediator|merchandiser|messenger|metallurgist|\
    meteorologist|microbiologist|midwife|miller|miner|minister|model|mortician|musician|neurologist|notary|nurse|\
    nutritionist|officer|oiler|operative|operator|optician|optometrist|orderly|organizer|owner|packer|painter|paralegal|\
    paramedic|pathologist|pharmacist|photographer|physician|physicist|physiotherapist|pilot|planner|plasterer|plumber|\
    podiatrist|porter|postmaster|presenter|president|presser|principal|printer|producer|professor|programmer|\
    projectionist|promoter|prosecutor|prosthetist|psychiatrist|psychologist|psychotherapist|publisher|radiographer|\
    radiologist|ranger|receptionist|recruiter|registrar|repairer|repairman|reporter|representative|researcher|\
    restaurateur|rigger|roofer|sailor|salesman|salesperson|saleswoman|sculptor|seamstress|secretary|server|setter|\
    signwriter|singer|smith|sociologist|solicitor|specialist|statistician|steward|stewardess|stockbroker|storekeeper|\
    strategist|stylist|superintendent|supervisor|surgeon|surveyor|tailor|teacher|technician|technologist|teller|tester|\
    therapist|tiler|toolmaker|trader|trainer|translator|trimmer|tuner|tutor|typist|underwriter|upholsterer|valuer|\
    veterinarian|waiter|waitress|warden|watchmaker|weaver|webmaster|welder|woodworker|worker|writer|yardmaster|zoologist|";

/// What somebody's post is called: `as a Marine biologist`, `Occupation: Train driver`. Behind an article it is written
/// with a capital and ends with a word for who does something.
fn job(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let before = tape.run_back(at, at.saturating_sub(4), Class::of(b" \t:=\"'"));
    if before == at {
        return None;
    }
    let gap = tape.slice(Span::new(before, at));
    let article =
        gap == b" " && matches!(word_ending(tape, before).as_slice(), b"a" | b"an" | b"as" | b"als" | b"senior");
    let colon = gap.iter().any(|b| matches!(b, b':' | b'='));
    let labelled = colon && POSTS.contains(&word_ending(tape, before).as_slice());
    if !article && !labelled && !word_before(tape, at, JOB_NEAR, &POSTS, true) {
        return None;
    }
    let (mut end, mut found) = (at, None);
    for _ in 0..JOB_WORDS {
        let stop = tape.run(end, at + JOB, Class::LOWER.or(Class::UPPER).or(Class::of(b"-/&")));
        if stop == end || stop >= at + JOB {
            break;
        }
        let word = tape.slice(Span::new(end, stop));
        let last = word.rsplit(|b| matches!(b, b'-' | b'/')).next().unwrap_or_default();
        let is_doer = !last.is_empty()
            && std::str::from_utf8(last).is_ok_and(|w| {
                memchr::memmem::find(DOERS.as_bytes(), format!("|{}|", w.to_ascii_lowercase()).as_bytes()).is_some()
            });
        if is_doer && !tape.at(stop).is_some_and(|b| Class::WORD.has(b) || b >= 128 || b == b'\'') {
            found = Some(stop);
        }
        if tape.at(stop) != Some(b' ') {
            break;
        }
        end = stop + 1;
    }
    found.map(|end| Match::new(end, Confidence::Low))
}

/// True where no name is under way: `Barbara M. Probst` has no title.
fn starts_sentence(tape: &Tape<'_>, at: usize) -> bool {
    if !matches!(tape.before(at), None | Some(b'\n' | b' ' | b'(' | b'"')) {
        return false;
    }
    let gap = tape.run_back(at, at.saturating_sub(2), Class::of(b" "));
    let word = tape.run_back(gap, gap.saturating_sub(24), Class::ALNUM);
    gap == word || !tape.at(word).is_some_and(|b| b.is_ascii_uppercase())
}

/// True where a blank and a capital follow; behind a title in capitals a word in capitals, behind a small one a letter.
fn precedes_name(tape: &Tape<'_>, at: usize, end: usize) -> bool {
    let from = tape.run(end, end + 2, Class::of(b" "));
    let (first, second) = (tape.at(at), tape.at(at + 1));
    let small = first.is_some_and(|b| b.is_ascii_lowercase());
    let loud = second.is_some_and(|b| b.is_ascii_uppercase());
    // Capitals outside ASCII have two bytes in the languages read.
    let capital = |b: u8| b.is_ascii_uppercase() || matches!(b, 0xC3..=0xC5 | 0xCE | 0xD0);
    let letter = |b: u8| b.is_ascii_alphabetic() || b >= 128;
    // `Dhr. de Bruijn`, `Frau von der Aue`: small words come first.
    let mut from = from;
    for _ in 0..2 {
        let Some(particle) = any_at(tape, from, &PARTICLES).filter(|_| from > end) else { break };
        if tape.at(particle) == Some(b' ') {
            from = particle + 1;
        }
    }
    from > end
        && tape.at(from).is_some_and(|b| if small { letter(b) } else { capital(b) })
        && tape.at(from + 1).is_some_and(|b| {
            if loud {
                b.is_ascii_uppercase() || b >= 128 || b == b'.'
            } else {
                b.is_ascii_alphabetic() || b >= 128 || b == b'.' || b == b'\''
            }
        })
}

/// True where another title follows, as in `Mr. and Mrs.`.
fn precedes_title(tape: &Tape<'_>, end: usize) -> bool {
    let from = tape.run(end, end + 1, Class::of(b" "));
    let joined = any_at(tape, from, &[b"and", b"&", b"und", b"et", b"y", b"e", b"or", b"/"]);
    let next = joined.map(|end| tape.run(end, end + 1, Class::of(b" ")));
    from > end
        && next.is_some_and(|next| {
            TITLES.iter().any(|t| {
                t.len() > 1
                    && tape.starts(next, t.as_bytes())
                    && !tape.at(next + t.len()).is_some_and(|b| Class::ALNUM.has(b) || b >= 128)
            })
        })
}

/// True where a word for titles stands before, and the title is a word of its own.
fn is_announced(tape: &Tape<'_>, at: usize, end: usize) -> bool {
    !tape.at(end).is_some_and(|b| Class::WORD.has(b) || b >= 128 || b == b'-')
        && word_before(tape, at, NEAR, &ANNOUNCE, true)
}
