//! Zip archives, read twice: by the directory at the end, as Python does, and by the local headers, which PyTorch's
//! reader trusts for where data begins. Each difference is a finding, and members are examined in both readings.

use std::collections::{HashMap, HashSet};

use bartizan_core::{Reason, Severity};

use crate::bytes::{from, piece, size, u16le, u32le, u64le};
use crate::codec::{self, Coding};
use crate::desk::Desk;
use crate::path::leads_out;
use crate::rules;

/// The number of LZMA among the methods of compression.
const LZMA: u16 = 14;
/// The end record with its longest comment.
const TAIL: usize = 22 + 0xffff;

struct End {
    at: usize,
    directory: usize,
    length: usize,
    entries: u64,
    /// Bytes before the archive.
    prefix: usize,
}

struct Member {
    name: String,
    flags: u16,
    method: u16,
    crc: u32,
    stored: u64,
    whole: u64,
    local: u64,
    link: bool,
}

/// True where the bytes end as a zip archive.
pub(crate) fn ends(bytes: &[u8]) -> bool {
    end(bytes).is_some_and(|end| {
        piece(bytes, end.directory, 4) == Some(b"PK\x01\x02") || (end.entries == 0 && end.at + 22 == bytes.len())
    })
}

/// The end of the archive as Python reads it.
fn end(bytes: &[u8]) -> Option<End> {
    all_ends(bytes).map(|all| all.first)
}

/// What different readers take for the end of the archive.
struct Ends {
    /// As Python does: a wide record beside its locator holds in any case.
    first: End,
    /// Where readers that follow the locator, or that know no wide records, find another directory.
    others: Vec<End>,
}

fn all_ends(bytes: &[u8]) -> Option<Ends> {
    let start = bytes.len().saturating_sub(TAIL);
    let tail = from(bytes, start);
    let at = memchr::memmem::rfind(tail, b"PK\x05\x06")? + start;
    let narrow =
        (u64::from(u16le(bytes, at + 10)?), u64::from(u32le(bytes, at + 12)?), u64::from(u32le(bytes, at + 16)?));
    // As Python does: the directory ends where the end record begins, so everything may be shifted.
    let shifted = |top: usize, (entries, length, directory): (u64, u64, u64)| {
        let (length, directory) = (size(length), size(directory));
        let real = top.checked_sub(length)?;
        Some(End { at, directory: real, length, entries, prefix: real.checked_sub(directory)? })
    };
    let locator = at.checked_sub(20).filter(|locator| piece(bytes, *locator, 4) == Some(b"PK\x06\x07"));
    let Some(locator) = locator else { return Some(Ends { first: shifted(at, narrow)?, others: Vec::new() }) };
    let wide = |record: usize| {
        (piece(bytes, record, 4)? == b"PK\x06\x06").then_some(())?;
        Some((u64le(bytes, record + 32)?, u64le(bytes, record + 40)?, u64le(bytes, record + 48)?))
    };
    let beside = locator.checked_sub(56);
    let said = size(u64le(bytes, locator + 8)?);
    let first = match beside.and_then(|record| Some((record, wide(record)?))) {
        Some((record, fields)) => shifted(record, fields)?,
        None => match wide(said) {
            // PyTorch's reader takes the places as they are.
            Some((entries, length, directory)) if narrow.2 == 0xffff_ffff => {
                End { at, directory: size(directory), length: size(length), entries, prefix: 0 }
            }
            _ => shifted(at, narrow)?,
        },
    };
    let mut others = Vec::new();
    if let Some((entries, length, directory)) = wide(said) {
        others.push(End { at, directory: size(directory), length: size(length), entries, prefix: 0 });
    }
    let open = narrow.0 == 0xffff || narrow.1 == 0xffff_ffff || narrow.2 == 0xffff_ffff;
    others.extend((!open).then(|| shifted(beside.unwrap_or(locator), narrow)).flatten());
    others.extend((!open).then(|| shifted(at, narrow)).flatten());
    others.retain(|other| {
        (other.entries, other.length, other.directory) != (first.entries, first.length, first.directory)
    });
    // Without a wide record beside it, that of 32 bits ends elsewhere by the length of both.
    let same = |other: &End| other.length == first.length && other.prefix != first.prefix && said + 76 == at;
    others.retain(|other| !same(other));
    Some(Ends { first, others })
}

