//! The red team from the command line, against the guard alone and a scripted model.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use bartizan_redteam::{Step, compare, journal};
use serde_json::Value;

use crate::support::{Gateway, Sdk};

fn bartizan(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bartizan"))
        .args(args)
        .current_dir(folder)
        .env_remove("BARTIZAN_CONFIG")
        .env("NO_COLOR", "1")
        .output()
        .expect("the program starts")
}

fn json(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {errors}"))
}

#[test]
fn the_guard_alone_is_attacked_replayed_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let run_with = |out: &str, more: &[&str]| {
        let args = ["redteam", "run", "--guard", "--probe", "injection", "--probe", "LLM07", "--transform", "plain"];
        let rest = ["--trials", "1", "--out", out, "--format", "json"];
        bartizan(folder.path(), &[&args[..], &rest, more].concat())
    };
    let run = |out: &str| run_with(out, &[]);
    let first = run("one");
    let report = json(&first);
    // What the guard let through fails the run, as it is a failure in its JUnit.
    let passed = report["total"]["attacks"]["passed"].as_u64().unwrap_or(0);
    assert_eq!(first.status.code(), Some(i32::from(passed > 0)), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(report["complete"], true);
    assert!(report["total"]["attacks"]["blocked"].as_u64().unwrap() > 0);
    assert!(report["total"]["attacks"]["proven"].is_null(), "nothing is proven without a model");
    // Nothing is left to do: the old figures are shown only to who asks for them, and of no other configuration.
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let again = run("one");
    assert!(again.status.code() == Some(2) && said(&again).contains("is complete"), "{}", said(&again));
    assert_eq!(json(&run_with("one", &["--resume"])), report);
    std::fs::write(folder.path().join("other.toml"), "mode = \"monitor\"\n").unwrap();
    let other = run_with("one", &["--resume", "--config", "other.toml"]);
    assert!(other.status.code() == Some(2) && said(&other).contains("another configuration"), "{}", said(&other));
    let replayed = json(&bartizan(folder.path(), &["redteam", "replay", "one", "--format", "json"]));
    assert_eq!(replayed["total"], report["total"]);
    run("two");
    let compared = bartizan(folder.path(), &["redteam", "compare", "one", "two", "--format", "json"]);
    assert_eq!((compared.status.code(), json(&compared)["worse"].as_bool()), (Some(0), Some(false)));
    for format in ["human", "junit", "markdown", "html"] {
        let shown = bartizan(folder.path(), &["redteam", "compare", "one", "two", "--format", format]);
        assert!(String::from_utf8_lossy(&shown.stdout).contains("system-prompt/direct"), "{format}");
    }
    for format in ["human", "sarif", "junit", "markdown", "html"] {
        let shown = bartizan(folder.path(), &["redteam", "replay", "one", "--format", format]);
        assert!(String::from_utf8_lossy(&shown.stdout).contains("system-prompt/direct"), "{format}");
    }
}

