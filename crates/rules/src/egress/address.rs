//! What an address says: where it leads, and whether it carries data.

use std::borrow::Cow;

use crate::secret::quality;

/// Hosts that may be fetched from.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    exact: Vec<String>,
    below: Vec<String>,
}

impl Allowed {
    /// Reads `example.com` and `*.example.com`.
    pub(crate) fn new(hosts: &[String]) -> Result<Self, (String, String)> {
        let mut all = Self::default();
        for host in hosts {
            let lower = host.to_ascii_lowercase();
            let (name, list) = match lower.strip_prefix("*.") {
                Some(name) => (name, &mut all.below),
                None => (lower.as_str(), &mut all.exact),
            };
            if name.is_empty() || name.contains(['*', '/', ':', '@', ' ', '?', '#', '\\']) {
                let reason = "is no host; write `example.com` or `*.example.com`, without scheme, port or path";
                return Err((host.clone(), reason.to_owned()));
            }
            list.push(name.to_owned());
        }
        Ok(all)
    }

    fn has(&self, host: &str) -> bool {
        self.exact.iter().any(|h| h == host)
            || self.below.iter().any(|h| {
                host.strip_suffix(h.as_str()).and_then(|rest| rest.strip_suffix('.')).is_some_and(|r| !r.is_empty())
            })
    }
}

/// What data an address carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Payload {
    /// None to speak of.
    None,
    /// Words: a search, a title, or a sentence that is sent away.
    Words,
    /// Characters that look random and no longer than ids are: a hash, a UUID, a share link.
    Token,
    /// Text in an encoding, more random characters than an id has, or a place to put data.
    Opaque,
}

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// Nowhere that matters: the same site, an allowed host, a mail program.
    Home,
    /// Another host.
    Away(Payload),
    /// A document or script in the address itself.
    Active,
}

/// Bits from which text in a query or fragment counts as data. A word or a number is below.
const WORDS: f32 = 40.0;
/// Characters from which text counts as opaque.
const OPAQUE: usize = 16;
/// Entropy from which text counts as opaque, in bits a character.
const OPAQUE_ENTROPY: f32 = 3.0;
/// Longest number that is an id or a time.
const NUMBER: usize = 13;
/// Longest id: a SHA-256 in hexadecimal digits.
const TOKEN: usize = 64;
/// Longest value of a parameter that trackers of clicks are known for.
const TRACKER: usize = 160;
/// Random characters that one address may carry as ids together.
const TOKENS: usize = 192;
/// Bytes from which decoded characters count as text.
const DECODED: usize = 12;
/// Bytes of text in a row that random bytes do not have.
const STRETCH: usize = 18;
/// As [`OPAQUE`], for parts of a path and labels of a host, which look random more often.
const LONG: usize = 24;

/// Undoes what browsers undo before they look at an address: character references, blanks at the ends, tabs and line
/// breaks anywhere, backslashes for slashes.
pub(crate) fn as_browsers_read(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.trim_matches(|c: char| c <= ' ');
    while let Some(first) = rest.chars().next() {
        if first == '&'
            && let Some((name, after)) = rest.get(1..).and_then(|r| r.split_once(';')).filter(|(n, _)| n.len() <= 8)
            && let Some(decoded) = reference(name)
        {
            out.push(decoded);
            rest = after;
            continue;
        }
        out.push(first);
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    out.retain(|c| !matches!(c, '\t' | '\n' | '\r'));
    out
}

/// The character of an HTML reference that matters in addresses.
fn reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name.to_ascii_lowercase().as_str() {
        "amp" => '&',
        "colon" => ':',
        "sol" => '/',
        "bsol" => '\\',
        "period" => '.',
        "quest" => '?',
        "equals" => '=',
        "tab" => '\t',
        "newline" => '\n',
        "commat" => '@',
        "num" => '#',
        _ => return None,
    })
}

