//! Where measures and identifiers stand, given the evidence.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Catalogue, Control, Measure, RECORDED, split};
use crate::evidence::{Evidence, Kind, NOT_IN_FORCE, Setup, State};

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Why evidence counts as old that has a date to come: it would never grow old.
const AHEAD: &str = "its date is in the future";

/// How a measure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stood {
    /// Fresh evidence shows it.
    Shown,
    /// Evidence shows a part of it.
    Part,
    /// Evidence shows findings that are open.
    Open,
    /// Evidence showed it once.
    Stale,
    /// There is no evidence.
    Absent,
}

impl Stood {
    /// In words.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Part => "shown in part",
            Self::Open => "open findings",
            Self::Stale => "stale",
            Self::Absent => "no evidence",
        }
    }
}

/// A measure and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Its name, with the tag.
    pub measure: String,
    /// What is shown.
    pub says: String,
    /// How it stands.
    pub stood: Stood,
    /// Why it is not shown; empty where it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Numbers of the pieces of evidence, from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<usize>,
    /// Age of the newest of them in days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_days: Option<i64>,
    /// Findings or decisions of the rules that do the work.
    #[serde(default)]
    pub fired: u64,
    /// How more evidence is made.
    pub command: String,
}

/// Where an identifier stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Everything that it needs is shown.
    Covered,
    /// Some evidence is there.
    Partial,
    /// Evidence could be given, and was not.
    None,
    /// This program has nothing to say.
    Out,
}

impl Status {
    /// Every status, best first.
    pub const ALL: [Self; 4] = [Self::Covered, Self::Partial, Self::None, Self::Out];

    /// In words.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Partial => "partial",
            Self::None => "none",
            Self::Out => "out of scope",
        }
    }

    /// For comparing; none where nothing can be compared.
    pub(crate) const fn rank(self) -> Option<u8> {
        match self {
            Self::Covered => Some(2),
            Self::Partial => Some(1),
            Self::None => Some(0),
            Self::Out => None,
        }
    }
}

/// What evidence is held against.
pub(crate) struct Bench<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) evidence: &'a [Evidence],
    pub(crate) setup: Option<&'a Setup>,
    pub(crate) now: Timestamp,
}

/// What one piece of evidence says of a measure.
struct Said {
    number: usize,
    state: State,
    why: String,
    age_days: i64,
    fresh: bool,
}

