//! 7z archives: the header at the end, also where it is compressed, and every member of every folder.
//!
//! Source: `7zFormat.txt` of the LZMA SDK.

use bartizan_core::Reason;
use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::filter::delta::DeltaReader;

use crate::bytes::{piece, show, size, u32le, u64le};
use crate::codec::{self, Coding, Expanded};
use crate::desk::Desk;
use crate::path::leads_out;
use crate::rules;

/// Folders, coders and members of one archive.
const MOST: usize = 100_000;
/// Headers packed into one another.
const HEADERS: usize = 4;

/// A number whose first byte says how many follow.
struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.data.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let bytes = piece(self.data, self.at, len)?;
        self.at += len;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let mut value = 0u64;
        for index in 0..8u32 {
            let mask = 0x80u8 >> index;
            if first & mask == 0 {
                return Some(value | u64::from(first & mask.wrapping_sub(1)) << (8 * index));
            }
            value |= u64::from(self.byte()?) << (8 * index);
        }
        Some(value)
    }

    fn count(&mut self) -> Option<usize> {
        Some(size(self.number()?)).filter(|count| *count <= MOST)
    }

    fn bits(&mut self, count: usize) -> Option<Vec<bool>> {
        let bytes = self.take(count.div_ceil(8))?;
        Some((0..count).map(|n| bytes.get(n / 8).is_some_and(|b| b & (0x80 >> (n % 8)) != 0)).collect())
    }

    /// Skips checksums of some of `count` things; which have one.
    fn digests(&mut self, count: usize) -> Option<Vec<bool>> {
        let defined = if self.byte()? != 0 { vec![true; count] } else { self.bits(count)? };
        self.take(4 * defined.iter().filter(|d| **d).count())?;
        Some(defined)
    }
}

/// One step of a folder.
struct Coder<'a> {
    method: &'a [u8],
    properties: &'a [u8],
    /// Streams that it reads and writes.
    inputs: usize,
    outputs: usize,
}

/// Streams that are packed together.
struct Folder<'a> {
    coders: Vec<Coder<'a>>,
    /// From which output each bound input comes.
    pairs: Vec<(usize, usize)>,
    packed: usize,
    sizes: Vec<usize>,
    digest: bool,
    /// Sizes of the members, in their order.
    members: Vec<usize>,
}

/// Where streams are and how they are packed.
#[derive(Default)]
struct Streams<'a> {
    start: usize,
    /// Where each begins, and its size.
    packed: Vec<(usize, usize)>,
    folders: Vec<Folder<'a>>,
}

/// Examines an archive.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    let header = (u64le(bytes, 12), u64le(bytes, 20));
    let header = match header {
        (Some(at), Some(len)) => size(at).checked_add(32).and_then(|at| piece(bytes, at, size(len))),
        _ => None,
    };
    match header {
        Some([]) => {}
        Some(header) => {
            if read(bytes, header, 0, desk).is_none() {
                desk.partial(Reason::Malformed, bytes.len(), "the header of the 7z archive cannot be read");
            }
        }
        None => desk.partial(Reason::Malformed, bytes.len(), "the 7z archive is cut off"),
    }
    "7z"
}

fn read(bytes: &[u8], header: &[u8], depth: usize, desk: &mut Desk<'_>) -> Option<()> {
    let mut reader = Reader { data: header, at: 0 };
    match reader.byte()? {
        0x17 if depth < HEADERS => {
            let streams = streams(&mut reader)?;
            let folder = streams.folders.first()?;
            let inner = unpack(bytes, &streams, 0, folder, desk)?;
            read(bytes, &inner, depth + 1, desk)
        }
        1 => {
            let mut found = Streams::default();
            let mut names = (Vec::new(), Vec::new());
            loop {
                match reader.byte()? {
                    0 => break,
                    // Properties of the archive: kinds with their sizes.
                    2 => {
                        while reader.byte()? != 0 {
                            let len = size(reader.number()?);
                            reader.take(len)?;
                        }
                    }
                    3 => {
                        streams(&mut reader)?;
                    }
                    4 => found = streams(&mut reader)?,
                    5 => names = files(&mut reader)?,
                    _ => return None,
                }
            }
            members(bytes, &found, names, desk);
            Some(())
        }
        _ => None,
    }
}

fn streams<'a>(reader: &mut Reader<'a>) -> Option<Streams<'a>> {
    let mut found = Streams::default();
    loop {
        match reader.byte()? {
            0 => break,
            6 => {
                found.start = size(reader.number()?).checked_add(32)?;
                let count = reader.count()?;
                loop {
                    match reader.byte()? {
                        0 => break,
                        9 => {
                            let mut at = found.start;
                            for _ in 0..count {
                                let len = size(reader.number()?);
                                found.packed.push((at, len));
                                at = at.checked_add(len)?;
                            }
                        }
                        10 => {
                            reader.digests(count)?;
                        }
                        _ => return None,
                    }
                }
            }
            7 => found.folders = folders(reader)?,
            8 => substreams(reader, &mut found.folders)?,
            _ => return None,
        }
    }
    for folder in &mut found.folders {
        if folder.members.is_empty() {
            folder.members.extend(folder.size());
        }
    }
    Some(found)
}

