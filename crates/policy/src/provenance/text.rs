//! Normal forms of values, and the places of a value in a text.
//!
//! Two values are the same where they mean the same to the tool that gets them: letter case, spaces, the grouping of an
//! account number, the scheme of a web address. They are not the same where they only look alike.

use std::collections::{HashMap, HashSet};

use unicode_normalization::UnicodeNormalization as _;

use super::figure::{self, Figure};
use super::{translate, vocab};

/// What a value looks like, whatever its argument is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// A mail address.
    Email,
    /// A web address, with or without scheme.
    Url,
    /// An international bank account number.
    Iban,
    /// A telephone number.
    Phone,
    /// Digits, perhaps with sign, separators and decimals.
    Number,
    /// A date, a time of day, or both.
    Moment,
    /// Anything else.
    Words,
}

/// True for characters that nobody sees: they must not make two values equal, nor hide in one.
pub(crate) fn invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The form in which values are compared: composed, lower case, single spaces, no invisible characters.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = true;
    let mut add = |c: char| {
        if c.is_whitespace() {
            if !space {
                out.push(' ');
            }
            space = true;
        } else if c.is_ascii() {
            out.push(c);
            space = false;
        } else if !invisible(c) {
            out.push(match c {
                '\u{2018}' | '\u{2019}' => '\'',
                '\u{201c}' | '\u{201d}' => '"',
                '\u{2010}'..='\u{2015}' => '-',
                c => c,
            });
            space = false;
        }
    };
    if text.is_ascii() {
        text.bytes().map(|b| char::from(b.to_ascii_lowercase())).for_each(&mut add);
    } else {
        text.nfc().flat_map(char::to_lowercase).for_each(&mut add);
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

/// True where a value hides characters or uses compatibility forms. It then counts as somebody's only as written.
pub(crate) fn disguised(value: &str) -> bool {
    !value.is_ascii() && (value.chars().any(invisible) || value.nfkc().ne(value.nfc()))
}

/// What a value looks like.
pub(crate) fn shape(value: &str) -> Shape {
    let value = value.trim();
    if value.is_empty() || value.len() > 2048 {
        return Shape::Words;
    }
    if is_email(value) {
        return Shape::Email;
    }
    if is_url(value) {
        return Shape::Url;
    }
    if is_moment(value) {
        return Shape::Moment;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    if digits > 0 && value.bytes().all(|b| b.is_ascii_digit() || b" +-().,/".contains(&b)) {
        let phone =
            (value.starts_with('+') || value.starts_with("00") || value.contains([' ', '-', '('])) && digits >= 7;
        return if phone && digits <= 15 { Shape::Phone } else { Shape::Number };
    }
    if is_iban(value) { Shape::Iban } else { Shape::Words }
}

fn is_email(value: &str) -> bool {
    let Some((local, domain)) = value.rsplit_once('@') else { return false };
    !local.is_empty()
        && !value.contains(|c: char| c.is_whitespace() || "<>,;/".contains(c))
        && domain.rsplit_once('.').is_some_and(|(host, top)| !host.is_empty() && top.len() >= 2)
}

fn is_url(value: &str) -> bool {
    if value.contains(char::is_whitespace) || value.contains('@') && !value.contains("://") {
        return false;
    }
    if let Some((scheme, rest)) = value.split_once("://") {
        return !rest.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    }
    let lower = value.to_ascii_lowercase();
    if ["data:", "javascript:", "mailto:", "file:", "tel:"].iter().any(|s| lower.starts_with(s)) {
        return true;
    }
    if is_ip(&lower) {
        return true;
    }
    let host = lower.split(['/', '?', '#', ':']).next().unwrap_or_default();
    is_host(host) && (lower.starts_with("www.") || lower.len() > host.len() || !is_file_name(host))
}

/// An address of the network, with or without port, path or length of its prefix.
fn is_ip(value: &str) -> bool {
    let host = value.split(['/', '?', '#']).next().unwrap_or_default();
    let six = host.strip_prefix('[').and_then(|h| h.split_once(']')).map_or(host, |(h, _)| h);
    let four = host.split_once(':').map_or(host, |(h, _)| h);
    four.parse::<std::net::Ipv4Addr>().is_ok()
        || six.contains("::") && six.len() > 2 && six.parse::<std::net::Ipv6Addr>().is_ok()
        || six.matches(':').count() == 7 && six.parse::<std::net::Ipv6Addr>().is_ok()
}

/// A name with dots of which the last part is a top-level domain by its form.
pub(crate) fn is_host(host: &str) -> bool {
    let Some((front, top)) = host.rsplit_once('.') else { return false };
    !front.is_empty()
        && (2..=18).contains(&top.len())
        && top.bytes().all(|b| b.is_ascii_alphabetic())
        && front
            .split('.')
            .all(|l| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b >= 128))
}

/// Endings of file names; some are top-level domains too, but in a bare name a file is meant.
const FILE_ENDINGS: &[&str] = &[
    "bak", "bash", "bin", "bmp", "c", "cfg", "conf", "cpp", "cs", "css", "csv", "db", "doc", "docx", "eml", "env",
    "exe", "gif", "go", "gz", "h", "heic", "html", "htm", "ics", "ini", "ipynb", "java", "jpeg", "jpg", "js", "json",
    "jsonl", "jsx", "key", "kt", "lock", "log", "lua", "md", "mjs", "mov", "mp3", "mp4", "odt", "parquet", "pdf",
    "pem", "php", "pl", "png", "ppt", "pptx", "ps", "psd", "py", "rb", "rs", "rst", "rtf", "scala", "sh", "sql", "svg",
    "swift", "tar", "tex", "tif", "toml", "ts", "tsv", "tsx", "txt", "vue", "wav", "webp", "xls", "xlsx", "xml",
    "yaml", "yml", "zip",
];

/// True where a bare name is rather a file than a host.
pub(crate) fn is_file_name(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(front, end)| !front.is_empty() && FILE_ENDINGS.contains(&end.to_ascii_lowercase().as_str()))
}

