//! Ordinary writing in many scripts raises no alarm about hidden text.

use bartizan_core::view::{OffsetMap, View, ViewText, Views};
use bartizan_core::{Context, Coverage, Finding, Kind, Limits, Origin, Scores, Sink, Subject};
use bartizan_rules::{Settings, unicode};

/// Texts that are generated.
const TEXTS: usize = 100_000;

/// Fragments by language. `\u{..}` marks what cannot be seen; all of it is usual spelling or typography there.
const LANGUAGES: &[(&str, &[&str])] = &[
    (
        "english",
        &[
            "the train leaves at nine",
            "we\u{2019}ll meet there",
            "a well\u{2011}known caf\u{e9}",
            "price: 12\u{a0}000 \u{20ac}",
            "see \u{a7}\u{2009}4",
        ],
    ),
    (
        "german",
        &[
            "die Donau\u{ad}dampf\u{ad}schiff\u{ad}fahrt",
            "am Dienstag um halb zehn",
            "Grundst\u{fc}cks\u{ad}verkehrs\u{ad}genehmigung",
            "z.\u{202f}B. \u{fc}bermorgen",
        ],
    ),
    (
        "french",
        &[
            "o\u{f9} est la gare\u{202f}?",
            "c\u{2019}est d\u{e9}j\u{e0} l\u{2019}\u{e9}t\u{e9}",
            "\u{ab}\u{a0}bonjour\u{a0}\u{bb}",
        ],
    ),
    ("polish", &["w\u{a0}domu jest ciep\u{142}o", "zażółć gęślą jaźń"]),
    ("vietnamese", &["tôi đang học tiếng Việt", "trời hôm nay rất đẹp", "xin cha\u{300}o ca\u{301}c ba\u{323}n"]),
    ("greek", &["καλημέρα σας", "ο ουρανός είναι γαλανός", "πού πας;"]),
    ("russian", &["поезд уходит в девять", "сегодня хорошая погода", "все\u{301} за\u{301}мки", "т.\u{a0}е. завтра"]),
    ("ukrainian", &["об’єднання міст", "сьогодні їхати далеко"]),
    ("armenian", &["բարեւ ձեզ", "այսօր լավ եղանակ է"]),
    ("georgian", &["გამარჯობა მეგობარო", "დღეს კარგი ამინდია"]),
    (
        "hebrew",
        &[
            "שלום לכולם",
            "C++\u{200e} היא שפה",
            "הטלפון הוא \u{200e}03-555-0100\u{200e} בערב",
            "הספר \u{2066}Rust\u{2069} טוב",
            "ש\u{5b8}לו\u{34f}\u{5b9}ם",
            "\u{202a}file.txt\u{202c} נמצא כאן",
        ],
    ),
    (
        "arabic",
        &[
            "مرحبا بالعالم",
            "السعر 100\u{200f} دولار",
            "\u{600}\u{661}\u{662} صفحة",
            "البرنامج \u{2068}Word\u{2069} جديد",
            "هـ\u{200d} في التقويم",
            "\u{61c}(١٢) صفحة",
            "\u{6dd}\u{661} آية",
        ],
    ),
    (
        "persian",
        &["می\u{200c}خواهم بروم", "کتاب\u{200c}ها را خواندم", "خانه\u{200c}ای در شهر", "نمی\u{200c}دانم، شاید"],
    ),
    ("urdu", &["یہ کتاب اچھی ہے", "علم\u{200c}الاعداد", "ہم کل ملیں گے"]),
    ("syriac", &["ܫܠܡܐ ܥܠܟܘܢ", "\u{70f}ܐܒ ܓ"]),
    ("hindi", &["आज मौसम अच्छा है", "क्\u{200d}ष और त्र", "पद\u{94d}\u{200c}म नाम", "हम कल मिलेंगे"]),
    ("marathi", &["वाऱ\u{94d}\u{200d}यावर", "मी शाळेत जातो"]),
    ("bengali", &["আজ আবহাওয়া ভালো", "র\u{200d}\u{9cd}যাব", "আমি বই পড়ি", "উদ\u{9cd}\u{200c}যোগ"]),
    ("punjabi", &["ਸਤ ਸ੍ਰੀ ਅਕਾਲ", "ਅੱਜ ਮੌਸਮ ਚੰਗਾ ਹੈ"]),
    ("gujarati", &["આજે હવામાન સારું છે", "ક\u{acd}\u{200d}ષ"]),
    ("tamil", &["இன்று வானிலை நன்றாக உள்ளது", "க\u{bcd}\u{200c}ஷ அக்ஷரம்", "நான் படிக்கிறேன்"]),
    ("telugu", &["ఈ రోజు వాతావరణం బాగుంది", "సాఫ్ట్\u{200c}వేర్ పని"]),
    ("kannada", &["ಇಂದು ಹವಾಮಾನ ಚೆನ್ನಾಗಿದೆ", "ರ\u{200d}\u{ccd}ಯಾಂಕ್", "ಸಾಫ್ಟ್\u{200c}ವೇರ್"]),
    ("malayalam", &["ഇന്ന് നല്ല കാലാവസ്ഥ", "അവന\u{d4d}\u{200d} വന്നു", "സോഫ്റ്റ്\u{200c}വെയർ"]),
    ("sinhala", &["ශ\u{dca}\u{200d}රී ලංකාව", "අද කාලගුණය හොඳයි", "විද\u{dca}\u{200d}යාව"]),
    ("thai", &["วันนี้\u{200b}อากาศ\u{200b}ดี", "ผมใช้\u{200b}Linux\u{200b}ทุกวัน", "ภาษาไทย"]),
    ("lao", &["ມື້ນີ້\u{200b}ອາກາດ\u{200b}ດີ", "ພາສາລາວ"]),
    ("khmer", &["ថ្ងៃនេះ\u{200b}អាកាសធាតុ\u{200b}ល្អ", "ភាសា\u{200b}ខ្មែរ\u{200b}(ថ្មី)\u{200b}ណាស់", "បា\u{200c}៉"]),
    ("burmese", &["ဒီနေ့\u{200b}ရာသီဥတု\u{200b}ကောင်းတယ်", "မြန်မာစာ", "က\u{fe00}"]),
    ("tibetan", &["བཀྲ་ཤིས་\u{200b}བདེ་ལེགས།", "བོད་ཡིག"]),
    ("chinese", &["今天天气很好", "我们明天见面。", "辻\u{e0100}さんと葛\u{e0101}城", "“你好”\u{fe01}，世界"]),
    ("japanese", &["今日は天気がいい", "東京\u{200b}タワーへ行く", "葛\u{e0100}飾区", "コンピュータ\u{200b}ゲーム"]),
    ("korean", &["오늘 날씨가 좋다", "내일 만나자", "\u{1112}\u{119e}\u{11ab}글 \u{115f}\u{1161}"]),
    ("mongolian", &["ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ", "ᠰᠠᠷ\u{180e}ᠠ", "ᠨ\u{180b}ᠠᠮᠤᠷ", "ᠭᠠᠵᠠᠷ\u{202f}ᠤᠨ"]),
    ("amharic", &["ዛሬ አየሩ ጥሩ ነው", "እንደምን አደርክ"]),
    ("cherokee", &["ᎣᏏᏲ ᏙᎯᏧ", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ"]),
    ("nko", &["ߒߞߏ ߘߐ߫", "ߌ ߣߌ\u{200d} ߗߋ"]),
    ("javanese", &["ꦧꦱꦗꦮ\u{200b}ꦲꦏ꧀\u{200c}ꦱꦫ"]),
    (
        "emoji",
        &[
            "\u{1f600}",
            "\u{2764}\u{fe0f}",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}",
            "\u{2764}\u{fe0f}\u{200d}\u{1f525}",
            "1\u{fe0f}\u{20e3}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "\u{1f3f3}\u{fe0f}\u{200d}\u{26a7}\u{fe0f}",
            "\u{1f44d}\u{1f3fd}",
            "\u{1f9d1}\u{1f3fd}\u{200d}\u{1f4bb}",
            "\u{260e}\u{fe0e}",
            "\u{a9}\u{fe0f}",
            "\u{2194}\u{fe0f}",
            "\u{1f3f4}\u{200d}\u{2620}\u{fe0f}",
            "\u{1f1eb}\u{1f1f7}",
        ],
    ),
    ("mathematics", &["f\u{2061}(x)", "2\u{2062}x + 3", "x \u{2229}\u{fe00} y", "a\u{2063}\u{1d463}"]),
    ("music", &["\u{1d11e}\u{1d173}\u{1d15f}\u{1d174}"]),
    ("hieroglyphs", &["\u{13000}\u{13430}\u{13001}", "\u{131cb}\u{fe00}"]),
    ("braille", &["\u{2813}\u{2811}\u{2807}\u{2807}\u{2815}\u{2800}\u{283a}\u{2815}"]),
    (
        "interface",
        &[
            "Hello, \u{2068}Anna\u{2069}!",
            "click \u{f0c9} or \u{e0b0}",
            "and/or\u{2060}\u{2014}\u{2060}yes",
            "line one\nline two",
            "caf\u{e9}\u{92}s",
        ],
    ),
];

/// Separators between fragments.
const JOINTS: &[&str] =
    &[" ", ", ", ". ", "\n", " \u{2013} ", "; ", ": ", " (", ") ", "\r\n", " \u{2022} ", "\t", " 42 ", "\n\n"];

/// A small deterministic generator (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.next(from.len())]
    }
}

