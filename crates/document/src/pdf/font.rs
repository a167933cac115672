//! From the codes in a string to characters and their width.

use std::collections::HashMap;
use std::rc::Rc;

use bartizan_core::Reason;

use super::cmap::CMap;
use super::file::File;
use super::lex::{Dict, Value};
use super::stream;
use crate::layer::Layer;

/// A font, as far as text needs it.
#[derive(Debug)]
pub(super) struct Font {
    to_unicode: Option<CMap>,
    codes: Codes,
    /// Advance of codes from `first`, in thousandths of the size.
    widths: Vec<f64>,
    first: usize,
}

/// What codes mean where `ToUnicode` says nothing.
#[derive(Debug)]
enum Codes {
    /// One byte each.
    Simple(Rc<[String]>),
    /// An encoding of its own, of several bytes.
    Wide(&'static encoding_rs::Encoding),
    /// Two bytes that number glyphs.
    Glyphs,
}

/// Tables that fonts share.
#[derive(Debug, Default)]
pub(super) struct Tables {
    bases: HashMap<Vec<u8>, Rc<[String]>>,
    glyphs: HashMap<Vec<u8>, String>,
}

impl Font {
    /// A font from its dictionary.
    pub(super) fn new(file: &File<'_>, dict: &Dict, tables: &mut Tables, layer: &mut Layer<'_>) -> Self {
        let map = match dict.get(&b"ToUnicode"[..]) {
            Some(Value::Reference(number)) => file.object(*number),
            _ => None,
        };
        let to_unicode = map
            .and_then(|object| stream::decode(file, object, layer))
            .map(|data| CMap::parse(&data))
            .filter(|map| !map.is_empty());
        let composite = file.get(dict, "Subtype").and_then(Value::name) == Some(b"Type0");
        let encoding = file.get(dict, "Encoding");
        let codes = match encoding.and_then(Value::name) {
            Some(name) if composite => predefined(name).map_or(Codes::Glyphs, Codes::Wide),
            None if composite => Codes::Glyphs,
            _ => Codes::Simple(simple(file, encoding, tables)),
        };
        let widths = file.get(dict, "Widths").and_then(Value::list).unwrap_or_default();
        let widths = widths.iter().take(256).map(|w| file.resolve(w).and_then(Value::number).unwrap_or(0.0)).collect();
        let first = file.get(dict, "FirstChar").and_then(Value::count).unwrap_or(0);
        Self { to_unicode, codes, widths, first }
    }

    /// The font of text that names none: WinAnsi.
    pub(super) fn unnamed(tables: &mut Tables) -> Self {
        Self { to_unicode: None, codes: Codes::Simple(base(b"WinAnsiEncoding", tables)), widths: vec![], first: 0 }
    }