fn is_iban(value: &str) -> bool {
    if value.len() > 48 {
        return false;
    }
    let compact: Vec<u8> = value.bytes().filter(|b| *b != b' ').collect();
    (15..=34).contains(&compact.len())
        && compact.iter().take(2).all(u8::is_ascii_alphabetic)
        && compact.iter().skip(2).take(2).all(u8::is_ascii_digit)
        && compact.iter().all(u8::is_ascii_alphanumeric)
        && compact.iter().filter(|b| b.is_ascii_digit()).count() >= 8
}

fn is_moment(value: &str) -> bool {
    let b = value.as_bytes();
    let digit = |i: usize| b.get(i).is_some_and(u8::is_ascii_digit);
    let tail_ok = b.iter().all(|c| c.is_ascii_digit() || b"-:/T .Z+".contains(c));
    let ymd = (0..4).all(digit) && b.get(4).is_some_and(|c| b"-/.".contains(c)) && digit(5);
    let dmy = digit(0) && (b.get(2).is_some_and(|c| b"/.".contains(c)) && digit(3)) && b.len() >= 8;
    let clock = value.len() <= 8 && digit(0) && value.contains(':');
    tail_ok && value.len() <= 35 && (ymd || dmy || clock)
}

/// The key under which a value is looked up: what it means, freed of how it is written.
pub(crate) fn key(value: &str, shape: Shape) -> String {
    match shape {
        Shape::Url => canonical_url(value),
        Shape::Iban => value.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect(),
        Shape::Phone => {
            value.chars().filter(char::is_ascii_digit).collect::<String>().trim_start_matches('0').to_owned()
        }
        Shape::Number => canonical_number(value),
        Shape::Email | Shape::Moment | Shape::Words => fold(value),
    }
}

/// `1,200.00` is `1200`; an identifier with leading zeros stays.
pub(crate) fn canonical_number(value: &str) -> String {
    let plain: String = value.chars().filter(|c| !c.is_whitespace() && *c != ',').collect();
    match plain.split_once('.') {
        Some((whole, cents)) if cents.bytes().all(|b| b == b'0') => whole.to_owned(),
        Some((whole, cents)) => format!("{whole}.{}", cents.trim_end_matches('0')),
        None => plain,
    }
}

/// Scheme and `www.` off, host in lower case, no slash at the end; path and query as written.
fn canonical_url(value: &str) -> String {
    let value = value.trim();
    let lower = value.to_ascii_lowercase();
    let cut = ["https://www.", "http://www.", "https://", "http://", "www."]
        .iter()
        .find(|p| lower.starts_with(**p))
        .map_or(0, |p| p.len());
    let rest = value.get(cut..).unwrap_or(value);
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(host_end).unwrap_or((rest, ""));
    let path = path.strip_suffix('/').unwrap_or(path);
    format!("{}{}", fold(host), path)
}

