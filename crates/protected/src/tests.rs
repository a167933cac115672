//! What must always be found, what never, and what hostile files may do.

use std::sync::Arc;

use bartizan_core::Span;
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::chars::{Kind, kind, table};
use crate::{Builder, Common, Index, Key, Match, Matcher, ProtectedError, Public, RUN, Writer, count, find};

const SECRET: &str = "a key for tests only, long enough to be one";

fn key() -> Key {
    Key::new(SECRET).unwrap()
}

fn written(records: &[&str], common: u32, public: &str, parts: u32) -> Vec<u8> {
    let mut set = Public::new(key());
    set.add(public);
    let mut builders: Vec<Builder> = (0..parts).map(|part| Builder::new(key(), part, parts)).collect();
    for builder in &mut builders {
        for record in records {
            builder.record(record).unwrap();
        }
    }
    let (chosen, count) = (builders[0].chosen(), u32::try_from(records.len()).unwrap());
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body, key(), Common(common), set, chosen, count);
    builders.iter_mut().for_each(|builder| writer.part(builder).unwrap());
    let done = writer.finish(&builders[0], &[("corpus.jsonl".to_owned(), 0)]).unwrap();
    [done.head, body].concat()
}

fn index(records: &[&str]) -> Index {
    Index::open(Arc::new(written(records, 16, "", 1)), key()).unwrap()
}

fn matches(index: &Index, pieces: &[&str]) -> Vec<Match> {
    let mut all = Vec::new();
    let mut matcher = Matcher::new(index);
    pieces.iter().for_each(|piece| matcher.push(piece, |m| all.push(m)));
    matcher.finish(|m| all.push(m));
    all
}

fn is_found(index: &Index, text: &str) -> bool {
    !matches(index, &[text]).is_empty()
}

/// Words that no other text has in this order.
fn words(seed: u64, count: usize) -> Vec<String> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("w{}", (state >> 33) % 5000)
        })
        .collect()
}

const RECORD: &str = "The patient in room forty was moved to the north wing after she complained about the noise, \
    and Dr. Okonkwo asked that nobody tell her brother before the second test comes back on Thursday.";

#[test]
fn every_run_of_twelve_words_is_found() {
    let text = words(7, 400);
    let whole = text.join(" ");
    let index = index(&[&whole]);
    let mut fewer = 0;
    for start in 0..=text.len() - RUN {
        let run = format!("Sure. {} That is all.", text[start..start + RUN].join(" "));
        assert!(is_found(&index, &run), "run at {start}");
        fewer += usize::from(is_found(&index, &text[start..start + RUN - 1].join(" ")));
    }
    // Eleven words hold seven of twelve bits by chance at most.
    assert!(fewer < 40, "{fewer} runs of eleven words");
}

#[test]
fn disguises_make_no_difference() {
    let index = index(&[RECORD]);
    let spaced = RECORD.replace(' ', "  \n\t ");
    let marked: String = RECORD.chars().flat_map(|c| [c, '\u{301}']).collect();
    let hidden: String = RECORD.chars().flat_map(|c| [c, '\u{200b}']).collect();
    let full: String = RECORD
        .chars()
        .map(|c| if c.is_ascii_graphic() { char::from_u32(c as u32 + 0xfee0).unwrap() } else { c })
        .collect();
    let alike = RECORD.replace('o', "\u{43e}").replace('a', "\u{430}").replace('e', "\u{435}").replace('T', "\u{422}");
    let code = format!("let s = \"{}\";", RECORD.replace(", ", ", \" +\n    \""));
    let comment =
        RECORD.split(' ').collect::<Vec<_>>().chunks(6).map(|l| format!("// {}\n", l.join(" "))).collect::<String>();
    let upper = RECORD.to_uppercase();
    let markdown = RECORD.replace("north wing", "**north wing**").replace("Thursday", "_Thursday_");
    for text in [&spaced, &marked, &hidden, &full, &alike, &code, &comment, &upper, &markdown] {
        assert!(is_found(&index, text), "{text}");
    }
    assert!(!is_found(
        &index,
        "The patient in room forty was moved to the south wing after he complained about the food."
    ));
}

#[test]
fn what_stands_between_words_hides_no_run() {
    let run = words(3, 20);
    let index = index(&[&run.join(" ")]);
    let found = |text: &str| {
        let mut all = Vec::new();
        find(&index, text, |found| all.push(found.span));
        all.iter().for_each(|span| assert!(text.get(span.start..span.end).is_some(), "{text:?} {span:?}"));
        all
    };
    let lines = |before: &str, after: &str| {
        let each = run.chunks(2).map(|pair| format!("{before}{} {}{after}\n", pair[0], pair[1]));
        each.collect::<String>()
    };
    let numbered: String = run.iter().enumerate().map(|(at, word)| format!("{}. {word}\n", at + 1)).collect();
    let linked: String = run.iter().map(|word| format!("[{word}](https://example.org/{word}) ")).collect();
    let apart = run.iter().map(|word| word.chars().map(String::from).collect::<Vec<_>>().join(" "));
    let hidden = [
        lines("text += \"", " \";"),
        lines("    // ", ""),
        lines("> ", ""),
        lines("<p class=\"x\">", "</p>"),
        run.join("<br/>"),
        numbered,
        linked,
        apart.collect::<Vec<_>>().join("   "),
        run.join("\u{200b}"),
        run.join(" [7] "),
    ];
    for text in &hidden {
        assert!(!found(text).is_empty(), "{text:?}");
    }
    // One that the first reading finds is told once, and nothing is made up.
    assert_eq!(found(&run.join(" ")).len(), matches(&index, &[&run.join(" ")]).len());
    assert!(found(&lines("text += \"other ", "\";")).is_empty());
}