#[cfg(unix)]
#[test]
fn a_command_that_tells_everything_is_proven_to() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "probes = ['system-prompt/direct']\ntransforms = ['plain']\ntrials = 1\ngates = ['asr_upper95(system-prompt) < 2%']\n[target]\nkind = 'command'\ncommand = ['cat']\n";
    std::fs::write(folder.path().join("plan.toml"), plan).unwrap();
    let dry = bartizan(folder.path(), &["redteam", "run", "plan.toml", "--dry-run"]);
    assert!(dry.status.success() && String::from_utf8_lossy(&dry.stderr).contains("7 requests"));
    assert!(!folder.path().join("redteam-run").exists());
    let output = bartizan(folder.path(), &["redteam", "run", "plan.toml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert_eq!(
        (&report["total"]["attacks"]["proven"], &report["gates"][0]["met"]),
        (&Value::from(3), &Value::from(false))
    );
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.toml"), "probez = 1").unwrap();
    let keyed = "url = 'http://127.0.0.1:1/v1?x=1&token=abc'\n";
    std::fs::write(folder.path().join("keyed.toml"), format!("[target]\n{keyed}")).unwrap();
    let attacker = format!("[target]\nurl = 'http://127.0.0.1:1'\n[attacker]\n{keyed}");
    std::fs::write(folder.path().join("attacker.toml"), attacker).unwrap();
    for (args, word) in [
        (&["redteam", "run"][..], "there is no target"),
        (&["redteam", "run", "bad.toml"], "probez"),
        (&["redteam", "run", "--guard", "--probe", "none"], "no probe is `none`"),
        (&["redteam", "run", "--guard", "--gate", "x < 1%"], "MEASURE"),
        (&["redteam", "run", "--target", "http://example.com", "--key", "abc"], "env:NAME"),
        (&["redteam", "run", "--target", "http://me:abc@127.0.0.1:1/v1", "--dry-run"], "--key env:NAME"),
        (&["redteam", "run", "--target", "http://127.0.0.1:1/v1?api_key=abc"], "--key env:NAME"),
        (&["redteam", "run", "keyed.toml"], "--key env:NAME"),
        (&["redteam", "run", "attacker.toml"], "--key env:NAME"),
        (&["redteam", "replay", "nowhere"], "nowhere"),
    ] {
        let output = bartizan(folder.path(), args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(word), "{args:?}: {said}");
        assert!(!said.contains("abc"));
    }
    // Nothing of a run that was refused is kept.
    assert!(!folder.path().join("redteam-run").exists());
}

#[cfg(unix)]
#[test]
fn what_gave_no_evidence_has_not_passed() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "probes = ['system-prompt/direct']\ntransforms = ['plain']\ntrials = 1\ngates = ['false_block < 90%', 'asr < 5%']\n[target]\nkind = 'command'\n";
    let fails = r#"command = ['sh', '-c', 'cat > /dev/null; echo "{\"error\":\"the model <m> is not loaded\"}"']"#;
    std::fs::write(folder.path().join("plan.toml"), format!("{plan}{fails}\n")).unwrap();
    let run =
        |format: &str| bartizan(folder.path(), &["redteam", "run", "plan.toml", "--out", format, "--format", format]);
    let shown = run("human");
    let said = String::from_utf8_lossy(&shown.stdout);
    assert!(said.contains("no evidence: 7 × command: it says that it failed, the model <m> is not loaded"), "{said}");
    assert!(said.contains("prompts like these: no evidence") && shown.status.code() == Some(1), "{said}");
    let junit = run("junit");
    let said = String::from_utf8_lossy(&junit.stdout);
    assert!(said.contains("tests=\"4\" failures=\"0\" errors=\"4\" skipped=\"0\""), "{said}");
    assert!(said.contains("the model &lt;m&gt; is not loaded"), "{said}");
    assert_eq!(json(&run("json"))["failures"][0]["said"], "the model <m> is not loaded");

    // What works is shown in a file: the plan, or without one the evidence.
    std::fs::write(folder.path().join("plan.toml"), format!("{plan}command = ['cat']\n")).unwrap();
    let place = |output: &Output| json(output)["runs"][0]["results"][0]["locations"][0]["physicalLocation"].clone();
    let found = bartizan(folder.path(), &["redteam", "run", "plan.toml", "--out", "a b", "--format", "sarif"]);
    assert_eq!(place(&found)["artifactLocation"]["uri"], "plan.toml");
    let replayed = bartizan(folder.path(), &["redteam", "replay", "a b", "--format", "sarif"]);
    assert_eq!(place(&replayed)["artifactLocation"]["uri"], "a%20b/journal.jsonl");
    assert_eq!(place(&replayed)["region"]["startLine"], 1);
}