/// A text that values are looked for in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    folded: String,
    /// Every word.
    words: HashSet<String>,
    /// The stem of every word, and where in the order a word of it stands.
    stems: HashMap<String, Vec<usize>>,
    /// Every word that is long enough, by its first letters.
    fronts: HashMap<String, Vec<String>>,
    /// Words in order.
    sequence: Vec<String>,
    /// Addresses in it, by [`key`].
    addresses: HashSet<(Shape, String)>,
    /// What shapes they have.
    shapes: HashSet<Shape>,
    /// Forms of the identifiers in it.
    forms: HashSet<String>,
    /// Words that may be names.
    names: HashSet<String>,
    /// The text as written.
    verbatim: String,
    figures: Vec<Figure>,
    /// Their numbers.
    numbers: HashSet<String>,
    dates: HashSet<(u8, u8)>,
    /// English verbs that it asks with in other words.
    verbs: HashSet<&'static str>,
}

impl Words {
    /// Adds text. Parts never run together.
    pub(crate) fn push(&mut self, text: &str) {
        if !self.folded.is_empty() {
            self.folded.push_str(" \n ");
        }
        self.folded.push_str(&fold(text));
        self.verbatim.push('\n');
        self.verbatim.push_str(text);
        let before = self.sequence.len();
        for token in tokens(text) {
            self.stems.entry(stem(&token)).or_default().push(self.sequence.len());
            self.sequence.push(token.clone());
            if self.words.contains(&token) {
                continue;
            }
            if let Some(front) = front(&token) {
                self.fronts.entry(front.to_owned()).or_default().push(token.clone());
            }
            self.words.insert(token);
        }
        self.sequence.push(String::new());
        let mut inside = false;
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
            let token = fold(word);
            let capital = word.chars().next().is_some_and(char::is_uppercase);
            if capital && inside || !vocab::is_common(&token) {
                self.names.insert(token);
            }
            inside = true;
        }
        let found = addresses(text);
        self.shapes.extend(found.iter().map(|(shape, _)| *shape));
        self.addresses.extend(found);
        let identifiers = bare_words(text).filter(|w| is_identifier(w));
        self.forms.extend(identifiers.map(form));
        let known = self.figures.len();
        figure::read(text, &mut self.figures, &mut self.dates);
        self.numbers.extend(self.figures.iter().skip(known).map(|f| f.key.clone()));
        self.verbs.extend(translate::verbs(self.sequence.get(before..).unwrap_or_default()));
    }

    /// How long the folded text is.
    pub(crate) const fn bytes(&self) -> usize {
        self.folded.len()
    }

    /// True where nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.sequence.is_empty()
    }

    /// Absolute paths that the text calls the folder in which somebody works.
    pub(crate) fn working_directories(&self) -> Vec<String> {
        const NAMES: [&str; 5] = ["working directory", "workspace", "project root", "repository root", "cwd"];
        let path = |line: &str| {
            let words = line.split_whitespace().map(|w| w.trim_matches(|c: char| "\"'`<>()[],;:.".contains(c)));
            let mut paths = words.filter(|w| w.starts_with('/') && w.matches('/').count() >= 2 && !w.contains(".."));
            paths.next().map(|path| path.trim_end_matches('/').to_owned())
        };
        let named = |line: &&str| {
            let line = line.to_ascii_lowercase();
            NAMES.iter().any(|name| line.contains(name))
        };
        self.verbatim.lines().filter(|line| line.len() <= 1024).filter(named).filter_map(path).take(8).collect()
    }

    /// The words in order; an empty word parts the texts.
    pub(crate) fn sequence(&self) -> &[String] {
        &self.sequence
    }

    /// True where a word stands in the text, in this or another form.
    pub(crate) fn has(&self, token: &str) -> bool {
        let known = |word: &str| self.words.contains(word) || self.stems.contains_key(word);
        known(token) || known(&stem(token))
    }

    /// A word that stands in the text in just this form.
    pub(crate) fn word(&self, word: &str) -> Option<&str> {
        self.words.get(word).map(String::as_str)
    }

    /// True where a word stands in the text in just this form.
    pub(crate) fn says(&self, word: &str) -> bool {
        self.words.contains(word)
    }

    /// Where in the order the words of a stem stand.
    pub(crate) fn places(&self, stemmed: &str) -> &[usize] {
        self.stems.get(stemmed).map(Vec::as_slice).unwrap_or_default()
    }

    /// True where a word stands in the text in just this form, and there as a name: a verb only with a capital.
    pub(crate) fn has_name(&self, token: &str) -> bool {
        self.names.contains(token)
    }

    /// True where a word of the text begins like this one.
    pub(crate) fn has_like(&self, token: &str) -> bool {
        let same = |other: &String| {
            let shared = token.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
            shared * 5 >= token.chars().count().min(other.chars().count()) * 3
        };
        self.has(token) && front(token).is_some() || self.like(token).iter().any(same)
    }

    /// The words that begin with the same letters.
    pub(crate) fn like(&self, token: &str) -> &[String] {
        front(token).and_then(|front| self.fronts.get(front)).map(Vec::as_slice).unwrap_or_default()
    }

    /// True where the text uses a word as a verb that is not said of the reader's answer: "email Bob" asks for a mail, "an
    /// email", "their email" and "tell me" do not.
    pub(crate) fn asks(&self, verb: &str) -> bool {
        const NOUN_BEFORE: &[&str] = &[
            "a", "an", "the", "my", "your", "his", "her", "their", "our", "its", "this", "that", "these", "those",
            "in", "on", "of", "from", "by", "via", "per", "unread", "recent", "last", "latest", "each", "every", "any",
            "all", "no", "new", "which", "what", "received",
        ];
        const TO_READER: &[&str] =
            &["give", "tell", "let", "say", "answer", "inform", "show", "report", "share", "leave", "put"];
        if self.verbs.contains(verb) {
            return true;
        }
        let wanted = stem(verb);
        if !self.has(verb) {
            return slips(verb).any(|slip| self.says(&slip));
        }
        let noun = vocab::NOUNS_TOO.contains(&verb);
        let at = |i: usize| self.sequence.get(i).map(String::as_str).unwrap_or_default();
        self.places(&wanted).iter().map(|i| (*i, at(*i))).any(|(i, word)| {
            word.starts_with(wanted.get(..1).unwrap_or_default())
                && !(noun && (word.ends_with('s') && !verb.ends_with('s') || i > 0 && NOUN_BEFORE.contains(&at(i - 1))))
                && !(noun && matches!(at(i + 1), "address" | "addresses" | "id" | "ids" | "number" | "from" | "about"))
                && !(TO_READER.contains(&verb) && matches!(at(i + 1), "me" | "us"))
        })
    }

    /// True where an address stands in the text.
    pub(crate) fn has_address(&self, shape: Shape, key: &str) -> bool {
        self.addresses.contains(&(shape, key.to_owned()))
    }

    /// True where any address of that shape stands in the text.
    pub(crate) fn has_address_of(&self, shape: Shape) -> bool {
        self.shapes.contains(&shape)
    }

    /// How much, how many and how long the text speaks of.
    pub(crate) fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// True where the text holds another identifier of the same form: `BP-2026-0417` for `BP-2026-0398`.
    pub(crate) fn has_another_like(&self, value: &str) -> bool {
        if !is_identifier(value) || self.holds(value, Shape::Words) {
            return false;
        }
        self.forms.contains(&form(value))
    }

    /// Days that the text names, as month and day.
    pub(crate) fn dates(&self) -> &HashSet<(u8, u8)> {
        &self.dates
    }

    /// True where a value stands in the text as a whole, not as a part of something longer.
    pub(crate) fn holds(&self, value: &str, shape: Shape) -> bool {
        self.find(value, shape).0
    }

    /// The same, and how many bytes were looked at for it.
    pub(crate) fn find(&self, value: &str, shape: Shape) -> (bool, usize) {
        if disguised(value) {
            return (bounded(&self.verbatim, value.trim()), self.verbatim.len());
        }
        match shape {
            Shape::Email | Shape::Url | Shape::Iban | Shape::Phone => {
                (self.addresses.contains(&(shape, key(value, shape))), value.len())
            }
            Shape::Number => {
                let wanted = key(value, shape);
                let (found, bytes) = self.bounds(&fold(value));
                if found || self.numbers.contains(&wanted) {
                    return (true, bytes);
                }
                let (found, more) = if wanted.len() >= 5 { self.bounds(&wanted) } else { (false, 0) };
                (found, bytes + more)
            }
            Shape::Moment | Shape::Words => {
                let folded = fold(value);
                if folded.chars().filter(|c| c.is_alphanumeric()).count() < 2 {
                    return (false, folded.len());
                }
                self.bounds(&folded)
            }
        }
    }

    /// True where the folded text holds a folded value, and how many bytes were looked at for it.
    fn bounds(&self, folded: &str) -> (bool, usize) {
        // A part of it that is no word of the text is cheaper to look up.
        let lacks = |word: &str| !word.is_empty() && !self.words.contains(word);
        if folded.is_ascii() && folded.split(|c: char| !c.is_ascii_alphanumeric()).any(lacks) {
            return (false, folded.len());
        }
        (bounded(&self.folded, folded), self.folded.len())
    }

    /// The words right before the places of a value, nearest last.
    pub(crate) fn before(&self, value: &str) -> Vec<Vec<String>> {
        let folded = fold(value);
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(at) = self.folded.get(from..).and_then(|rest| rest.find(&folded)).map(|i| i + from) {
            if found.len() >= 16 || folded.is_empty() {
                break;
            }
            if is_bounded(&self.folded, at, at + folded.len()) {
                let mut start = at.saturating_sub(80);
                while !self.folded.is_char_boundary(start) {
                    start += 1;
                }
                found.push(tokens(self.folded.get(start..at).unwrap_or_default()).collect());
            }
            from = at + folded.len();
        }
        found
    }
}

