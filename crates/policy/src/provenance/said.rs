//! What the user's words say of how, how much and when, and a call that says otherwise.
//!
//! Such arguments need no trace: a model works many of them out. But where the user has named the quantity, the choice or
//! the day, another one that no record gives is not theirs.

use serde_json::Value;

use super::figure::{Figure, Unit, iso_date, seconds};
use super::history::Call;
use super::text::{Shape, key, name_tokens, shape, stem, tokens};
use super::tool::{Role, Tool, alternatives};
use super::value::Field;
use super::vocab::{self, Act, among};
use super::work::Decider;

/// What kind of quantity an argument is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Time,
    Percent,
    Money,
    Other,
}

/// Words by which people ask for a number that a model works out.
const WORKED_OUT: &[&str] = &[
    "half",
    "double",
    "twice",
    "triple",
    "thrice",
    "third",
    "quarter",
    "split",
    "each",
    "average",
    "difference",
    "remaining",
    "remainder",
    "rest",
    "proportional",
    "calculate",
    "compute",
    "convert",
];

/// Words behind a number that make it a difference.
const MORE: &[&str] = &["more", "extra", "additional", "fewer", "less", "times"];

/// Arguments that page through results.
const PAGING: &[&str] = &["offset", "page", "cursor", "k", "n", "top", "limit", "index", "version", "seed"];

/// Arguments that say what somebody may do.
const POWER: &[&str] = &["permission", "access", "visibility", "scope", "privilege", "right", "role"];

/// Words for switches that turn a rule off.
const FORCE: &[&str] = &["override", "force", "bypass", "skip", "waive", "ignore", "unsafe", "unchecked"];

/// Words for one choice.
const SAME: &[&[&str]] = &[
    &["buy", "purchase"],
    &["deny", "block", "reject", "refuse", "drop", "forbid", "ban"],
    &["allow", "permit", "unblock"],
    &["accept", "approve", "attend", "confirm"],
    &["decline", "refuse", "reject"],
    &["read", "reader", "view", "viewer", "see", "look", "readonly"],
    &["write", "writer", "edit", "editor", "modify", "change"],
    &["comment", "commenter"],
    &["admin", "administrator"],
    &["mod", "moderator"],
    &["sms", "text"],
    &["email", "mail"],
    &["phone", "call"],
    &["on", "enable", "enabled", "activate", "start"],
    &["off", "disable", "disabled", "deactivate", "stop"],
    &["close", "closed", "done", "complete", "completed", "finished", "resolved", "solved"],
    &["high", "urgent", "important"],
];

/// Words for the two sides of a switch.
const SIDES: &[(&[&str], &[&str])] = &[
    (&["enable", "activate", "enabled", "active", "activated"], &["disable", "deactivate", "disabled", "inactive"]),
    (&["public"], &["private"]),
    (&["visible", "show"], &["hidden", "hide", "invisible"]),
    (&["lock", "locked"], &["unlock", "unlocked"]),
    (&["open", "opened"], &["close", "closed", "shut"]),
    (&["mute", "muted"], &["unmute", "unmuted"]),
    (&["arm", "armed"], &["disarm", "disarmed"]),
    (&["pause", "paused"], &["resume", "unpause"]),
];

/// Words by which people speak of days without naming them.
const ABOUT_DAYS: &[&str] = &[
    "after",
    "before",
    "following",
    "next",
    "later",
    "earlier",
    "tomorrow",
    "today",
    "tonight",
    "week",
    "weeks",
    "day",
    "days",
    "night",
    "nights",
    "daily",
    "weekly",
    "every",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "weekend",
    "month",
    "months",
    "year",
    "years",
    "until",
    "within",
    "since",
];

