//! Zip archives: Office Open XML (ECMA-376), OpenDocument, EPUB, or plain files.

use std::io::{Cursor, Read as _};

use bartizan_core::Reason;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::extract;
use crate::layer::Layer;

/// Signature of an entry of the central directory.
const ENTRY: &[u8] = b"PK\x01\x02";

/// Most times that a member may be as large as it is compressed. Office's own XML stays below 100; DEFLATE ends at 1032.
const RATIO: u64 = 250;

/// Members up to this size may have any ratio: a blank sheet compresses very well.
const SMALL: u64 = 1 << 20;

/// Reads every member, whatever it is called: a reader of documents follows relations, an attacker chooses the names.
pub(crate) fn read(bytes: &[u8], layer: &mut Layer<'_>) {
    // The directory is read whole before the first member, so it is counted first.
    let entries = memchr::memmem::find_iter(bytes, ENTRY).take(layer.budget.parts_left() + 1).count();
    if entries > layer.budget.parts_left() {
        return layer.fault(Reason::TooManyParts);
    }
    let Ok(mut archive) = ZipArchive::new(Cursor::new(bytes)) else { return layer.fault(Reason::Malformed) };
    let mut names = String::new();
    for index in 0..archive.len() {
        if !layer.part() {
            return;
        }
        match member(&mut archive, index, layer) {
            Ok(Some((name, data))) => {
                if name.contains(char::is_whitespace) {
                    names.push_str(&name);
                    names.push('\n');
                }
                extract::part(&name, &data, None, layer);
            }
            Ok(None) => {}
            Err(reason) => layer.fault(reason),
        }
    }
    layer.text("names", names);
    layer.text("comment", String::from_utf8_lossy(archive.comment()).into_owned());
}

type Member = Option<(String, Vec<u8>)>;

fn member(archive: &mut ZipArchive<Cursor<&[u8]>>, index: usize, layer: &mut Layer<'_>) -> Result<Member, Reason> {
    let file = archive.by_index(index).map_err(|e| match e {
        ZipError::UnsupportedArchive(why) if why == ZipError::PASSWORD_REQUIRED => Reason::Encrypted,
        _ => Reason::Malformed,
    })?;
    if file.is_dir() {
        return Ok(None);
    }
    let name = String::from_utf8_lossy(file.name_raw()).into_owned();
    let most = SMALL.max(file.compressed_size().saturating_mul(RATIO));
    let left = u64::try_from(layer.budget.expanded).unwrap_or(u64::MAX);
    let mut data = Vec::new();
    let read = file.take(most.min(left).saturating_add(1)).read_to_end(&mut data);
    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
    if !layer.expand(data.len()) || length > most {
        return Err(Reason::DecodedTooLarge);
    }
    if read.is_err() {
        layer.fault(Reason::Malformed);
    }
    Ok(Some((name, data)))
}