/// The first letters of a word, by which words are alike; none where it has less.
fn front(word: &str) -> Option<&str> {
    let (last, c) = word.char_indices().nth(3)?;
    word.get(..last + c.len_utf8())
}

/// A verb with two letters that have changed places.
fn slips(verb: &str) -> impl Iterator<Item = String> + '_ {
    let letters = verb.as_bytes();
    let pairs = if letters.len() >= 5 { letters.len() - 1 } else { 0 };
    (0..pairs).filter_map(move |at| {
        let mut turned = letters.to_vec();
        turned.swap(at, at + 1);
        // The same letter twice is no slip.
        String::from_utf8(turned).ok().filter(|slip| slip != verb)
    })
}

/// The words of a text between spaces, without the marks around them.
fn bare_words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(|w| w.trim_matches(|c: char| !c.is_alphanumeric()))
}

/// True for a word that may be an identifier of some form.
fn is_identifier(text: &str) -> bool {
    (4..=64).contains(&text.len())
        && text.chars().any(char::is_alphabetic)
        && text.bytes().filter(u8::is_ascii_digit).count() >= 3
        && !text.contains(char::is_whitespace)
}

/// The form of an identifier: its digits told only as such.
fn form(text: &str) -> String {
    let mut form = String::new();
    for c in fold(text).chars() {
        let c = if c.is_ascii_digit() { '0' } else { c };
        if c != '0' || !form.ends_with('0') {
            form.push(c);
        }
    }
    form
}