fn directory(bytes: &[u8], end: &End) -> (Vec<Member>, bool) {
    let mut members = Vec::new();
    let mut at = end.directory;
    let last = end.directory.saturating_add(end.length).min(bytes.len());
    while at < last && members.len() < 1_000_000 {
        let Some(member) = entry(bytes, at) else { return (members, false) };
        at = member.1;
        members.push(member.0);
    }
    (members, true)
}

fn entry(bytes: &[u8], at: usize) -> Option<(Member, usize)> {
    if piece(bytes, at, 4)? != b"PK\x01\x02" {
        return None;
    }
    let name_len = usize::from(u16le(bytes, at + 28)?);
    let extra_len = usize::from(u16le(bytes, at + 30)?);
    let comment_len = usize::from(u16le(bytes, at + 32)?);
    let name = String::from_utf8_lossy(piece(bytes, at + 46, name_len)?).into_owned();
    let extra = piece(bytes, at + 46 + name_len, extra_len)?;
    let mut member = Member {
        name,
        flags: u16le(bytes, at + 8)?,
        method: u16le(bytes, at + 10)?,
        crc: u32le(bytes, at + 16)?,
        stored: u64::from(u32le(bytes, at + 20)?),
        whole: u64::from(u32le(bytes, at + 24)?),
        local: u64::from(u32le(bytes, at + 42)?),
        link: (u32le(bytes, at + 38)? >> 16) & 0xf000 == 0xa000,
    };
    let mut field = 0;
    while let (Some(id), Some(len)) = (u16le(extra, field), u16le(extra, field + 2)) {
        if id == 1 {
            let mut value = field + 4;
            for slot in [&mut member.whole, &mut member.stored, &mut member.local] {
                if *slot == 0xffff_ffff {
                    *slot = u64le(extra, value)?;
                    value += 8;
                }
            }
        }
        field += 4 + usize::from(len);
    }
    Some((member, at + 46 + name_len + extra_len + comment_len))
}

/// Examines an archive.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    let Some(Ends { first: end, others }) = all_ends(bytes) else {
        // No program of Python opens it, but others read from the front.
        desk.partial(Reason::Malformed, bytes.len(), "the zip archive has no directory");
        let mut at = 0;
        while let Some(next) = local_only(bytes, at, desk) {
            at = next;
        }
        return "zip";
    };
    let (members, whole) = directory(bytes, &end);
    if !whole || members.len() as u64 != end.entries {
        desk.partial(Reason::Malformed, end.length, "the directory of the zip archive is broken");
        desk.find(
            &rules::CONTAINER,
            "the zip directory does not hold as many members as it says",
            end.directory,
            end.length,
        );
    }
    if end.prefix > 0 && bytes.starts_with(b"PK") {
        desk.find(&rules::CONTAINER, format!("{} bytes stand before the zip archive", end.prefix), 0, end.prefix);
    }
    let comment = usize::from(u16le(bytes, end.at + 20).unwrap_or(0));
    let behind = bytes.len().saturating_sub(end.at + 22 + comment);
    if behind > 0 {
        desk.find(&rules::TRAILING, format!("{behind} bytes follow the zip archive"), end.at + 22 + comment, behind);
    }
    let mut names = HashSet::new();
    let (mut torch, mut script, mut keras) = (false, false, false);
    for member in &members {
        torch |= member.name == "data.pkl" || member.name.ends_with("/data.pkl");
        script |= member.name.contains("/code/");
        keras |= member.name == "config.json";
        if !names.insert(member.name.as_str()) {
            let what = format!("the zip archive holds `{}` twice", crate::bytes::show(&member.name));
            desk.find(&rules::CONTAINER, what, place(member, &end), 30);
        }
    }
    let roots = Roots::of(&names);
    let mut spans = Vec::with_capacity(members.len());
    for member in &members {
        let at = place(member, &end);
        spans.extend(data_at(bytes, at).map(|start| (at, start.saturating_add(size(member.stored)))));
    }
    let shared = shared(&mut spans);
    if let Some((start, end)) = shared.iter().next() {
        desk.find(&rules::BOMB, "members of the zip archive share their bytes", *start, end.saturating_sub(*start));
    }
    for member in &members {
        let at = place(member, &end);
        if shared.contains_key(&at) {
            let why = format!("`{}` shares its bytes with another member", crate::bytes::show(&member.name));
            desk.partial(Reason::Malformed, size(member.stored), why);
        } else {
            read(bytes, member, at, &roots, desk);
        }
    }
    hidden(bytes, &spans, end.directory, desk);
    // What other readers find: no more of it than the file has bytes.
    let mut left = bytes.len();
    let places: HashSet<(usize, &str)> = members.iter().map(|m| (place(m, &end), m.name.as_str())).collect();
    for other in others {
        let what = "loaders find different directories in the zip archive";
        desk.find(&rules::CONTAINER, what, other.directory, other.length);
        for member in directory(bytes, &other).0 {
            let at = place(&member, &other);
            let known = places.contains(&(at, member.name.as_str()));
            if known {
                continue;
            }
            let Some(rest) = left.checked_sub(size(member.stored).saturating_add(64)) else { break };
            left = rest;
            read(bytes, &member, at, &Roots::default(), desk);
        }
    }
    match (script, torch, keras) {
        _ if names.iter().any(|n| n.starts_with("MAR-INF/")) => "torchserve archive",
        _ if names.iter().any(|n| n.ends_with("archive_format")) => "pytorch exported program",
        (true, true, _) => "torchscript",
        (false, true, _) => "pytorch zip",
        (_, _, true) if names.iter().any(|n| n.ends_with(".weights.h5")) => "keras",
        _ if !names.is_empty() && names.iter().all(|n| n.ends_with(".npy")) => "npz",
        _ => "zip",
    }
}