/// Undoes percent signs once.
fn percent(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match (byte, hex(ahead.next()), hex(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                out.extend(u8::try_from(high * 16 + low));
                bytes = ahead;
            }
            _ => out.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// Reads an address as a client would. `relative` says that it stands where an address without a scheme is
/// understood.
pub(crate) fn target(text: &str, allowed: &Allowed) -> Target {
    let address = as_browsers_read(text);
    let scheme_end = address.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')));
    let (scheme, rest) = match scheme_end.and_then(|at| address.split_at_checked(at)) {
        Some((scheme, rest)) if rest.starts_with(':') && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            (scheme.to_ascii_lowercase(), rest.get(1..).unwrap_or_default())
        }
        _ => (String::new(), address.as_str()),
    };
    match scheme.as_str() {
        "javascript" | "vbscript" => return Target::Active,
        "data" => {
            let kind = rest.trim_start().to_ascii_lowercase();
            let active = ["text/html", "text/xml", "application/xhtml", "image/svg", "text/javascript"];
            return if active.iter().any(|a| kind.starts_with(a)) { Target::Active } else { Target::Home };
        }
        "http" | "https" | "ftp" | "ws" | "wss" | "" => {}
        _ => return Target::Home,
    }
    let slashes = rest.chars().take_while(|c| matches!(c, '/' | '\\')).count();
    // Without a scheme two slashes are needed; with one, clients take any number of them.
    if scheme.is_empty() && slashes < 2 {
        return Target::Home;
    }
    let rest = rest.trim_start_matches(['/', '\\']);
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, place) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = host(authority);
    if host.is_empty() || allowed.has(&host) {
        return Target::Home;
    }
    Target::Away(payload(&host, place))
}

/// The host of an authority: user and password, port, final dot and percent signs taken off.
fn host(authority: &str) -> String {
    let after_user = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match after_user.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => after_user.split(':').next().unwrap_or_default(),
    };
    // Dots of other scripts separate labels as well (UTS #46).
    let dots = percent(host).replace(['\u{3002}', '\u{ff0e}', '\u{ff61}'], ".");
    dots.to_lowercase().trim_end_matches('.').to_owned()
}

fn bits(text: &str) -> f32 {
    quality::entropy(text.as_bytes()) * text.len() as f32
}

/// True where at least `least` characters are neither words nor numbers.
fn is_opaque(text: &str, least: usize) -> bool {
    if text.len() < least || text.contains(' ') || quality::entropy(text.as_bytes()) < OPAQUE_ENTROPY {
        return false;
    }
    let known = |part: &str| {
        quality::is_word(part.as_bytes()) || (part.len() <= NUMBER && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric());
    parts.filter(|part| !known(part)).map(str::len).sum::<usize>() >= least
}

/// True for a place where data is to be put: `{{data}}`, `[DATA]`, `${x}`, `<secret>`, `%s`.
fn is_slot(text: &str) -> bool {
    let inside =
        |open: char, close: char| text.find(open).is_some_and(|at| text.get(at..).is_some_and(|t| t.contains(close)));
    inside('{', '}') || inside('[', ']') || inside('<', '>')
}

/// Parameters that advertisers and mail senders add to links.
const TRACKERS: &[&str] = &[
    "gclid",
    "dclid",
    "gbraid",
    "wbraid",
    "fbclid",
    "msclkid",
    "twclid",
    "ttclid",
    "yclid",
    "igshid",
    "igsh",
    "mc_cid",
    "mc_eid",
    "_hsenc",
    "_hsmi",
    "mkt_tok",
    "srsltid",
    "epik",
    "li_fat_id",
    "scid",
    "ref",
    "ref_src",
    "_ga",
    "_gl",
];

fn is_tracker(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("utm_") || TRACKERS.contains(&name.as_str())
}

/// What a part of an address carries that has at least `least` random characters: an id of at most `most`, or data.
fn random(text: &str, least: usize, most: usize) -> Payload {
    if !is_opaque(text, least) {
        return Payload::None;
    }
    let runs = || text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '/')));
    if runs().any(|run| run.len() > most || hides_text(run)) { Payload::Opaque } else { Payload::Token }
}

/// True where characters are text in base64, base32 or hexadecimal digits, wherever in them it starts.
fn hides_text(run: &str) -> bool {
    let bytes = run.as_bytes();
    (0..4).any(|skip| {
        let rest = bytes.get(skip..).unwrap_or_default();
        (5..=6).any(|bits| is_text(&decode(rest, bits))) || (skip < 2 && is_text(&decode(rest, 4)))
    })
}