    /// Appends the characters of a string; answers with its advance in sizes of the font and its number of codes, and
    /// says where codes have no characters.
    pub(super) fn show(&self, bytes: &[u8], out: &mut String, layer: &mut Layer<'_>) -> (f64, usize) {
        let (mut advance, mut count, mut rest) = (0.0, 0, bytes);
        if let (None, Codes::Wide(encoding)) = (&self.to_unicode, &self.codes) {
            let text = encoding.decode_without_bom_handling(bytes).0;
            out.push_str(&text);
            return (text.chars().map(width).sum(), text.chars().count());
        }
        let width_of_code = match (&self.codes, &self.to_unicode) {
            (Codes::Simple(_), _) => 1,
            (_, Some(map)) if map.is_single() => 1,
            _ => 2,
        };
        while let Some(first) = rest.first() {
            let before = out.len();
            let (length, units) = match &self.to_unicode {
                Some(map) => map.next(rest, width_of_code),
                None => (width_of_code.min(rest.len()), None),
            };
            match (units, &self.codes) {
                (Some(units), _) => out.extend(char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}'))),
                (None, Codes::Simple(table)) => {
                    out.push_str(table.get(usize::from(*first)).map_or("", String::as_str));
                }
                // Numbers of glyphs are text to who looks at the page, and nothing to who reads the file.
                (None, _) => layer.file(),
            }
            let code = usize::from(*first);
            let stated = code.checked_sub(self.first).and_then(|at| self.widths.get(at)).filter(|_| length == 1);
            advance += match stated {
                Some(thousandths) => thousandths / 1000.0,
                None => out.get(before..).unwrap_or_default().chars().map(width).sum(),
            };
            count += 1;
            rest = rest.get(length..).unwrap_or_default();
        }
        (advance, count)
    }
}

/// About how wide a character is, in sizes of the font: fonts without widths are the standard ones.
const fn width(c: char) -> f64 {
    match c {
        ' ' | 'i' | 'j' | 'l' | 't' | 'f' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '(' | ')' | '[' | ']' => {
            0.28
        }
        'm' | 'M' | 'W' | 'w' | '@' => 0.85,
        'r' | '-' => 0.33,
        'A'..='Z' => 0.69,
        '\u{2e80}'.. => 1.0,
        _ => 0.53,
    }
}

/// Predefined maps that are encodings (9.7.5.2).
fn predefined(name: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let name = std::str::from_utf8(name).ok()?;
    let has = |part: &str| name.contains(part);
    Some(match () {
        () if has("UCS2") || has("UTF16") => encoding_rs::UTF_16BE,
        () if has("RKSJ") => encoding_rs::SHIFT_JIS,
        () if has("GBK") || has("GB-EUC") => encoding_rs::GB18030,
        () if has("ETen") || has("B5pc") => encoding_rs::BIG5,
        () if has("KSC") => encoding_rs::EUC_KR,
        () if has("EUC") => encoding_rs::EUC_JP,
        () => return None,
    })
}

fn simple(file: &File<'_>, encoding: Option<&Value>, tables: &mut Tables) -> Rc<[String]> {
    let (name, differences) = match encoding {
        Some(Value::Name(name)) => (name.as_slice(), None),
        Some(Value::Dict(dict)) => (
            file.get(dict, "BaseEncoding").and_then(Value::name).unwrap_or(b"StandardEncoding"),
            file.get(dict, "Differences").and_then(Value::list),
        ),
        _ => (&b"WinAnsiEncoding"[..], None),
    };
    let table = base(name, tables);
    let Some(differences) = differences else { return table };
    let mut table = table.to_vec();
    let mut code = 0;
    for value in differences.iter().take(1024).filter_map(|v| file.resolve(v)) {
        match value {
            Value::Name(name) => {
                if let Some(place) = table.get_mut(code) {
                    *place = glyph(name, tables);
                }
                code += 1;
            }
            value => code = value.count().unwrap_or(code),
        }
    }
    table.into()
}

/// A table of one of the standard encodings (annex D).
fn base(name: &[u8], tables: &mut Tables) -> Rc<[String]> {
    let name: &[u8] = match name {
        b"StandardEncoding" | b"MacRomanEncoding" | b"MacExpertEncoding" => name,
        _ => b"WinAnsiEncoding",
    };
    if let Some(table) = tables.bases.get(name) {
        return Rc::clone(table);
    }
    let encoding = lopdf::Object::Name(name.to_vec());
    let table: Rc<[String]> = (0..=255_u8).map(|byte| read(&encoding, byte)).collect();
    tables.bases.insert(name.to_vec(), Rc::clone(&table));
    table
}

/// The characters of a glyph, by its name.
fn glyph(name: &[u8], tables: &mut Tables) -> String {
    if let Some(text) = tables.glyphs.get(name) {
        return text.clone();
    }
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).map(String::from);
    let plain = std::str::from_utf8(name).unwrap_or_default();
    // Variants have a suffix: `a.sc`.
    let plain = plain.split_once('.').map_or(plain, |(first, _)| first);
    let coded = plain.strip_prefix("uni").and_then(|d| d.get(..4)).and_then(hex);
    let coded = coded.or_else(|| plain.strip_prefix('u').filter(|d| (4..=6).contains(&d.len())).and_then(hex));
    let text = coded.unwrap_or_else(|| {
        let differences = vec![lopdf::Object::Integer(0), lopdf::Object::Name(plain.as_bytes().to_vec())];
        let mut encoding = lopdf::Dictionary::new();
        encoding.set("Differences", lopdf::Object::Array(differences));
        read(&lopdf::Object::Dictionary(encoding), 0)
    });
    if tables.glyphs.len() < 1 << 14 {
        tables.glyphs.insert(name.to_vec(), text.clone());
    }
    text
}

/// What one byte means in an encoding, by lopdf's tables.
fn read(encoding: &lopdf::Object, byte: u8) -> String {
    let mut font = lopdf::Dictionary::new();
    font.set("Type", lopdf::Object::Name(b"Font".to_vec()));
    font.set("Encoding", encoding.clone());
    let document = lopdf::Document::new();
    font.get_font_encoding(&document).and_then(|e| e.bytes_to_string(&[byte])).unwrap_or_default()
}

/// Fonts by their dictionaries, made when they are first used.
#[derive(Debug, Default)]
pub(super) struct Fonts {
    made: HashMap<usize, Rc<Font>>,
    tables: Tables,
}

impl Fonts {
    /// The font of a dictionary.
    pub(super) fn of(&mut self, file: &File<'_>, dict: Option<&Dict>, layer: &mut Layer<'_>) -> Rc<Font> {
        // The file does not change, so the place of a dictionary names it.
        let key = dict.map_or(0, |dict| std::ptr::from_ref(dict).addr());
        if let Some(font) = self.made.get(&key) {
            return Rc::clone(font);
        }
        if self.made.len() > MOST_FONTS {
            layer.fault(Reason::TooManyParts);
            return Rc::new(Font::unnamed(&mut self.tables));
        }
        let font = Rc::new(match dict {
            Some(dict) => Font::new(file, dict, &mut self.tables, layer),
            None => Font::unnamed(&mut self.tables),
        });
        self.made.insert(key, Rc::clone(&font));
        font
    }
}

/// Most fonts of a file.
const MOST_FONTS: usize = 4096;
