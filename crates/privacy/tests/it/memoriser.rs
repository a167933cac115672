//! A reference memoriser: a server in OpenAI's dialect whose distribution over what follows a prefix is known exactly.
//!
//! Digits follow a prefix one by one. Each prefix has a distribution of its own for each place; on the way of a secret
//! that was memorised with strength `s` its digit has `s` more of the mass. Texts score by words, from a table.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bartizan_privacy::stats::Dice;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the server tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    Echo,
    /// No probabilities of given texts.
    Sampled,
    /// No probabilities.
    Text,
    /// No raw completions.
    Chat,
    /// Echoed probabilities that cover half of the text.
    Truncated,
    /// The same probability for every token.
    Constant,
    /// Echoed probabilities of secrets that are more than 1.
    Positive,
    /// Sampled probabilities, of the two likeliest tokens alone.
    Few,
}

/// One memorised secret.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    pub(crate) prefix: String,
    pub(crate) secret: Vec<usize>,
    pub(crate) strength: f64,
}

impl Memory {
    /// The distribution of the digit after these.
    pub(crate) fn next(&self, before: &[usize]) -> [f64; 10] {
        let mut base = [0.0; 10];
        let mut dice =
            Dice::new(self.prefix.bytes().fold(before.len() as u64 + 1, |h, b| h.wrapping_mul(131) + u64::from(b)));
        for weight in &mut base {
            // Weights between 1 and about 4.
            *weight = (1.4 * dice.unit()).exp();
        }
        let sum: f64 = base.iter().sum();
        base.iter_mut().for_each(|weight| *weight /= sum);
        if self.secret.starts_with(before)
            && let Some(own) = self.secret.get(before.len())
        {
            base.iter_mut().for_each(|weight| *weight *= 1.0 - self.strength);
            base[*own] += self.strength;
        }
        base
    }

    pub(crate) fn log(&self, digits: &[usize]) -> f64 {
        (0..digits.len()).map(|at| self.next(&digits[..at])[digits[at]].ln()).sum()
    }

    /// True exposure: base-2 logarithm of the number of secrets by the rank of this one.
    pub(crate) fn exposure(&self) -> f64 {
        let own = self.log(&self.secret);
        let (count, mut above) = (10_usize.pow(self.secret.len() as u32), 0);
        let mut open = vec![(Vec::new(), 0.0)];
        while let Some((digits, log)) = open.pop() {
            if digits.len() == self.secret.len() {
                above += usize::from(log > own + 1e-12);
                continue;
            }
            for (digit, p) in self.next(&digits).into_iter().enumerate() {
                open.push(([digits.as_slice(), &[digit]].concat(), log + p.ln()));
            }
        }
        (count as f64).log2() - (above as f64 + 1.0).log2()
    }
}

pub(crate) struct Memoriser {
    pub(crate) memories: Vec<Memory>,
    /// Logarithms of the probabilities of words, for whole texts.
    pub(crate) words: HashMap<String, f64>,
    pub(crate) tells: Tells,
    /// Texts that are said of its own accord, a share of the time.
    pub(crate) texts: Vec<String>,
    pub(crate) share: f64,
    /// What it replies in a conversation, where that is another thing than it says of its own accord.
    pub(crate) chat: Option<fn(&str) -> String>,
    /// Requests that are answered 429 before the next is served.
    pub(crate) turned_away: Mutex<u32>,
    pub(crate) served: Mutex<u64>,
}

impl Memoriser {
    pub(crate) fn new(memories: Vec<Memory>, tells: Tells) -> Self {
        Self {
            memories,
            words: HashMap::new(),
            tells,
            texts: Vec::new(),
            share: 0.0,
            chat: None,
            turned_away: Mutex::new(0),
            served: Mutex::new(0),
        }
    }