/// True where `needle` stands in `hay` with nothing that belongs to it on either side.
fn bounded(hay: &str, needle: &str) -> bool {
    if needle.is_empty() {
        return false;
    }
    hay.match_indices(needle).take(64).any(|(at, found)| is_bounded(hay, at, at + found.len()))
}

fn is_bounded(hay: &str, start: usize, end: usize) -> bool {
    let before = hay.get(..start).and_then(|h| h.chars().next_back());
    let mut after = hay.get(end..).unwrap_or_default().chars();
    let next = after.next();
    let joins = |c: char| c.is_alphanumeric() || c == '_' || c == '@';
    let left = before.is_none_or(|c| !joins(c) && !"/.\\+-".contains(c));
    let right = next.is_none_or(|c| {
        !joins(c)
            && (!"/.-\\:".contains(c)
                || after.next().is_none_or(|d| d.is_whitespace() || !(joins(d) || "/.-\\".contains(d))))
    });
    left && right
}

/// The words of a text in lower case: runs of letters and digits.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric() && !invisible(c))
        .filter(|t| !t.is_empty())
        .map(|t| if t.is_ascii() { t.to_ascii_lowercase() } else { fold(t) })
}

/// The words of a name in code: `searchFiles_byName` is `search files by name`.
pub(crate) fn name_tokens(name: &str) -> Vec<String> {
    let lower = |word: &str| {
        if word.is_ascii() {
            word.to_ascii_lowercase()
        } else {
            // Each character by itself: a sigma at the end is no other word.
            word.chars().flat_map(char::to_lowercase).collect()
        }
    };
    name_pieces(name).map(lower).collect()
}

/// The same words as they are written.
pub(crate) fn name_pieces(name: &str) -> impl Iterator<Item = &str> {
    let end = name.char_indices().nth(256).map_or(name.len(), |(at, _)| at);
    let mut rest = name.get(..end).unwrap_or_default();
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let mut lower = false;
        let ends = |(_, c): &(usize, char)| {
            let ends = !c.is_alphanumeric() || c.is_uppercase() && lower;
            lower = c.is_lowercase() || c.is_ascii_digit();
            ends
        };
        let at = rest.char_indices().find(ends).map_or(rest.len(), |(at, _)| at);
        let (word, behind) = rest.split_at_checked(at)?;
        rest = behind;
        (!word.is_empty()).then_some(word)
    })
}

