//! PDF (ISO 32000): pages, forms, annotations, fields, metadata, attachments, and whatever else has characters.
//!
//! Filters and the tables of encodings are lopdf's. Its loader is not used: a stream object of overlapping offsets, a
//! table of many entries for one object, or a `ToUnicode` range of all codes costs it more time or memory than a guard
//! can spend.

mod cmap;
mod content;
mod file;
mod font;
mod lex;
mod stream;

use std::collections::HashSet;

use bartizan_core::Reason;
use memchr::memmem;

use self::content::{Pages, Writing};
use self::file::{File, Object};
use self::font::Fonts;
use self::lex::{Dict, Value};
use crate::layer::Layer;
use crate::{charset, extract, xml};

/// Deepest nesting of the page tree.
const DEPTH: usize = 64;

/// Reads a file.
pub(crate) fn read(data: &[u8], layer: &mut Layer<'_>) {
    let file = File::parse(data, layer);
    if file.is_encrypted {
        return layer.fault(Reason::Encrypted);
    }
    if file.objects.is_empty() {
        return layer.fault(Reason::Malformed);
    }
    let order = page_order(&file);
    let fallback = resources_of_all(&file);
    let mut pages = Pages { file: &file, fonts: Fonts::default(), used: HashSet::new(), fallback };
    for (number, index) in order.into_iter().enumerate() {
        if !layer.part() {
            return;
        }
        page(&mut pages, number + 1, index, layer);
    }
    strings(&file, layer);
    rest(&mut pages, layer);
}

/// Pages in the order of the tree, then those that are in no tree, by their place among the objects.
fn page_order(file: &File<'_>) -> Vec<usize> {
    let mut seen = HashSet::new();
    let mut order = Vec::new();
    let roots = file.objects.iter().filter(|o| o.is("Type", "Catalog")).filter_map(|o| o.get("Pages"));
    for root in roots {
        let mut stack = vec![(root, 0)];
        while let Some((value, depth)) = stack.pop() {
            let Value::Reference(number) = value else { continue };
            let Some(index) = file.index(*number).filter(|index| seen.insert(*index)) else { continue };
            let Some(object) = file.objects.get(index) else { continue };
            match object.get("Kids").and_then(|kids| file.resolve(kids)).and_then(Value::list) {
                Some(kids) if depth < DEPTH => stack.extend(kids.iter().rev().map(|kid| (kid, depth + 1))),
                _ => order.push(index),
            }
        }
    }
    let all = file.objects.iter().enumerate();
    order.extend(all.filter(|(_, o)| o.is("Type", "Page")).map(|(index, _)| index).filter(|i| seen.insert(*i)));
    order
}

/// Most resource dictionaries that are tried for a stream without its own.
const FALLBACKS: usize = 16;

fn resources_of_all<'f>(file: &'f File<'_>) -> Vec<&'f Dict> {
    let own = file.objects.iter().filter_map(|o| file.resolve(o.get("Resources")?)?.dict());
    own.take(FALLBACKS).collect()
}

fn page(pages: &mut Pages<'_, '_>, number: usize, index: usize, layer: &mut Layer<'_>) {
    let file = pages.file;
    let Some(object) = file.objects.get(index) else { return };
    let mut resources = Vec::new();
    let mut node = object.value.dict();
    for _ in 0..DEPTH {
        let Some(dict) = node else { break };
        resources.extend(file.get(dict, "Resources").and_then(Value::dict));
        node = file.get(dict, "Parent").and_then(Value::dict);
    }
    resources.truncate(1);
    // Several streams are one: operators may begin in one and end in the next.
    let mut data = Vec::new();
    let contents = object.get("Contents");
    let list = contents.and_then(|c| file.resolve(c)).and_then(Value::list);
    for value in list.map_or_else(|| contents.into_iter().collect(), |list| list.iter().collect::<Vec<_>>()) {
        let Value::Reference(number) = value else { continue };
        let Some((index, stream)) = file.index(*number).zip(file.object(*number)) else { continue };
        // A stream that several pages show says the same on all of them.
        if pages.used.insert(index) {
            data.extend(stream::decode(file, stream, layer).unwrap_or_default());
            data.push(b'\n');
        }
    }
    let mut out = Writing::default();
    content::read(pages, &data, resources, &mut out, layer);
    emit(&format!("page {number}"), out, layer);
}

