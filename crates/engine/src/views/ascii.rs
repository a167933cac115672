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
        let (words, letters) = (marks(window, alphanumeric), marks(window, letter));
        let (before, middle, after) = (lanes::<0>(&words), lanes::<1>(&letters), lanes::<2>(&words));
        let mut alone = 0_u8;
        for ((before, letter), after) in before.iter().zip(middle).zip(after) {
            alone += (before ^ 1) & letter & (after ^ 1);
        }
        alone >= 2
    })
}

/// Blocks in which three pairs of hexadecimal digits or more stand alone; adjacent ones are merged.
pub(super) fn pair_blocks(bytes: &[u8]) -> impl Iterator<Item = Span> + '_ {
    blocks(bytes, |window| {
        let (words, digits) = (marks(window, alphanumeric), marks(window, hex));
        let opens = marks(window, |b| (alphanumeric(b) ^ 1) | u8::from(b | 0x20 == b'x'));
        let (before, high) = (lanes::<0>(&opens), lanes::<1>(&digits));
        let (low, after) = (lanes::<2>(&digits), lanes::<3>(&words));
        let mut pairs = 0_u8;
        for ((before, high), (low, after)) in before.iter().zip(high).zip(low.iter().zip(after)) {
            pairs += before & high & low & (after ^ 1);
        }
        pairs >= 3
    })
}

/// What each byte is, as 0 or 1. Truth values in between would keep compilers from using vectors.
fn marks(window: &Window, is: impl Fn(u8) -> u8) -> Window {
    let mut marks = [0; BLOCK + 3];
    for (mark, byte) in marks.iter_mut().zip(window) {
        *mark = is(*byte);
    }
    marks
}

/// The bytes of the window from `SHIFT` on, as many as a block has: a fixed length makes the loops above straight.
fn lanes<const SHIFT: usize>(window: &Window) -> &[u8; BLOCK] {
    window.get(SHIFT..).and_then(<[u8]>::first_chunk).unwrap_or(&[0; BLOCK])
}

fn letter(b: u8) -> u8 {
    u8::from((b | 0x20).wrapping_sub(b'a') < 26)
}

fn alphanumeric(b: u8) -> u8 {
    letter(b) | u8::from(b.wrapping_sub(b'0') < 10) | b >> 7
}

fn hex(b: u8) -> u8 {
    u8::from((b | 0x20).wrapping_sub(b'a') < 6) | u8::from(b.wrapping_sub(b'0') < 10)
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
