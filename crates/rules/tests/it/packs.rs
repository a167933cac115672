//! Rule packs: the built-in ones behave as their examples say, and mistakes of users are named.

use std::sync::Arc;

use bartizan_core::{Detector, Family, Limits};
use bartizan_engine::{Engine, law};
use bartizan_rules::pack::{PackError, load};
use bartizan_rules::{PackFile, Settings, detectors};
use proptest::prelude::*;

const PACKS: [(&str, &str); 7] = [
    ("secrets", include_str!("../../packs/secrets.toml")),
    ("secrets_ai", include_str!("../../packs/secrets_ai.toml")),
    ("secrets_cloud", include_str!("../../packs/secrets_cloud.toml")),
    ("secrets_dev", include_str!("../../packs/secrets_dev.toml")),
    ("secrets_comm", include_str!("../../packs/secrets_comm.toml")),
    ("secrets_business", include_str!("../../packs/secrets_business.toml")),
    ("secrets_generic", include_str!("../../packs/secrets_generic.toml")),
];

fn built_in() -> impl Iterator<Item = Box<dyn Detector>> {
    PACKS.iter().flat_map(|(name, text)| load(text).unwrap_or_else(|e| panic!("packs/{name}.toml: {e}")))
}

fn rule(body: &str) -> String {
    format!(
        "[[rule]]\nid = \"secret/acme-key\"\nsummary = \"Acme key\"\ndescription = \"A key of Acme.\"\n\
         severity = \"high\"\nconfidence = \"high\"\ntype = \"ACME_KEY\"\nreferences = [\"CWE-798\"]\n{body}"
    )
}

fn error(body: &str) -> String {
    match load(&rule(body)) {
        Ok(_) => panic!("loaded: {body}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn built_in_packs_pass_their_own_examples() {
    assert!(built_in().map(|d| d.rules().len()).sum::<usize>() >= 400);
}

#[test]
fn pages_are_rendered_with_the_headings_of_every_page() {
    for rule in built_in().flat_map(|d| d.rules().to_vec()) {
        let headings: Vec<&str> = rule.doc.lines().filter_map(|l| l.strip_prefix("## ")).collect();
        assert_eq!(
            headings,
            ["What it finds", "Why it matters", "How it decides", "Examples", "Limits", "Fix", "References"],
            "{}",
            rule.id
        );
        assert!(rule.doc.starts_with(&format!("# {}\n", rule.id)));
        assert!(
            rule.doc.matches("```fire\n").count() >= 3 && rule.doc.matches("```silent\n").count() >= 3,
            "{}",
            rule.id
        );
    }
}

#[test]
fn no_built_in_example_is_a_token() {
    // Everything secret is made by a generator, so no run of 20 characters outside of one may look random. What a
    // generator follows directly is the fixed part of a token.
    for line in PACKS.iter().flat_map(|(_, text)| text.lines()).filter(|l| !l.contains("://")) {
        for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '{') {
            let fixed = word.rsplit_once('{').map_or(word, |(_, rest)| rest);
            let distinct = fixed.bytes().collect::<std::collections::BTreeSet<_>>().len();
            let digits = fixed.bytes().filter(u8::is_ascii_digit).count();
            let random = fixed.len() >= 20 && distinct > 8 && digits >= 2;
            assert!(!random || fixed.contains("EXAMPLE"), "`{fixed}` in `{line}`");
        }
    }
}

#[test]
fn a_user_pack_loads() {
    let detectors = load(&rule(
        "shapes = [\"acme_{alnum:24}\"]\nfire = [\"acme_{alnum:24}\"]\nsilent = [\"acme_{alnum:10}\", \"acme_xxxxxxxxxxxxxxxxxxxxxxxx\"]\n",
    ))
    .unwrap();
    let [detector] = detectors.as_slice() else { panic!("one detector") };
    assert_eq!(detector.rules()[0].id.as_str(), "secret/acme-key");
    let regex = rule(
        "regex = 'acme-(?P<token>[0-9a-f]{8}-[0-9a-f]{4})\\b'\nliterals = [\"acme-\"]\n\
         fire = [\"acme-{hex:8}-{hex:4}\"]\nsilent = [\"acme-{hex:3}\"]\n",
    );
    assert!(load(&regex).is_ok());
}

#[test]
fn mistakes_are_named_with_their_place() {
    let both = "fire = [\"acme_{alnum:24}\"]\nsilent = [\"none\"]\n";
    for (body, says) in [
        (format!("{both}shape = [\"a\"]\n"), "unknown field `shape`"),
        (format!("{both}shapes = [\"acme_{{nope:3}}\"]\n"), "`nope` is no character class"),
        (format!("{both}shapes = [\"{{alnum:24}}\"]\n"), "needs `context`"),
        (format!("{both}shapes = [\"other_{{alnum:24}}\"]\n"), "the `fire` example `acme_{alnum:24}` is not found"),
        (format!("{both}regex = 'acme_['\nliterals = [\"acme_\"]\n"), "unclosed character class"),
        (format!("{both}regex = 'acme_.*'\n"), "a regex needs `literals`"),
        (format!("{both}regex = '(?:acme_[a-z]{{500}}){{900}}'\nliterals = [\"acme_\"]\n"), "size limit"),
        (format!("{both}shapes = [\"acme_{{alnum:24}}\"]\nchecksum = \"md5\"\n"), "unknown variant `md5`"),
        ("shapes = [\"acme_{alnum:24}\"]\nfire = []\nsilent = []\n".to_owned(), "at least one example"),
        (
            "shapes = [\"acme_{alnum:24}\"]\nfire = [\"acme_{alnum:24}\"]\nsilent = [\"x acme_{alnum:24}\"]\n"
                .to_owned(),
            "the `silent` example `x acme_{alnum:24}` is found",
        ),
    ] {
        let message = error(&body);
        assert!(message.contains(says), "`{message}` does not say `{says}`");
        assert!(message.starts_with("line "), "`{message}` has no place");
    }
    assert!(matches!(load("nonsense"), Err(PackError::Toml { line: 1, .. })));
}

/// What the families here look at: their examples, and the characters that begin, end and join what they find.
fn fragments() -> Vec<String> {
    let mut all: Vec<String> = crate::pages::examples()
        .into_iter()
        .filter(|e| ["secret/", "pii/", "egress/", "output/"].iter().any(|f| e.rule.starts_with(f)))
        .map(|e| e.text)
        .collect();
    for rule in built_in().flat_map(|d| d.rules().to_vec()) {
        all.extend(rule.doc.split("```fire\n").skip(1).filter_map(|d| d.split("\n```").next().map(str::to_owned)));
    }
    let joints = " |\n|\n\n|.|,|:|=|-|_|@|/|//|://|+|(|)|[|]|](|![|<|>|\"|'|`|```|\\|\u{1b}|\u{9b}|\u{7}|;|%|a|Z|0|4|é|字|sk-|AWS secret |call ";
    all.extend(joints.split('|').map(str::to_owned));
    all
}

fn engine_of(families: &[Family]) -> Arc<Engine> {
    let all = detectors(&Settings::default()).unwrap();
    let mine = all.into_iter().filter(|d| d.rules().iter().any(|r| families.contains(&r.id.family()))).collect();
    Arc::new(Engine::new(mine, vec![], Limits::default()).unwrap())
}

#[test]
fn streams_say_what_scans_say() {
    let engine = engine_of(&[Family::Secret, Family::Pii, Family::Egress, Family::Output]);
    let fragments = fragments();
    let text = proptest::collection::vec((proptest::sample::select(fragments), 0..400_usize, 0..400_usize), 1..9);
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: 1500, ..ProptestConfig::default() });
    runner
        .run(&(text, proptest::collection::vec(0..3000_usize, 0..40)), |(pieces, splits)| {
            // Whole fragments most of the time, cut ones the rest.
            let text: String = pieces
                .iter()
                .map(|(f, from, to)| {
                    let (from, to) = (f.floor_char_boundary(*from), f.floor_char_boundary(*to));
                    if (from + to) % 3 == 0 && from < to { &f[from..to] } else { f.as_str() }
                })
                .collect();
            law::check_stream(&engine, &text, &splits).map_err(|e| TestCaseError::fail(format!("{e} in {text:?}")))
        })
        .unwrap();
}

