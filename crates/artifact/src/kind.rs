//! What a file is, by its content, and who reads it.

use bartizan_core::{Reason, Severity};

use crate::bytes::{contains, piece, size, u32le};
use crate::desk::Desk;
use crate::{
    codec, config, coreml, gguf, hdf5, msgpack, npy, onnx, openvino, paddle, pickle, proto, python, raw, rules,
    safetensors, sentencepiece, sevenz, tar, template, tensorflow, tflite, ubjson, zip,
};

/// Formats told by their first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Magic {
    Pickle,
    Zip,
    Compressed(codec::Coding),
    Npy,
    Gguf,
    Hdf5,
    Tar,
    Sevenz,
    Tflite,
    /// A program that is an archive, too: llamafile puts a model behind it.
    Ape,
    /// Code for a processor.
    Native,
    /// Code for Python's machine.
    Bytecode,
    /// Known, and described only.
    Named(&'static str),
    /// Known, not supported: never called clean.
    Closed(&'static str),
}

/// Looks at the first bytes only.
pub(crate) fn magic(bytes: &[u8]) -> Option<Magic> {
    if let Some(coding) = codec::recognise(bytes) {
        return Some(Magic::Compressed(coding));
    }
    Some(match bytes {
        [0x80, 0..=5, ..] => Magic::Pickle,
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Magic::Zip,
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Magic::Npy,
        [b'G', b'G', b'U', b'F', ..] => Magic::Gguf,
        [0x89, b'H', b'D', b'F', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Magic::Hdf5,
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Magic::Sevenz,
        [b'R', b'a', b'r', b'!', ..] => Magic::Closed("a RAR archive"),
        [b'M', b'Z', b'q', b'F', b'p', b'D', ..] => Magic::Ape,
        [0x7f, b'E', b'L', b'F', ..] => Magic::Native,
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => Magic::Native,
        [_, 0x0c..=0x0f, b'\r', b'\n', ..] => Magic::Bytecode,
        [b'M', b'Z', ..] if is_portable(bytes) => Magic::Native,
        _ if tflite::begins(bytes) => Magic::Tflite,
        [_, _, _, _, b'E', b'T', b'1', b'2', ..] => Magic::Named("executorch"),
        [b'f', b't', b'r', b't', ..] | [b'p', b't', b'r', b't', ..] => Magic::Named("tensorrt"),
        [0x89, b'P', b'N', b'G', ..] => Magic::Named("png"),
        [0xff, 0xd8, 0xff, ..] => Magic::Named("jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Magic::Named("gif"),
        [b'P', b'A', b'R', b'1', ..] => Magic::Named("parquet"),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Magic::Named("arrow"),
        [b'%', b'P', b'D', b'F', ..] => Magic::Named("pdf"),
        [b'c', b'b', b'm', b'1' | b'2', ..] | [b'C', b'B', b'M', b'1', ..] => Magic::Named("catboost"),
        [b'b', b'i', b'n', b'f', ..] => Magic::Named("xgboost"),
        _ if tar::begins(bytes) => Magic::Tar,
        _ => return media(bytes).map(Magic::Named),
    })
}

/// Pictures, sounds, fonts and records that lie beside models.
fn media(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "wav",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => "avi",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "mp4",
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "matroska",
        [b'O', b'g', b'g', b'S', ..] => "ogg",
        [b'f', b'L', b'a', b'C', ..] => "flac",
        [b'I', b'D', b'3', 2..=4, ..] => "mp3",
        [b'w', b'O', b'F', b'F' | b'2', ..] | [b'O', b'T', b'T', b'O', 0, ..] | [b't', b't', b'c', b'f', 0, ..] => {
            "font"
        }
        // The names of its first table are letters.
        [0, 1, 0, 0, 0, _, _, _, _, _, _, _, tag @ ..]
            if tag.len() > 4 && tag.iter().take(4).all(|b| b.is_ascii_graphic() || *b == b' ') =>
        {
            "font"
        }
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => "tiff",
        [b'B', b'M', ..] if u32le(bytes, 2).is_some_and(|len| size(u64::from(len)) == bytes.len()) => "bmp",
        [b'D', b'I', b'R', b'C', 0, 0, 0, 2..=4, ..] => "git index",
        [b'S', b'Q', b'L', b'i', b't', b'e', b' ', b'f', ..] => "sqlite",
        // TensorBoard's first record says what it is.
        [24..=64, 0, 0, 0, 0, 0, 0, 0, rest @ ..] if contains(rest.get(..64.min(rest.len()))?, b"brain.Event:") => {
            "tensorboard events"
        }
        _ => return None,
    })
}

/// Windows's programs name the place of their second header.
fn is_portable(bytes: &[u8]) -> bool {
    u32le(bytes, 60).is_some_and(|at| piece(bytes, size(u64::from(at)), 4) == Some(b"PE\0\0"))
}

/// Examines bytes of any kind; the name of what they are.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    if bytes.is_empty() {
        return "empty";
    }
    let found = magic(bytes);
    // A zip archive is found from its end: whatever comes before it, Python opens it.
    let both = matches!(found, Some(Magic::Zip | Magic::Tflite | Magic::Ape));
    if !both && zip::ends(bytes) {
        desk.find(&rules::CONTAINER, "a zip archive begins behind other bytes", 0, bytes.len());
        desk.within("zip", bytes.len(), |desk| {
            zip::examine(bytes, desk);
        });
    }
    // Old pickles have no mark: what bears one of another format may be read as one all the same.
    if !matches!(found, Some(Magic::Pickle | Magic::Named(_)) | None) {
        pickle::examine(bytes, desk, pickle::Sort::Hidden);
    }
    match found {
        Some(Magic::Zip) => zip::examine(bytes, desk),
        Some(Magic::Pickle) => pickle::examine(bytes, desk, pickle::Sort::Known).map_or("pickle", |p| p.format),
        Some(Magic::Compressed(coding)) => codec::examine(bytes, coding, desk),
        Some(Magic::Npy) => npy::examine(bytes, desk),
        Some(Magic::Gguf) => gguf::examine(bytes, desk),
        Some(Magic::Hdf5) => hdf5::examine(bytes, 0, desk),
        Some(Magic::Tar) => tar::examine(bytes, desk),
        Some(Magic::Sevenz) => sevenz::examine(bytes, desk),
        Some(Magic::Tflite) => tflite::examine(bytes, desk),
        Some(Magic::Ape) => {
            desk.find(&rules::NATIVE, "the file is a program for several systems", 0, bytes.len());
            if zip::ends(bytes) {
                zip::examine(bytes, desk);
            }
            desk.opaque(bytes.len(), "machine code");
            "llamafile"
        }
        Some(Magic::Bytecode) => {
            let what = "the file is compiled Python, which runs when it is imported";
            desk.find_as(&rules::PYTHON, Severity::Medium, what, (0, bytes.len()), Vec::new());
            desk.partial(Reason::File, bytes.len(), "compiled Python is not examined");
            "python bytecode"
        }
        Some(Magic::Native) => {
            desk.find(&rules::NATIVE, "the file is a native program or library", 0, bytes.len());
            desk.partial(Reason::File, bytes.len(), "machine code is not examined");
            "native code"
        }
        Some(Magic::Named(name)) => {
            if let Some(format) = runnable(bytes, desk) {
                return format;
            }
            if let Some(text) = python::decoded(bytes) {
                return self::text(&text, desk).unwrap_or(name);
            }
            desk.opaque(bytes.len(), "a known format that is described, not read");
            name
        }
        Some(Magic::Closed(name)) => {
            desk.partial(Reason::File, bytes.len(), format!("it is {name}, which is not opened"));
            "archive"
        }
        None => unmarked(bytes, desk),
    }
}