impl Bench<'_> {
    /// How every measure that an identifier names stands.
    pub(crate) fn standings(&self) -> BTreeMap<String, Standing> {
        let controls = self.catalogue.frameworks.iter().flat_map(|f| &f.control);
        let mut all = BTreeMap::new();
        for name in controls.flat_map(Control::measures) {
            if !all.contains_key(name)
                && let Some(measure) = self.catalogue.measures.get(split(name).0)
            {
                all.insert(name.to_owned(), self.stand(name, measure));
            }
        }
        all
    }

    fn stand(&self, name: &str, measure: &Measure) -> Standing {
        let tag = split(name).1;
        let said: Vec<Said> = self
            .evidence
            .iter()
            .enumerate()
            .filter(|(_, of)| of.kind == measure.from)
            .filter_map(|(number, of)| self.say(number, of, measure, tag))
            .collect();
        let fired = said.iter().filter_map(|s| self.evidence.get(s.number)).flat_map(|of| &of.rules);
        let fired = fired.filter(|(rule, _)| measure.uses(rule)).map(|(_, n)| *n).sum();
        let mut standing = Standing {
            measure: name.to_owned(),
            says: match tag {
                None => measure.says.clone(),
                Some(tag) => format!("{} ({tag})", measure.says),
            },
            stood: Stood::Absent,
            why: String::new(),
            evidence: said.iter().map(|s| s.number).collect(),
            age_days: said.iter().map(|s| s.age_days).min(),
            fired,
            command: measure.command.clone(),
        };
        let Some(newest) = standing.age_days else { return standing };
        // What is fresh replaces what is stale; among what is fresh the worst counts.
        match said.iter().filter(|s| s.fresh).max_by_key(|s| s.state) {
            None => {
                standing.stood = Stood::Stale;
                let ahead = said.iter().all(|s| s.why.ends_with(AHEAD));
                standing.why = match measure.days {
                    _ if ahead => AHEAD.to_owned(),
                    Some(days) => format!("{newest} days old, at most {days}"),
                    None => format!("{newest} days old"),
                };
            }
            Some(worst) => {
                standing.stood = match worst.state {
                    State::Good => Stood::Shown,
                    State::Weak => Stood::Part,
                    State::Open => Stood::Open,
                };
                standing.why.clone_from(&worst.why);
            }
        }
        standing
    }

    /// What one piece of evidence of the right kind says; nothing where it is about something else.
    fn say(&self, number: usize, of: &Evidence, measure: &Measure, tag: Option<&str>) -> Option<Said> {
        let mut made = of.made.as_str();
        if !measure.deeds.is_empty() {
            let done = measure.deeds.iter().filter_map(|deed| of.deeds.get(deed));
            made = done.filter(|d| d.count > 0).map(|d| d.last.as_str()).max()?;
        }
        if measure.needs.as_ref().is_some_and(|needed| !of.covers.contains(needed)) {
            return None;
        }
        let (mut state, mut why) = (of.state, of.caveat.clone());
        if of.kind == Kind::RedTeam
            && let Some(tag) = tag
        {
            let tested = of.tested.get(tag).filter(|t| t.trials > 0)?;
            let gated = of.covers.iter().any(|c| c == "gates");
            state = match tested.hits {
                0 if why.is_empty() => State::Good,
                0 => State::Weak,
                _ if gated => State::Weak,
                _ => State::Open,
            };
            if tested.hits > 0 {
                why = format!("{} of {} attacks worked", tested.hits, tested.trials);
            }
        } else if state == State::Open {
            why.clone_from(&of.summary);
        }
        // What was looked for in particular is open where its own rules found something.
        if measure.needs.is_some() {
            let found: u64 = of.rules.iter().filter(|(rule, _)| measure.uses(rule)).map(|(_, n)| *n).sum();
            state = match (found, of.caveat.is_empty()) {
                (1.., _) => State::Open,
                (0, true) => State::Good,
                (0, false) => State::Weak,
            };
        }
        let unrecorded = RECORDED
            .iter()
            .filter(|(word, _)| measure.records.iter().any(|m| m == word) && !of.covers.iter().any(|c| c == word))
            .map(|(_, why)| (*why).to_owned());
        for lacking in unrecorded.chain(self.unmet(measure)) {
            state = state.max(State::Weak);
            if why.contains(&lacking) {
                continue;
            }
            if !why.is_empty() {
                why.push_str("; ");
            }
            why.push_str(&lacking);
        }
        // A setting shows nothing where it is not set.
        if measure.from == Kind::Configuration && self.unset(measure) {
            return None;
        }
        // What has no time that can be read, or one that is still to come, is as old as can be.
        let mut made: Timestamp = made.parse().unwrap_or(Timestamp::MIN);
        if made.duration_since(self.now).as_secs() > DAY {
            made = Timestamp::MIN;
            state = state.max(State::Weak);
            if !why.is_empty() {
                why.push_str("; ");
            }
            why.push_str(AHEAD);
        }
        let age_days = self.now.duration_since(made).as_secs().max(0) / DAY;
        let fresh = measure.days.is_none_or(|days| age_days <= i64::from(days));
        Some(Said { number, state, why, age_days, fresh })
    }

    /// Conditions on the configuration that do not hold, in words.
    fn unmet(&self, measure: &Measure) -> Vec<String> {
        if measure.settings.is_empty() {
            return Vec::new();
        }
        let Some(setup) = self.setup else { return vec!["no configuration was given".to_owned()] };
        let mut unmet: Vec<String> = measure
            .settings
            .iter()
            .filter(|one_of| !one_of.iter().any(|c| c.holds(&setup.value)))
            .map(|one_of| {
                let words: Vec<String> = one_of.iter().map(crate::setting::Condition::words).collect();
                format!("needs {}", words.join(" or "))
            })
            .collect();
        if setup.in_force == Some(false) {
            unmet.push(NOT_IN_FORCE.to_owned());
        }
        unmet
    }

    fn unset(&self, measure: &Measure) -> bool {
        self.setup.is_none_or(|setup| {
            measure.settings.iter().any(|one_of| !one_of.iter().any(|condition| condition.holds(&setup.value)))
        })
    }

    /// Where an identifier stands, and the measures that it needs and are not shown.
    pub(crate) fn status(control: &Control, standings: &BTreeMap<String, Standing>) -> (Status, Vec<String>) {
        let stood = |name: &String| standings.get(name).map_or(Stood::Absent, |s| s.stood);
        let lacking: Vec<String> = control.needs.iter().filter(|name| stood(name) != Stood::Shown).cloned().collect();
        let any = control.needs.iter().chain(&control.helps).any(|name| stood(name) != Stood::Absent);
        let status = match (any, control.needs.is_empty(), lacking.is_empty()) {
            (true, false, true) => Status::Covered,
            (true, _, _) => Status::Partial,
            (false, _, _) if control.out.is_some() => Status::Out,
            (false, _, _) => Status::None,
        };
        (status, lacking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Dated, Done, Tested};
    use serde_json::json;

    const NOW: &str = "2026-06-01T00:00:00Z";

    fn stands(evidence: &[Evidence], setup: Option<&Setup>) -> BTreeMap<String, Standing> {
        let catalogue = Catalogue::built_in().unwrap();
        Bench { catalogue, evidence, setup, now: NOW.parse().unwrap() }.standings()
    }

    fn status(id: &str, control: &str, standings: &BTreeMap<String, Standing>) -> Status {
        let framework = Catalogue::built_in().unwrap().frameworks.iter().find(|f| f.id == id).unwrap();
        Bench::status(framework.control.iter().find(|c| c.id == control).unwrap(), standings).0
    }

    fn piece(kind: Kind, made: &str) -> Evidence {
        Evidence::new(kind, "x", made.to_owned(), Dated::Content)
    }

    fn setup(value: serde_json::Value) -> Setup {
        Setup { source: "bartizan.toml".to_owned(), sha256: None, value, in_force: Some(true) }
    }

    #[test]
    fn without_evidence_nothing_is_covered_and_nothing_partial() {
        let standings = stands(&[], Some(&setup(json!({ "mode": "enforce" }))));
        assert!(standings.values().all(|s| s.stood == Stood::Absent));
        for framework in &Catalogue::built_in().unwrap().frameworks {
            for control in &framework.control {
                let (status, _) = Bench::status(control, &standings);
                let expected = if control.out.is_some() { Status::Out } else { Status::None };
                assert_eq!(status, expected, "{}", control.id);
            }
        }
    }

    #[test]
    fn decisions_show_a_measure_only_under_the_configuration_that_it_needs() {
        let decisions = [piece(Kind::Decisions, "2026-05-31T00:00:00Z")];
        let stood = |setup: Option<&Setup>| {
            let standings = stands(&decisions, setup);
            let s = &standings["prompt-screening"];
            (s.stood, s.why.clone())
        };
        assert_eq!(stood(None).0, Stood::Part);
        let enforced = setup(json!({ "mode": "enforce", "rules": { "disabled": [] } }));
        assert_eq!(stood(Some(&enforced)).0, Stood::Shown);
        let (monitor, why) = stood(Some(&setup(json!({ "mode": "monitor", "rules": { "disabled": [] } }))));
        assert_eq!((monitor, why.as_str()), (Stood::Part, "needs mode = \"enforce\""));
        let off = setup(json!({ "mode": "enforce", "rules": { "disabled": ["prompt/role-forging"] } }));
        assert_eq!(stood(Some(&off)).0, Stood::Part);
        let (other, why) = stood(Some(&Setup { in_force: Some(false), ..enforced }));
        assert_eq!((other, why.as_str()), (Stood::Part, NOT_IN_FORCE));
        let old = [piece(Kind::Decisions, "2026-01-01T00:00:00Z")];
        assert_eq!(stands(&old, None)["decision-log"].stood, Stood::Stale);
        assert_eq!(stands(&[piece(Kind::Decisions, "rubbish")], None)["decision-log"].stood, Stood::Stale);
        let ahead = stands(&[piece(Kind::Decisions, "2031-01-01T00:00:00Z")], None);
        assert_eq!((ahead["decision-log"].stood, ahead["decision-log"].why.as_str()), (Stood::Stale, AHEAD));
        // Clocks differ.
        let early = stands(&[piece(Kind::Decisions, "2026-06-01T12:00:00Z")], None);
        assert_ne!(early["decision-log"].stood, Stood::Stale);
    }

    #[test]
    fn decisions_without_a_tool_call_show_nothing_about_tool_calls() {
        let mut decisions = piece(Kind::Decisions, "2026-05-31T00:00:00Z");
        let set = setup(
            json!({ "mode": "enforce", "policy": { "agents": { "mode": "enforce" } }, "rules": { "disabled": [] } }),
        );
        let about = ["C9.3.5", "C9.3.6", "C9.5.3", "C9.5.6"];
        let standings = stands(&[decisions.clone()], Some(&set));
        let of = &standings["tool-decisions"];
        assert_eq!((of.stood, of.why.as_str()), (Stood::Part, "no tool call is on record"));
        assert_eq!(about.map(|id| status("AISVS", id, &standings)), [Status::Partial; 4]);
        assert_eq!(status("AISVS", "C2.1.8", &standings), Status::Partial);
        assert_eq!(standings["prompt-screening"].stood, Stood::Shown);
        decisions.covers.push("tool-calls".to_owned());
        let standings = stands(&[decisions.clone()], Some(&set));
        let partial = [Status::Partial, Status::Partial, Status::Covered, Status::Covered];
        assert_eq!(about.map(|id| status("AISVS", id, &standings)), partial);
        decisions.covers.push("tool-texts".to_owned());
        let standings = stands(&[decisions], Some(&set));
        assert_eq!(about.map(|id| status("AISVS", id, &standings)), [Status::Covered; 4]);
    }

    #[test]
    fn open_findings_and_stale_results_cover_nothing() {
        let good = piece(Kind::ModelScan, "2026-05-01T00:00:00Z");
        let open = Evidence { state: State::Open, summary: "1 file".to_owned(), ..good.clone() };
        let stale = Evidence { made: "2025-05-01T00:00:00Z".to_owned(), ..open.clone() };
        for (evidence, stood, aisvs) in [
            (vec![good.clone()], Stood::Shown, Status::Covered),
            (vec![good.clone(), open], Stood::Open, Status::Partial),
            // What is fresh replaces what is stale, also where that was worse.
            (vec![good, stale.clone()], Stood::Shown, Status::Covered),
            (vec![stale], Stood::Stale, Status::Partial),
        ] {
            let standings = stands(&evidence, None);
            assert_eq!(standings["model-scan"].stood, stood);
            assert_eq!(status("AISVS", "C6.1.1", &standings), aisvs);
        }
    }

    #[test]
    fn an_attack_counts_for_the_risk_that_it_was_about() {
        let mut run = piece(Kind::RedTeam, "2026-05-01T00:00:00Z");
        run.tested.insert("LLM01".to_owned(), Tested { hits: 0, trials: 9 });
        run.tested.insert("LLM07".to_owned(), Tested { hits: 2, trials: 9 });
        run.state = State::Open;
        let standings = stands(&[run.clone()], None);
        assert_eq!(standings["red-team:LLM01"].stood, Stood::Shown);
        assert_eq!(standings["red-team:LLM07"].stood, Stood::Open);
        assert_eq!(standings["red-team:LLM02"].stood, Stood::Absent);
        assert_eq!(standings["red-team"].stood, Stood::Open);
        // Misinformation is out of scope until something was tried about it; then a part is shown, never all.
        assert_eq!(status("OWASP-LLM", "LLM09", &standings), Status::Out);
        run.tested.insert("LLM09".to_owned(), Tested { hits: 0, trials: 1 });
        assert_eq!(status("OWASP-LLM", "LLM09", &stands(&[run], None)), Status::Partial);
    }

    #[test]
    fn deeds_and_settings_show_what_they_are_about() {
        let mut acts = piece(Kind::Acts, NOW);
        acts.deeds.insert("contained".to_owned(), Done { count: 1, last: "2026-05-30T00:00:00Z".to_owned() });
        let config = piece(Kind::Configuration, NOW);
        let set = setup(json!({ "tenant": [{ "name": "a" }], "mcp": { "servers": { "a": {} }, "lock": null } }));
        let standings = stands(&[acts, config], Some(&set));
        assert_eq!(standings["containment"].stood, Stood::Shown);
        assert_eq!(standings["approvals"].stood, Stood::Absent);
        assert_eq!(standings["tenant-walls"].stood, Stood::Shown);
        // The servers are there, but nothing is pinned.
        assert_eq!(standings["tool-pinning"].stood, Stood::Absent);
        assert_eq!(status("AISVS", "C9.6.1", &standings), Status::Covered);
    }

    #[test]
    fn poisoning_is_shown_only_where_it_was_looked_for() {
        let mut scan = piece(Kind::DataScan, "2026-05-30T00:00:00Z");
        assert_eq!(stands(&[scan.clone()], None)["poison-scan"].stood, Stood::Absent);
        scan.covers.push("poison".to_owned());
        scan.state = State::Open;
        scan.rules.insert("pii/iban".to_owned(), 3);
        let standings = stands(&[scan.clone()], None);
        assert_eq!((standings["poison-scan"].stood, standings["data-scan"].stood), (Stood::Shown, Stood::Open));
        assert_eq!(standings["data-scan"].fired, 3);
        scan.rules.insert("data/poison-trigger".to_owned(), 1);
        assert_eq!(stands(&[scan], None)["poison-scan"].stood, Stood::Open);
    }
}