/// A rough stem, the same for the forms of a regular English word.
pub(crate) fn stem(word: &str) -> String {
    let mut w = word;
    for (end, least) in
        [("ings", 4), ("ing", 4), ("ied", 3), ("ies", 3), ("ed", 4), ("es", 4), ("s", 3), ("e", 3), ("y", 3)]
    {
        if let Some(cut) = w.strip_suffix(end)
            && cut.chars().count() >= least - 1
            && !(end == "s" && cut.ends_with('s'))
        {
            w = cut;
            break;
        }
    }
    // A doubled last consonant comes with the ending: `cancelled`, `running`.
    let b = w.as_bytes();
    if let [.., a, c] = b
        && a == c
        && c.is_ascii_alphabetic()
        && !b"seaiou".contains(c)
        && w.len() > if *c == b'l' { 5 } else { 3 }
    {
        w = w.get(..w.len() - 1).unwrap_or(w);
    }
    let w = w.strip_suffix('e').filter(|c| c.len() >= 3).unwrap_or(w);
    w.to_owned()
}

/// Every mail address, web address, account and telephone number in a text, by [`key`].
pub(crate) fn addresses(text: &str) -> HashSet<(Shape, String)> {
    let mut found = HashSet::new();
    let opens =
        |c: char| c.is_whitespace() || "<>()[]{}\"'`,;|*\u{201c}\u{201d}\u{2018}\u{2019}\u{ab}\u{bb}".contains(c);
    for word in text.split(opens) {
        let word = word.trim_matches(|c: char| ".:!?,;_~=".contains(c) || invisible(c));
        if word.len() < 4 {
            continue;
        }
        for part in std::iter::once(word).chain(word.split(['=', '\u{3002}']).skip(1)) {
            let part = part.strip_prefix("mailto:").unwrap_or(part);
            let kind = shape(part);
            if matches!(kind, Shape::Email | Shape::Url | Shape::Iban) {
                found.insert((kind, key(part, kind)));
            }
            // A sentence that starts without a space: `www.example.com.They`.
            if let Some((front, next)) = part.rsplit_once('.')
                && next.starts_with(char::is_uppercase)
                && next.chars().skip(1).all(char::is_lowercase)
                && !front.contains(char::is_uppercase)
                && matches!(shape(front), Shape::Email | Shape::Url)
            {
                found.insert((shape(front), key(front, shape(front))));
            }
        }
    }
    // Numbers that are written in groups.
    grouped(text, &mut found);
    found
}

/// Account and telephone numbers, which may hold spaces.
fn grouped(text: &str, found: &mut HashSet<(Shape, String)>) {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || ",;<>\"'`".contains(c)).collect();
    for (at, word) in words.iter().enumerate() {
        let word = word.trim_matches(|c: char| ".:!?)(".contains(c));
        let iban = word.len() >= 4
            && word.bytes().take(2).all(|b| b.is_ascii_alphabetic())
            && word.bytes().skip(2).take(2).all(|b| b.is_ascii_digit());
        let phone = word.starts_with(['+', '0', '(']) || word.bytes().filter(u8::is_ascii_digit).count() >= 3;
        if !iban && !phone {
            continue;
        }
        let mut joined = String::new();
        for more in words.iter().skip(at).take(9) {
            let more = more.trim_end_matches(['.', ':', '!', '?']);
            if !more.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-()".contains(&b))
                || !more.bytes().any(|b| b.is_ascii_digit())
            {
                break;
            }
            if !joined.is_empty() {
                joined.push(' ');
            }
            joined.push_str(more);
            let kind = shape(&joined);
            if matches!(kind, Shape::Iban | Shape::Phone) {
                found.insert((kind, key(&joined, kind)));
            }
        }
    }
}

/// How often each word of a list stands in a text; used to tell apart records by their titles.
pub(crate) fn covered<'a>(title: &str, words: &Words, idle: impl Fn(&str) -> bool + 'a) -> bool {
    let mut counted: HashMap<String, ()> = HashMap::new();
    for token in tokens(title).take(64) {
        if !idle(&token) {
            counted.insert(token, ());
        }
    }
    !counted.is_empty() && counted.keys().all(|t| words.has(t))
}