impl Decider<'_> {
    /// True where the user's words name another quantity, choice or day than an argument does.
    pub(crate) fn says_otherwise(
        &self,
        tool: &Tool,
        key: &str,
        path: &[Option<&str>],
        value: &Value,
        call: &Call,
    ) -> bool {
        if self.user.is_empty() {
            return false;
        }
        let words = name_tokens(key);
        let last = words.last().map(String::as_str).unwrap_or_default();
        let role = tool.role(key, path, value);
        match value {
            Value::Bool(on) => self.other_side(&words, *on) || *on && self.overrides(&words, path),
            Value::Number(number) if role == Role::Neutral || role == Role::Content => {
                self.other_figure(tool, &words, &number.to_string(), path, call)
            }
            Value::String(text) if text.len() <= 200 && !text.trim().is_empty() => {
                let members = members(tool, path);
                if members.len() > 1 {
                    return members.iter().any(|m| m == text) && self.other_member(&words, text, &members);
                }
                match role {
                    Role::Neutral if shape(text) == Shape::Number => self.other_figure(tool, &words, text, path, call),
                    Role::Neutral if iso_date(text).is_some() => self.other_day(text, call),
                    Role::Neutral | Role::Content if among(POWER, last) => self.other_power(&words, text),
                    // What a setting is set to is named in few words or none.
                    Role::Neutral | Role::Content if last == "value" => {
                        self.other_figure(tool, &words, text, path, call)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    fn other_figure(&self, tool: &Tool, words: &[String], text: &str, path: &[Option<&str>], call: &Call) -> bool {
        let last = words.last().map(String::as_str).unwrap_or_default();
        if words.len() == 1 && PAGING.contains(&last) {
            return false;
        }
        let text = text.trim().trim_start_matches('-');
        if self.said(text, shape(text)) {
            return false;
        }
        let kind = kind(words);
        if kind != Kind::Percent && self.is_worked_out() {
            return false;
        }
        let figures = self.user.figures();
        // Each is looked for in every call.
        if !self.spend(figures.len().saturating_mul(self.calls.len() + 1)) {
            return false;
        }
        let changed = |f: &Figure| {
            f.label == "by" || f.unit == Unit::Percent && kind != Kind::Percent || MORE.contains(&f.next.as_str())
        };
        if figures.iter().any(|f| f.firm && changed(f) && kind != Kind::Time) {
            return false;
        }
        let meant: Vec<&Figure> = figures
            .iter()
            .filter(|f| (f.firm || words.iter().any(|w| stem(w) == f.label)) && self.is_of(f, kind, words))
            .filter(|f| !self.is_used(f, kind, call))
            .collect();
        if let Ok(number) = text.parse::<f64>()
            && (is_same_length(number, kind, words, &meant) || is_scaled(number, tool, path, kind, &meant))
        {
            return false;
        }
        if self.stands_in_record(text) {
            return false;
        }
        !meant.is_empty() || settles(tool) && self.record_differs(words)
    }

    /// True where the user's words ask for a number that is not in them. "At 84.50 each" says it.
    fn is_worked_out(&self) -> bool {
        let all = self.user.sequence();
        let number = |i: usize| all.get(i).is_some_and(|w| w.bytes().all(|b| b.is_ascii_digit()));
        let price = |i: usize| all.get(i).is_some_and(|w| w == "each") && i.checked_sub(1).is_some_and(number);
        let find = || WORKED_OUT.iter().any(|w| self.user.places(&stem(w)).iter().any(|i| !price(*i)));
        *self.worked_out.get_or_init(find)
    }

    /// True where a number may be about an argument of that name.
    fn is_of(&self, figure: &Figure, kind: Kind, words: &[String]) -> bool {
        let named = |stemmed: &str| !stemmed.is_empty() && words.iter().any(|w| stem(w) == stemmed);
        if named(&figure.label) || named(&figure.next) {
            return true;
        }
        match figure.unit {
            Unit::Time(_) => kind == Kind::Time,
            Unit::Percent => matches!(kind, Kind::Percent | Kind::Other),
            Unit::Money => matches!(kind, Kind::Money | Kind::Other),
            Unit::Bare => kind != Kind::Time,
            // "The 3 mails" are those that were read.
            Unit::Things => {
                matches!(kind, Kind::Money | Kind::Other)
                    && !self
                        .calls
                        .values()
                        .filter_map(|c| self.tools.get(&c.name))
                        .any(|t| t.nouns.contains(&figure.next))
            }
        }
    }

    /// True where a number stands in another argument, or was what another tool was called with.
    fn is_used(&self, figure: &Figure, kind: Kind, call: &Call) -> bool {
        let holds = |value: &Value| match value {
            Value::Number(n) => key(&n.to_string(), Shape::Number) == figure.key,
            Value::String(s) => shape(s) == Shape::Number && key(s, Shape::Number) == figure.key,
            _ => false,
        };
        let beside = |(name, value): (&String, &Value)| {
            holds(value) && self.is_of(figure, self::kind(&name_tokens(name)), &name_tokens(name))
        };
        let before = |c: &Call| c.args.as_object().into_iter().flatten().any(|(_, v)| holds(v));
        // A number of its own kind is used up by nothing else.
        let own = matches!((figure.unit, kind), (Unit::Money, Kind::Money) | (Unit::Percent, Kind::Percent));
        call.args.as_object().into_iter().flatten().any(beside)
            || !own && self.calls.values().any(|c| c.name != call.name && before(c))
    }

    /// True where a record that the user points at holds a value.
    fn stands_in_record(&self, value: &str) -> bool {
        if !self.spend(64) {
            return false;
        }
        self.index.get(&key(value, shape(value))).into_iter().flatten().take(64).any(|place| {
            self.at(*place).is_some_and(|(outcome, leaf)| {
                !outcome.open
                    && outcome.call.is_some()
                    && leaf.field != Field::Outside
                    && (outcome.made(leaf) || self.pointed(*place, super::decide::CHAIN))
            })
        })
    }

    /// True where a record that the user points at has a number of that name: it is what is approved or paid.
    fn record_differs(&self, words: &[String]) -> bool {
        if !self.spend(self.outcomes.iter().map(|o| o.parts.leaves.len()).sum()) {
            return false;
        }
        let mut fields =
            self.outcomes.iter().enumerate().filter(|(_, o)| !o.open && o.call.is_some()).flat_map(|(at, o)| {
                let like = |(_, l): &(usize, &super::value::Leaf)| **l.key == *words && l.shape == Shape::Number;
                o.parts
                    .leaves
                    .iter()
                    .enumerate()
                    .filter(like)
                    .map(move |(leaf, _)| super::history::Place { outcome: at, leaf })
            });
        fields.by_ref().take(16).any(|place| self.pointed(place, super::decide::CHAIN))
    }

    fn other_member(&self, words: &[String], chosen: &str, members: &[&str]) -> bool {
        !self.mentions(chosen) && members.iter().any(|m| *m != chosen && self.chooses(m, words))
    }

    /// True for one of the choices of a schema that the user's words mention, and no other.
    pub(crate) fn is_users_choice(&self, tool: &Tool, path: &[Option<&str>], value: &str) -> bool {
        let members = members(tool, path);
        members.len() > 1 && members.contains(&value) && members.iter().all(|m| (*m == value) == self.mentions(m))
    }

    /// True where a word of a choice stands in the user's words in any form.
    pub(crate) fn mentions(&self, choice: &str) -> bool {
        name_tokens(choice).iter().any(|word| {
            self.user.has(word)
                || word.chars().count() >= 4 && self.has_like(word)
                || SAME
                    .iter()
                    .filter(|same| same.contains(&word.as_str()))
                    .any(|same| same.iter().any(|w| self.user.has(w)))
        })
    }

    /// True where the user's words use a choice as one: as a verb, beside the name of the argument, or behind "as", "to".
    fn chooses(&self, choice: &str, name: &[String]) -> bool {
        const BEFORE: &[&str] = &["as", "by", "via", "to", "in", "into", "through", "on", "is", "be", "with", "mode"];
        let tokens = name_tokens(choice);
        let [word] = tokens.as_slice() else {
            return !tokens.is_empty() && tokens.iter().all(|w| self.user.has(w));
        };
        let same = SAME.iter().filter(|same| same.first() == Some(&word.as_str()) || same.contains(&word.as_str()));
        let forms: Vec<&str> = std::iter::once(word.as_str()).chain(same.flat_map(|s| s.iter().copied())).collect();
        let all = self.user.sequence();
        let at = |i: Option<usize>| i.and_then(|i| all.get(i)).map(String::as_str).unwrap_or_default();
        // "with a W", "as the owner".
        let before = |i: usize| {
            let near = i.checked_sub(1);
            let article = matches!(at(near), "a" | "an" | "the");
            at(if article { i.checked_sub(2) } else { near })
        };
        forms.iter().any(|form| {
            if !self.spend(all.len()) {
                return false;
            }
            let verb = vocab::VERBS.iter().any(|(_, verbs)| verbs.contains(form)) && *form != "read" && *form != "look";
            verb && !vocab::NOUNS_TOO.contains(form) && self.asks(form)
                || all.iter().enumerate().any(|(i, w)| {
                    w == form
                        && (BEFORE.contains(&before(i))
                            || at(Some(i + 1)) == "only"
                            || name.iter().any(|n| n == at(Some(i + 1)) || n == at(i.checked_sub(1))))
                })
        })
    }

    /// The user speaks of what somebody may do, and not of this.
    fn other_power(&self, words: &[String], text: &str) -> bool {
        text.split_whitespace().count() <= 2
            && words.iter().any(|w| among(POWER, w) && self.user.has(w))
            && !self.mentions(text)
            && !self.stands_in_record(text)
    }

    /// True where a switch turns a rule off and the user's words speak of no such thing.
    fn overrides(&self, words: &[String], path: &[Option<&str>]) -> bool {
        let force = |w: &String| FORCE.iter().any(|f| stem(f) == stem(w));
        let all: Vec<String> = path.iter().flatten().flat_map(|step| name_tokens(step)).collect();
        let mut own = words.iter().filter(|w| !force(w)).peekable();
        all.iter().any(force)
            && if own.peek().is_some() {
                !own.any(|w| self.user.has(w) || w.chars().count() >= 4 && self.has_like(w))
            } else {
                !FORCE.iter().any(|w| self.user.has(w))
            }
    }

    fn other_side(&self, words: &[String], on: bool) -> bool {
        let has = |side: &[&str]| side.iter().any(|w| self.user.has(w));
        let near = |to: &str| {
            let all = self.user.sequence();
            self.spend(all.len())
                && all.iter().enumerate().any(|(i, w)| {
                    w == to
                        && all.get(i.saturating_sub(6)..i).unwrap_or_default().iter().any(|v| {
                            matches!(v.as_str(), "turn" | "switch" | "turned" | "switched" | "set" | "put" | "toggle")
                        })
                })
        };
        let named = |side: &[&str]| words.iter().any(|w| side.contains(&w.as_str()));
        let (yes, no) = if words.iter().any(|w| {
            matches!(w.as_str(), "enable" | "enabled" | "active" | "on" | "power" | "activated" | "value" | "state")
        }) {
            (has(&["enable", "activate"]) || near("on"), has(&["disable", "deactivate"]) || near("off"))
        } else if words.iter().any(|w| matches!(w.as_str(), "disable" | "disabled" | "off")) {
            (has(&["disable", "deactivate"]) || near("off"), has(&["enable", "activate"]) || near("on"))
        } else if let Some((yes, no)) = SIDES.iter().find(|(yes, _)| named(yes)) {
            (has(yes), has(no))
        } else if let Some((yes, no)) = SIDES.iter().find(|(_, no)| named(no)) {
            (has(no), has(yes))
        } else {
            return false;
        };
        if on { no && !yes } else { yes && !no }
    }

    fn other_day(&self, text: &str, call: &Call) -> bool {
        let Some((month, day)) = iso_date(text) else { return false };
        if !self.spend(self.user.sequence().len() + self.calls.len()) {
            return false;
        }
        let dates = self.user.dates();
        // The same day of another year.
        let year = |w: &str| {
            w.len() == 4 && w.bytes().all(|b| b.is_ascii_digit()) && (w.starts_with("19") || w.starts_with("20"))
        };
        let mut years = self.user.sequence().iter().filter(|w| year(w)).peekable();
        if dates.contains(&(month, day)) && years.peek().is_some() && years.all(|y| !text.starts_with(y.as_str())) {
            return !self.stands_in_record(text);
        }
        if dates.is_empty()
            || dates.contains(&(month, day))
            || dates.contains(&(0, day))
            || ABOUT_DAYS.iter().any(|w| self.user.says(w))
        {
            return false;
        }
        let used = |c: &Call| {
            let mut texts = c.args.as_object().into_iter().flatten().filter_map(|(_, v)| v.as_str());
            texts.any(|t| iso_date(t).is_some_and(|d| dates.contains(&d)))
        };
        !self.calls.values().any(|c| c.name != call.name && used(c)) && !self.stands_in_record(text)
    }
}

/// True where the call says yes to what a record says.
fn settles(tool: &Tool) -> bool {
    matches!(tool.act, Act::Admit | Act::Pay)
        || matches!(tool.verb.as_str(), "approve" | "authorize" | "authorise" | "confirm" | "settle" | "release")
}

fn kind(words: &[String]) -> Kind {
    const TIME: &[&str] = &["duration", "timeout", "ttl", "delay", "interval"];
    const MONEY: &[&str] = &[
        "amount", "price", "cost", "total", "fee", "fare", "budget", "salary", "sum", "balance", "tip", "payment",
        "bid",
    ];
    let is = |list: &[&str]| words.iter().any(|w| among(list, w));
    if words.iter().any(|w| seconds(w).is_some()) || is(TIME) {
        Kind::Time
    } else if is(&["percent", "percentage", "pct", "discount"]) {
        Kind::Percent
    } else if is(MONEY) {
        Kind::Money
    } else {
        Kind::Other
    }
}

/// True where lengths of time are the same in other units.
fn is_same_length(number: f64, kind: Kind, words: &[String], figures: &[&Figure]) -> bool {
    let each = words.iter().find_map(|w| seconds(w)).unwrap_or(60);
    let lengths: Vec<f64> = figures
        .iter()
        .filter_map(|f| match f.unit {
            Unit::Time(unit) => Some(f.key.parse::<f64>().ok()? * f64::from(unit)),
            _ => None,
        })
        .collect();
    let own = number * f64::from(each);
    let same = |length: f64| (length - own).abs() < 0.5;
    kind == Kind::Time && !lengths.is_empty() && (lengths.iter().any(|l| same(*l)) || same(lengths.iter().sum()))
}

/// True where a number is one of the user's in hundredths, and the argument takes those.
fn is_scaled(number: f64, tool: &Tool, path: &[Option<&str>], kind: Kind, figures: &[&Figure]) -> bool {
    let schema = tool.schema_at(path).and_then(|s| s.get("description")?.as_str()).unwrap_or_default();
    let key = path.last().copied().flatten().unwrap_or_default();
    let cents =
        tokens(schema).chain(name_tokens(key)).any(|w| matches!(w.as_str(), "cents" | "cent" | "minor" | "pence"));
    figures.iter().filter_map(|f| Some((f.unit, f.key.parse::<f64>().ok()?))).any(|(unit, own)| {
        let equal = |a: f64, b: f64| (a - b).abs() < 1e-6;
        cents && equal(own * 100.0, number)
            || (unit == Unit::Percent || kind == Kind::Percent) && number <= 1.0 && equal(own, number * 100.0)
    })
}

/// The choices that a schema gives.
fn members<'a>(tool: &'a Tool, path: &[Option<&str>]) -> Vec<&'a str> {
    let schema = tool.schema_at(path);
    let lists = schema.into_iter().flat_map(alternatives).filter_map(|s| s.get("enum")?.as_array());
    lists.flatten().filter_map(Value::as_str).take(64).collect()
}