#[test]
fn scripts_without_blanks_count_characters() {
    let index = index(&[
        "\u{5979}\u{5728}\u{661f}\u{671f}\u{4e8c}\u{8ba8}\u{8bba}\u{4e86}\u{65b0}\u{56fe}\u{4e66}\u{9986}\u{7684}\u{8ba1}\u{5212}",
    ]);
    assert!(is_found(
        &index,
        "\u{661f}\u{671f}\u{4e8c}\u{8ba8}\u{8bba}\u{4e86}\u{65b0}\u{56fe}\u{4e66}\u{9986}\u{7684}\u{8ba1}"
    ));
    assert!(!is_found(&index, "\u{65b0}\u{56fe}\u{4e66}\u{9986}\u{7684}\u{8ba1}\u{5212}"));
}

#[test]
fn a_match_covers_the_run_and_names_the_record() {
    let (first, second) = (words(1, 60).join(" "), words(2, 60).join(" "));
    let index = index(&[&first, "too short to protect", &second]);
    let text = format!("before {second} after");
    let all = matches(&index, &[&text]);
    assert!(all.iter().all(|m| (m.records.first, m.records.last) == (2, 2)), "{all:?}");
    let mut covered = Span::new(all[0].span.start, all[0].span.end);
    for m in &all {
        assert!(m.span.start <= covered.end, "a gap before {m:?}");
        covered.end = covered.end.max(m.span.end);
    }
    // A word beside the run agrees by chance once in four times.
    assert!(covered.of(&text).contains(&second), "{}", covered.of(&text));
    assert_eq!(index.stats().short, 1);
    assert_eq!(index.sources().unwrap(), [("corpus.jsonl".to_owned(), 0)]);
}

#[test]
fn boilerplate_copies_and_public_text() {
    let footer = words(3, 40).join(" ");
    let records: Vec<String> = (0..100).map(|n| format!("{} {footer}", words(100 + n, 30).join(" "))).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let open = |common, public: &str| Index::open(Arc::new(written(&records, common, public, 1)), key()).unwrap();
    assert!(!is_found(&open(3, ""), &footer));
    assert!(is_found(&open(100, ""), &footer));
    assert!(!is_found(&open(100, &footer), &footer));
    assert!(is_found(&open(16, &footer), &records[4][..200]));
    // Copies of one record are one record.
    let copies = vec![RECORD; 50];
    assert!(is_found(&index(&copies), RECORD));
}

#[test]
fn parts_make_the_same_index() {
    let records: Vec<String> = (0..40).map(|n| words(n, 50).join(" ")).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let (one, four) = (written(&records, 16, "", 1), written(&records, 16, "", 4));
    // What differs is the digest, the tag and the nonce of the sealed list.
    let body = |all: &[u8]| all[160..all.len() - 60].to_vec();
    assert!(body(&one) == body(&four));
}

#[test]
fn size_and_key() {
    let text = words(11, 20_000).join(" ");
    let bytes = written(&[&text], 16, "", 1);
    let each = bytes.len() as f64 / 20_000.0;
    assert!(each <= 2.5, "{each} bytes a word");
    // Nothing of the text, and nothing that another key opens.
    assert!(!bytes.windows(5).any(|w| w == b"w4711" || w == b"corpu"));
    let other = Key::new("another key for tests, also long enough").unwrap();
    assert_eq!(Index::open(Arc::new(bytes), other).unwrap_err(), ProtectedError::Key);
    assert_eq!(Key::new("short").unwrap_err(), ProtectedError::WeakKey(5));
}

#[test]
fn changed_files_are_noticed_or_harmless() {
    let bytes = written(&[RECORD], 16, "", 1);
    for cut in 0..bytes.len() {
        assert!(Index::open(Arc::new(bytes[..cut].to_vec()), key()).is_err());
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x55;
        if let Ok(index) = Index::open(Arc::new(changed), key()) {
            assert_eq!(index.verify(), Err(ProtectedError::Changed), "byte {at}");
            is_found(&index, RECORD);
            let _ = index.sources();
        }
    }
    assert_eq!(index(&[RECORD]).verify(), Ok(()));
}

#[test]
fn no_word_of_uax_29_is_without_a_canonical_word() {
    // Marks and what is not seen make no word of their own here.
    let is_seen = |c: &char| kind(table(), *c) != Kind::Nothing;
    for c in ('\u{80}'..='\u{3ffff}').filter(|c| c.is_alphanumeric() && is_seen(c)) {
        for text in [format!("{c}"), format!("a{c}a"), format!("{c}{c}"), format!("1{c}1")] {
            let uax = text.unicode_words().count();
            assert!(count(&text) >= uax, "U+{:04x}", c as u32);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_stream_is_the_whole(cuts in proptest::collection::vec(0_usize..200, 0..12), seed in 0_u64..50) {
        let text = format!("Well, {} \u{130}\u{df}\u{fb01} {}", RECORD, words(seed, 20).join("\u{2009}"));
        let index = index(&[RECORD, &words(seed, 30).join(" ")]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| text.floor_char_boundary(cut)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&text[from..cut]);
            from = cut;
        }
        pieces.push(&text[from..]);
        let whole = matches(&index, &[&text]);
        prop_assert!(!whole.is_empty());
        prop_assert_eq!(matches(&index, &pieces), whole);
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        is_found(&index(&[&text, RECORD]), &text);
    }

    #[test]
    fn any_bytes_are_no_index(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Index::open(Arc::new(bytes), key()).is_err());
    }
}