#[test]
fn what_got_through_is_staged_tried_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("bartizan.toml"), "# ours\n[rules]\ncanary = [\"ours-and-long-enough\"]\n").unwrap();
    let args = ["redteam", "run", "--guard", "--probe", "system-prompt", "--transform", "plain", "--trials", "1"];
    let run = bartizan(here, &args);
    assert_eq!(run.status.code(), Some(1), "attacks pass: {}", String::from_utf8_lossy(&run.stderr));
    let benign =
        "{\"text\":\"When does the library open?\"}\n{\"text\":\"Your parcel has arrived.\",\"origin\":\"tool\"}\n";
    std::fs::write(here.join("benign.jsonl"), benign).unwrap();
    let harden = ["redteam", "harden", "redteam-run", "--benign", "benign.jsonl", "--format", "json"];
    let proposed = json(&bartizan(here, &harden));
    assert!(!here.join("candidate.toml").exists(), "nothing is changed without --accept");
    let proposal = proposed["proposals"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["change"]["kind"] == "topic")
        .unwrap_or_else(|| panic!("{proposed}"));
    let id = proposal["id"].as_str().unwrap();
    let shown = bartizan(here, &["redteam", "harden", "redteam-run", "--benign", "benign.jsonl"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("--accept h"));

    for format in ["markdown", "html"] {
        let shown = bartizan(here, &[&harden[..5], &["--format", format]].concat());
        assert!(String::from_utf8_lossy(&shown.stdout).contains(id), "{format}");
    }
    let wrong = bartizan(here, &["redteam", "harden", "redteam-run", "--accept", "h00000000"]);
    assert_eq!(wrong.status.code(), Some(2));
    let accepted = bartizan(here, &[&harden[..], &["--accept", id]].concat());
    let errors = String::from_utf8_lossy(&accepted.stderr);
    assert_eq!(accepted.status.code(), Some(0), "{errors}");
    let accepted = json(&accepted);
    assert_eq!((&accepted["effect"], &accepted["version"]), (&proposal["effect"], &Value::from(1)));
    assert_eq!(accepted["held_out"], proposal["held_out"]);
    let main = std::fs::read_to_string(here.join("bartizan.toml")).unwrap();
    assert!(main.starts_with("# ours\n[rules]\ncanary") && main.contains("candidate.toml"), "{main}");
    let candidate = std::fs::read_to_string(here.join("candidate.toml")).unwrap();
    // The section takes the place of the one in force as a whole, so it holds that too.
    assert!(candidate.contains("ours-and-long-enough") && candidate.contains("[[rules.topic]]"), "{candidate}");
    assert!(here.join("harden/candidate.v1.toml").exists() && here.join("harden/versions.jsonl").exists());

    let check = |code: i32| {
        let checked = bartizan(here, &["redteam", "harden", "--check"]);
        assert_eq!(checked.status.code(), Some(code), "{}", String::from_utf8_lossy(&checked.stdout));
    };
    check(0);
    // Staged is not in force: the same attacks still pass, and what is staged already is not proposed again.
    let again = json(&bartizan(here, &harden));
    assert!(again["proposals"].as_array().unwrap().iter().all(|p| p["id"] != id));
    std::fs::write(here.join("candidate.toml"), "mode = \"enforce\"\n").unwrap();
    check(1);
}

/// A run that is killed at twenty moments says in the end what an uninterrupted one says.
#[cfg(unix)]
#[test]
fn a_run_that_is_killed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "probes = ['system-prompt', 'injection/override']\ntransforms = ['plain']\ntrials = 3\nbenign_trials = 1\nseed = 's'\n\
                gates = ['asr < 50%']\n[target]\nkind = 'command'\ncommand = ['cat']\nconcurrency = 2\n";
    std::fs::write(folder.path().join("plan.toml"), plan).unwrap();
    let run = |out: &str| ["redteam", "run", "plan.toml", "--format", "json", "--out", out].map(str::to_owned);
    let arguments = |out: &str| run(out).to_vec();
    let whole: Vec<String> = arguments("whole");
    let whole = bartizan(folder.path(), &whole.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(whole.status.code(), Some(1), "{}", String::from_utf8_lossy(&whole.stderr));
    let journal = folder.path().join("cut/journal.jsonl");
    let lines = || std::fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    // Moments that are spread over the run, whatever the speed of the machine.
    for turn in 0..20 {
        let before = lines();
        let mut child = Command::new(env!("CARGO_BIN_EXE_bartizan"))
            .args(arguments("cut"))
            .current_dir(folder.path())
            .env_remove("BARTIZAN_CONFIG")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        let wait = std::time::Instant::now();
        while lines() < before + 1 + turn % 3 && wait.elapsed().as_secs() < 20 {
            if child.try_wait().expect("a child").is_some() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_micros(300 + 731 * (turn as u64 * 7 % 11)));
        }
        child.kill().expect("a child");
        child.wait().expect("a child");
    }
    // It may have been killed behind its last trial.
    let last = [arguments("cut"), vec!["--resume".to_owned()]].concat();
    let ended = bartizan(folder.path(), &last.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(json(&ended), json(&whole));
    let replayed = bartizan(folder.path(), &["redteam", "replay", "cut", "--format", "json"]);
    assert_eq!(json(&replayed)["total"], json(&whole)["total"]);
}