fn unmarked(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    let start = hdf5::start(bytes);
    let tensors = safetensors::begins(bytes);
    if tensors || start.is_some() {
        pickle::examine(bytes, desk, pickle::Sort::Hidden);
    }
    if tensors {
        return safetensors::examine(bytes, desk);
    }
    if let Some(start) = start {
        return hdf5::examine(bytes, start, desk);
    }
    if let Some(format) = runnable(bytes, desk) {
        return format;
    }
    if ubjson::begins(bytes) {
        return ubjson::examine(bytes, desk);
    }
    if let Some(text) = wide(bytes).or_else(|| python::decoded(bytes)) {
        return self::text(&text, desk).unwrap_or("text");
    }
    if sentencepiece::begins(bytes) {
        desk.opaque(bytes.len(), "pieces of a vocabulary");
        return "sentencepiece";
    }
    let known = onnx::is_tensor(bytes) || tensorflow::is_fingerprint(bytes);
    if !known && proto::is_message(bytes, u64::MAX) {
        desk.partial(Reason::File, bytes.len(), "a protocol buffer of no known kind");
        return "protocol buffer";
    }
    if let Some(format) = msgpack::examine(bytes, desk) {
        return format;
    }
    // Few files have those properties by chance, and fewer can be expanded.
    let alone = |bytes: &[u8], desk: &mut Desk<'_>| codec::examine(bytes, codec::Coding::Lzma, desk);
    if codec::is_alone(bytes) && desk.attempt("lzma", bytes, alone) {
        return "lzma";
    }
    let (format, what) = if tensorflow::is_table(bytes) {
        ("tensorflow table", "names and places of tensors")
    } else if tensorflow::is_checkpoint(bytes) {
        ("tensorflow checkpoint", "tensors")
    } else if onnx::is_tensor(bytes) {
        ("onnx tensor", "a tensor")
    } else if tensorflow::is_fingerprint(bytes) {
        ("tensorflow fingerprint", "numbers that identify a model")
    } else if paddle::is_parameters(bytes) {
        ("paddle parameters", "tensors")
    } else if coreml::is_weights(bytes) {
        ("core ml weights", "tensors")
    } else if raw::is_numbers(bytes) {
        ("raw numbers", "numbers without a header, as weights beside a model are")
    } else {
        desk.partial(Reason::File, bytes.len(), "the file is of no known format");
        return "unknown";
    };
    desk.opaque(bytes.len(), what);
    format
}

