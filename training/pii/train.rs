//! Trains the sequence model and writes it with the gazetteer. It compiles the program's own tokens and features.
//!
//! `train GAZETTEER.tsv TEXTS.tsv OUT_FOLDER [NEGATIVE_TEXT...]`; `cargo xtask train pii` calls it.
//! A line of TEXTS is `start:end:LABEL,...<TAB>text`, offsets in bytes, with `\n` and `\\` in the text.

#[path = "../../crates/rules/src/pii/names/gazetteer.rs"]
mod gazetteer;
#[path = "../../crates/rules/src/pii/names/model.rs"]
mod model;
#[path = "../../crates/rules/src/pii/names/token.rs"]
mod token;

use gazetteer::{Gazetteer, build};
use model::{FEATURES, ROWS, Scores, TAGS, Weights, features, follows, run_from, viterbi};
use token::{Token, class, hash_word, tokens};

const ROUNDS: usize = 6;
/// Seeds of the runs of training.
const SEEDS: [u64; 4] = [1, 2, 3, 4];
/// Scores are integers: one unit of weight is so many steps of the perceptron.
const UNIT: i32 = 1;
/// Share of the documents in which the gazetteer forgets a part of the names, in percent, so that words around count.
const FORGET: u64 = 35;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
}

struct Training {
    now: Vec<i32>,
    sum: Vec<i64>,
    steps: [[i32; TAGS]; TAGS],
    step_sum: [[i64; TAGS]; TAGS],
    clock: i64,
}

impl Weights for Training {
    fn add(&self, row: usize, scores: &mut Scores) {
        for (s, w) in scores.iter_mut().zip(&self.now[row * TAGS..(row + 1) * TAGS]) {
            *s += w;
        }
    }
    fn step(&self, from: usize, to: usize) -> i32 {
        self.steps[from][to]
    }
}

impl Training {
    fn update(&mut self, row: usize, tag: usize, by: i32) {
        self.now[row * TAGS + tag] += by;
        self.sum[row * TAGS + tag] += self.clock * i64::from(by);
    }
    fn update_step(&mut self, from: usize, to: usize, by: i32) {
        self.steps[from][to] += by;
        self.step_sum[from][to] += self.clock * i64::from(by);
    }
}

/// One run of tokens that are asked about.
struct Run {
    rows: Vec<[u32; FEATURES]>,
    gold: Vec<u8>,
}

fn kind(label: &str) -> usize {
    match label {
        "PER" => 1,
        "ORG" => 3,
        "LOC" => 5,
        "ADR" => 7,
        other => panic!("label {other}"),
    }
}

fn gold(all: &[Token], spans: &[(usize, usize, usize)]) -> Vec<u8> {
    let mut tags: Vec<u8> = all
        .iter()
        .map(|t| {
            spans.iter().find(|s| t.start < s.1 && t.end > s.0).map_or(0, |s| {
                let begins = t.start <= s.0;
                u8::try_from(if begins { s.2 } else { s.2 + 1 }).unwrap()
            })
        })
        .collect();
    // What is not asked about splits a span: the next token begins one.
    for at in 0..all.len() {
        if !all[at].asked {
            tags[at] = 0;
        } else if tags[at] != 0 && tags[at] % 2 == 0 {
            let before = if at == 0 { 0 } else { tags[at - 1] };
            if !follows(before.into(), tags[at].into()) {
                tags[at] -= 1;
            }
        }
    }
    tags
}

/// Weights of one training run: of the steps from tag to tag, and of the rows.
type Averaged = ([[f64; TAGS]; TAGS], Vec<f64>);

