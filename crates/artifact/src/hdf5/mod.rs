//! HDF5: the tree of groups, where its data comes from, and the attributes, in which Keras keeps its configuration.

mod attribute;
mod file;
mod header;
mod heap;
mod link;
mod tree;

use std::collections::HashSet;

use bartizan_core::{Reason, Severity};

use self::attribute::Attribute;
use self::file::File;
use self::header::Message;
use self::heap::Global;
use self::link::Link;
use crate::bytes::{from, piece, show};
use crate::desk::Desk;
use crate::{config, rules};

const MAGIC: [u8; 8] = [0x89, b'H', b'D', b'F', 0x0d, 0x0a, 0x1a, 0x0a];
/// Objects of one file.
const OBJECTS: usize = 1_000_000;

/// Where the format begins: at the start, or behind a block of the user's of 512 bytes or a power of two of it.
pub(crate) fn start(bytes: &[u8]) -> Option<usize> {
    let places = std::iter::once(0).chain(std::iter::successors(Some(512usize), |at| at.checked_mul(2)));
    places.take_while(|at| *at < bytes.len()).find(|at| piece(bytes, *at, 8) == Some(&MAGIC))
}

/// Examines a file whose format begins at `start`.
pub(crate) fn examine(bytes: &[u8], start: usize, desk: &mut Desk<'_>) -> &'static str {
    let Some((file, root, end)) = File::open(bytes, start) else {
        desk.partial(Reason::Malformed, bytes.len(), "the superblock of the HDF5 file cannot be read");
        return "hdf5";
    };
    let front = bytes.get(..start).unwrap_or_default();
    if front.iter().any(|b| *b != 0) {
        desk.find(&rules::TRAILING, format!("{start} bytes stand before the HDF5 data"), 0, start);
        desk.attempt("user block", front, crate::kind::examine);
    }
    if end > bytes.len() {
        desk.partial(Reason::Malformed, end - bytes.len(), "the HDF5 file is cut off");
    } else if from(bytes, end).iter().any(|b| *b != 0) {
        let rest = from(bytes, end);
        desk.find(&rules::TRAILING, format!("{} bytes follow the HDF5 file", rest.len()), end, rest.len());
        desk.attempt("appended", rest, crate::kind::examine);
    }
    let mut walk = Walk {
        file,
        heaps: Global::default(),
        open: vec![(root, String::new())],
        keras: false,
        broken: 0,
        left: bytes.len().saturating_mul(2).saturating_add(1 << 16),
    };
    let mut seen = HashSet::new();
    while let Some((at, path)) = walk.open.pop() {
        if !seen.insert(at) {
            continue;
        }
        if seen.len() > OBJECTS {
            desk.partial(Reason::TooManyParts, bytes.len(), "the HDF5 file has more objects than the limit");
            break;
        }
        walk.object(at, &path, desk);
    }
    if walk.broken > 0 {
        let why = if walk.file.is_spent() {
            "structures of the HDF5 file are used more often than they can be"
        } else {
            "structures of the HDF5 file cannot be read"
        };
        desk.partial(Reason::Malformed, walk.broken, why);
    }
    desk.opaque(bytes.len(), "tensors");
    if walk.keras { "keras h5" } else { "hdf5" }
}

struct Walk<'a> {
    file: File<'a>,
    heaps: Global,
    /// Headers that wait, with the path that led to them.
    open: Vec<(usize, String)>,
    keras: bool,
    /// Parts that could not be read.
    broken: usize,
    /// Bytes of texts that may still be examined: many attributes may share one.
    left: usize,
}

impl<'a> Walk<'a> {
    fn object(&mut self, at: usize, path: &str, desk: &mut Desk<'_>) {
        let Some((messages, whole)) = header::read(&self.file, at) else {
            self.broken += 1;
            return;
        };
        self.broken += usize::from(!whole);
        for message in messages {
            if self.message(&message, path, desk).is_none() {
                self.broken += 1;
            }
        }
    }

    fn message(&mut self, message: &Message, path: &str, desk: &mut Desk<'_>) -> Option<()> {
        match message.kind {
            0x02 | 0x06 | 0x11 => self.links(message, path, desk),
            0x07 => self.external(message, path, desk),
            0x08 => self.layout(message, path, desk),
            0x0b => self.filters(message, path, desk),
            0x0c if message.is_shared() => None,
            0x0c => {
                let attribute = attribute::read(&self.file, message.at, message.len, &mut self.heaps)?;
                self.attribute(&attribute, path, desk);
                Some(())
            }
            0x15 => {
                let mut found = Vec::new();
                let whole = attribute::dense(&self.file, message, &mut self.heaps, &mut |a| found.push(a));
                for attribute in &found {
                    self.attribute(attribute, path, desk);
                }
                whole
            }
            _ => Some(()),
        }
    }