impl Folder<'_> {
    /// Size of what comes out in the end: the output that no other coder reads.
    fn size(&self) -> Option<usize> {
        let last = (0..self.sizes.len()).find(|out| !self.pairs.iter().any(|(_, from)| from == out))?;
        self.sizes.get(last).copied()
    }
}

fn folders<'a>(reader: &mut Reader<'a>) -> Option<Vec<Folder<'a>>> {
    if reader.byte()? != 0x0b {
        return None;
    }
    let count = reader.count()?;
    // Folders kept elsewhere are not written by any program.
    if reader.byte()? != 0 {
        return None;
    }
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(folder(reader)?);
    }
    if reader.byte()? != 0x0c {
        return None;
    }
    for folder in &mut all {
        for _ in 0..folder.coders.iter().map(|c| c.outputs).sum::<usize>() {
            folder.sizes.push(size(reader.number()?));
        }
    }
    loop {
        match reader.byte()? {
            0 => return Some(all),
            10 => {
                let defined = reader.digests(all.len())?;
                for (folder, defined) in all.iter_mut().zip(defined) {
                    folder.digest = defined;
                }
            }
            _ => return None,
        }
    }
}

fn folder<'a>(reader: &mut Reader<'a>) -> Option<Folder<'a>> {
    let count = reader.count().filter(|count| (1..=32).contains(count))?;
    let mut coders = Vec::new();
    for _ in 0..count {
        let flags = reader.byte()?;
        let method = reader.take(usize::from(flags & 15))?;
        let (mut inputs, mut outputs) = (1, 1);
        if flags & 0x10 != 0 {
            (inputs, outputs) = (reader.count()?, reader.count()?);
        }
        let properties = if flags & 0x20 != 0 {
            let len = reader.count()?;
            reader.take(len)?
        } else {
            &[]
        };
        if inputs > 32 || outputs > 32 {
            return None;
        }
        coders.push(Coder { method, properties, inputs, outputs });
    }
    let inputs: usize = coders.iter().map(|c| c.inputs).sum();
    let outputs: usize = coders.iter().map(|c| c.outputs).sum();
    let mut pairs = Vec::new();
    for _ in 0..outputs.checked_sub(1)? {
        pairs.push((reader.count()?, reader.count()?));
    }
    let packed = inputs.checked_sub(pairs.len())?;
    if packed > 1 {
        for _ in 0..packed {
            reader.count()?;
        }
    }
    Some(Folder { coders, pairs, packed, sizes: Vec::new(), digest: false, members: Vec::new() })
}