/// Prose with what most often opens something: brackets, quotes, numbers, capitals, a link.
const PROSE: &str = "The harbour opened in 1932, and by June the first cranes (two of them, both from Leith) were at \
    work. \"Nobody,\" wrote the clerk, \"has seen such a spring!\" Wool came in, coal went out; see chapter 4 [2] for \
    the tables. In Hamburg, Antwerp and Genoa the same ships called every 14 days. The secret of the port was its \
    tide tables: a pilot who knew them saved 3 hours, or 12 % of a day. More is at https://example.org/ports today. \
    Token by token, the old ledgers were read again; AWS and other names came much later. ";

#[test]
fn prose_flows() {
    let all = detectors(&Settings::default()).unwrap();
    let families = [Family::Secret, Family::Pii, Family::Egress, Family::Output];
    let mine: Vec<_> = all.iter().filter(|d| d.rules().iter().any(|r| families.contains(&r.id.family()))).collect();
    let text = PROSE.repeat(20);
    // Names are decided by the words behind them, and held back only where a policy masks them.
    let (names, others): (Vec<_>, Vec<_>) =
        mine.into_iter().partition(|d| d.rules().iter().any(|r| r.id.as_str() == "pii/person"));
    for (detectors, middle, top) in [(others, 4, 64), (names, 8, 64)] {
        let mut held: Vec<usize> = (text.len() - PROSE.len()..text.len())
            .map(|end| detectors.iter().map(|d| d.live(&text[..end])).max().unwrap_or_default())
            .collect();
        held.sort_unstable();
        let (median, most) = (held[held.len() / 2], held[held.len() * 99 / 100]);
        assert!(median <= middle && most <= top, "{median} bytes in the median, {most} at the 99th percentile");
    }
}

#[test]
fn packs_of_the_configuration_are_rules_like_others() {
    let good = rule("shapes = [\"acme_{alnum:24}\"]\nfire = [\"acme_{alnum:24}\"]\nsilent = [\"acme_x\"]\n");
    let pack = |text: Option<String>| PackFile { path: "acme.toml".to_owned(), text };
    let build = |pack: PackFile, disabled: &[&str]| {
        let disabled = disabled.iter().map(ToString::to_string).collect();
        detectors(&Settings { packs: vec![pack], disabled, ..Settings::default() })
    };
    let has = |disabled: &[&str]| {
        let built = build(pack(Some(good.clone())), disabled).unwrap();
        built.iter().flat_map(|d| d.rules()).any(|r| r.id.as_str() == "secret/acme-key")
    };
    assert!(has(&[]));
    assert!(!has(&["secret/acme-key"]));
    let broken = build(pack(Some(good.replace("fire = [\"acme_{alnum:24}\"]", "fire = [\"nothing\"]"))), &[]);
    let error = broken.err().unwrap().to_string();
    assert!(error.starts_with("`acme.toml`: line 10, column 9: rule `secret/acme-key`"), "{error}");
    assert!(build(pack(None), &[]).is_err(), "a pack that was not read is no pack");
}