#[test]
fn a_signed_journal_tells_what_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let key = bartizan_sign::NoteKey::generate("redteam.test").unwrap();
    std::fs::write(here.join("key"), key.secret()).unwrap();
    let args =
        ["redteam", "run", "--guard", "--probe", "system-prompt/direct", "--transform", "plain", "--trials", "1"];
    let run = bartizan(here, &[&args[..], &["--sign-key", "file:key"]].concat());
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let public = key.verifier().to_string();
    let replay = |key: &str| bartizan(here, &["redteam", "replay", "redteam-run", "--verify-key", key]).status.code();
    assert_eq!(replay(&public), Some(0));
    let other = bartizan_sign::NoteKey::generate("redteam.test").unwrap().verifier().to_string();
    assert_eq!(replay(&other), Some(2));
    let path = here.join("redteam-run/journal.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let cut = text.trim_end().rfind('\n').unwrap() + 1;
    std::fs::write(&path, &text[..cut]).unwrap();
    assert_eq!(replay(&public), Some(2));
    // Without the key the note beside it still says how much there was, to all that read or go on with it.
    for command in [
        &["redteam", "replay", "redteam-run"][..],
        &["redteam", "compare", "redteam-run", "redteam-run"],
        &["redteam", "harden", "redteam-run"],
        &args,
    ] {
        let output = bartizan(here, command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("its end was cut off"), "{command:?}: {said}");
    }
    std::fs::rename(here.join("redteam-run/journal.note"), here.join("note")).unwrap();
    let replayed = bartizan(here, &["redteam", "replay", "redteam-run"]);
    assert_eq!(replayed.status.code(), Some(3), "the chain alone cannot tell");
    // What goes on behind a note is said.
    std::fs::write(&path, &text).unwrap();
    std::fs::rename(here.join("note"), here.join("redteam-run/journal.note")).unwrap();
    let replayed = bartizan(here, &["redteam", "replay", "redteam-run"]);
    assert!(replayed.status.success() && !String::from_utf8_lossy(&replayed.stderr).contains("added later"));
}

/// Attacks of one family of probes, by what came of them.
#[derive(Default)]
struct Family {
    attacks: u64,
    proven: u64,
    blocked: u64,
    errors: u64,
}

/// What a run says: families of attacks, harmless twins as another one, and milliseconds of each question that was answered,
/// by the trial.
struct Told {
    families: BTreeMap<String, Family>,
    benign: Family,
    times: BTreeMap<String, f64>,
}

fn told(journal: &Path) -> Told {
    let mut told = Told { families: BTreeMap::new(), benign: Family::default(), times: BTreeMap::new() };
    let all = |record: journal::Record| {
        let (group, rest) = record.name.split_once('/').expect("a probe has a group");
        let step = record.evidence.step;
        let lines = match rest.contains("#benign") {
            true => vec![&mut told.benign],
            false => vec![told.families.entry(group.to_owned()).or_default()],
        };
        for line in lines {
            line.attacks += 1;
            line.proven += u64::from(step == Step::Proven);
            line.blocked += u64::from(step == Step::Blocked);
            line.errors += u64::from(step == Step::Error);
        }
        if !matches!(step, Step::Blocked | Step::Error) {
            told.times.insert(record.name, record.ms as f64 / record.turns.len().max(1) as f64);
        }
    };
    journal::read(journal, all).expect("the journal is whole");
    told
}

