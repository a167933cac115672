//! Small detectors with every kind of hold, and the laws of the engine over them.

use std::borrow::Cow;
use std::sync::Arc;

use bartizan_core::{
    Anchors, Confidence, Context, Cost, Coverage, CoverageStatus, Detector, Family, Fix, HitKind, Hold, Kind, Limits,
    Origin, Persona, Reason, Report, Rule, RuleId, Scores, Severity, Sink, Source, Span, Subject, Views,
};
use proptest::prelude::*;

use crate::law::{check_stream, check_stream_of};
use crate::{Engine, EngineError, Input, RulePattern, Scan, Suppression, Surroundings};

fn rule(id: &'static str, severity: Severity) -> Rule {
    Rule {
        id: RuleId::new(id),
        summary: "".into(),
        doc: "".into(),
        severity,
        confidence: Confidence::High,
        persona: Persona::Regular,
        references: Cow::Borrowed(&[]),
        since: "0".into(),
    }
}

type Look = fn(&Toy, &Subject<'_>, &mut Sink<'_>);

/// A detector made of functions.
struct Toy {
    rules: Vec<Rule>,
    literals: Vec<Cow<'static, str>>,
    digits: bool,
    views: Views,
    hold: Hold,
    live: Option<fn(&str) -> usize>,
    look: Look,
}

impl Detector for Toy {
    fn rules(&self) -> &[Rule] {
        &self.rules
    }
    fn views(&self) -> Views {
        self.views
    }
    fn hold(&self) -> Hold {
        self.hold
    }
    fn cost(&self) -> Cost {
        if self.hold == Hold::Whole { Cost::Parse } else { Cost::Regex }
    }
    fn anchors(&self) -> Anchors<'_> {
        let always = self.literals.is_empty() && !self.digits;
        Anchors { literals: &self.literals, digits: self.digits, non_ascii: false, always }
    }
    fn live(&self, tail: &str) -> usize {
        match (self.live, self.hold) {
            (Some(live), _) => live(tail),
            (None, Hold::Bounded(bound)) => bound.min(tail.len()),
            (None, Hold::Whole) => 0,
        }
    }
    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        (self.look)(self, subject, out);
    }
}

fn toy(id: &'static str, literals: &[&'static str], hold: Hold, live: Option<fn(&str) -> usize>, look: Look) -> Toy {
    Toy {
        rules: vec![rule(id, Severity::High)],
        literals: literals.iter().map(|l| Cow::Borrowed(*l)).collect(),
        digits: false,
        views: Views::WORDS,
        hold,
        live,
        look,
    }
}