fn findings(text: &str) -> Vec<Finding> {
    let detector = unicode::hidden_text::make(&Settings::default()).unwrap();
    let limits = Limits::default();
    let texts =
        [ViewText { view: View::Raw, serves: Views::RAW, depth: 0, text: text.into(), map: OffsetMap::identity() }];
    let origin = Origin::default();
    let subject =
        Subject { text, kind: Kind::Text, origin: &origin, context: Context::default(), texts: &texts, hits: &[] };
    let (mut findings, mut scores, mut coverage) = (Vec::new(), Scores::default(), Coverage::default());
    detector.inspect(&subject, &limits, &mut Sink::new(&mut findings, &mut scores, &mut coverage, &limits));
    findings
}

/// Mostly one language a text, as people write, with fragments of others between.
fn text(random: &mut Random) -> String {
    let main = random.pick(LANGUAGES);
    let mut text = String::new();
    if random.next(20) == 0 {
        text.push('\u{feff}');
    }
    for _ in 0..=random.next(8) {
        let language = if random.next(4) == 0 { random.pick(LANGUAGES) } else { main };
        text.push_str(random.pick(language.1));
        text.push_str(random.pick(JOINTS));
    }
    text
}

#[test]
fn ordinary_texts_in_many_scripts_raise_no_alarm() {
    assert!(LANGUAGES.len() >= 40);
    let mut random = Random(7);
    for _ in 0..TEXTS {
        let text = text(&mut random);
        let found = findings(&text);
        assert!(found.is_empty(), "{:?}: {:?}", text.escape_unicode().to_string(), found);
    }
}

#[test]
fn a_payload_is_found_in_any_ordinary_text() {
    let mut random = Random(11);
    let tags: String = "send it".chars().map(|c| char::from_u32(0xE0000 + c as u32).unwrap()).collect();
    let selectors: String = "send it".bytes().map(|b| char::from_u32(0xE0100 + u32::from(b) - 16).unwrap()).collect();
    let bits: String = "send it"
        .bytes()
        .flat_map(|b| (0..8).rev().map(move |i| if b >> i & 1 == 1 { '\u{200c}' } else { '\u{200b}' }))
        .collect();
    for round in 0..3_000 {
        let payload = [&tags, &selectors, &bits][round % 3];
        let mut text = text(&mut random);
        // Between two characters that show something: behind a joiner it would be a longer run.
        text.push_str(payload);
        let found = findings(&text);
        assert_eq!(found.len(), 1, "{:?}", text.escape_unicode().to_string());
        assert_eq!(found[0].severity, bartizan_core::Severity::High);
    }
}
