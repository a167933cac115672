//! Tar archives: every member, by content.

use bartizan_core::Reason;

use crate::bytes::{piece, show};
use crate::desk::Desk;
use crate::rules;
use crate::zip::leads_out;

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

/// Examines an archive.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    let mut at = 0;
    let mut long: Option<String> = None;
    while let Some(header) = piece(bytes, at, BLOCK) {
        if header.iter().all(|b| *b == 0) {
            break;
        }
        let Some(len) = piece(header, 124, 12).and_then(octal) else {
            desk.partial(Reason::Malformed, bytes.len() - at, "a header of the tar archive is broken");
            break;
        };
        let prefix = text(piece(header, 345, 155).unwrap_or_default());
        let mut name = text(piece(header, 0, 100).unwrap_or_default());
        if !prefix.is_empty() {
            name = format!("{prefix}/{name}");
        }
        let Some(data) = piece(bytes, at + BLOCK, len) else {
            desk.partial(Reason::Malformed, bytes.len() - at, "the tar archive is cut off");
            break;
        };
        let kind = header.get(156).copied().unwrap_or(0);
        if kind == b'L' {
            long = Some(text(data));
        } else if !matches!(kind, b'x' | b'g' | b'K') {
            let name = long.take().unwrap_or(name);
            let target = text(piece(header, 157, 100).unwrap_or_default());
            if leads_out(&name) {
                desk.find(&rules::PATH, format!("the name `{}` leads out of the archive", show(&name)), at, BLOCK);
            }
            if matches!(kind, b'1' | b'2') && leads_out(&target) {
                desk.find(&rules::PATH, format!("the link `{}` leads out of the archive", show(&name)), at, BLOCK);
            }
            if matches!(kind, 0 | b'0' | b'7') && !data.is_empty() {
                desk.within(&name, data.len(), |desk| {
                    crate::kind::examine(data, desk);
                });
            }
        }
        let Some(next) = len.checked_next_multiple_of(BLOCK).and_then(|len| (at + BLOCK).checked_add(len)) else {
            break;
        };
        at = next;
    }
    "tar"
}