/// Bytes at the end that belong to a class.
fn trailing(text: &str, class: fn(u8) -> bool) -> usize {
    text.bytes().rev().take_while(|b| class(*b)).count()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Longest end of the text that may become the literal.
fn unfinished(text: &str, literal: &str) -> usize {
    let (text, literal) = (text.as_bytes(), literal.as_bytes());
    (1..literal.len().min(text.len() + 1))
        .rev()
        .find(|n| text[text.len() - n..].eq_ignore_ascii_case(&literal[..*n]))
        .unwrap_or(0)
}

/// A phrase, as it stands.
fn phrase() -> Toy {
    toy(
        "prompt/phrase",
        &["ignore previous"],
        Hold::Bounded(15),
        Some(|t| unfinished(t, "ignore previous")),
        |d, s, out| {
            for (text, hit) in s.anchored() {
                out.report(Report::new(&d.rules[0], text, hit.span));
            }
        },
    )
}

/// A prefix and word characters up to a delimiter; too short a token is none.
fn token() -> Toy {
    let look: Look = |d, s, out| {
        for (text, hit) in s.anchored() {
            let bytes = text.text.as_bytes();
            if hit.span.start > 0 && is_word(bytes[hit.span.start - 1]) {
                continue;
            }
            let end = hit.span.start + bytes[hit.span.start..].iter().take_while(|b| is_word(**b)).count();
            if end - hit.span.start >= 12 {
                out.report(Report::new(&d.rules[0], text, Span::new(hit.span.start, end)).entity("TOKEN"));
            }
        }
    };
    Toy {
        views: Views::TOKENS,
        ..toy("secret/token", &["tok_"], Hold::Bounded(64), Some(|t| trailing(t, is_word)), look)
    }
}

/// Thirteen to nineteen digits in one run.
fn card() -> Toy {
    let look: Look = |d, s, out| {
        for (text, hit) in s.anchored() {
            assert_eq!(hit.kind, HitKind::Digits);
            let count = hit.span.of(&text.text).bytes().filter(u8::is_ascii_digit).count();
            if (13..=19).contains(&count) {
                out.report(Report::new(&d.rules[0], text, hit.span).entity("CREDIT_CARD"));
            }
        }
    };
    let live: fn(&str) -> usize = |t| trailing(t, |b| b.is_ascii_digit() || b" -./()+".contains(&b));
    Toy { digits: true, views: Views::TOKENS, ..toy("pii/card", &[], Hold::Bounded(55), Some(live), look) }
}

/// Everything from an opening to the next closing not far behind it.
fn block() -> Toy {
    const FAR: usize = 600;
    let live: fn(&str) -> usize = |t| {
        let from = t.floor_char_boundary(t.len().saturating_sub(FAR));
        let mut open = unfinished(t, "<<<");
        for (at, _) in t[from..].match_indices("<<<") {
            if !t[from + at..].contains(">>>") {
                open = open.max(t.len() - from - at);
                break;
            }
        }
        open
    };
    toy("egress/block", &["<<<"], Hold::Bounded(FAR), Some(live), |d, s, out| {
        for (text, hit) in s.anchored() {
            let rest = &text.text[hit.span.start..];
            if let Some(at) = rest.find(">>>").filter(|at| at + 3 <= FAR) {
                let span = Span::new(hit.span.start, hit.span.start + at + 3);
                out.report(Report::new(&d.rules[0], text, span).fix(Fix::Replace("<>".into())));
            }
        }
    })
}

/// A word that counts only with another one before it, with the hold that a detector has by default.
fn context() -> Toy {
    toy("pii/context", &["pin"], Hold::Bounded(3), None, |d, s, out| {
        for (text, hit) in s.anchored() {
            let before = &text.text.as_bytes()[hit.span.start.saturating_sub(100)..hit.span.start];
            if before.windows(4).any(|w| w.eq_ignore_ascii_case(b"bank")) {
                out.report(Report::new(&d.rules[0], text, hit.span).confidence(Confidence::Low));
            }
        }
    })
}

/// The same word where the other one is not before it.
fn lonely() -> Toy {
    toy("pii/lonely", &["pin"], Hold::Bounded(3), Some(|t| unfinished(t, "pin")), |d, s, out| {
        for (text, hit) in s.anchored() {
            let before = &text.text.as_bytes()[hit.span.start.saturating_sub(100)..hit.span.start];
            if !before.windows(4).any(|w| w.eq_ignore_ascii_case(b"bank")) {
                out.report(Report::new(&d.rules[0], text, hit.span));
            }
        }
    })
}

/// Three bells make one finding, and a score.
fn bells() -> Toy {
    toy("limits/bells", &["bell"], Hold::Whole, None, |d, s, out| {
        for text in s.views(Views::CLEAN) {
            let hits: Vec<Span> = s.anchored().filter(|(t, _)| std::ptr::eq(*t, text)).map(|(_, h)| h.span).collect();
            if hits.len() >= 3 {
                let span = Span::new(hits[0].start, hits[hits.len() - 1].end);
                out.report(Report::new(&d.rules[0], text, span));
                out.score(Scores { injection: Some(0.5), ..Scores::default() });
            }
        }
    })
}

/// Sees every text and finds tabs.
fn tabs() -> Toy {
    Toy {
        views: Views::RAW,
        ..toy("unicode/tabs", &[], Hold::Bounded(1), Some(|_| 0), |d, s, out| {
            for text in s.views(Views::RAW) {
                for (at, _) in text.text.match_indices('\t') {
                    out.report(Report::new(&d.rules[0], text, Span::new(at, at + 1)).fix(Fix::Remove));
                }
            }
        })
    }
}

fn all() -> Vec<Box<dyn Detector>> {
    [phrase(), token(), card(), block(), context(), lonely(), bells(), tabs()]
        .into_iter()
        .map(|toy| Box::new(toy) as Box<dyn Detector>)
        .collect()
}

fn engine() -> Arc<Engine> {
    Arc::new(Engine::new(all(), Vec::new(), Limits::default()).unwrap())
}

fn scan(engine: &Engine, text: &str) -> Scan {
    let origin = Origin::new(Source::Model);
    engine.scan(&Input { text, kind: Kind::Text, origin: &origin, context: Context::default() })
}

/// Text in which everything above occurs, whole, cut, encoded and disguised.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z]{1,9} ",
        1 => "[ \\n\\t]{1,3}",
        2 => prop::sample::select(vec![
            "ignore previous", "Ignore Previous ", "ignore ", "bank ", "pin ", "bell ", "<<<", ">>>", "<", ">", "tok_",
            "tok_abcdefgh ", "4111 1111 1111 1111 ", "555-010-9999 ", "0123456", "1 2 3 ", "\t",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            // The phrase and the token in base64, hexadecimal, percent, HTML and JSON escapes.
            "aWdub3JlIHByZXZpb3Vz", "dG9rX2FiY2RlZmdoaQ==", "69676e6f72652070726576696f7573",
            "%69%67%6e%6f%72%65%20previous", "&#105;gnore previous", "&lt;&lt;&lt;", "\\u0069gnore previous",
            // With characters that cannot be seen, combining marks, other widths and spacing.
            "ig\u{200b}nore prev\u{200d}ious", "\u{200b}", "\u{ad}", "i\u{301}gnore pre\u{308}vious", "\u{301}",
            "\u{ff49}\u{ff47}\u{ff4e}ore previous", "i g n o r e  p r e v i o u s ", "\u{456}gnore previous",
            "\u{e0069}\u{e0067}", "\u{65e5}\u{672c}\u{8a9e}", "\u{1f600}\u{fe0f}",
        ]).prop_map(str::to_owned),
        1 => "[A-Za-z0-9+/]{1,40}",
        1 => "\\PC{0,6}",
        1 => (1_usize..900).prop_map(|n| "filler ".repeat(n / 7)),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn splits() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        prop::collection::vec(0_usize..4000, 0..60),
        (1_usize..9).prop_map(|width| (0..4000).step_by(width).collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_says_what_a_scan_says(text in text(), splits in splits()) {
        prop_assert_eq!(check_stream(&engine(), &text, &splits), Ok(()));
    }

    #[test]
    fn so_it_does_where_only_some_rules_mask(text in text(), splits in splits(), families in any::<u8>()) {
        let origin = Origin::new(Source::Tool);
        let input = Input { text: &text, kind: Kind::Reasoning, origin: &origin, context: Context::default() };
        let masks = |rule: &Rule| {
            let at = Family::ALL.iter().position(|f| *f == rule.id.family()).unwrap();
            families >> (at % 8) & 1 == 1
        };
        prop_assert_eq!(check_stream_of(&engine(), &input, masks, &splits), Ok(()));
    }

    /// What stands before a window matters as far as a detector may look back.
    #[test]
    fn windows_reach_far_enough_back(
        pieces in prop::collection::vec(prop_oneof![1 => "bank ", 3 => "pin ", 9 => "[a-z]{1,9}[ .-]"
            ], 0..500),
        width in 1_usize..60,
    ) {
        let text = pieces.concat();
        let splits: Vec<usize> = (0..text.len()).step_by(width).collect();
        prop_assert_eq!(check_stream(&engine(), &text, &splits), Ok(()));
    }

    /// A token on its way when the text is checked is not told before it has ended.
    #[test]
    fn checks_tell_only_what_is_final(before in 990_usize..1040, length in 8_usize..60) {
        let text = format!("{}tok_{} end", "wordy ".repeat(400).split_at(before).0, "a".repeat(length));
        let origin = Origin::new(Source::Model);
        let input = Input { text: &text, kind: Kind::Text, origin: &origin, context: Context::default() };
        let splits: Vec<usize> = (0..text.len()).collect();
        prop_assert_eq!(check_stream_of(&engine(), &input, |_| false, &splits), Ok(()));
    }

    #[test]
    fn order_of_detectors_does_not_show(text in text(), order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle()) {
        let mut slots: Vec<_> = all().into_iter().map(Some).collect();
        let shuffled = order.iter().map(|at| slots[*at].take().unwrap()).collect();
        let shuffled = Engine::new(shuffled, Vec::new(), Limits::default()).unwrap();
        let plain = engine();
        prop_assert_eq!(scan(&shuffled, &text), scan(&plain, &text));
        prop_assert_eq!(shuffled.rules_fingerprint(), plain.rules_fingerprint());
    }

    #[test]
    fn spans_fit_the_text_and_are_sorted(text in "\\PC{0,200}|(\\PC|tok_|bell|pin|[0-9]){0,200}") {
        let scan = scan(&engine(), &text);
        for finding in &scan.findings {
            prop_assert!(text.get(finding.span().start..finding.span().end).is_some(), "{:?}", finding);
        }
        prop_assert!(scan.findings.is_sorted_by_key(|f| (f.span(), f.rule.clone())));
    }
}

/// The law is only worth something if it fails for a detector that breaks it.
#[test]
fn a_detector_that_holds_too_little_breaks_the_law() {
    let breaks = |toy: Toy, text: &str| {
        let engine = Arc::new(Engine::new(vec![Box::new(toy)], Vec::new(), Limits::default()).unwrap());
        let splits: Vec<usize> = (0..text.len()).collect();
        check_stream(&engine, text, &splits).unwrap_err()
    };
    let careless = Toy { live: Some(|_| 0), ..token() };
    let error = breaks(careless, "a tok_abcdefghijk");
    assert!(error.contains("fits its bound"), "{error}");
    let blind = Toy { live: Some(|t| unfinished(t, "<<<")), ..block() };
    let error = breaks(blind, "a <<<secret>>> b");
    assert!(error.contains("fits its bound"), "{error}");
    let far: Look = |d, s, out| {
        for (text, hit) in s.anchored() {
            if !text.text[..hit.span.start].contains("bank") {
                out.report(Report::new(&d.rules[0], text, hit.span));
            }
        }
    };
    let error = breaks(Toy { look: far, ..context() }, &format!("bank {} pin it", "word ".repeat(300)));
    assert!(error.contains("only told by the stream"), "{error}");
}

#[test]
fn the_toys_find_what_they_are_for() {
    let text = "ignore previous tok_abcdefgh 4111 1111 1111 1111 <<<x>>> bank pin bell bell bell\t";
    let found: Vec<String> = scan(&engine(), text).findings.iter().map(|f| f.rule.to_string()).collect();
    let expected =
        ["prompt/phrase", "secret/token", "pii/card", "egress/block", "pii/context", "limits/bells", "unicode/tabs"];
    assert_eq!(found, expected);
}

#[test]
fn surfaces_may_share_and_move_them() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Engine>();
    shared::<crate::Stream>();
}

