//! How many tokens a request and its reply took: what the provider says, else an estimate.
//!
//! These readers feed accounts, never decisions about content, so a field that is not there is no error.

use bartizan_core::{Money, Used};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model_fits;

/// Tokens by what they cost. No token is in two of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Read at the full price.
    pub input: u64,
    /// Read from the provider's cache.
    pub cache_read: u64,
    /// Written to the provider's cache.
    pub cache_write: u64,
    /// Written by the model, hidden reasoning included.
    pub output: u64,
}

impl TokenUsage {
    /// As it is accounted for, as one request.
    #[must_use]
    pub fn used(&self, price: Option<&Price>) -> Used {
        Used {
            requests: 1,
            input_tokens: self.input.saturating_add(self.cache_read).saturating_add(self.cache_write),
            output_tokens: self.output,
            spend: price.map_or(Money::default(), |p| p.of(self)),
        }
    }

    /// Takes over what a later report says. A provider reports running totals, not differences.
    fn update(&mut self, later: &Self) {
        self.input = self.input.max(later.input);
        self.cache_read = self.cache_read.max(later.cache_read);
        self.cache_write = self.cache_write.max(later.cache_write);
        self.output = self.output.max(later.output);
    }
}

/// What the tokens of a model cost, for a million of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Model: a name, or a prefix with `*` at the end. The first that fits holds.
    pub model: String,
    /// A million tokens in.
    pub input: Money,
    /// A million tokens out.
    pub output: Money,
    /// A million tokens read from the provider's cache; without it the price of tokens in.
    #[serde(default)]
    pub cache_read: Option<Money>,
    /// A million tokens written to the provider's cache; without it the price of tokens in.
    #[serde(default)]
    pub cache_write: Option<Money>,
}

impl Price {
    /// The price of a model.
    #[must_use]
    pub fn find<'a>(prices: &'a [Self], model: &str) -> Option<&'a Self> {
        prices.iter().find(|price| model_fits(&price.model, model))
    }

    fn of(&self, tokens: &TokenUsage) -> Money {
        let each = |tokens: u64, price: Money| u128::from(tokens) * u128::from(price.as_nano());
        let sum = each(tokens.input, self.input)
            .saturating_add(each(tokens.output, self.output))
            .saturating_add(each(tokens.cache_read, self.cache_read.unwrap_or(self.input)))
            .saturating_add(each(tokens.cache_write, self.cache_write.unwrap_or(self.input)));
        // Rounded up, so that many small requests are not free.
        Money::nano(u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }

    /// The most that so many tokens can cost.
    #[must_use]
    pub fn at_most(&self, input: u64, output: u64) -> Money {
        let dearest = [Some(self.input), self.cache_read, self.cache_write].into_iter().flatten().max();
        let price = Self { input: dearest.unwrap_or_default(), ..self.clone() };
        price.of(&TokenUsage { input, output, ..TokenUsage::default() })
    }
}

/// Tokens of a text of so many bytes: about four bytes each in English prose. Never none for some.
#[must_use]
pub const fn estimate(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}

/// What a request says about the most it can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestBound {
    /// Most tokens of one answer, where the request says so.
    pub max_output: Option<u64>,
    /// Answers asked for.
    pub answers: u64,
}

impl Default for RequestBound {
    fn default() -> Self {
        Self { max_output: None, answers: 1 }
    }
}