/// Where the header of a member is.
fn place(member: &Member, end: &End) -> usize {
    size(member.local).saturating_add(end.prefix)
}

/// Where the data behind a header begins.
fn data_at(bytes: &[u8], at: usize) -> Option<usize> {
    let header = piece(bytes, at, 30).filter(|h| h.starts_with(b"PK\x03\x04"))?;
    at.checked_add(30 + usize::from(u16le(header, 26)?) + usize::from(u16le(header, 28)?))
}

/// Folders of an archive that torch wrote: what lies in them is read by their names.
#[derive(Default)]
struct Roots(Vec<String>);

impl Roots {
    fn of(names: &HashSet<&str>) -> Self {
        let roots = names.iter().filter_map(|name| name.strip_suffix("version")).filter(|root| {
            (root.is_empty() || root.ends_with('/'))
                && ["data.pkl", "archive_format"].iter().any(|file| names.contains(format!("{root}{file}").as_str()))
        });
        Self(roots.take(4).map(str::to_owned).collect())
    }

    fn inner<'n>(&self, name: &'n str) -> Option<&'n str> {
        self.0.iter().find_map(|root| name.strip_prefix(root.as_str()))
    }

    /// torch's storages: `data/0`, `constants/0`.
    fn is_tensor(&self, name: &str) -> bool {
        let Some((folder, last)) = self.inner(name).and_then(|name| name.rsplit_once('/')) else { return false };
        let folder = folder.rsplit('/').next().unwrap_or_default();
        matches!(folder, "data" | "constants" | "weights")
            && !last.is_empty()
            && last.bytes().all(|b| b.is_ascii_digit() || b == b'_' || b.is_ascii_lowercase())
    }

    fn is_source(&self, name: &str) -> bool {
        self.inner(name)
            .is_some_and(|name| name.starts_with("code/") && (name.ends_with(".py") || name.ends_with(".debug_pkl")))
    }
}

