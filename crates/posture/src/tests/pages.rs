//! Every rule page says what it must, and its examples behave as it says.

use crate::rules;

const SECTIONS: [&str; 7] =
    ["What it finds", "Why it matters", "How it decides", "Examples", "Limits", "Fix", "References"];

#[test]
fn examples_behave_as_the_pages_say() {
    let mut wrong = Vec::new();
    for rule in rules::all() {
        let headings: Vec<&str> = rule.doc.lines().filter_map(|l| l.strip_prefix("## ")).collect();
        assert_eq!(headings, SECTIONS, "{}", rule.id);
        assert_eq!(rule.doc.lines().next(), Some(format!("# {}", rule.id).as_str()));
        let mut kinds = Vec::new();
        let mut lines = rule.doc.lines();
        while let Some(line) = lines.next() {
            let Some((kind, name)) = line.strip_prefix("```").and_then(|i| i.split_once(' ')) else { continue };
            let text: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
            let report = crate::examine(rule.id.family(), name, text.join("\n").as_bytes());
            let fires = report.found.iter().any(|f| f.finding.rule == rule.id);
            if fires != (kind == "fire") || !report.gaps.is_empty() {
                wrong.push(format!("{}: {kind} {name}: {:?} {:?}", rule.id, report.found, report.gaps));
            }
            kinds.push(kind);
        }
        assert!(kinds.contains(&"fire") && kinds.contains(&"silent"), "{}", rule.id);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