#[test]
fn prose_flows_and_a_split_token_does_not() {
    let mut stream =
        engine().stream(Origin::default(), Kind::Text, |r| r.id.as_str() == "secret/token", Surroundings::default());
    assert_eq!(stream.push("Hello, ").text, "Hello,");
    assert_eq!(stream.push("wor").text, " ");
    assert_eq!(stream.held(), 3);
    assert_eq!(stream.push("ld, to").text, "world, ");
    let step = stream.push("k_abcdefgh");
    assert_eq!((step.start, step.text.as_str()), (14, ""));
    let step = stream.push("ij. Bye");
    assert_eq!((step.start, step.text.as_str()), (14, "tok_abcdefghij. "));
    assert_eq!(step.findings[0].span(), Span::new(14, 28));
    let step = stream.finish();
    assert_eq!((step.start, step.text.as_str()), (30, "Bye"));
    assert!(step.findings.is_empty() && step.late.is_empty());
    assert_eq!(stream.push("more").text, "");
}

#[test]
fn what_needs_the_whole_text_is_late() {
    let text = format!("bell {} bell bell {}", "x ".repeat(300), "y ".repeat(600));
    let mut stream = engine().stream(Origin::default(), Kind::Text, |_| true, Surroundings::default());
    let mut late = Vec::new();
    let mut out = 0;
    for at in (0..text.len()).step_by(4) {
        let step = stream.push(text.get(at..(at + 4).min(text.len())).unwrap());
        late.extend(step.late.iter().map(|(f, bytes)| (f.span(), *bytes, out)));
        out += step.text.len();
    }
    let Some((span, bytes, before)) = late.first().copied() else { panic!("nothing was said before the end") };
    assert_eq!(span.start, 0);
    assert!(bytes == span.end.min(before) && bytes > 600, "{bytes} of {span:?} with {before} out");
    assert!(stream.finish().late.is_empty());
}