/// Examines one member.
fn read(bytes: &[u8], member: &Member, at: usize, roots: &Roots, desk: &mut Desk<'_>) -> Option<()> {
    let name = crate::bytes::show(&member.name);
    if leads_out(&member.name) {
        desk.find(&rules::PATH, format!("the name `{name}` leads out of the archive"), at, 30);
    }
    if member.link {
        desk.find_as(&rules::PATH, Severity::Medium, format!("`{name}` is a symbolic link"), (at, 30), Vec::new());
    }
    let stored = size(member.stored);
    let header = piece(bytes, at, 30).filter(|h| h.starts_with(b"PK\x03\x04"));
    let Some(header) = header else {
        desk.find(&rules::CONTAINER, format!("`{name}` has no header where the zip directory says"), at, 0);
        desk.partial(Reason::Malformed, stored, format!("`{name}` is not where the directory says"));
        return None;
    };
    let name_len = usize::from(u16le(header, 26)?);
    let start = at.checked_add(30 + name_len + usize::from(u16le(header, 28)?))?;
    let local_name = String::from_utf8_lossy(piece(bytes, at + 30, name_len).unwrap_or_default()).into_owned();
    let (flags, method, crc) = (u16le(header, 6)?, u16le(header, 8)?, u32le(header, 14)?);
    let streamed = (flags | member.flags) & 8 != 0;
    let mut differs = |what: &str| {
        desk.find(
            &rules::CONTAINER,
            format!("`{name}`: the {what} in its header and in the zip directory differ"),
            at,
            30,
        );
    };
    if local_name != member.name {
        differs("name");
    }
    if flags & !8 != member.flags & !8 {
        differs("flags");
    }
    if method != member.method {
        differs("method");
    }
    if !streamed && crc != member.crc {
        differs("checksum");
    }
    let local_size = u32le(header, 18)?;
    if !streamed && local_size != 0xffff_ffff && u64::from(local_size) != member.stored {
        differs("size");
    }
    if (flags | member.flags) & 0x2061 != 0 {
        desk.find(&rules::CONTAINER, format!("`{name}` is marked as encrypted or patched"), at, 30);
    }
    let Some(data) = piece(bytes, start, stored) else {
        desk.find(&rules::STRUCTURE, format!("`{name}` is longer than the file"), at, 30);
        desk.partial(Reason::Malformed, stored, format!("`{name}` is cut off"));
        return None;
    };
    if member.name.ends_with('/') && stored == 0 {
        return Some(());
    }
    contents(data, member, roots, desk);
    // The other reading: what a loader makes of the method in the local header.
    if method != member.method && matches!(method, 0 | 8) {
        contents(data, &Member { name: format!("{local_name} (by its header)"), method, ..copy(member) }, roots, desk);
    }
    Some(())
}

fn copy(member: &Member) -> Member {
    Member { name: String::new(), ..*member }
}

fn contents(data: &[u8], member: &Member, roots: &Roots, desk: &mut Desk<'_>) {
    let coding = match member.method {
        0 | LZMA => None,
        8 => Some(Coding::Deflate),
        12 => Some(Coding::Bzip2),
        93 => Some(Coding::Zstd),
        95 => Some(Coding::Xz),
        other => {
            let name = crate::bytes::show(&member.name);
            desk.partial(
                Reason::File,
                data.len(),
                format!("`{name}` is compressed by method {other}, which is not read"),
            );
            return;
        }
    };
    desk.within(&member.name, data.len(), |desk| {
        let expanded = match coding {
            None if member.method == LZMA => Some(lzma(data, member, desk)),
            coding => coding.map(|coding| codec::expanded(data, coding, desk)),
        };
        let bytes = expanded.as_deref().unwrap_or(data);
        let tensor = roots.is_tensor(&member.name);
        // Loaders of torch do not compare it: a wrong one hides a member from those that do.
        if bytes.len() as u64 != member.whole {
            desk.find(&rules::CONTAINER, "the size in the zip directory is not that of the data", 0, bytes.len());
        } else if bytes.len() < 256 << 20 && !tensor && crc32fast::hash(bytes) != member.crc {
            desk.find(&rules::CONTAINER, "the checksum in the zip directory is not that of the data", 0, bytes.len());
        }
        if tensor {
            // Numbers begin like any file by chance.
            if crate::kind::magic(bytes).is_none() || !desk.attempt("file", bytes, crate::kind::examine) {
                crate::pickle::examine(bytes, desk, crate::pickle::Sort::Hidden);
                desk.opaque(bytes.len(), "tensors");
            }
        } else if roots.is_source(&member.name) {
            script(bytes, desk);
            desk.opaque(bytes.len(), "TorchScript code, which its own interpreter runs");
        } else {
            crate::kind::examine(bytes, desk);
        }
    });
}

