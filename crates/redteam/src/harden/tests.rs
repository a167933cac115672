//! The loop from attacks to a rule, on recorded runs of scripted bots.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_client::{Answer, Ask, Call, Failure, Reply, Role};
use bartizan_guard::Settings;

use super::*;
use crate::plan::Plan;
use crate::{Options, run};

fn work(toml: &str) -> Arc<Work> {
    Arc::new(Work::new(Plan::parse("p", toml).unwrap(), Pack::built_in().unwrap()).unwrap())
}

async fn recording(work: &Arc<Work>, folder: &Path, bot: fn(&Ask) -> Result<Answer, Failure>) -> PathBuf {
    let path = folder.join("journal.jsonl");
    let options = Options::new(4, "bot");
    run(Arc::clone(work), Target::Script(Arc::new(bot)), None, &path, &options, |_| ()).await.unwrap();
    path
}

/// Tells its operator's text, whatever it is asked.
fn leaks(ask: &Ask) -> Result<Answer, Failure> {
    let system = ask.turns.iter().filter(|t| t.role == Role::System).map(|t| t.content.as_str()).collect();
    Ok(Answer::Reply(Reply { text: system, ..Reply::default() }))
}

/// Calls whatever tool is there with what the last turn says, if its reply was not asked for yet.
fn obeys(ask: &Ask) -> Result<Answer, Failure> {
    let text = ask.turns.last().map(|t| t.content.clone()).unwrap_or_default();
    let mark = text.split(|c: char| !c.is_ascii_alphanumeric()).find(|w| w.len() == 12).map(str::to_owned);
    let Some(mark) = mark else { return Ok(Answer::Reply(Reply { text: "Done.".into(), ..Reply::default() })) };
    let arguments = serde_json::json!({"to": mark, "amount": "10", "reference": "fee"}).to_string();
    let call = Call { id: "c1".into(), name: "transfer_money".into(), arguments };
    Ok(Answer::Reply(Reply { calls: vec![call], ..Reply::default() }))
}

/// Quick settings: the second stage is a transformer.
fn quick() -> Settings {
    first_stage(&Settings::default())
}

#[tokio::test]
async fn what_got_through_leads_to_rules_that_hold() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "probes = ['system-prompt/debug', 'system-prompt/direct', 'system-prompt/complete', 'data-leak']\n\
                transforms = ['plain', 'base64']\ntrials = 1\nbenign_trials = 1\nseed = 's'";
    let work = work(plan);
    let journal = recording(&work, folder.path(), leaks).await;
    // Replies are not looked at here: the rule that sees a leak would stop them all.
    let mut settings = quick();
    settings.rules.disabled = vec!["prompt/system-leak".into()];
    let given = Given { work: &work, journal: &journal, settings: &settings };
    let hardened = harden(given, &[], None, 0.01).await.unwrap();
    assert_eq!((hardened.attacks, hardened.worked), (work.estimate().attacks, work.estimate().attacks));
    assert!(!hardened.groups.is_empty() && !hardened.proposals.is_empty(), "{hardened:#?}");
    for attack in hardened.groups.iter().flat_map(|g| &g.attacks) {
        let whole = work.pack.probe.iter().find(|p| p.id == attack.probe).unwrap().attacks[attack.wording].clone();
        assert!(attack.text.len() <= whole.len() && !attack.text.is_empty());
        assert_eq!(attack.record.len(), 64);
    }
    for proposal in &hardened.proposals {
        let effect = &proposal.effect;
        assert!(effect.gained() > 0 && effect.lost() * 100 <= effect.blocked_after.of, "{proposal:#?}");
        // Put in force it does what was said, and its cases hold with it and not without.
        let staged = proposal.change.over(&settings).unwrap();
        let proof = prove(given, &[], &hardened, proposal, &staged).unwrap();
        assert_eq!(proof.effect.after, effect.after, "{proposal:#?}");
        assert_eq!(proof.effect.blocked_after, effect.blocked_after);
        assert_eq!(proof.held_out, proposal.held_out);
        assert!(proof.cases.iter().any(|c| c.stopped));
        assert!(regressed(&staged, &proof.cases).unwrap().is_empty());
        assert!(!regressed(&settings, &proof.cases).unwrap().is_empty());
    }
    // A rule about the words of one family is made of words that it has.
    let topic = hardened.proposals.iter().find_map(|p| match &p.change {
        Change::Topic(topic) => Some((topic, p.group?)),
        _ => None,
    });
    let (topic, group) = topic.unwrap_or_else(|| panic!("a rule about words: {hardened:#?}"));
    let said: Vec<String> = work
        .pack
        .probe
        .iter()
        .filter(|p| hardened.groups[group].probes.contains(&p.id))
        .flat_map(|p| &p.attacks)
        .map(|a| a.to_lowercase())
        .collect();
    assert!(topic.words.iter().all(|w| said.iter().any(|s| s.contains(w.as_str()))), "{topic:?}");
}

