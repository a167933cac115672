//! Plays what the pages about the use of a key say that it did.

use bartizan_abuse::{Asked, Query, Reader, Settings, Watch};
use serde::Deserialize;

const DAY: i64 = 86_400_000;
const START: i64 = 20_000 * DAY;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    past: Option<Past>,
    now: Requests,
}

#[derive(Deserialize)]
struct Past {
    days: u32,
    #[serde(flatten)]
    each: Requests,
}

#[derive(Deserialize)]
struct Requests {
    requests: u32,
    #[serde(default)]
    text: String,
    #[serde(default)]
    logprobs: bool,
    #[serde(default)]
    bias: String,
    #[serde(default)]
    inputs: u32,
    #[serde(default)]
    tokens: u64,
    #[serde(default)]
    refused: bool,
}

struct Player {
    reader: Reader,
    watch: Watch,
    settings: Settings,
    count: u64,
}

impl Player {
    /// A word by its number.
    fn word(number: u64) -> String {
        let mut left = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
        let letters = std::iter::repeat_with(|| {
            let letter = char::from(b'a' + u8::try_from(left % 26).unwrap());
            left /= 26;
            letter
        });
        letters.take(8).collect()
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn filled(&mut self, text: &str) -> String {
        let words = text.split(' ').map(|word| {
            let usual = 1 + (self.next().wrapping_mul(0xd134_2543_de82_ef95) >> 33) % 300;
            match word {
                "{usual}" => Self::word(usual),
                "{any}" => Self::word(1_000 + self.next()),
                word => word.to_owned(),
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Plays the requests of one day, all within an hour; true where the rule is reported.
    fn day(&mut self, at: i64, each: &Requests, rule: &str) -> bool {
        let mut raised = false;
        for second in 0..i64::from(each.requests) {
            let now = at + second * 1000;
            let text = self.filled(&each.text);
            let inputs: Vec<String> = (0..each.inputs).map(|_| Self::word(1_000 + self.next())).collect();
            let bias = match each.bias.as_str() {
                "changes" => Some(self.next()),
                "fixed" => Some(1),
                _ => None,
            };
            let query = Query {
                text: self.reader.text([text.as_str()]),
                asked: Asked { logprobs: each.logprobs, bias },
                embedded: self.reader.inputs(inputs.iter().map(String::as_str)),
                ..Query::default()
            };
            let seen = self.watch.observe(now, &query, &self.settings);
            raised |= seen.raised.iter().any(|one| one.signal.rule().as_str() == rule);
            if each.refused {
                self.watch.refused(now, [&query.text], 0, &self.settings);
            } else {
                self.watch.spent(now, each.tokens, 0, &self.settings);
            }
        }
        raised
    }
}

/// True where the rule is reported on the last day of a story.
pub(crate) fn is_raised(story: &str, rule: &str) -> bool {
    let Story { past, now } = serde_json::from_str(story).unwrap();
    let reader = Reader::new(b"0123456789abcdef", "default", "web");
    let mut player = Player { reader, watch: Watch::new(START), settings: Settings::default(), count: 0 };
    let mut at = START;
    if let Some(past) = past {
        for _ in 0..past.days {
            assert!(!player.day(at, &past.each, rule), "{rule} is reported in the past of {story}");
            at += DAY;
        }
    }
    player.day(at, &now, rule)
}
