//! What a report says, and that nothing in it is obeyed.

use bartizan_report::{
    Dated, Evidence, FORM, Kind, Records, Report, Setup, State, Status, Stood, html, markdown, of_configuration,
    of_records,
};
use serde_json::json;

use crate::{NOW, read, report};

fn view<'a>(report: &'a Report, framework: &str, id: &str) -> &'a bartizan_report::View {
    let framework = report.frameworks.iter().find(|f| f.id == framework).unwrap();
    framework.controls.iter().find(|c| c.id == id).unwrap()
}

fn scan(denied: u64) -> Vec<Evidence> {
    read(
        "models.json",
        &json!({
            "scan": "model", "files": [{ "path": "m.safetensors", "findings": [] }],
            "summary": { "files": 1, "denied": denied, "coverage": { "status": "complete" } },
        }),
    )
}

#[test]
fn a_report_names_evidence_age_and_what_is_lacking() {
    let made = report(scan(0), None);
    assert_eq!((made.report.as_str(), made.made.as_str()), (FORM, NOW));
    let covered = view(&made, "AISVS", "C6.1.1");
    assert_eq!((covered.status, covered.measures.as_slice()), (Status::Covered, &["model-scan".to_owned()][..]));
    let standing = made.measure("model-scan").unwrap();
    assert_eq!((standing.age_days, standing.evidence.as_slice()), (Some(12), &[0][..]));
    let partial = view(&made, "OWASP-LLM", "LLM03");
    assert_eq!(
        (partial.status, partial.lacks.as_slice()),
        (Status::Partial, &["model-signature".to_owned(), "infra-scan".to_owned()][..])
    );
    let next = made.next();
    assert!(next.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    assert!(
        next.iter().any(|(s, _)| s.measure == "model-signature") && next.iter().all(|(s, _)| s.measure != "model-scan")
    );
    let totals: usize = made.frameworks.iter().map(|f| f.totals.all()).sum();
    assert_eq!(totals, made.frameworks.iter().map(|f| f.controls.len()).sum::<usize>());
    let page = html(&made);
    // Of a law there is evidence; it is never covered.
    assert_eq!(view(&made, "EU-AI-ACT", "Art. 15").status, Status::Partial);
    for text in ["C6.1.1", "bartizan scan model", "12 d", "time of the file", "models.json", ">some evidence<"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(markdown(&made).contains("| C6.1.1 | 1 |"));
}

#[test]
fn a_report_is_read_back_as_it_was_written() {
    let made = report(scan(1), None);
    let text = serde_json::to_string(&made).unwrap();
    assert_eq!(Report::parse(text.as_bytes()).unwrap(), made);
    assert!(Report::parse(b"{}").is_err());
    assert!(Report::parse(text.replace(FORM, "bartizan-posture/9").as_bytes()).is_err());
}

#[test]
fn a_trend_says_what_got_better_and_worse_and_keeps_the_past() {
    let (empty, good, open) = (report(Vec::new(), None), report(scan(0), None), scan(1));
    let better = report(scan(0), Some(&empty)).trend.unwrap();
    assert!(better.changes.iter().any(|c| c.id == "C6.1.1" && c.now == Status::Covered && !c.is_worse()));
    let middle = report(open, Some(&good));
    let worse = middle.trend.clone().unwrap();
    let change = worse.changes.iter().find(|c| c.id == "C6.1.1").unwrap();
    assert_eq!((change.before, change.now, change.is_worse()), (Status::Covered, Status::Partial, true));
    let third = report(scan(0), Some(&middle));
    assert_eq!(third.trend.as_ref().unwrap().history.len(), 2);
    assert!(html(&third).contains("Covered and partial over time"));
    assert!(html(&middle).contains("of them worse") && worse.changes[0].is_worse());
    let same = report(scan(0), Some(&good));
    assert!(same.trend.as_ref().unwrap().changes.is_empty());
    assert!(markdown(&same).contains("Nothing stands elsewhere"));
}

#[test]
fn records_and_configuration_become_evidence() {
    let records = Records {
        source: "bartizan.sqlite".to_owned(),
        chain_id: "c".to_owned(),
        head: Some("9:ff".to_owned()),
        decisions: 10,
        times: Some(("2026-05-01T00:00:00Z".to_owned(), "2026-05-31T00:00:00Z".to_owned())),
        verdicts: [("allow".to_owned(), 7), ("deny".to_owned(), 3)].into(),
        passed: 2,
        rules: [("prompt/instruction-override".to_owned(), 3)].into(),
        deeds: [("contained".to_owned(), bartizan_report::Done { count: 1, last: NOW.to_owned() })].into(),
        contain: vec!["tool-calls".to_owned()],
    };
    let mut evidence = of_records(&records);
    assert_eq!(evidence.iter().map(|e| e.kind).collect::<Vec<_>>(), [Kind::Decisions, Kind::Acts]);
    assert!(evidence[0].summary.contains("7 allow, 3 deny; 2 to stop or hold passed in monitor mode"));
    let setup = Setup {
        source: "bartizan.toml".to_owned(),
        sha256: None,
        value: json!({ "mode": "enforce" }),
        in_force: Some(false),
    };
    evidence.push(of_configuration(&setup, NOW));
    assert_eq!((evidence[2].state, evidence[2].dated), (State::Weak, Dated::Read));
    let made = report(evidence, None);
    let log = made.measure("decision-log").unwrap();
    assert_eq!((log.stood, log.age_days), (Stood::Shown, Some(1)));
    assert_eq!(made.measure("prompt-screening").unwrap().fired, 3);
    assert!(!made.measure("tool-decisions").unwrap().why.contains("no tool call"));
    assert_eq!(view(&made, "AISVS", "C12.1.1").status, Status::Covered);
    assert!(of_records(&Records::default()).is_empty());
}

/// Attack texts stand in every field that evidence brings along.
#[test]
fn hostile_text_is_shown_and_never_obeyed() {
    const ATTACK: &str =
        "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"' [a](javascript:alert(1)) | `x` \u{202e}\n# h";
    let mut evidence = read(
        ATTACK,
        &json!({
            "scan": "model",
            "files": [{ "path": ATTACK, "findings": [{ "rule": ATTACK }] }],
            "summary": { "files": 1, "denied": 1, "coverage": { "status": ATTACK } },
        }),
    );
    evidence.extend(read(
        ATTACK,
        &json!({
            "target": ATTACK, "plan": ATTACK, "trials": 1, "total": { "asr": { "hits": 1, "trials": 1 } },
            "families": [{ "risk": ["LLM01", ATTACK], "atlas": [ATTACK], "asr": { "hits": 1, "trials": 1 } }],
            "rules": { ATTACK: 1 },
        }),
    ));
    evidence.extend(read(ATTACK, &json!({ "verified": false, "reason": ATTACK })));
    evidence.extend(read(
        ATTACK,
        &json!({ "verified": true, "signer": { "identity": ATTACK }, "model": { "name": ATTACK } }),
    ));
    evidence.extend(read(ATTACK, &json!({ "endpoint": ATTACK, "asked": [], "findings": [] })));
    evidence.extend(read(ATTACK, &json!({ "signal": ATTACK, "verdict": ATTACK, "blind": {}, "scores": [] })));
    evidence.extend(read(
        ATTACK,
        &json!({ "bomFormat": "CycloneDX", "metadata": { "timestamp": ATTACK, "component": { "name": ATTACK } } }),
    ));
    evidence.extend(of_records(&Records {
        source: ATTACK.to_owned(),
        chain_id: ATTACK.to_owned(),
        head: Some(ATTACK.to_owned()),
        decisions: 1,
        times: Some((ATTACK.to_owned(), ATTACK.to_owned())),
        verdicts: [(ATTACK.to_owned(), 1)].into(),
        rules: [(ATTACK.to_owned(), 1)].into(),
        deeds: [(ATTACK.to_owned(), bartizan_report::Done { count: 1, last: ATTACK.to_owned() })].into(),
        ..Records::default()
    }));
    // An earlier report is a file as well, and each of its texts may have been changed.
    let mut before = serde_json::to_value(report(evidence.clone(), None)).unwrap();
    before["made"] = ATTACK.into();
    for framework in before["frameworks"].as_array_mut().unwrap() {
        framework["id"] = ATTACK.into();
    }
    before["trend"] = json!({ "since": ATTACK, "changes": [], "history": [{ "made": ATTACK, "totals": { ATTACK: { "covered": 0, "partial": 0, "none": 0, "out": 0 } } }] });
    let before = Report::parse(before.to_string().as_bytes()).unwrap();
    let mut made = report(evidence, Some(&before));
    made.subject = ATTACK.to_owned();
    made.version = ATTACK.to_owned();
    made.unread.push(ATTACK.to_owned());
    // What a report that was read back says is no more to be trusted than a result.
    for view in made.frameworks.iter_mut().flat_map(|f| &mut f.controls).take(3) {
        view.words = ATTACK.to_owned();
        view.measures.push(ATTACK.to_owned());
        view.lacks.push(ATTACK.to_owned());
    }
    let page = html(&made);
    for active in ["<script", "<img", "onerror=alert(1)>", "\u{202e}\n"] {
        assert!(!page.contains(active), "{active}");
    }
    assert!(page.contains("&lt;script&gt;"));
    let text = markdown(&made);
    for active in ["<script", "<img", "](javascript", "\n# h", " `x` "] {
        assert!(!text.contains(active), "{active}");
    }
    // Every row of every table has the cells of its head.
    let mut cells = 0;
    for line in text.lines() {
        let bars = line.replace("\\|", "").matches('|').count();
        match line.starts_with('|') {
            true if cells == 0 => cells = bars,
            true => assert_eq!(bars, cells, "{line}"),
            false => cells = 0,
        }
    }
}
