//! Plays ordinary traffic and attacks to the watch of a key: queries until detection, false alarms for a key and month.
//!
//! `cargo xtask bench abuse` plays the reported half; `-- dev` the half that the levels were chosen on.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program that prints what it measures")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a simulation of small numbers"
)]

mod attack;
mod traffic;
mod words;

use std::collections::BTreeMap;
use std::time::Instant;

use attack::{Attacker, Family};
use bartizan_abuse::{Asked, Expect, Query, Reader, Settings, Signal, Watches, Who};
use bartizan_core::TenantId;
use traffic::{Ask, Key, Kind};
use words::{Language, TOPICS};

const DAY: i64 = 86_400_000;
const START: i64 = 20_000 * DAY;
/// Days that an ordinary key is played, from its birth.
const ORDINARY: u32 = 60;
/// Days of a key before it is misused.
const PAST: u32 = 28;
/// Days of an attack.
const ATTACK: u32 = 21;

/// One key, played.
struct Play<'a> {
    watches: Watches,
    settings: &'a Settings,
    tenant: TenantId,
    reader: Reader,
}

impl<'a> Play<'a> {
    fn new(settings: &'a Settings) -> Self {
        let reader = Reader::new(b"0123456789abcdef", "default", "key");
        Self { watches: Watches::default(), settings, tenant: TenantId::sole(), reader }
    }

    fn ask(&mut self, day: u32, ask: &Ask) -> Vec<Signal> {
        let now = START + i64::from(day) * DAY + i64::from(ask.second) * 1000;
        let who = Who { tenant: &self.tenant, key: "key" };
        let query = Query {
            text: self.reader.text([ask.text.as_str()]),
            asked: Asked { logprobs: ask.logprobs, bias: ask.bias },
            embedded: self.reader.inputs(ask.embeds.iter().map(String::as_str)),
            ..Query::default()
        };
        let seen = self.watches.observe(who, now, &query, self.settings);
        if ask.refused {
            self.watches.refused(who, now, [&query.text], 0, self.settings);
        } else {
            self.watches.spent(who, now, ask.tokens, 0, self.settings);
        }
        seen.raised.iter().map(|one| one.signal).collect()
    }
}

fn false_alarms(language: &Language, settings: &Settings, half: u64, keys: u64) {
    println!("\n## False alarms per key-month ({ORDINARY} days from a key's birth, {keys} keys of each kind)\n");
    println!("| kind of key | requests/day | as shipped | by signal | with `expect` |");
    println!("|---|---|---|---|---|");
    let (mut all, mut told, mut months) = (0, 0, 0.0);
    for kind in Kind::ALL {
        let declared = Settings {
            expect: vec![Expect { key: "key".into(), tenant: None, signals: kind.expected().to_vec() }],
            ..settings.clone()
        };
        let (mut by, mut with, mut requests) = (BTreeMap::<Signal, u64>::new(), 0, 0);
        for seed in 0..keys {
            let mut key = Key::new(kind, language, seed * 2 + half);
            let mut play = Play::new(settings);
            for day in 0..ORDINARY {
                for ask in key.day(day) {
                    requests += 1;
                    for signal in play.ask(day, &ask) {
                        *by.entry(signal).or_default() += 1;
                        with += u64::from(!declared.expects(&TenantId::sole(), "key", signal));
                    }
                }
            }
        }
        let span = keys as f64 * f64::from(ORDINARY) / 30.0;
        let sum: u64 = by.values().sum();
        let list: Vec<String> = by.iter().map(|(signal, count)| format!("{signal} {count}")).collect();
        println!(
            "| {} | {:.0} | {:.2} | {} | {:.2} |",
            kind.name(),
            requests as f64 / (keys as f64 * f64::from(ORDINARY)),
            sum as f64 / span,
            list.join(", "),
            with as f64 / span
        );
        (all, told, months) = (all + sum, told + with, months + span);
    }
    println!(
        "| all kinds | | {:.2} | {all} in {months:.0} key-months | {:.2} |",
        all as f64 / months,
        told as f64 / months
    );
}

