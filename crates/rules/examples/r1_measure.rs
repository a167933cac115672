//! Scans framed texts from standard input and prints findings.
use std::io::{BufRead, Read, Write};

use bartizan_core::{Context, Kind, Limits, Origin, Source};
use bartizan_engine::{Engine, Input};
use bartizan_rules::{Settings, detectors};

fn main() {
    let engine = Engine::new(detectors(&Settings::default()).unwrap(), vec![], Limits::default()).unwrap();
    let mut input = std::io::BufReader::new(std::io::stdin());
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let mut line = String::new();
    loop {
        line.clear();
        if input.read_line(&mut line).unwrap() == 0 {
            break;
        }
        let mut parts = line.trim_end().split('\t');
        let id = parts.next().unwrap().to_owned();
        let source: Source = match parts.next().unwrap() {
            "user" => Source::User,
            "tool" => Source::Tool,
            "document" => Source::Document,
            "model" => Source::Model,
            other => panic!("{other}"),
        };
        let n: usize = parts.next().unwrap().parse().unwrap();
        let mut text = vec![0; n + 1];
        input.read_exact(&mut text).unwrap();
        text.pop();
        let text = String::from_utf8(text).unwrap();
        let origin = Origin::new(source);
        let scan =
            engine.scan(&Input { text: &text, kind: Kind::Text, origin: &origin, context: Context::default() });
        write!(out, "{id}").unwrap();
        for f in scan.findings {
            let s = f.span();
            write!(out, "\t{}|{}|{}|{}|{}", f.rule, f.severity, f.confidence, s.start, s.end).unwrap();
        }
        writeln!(out).unwrap();
    }
}
