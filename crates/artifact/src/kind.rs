//! What a file is, by its content, and who reads it.

use bartizan_core::Reason;

use crate::bytes::{contains, piece, u32le};
use crate::desk::Desk;
use crate::{codec, config, gguf, hdf5, npy, onnx, pickle, rules, safetensors, tar, template, zip};

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
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Magic::Closed("a 7z archive"),
        [b'R', b'a', b'r', b'!', ..] => Magic::Closed("a RAR archive"),
        [0x7f, b'E', b'L', b'F', ..] | [b'M', b'Z', 0x90, ..] => Magic::Closed("a native program"),
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Magic::Named("tflite"),
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
        _ if piece(bytes, 257, 5) == Some(b"ustar") => Magic::Tar,
        _ => return None,
    })
}

/// Examines bytes of any kind; the name of what they are.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    if bytes.is_empty() {
        return "empty";
    }
    let found = magic(bytes);
    // A zip archive is found from its end: whatever comes before it, Python opens it.
    if found != Some(Magic::Zip) && zip::ends(bytes) {
        desk.find(&rules::CONTAINER, "a zip archive begins behind other bytes", 0, bytes.len());
        desk.within("zip", bytes.len(), |desk| {
            zip::examine(bytes, desk);
        });
    }
    match found {
        Some(Magic::Zip) => zip::examine(bytes, desk),
        Some(Magic::Pickle) => pickle::examine(bytes, desk, false).map_or("pickle", |p| p.format),
        Some(Magic::Compressed(coding)) => codec::examine(bytes, coding, desk),
        Some(Magic::Npy) => npy::examine(bytes, desk),
        Some(Magic::Gguf) => gguf::examine(bytes, desk),
        Some(Magic::Hdf5) => hdf5::examine(bytes, desk),
        Some(Magic::Tar) => tar::examine(bytes, desk),
        Some(Magic::Named(name)) => {
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
    if safetensors::begins(bytes) {
        return safetensors::examine(bytes, desk);
    }
    // A pickle of protocol 0 or 1 has no magic: whatever runs as one is one.
    if let Some(pickle) = pickle::examine(bytes, desk, true) {
        return pickle.format;
    }
    if let Some(format) = onnx::examine(bytes, desk) {
        return format;
    }
    if std::str::from_utf8(bytes).is_ok() {
        return text(bytes, desk);
    }
    if bytes.first() == Some(&b'{')
        && u32le(bytes, 0).is_some()
        && contains(piece(bytes, 0, 256.min(bytes.len())).unwrap_or_default(), b"learner")
    {
        desk.opaque(bytes.len(), "an xgboost model");
        return "xgboost";
    }
    // Weights without a header, as Core ML and ncnn keep them, look like this too.
    desk.partial(Reason::File, bytes.len(), "the file is of no known format");
    "unknown"
}

fn text(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let head = text.trim_start_matches('\u{feff}').trim_start();
    if head.starts_with(['{', '[']) && config::json(text, desk) {
        return "json";
    }
    if contains(bytes, b"{%") || contains(bytes, b"{{") {
        template::examine(text, 0, desk);
    }
    config::yaml(text, desk);
    "text"
}