fn detection(language: &Language, settings: &Settings, half: u64, keys: u64) {
    println!("\n## Queries until detection (median and 90th percentile of those detected; {keys} attackers each)\n");
    println!(
        "| attack | of a support key | of an assistant key | of a classifier key | of a search key | of a new key |"
    );
    println!("|---|---|---|---|---|---|");
    for family in Family::ALL {
        let hosts = [Some(Kind::Support), Some(Kind::Assistant), Some(Kind::Classifier), Some(Kind::Search), None];
        let cells = hosts.map(|host| cell(language, settings, family, host, half, keys));
        println!("| {} | {} |", family.name(), cells.join(" | "));
    }
}

fn cell(language: &Language, settings: &Settings, family: Family, host: Option<Kind>, half: u64, keys: u64) -> String {
    let (mut found, mut signals, mut sent) = (Vec::new(), BTreeMap::<Signal, u64>::new(), Vec::new());
    for seed in 0..keys {
        let seed = seed * 2 + half;
        let mut play = Play::new(settings);
        let mut key = host.map(|kind| Key::new(kind, language, seed + 10_000));
        let mut attacker = Attacker::new(family, language, half as usize, seed);
        let past = if host.is_some() { PAST } else { 0 };
        let mut queries = 0_u64;
        let mut caught = None;
        'played: for day in 0..past + ATTACK {
            let mut asks = key.as_mut().map(|key| key.day(day)).unwrap_or_default();
            if day >= past {
                asks.extend(attacker.day());
                asks.sort_by_key(|ask| ask.second);
            }
            for ask in asks {
                queries += u64::from(ask.attack);
                let raised = play.ask(day, &ask);
                if queries > 0
                    && let Some(signal) = raised.first()
                {
                    caught = Some(*signal);
                    break 'played;
                }
            }
        }
        sent.push(queries);
        if let Some(signal) = caught {
            found.push(queries);
            *signals.entry(signal).or_default() += 1;
        }
    }
    found.sort_unstable();
    let share = format!("{}/{keys}", found.len());
    if found.is_empty() {
        sent.sort_unstable();
        return format!("{share} (of {} queries)", sent[sent.len() / 2]);
    }
    let at = |p: f64| found[((found.len() - 1) as f64 * p).round() as usize];
    let by: Vec<String> = signals.keys().map(|signal| signal.to_string()).collect();
    format!("{share}: {}, {} ({})", at(0.5), at(0.9), by.join(", "))
}

fn cost(language: &Language, settings: &Settings) {
    println!("\n## Cost of a request\n");
    println!("| words | reading | observing |");
    println!("|---|---|---|");
    for words in [20, 200, 2000] {
        let mut random = bartizan_stats::SplitMix64::new(9);
        let texts: Vec<String> = (0..500)
            .map(|_| {
                let topic = random.below(TOPICS);
                language.text(topic, words, &mut random)
            })
            .collect();
        let mut play = Play::new(settings);
        let start = Instant::now();
        let queries: Vec<Query> =
            texts.iter().map(|text| Query { text: play.reader.text([text.as_str()]), ..Query::default() }).collect();
        let read = start.elapsed();
        let start = Instant::now();
        let who = Who { tenant: &play.tenant, key: "key" };
        for (at, query) in queries.iter().enumerate() {
            play.watches.observe(who, START + at as i64 * 1000, query, settings);
        }
        let observed = start.elapsed();
        let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6 / 500.0;
        println!("| {words} | {:.1} µs | {:.1} µs |", micros(read), micros(observed));
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let dev = args.next().is_some_and(|half| half == "dev");
    let keys: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(12);
    let (language, settings) = (Language::new(), Settings::default());
    println!("half: {}", if dev { "the one that levels were chosen on" } else { "the reported one" });
    println!("distinct words after 10^4, 10^5, 10^6 words: {:?}", language.growth(&[10_000, 100_000, 1_000_000]));
    cost(&language, &settings);
    detection(&language, &settings, u64::from(!dev), keys);
    false_alarms(&language, &settings, u64::from(!dev), keys);
}