#[test]
fn more_than_may_be_held_is_late() {
    let limits = Limits { max_held: 100, ..Limits::default() };
    let engine = Arc::new(Engine::new(all(), Vec::new(), limits).unwrap());
    let text = format!("see tok_{} and more", "a".repeat(500));
    let mut stream = engine.stream(Origin::default(), Kind::Text, |_| true, Surroundings::default());
    let mut steps: Vec<_> = text.as_bytes().chunks(10).map(|c| stream.push(std::str::from_utf8(c).unwrap())).collect();
    assert!(stream.held() <= 100);
    steps.push(stream.finish());
    let late: Vec<_> = steps.iter().flat_map(|s| &s.late).collect();
    assert_eq!(late.last().unwrap().0.span(), Span::new(4, 508));
    assert_eq!(steps.iter().map(|s| s.text.as_str()).collect::<String>(), text);
}

#[test]
fn text_past_the_limit_is_partial_and_still_masked() {
    let limits = Limits { max_text: 1000, ..Limits::default() };
    let engine = Arc::new(Engine::new(all(), Vec::new(), limits).unwrap());
    let text = format!("{}tok_abcdefgh bell bell bell {}", "word ".repeat(400), "word ".repeat(100_000));
    let whole = scan(&engine, &text);
    assert_eq!(whole.coverage.status, CoverageStatus::Partial);
    assert_eq!((whole.coverage.parts[0].reason, whole.coverage.parts[0].bytes), (Reason::TooLong, text.len() - 1000));
    let mut stream = engine.stream(Origin::default(), Kind::Text, |_| true, Surroundings::default());
    let (mut released, mut coverage, mut found) = (String::new(), Coverage::default(), Vec::new());
    let mut steps: Vec<_> = text.as_bytes().chunks(100).map(|c| stream.push(std::str::from_utf8(c).unwrap())).collect();
    assert!(stream.kept() < 10_000, "{} bytes are kept", stream.kept());
    steps.push(stream.finish());
    for step in steps {
        assert_eq!(step.start, released.len());
        released.push_str(&step.text);
        coverage.merge(&step.coverage);
        found.extend(step.findings);
    }
    assert_eq!(released, text);
    assert_eq!(coverage, whole.coverage);
    assert_eq!(found.iter().map(|f| f.span().of(&text)).collect::<Vec<_>>(), ["tok_abcdefgh"]);
}