fn emit(member: &str, out: Writing, layer: &mut Layer<'_>) {
    layer.text(member, out.text);
    layer.text(&format!("{member}#marks"), out.asides);
}

/// Every string in every dictionary and list: annotations, fields, outlines, document information, names, scripts.
fn strings(file: &File<'_>, layer: &mut Layer<'_>) {
    /// Keys whose strings are data or instructions to the reader.
    const DATA: [&[u8]; 9] = [b"ID", b"CheckSum", b"Cert", b"DA", b"O", b"U", b"CharSet", b"Panose", b"Lookup"];
    let mut out = String::new();
    let most = layer.text_left();
    let mut stack: Vec<&Value> = Vec::new();
    for object in &file.objects {
        stack.push(&object.value);
        while let Some(value) = stack.pop() {
            match value {
                Value::Text(bytes) if out.len() <= most => {
                    let text = charset::text(bytes);
                    let printable = text.chars().filter(|c| !c.is_control() && *c != '\u{fffd}').count();
                    if bytes.len() >= 2 && printable * 10 >= text.chars().count() * 9 && !text.starts_with("D:") {
                        out.push_str(&text);
                        out.push('\n');
                    }
                }
                Value::List(list) => stack.extend(list.iter().rev()),
                Value::Dict(dict) => {
                    let signature = dict.contains_key(&b"ByteRange"[..]);
                    let kept = dict.iter().rev().filter(|(key, _)| {
                        !(DATA.contains(&key.as_slice()) || signature && key.as_slice() == b"Contents")
                    });
                    stack.extend(kept.map(|(_, value)| value));
                }
                _ => {}
            }
        }
    }
    layer.text("strings", out);
}

/// Streams that no page showed: appearances of annotations, patterns, glyphs, scripts, metadata, attachments, and
/// what is in the file without being reached from anywhere.
fn rest(pages: &mut Pages<'_, '_>, layer: &mut Layer<'_>) {
    let file = pages.file;
    let skipped = fonts_and_maps(file);
    for (index, object) in file.objects.iter().enumerate() {
        if object.stream.is_none() || pages.used.contains(&index) || is_other(object) {
            continue;
        }
        if !layer.part() {
            return;
        }
        let Some(data) = stream::decode(file, object, layer) else { continue };
        // That a font refers to it does not make it a font.
        if skipped.contains(&index) && (!charset::is_text(&data) || memmem::find(&data, b"begincmap").is_some()) {
            continue;
        }
        let member = format!("object {}", object.number);
        if object.is("Type", "EmbeddedFile") || extract::is_document(&data) {
            let declared = object.get("Subtype").and_then(Value::name).map(String::from_utf8_lossy);
            extract::part(&member, &data, declared.as_deref(), layer);
        } else if is_content(&data) || object.is("Subtype", "Form") {
            let own = object.get("Resources").and_then(|r| file.resolve(r)).and_then(Value::dict);
            let mut out = Writing::default();
            content::read(pages, &data, own.into_iter().collect(), &mut out, layer);
            emit(&member, out, layer);
        } else if charset::is_text(&data) {
            let text = charset::text(&data);
            if text.trim_start().starts_with('<') {
                xml::read(&member, &text, layer);
            } else {
                layer.text(&member, text.into_owned());
            }
        }
    }
}

fn is_content(data: &[u8]) -> bool {
    memmem::find(data, b"BT").is_some()
        && [&b"Tj"[..], b"TJ", b"'", b"\""].iter().any(|op| memmem::find(data, op).is_some())
}

/// Streams that are read elsewhere or hold no characters.
fn is_other(object: &Object) -> bool {
    object.is("Type", "XRef")
        || object.is("Type", "ObjStm")
        || object.is("Type", "CMap")
        || object.is("Subtype", "Image")
        || ["FunctionType", "ShadingType"].iter().any(|key| object.get(key).is_some())
}

/// Streams that fonts refer to.
fn fonts_and_maps(file: &File<'_>) -> HashSet<usize> {
    const KEYS: [&str; 5] = ["FontFile", "FontFile2", "FontFile3", "ToUnicode", "CIDToGIDMap"];
    let values = file.objects.iter().flat_map(|o| KEYS.iter().filter_map(|key| o.get(key)));
    let numbers = values.filter_map(|v| if let Value::Reference(number) = v { Some(*number) } else { None });
    numbers.filter_map(|number| file.index(number)).collect()
}
