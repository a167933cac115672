//! Examples of pack rules: generators, so that no file holds anything that looks like a live secret, and the check.

use std::borrow::Cow;

use aho_corasick::AhoCorasick;
use bartizan_core::{
    Context, Coverage, Detector, Finding, Hit, HitKind, Kind, Limits, OffsetMap, Origin, Scores, Sink, Span, Subject,
    View, ViewText, Views,
};
use toml::Spanned;

use super::checksum::{base62, crc32};
use super::detector::Pack;
use super::schema::Row;
use super::shape::{Piece, parse};
use super::{PackError, place};
use crate::secret::quality;

/// Most times that characters are drawn for one place. An uneven draw, such as `33373313`, is nobody's key and would
/// not be found, whatever the shape.
const DRAWS: usize = 64;
/// The part of the highest entropy that a draw has to have.
const EVEN: f32 = 0.85;

/// Expands `{class:length}` to characters that depend on the example alone. `{crc32-base62:36}` ends in the checksum
/// of the characters before.
pub(super) fn expand(text: &str) -> Result<String, String> {
    // FNV-1a of the notation seeds a linear congruential generator (Knuth, MMIX).
    let mut state =
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mut out = Vec::new();
    for piece in parse(text)? {
        match piece {
            Piece::Literal(literal) => out.extend(literal),
            Piece::Run { name, class, min, .. } => {
                let alphabet: Vec<u8> = class.bytes().collect();
                let from = out.len();
                let most = (alphabet.len().min(min).max(1) as f32).log2();
                for _ in 0..DRAWS {
                    out.truncate(from);
                    for _ in 0..min {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        let index = (state >> 33) as usize % alphabet.len().max(1);
                        out.extend(alphabet.get(index));
                    }
                    if quality::entropy(out.get(from..).unwrap_or_default()) >= most * EVEN {
                        break;
                    }
                }
                if name == "crc32-base62" {
                    let body = out.len().saturating_sub(6).max(from);
                    let sum = base62(crc32(out.get(from..body).unwrap_or_default()));
                    out.truncate(body);
                    out.extend(sum);
                }
            }
        }
    }
    String::from_utf8(out).map_err(|e| e.to_string())
}

/// What the pack finds in a text.
pub(super) fn probe(pack: &Pack, text: &str) -> Result<Vec<Finding>, String> {
    let literals = pack.anchors().literals;
    let finder = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(literals.iter().map(|l| l.as_bytes()))
        .map_err(|e| e.to_string())?;
    let hits: Vec<Hit> = finder
        .find_overlapping_iter(text)
        .map(|m| Hit { text: 0, span: Span::new(m.start(), m.end()), kind: HitKind::Literal(m.pattern().as_usize()) })
        .collect();
    let texts = [ViewText {
        view: View::Raw,
        serves: Views::RAW | Views::TOKENS,
        depth: 0,
        text: Cow::Borrowed(text),
        map: OffsetMap::identity(),
    }];
    let origin = Origin::default();
    let subject =
        Subject { text, kind: Kind::Text, origin: &origin, context: Context::default(), texts: &texts, hits: &hits };
    let limits = Limits::default();
    let (mut findings, mut scores, mut coverage) = (Vec::new(), Scores::default(), Coverage::default());
    pack.inspect(&subject, &limits, &mut Sink::new(&mut findings, &mut scores, &mut coverage, &limits));
    Ok(findings)
}

/// Runs the examples of every row.
pub(super) fn check(pack: &Pack, rows: &[Row], toml: &str) -> Result<(), PackError> {
    for row in rows {
        let id = row.id.get_ref();
        let cases = row.fire.iter().map(|e| (e, true)).chain(row.silent.iter().map(|e| (e, false)));
        for (text, fires) in cases {
            run(pack, id, text, fires).map_err(|reason| {
                let (line, column) = place(toml, text.span().start);
                PackError::Rule { line, column, rule: id.clone(), reason }
            })?;
        }
    }
    Ok(())
}

fn run(pack: &Pack, id: &str, text: &Spanned<String>, fires: bool) -> Result<(), String> {
    let findings = probe(pack, &expand(text.get_ref())?)?;
    if findings.iter().any(|f| f.rule.as_str() == id) == fires {
        return Ok(());
    }
    let example = text.get_ref();
    Err(if fires {
        format!("the `fire` example `{example}` is not found; correct the example or widen the rule")
    } else {
        format!("the `silent` example `{example}` is found; correct the example or narrow the rule")
    })
}