/// LZMA in a zip archive: a version, the length of the properties, the properties, then the stream.
fn lzma(data: &[u8], member: &Member, desk: &mut Desk<'_>) -> Vec<u8> {
    let limit = desk.left();
    let properties = data.get(4).copied().zip(u32le(data, 5));
    // A mark ends the stream where the flag says so; else the directory knows its length.
    let len = if member.flags & 2 != 0 { u64::MAX } else { member.whole };
    let expanded = codec::guarded(|| match properties {
        Some((properties, wanted)) => {
            let most = u32::try_from(limit).unwrap_or(u32::MAX).max(4096);
            match lzma_rust2::LzmaReader::new_with_props(from(data, 9), len, properties, wanted.min(most), None) {
                Ok(reader) => codec::read(reader, limit),
                Err(_) => codec::Expanded::Broken(Vec::new()),
            }
        }
        None => codec::Expanded::Broken(Vec::new()),
    });
    codec::settle(data.len(), expanded, desk)
}

/// Operations of TorchScript that reach files: its interpreter has no others that do.
fn script(source: &[u8], desk: &mut Desk<'_>) {
    for (call, what) in [
        (&b"torch.save("[..], "writes a file with `torch.save`"),
        (b"torch.from_file(", "maps a file with `torch.from_file`"),
        (b"ops.aten.save(", "writes a file with `aten.save`"),
        (b"ops.aten.from_file(", "maps a file with `aten.from_file`"),
    ] {
        if let Some(at) = memchr::memmem::find(source, call) {
            desk.find(&rules::CONFIG, format!("the model {what}"), at, call.len());
        }
    }
}

/// Members that share bytes with one before them, which is how small archives become large ones.
fn shared(spans: &mut [(usize, usize)]) -> HashMap<usize, usize> {
    spans.sort_unstable();
    let (mut last, mut before) = (0, None);
    let mut found = HashMap::new();
    for (start, end) in spans.iter() {
        if *start < last || before == Some(*start) {
            found.insert(*start, *end);
        }
        before = Some(*start);
        last = last.max(*end);
    }
    found
}

/// Members between those of the directory.
fn hidden(bytes: &[u8], spans: &[(usize, usize)], directory: usize, desk: &mut Desk<'_>) {
    let mut last = 0;
    for (start, end) in spans.iter().copied().chain(std::iter::once((directory, directory))) {
        if let Some(gap) = bytes.get(last..start)
            && let Some(found) = memchr::memmem::find(gap, b"PK\x03\x04")
        {
            desk.find(&rules::CONTAINER, "a member is not in the zip directory", last + found, 30);
            // It may claim more than the place that it lies in.
            local_only(bytes.get(..start).unwrap_or_default(), last + found, desk);
        }
        last = last.max(end);
    }
}

/// Reads a member by its header alone; where the next one may begin.
fn local_only(bytes: &[u8], at: usize, desk: &mut Desk<'_>) -> Option<usize> {
    let header = piece(bytes, at, 30).filter(|h| h.starts_with(b"PK\x03\x04"))?;
    let name_len = usize::from(u16le(header, 26)?);
    let start = at + 30 + name_len + usize::from(u16le(header, 28)?);
    let stored = usize::try_from(u32le(header, 18)?).ok()?;
    let name = String::from_utf8_lossy(piece(bytes, at + 30, name_len)?).into_owned();
    let member = Member {
        name,
        flags: 0,
        method: u16le(header, 8)?,
        crc: u32le(header, 14)?,
        stored: stored as u64,
        whole: u64::from(u32le(header, 22)?),
        local: 0,
        link: false,
    };
    contents(piece(bytes, start, stored)?, &member, &Roots::default(), desk);
    Some(start + stored)
}