/// Trains on the runs in an order of its own.
fn train(runs: &[Run], seed: u64) -> Averaged {
    let mut random = Random(seed);
    let mut t = Training {
        now: vec![0; ROWS * TAGS],
        sum: vec![0; ROWS * TAGS],
        steps: [[0; TAGS]; TAGS],
        step_sum: [[0; TAGS]; TAGS],
        clock: 1,
    };
    let mut path = Vec::new();
    let mut order: Vec<usize> = (0..runs.len()).collect();
    for round in 0..ROUNDS {
        for at in (1..order.len()).rev() {
            order.swap(at, (random.next() % (at as u64 + 1)) as usize);
        }
        let mut wrong = 0;
        for at in &order {
            let run = &runs[*at];
            // Each time a part of the features is left out, so that no few of them decide.
            let masks: Vec<u64> = run.rows.iter().map(|_| random.next() | random.next()).collect();
            let kept = |rows: &[u32; FEATURES], mask: u64| {
                rows.iter()
                    .enumerate()
                    .filter(move |(at, _)| mask >> at & 1 == 1)
                    .map(|(_, r)| *r as usize)
                    .collect::<Vec<_>>()
            };
            let scores: Vec<Scores> = run
                .rows
                .iter()
                .zip(&run.gold)
                .zip(&masks)
                .map(|((rows, gold), mask)| {
                    let mut s = [0; TAGS];
                    kept(rows, *mask).into_iter().for_each(|r| t.add(r, &mut s));
                    // A margin: the right tag has to win clearly.
                    s[usize::from(*gold)] -= 4;
                    s
                })
                .collect();
            viterbi(&scores, true, &t, &mut path);
            let mut before = (0, 0);
            let mut missed = false;
            for (((rows, gold), guess), mask) in run.rows.iter().zip(&run.gold).zip(&path).zip(&masks) {
                let gold = usize::from(*gold);
                if gold != *guess {
                    missed = true;
                    for row in kept(rows, *mask) {
                        t.update(row, gold, UNIT);
                        t.update(row, *guess, -UNIT);
                    }
                }
                if (before.0, gold) != (before.1, *guess) {
                    t.update_step(before.0, gold, UNIT);
                    t.update_step(before.1, *guess, -UNIT);
                }
                before = (gold, *guess);
            }
            wrong += usize::from(missed);
            t.clock += 1;
        }
        eprintln!("run {seed}, round {round}: {:.2} % of runs wrong", 100.0 * wrong as f64 / runs.len() as f64);
    }
    let average = |now: i32, sum: i64| f64::from(now) - sum as f64 / t.clock as f64;
    let steps = std::array::from_fn(|from| std::array::from_fn(|to| average(t.steps[from][to], t.step_sum[from][to])));
    (steps, t.now.iter().zip(&t.sum).map(|(n, s)| average(*n, *s)).collect())
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let words = std::fs::read_to_string(&args[1]).unwrap();
    let entries: Vec<(u32, u8)> = words
        .lines()
        .map(|l| l.split_once('\t').unwrap())
        .map(|(word, classes)| (hash_word(word), classes.parse().unwrap()))
        .collect();
    let file = build(entries);
    std::fs::write(format!("{}/gazetteer.bin", args[3]), &file).unwrap();
    let gazetteer = Gazetteer(&file);

    let mut random = Random(1);
    let mut runs = Vec::new();
    let names = class::FIRST | class::LAST | class::CITY | class::COUNTRY | 16;
    let mut take = |text: &str, spans: &[(usize, usize, usize)]| {
        let forgets = random.next() % 100 < FORGET;
        let salt = random.next() as u32;
        let all = tokens(text, |hash| {
            let classes = gazetteer.classes(hash);
            if forgets && (hash ^ salt).wrapping_mul(0x85EB_CA6B) >> 30 < 2 { classes & !names } else { classes }
        });
        let tags = gold(&all, spans);
        let mut at = 0;
        while at < all.len() {
            if !all[at].asked {
                at += 1;
                continue;
            }
            let run = run_from(&all, at);
            let rows = (at..at + run).map(|i| features(&all, i).map(|r| u32::try_from(r).unwrap())).collect();
            runs.push(Run { rows, gold: tags[at..at + run].to_vec() });
            at += run;
        }
    };
    for line in std::fs::read_to_string(&args[2]).unwrap().lines() {
        let (spans, text) = line.split_once('\t').unwrap();
        let spans: Vec<(usize, usize, usize)> = spans
            .split(',')
            .filter(|s| !s.is_empty())
            .map(|s| {
                let mut parts = s.split(':');
                let mut number = || parts.next().unwrap().parse().unwrap();
                (number(), number(), kind(parts.next().unwrap()))
            })
            .collect();
        take(&text.replace("\\n", "\n").replace("\\\\", "\\"), &spans);
    }
    for path in &args[4..] {
        for paragraph in std::fs::read_to_string(path).unwrap().split("\n\n") {
            take(paragraph, &[]);
        }
    }
    eprintln!("{} runs of tokens", runs.len());

    // Runs in other orders make other mistakes; their mean makes fewer.
    let trained: Vec<Averaged> = std::thread::scope(|scope| {
        let threads: Vec<_> = SEEDS
            .map(|seed| {
                scope.spawn({
                    let runs = &runs;
                    move || train(runs, seed)
                })
            })
            .into();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let mean = |of: &dyn Fn(&Averaged) -> f64| trained.iter().map(of).sum::<f64>() / trained.len() as f64;
    let all: Vec<f64> = (0..ROWS * TAGS).map(|at| mean(&|t| t.1[at])).collect();
    let mut sizes: Vec<f64> = all.iter().map(|w| w.abs()).filter(|w| *w > 0.01).collect();
    sizes.sort_by(f64::total_cmp);
    // A few large weights are cut, so that the small ones keep their digits.
    let largest = sizes[sizes.len() * 998 / 1000];
    let scale = 127.0 / largest;
    let mut out = Vec::new();
    for from in 0..TAGS {
        for to in 0..TAGS {
            let w = mean(&|t| t.0[from][to]) * scale;
            out.extend((w.round() as i32).to_le_bytes());
        }
    }
    out.extend(all.iter().map(|w| (w * scale).round().clamp(-127.0, 127.0) as i8 as u8));
    eprintln!("{} weights of {}, largest {largest:.1}", sizes.len(), all.len());
    std::fs::write(format!("{}/model.bin", args[3]), out).unwrap();
}
