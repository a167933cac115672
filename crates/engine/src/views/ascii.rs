//! Quick looks at ASCII bytes. Each is one branch-free pass that compilers turn into vector code, so that ordinary
//! text is waved through at the speed of memory.

use bartizan_core::Span;

const BLOCK: usize = 32;
/// A block with the byte before it and the two after it.
type Window = [u8; BLOCK + 3];

/// True where a control character other than tab and the line ends occurs.
pub(super) fn has_control(bytes: &[u8]) -> bool {
    bytes.chunks(256).any(|chunk| {
        chunk.iter().fold(false, |found, b| found | ((*b < 0x20) & !matches!(*b, b'\t' | b'\n' | b'\r')) | (*b == 0x7f))
    })
}

/// Blocks in which two letters or more stand alone between separators; adjacent ones are merged. Four letters of a
/// spelled-out word with gaps of up to eight bytes put at least two into some block.
pub(super) fn spelled_blocks(bytes: &[u8]) -> impl Iterator<Item = Span> + '_ {
    blocks(bytes, |window| {
        let (before, letter, after) = (lanes::<0>(window), lanes::<1>(window), lanes::<2>(window));
        let mut alone = 0_u8;
        for ((before, letter), after) in before.iter().zip(letter).zip(after) {
            alone += u8::from(!alphanumeric(*before) & letter.is_ascii_alphabetic() & !alphanumeric(*after));
        }
        alone >= 2
    })
}

/// Blocks in which three pairs of hexadecimal digits or more stand alone; adjacent ones are merged.
pub(super) fn pair_blocks(bytes: &[u8]) -> impl Iterator<Item = Span> + '_ {
    blocks(bytes, |window| {
        let (before, high) = (lanes::<0>(window), lanes::<1>(window));
        let (low, after) = (lanes::<2>(window), lanes::<3>(window));
        let mut pairs = 0_u8;
        for ((before, high), (low, after)) in before.iter().zip(high).zip(low.iter().zip(after)) {
            let opens = !alphanumeric(*before) | (*before | 0x20 == b'x');
            pairs += u8::from(opens & hex(*high) & hex(*low) & !alphanumeric(*after));
        }
        pairs >= 3
    })
}

/// The bytes of the window from `SHIFT` on, as many as a block has: a fixed length makes the loops above straight.
fn lanes<const SHIFT: usize>(window: &Window) -> &[u8; BLOCK] {
    window.get(SHIFT..).and_then(<[u8]>::first_chunk).unwrap_or(&[0; BLOCK])
}

const fn alphanumeric(b: u8) -> bool {
    ((b | 0x20).wrapping_sub(b'a') < 26) | (b.wrapping_sub(b'0') < 10) | (b >= 0x80)
}

const fn hex(b: u8) -> bool {
    ((b | 0x20).wrapping_sub(b'a') < 6) | (b.wrapping_sub(b'0') < 10)
}

fn blocks<'b>(bytes: &'b [u8], wanted: impl Fn(&Window) -> bool + 'b) -> impl Iterator<Item = Span> + 'b {
    let mut at = 0;
    std::iter::from_fn(move || {
        let mut found: Option<Span> = None;
        while at < bytes.len() {
            let inner = at.checked_sub(1).and_then(|from| bytes.get(from..)?.first_chunk());
            let hit = match inner {
                Some(window) => wanted(window),
                None => wanted(&padded(bytes, at)),
            };
            if hit {
                let start = found.map_or(at, |f| f.start);
                found = Some(Span::new(start, (at + BLOCK).min(bytes.len())));
            }
            at += BLOCK;
            if !hit && found.is_some() {
                break;
            }
        }
        // The run may begin in the quieter block before.
        found.map(|f| Span::new(f.start.saturating_sub(BLOCK), f.end))
    })
}

/// The window at the edge of a text, with blanks where there is none.
fn padded(bytes: &[u8], at: usize) -> Window {
    let mut window = [b' '; BLOCK + 3];
    let skip = usize::from(at == 0);
    let rest = bytes.get(at.saturating_sub(1)..).unwrap_or_default();
    for (slot, b) in window.iter_mut().skip(skip).zip(rest) {
        *slot = *b;
    }
    window
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_wherever_they_lie() {
        for lead in 0..100 {
            for trail in [0, 1, 31, 32, 33, 80] {
                let pad = "word ".repeat(30);
                let text = |run: &str| format!("{} {run} {}", &pad[..lead], &pad[..trail]);
                let run = text("a b c d");
                assert!(
                    spelled_blocks(run.as_bytes()).any(|b| b.start <= lead + 1 && b.end > lead + 3),
                    "{lead} {trail}"
                );
                let run = text("0x69, 0x67, 0x6e, 0x6f, 0x72, 0x65, 0x20, 0x61");
                assert!(pair_blocks(run.as_bytes()).any(|b| b.start <= lead + 3), "{lead} {trail}");
            }
        }
        assert_eq!(spelled_blocks("These are words, and none of them is spelled".as_bytes()).count(), 0);
    }

    #[test]
    fn controls_are_seen() {
        assert!(!has_control(b"plain\ttext\r\n"));
        assert!(has_control(b"a\x0bb") && has_control(b"\0") && has_control(b"\x7f"));
    }
}
