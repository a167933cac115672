//! Configurations with planted weaknesses in the terms of vendors' documents, and the same done right.
//!
//! A fixture is `=== title | file name | document`, the weak form, `--- hardened`, the other. `⟪rule⟫` behind a line
//! says what must be found on that line, and is taken out before the file is examined.

use bartizan_core::Family;

const INFRA: &[(&str, &str)] = &[
    ("serving", include_str!("../../fixtures/serving.txt")),
    ("applications", include_str!("../../fixtures/applications.txt")),
    ("data", include_str!("../../fixtures/data.txt")),
    ("anywhere", include_str!("../../fixtures/anywhere.txt")),
];
const AGENTS: &[(&str, &str)] = &[("agents", include_str!("../../fixtures/agents.txt"))];

struct Fixture<'t> {
    title: &'t str,
    name: &'t str,
    weak: String,
    /// Rule and line, from 1.
    planted: Vec<(String, usize)>,
    hardened: &'t str,
}

fn fixtures(text: &str) -> impl Iterator<Item = Fixture<'_>> {
    text.split("=== ").skip(1).map(|part| {
        let (head, body) = part.split_once('\n').unwrap();
        let head: Vec<&str> = head.split(" | ").collect();
        let [title, name, source] = head[..] else { panic!("{head:?}") };
        assert!(source.starts_with("http"), "{title} names no document");
        let (weak, hardened) = body.split_once("--- hardened\n").unwrap();
        let (mut clean, mut planted) = (String::new(), Vec::new());
        for (at, line) in weak.lines().enumerate() {
            let mut parts = line.split('⟪');
            clean.push_str(parts.next().unwrap().trim_end());
            clean.push('\n');
            planted.extend(parts.map(|p| (p.trim_end().trim_end_matches('⟫').to_owned(), at + 1)));
        }
        assert!(!planted.is_empty(), "{title} plants nothing");
        Fixture { title, name, weak: clean, planted, hardened }
    })
}

#[test]
fn every_planted_weakness_of_infrastructure_is_found_at_its_line_and_nothing_in_the_hardened_twin() {
    check(Family::Infra, INFRA, 60);
}

/// What serves a model to everybody and is not known is said not to be known.
#[test]
fn a_server_that_is_not_known_is_no_complete_answer() {
    for (name, text) in [
        ("server.yaml", "model: Qwen/Qwen3-8B\nhost: 0.0.0.0\nport: 8000\n"),
        ("server.toml", "[server]\nhost = \"::\"\n[llm]\nmodel = \"/m\"\n"),
        ("run.sh", "python serve.py --model /m --host 0.0.0.0\n"),
        ("run.sh", "acme-serve --host=0.0.0.0 --model=/m\n"),
        ("acme.service", "[Service]\nExecStart=/opt/acme-serve --host 0.0.0.0 --model /m\n"),
    ] {
        let report = crate::infra(name, text.as_bytes());
        assert_eq!(report.gaps.len(), 1, "{name}: {text}");
    }
    for (name, text) in [
        ("server.yaml", "model: Qwen/Qwen3-8B\nhost: 127.0.0.1\nport: 8000\n"),
        ("shop.yaml", "host: 0.0.0.0\nport: 8000\n"),
        ("run.sh", "python serve.py --model /m --host 127.0.0.1\n"),
        ("run.sh", "python -m http.server --bind 0.0.0.0\n"),
    ] {
        let report = crate::infra(name, text.as_bytes());
        assert_eq!((report.gaps.len(), report.found.len()), (0, 0), "{name}: {text}");
    }
}

#[test]
fn every_planted_weakness_of_agents_is_found_at_its_line_and_nothing_in_the_hardened_twin() {
    check(Family::Mcp, AGENTS, 20);
}

fn check(family: Family, files: &[(&str, &str)], least: usize) {
    let (mut count, mut planted, mut wrong) = (0, 0, Vec::new());
    for (file, text) in files {
        for fixture in fixtures(text) {
            count += 1;
            planted += fixture.planted.len();
            let report = crate::examine(family, fixture.name, fixture.weak.as_bytes());
            let line = |at: usize| fixture.weak[..at].matches('\n').count() + 1;
            let mut found: Vec<(String, usize)> = report
                .found
                .iter()
                .map(|f| (f.finding.rule.as_str().split_once('/').unwrap().1.to_owned(), line(f.finding.span().start)))
                .collect();
            for want in &fixture.planted {
                match found.iter().position(|f| f == want) {
                    Some(at) => drop(found.remove(at)),
                    None => wrong.push(format!("{file}, {}: missed {want:?}", fixture.title)),
                }
            }
            for more in found {
                // The same weakness may stand at several places of one line.
                if !fixture.planted.contains(&more) {
                    wrong.push(format!("{file}, {}: not planted {more:?}", fixture.title));
                }
            }
            wrong.extend(report.gaps.iter().map(|g| format!("{file}, {}: not read: {g:?}", fixture.title)));
            let report = crate::examine(family, fixture.name, fixture.hardened.as_bytes());
            for found in &report.found {
                wrong.push(format!("{file}, {}: hardened: {} {}", fixture.title, found.finding.rule, found.what));
            }
            wrong.extend(report.gaps.iter().map(|g| format!("{file}, {}: hardened: {g:?}", fixture.title)));
        }
    }
    assert!(count >= least, "{count} fixtures");
    assert!(wrong.is_empty(), "{count} fixtures, {planted} planted, {} wrong\n{}", wrong.len(), wrong.join("\n"));
}