/// Characters of `bits` bits each as bytes, up to the first that is none.
fn decode(characters: &[u8], bits: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(characters.len());
    let (mut held, mut count) = (0_u32, 0);
    for c in characters {
        let value = match (bits, c) {
            (4, b'0'..=b'9') => c - b'0',
            (4, b'a'..=b'f') => c - b'a' + 10,
            (4, b'A'..=b'F') => c - b'A' + 10,
            (5 | 6, b'A'..=b'Z') => c - b'A',
            (5, b'a'..=b'z') => c - b'a',
            (5, b'2'..=b'7') => c - b'2' + 26,
            (6, b'a'..=b'z') => c - b'a' + 26,
            (6, b'0'..=b'9') => c - b'0' + 52,
            (6, b'+' | b'-') => 62,
            (6, b'/' | b'_') => 63,
            _ => break,
        };
        held = held << bits | u32::from(value);
        count += bits;
        if count >= 8 {
            count -= 8;
            out.extend(u8::try_from(held >> count & 0xFF));
            held &= (1 << count) - 1;
        }
    }
    out
}

/// True for letters and what stands between them; in the middle of random bytes, too.
fn is_text(bytes: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_graphic() || b.is_ascii_whitespace();
    let lettered = |bytes: &[u8]| bytes.iter().filter(|b| b.is_ascii_alphanumeric()).count() * 2 >= bytes.len();
    if bytes.windows(STRETCH).any(|w| w.iter().all(plain) && lettered(w)) {
        return true;
    }
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The end may be cut.
        Err(e) if e.valid_up_to() + 4 > bytes.len() => {
            bytes.get(..e.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let letters = whole.chars().filter(|c| c.is_alphanumeric()).count();
    let shown = !whole.chars().any(|c| c.is_control() && !c.is_whitespace());
    whole.len() >= DECODED && shown && letters * 3 >= whole.chars().count() * 2
}

fn payload(host: &str, place: &str) -> Payload {
    let (before, fragment) = place.split_once('#').unwrap_or((place, ""));
    let (path, query) = before.split_once('?').unwrap_or((before, ""));
    let mut worst = Payload::None;
    let mut tokens = 0;
    for pair in query.split(['&', ';']).chain([fragment]) {
        let (name, raw) = pair.split_once('=').unwrap_or(("", pair));
        let value = percent(raw).replace('+', " ");
        let most = if is_tracker(name) { TRACKER } else { TOKEN };
        let found = match random(&value, OPAQUE, most) {
            _ if is_slot(&value) => Payload::Opaque,
            Payload::None if bits(&value) >= WORDS => Payload::Words,
            // A text with words for the query, read with its plus signs.
            found => found.max(if hides_text(raw) && value.contains(' ') { Payload::Opaque } else { Payload::None }),
        };
        tokens += if found == Payload::Token && most == TOKEN { value.len() } else { 0 };
        worst = worst.max(found);
    }
    let parts = path.split(['/', '\\']).map(|part| part.rsplit_once('.').map_or(part, |(stem, _)| stem)).map(percent);
    for part in parts {
        let found = if is_slot(&part) { Payload::Opaque } else { random(&part, LONG, TOKEN) };
        tokens += if found == Payload::Token { part.len() } else { 0 };
        worst = worst.max(found);
    }
    // Many short labels carry as much as one long one.
    let labels: String = host.split('.').rev().skip(2).collect();
    let mut names = host.split('.').rev().skip(1);
    if tokens > TOKENS || names.any(|n| is_opaque(n, LONG)) || is_opaque(&labels, 2 * OPAQUE) {
        worst = Payload::Opaque;
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Target {
        target(text, &Allowed::new(&["ok.example".to_owned(), "*.cdn.example".to_owned()]).unwrap())
    }

    #[test]
    fn tricks_do_not_reach_an_allowed_host() {
        let away = [
            "https://evil.example/a",
            "//evil.example/a",
            "\\\\evil.example\\a",
            "https:\\\\evil.example",
            "https:evil.example/a",
            "https://ok.example@evil.example/",
            "https://ok.example\\.evil.example/",
            "https://ok.example.evil.example/",
            "ht\ntps://evil.example/",
            " https&colon;//evil.example",
            "https&#58;&sol;&#x2f;evil.example",
            "https://%65vil.example",
            "https://evil\u{3002}example",
            "https://cdn.example/",
            "https://3627734734/",
            "https://[2001:db8::1]/x",
        ];
        for text in away.iter().filter(|t| !t.contains("ok.example\\")) {
            assert_eq!(of(text), Target::Away(Payload::None), "{text}");
        }
        // The backslash ends the host, as in browsers.
        assert_eq!(of("https://ok.example\\.evil.example/"), Target::Home);
        for text in [
            "https://OK.example./x",
            "//a.cdn.example/?q=1",
            "https://u:p@ok.example:8443/",
            "/path?q=1",
            "mailto:a@b.example",
            "#top",
        ] {
            assert_eq!(of(text), Target::Home, "{text}");
        }
        assert_eq!(of("java\tscript:alert(1)"), Target::Active);
        assert_eq!(of("data:text/html;base64,PHNjcmlwdD4"), Target::Active);
        assert_eq!(of("data:image/png;base64,iVBORw0KGgo"), Target::Home);
    }

    #[test]
    fn payloads_are_seen() {
        for (text, payload) in [
            ("https://e.example/logo.png", Payload::None),
            ("https://e.example/images/2023/11/summer-holiday-pictures.png?w=200&h=100", Payload::None),
            ("https://e.example/p?q=the+client+is+moving+to+lisbon", Payload::Words),
            ("https://e.example/p?q=aGVsbG8gd29ybGQgdGhpcw", Payload::Opaque),
            ("https://e.example/p#k9Zt3LmX0vRb7Nw24TcYp", Payload::Token),
            ("https://e.example/k9Zt3LmX0vRb7Nw24TcYp1Ks8QqW/p.png", Payload::Token),
            // Hashes, ids and trackers.
            ("https://e.example/o/r/commit/3f786850e387550fdab836ed7e6dc881de23001b", Payload::Token),
            (
                "https://e.example/o/r/compare/3f786850e387550fdab836ed7e6dc881de23001b...89e6c98d92887913cadf06b2adb97f26cde4849b",
                Payload::Token,
            ),
            (
                "https://e.example/b@sha256/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                Payload::Token,
            ),
            ("https://e.example/i/123e4567-e89b-12d3-a456-426614174000?page=2", Payload::None),
            ("https://e.example/questions/11227809/why-is-processing-a-sorted-array-faster", Payload::None),
            (
                "https://e.example/a?utm_source=news&fbclid=IwAR0kq3Zt3LmX0vRb7Nw24TcYp1Ks8QqWxN5bGhT2eVfJ9uLrD4sAaPoCiMzYg",
                Payload::Token,
            ),
            // Text in hexadecimal digits, base32 and base64, with something before it, too.
            ("https://e.example/i/74686520636c69656e74206d6f76657320746f206c6973626f6e", Payload::Opaque),
            ("https://e.example/i/ORUGKIDDNRUWK3TUEBWW65TFOMQHI3ZANRUXGYTPNY", Payload::Opaque),
            ("https://e.example/i/xdGhlIGNsaWVudCBtb3ZlcyB0byBsaXNib24", Payload::Opaque),
            ("https://e.example/p?s=eyJjdXN0b21lciI6IkFubmEifQx9k2Zt", Payload::Opaque),
            ("https://e.example/a?fbclid=dGhlIGNsaWVudCBtb3ZlcyB0byBsaXNib24", Payload::Opaque),
            ("https://k9zt3lmx0vrb7nw24tcyp1ks8qqw.e.example/p.png", Payload::Opaque),
            ("https://a8z3kq0v.7nw24tcy.p1ks8qqw.q0v7nw24.e.example/p.png", Payload::Opaque),
            ("https://e.example/p?data={{secret}}", Payload::Opaque),
        ] {
            assert_eq!(of(text), Target::Away(payload), "{text}");
        }
    }

    #[test]
    fn ids_are_never_taken_for_text() {
        let mut state = 1_u64;
        let mut next = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let base62: Vec<char> = ('0'..='9').chain('a'..='z').chain('A'..='Z').collect();
        for round in 0..20_000 {
            let (alphabet, length) = [(16, 40), (16, 64), (62, 22), (62, 32), (36, 26)][round % 5];
            let id: String = (0..length).map(|_| base62[next(alphabet)]).collect();
            for text in [format!("https://e.example/r/{id}/file.txt"), format!("https://e.example/r?id={id}#{id}")] {
                assert!(of(&text) < Target::Away(Payload::Opaque), "{text}");
            }
        }
    }
}
