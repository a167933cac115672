//! Links that a server hands to its client, or a client to a server: where they lead, told from the text alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bartizan_core::Confidence;
use serde_json::Value;

use crate::note::{Note, rules};

/// What a server may link to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It runs on this machine: its files are the client's.
    Local,
    /// It is reached over the network: a file of this machine is none of its business.
    Remote,
}

/// Most links of one message that are read; a message has far fewer, and one with more says nothing new.
const MOST: usize = 10_000;

/// Members of a message that hold a link (2025-11-25, schema: `resource_link`, `EmbeddedResource`, `Resource`, `Icon`,
/// URL elicitation).
const HOLDERS: [&str; 3] = ["uri", "url", "src"];

/// Looks at the links of a result or of parameters. `at` is the JSON Pointer to the value.
#[must_use]
pub fn links(value: &Value, at: &str, reach: Reach) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut left = vec![(value, at.to_owned())];
    let mut read = 0;
    while let Some((value, pointer)) = left.pop() {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    // What a tool computes is its own matter, as are the names of its arguments.
                    if matches!(key.as_str(), "structuredContent" | "inputSchema" | "outputSchema" | "arguments") {
                        continue;
                    }
                    let inner = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                    match value {
                        Value::String(link) if HOLDERS.contains(&key.as_str()) && read < MOST => {
                            read += 1;
                            if unsafe_link(link, reach) {
                                notes.push(Note::new(rules::LINK, inner, Confidence::High));
                            }
                        }
                        Value::Object(_) | Value::Array(_) => left.push((value, inner)),
                        _ => {}
                    }
                }
            }
            Value::Array(list) => {
                left.extend(list.iter().enumerate().map(|(at, value)| (value, format!("{pointer}/{at}"))));
            }
            _ => {}
        }
    }
    notes.sort();
    notes
}

/// True for a link to a host that is not on the public internet, to a cloud's metadata service, or to a file of the
/// client's machine from a server that is not on it. Names are not resolved: a public name may still lead inside.
#[must_use]
pub fn unsafe_link(link: &str, reach: Reach) -> bool {
    // Parsers drop these wherever they stand (WHATWG URL, basic URL parser).
    let link: String = link.trim().chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
    let Some((scheme, rest)) = link.split_once(':') else { return false };
    let scheme = scheme.to_ascii_lowercase();
    let rest = rest.replace('\\', "/");
    match scheme.as_str() {
        "file" => reach == Reach::Remote || is_private_path(&rest) || has_host(&rest),
        "http" | "https" | "ws" | "wss" | "ftp" => host(&rest).is_some_and(|host| is_inside(&host)),
        // Schemes of a server's own name nothing outside of it.
        _ => matches!(scheme.as_str(), "javascript" | "vbscript" | "gopher" | "dict" | "ldap" | "smb" | "jar"),
    }
}

/// Places of credentials, whoever reads them.
fn is_private_path(rest: &str) -> bool {
    const PRIVATE: [&str; 10] = [
        "/.ssh/",
        "/.aws/",
        "/.gnupg/",
        "/.kube/",
        "/.docker/config.json",
        "/.netrc",
        "/.git-credentials",
        "/etc/shadow",
        "/proc/",
        "/.env",
    ];
    let path = percent(rest).to_ascii_lowercase() + "/";
    PRIVATE.iter().any(|place| path.contains(place)) || path.contains("/../")
}

/// `file://host/path`: the host makes Windows log in there.
fn has_host(rest: &str) -> bool {
    let host = rest.strip_prefix("//").map(|r| r.split('/').next().unwrap_or_default()).unwrap_or_default();
    !host.is_empty() && !host.eq_ignore_ascii_case("localhost")
}

/// The host of a URL behind its scheme.
fn host(rest: &str) -> Option<String> {
    let authority = rest.trim_start_matches('/').split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => host.split(':').next()?,
    };
    let host = percent(host).trim_end_matches('.').to_lowercase();
    // Other dots are taken for dots (UTS #46).
    let host: String =
        host.chars().map(|c| if matches!(c, '\u{3002}' | '\u{FF0E}' | '\u{FF61}') { '.' } else { c }).collect();
    Some(host.chars().map(full_width).collect())
}

/// Full-width digits and letters are taken for plain ones (UTS #46).
fn full_width(c: char) -> char {
    match c as u32 {
        code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).map_or(c, |c| c.to_ascii_lowercase()),
        _ => c,
    }
}

fn percent(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match (byte, hex(ahead.next()), hex(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                bytes = ahead;
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn is_inside(host: &str) -> bool {
    const ENDINGS: [&str; 8] =
        [".localhost", ".local", ".internal", ".localdomain", ".lan", ".home.arpa", ".svc", ".consul"];
    if let Some(address) = ipv4(host) {
        return is_inside_v4(address);
    }
    if let Ok(IpAddr::V6(address)) = host.split('%').next().unwrap_or_default().parse() {
        return is_inside_v6(address);
    }
    // Names that stand for the address in them, such as those of nip.io.
    let embedded = host.split('.').collect::<Vec<_>>();
    let embedded = embedded.windows(4).filter_map(|four| four.join(".").parse::<Ipv4Addr>().ok()).any(is_inside_v4);
    // A name of one label is one of the local network.
    !host.contains('.') || embedded || ENDINGS.iter().any(|ending| host.ends_with(ending))
}

/// An IPv4 address in any of the forms that URL parsers take: one to four numbers, decimal, octal or hexadecimal
/// (WHATWG URL, IPv4 parser).
fn ipv4(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = host.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    let numbers = parts.iter().map(|part| number(part)).collect::<Option<Vec<u64>>>()?;
    let (last, first) = numbers.split_last()?;
    let free = 4 - first.len();
    if first.iter().any(|n| *n > 255) || *last >= 1 << (8 * free) {
        return None;
    }
    let high = first.iter().enumerate().fold(0, |sum, (at, n)| sum | (n << (8 * (3 - at))));
    u32::try_from(high | last).ok().map(Ipv4Addr::from)
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some("") => Some(0),
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u64::from_str_radix(text, 8).ok(),
        None => text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten(),
    }
}

/// Source: IANA IPv4 Special-Purpose Address Registry.
fn is_inside_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        || a >= 240
}

/// Source: IANA IPv6 Special-Purpose Address Registry.
fn is_inside_v6(address: Ipv6Addr) -> bool {
    let [first, second, .., high, low] = address.segments();
    let inner = |high: u16, low: u16| is_inside_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    if let Some(mapped) = address.to_ipv4() {
        return is_inside_v4(mapped);
    }
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || (first & 0xFE00) == 0xFC00
        || (first & 0xFFC0) == 0xFE80
        // NAT64 and 6to4 carry an IPv4 address.
        || (first == 0x64 && second == 0xFF9B && inner(high, low))
        || (first == 0x2002 && inner(second, address.segments().get(2).copied().unwrap_or_default()))
}
