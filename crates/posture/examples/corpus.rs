//! Examines every file below a folder that has the name of a configuration, and prints what was found: for false alarms
//! on files that are known to be harmless. `cargo run --release -p bartizan-posture --example corpus -- infra|mcp FOLDER`
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a tool for developers that reads files and prints"
)]

use std::collections::BTreeMap;
use std::path::Path;

use bartizan_posture::{Report, agent, infra, is_agent_name, is_infra_name};

type Names = fn(&str) -> bool;
type Examine = fn(&str, &[u8]) -> Report;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (names, examine): (Names, Examine) = match arguments.next().as_deref() {
        Some("mcp") => (is_agent_name, agent),
        _ => (is_infra_name, infra),
    };
    let mut formats: BTreeMap<String, (usize, usize, usize)> = BTreeMap::new();
    for folder in arguments {
        let mut open = vec![Path::new(&folder).to_owned()];
        while let Some(path) = open.pop() {
            let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
            if metadata.is_dir() {
                let mut children: Vec<_> =
                    std::fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()).collect();
                children.sort();
                open.extend(children.into_iter().rev());
                continue;
            }
            let name = path.display().to_string();
            if !metadata.is_file() || !names(&name) {
                continue;
            }
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let started = std::time::Instant::now();
            let report = examine(&name, &bytes);
            if started.elapsed().as_millis() > 500 {
                println!("slow {:?} {} bytes {name}", started.elapsed(), bytes.len());
            }
            let entry = formats.entry(report.format.to_owned()).or_default();
            entry.0 += 1;
            entry.1 += usize::from(!report.gaps.is_empty());
            entry.2 += usize::from(!report.found.is_empty());
            for gap in &report.gaps {
                let line = bytes.get(..gap.at).map_or(0, |b| b.iter().filter(|b| **b == b'\n').count()) + 1;
                println!("{name}:{line}: not examined: {}", gap.why);
            }
            for found in &report.found {
                let at = found.finding.span().start;
                let line = bytes.get(..at).map_or(0, |b| b.iter().filter(|b| **b == b'\n').count()) + 1;
                println!("{name}:{line}: {}[{}] {}", found.finding.severity, found.finding.rule, found.what);
            }
        }
    }
    for (format, (files, gaps, found)) in formats {
        println!("{format}: {files} files, {gaps} not read to the end, {found} with findings");
    }
}