#[test]
fn a_flood_of_anchors_is_handed_over_in_parts() {
    let limits = Limits { max_findings: 50_000, ..Limits::default() };
    let engine = Engine::new(vec![Box::new(phrase())], Vec::new(), limits).unwrap();
    let text = "ignore previous ".repeat(40_000);
    let found = scan(&engine, &text);
    assert_eq!(found.findings.len(), 40_000);
    assert_eq!(found.coverage.status, CoverageStatus::Complete);

    let limits = Limits { max_findings: 20_000, ..Limits::default() };
    let engine = Engine::new(vec![Box::new(phrase())], Vec::new(), limits).unwrap();
    let found = scan(&engine, &text);
    assert_eq!(found.findings.len(), 20_000);
    assert_eq!(found.coverage.parts[0].reason, Reason::TooManyFindings);
}

#[test]
fn suppressions_are_counted_and_spare_what_is_critical() {
    let suppression = |rule: &str, sources: Option<Vec<Source>>, text: Option<&str>| Suppression {
        rule: RulePattern::try_from(rule.to_owned()).unwrap(),
        sources,
        text: text.map(str::to_owned),
        reason: "known".into(),
    };
    let build = |suppression, severity| {
        let critical = Toy { rules: vec![rule("secret/token", severity)], ..token() };
        Arc::new(Engine::new(vec![Box::new(critical)], vec![suppression], Limits::default()).unwrap())
    };
    let text = "a tok_abcdefgh and tok_12345678";
    let left = |engine: &Arc<Engine>| {
        let whole = scan(engine, text);
        let mut stream = engine.stream(Origin::new(Source::Model), Kind::Text, |_| true, Surroundings::default());
        let steps = [stream.push(text), stream.finish()];
        assert_eq!(steps.iter().map(|s| s.suppressed).sum::<u64>(), whole.suppressed);
        assert_eq!(steps.iter().flat_map(|s| s.findings.clone()).collect::<Vec<_>>(), whole.findings);
        assert_eq!(whole.findings.len() + whole.suppressed as usize, 2);
        whole.findings.len()
    };
    let high = Severity::High;
    assert_eq!(left(&build(suppression("secret/token", None, None), high)), 0);
    assert_eq!(left(&build(suppression("secret/*", Some(vec![Source::Model]), None), high)), 0);
    assert_eq!(left(&build(suppression("secret/*", Some(vec![Source::User]), None), high)), 2);
    assert_eq!(left(&build(suppression("secret/*", None, Some("tok_abcdefgh")), high)), 1);
    assert_eq!(left(&build(suppression("secret/*", None, None), Severity::Critical)), 2);
    assert_eq!(left(&build(suppression("secret/*", None, Some("tok_12345678")), Severity::Critical)), 1);
}

