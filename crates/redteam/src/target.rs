//! What is attacked.

use std::sync::Arc;

use bartizan_client::{Answer, Ask, Block, Client, Failure, FailureKind};
use bartizan_core::{Protocol, Source};
use bartizan_guard::{Guard, ReplyContext, Route};
use bartizan_policy::Outcome;

use crate::evidence::Seen;
use crate::redact::redacted;

/// A target that is a function: recorded or scripted.
pub type Script = dyn Fn(&Ask) -> Result<Answer, Failure> + Send + Sync;

/// What is attacked.
#[derive(Clone)]
pub enum Target {
    /// An endpoint of a model, or anything that can be asked like one.
    Endpoint(Arc<Client>),
    /// The guard of this program, in this process, with no model behind it.
    Guard(Arc<Guard>),
    /// A function.
    Script(Arc<Script>),
}

impl Target {
    /// What came of one question. `payload` is the attack in it, as it is written.
    pub async fn ask(&self, ask: &Ask, payload: &str) -> Seen {
        let answer = match self {
            Self::Endpoint(client) => client.ask(ask).await,
            Self::Guard(guard) => return guarded(guard, ask, payload),
            Self::Script(script) => script(ask),
        };
        match answer {
            Ok(answer) => Seen::Answer(answer),
            Err(failure) => Seen::Failed(redacted(failure)),
        }
    }
}

/// What the guard said of one question.
pub(crate) struct Examined {
    pub(crate) seen: Seen,
    /// What the reply to it is compared with.
    pub(crate) context: ReplyContext,
    /// The probability of an injection, by where the text is from.
    pub(crate) scores: Vec<(Source, f32)>,
}

fn guarded(guard: &Guard, ask: &Ask, payload: &str) -> Seen {
    examine(guard, ask, payload).seen
}

/// Offers a question to the guard. `payload` is the attack in it, as it is written.
pub(crate) fn examine(guard: &Guard, ask: &Ask, payload: &str) -> Examined {
    let body = ask.to_openai("model").to_string().into_bytes();
    let parsed = match guard.read_request(Protocol::OpenaiChat, body) {
        Ok(parsed) => parsed,
        Err(error) => {
            let seen = Seen::Failed(Failure::new(FailureKind::Rejected, error.to_string()));
            return Examined { seen, context: ReplyContext::default(), scores: Vec::new() };
        }
    };
    let checked = guard.check(parsed, &ReplyContext::default(), Route::default());
    let fired = || {
        let mut rules: Vec<String> =
            checked.assessment.findings.iter().map(|f| f.finding.rule.as_str().to_owned()).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    };
    let seen = match &checked.outcome {
        Outcome::Refuse(refusal) | Outcome::Hold(refusal) => {
            let rules = refusal.causes.iter().map(bartizan_policy::Cause::name).collect();
            Seen::Answer(Answer::Blocked(Block { code: refusal.verdict.to_string(), event: None, rules }))
        }
        Outcome::Forward { permitted, masked, stripped, .. } => {
            let whole = serde_json::to_string(payload).unwrap_or_default();
            let inner = whole.strip_prefix('"').and_then(|w| w.strip_suffix('"')).unwrap_or_default();
            let body = String::from_utf8_lossy(&permitted.get().body);
            Seen::Passed { changed: masked + stripped > 0 && !body.contains(inner), rules: fired() }
        }
    };
    let scores = checked.assessment.scores.iter().filter_map(|(source, s)| Some((*source, s.injection?))).collect();
    Examined { seen, context: checked.context, scores }
}