    fn links(&mut self, message: &Message, path: &str, desk: &mut Desk<'_>) -> Option<()> {
        let mut found = Vec::new();
        let file = &self.file;
        let mut each = |link| found.push(link);
        let whole = match message.kind {
            0x02 => link::dense(file, message, &mut each),
            0x06 => link::message(file, message.at, message.len).map(each),
            _ => match (file.at(message.at), file.at(message.at + file.address)) {
                (Some(tree), Some(heap)) => link::symbols(file, tree, heap, &mut each),
                _ => None,
            },
        };
        for link in found {
            match link {
                // Paths are for people: the depth of a hostile tree must not make them long.
                Link::Hard(name, at) if path.len() < 200 => self.open.push((at, format!("{path}/{}", show(&name)))),
                Link::Hard(_, at) => self.open.push((at, path.to_owned())),
                Link::Soft => {}
                Link::External(name, other) => {
                    let what = format!("`{path}/{}` is read from the file `{}`", show(&name), show(&other));
                    desk.find(&rules::PATH, what, message.at, message.len);
                }
                Link::Foreign(name) => {
                    let what = format!("`{path}/{}` is a link of a kind that a program has to bring", show(&name));
                    desk.find_as(&rules::CONFIG, Severity::Medium, what, (message.at, message.len), Vec::new());
                }
            }
        }
        whole
    }

    /// Data that lies in other files: a list of names in a local heap.
    fn external(&mut self, message: &Message, path: &str, desk: &mut Desk<'_>) -> Option<()> {
        let file = &self.file;
        let used = file.u16(message.at + 6)?;
        let names = heap::local(file, file.at(message.at + 8)?)?;
        let mut at = message.at + 8 + file.address;
        for _ in 0..used.max(1) {
            file.step()?;
            let name = file.len(at).and_then(|offset| file.text(names.checked_add(offset)?)).unwrap_or_default();
            let what = format!("the data of `{path}` is read from the file `{}`", show(&name));
            desk.find(&rules::PATH, what, message.at, message.len);
            at += 3 * file.length;
        }
        Some(())
    }

    /// Data put together from other datasets, which may be in other files.
    fn layout(&mut self, message: &Message, path: &str, desk: &mut Desk<'_>) -> Option<()> {
        let file = &self.file;
        if file.u8(message.at)? < 4 || file.u8(message.at + 1)? != 3 {
            return Some(());
        }
        let list = self.heaps.get(file, message.at + 2)?;
        let name = from(list, 1 + file.length).split(|b| *b == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        let what = format!("the data of `{path}` is put together from the file `{}`", show(&name));
        desk.find(&rules::PATH, what, message.at, message.len);
        Some(())
    }

    fn filters(&mut self, message: &Message, path: &str, desk: &mut Desk<'_>) -> Option<()> {
        let file = &self.file;
        let (version, count) = (file.u8(message.at)?, file.u8(message.at + 1)?);
        let mut at = message.at + if version == 1 { 8 } else { 2 };
        for _ in 0..count {
            let id = file.u16(at)?;
            let named = version == 1 || id >= 256;
            let name = if named { file.u16(at + 2)? } else { 0 };
            let values = file.u16(at + if named { 6 } else { 4 })?;
            at += if named { 8 } else { 6 };
            at += if version == 1 { name.next_multiple_of(8) } else { name };
            at += 4 * (values + if version == 1 { values % 2 } else { 0 });
            if id >= 256 {
                let what = format!("the data of `{path}` needs the plug-in filter {id}");
                desk.find_as(&rules::CONFIG, Severity::Low, what, (message.at, message.len), Vec::new());
            }
        }
        Some(())
    }

    fn attribute(&mut self, attribute: &Attribute<'a>, path: &str, desk: &mut Desk<'_>) {
        let name = attribute.name.as_str();
        self.keras |= path.is_empty() && matches!(name, "model_config" | "keras_version" | "training_config");
        for value in &attribute.texts {
            let Some(left) = self.left.checked_sub(value.len()) else {
                self.broken += 1;
                return;
            };
            self.left = left;
            match std::str::from_utf8(value) {
                Ok(text) if text.trim_start().starts_with(['{', '[']) && text.len() > 2 => {
                    let before = desk.count();
                    if !config::json(text, desk) && desk.count() == before && name.ends_with("config") {
                        let why = format!("the attribute `{}` is no JSON document", show(name));
                        desk.partial(Reason::Malformed, value.len(), why);
                    }
                    // PyTables keeps lists as pickles, and those may begin like JSON.
                    self.pickle(value, name, desk);
                }
                _ => self.pickle(value, name, desk),
            }
            if matches!(name, "PSEUDOATOM") && *value == b"object" {
                let why = format!("`{path}` holds pickled objects, which are not read");
                desk.partial(Reason::File, value.len(), why);
            }
        }
    }

    /// PyTables and pandas read attributes of texts that are pickles as such.
    fn pickle(&self, value: &[u8], name: &str, desk: &mut Desk<'_>) {
        if value.len() > 2 && value.ends_with(b".") || crate::pickle::begins(value) {
            desk.within(name, value.len(), |desk| {
                crate::pickle::examine(value, desk, crate::pickle::Sort::Probe);
            });
        }
    }
}
