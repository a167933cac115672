//! Tar archives: every member, by content, at the places where Python's and GNU's readers find them.
//!
//! <https://www.gnu.org/software/tar/manual/html_node/Standard.html>, POSIX.1-2024 pax.

use bartizan_core::Reason;

use crate::bytes::{from, piece, show};
use crate::desk::Desk;
use crate::path::leads_out;
use crate::rules;

const BLOCK: usize = 512;

fn octal(field: &[u8]) -> Option<usize> {
    // GNU tar writes large numbers as binary, with the first bit set.
    if field.first().is_some_and(|b| *b & 0x80 != 0) {
        return field.iter().skip(1).try_fold(0usize, |n, b| n.checked_mul(256)?.checked_add(usize::from(*b)));
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { usize::from_str_radix(text, 8).ok() }
}

fn text(field: &[u8]) -> String {
    let end = memchr::memchr(0, field).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

/// True where the bytes begin with a header. The oldest ones have no mark, only a sum.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    piece(bytes, 257, 5) == Some(b"ustar") || piece(bytes, 0, BLOCK).is_some_and(is_header)
}

/// True where the sum of a header fits. Readers add the bytes with and without signs.
fn is_header(header: &[u8]) -> bool {
    let said = piece(header, 148, 8).and_then(|field| {
        let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
        i64::from_str_radix(text, 8).ok()
    });
    let sum = |of: fn(u8) -> i64| {
        header.iter().enumerate().map(|(at, b)| of(if (148..156).contains(&at) { b' ' } else { *b })).sum::<i64>()
    };
    let signed = |b: u8| i64::from(i8::from_le_bytes([b]));
    header.first().is_some_and(|b| *b != 0) && (said == Some(sum(i64::from)) || said == Some(sum(signed)))
}

/// What headers before a member say of it.
#[derive(Clone, Default)]
struct Extended {
    name: Option<String>,
    target: Option<String>,
    size: Option<usize>,
    sparse: bool,
}

impl Extended {
    /// Records `LENGTH KEY=VALUE\n`; `None` where one is broken.
    fn records(&mut self, mut data: &[u8]) -> Option<()> {
        while data.first().is_some_and(|b| *b != 0) {
            let blank = memchr::memchr(b' ', data)?;
            let len: usize = std::str::from_utf8(data.get(..blank)?).ok()?.parse().ok()?;
            let record = data.get(blank + 1..len)?.strip_suffix(b"\n")?;
            let equals = memchr::memchr(b'=', record)?;
            let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
            let value = String::from_utf8_lossy(value).into_owned();
            match key {
                b"path" | b"GNU.sparse.name" => self.name = Some(value),
                b"linkpath" => self.target = Some(value),
                b"size" => self.size = Some(value.parse().ok()?),
                key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
            data = from(data, len);
        }
        Some(())
    }
}

/// Examines an archive.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    let mut at = 0;
    let (mut global, mut next) = (Extended::default(), None::<Extended>);
    let mut lost = false;
    let mut torch = 0;
    loop {
        let Some(header) = piece(bytes, at, BLOCK) else {
            desk.partial(Reason::Malformed, bytes.len().saturating_sub(at), "the tar archive has no end");
            break;
        };
        if header.iter().all(|b| *b == 0) {
            behind(bytes, at, desk);
            break;
        }
        if !is_header(header) {
            // Some readers stop here, others go on behind it.
            if !std::mem::replace(&mut lost, true) {
                desk.partial(Reason::Malformed, BLOCK, "a header of the tar archive is broken");
            }
            at += BLOCK;
            continue;
        }
        let Some(said) = piece(header, 124, 12).and_then(octal) else {
            desk.partial(Reason::Malformed, bytes.len() - at, "a size in the tar archive is broken");
            break;
        };
        let kind = header.get(156).copied().unwrap_or(0);
        let start = at + BLOCK;
        if matches!(kind, b'x' | b'X' | b'g' | b'L' | b'K') {
            let data = piece(bytes, start, said).unwrap_or_else(|| from(bytes, start));
            let extended = if kind == b'g' { &mut global } else { next.get_or_insert_with(|| global.clone()) };
            match kind {
                b'L' => extended.name = Some(text(data)),
                b'K' => extended.target = Some(text(data)),
                _ => {}
            }
            if !matches!(kind, b'L' | b'K') && extended.records(data).is_none() {
                desk.partial(Reason::Malformed, data.len(), "an extended header of the tar archive is broken");
            }
            at = behind_data(start, said);
            continue;
        }
        let extended = next.take().unwrap_or_else(|| global.clone());
        let prefix = text(piece(header, 345, 155).unwrap_or_default());
        let mut name = text(piece(header, 0, 100).unwrap_or_default());
        if !prefix.is_empty() {
            name = format!("{prefix}/{name}");
        }
        let name = extended.name.unwrap_or(name);
        let target = extended.target.unwrap_or_else(|| text(piece(header, 157, 100).unwrap_or_default()));
        if leads_out(&name) {
            desk.find(&rules::PATH, format!("the name `{}` leads out of the archive", show(&name)), at, BLOCK);
        }
        if matches!(kind, b'1' | b'2') && leads_out(&target) {
            desk.find(&rules::PATH, format!("the link `{}` leads out of the archive", show(&name)), at, BLOCK);
        }
        let len = extended.size.unwrap_or(said);
        // What does not fit into the header is zero there.
        if len != said && said != 0 {
            let what = format!("`{}` has two sizes: readers find different members behind it", show(&name));
            desk.find(&rules::CONTAINER, what, at, BLOCK);
        }
        // Links, folders and devices have no data. Any other type is a file to Python.
        if matches!(kind, b'1'..=b'6') || kind == 0 && name.ends_with('/') {
            if len > 0 {
                let what = format!("`{}` is no file and has a size: readers find different members", show(&name));
                desk.find(&rules::CONTAINER, what, at, BLOCK);
            }
            at = start;
            continue;
        }
        let (start, sparse) = if kind == b'S' { (behind_map(bytes, at), true) } else { (start, extended.sparse) };
        if sparse {
            desk.partial(Reason::File, len, format!("`{}` has holes, which are not read", show(&name)));
        }
        torch += usize::from(matches!(name.as_str(), "storages" | "tensors" | "pickle"));
        let data = piece(bytes, start, len);
        let rest = data.unwrap_or_else(|| from(bytes, start));
        if !rest.is_empty() {
            desk.within(&name, rest.len(), |desk| {
                crate::kind::examine(rest, desk);
            });
        }
        if data.is_none() {
            desk.partial(Reason::Malformed, bytes.len() - at, "the tar archive is cut off");
            break;
        }
        at = behind_data(start, len);
    }
    if torch >= 3 {
        // Pickles and raw numbers take turns in it.
        desk.partial(Reason::File, bytes.len(), "storages of torch's first format are not read");
    }
    "tar"
}

fn behind_data(start: usize, len: usize) -> usize {
    len.checked_next_multiple_of(BLOCK).and_then(|len| start.checked_add(len)).unwrap_or(usize::MAX - BLOCK)
}

/// The data of a sparse file of GNU's begins behind its map, which may go on in further blocks.
fn behind_map(bytes: &[u8], at: usize) -> usize {
    let mut start = at + BLOCK;
    let mut more = bytes.get(at + 482).is_some_and(|b| *b != 0);
    while more && start < bytes.len() {
        more = bytes.get(start + 504).is_some_and(|b| *b != 0);
        start += BLOCK;
    }
    start
}

/// Readers stop at a block of zeros; some can be told to go on.
fn behind(bytes: &[u8], at: usize, desk: &mut Desk<'_>) {
    let rest = from(bytes, at);
    let Some(first) = rest.iter().position(|b| *b != 0) else { return };
    let at = at + first / BLOCK * BLOCK;
    let rest = from(bytes, at);
    desk.find(&rules::TRAILING, format!("{} bytes follow the tar archive", rest.len()), at, rest.len());
    desk.attempt("appended", rest, crate::kind::examine);
}
