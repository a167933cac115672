//! The shipped rules over any text, whole and as a stream.

use std::sync::{Arc, LazyLock};

use bartizan_core::{Context, Direction, Kind, Limits, Origin, Profile, Source};
use bartizan_engine::{Engine, Input, law};
use bartizan_rules::{RouteSettings, Settings};

/// A reply on the route that declares something.
const DECLARED: Context<'static> = Context { system: &[], direction: Direction::Reply, profile: Profile(1) };

static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(|| {
    // Profile 1 declares every sink and a list of scripts.
    let route: RouteSettings = serde_json::from_str(
        r#"{"sink": ["html", "sql", "shell", "template", "log", "markdown"], "scripts": {"allow": ["Latin", "Common"]}}"#,
    )
    .expect("the route can be read");
    let settings = Settings { routes: vec![route], ..Settings::default() };
    let detectors = bartizan_rules::detectors(&settings).expect("the shipped rules load");
    Arc::new(Engine::new(detectors, Vec::new(), Limits::default()).expect("the shipped rules fit together"))
});

/// Spans lie on characters of the text, and a stream says what the whole says, however it is split. The first byte is
/// the number of splits, and two bytes follow for each.
pub fn run(data: &[u8]) {
    let count = usize::from(data.first().copied().unwrap_or(0) % 8);
    let (splits, rest) = data.get(1..).unwrap_or_default().split_at_checked(2 * count).unwrap_or_default();
    let text = super::text(rest);
    let splits: Vec<usize> = splits
        .chunks_exact(2)
        .map(|pair| usize::from(u16::from_le_bytes([pair[0], pair[1]])) % (text.len() + 1))
        .collect();
    for source in [Source::User, Source::Tool, Source::Model] {
        let origin = Origin::new(source);
        let context = Context {
            system: &["You are a helpful assistant of a bookshop. The order number is 7731-ZEBRA."],
            ..DECLARED
        };
        let scan = ENGINE.scan(&Input { text: &text, kind: Kind::Text, origin: &origin, context });
        for finding in &scan.findings {
            let span = finding.span();
            assert!(text.get(span.start..span.end).is_some(), "{finding:?} is not in the text");
        }
    }
    let origin = Origin::new(Source::Model);
    for context in [Context::default(), DECLARED] {
        let input = Input { text: &text, kind: Kind::Text, origin: &origin, context };
        if let Err(difference) = law::check_stream_of(&ENGINE, &input, |_| true, &splits) {
            panic!("{difference}");
        }
    }
}