impl RequestBound {
    /// Most tokens of all answers; `default` where the request names no limit.
    #[must_use]
    pub fn output(&self, default: u64) -> u64 {
        self.max_output.unwrap_or(default).saturating_mul(self.answers)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    n: Option<u64>,
    best_of: Option<u64>,
    #[serde(rename = "generationConfig")]
    generation: Option<Generation>,
    #[serde(rename = "inferenceConfig")]
    inference: Option<Inference>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Generation {
    max_output_tokens: Option<u64>,
    candidate_count: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Inference {
    max_tokens: Option<u64>,
}

/// What a request body says about the most it can take, in the words of every dialect.
#[must_use]
pub fn request_bound(body: &[u8]) -> RequestBound {
    let asked: Asked = serde_json::from_slice(body).unwrap_or_default();
    let generation = asked.generation.unwrap_or_default();
    let limits = [
        asked.max_tokens,
        asked.max_completion_tokens,
        asked.max_output_tokens,
        generation.max_output_tokens,
        asked.inference.and_then(|i| i.max_tokens),
    ];
    let answers = [asked.n, asked.best_of, generation.candidate_count].into_iter().flatten().max().unwrap_or(1);
    RequestBound { max_output: limits.into_iter().flatten().max(), answers: answers.max(1) }
}

/// A report of usage, in the words of every dialect.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reported {
    #[serde(alias = "inputTokens", alias = "promptTokenCount")]
    input_tokens: Option<u64>,
    prompt_tokens: Option<u64>,
    #[serde(alias = "outputTokens", alias = "candidatesTokenCount")]
    output_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    #[serde(rename = "thoughtsTokenCount")]
    thoughts: Option<u64>,
    #[serde(alias = "cacheReadInputTokens")]
    cache_read_input_tokens: Option<u64>,
    #[serde(alias = "cacheWriteInputTokens")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(rename = "cachedContentTokenCount")]
    cached_content: Option<u64>,
    #[serde(alias = "input_tokens_details")]
    prompt_tokens_details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Option<u64>,
}

impl Reported {
    fn tokens(&self) -> TokenUsage {
        // OpenAI and Gemini count cached tokens among those in, Anthropic and Bedrock beside them.
        let within = self.prompt_tokens_details.as_ref().and_then(|d| d.cached_tokens).or(self.cached_content);
        let input = self.input_tokens.or(self.prompt_tokens).unwrap_or(0);
        TokenUsage {
            input: input.saturating_sub(within.unwrap_or(0)),
            cache_read: within.map_or(self.cache_read_input_tokens.unwrap_or(0), |cached| cached.min(input)),
            cache_write: self.cache_creation_input_tokens.unwrap_or(0),
            output: self
                .output_tokens
                .or(self.completion_tokens)
                .unwrap_or(0)
                .saturating_add(self.thoughts.unwrap_or(0)),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    #[serde(alias = "usageMetadata")]
    usage: Option<Reported>,
    /// Anthropic's `message_start`.
    message: Option<Inner>,
    /// `response.completed` of OpenAI Responses.
    response: Option<Inner>,
    /// Bedrock's stream.
    metadata: Option<Inner>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Inner {
    usage: Option<Reported>,
}

/// The usage that a whole reply reports.
fn usage_of(body: &[u8]) -> Option<TokenUsage> {
    let envelope: Envelope = serde_json::from_slice(body).ok()?;
    let inner = [envelope.message, envelope.response, envelope.metadata].into_iter().flatten().find_map(|i| i.usage);
    envelope.usage.or(inner).map(|reported| reported.tokens())
}

/// What a whole reply took: its report, else an estimate. `input` is the estimate of what went in.
#[must_use]
pub fn usage_or_estimate(body: &[u8], input: u64) -> TokenUsage {
    usage_of(body).unwrap_or_else(|| TokenUsage { input, output: estimate(written(body)), ..TokenUsage::default() })
}

/// Longest line of a stream that is kept whole; of a longer one the end is kept, which is where usage stands.
const LINE: usize = 32 << 10;
const TAIL: usize = 4 << 10;

/// Counts a streamed reply as it arrives: the provider's own report where there is one, else the characters of what
/// the model wrote. Bounded in memory whatever is sent.
#[derive(Debug, Default)]
pub struct StreamMeter {
    line: Vec<u8>,
    /// True where the beginning of the line is gone.
    cut: bool,
    reported: Option<TokenUsage>,
    /// Bytes of text that the model wrote.
    written: u64,
}

impl StreamMeter {
    /// Takes bytes from the upstream.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while let Some(at) = bytes.iter().position(|b| *b == b'\n') {
            let (line, rest) = bytes.split_at(at);
            self.extend(line);
            self.end_line();
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.extend(bytes);
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.line.extend_from_slice(bytes);
        if self.line.len() > LINE {
            self.written = self.written.saturating_add(written(&self.line));
            let keep = self.line.len() - TAIL;
            self.line.drain(..keep);
            self.cut = true;
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let cut = std::mem::take(&mut self.cut);
        let data = line.strip_prefix(b"data:").unwrap_or(&line);
        self.written = self.written.saturating_add(if cut { 0 } else { written(data) });
        let found = if cut {
            tail_usage(&line)
        } else if find(data, b"\"usage").is_some() {
            usage_of(data)
        } else {
            None
        };
        if let Some(tokens) = found {
            self.reported.get_or_insert_default().update(&tokens);
        }
        // The buffer is used again.
        self.line = line;
        self.line.clear();
    }

    /// Tokens written so far, as estimated.
    #[must_use]
    pub fn estimated_output(&self) -> u64 {
        estimate(self.written)
    }

    /// What it came to. `input` is the estimate of what went in, for providers that report nothing.
    #[must_use]
    pub fn finish(mut self, input: u64) -> TokenUsage {
        self.end_line();
        let guess = TokenUsage { input, output: self.estimated_output(), ..TokenUsage::default() };
        match self.reported {
            // A stream that was cut before its final report has said too little.
            Some(reported) => TokenUsage {
                output: reported.output.max(if reported.output <= 1 { guess.output } else { 0 }),
                ..reported
            },
            None => guess,
        }
    }
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|w| w == word)
}

/// The usage at the end of a line whose beginning is gone. Inside a JSON string the quotes would be escaped.
fn tail_usage(line: &[u8]) -> Option<TokenUsage> {
    const WORD: &[u8] = b"\"usage\":";
    let at = line.windows(WORD.len()).rposition(|w| w == WORD)?;
    let rest = line.get(at + WORD.len()..)?;
    let reported = serde_json::Deserializer::from_slice(rest).into_iter::<Reported>().next()?.ok()?;
    Some(reported.tokens())
}

/// Members whose text a model wrote, in every dialect.
const WRITTEN: &[&[u8]] = &[
    b"content",
    b"text",
    b"delta",
    b"arguments",
    b"partial_json",
    b"thinking",
    b"reasoning_content",
    b"reasoning",
    b"refusal",
];

/// Bytes of the strings in a JSON text that a model wrote. One pass, no parsing: what is not JSON counts as it looks.
fn written(json: &[u8]) -> u64 {
    let mut rest = json;
    let mut sum = 0u64;
    let mut key: &[u8] = b"";
    while let Some(open) = rest.iter().position(|b| *b == b'"') {
        let between = rest.get(..open).unwrap_or_default();
        let after = rest.get(open + 1..).unwrap_or_default();
        let end = string_end(after);
        let (string, next) = after.split_at(end);
        let is_value = between.iter().all(|b| b.is_ascii_whitespace() || *b == b':') && between.contains(&b':');
        if is_value && WRITTEN.contains(&key) {
            sum = sum.saturating_add(string.len() as u64);
        }
        key = if is_value { b"" } else { string };
        rest = next.get(1..).unwrap_or_default();
    }
    sum
}

/// Where a JSON string ends: at its closing quote, or at the end of the bytes.
fn string_end(bytes: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usage(input: u64, cache_read: u64, cache_write: u64, output: u64) -> TokenUsage {
        TokenUsage { input, cache_read, cache_write, output }
    }

    #[test]
    fn usage_is_read_in_every_dialect() {
        let cases: [(&str, TokenUsage); 6] = [
            (
                r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#,
                usage(10, 0, 0, 5),
            ),
            (
                r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}}"#,
                usage(6, 4, 0, 5),
            ),
            (
                r#"{"usage":{"input_tokens":3,"cache_creation_input_tokens":2,"cache_read_input_tokens":9,"output_tokens":7}}"#,
                usage(3, 9, 2, 7),
            ),
            (
                r#"{"response":{"usage":{"input_tokens":8,"input_tokens_details":{"cached_tokens":8},"output_tokens":1}}}"#,
                usage(0, 8, 0, 1),
            ),
            (
                r#"{"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2,"thoughtsTokenCount":3}}"#,
                usage(4, 0, 0, 5),
            ),
            (r#"{"usage":{"inputTokens":4,"outputTokens":2,"totalTokens":6}}"#, usage(4, 0, 0, 2)),
        ];
        for (body, expected) in cases {
            assert_eq!(usage_of(body.as_bytes()), Some(expected), "{body}");
        }
        for none in
            ["", "{}", "[]", r#"{"usage":null}"#, r#"{"usage":{"prompt_tokens":-1}}"#, r#"{"usage":{},"usage":{}}"#]
        {
            assert_eq!(usage_of(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn a_request_says_how_much_it_can_take() {
        for (body, output) in [
            (r#"{"max_tokens":7}"#, 7),
            (r#"{"max_completion_tokens":7,"n":3}"#, 21),
            (r#"{"max_output_tokens":5}"#, 5),
            (r#"{"generationConfig":{"maxOutputTokens":9,"candidateCount":2}}"#, 18),
            (r#"{"inferenceConfig":{"maxTokens":4}}"#, 4),
            (r#"{"max_tokens":18446744073709551615,"n":2}"#, u64::MAX),
            ("{}", 100),
            ("?", 100),
        ] {
            assert_eq!(request_bound(body.as_bytes()).output(100), output, "{body}");
        }
    }

    #[test]
    fn money_is_rounded_up_and_cached_tokens_have_their_price() {
        let price = Price {
            model: "m".into(),
            input: Money::try_from(2.0).unwrap(),
            output: Money::try_from(10.0).unwrap(),
            cache_read: Some(Money::try_from(0.5).unwrap()),
            cache_write: None,
        };
        let used = usage(1_000_000, 1_000_000, 0, 100_000).used(Some(&price));
        assert_eq!(used.spend, Money::try_from(3.5).unwrap());
        assert_eq!(used.tokens(), 2_100_000);
        assert_eq!(price.at_most(1_000_000, 100_000), Money::try_from(3.0).unwrap());
    }

    const CHAT: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"Hello\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\" wor\\\"ld\"}}]}\n\n";

    #[test]
    fn a_stream_is_estimated_until_it_reports() {
        let mut meter = StreamMeter::default();
        meter.push(CHAT.as_bytes());
        assert_eq!(meter.written, 5 + 8);
        assert_eq!(meter.estimated_output(), 4);
        meter.push(
            b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n",
        );
        assert_eq!(meter.finish(77), usage(9, 0, 0, 3));

        let mut meter = StreamMeter::default();
        meter.push(CHAT.as_bytes());
        assert_eq!(meter.finish(77), usage(77, 0, 0, 4));
    }

    #[test]
    fn anthropic_reports_twice_and_a_cut_stream_counts_what_was_written() {
        let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n";
        let delta =
            "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"abcdefgh\"}}\n\n";
        let end = "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}\n\n";
        let mut whole = StreamMeter::default();
        whole.push([start, delta, end].concat().as_bytes());
        assert_eq!(whole.finish(0), usage(25, 0, 0, 15));
        let mut cut = StreamMeter::default();
        cut.push([start, delta].concat().as_bytes());
        assert_eq!(cut.finish(0), usage(25, 0, 0, 2));
    }

    #[test]
    fn a_line_longer_than_the_buffer_still_says_its_usage() {
        let fake = "\\\"usage\\\":{\\\"input_tokens\\\":1}".repeat(10_000);
        let line = format!(
            "data: {{\"type\":\"response.completed\",\"response\":{{\"output\":\"{fake}\",\"usage\":{{\"input_tokens\":36,\"output_tokens\":87}}}}}}\n"
        );
        let mut meter = StreamMeter::default();
        for piece in line.as_bytes().chunks(1000) {
            meter.push(piece);
            assert!(meter.line.capacity() <= 2 * LINE + 2000);
        }
        assert_eq!(meter.finish(0), usage(36, 0, 0, 87));
    }

    proptest! {
        #[test]
        fn splits_change_nothing(splits in prop::collection::vec(1usize..40, 0..20)) {
            let text = [CHAT, "data: {\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}\n\n"].concat();
            let mut meter = StreamMeter::default();
            let mut rest = text.as_bytes();
            for split in splits {
                let (piece, next) = rest.split_at(split.min(rest.len()));
                meter.push(piece);
                rest = next;
            }
            meter.push(rest);
            prop_assert_eq!(meter.written, 13);
            prop_assert_eq!(meter.finish(0), usage(9, 0, 0, 3));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut meter = StreamMeter::default();
            meter.push(&bytes);
            let _ = meter.finish(1);
            let _ = usage_of(&bytes);
            let _ = request_bound(&bytes);
        }
    }
}