#[test]
fn faults_of_the_configuration_are_named() {
    let with = |suppression: Suppression| {
        Engine::new(all(), vec![suppression], Limits::default()).err().map(|error| error.to_string())
    };
    let plain = Suppression {
        rule: RulePattern::Rule(RuleId::new("secret/tokens")),
        sources: None,
        text: None,
        reason: "known".into(),
    };
    assert_eq!(
        with(plain.clone()).unwrap(),
        "the suppression of `secret/tokens` names no known rule; did you mean `secret/token`?"
    );
    let known = RulePattern::Rule(RuleId::new("secret/token"));
    assert_eq!(with(Suppression { rule: known.clone(), ..plain.clone() }), None);
    let no_text = Suppression { rule: known.clone(), text: Some(String::new()), ..plain.clone() };
    assert!(with(no_text).unwrap().contains("empty text"));
    let no_reason = Suppression { rule: known, reason: " ".into(), ..plain.clone() };
    assert!(with(no_reason).unwrap().contains("no reason"));
    assert!(with(Suppression { rule: RulePattern::Family(Family::Mcp), ..plain }).is_some());

    let twice: Vec<Box<dyn Detector>> = vec![Box::new(token()), Box::new(token())];
    let error = Engine::new(twice, Vec::new(), Limits::default()).unwrap_err();
    assert_eq!(error, EngineError::DuplicateRule(RuleId::new("secret/token")));
    let empty = Toy { literals: vec!["".into()], ..token() };
    let error = Engine::new(vec![Box::new(empty)], Vec::new(), Limits::default()).unwrap_err();
    assert_eq!(error, EngineError::EmptyLiteral(RuleId::new("secret/token")));
    let none = Toy { rules: Vec::new(), ..token() };
    let error = Engine::new(vec![Box::new(none)], Vec::new(), Limits::default()).unwrap_err();
    assert_eq!(error, EngineError::NoRules);
}

#[test]
fn the_fingerprint_follows_the_rules() {
    let of = |detectors, limits| Engine::new(detectors, Vec::new(), limits).unwrap().rules_fingerprint();
    let plain = of(all(), Limits::default());
    assert_eq!(plain, of(all(), Limits::default()));
    assert_ne!(plain, of(all(), Limits { max_findings: 5, ..Limits::default() }));
    assert_ne!(plain, of(all().into_iter().skip(1).collect(), Limits::default()));
}

#[test]
fn what_slow_models_read_is_bounded_for_one_exchange() {
    let look: Look = |_, _, out| {
        let taken = (0..3).filter(|_| out.take_passage()).count();
        out.score(Scores { injection: Some(if taken == 3 { 1.0 } else { 0.5 }), ..Scores::default() });
    };
    let limits = Limits { max_model_passages: 7, ..Limits::default() };
    let engine = Engine::new(vec![Box::new(toy("prompt/slow", &[], Hold::Whole, None, look))], vec![], limits).unwrap();
    let origin = Origin::new(Source::User);
    let input = Input { text: "some words", kind: Kind::Text, origin: &origin, context: Context::default() };
    let mut meter = crate::Meter::default();
    let scores = |meter: &mut crate::Meter| engine.scan_metered(&input, meter).scores.injection;
    assert_eq!((scores(&mut meter), scores(&mut meter), meter.skips()), (Some(1.0), Some(1.0), 0));
    // One is left of seven; an answer with less than was wanted is not to be kept.
    assert_eq!((scores(&mut meter), meter.skips()), (Some(0.5), 1));
    assert_eq!((scores(&mut crate::Meter::default()), meter.skips()), (Some(1.0), 1));
}