    /// Serves on a free port; answers with the base URL.
    pub(crate) async fn serve(self: Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let own = Arc::clone(&self);
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| answer(Arc::clone(&own), request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        url
    }

    fn memory(&self, prompt: &str) -> Option<(&Memory, Vec<usize>)> {
        let memory = self.memories.iter().find(|m| prompt.starts_with(m.prefix.trim_end()))?;
        let rest = prompt[memory.prefix.trim_end().len()..].trim_start();
        let digits: Option<Vec<usize>> = rest.chars().map(|c| c.to_digit(10).map(|d| d as usize)).collect();
        Some((memory, digits?)).filter(|(memory, digits)| digits.len() <= memory.secret.len())
    }

    /// Tokens of a given text: words with the blank before them, and digits after a memorised prefix.
    fn tokens(&self, prompt: &str) -> Vec<(String, f64)> {
        let (memory, digits) = self.memory(prompt).map_or((None, Vec::new()), |(m, digits)| (Some(m), digits));
        let text = prompt[..prompt.len() - digits.len()].trim_end();
        let mut all = Vec::new();
        let mut from = 0;
        for to in text.match_indices(' ').map(|(at, _)| at).chain([text.len()]).filter(|to| *to > 0) {
            let word = &text[from..to];
            all.push((word.to_owned(), self.words.get(word.trim()).copied().unwrap_or(-8.0)));
            from = to;
        }
        let blank = &prompt[text.len()..prompt.len() - digits.len()];
        match memory.filter(|_| !digits.is_empty()) {
            Some(memory) => all.extend((0..digits.len()).map(|at| {
                let name = format!("{}{}", if at == 0 { blank } else { "" }, digits[at]);
                (name, memory.next(&digits[..at])[digits[at]].ln())
            })),
            None if !blank.is_empty() => all.push((blank.to_owned(), -1.0)),
            None => {}
        }
        all
    }

    /// Chooses the likeliest of the choices for a gap behind a memorised prefix.
    fn choice(&self, prompt: &str) -> Option<String> {
        let memory = self.memories.iter().find(|m| prompt.contains(m.prefix.trim_end()))?;
        let (_, choices) = prompt.split_once("____")?;
        let choices = choices.lines().filter_map(|line| line.split_once(") "));
        let log = |value: &str| {
            let digits: Option<Vec<usize>> = value.chars().map(|c| c.to_digit(10).map(|d| d as usize)).collect();
            digits.map_or(f64::NEG_INFINITY, |digits| memory.log(&digits))
        };
        let best = choices.max_by(|a, b| log(a.1).total_cmp(&log(b.1)))?;
        Some(best.0.to_owned())
    }

    /// A text that is known by heart, or one that nobody wrote, of the same length.
    fn said(&self, seed: u64) -> (String, Vec<Value>) {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9));
        let (text, log) = if dice.unit() < self.share {
            (self.texts[dice.below(self.texts.len())].clone(), -0.05)
        } else {
            let word = |_| (0..5).map(|_| char::from(b'a' + dice.below(26) as u8)).collect::<String>();
            ((0..20).map(word).collect::<Vec<_>>().join(" "), -3.0)
        };
        let tokens = text.split_inclusive(' ').map(|t| json!([t, log, {t: log, "x": -9.0}])).collect();
        (text, tokens)
    }

    fn sample(&self, prompt: &str, most: usize, seed: u64) -> (String, Vec<Value>) {
        if let Some(letter) = self.choice(prompt) {
            return (format!(" {letter}"), Vec::new());
        }
        let Some((memory, mut digits)) = self.memory(prompt) else {
            if !self.texts.is_empty() && most > 1 {
                return self.said(seed);
            }
            return ("and so on".to_owned(), vec![json!(["and", -1.0, {"and": -1.0, "or": -2.0}])]);
        };
        let mut dice = Dice::new(
            seed.wrapping_mul(0x5851_f42d).wrapping_add(prompt.len() as u64)
                ^ memory.prefix.bytes().map(u64::from).sum::<u64>() << 32,
        );
        let (mut text, mut tokens) = (String::new(), Vec::new());
        // As tokens do, the first one holds the blank before it.
        let blank = if digits.is_empty() && !prompt.ends_with(' ') { " " } else { "" };
        while digits.len() < memory.secret.len() && tokens.len() < most {
            let next = memory.next(&digits);
            let mut left = dice.unit();
            let digit = next
                .iter()
                .position(|p| {
                    left -= p;
                    left < 0.0
                })
                .unwrap_or(9);
            let name = |digit: usize| format!("{}{digit}", if tokens.is_empty() { blank } else { "" });
            let mut all: Vec<(String, f64)> = next.iter().enumerate().map(|(d, p)| (name(d), p.ln())).collect();
            all.sort_by(|a, b| b.1.total_cmp(&a.1));
            all.truncate(if self.tells == Tells::Few { 2 } else { 10 });
            let top = all.into_iter().collect::<HashMap<_, _>>();
            text.push_str(&name(digit));
            tokens.push(json!([name(digit), next[digit].ln(), top]));
            digits.push(digit);
        }
        (text, tokens)
    }

    fn reply(&self, path: &str, asked: &Value) -> (StatusCode, Value) {
        let refuse = |what: &str| {
            (StatusCode::BAD_REQUEST, json!({"error": {"message": what, "type": "invalid_request_error"}}))
        };
        let most = asked["max_tokens"].as_u64().unwrap_or(16) as usize;
        let seed = asked["seed"].as_u64().unwrap_or(0);
        if path.ends_with("/chat/completions") {
            let prompt = asked["messages"][0]["content"].as_str().unwrap_or_default();
            let (text, _) = self.sample(prompt, most, seed);
            let text = self.chat.map_or_else(|| format!("I think it is {text}."), |chat| chat(prompt));
            let said = json!({"role": "assistant", "content": text});
            return (
                StatusCode::OK,
                json!({"choices": [{"index": 0, "message": said, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}),
            );
        }
        if self.tells == Tells::Chat {
            return (StatusCode::NOT_FOUND, json!({"error": {"message": "no such route"}}));
        }
        let prompt = asked["prompt"].as_str().unwrap_or_default();
        let (text, sampled) = self.sample(prompt, most, seed);
        let wants = asked["logprobs"].is_number();
        let echo = asked["echo"] == true;
        if echo && !matches!(self.tells, Tells::Echo | Tells::Truncated | Tells::Constant | Tells::Positive) {
            return refuse("echo is not supported");
        }
        let (mut names, mut logs, mut top) = (Vec::new(), Vec::new(), Vec::new());
        if echo {
            let mut all = self.tokens(prompt);
            if self.tells == Tells::Truncated {
                all.truncate(all.len() / 2);
            }
            for (number, (name, log)) in all.into_iter().enumerate() {
                names.push(json!(name));
                let log = match self.tells {
                    Tells::Constant => -0.5,
                    Tells::Positive if name.trim().parse::<u8>().is_ok() => -log,
                    _ => log,
                };
                logs.push(if number == 0 { Value::Null } else { json!(log) });
                top.push(Value::Null);
            }
        }
        for token in &sampled {
            names.push(token[0].clone());
            logs.push(token[1].clone());
            top.push(token[2].clone());
        }
        let logprobs = match (wants, self.tells) {
            (true, Tells::Text | Tells::Chat) | (false, _) => Value::Null,
            (true, _) => {
                json!({"tokens": names, "token_logprobs": logs, "top_logprobs": top})
            }
        };
        let whole = if echo { format!("{prompt}{text}") } else { text };
        (
            StatusCode::OK,
            json!({"choices": [{"index": 0, "text": whole, "logprobs": logprobs, "finish_reason": "length"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}),
        )
    }
}

async fn answer(server: Arc<Memoriser>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    *server.served.lock().unwrap() += 1;
    let away = {
        let mut left = server.turned_away.lock().unwrap();
        let away = *left > 0;
        *left = left.saturating_sub(1);
        away
    };
    let (status, said) = if away {
        (StatusCode::TOO_MANY_REQUESTS, json!({"error": {"message": "slow down"}}))
    } else {
        server.reply(&path, &asked)
    };
    let mut response = Response::new(Full::new(Bytes::from(said.to_string())));
    *response.status_mut() = status;
    Ok(response)
}
