//! The filters of streams (ISO 32000-2, 7.4).

use bartizan_core::Reason;

use super::file::{File, Object};
use super::lex::{Dict, Value};
use crate::layer::Layer;

/// Most filters one after another.
const FILTERS: usize = 8;

/// Most times that a filter may make its input longer; DEFLATE ends at 1032.
const RATIO: usize = 1100;

/// What a stream holds, decoded; `None` where it is a picture or cannot be decoded.
pub(super) fn decode(file: &File<'_>, object: &Object, layer: &mut Layer<'_>) -> Option<Vec<u8>> {
    let raw = file.raw(object)?;
    let dict = object.value.dict()?;
    let filters = list(file, dict, &["Filter", "F"]);
    let parameters = list(file, dict, &["DecodeParms", "DP"]);
    if filters.len() > FILTERS {
        layer.fault(Reason::TooDeep);
        return None;
    }
    let mut data = std::borrow::Cow::Borrowed(raw);
    if filters.is_empty() && !layer.expand(raw.len()) {
        return None;
    }
    for (index, filter) in filters.iter().enumerate() {
        let name = filter.name().unwrap_or_default();
        if is_picture(name) {
            return None;
        }
        let parameters = parameters.get(index).copied().and_then(Value::dict);
        data = apply(file, name, parameters, &data, layer)?.into();
    }
    Some(data.into_owned())
}

/// True for filters of pictures.
pub(super) fn is_picture(filter: &[u8]) -> bool {
    matches!(filter, b"DCTDecode" | b"DCT" | b"JPXDecode" | b"CCITTFaxDecode" | b"CCF" | b"JBIG2Decode")
}

fn list<'s>(file: &'s File<'_>, dict: &'s Dict, keys: &[&str]) -> Vec<&'s Value> {
    match keys.iter().find_map(|key| file.get(dict, key)) {
        Some(Value::List(list)) => list.iter().filter_map(|v| file.resolve(v)).take(FILTERS + 1).collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(value) => vec![value],
    }
}

/// One filter, by lopdf, which bounds what it makes.
fn apply(
    file: &File<'_>,
    name: &[u8],
    parameters: Option<&Dict>,
    data: &[u8],
    layer: &mut Layer<'_>,
) -> Option<Vec<u8>> {
    let name: &[u8] = match name {
        b"Fl" => b"FlateDecode",
        b"LZW" => b"LZWDecode",
        b"A85" => b"ASCII85Decode",
        b"AHx" => b"ASCIIHexDecode",
        b"RL" => b"RunLengthDecode",
        // Identity, where the file is not encrypted.
        b"Crypt" => return Some(data.to_vec()),
        name => name,
    };
    let mut dict = lopdf::Dictionary::new();
    dict.set("Filter", lopdf::Object::Name(name.to_vec()));
    if let Some(parameters) = parameters {
        let mut decode = lopdf::Dictionary::new();
        for key in ["Predictor", "Columns", "Colors", "BitsPerComponent", "EarlyChange"] {
            if let Some(number) = file.get(parameters, key).and_then(Value::count) {
                decode.set(key, lopdf::Object::Integer(i64::try_from(number).unwrap_or(i64::MAX)));
            }
        }
        dict.set("DecodeParms", lopdf::Object::Dictionary(decode));
    }
    let most = layer.budget.expanded.min(data.len().saturating_mul(RATIO).saturating_add(1024));
    let stream = lopdf::Stream::new(dict, data.to_vec());
    match stream.decompressed_content_with_limit(most) {
        Ok(out) => layer.expand(out.len()).then_some(out),
        Err(lopdf::Error::Decompress(lopdf::DecompressError::MemoryLimitExceeded { .. })) => {
            layer.expand(most.saturating_add(1));
            layer.fault(Reason::DecodedTooLarge);
            None
        }
        Err(_) => {
            layer.fault(Reason::Malformed);
            None
        }
    }
}
