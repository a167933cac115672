//! What users write: settings and rule packs.

use bartizan_core::{Context, Kind, Limits, Origin, Source};
use bartizan_engine::{Engine, Input};

/// Neither reading nor using what was read panics, and a pack that loads makes an engine.
pub fn run(data: &[u8]) {
    let text = super::text(data);
    if let Ok(settings) = toml::from_str::<bartizan_rules::Settings>(&text) {
        let _ = bartizan_rules::detectors(&settings);
    }
    let _ = toml::from_str::<Limits>(&text);
    if let Ok(pack) = bartizan_rules::pack::load(&text) {
        let engine = Engine::new(pack, Vec::new(), Limits::default()).expect("a pack that loads can be used");
        let origin = Origin::new(Source::User);
        // The pack holds its own examples, so that its rules have something to find.
        let _ = engine.scan(&Input { text: &text, kind: Kind::Text, origin: &origin, context: Context::default() });
    }
}