fn substreams(reader: &mut Reader<'_>, folders: &mut [Folder<'_>]) -> Option<()> {
    let mut counts = vec![1; folders.len()];
    let mut kind = reader.byte()?;
    if kind == 0x0d {
        for count in &mut counts {
            *count = reader.count()?;
        }
        kind = reader.byte()?;
    }
    if counts.iter().sum::<usize>() > MOST {
        return None;
    }
    for (folder, count) in folders.iter_mut().zip(&counts) {
        let mut left = folder.size()?;
        for index in 0..*count {
            // The last one is what is left.
            let len = if kind == 9 && index + 1 < *count { size(reader.number()?) } else { left };
            left = left.checked_sub(len)?;
            folder.members.push(len);
        }
    }
    if kind == 9 {
        kind = reader.byte()?;
    }
    loop {
        match kind {
            0 => return Some(()),
            10 => {
                // Of those only that have none as a folder.
                let one =
                    |(folder, count): (&Folder<'_>, &usize)| if *count == 1 && folder.digest { 0 } else { *count };
                let count = folders.iter().zip(&counts).map(one).sum();
                reader.digests(count)?;
            }
            _ => return None,
        }
        kind = reader.byte()?;
    }
}

/// Names of the members, and which have no data.
fn files(reader: &mut Reader<'_>) -> Option<(Vec<String>, Vec<bool>)> {
    let count = reader.count()?;
    let (mut names, mut empty) = (Vec::new(), Vec::new());
    loop {
        let kind = reader.byte()?;
        if kind == 0 {
            return Some((names, empty));
        }
        let len = size(reader.number()?);
        let data = reader.take(len)?;
        match kind {
            0x0e => empty = Reader { data, at: 0 }.bits(count)?,
            0x11 => {
                let units: Vec<u16> = data
                    .get(1..)?
                    .chunks_exact(2)
                    .map(|pair| pair.iter().rev().fold(0, |n, b| n << 8 | u16::from(*b)))
                    .collect();
                names = units.split(|unit| *unit == 0).take(count).map(String::from_utf16_lossy).collect();
            }
            _ => {}
        }
    }
}

fn members(bytes: &[u8], streams: &Streams<'_>, (names, empty): (Vec<String>, Vec<bool>), desk: &mut Desk<'_>) {
    for name in &names {
        if leads_out(name) {
            desk.find(&rules::PATH, format!("the name `{}` leads out of the archive", show(name)), 0, 0);
        }
    }
    let mut names = names
        .iter()
        .enumerate()
        .filter(|(n, _)| !empty.get(*n).copied().unwrap_or(false))
        .map(|(_, name)| name.as_str());
    let mut first = 0;
    for folder in &streams.folders {
        let of = streams.packed.iter().skip(first).take(folder.packed);
        let stored: usize = of.fold(0, |sum, (_, len)| sum.saturating_add(*len));
        match unpack(bytes, streams, first, folder, desk) {
            Some(data) => {
                let mut at = 0usize;
                for len in &folder.members {
                    let name = names.next().unwrap_or("member");
                    match piece(&data, at, *len) {
                        Some(member) => desk.within(name, member.len(), |desk| {
                            crate::kind::examine(member, desk);
                        }),
                        None => desk.partial(Reason::Malformed, *len, format!("`{}` is cut off", show(name))),
                    }
                    at = at.saturating_add(*len);
                }
            }
            None => {
                for _ in &folder.members {
                    let name = names.next().unwrap_or("member");
                    let why = format!("`{}` is packed in a way that is not read, or encrypted", show(name));
                    desk.partial(Reason::File, stored, why);
                }
                if folder.members.is_empty() {
                    desk.partial(Reason::File, stored, "a folder of the 7z archive is not read");
                }
            }
        }
        first = first.saturating_add(folder.packed);
    }
}

/// The contents of a folder whose coders form a chain; `None` where one of them is not known.
fn unpack(
    bytes: &[u8],
    streams: &Streams<'_>,
    first: usize,
    folder: &Folder<'_>,
    desk: &mut Desk<'_>,
) -> Option<Vec<u8>> {
    if folder.packed != 1 || folder.coders.iter().any(|c| c.inputs != 1 || c.outputs != 1) {
        return None;
    }
    let (at, len) = *streams.packed.get(first)?;
    let packed = piece(bytes, at, len)?;
    // The first coder is the one whose input is not bound to another's output.
    let mut next = (0..folder.coders.len()).find(|n| !folder.pairs.iter().any(|(input, _)| input == n))?;
    let mut data: Option<Vec<u8>> = None;
    for _ in 0..folder.coders.len() {
        let coder = folder.coders.get(next)?;
        let len = *folder.sizes.get(next)?;
        let input = data.as_deref().unwrap_or(packed);
        data = Some(decode(coder, input, len, desk)?);
        match folder.pairs.iter().find(|(_, output)| *output == next) {
            Some((input, _)) => next = *input,
            None => return data,
        }
    }
    None
}

fn decode(coder: &Coder<'_>, input: &[u8], len: usize, desk: &mut Desk<'_>) -> Option<Vec<u8>> {
    let limit = desk.left();
    // A dictionary larger than what comes out is never used.
    let dictionary = |wanted: u64| {
        u32::try_from(wanted.min(len.min(limit) as u64).max(4096)).unwrap_or(u32::MAX).next_multiple_of(16)
    };
    let expanded = match coder.method {
        [0] => {
            desk.spend(input.len());
            return (input.len() <= limit).then(|| input.to_vec());
        }
        [3, 1, 1] => {
            let (properties, wanted) = (*coder.properties.first()?, u64::from(u32le(coder.properties, 1)?));
            codec::guarded(|| {
                match lzma_rust2::LzmaReader::new_with_props(input, len as u64, properties, dictionary(wanted), None) {
                    Ok(reader) => codec::read(reader, limit),
                    Err(_) => Expanded::Broken(Vec::new()),
                }
            })
        }
        [0x21] => {
            let code = u32::from(*coder.properties.first()?);
            let wanted = if code >= 40 { u64::from(u32::MAX) } else { u64::from(2 | code & 1) << (code / 2 + 11) };
            codec::guarded(|| codec::read(lzma_rust2::Lzma2Reader::new(input, dictionary(wanted), None), limit))
        }
        // Filters that make machine code and samples easier to pack.
        [3, 3, 1, 3] | [4] => codec::guarded(|| codec::read(BcjReader::new_x86(input, 0), limit)),
        [3, 3, 5, 1] | [7] => codec::guarded(|| codec::read(BcjReader::new_arm(input, 0), limit)),
        [0xa] => codec::guarded(|| codec::read(BcjReader::new_arm64(input, 0), limit)),
        [3] => {
            let distance = usize::from(coder.properties.first().copied().unwrap_or(0)) + 1;
            codec::guarded(|| codec::read(DeltaReader::new(input, distance), limit))
        }
        [4, 1, 8] => codec::expand(input, Coding::Deflate, limit).0,
        [4, 2, 2] => codec::expand(input, Coding::Bzip2, limit).0,
        [4, 0xf7, 0x11, 1] => codec::expand(input, Coding::Zstd, limit).0,
        [4, 0xf7, 0x11, 4] => codec::expand(input, Coding::Lz4, limit).0,
        _ => return None,
    };
    Some(codec::settle(input.len(), expanded, desk))
}