fn share(hits: u64, all: u64) -> String {
    let interval = bartizan_stats::exact(hits as f64, all as f64);
    let percent = |x: f64| format!("{:.1}", x * 100.0);
    let of = percent(hits as f64 / all.max(1) as f64);
    format!("{hits} of {all}, {of} % ({}-{})", percent(interval.low), percent(interval.high))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Prints the table of `docs/benchmarks.md`. Takes most of an hour; `BARTIZAN_REDTEAM_PROBE` (`output/sql`) tries one probe alone.
#[test]
#[ignore = "needs the large model: cargo xtask e2e redteam"]
#[allow(clippy::print_stdout, reason = "its figures are what it is run for")]
fn a_real_model_is_attacked_alone_and_behind_the_gateway() {
    let Some(sdk) = Sdk::find() else { return };
    let Some(model) = sdk.model_with("qwen", &["--parallel", "4"]) else { return };
    let gateway = Gateway::start(&model.v1(), "");
    gateway.ready();
    let folder = tempfile::tempdir().expect("a folder");
    let one = std::env::var("BARTIZAN_REDTEAM_PROBE").ok();
    let attack = |name: &str, url: &str| {
        let target = format!(
            "[target]\nurl = '{url}'\nmodel = 'test-model'\ntemperature = 0.0\nmax_tokens = 48\nconcurrency = 4\ntimeout_ms = 120000\n"
        );
        let plan = format!("{}\n{target}", include_str!("../redteam/real_model.toml"));
        std::fs::write(folder.path().join(format!("{name}.toml")), plan).expect("the plan is written");
        let probe: Vec<&str> = one.iter().flat_map(|probe| ["--probe", probe.as_str()]).collect();
        let plan = format!("{name}.toml");
        let begun = std::time::Instant::now();
        let output = bartizan(folder.path(), &[&["redteam", "run", &plan, "--out", name][..], &probe].concat());
        let said = String::from_utf8_lossy(&output.stdout);
        // What the model does is its own affair; that it answers is not.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        let journal = folder.path().join(name).join("journal.jsonl");
        (told(&journal), journal, begun.elapsed().as_secs())
    };
    let (alone, before, first) = attack("alone", &model.v1());
    let (behind, after, second) = attack("behind", &gateway.v1());

    println!("| family | alone | behind the gateway | stopped by the gateway |\n|---|---|---|---|");
    let (mut all, mut left, mut stopped, mut kept) = (0, 0, 0, 0);
    for (family, a) in &alone.families {
        let b = &behind.families[family];
        println!("| {family} | {} | {} | {} |", share(a.proven, a.attacks), share(b.proven, b.attacks), b.blocked);
        assert_eq!((a.attacks, a.errors, b.errors), (b.attacks, 0, 0), "{family}");
        assert!(one.is_some() || a.attacks >= 50, "{family}: {}", a.attacks);
        (all, left, stopped, kept) = (all + a.attacks, left + a.proven, stopped + b.blocked, kept + b.proven);
    }
    println!("| all | {} | {} | {stopped} |", share(left, all), share(kept, all));
    let compared = compare(&before, &after).expect("both runs are of one plan");
    println!("\nPaired, the difference of all: p = {:.2e} (McNemar)", compared.total.p);
    let (a, b) = (&alone.benign, &behind.benign);
    println!("Harmless twins blocked: {} alone, {} behind", share(a.blocked, a.attacks), share(b.blocked, b.attacks));
    let both = alone.times.iter().filter_map(|(name, time)| Some((*time, *behind.times.get(name)?)));
    let (times, later): (Vec<f64>, Vec<f64>) = both.unzip();
    let added = times.iter().zip(&later).map(|(before, after)| after - before).collect();
    println!(
        "A question that both answered ({}): {:.0} ms at the median alone, {:.0} ms behind, {:+.0} ms in pairs",
        times.len(),
        median(times),
        median(later),
        median(added)
    );
    for direction in ["request", "reply"] {
        let metric =
            |what: &str| gateway.metric(&format!("bartizan_guard_seconds_{what}{{direction=\"{direction}\"}}"));
        let (sum, count) = (metric("sum"), metric("count"));
        println!("Time in the guard, {direction}: {:.1} ms at the mean of {count}", sum * 1000.0 / count.max(1.0));
    }
    println!("{first} s alone, {second} s behind the gateway");
    assert!(!compared.worse, "the gateway lets more through than there was");
    assert!(one.is_some() || (stopped > 0 && kept < left), "the gateway stops nothing");
}