/// What runs without a mark of its own, or with one that is plain text: pickles, messages and texts.
fn runnable(bytes: &[u8], desk: &mut Desk<'_>) -> Option<&'static str> {
    let source = std::str::from_utf8(bytes).ok();
    // A pickle of protocol 0 or 1 has no magic: whatever runs as one is one. It may be source as well.
    if let Some(pickle) = pickle::examine(bytes, desk, pickle::Sort::Probe) {
        if let Some(source) = source {
            text(source, desk);
        }
        return Some(pickle.format);
    }
    // A file may be several messages at once, as every reader skips the fields of others.
    let mut format = None;
    for examine in [onnx::examine, coreml::examine, tensorflow::examine, paddle::examine] {
        format = format.or(examine(bytes, desk));
    }
    format.or_else(|| source.and_then(|source| text(source, desk)))
}

/// A document in UTF-16 or UTF-32 as Python's reader of JSON tells them: by a mark, or by the zeros around an ASCII
/// character.
fn wide(bytes: &[u8]) -> Option<String> {
    let (width, little) = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [1..=0x7f, 0, 0, 0, ..] => (4, true),
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, 1..=0x7f, ..] => (4, false),
        [0xff, 0xfe, ..] | [1..=0x7f, 0, ..] => (2, true),
        [0xfe, 0xff, ..] | [0, 1..=0x7f, ..] => (2, false),
        _ => return None,
    };
    let mut units = bytes.chunks_exact(width).map(|unit| {
        let join = |n: u32, b: &u8| n << 8 | u32::from(*b);
        if little { unit.iter().rev().fold(0, join) } else { unit.iter().fold(0, join) }
    });
    let marked = matches!(bytes, [0xfe | 0xff, ..] | [0, 0, 0xfe, ..]);
    let begins = |unit: u32| matches!(char::from_u32(unit), Some('{' | '[' | ' ' | '\t' | '\n' | '\r'));
    if !marked && !units.clone().next().is_some_and(begins) {
        return None;
    }
    let text: String = if width == 4 {
        units.map(char::from_u32).collect::<Option<_>>()?
    } else {
        char::decode_utf16(units.by_ref().map(|unit| u16::try_from(unit).unwrap_or_default()))
            .collect::<Result<_, _>>()
            .ok()?
    };
    Some(text)
}

/// Examines a text; `None` where it holds zeros and is nothing known: it is no text then.
fn text(text: &str, desk: &mut Desk<'_>) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let head = text.trim_start_matches('\u{feff}').trim_start();
    let document = head.starts_with(['{', '[']);
    if document && config::json(text, desk) {
        return Some("json");
    }
    if openvino::begins(text) {
        return Some(openvino::examine(text, desk));
    }
    let python = python::examine(text, desk);
    if (!python || document) && (contains(bytes, b"{%") || contains(bytes, b"{{")) {
        template::examine(text, 0, desk);
    }
    config::yaml(text, python, desk);
    if python {
        return Some("python");
    }
    let template = ["{%", "{{", "{#"].iter().any(|mark| head.starts_with(mark));
    if document && !template && config::is_lost(text) {
        desk.partial(Reason::Malformed, bytes.len(), "the JSON document cannot be read");
    } else if memchr::memchr(0, bytes).is_some() {
        return None;
    }
    Some("text")
}