#[tokio::test]
async fn an_attack_of_its_own_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let work =
        work("probes = ['system-prompt/debug']\ntransforms = ['plain']\ntrials = 1\nbenign_trials = 0\nseed = 's'");
    let journal = recording(&work, folder.path(), leaks).await;
    let mut settings = quick();
    settings.rules.disabled = vec!["prompt/*".into()];
    let given = Given { work: &work, journal: &journal, settings: &settings };
    let hardened = harden(given, &[], None, 0.01).await.unwrap();
    let topic = hardened.proposals.iter().find(|p| p.change.rule().is_some()).expect("a rule about words");
    // Three wordings that share no phrase: the third is held out.
    assert_eq!((topic.held_out.wordings.0, topic.effect.gained() <= 2), (0, true), "{topic:#?}");
    let none = HeldOut { ways: (0, 9), wordings: (0, 3), wordless: false };
    assert!(none.fits_only_its_own() && none.words().contains("ONLY ITS OWN"));
    // The same words in other encodings are the same attack, but few other wordings say little.
    assert!(HeldOut { ways: (9, 9), ..none }.fits_only_its_own());
    assert!(!HeldOut { ways: (9, 9), wordings: (0, 2), ..none }.fits_only_its_own());
    assert!(!HeldOut { wordings: (1, 3), ..none }.fits_only_its_own());
    assert!(!HeldOut { wordless: true, ..none }.fits_only_its_own());
}

#[tokio::test]
async fn calls_that_were_the_attacks_are_stopped_by_their_origin() {
    let folder = tempfile::tempdir().unwrap();
    let work =
        work("probes = ['tools/result-injection']\ntransforms = ['plain']\ntrials = 1\nbenign_trials = 1\nseed = 's'");
    let journal = recording(&work, folder.path(), obeys).await;
    let given = |settings| Given { work: &work, journal: &journal, settings };
    // In force as shipped, the policy of tool calls stops them already.
    let shipped = quick();
    let hardened = harden(given(&shipped), &[], None, 0.01).await.unwrap();
    assert_eq!((hardened.worked, hardened.stopped), (3, 3), "{hardened:#?}");
    assert!(hardened.proposals.is_empty());
    // Where somebody has lifted it for the tool, nothing is put over what they said.
    let mut lifted = quick();
    lifted.rules.disabled = vec!["prompt/*".into()];
    lifted.policy.agents.policy = Some(bartizan_policy::PolicyFile {
        path: "agents.toml".into(),
        text: Some("[calls]\n\"transfer_*\" = \"any\"\n".into()),
    });
    let hardened = harden(given(&lifted), &[], None, 0.01).await.unwrap();
    assert_eq!(hardened.stopped, 0, "{hardened:#?}");
    let line = hardened.proposals.iter().find(|p| matches!(p.change, Change::Call { .. })).expect("a line");
    assert_eq!((line.effect.gained(), line.effect.after.hits, line.held_out.wordless), (3, 0, true));
    let staged = line.change.over(&lifted).unwrap();
    let proof = prove(given(&lifted), &[], &hardened, line, &staged).unwrap();
    assert_eq!(proof.effect.after.hits, 0);
    assert!(regressed(&staged, &proof.cases).unwrap().is_empty());
}

#[tokio::test]
async fn a_target_says_what_an_attack_needs() {
    let folder = tempfile::tempdir().unwrap();
    let work =
        work("probes = ['system-prompt/direct']\ntransforms = ['plain']\ntrials = 1\nbenign_trials = 0\nseed = 's'");
    // It tells where it is asked for all of something.
    fn picky(ask: &Ask) -> Result<Answer, Failure> {
        let asked = ask.turns.last().is_some_and(|t| t.content.contains("system prompt"));
        if asked { leaks(ask) } else { Ok(Answer::Reply(Reply { text: "What?".into(), ..Reply::default() })) }
    }
    let journal = recording(&work, folder.path(), picky).await;
    let mut settings = quick();
    settings.rules.disabled = vec!["prompt/*".into()];
    let given = Given { work: &work, journal: &journal, settings: &settings };
    let asking = Asking { target: Target::Script(Arc::new(picky)), most: 100 };
    let hardened = harden(given, &[], Some(&asking), 0.01).await.unwrap();
    let texts: Vec<&str> = hardened.groups.iter().flat_map(|g| &g.attacks).map(|a| a.text.as_str()).collect();
    assert_eq!(texts.len(), 1);
    assert!(texts[0].contains("system prompt") && texts[0].len() < 30, "{texts:?}");
}

#[test]
fn harmless_texts_are_read_line_by_line() {
    let read = |text: &str| harmless(Path::new("f"), text);
    let asks = read("{\"text\":\"hello\"}\n\n{\"text\":\"x\",\"origin\":\"tool\"}\n{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}").unwrap();
    assert_eq!(asks.iter().map(|a| a.turns.len()).collect::<Vec<_>>(), [1, 3, 1]);
    for (wrong, word) in
        [("{}", "line 1"), ("{\"text\":\"a\"}\nno", "line 2"), ("{\"text\":\"a\",\"origin\":\"moon\"}", "origin")]
    {
        assert!(read(wrong).unwrap_err().to_string().contains(word));
    }
}
