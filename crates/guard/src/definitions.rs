//! What a tool server says of itself, examined alike wherever it is met: by the proxy, when it is accepted, in a file.

use std::collections::BTreeSet;
use std::sync::Arc;

use bartizan_core::{Direction, Rpc, RuleId, Source, Verdict};
use bartizan_mcp::{Elsewhere, Reach, element_of, said};
use bartizan_policy::{Cause, Outcome, Refusal, TextFinding};
use bartizan_wire::WireError;
use serde_json::Value;

use crate::exchange::ReplyContext;
use crate::guard::{Checked, Guard, Route};

impl Guard {
    /// Examines the result, a JSON text, of a request for what there is, such as `tools/list`, where nothing is pinned.
    /// `elsewhere` are the tools of other servers.
    ///
    /// # Errors
    /// The result is not what the protocol says.
    pub fn definitions(&self, rpc: Rpc, result: &str, elsewhere: &Elsewhere) -> Result<Checked, WireError> {
        let message = format!(r#"{{"jsonrpc":"2.0","id":0,"result":{result}}}"#);
        let method = Arc::clone(&rpc.method);
        // What this reads can be read as a value too.
        let mut parsed = self.read_mcp(Direction::Request, rpc, message.clone().into_bytes())?;
        let message: Value = serde_json::from_str(&message).unwrap_or_default();
        for note in said(&message, &method, Reach::Local, None, elsewhere) {
            parsed.note(RuleId::new(note.rule), note.pointer, note.confidence);
        }
        Ok(self.check(parsed, &ReplyContext::default(), Route::default()))
    }

    /// What policy says of a finding in what a server says of itself.
    #[must_use]
    pub fn definition_verdict(&self, found: &TextFinding) -> Verdict {
        self.verdict(&found.finding, Source::Definition, Direction::Request)
    }

    /// The elements of a list of a server, and its instructions, that something was found in for which a message is
    /// refused: JSON Pointers.
    #[must_use]
    pub fn refused_elements(&self, checked: &Checked) -> BTreeSet<String> {
        let found = checked.assessment.findings.iter().filter(|found| self.refuses_definition(checked, found));
        found.filter_map(|found| element_of(&found.finding.at.path()?)).collect()
    }

    /// True for a finding that a message is refused for.
    #[must_use]
    pub fn refuses_definition(&self, checked: &Checked, found: &TextFinding) -> bool {
        let (Outcome::Refuse(Refusal { causes, .. }) | Outcome::Hold(Refusal { causes, .. })) = &checked.outcome else {
            return false;
        };
        let fixed = |rule: &RuleId| causes.iter().any(|cause| matches!(cause, Cause::NotEditable(id) if id == rule));
        let verdict = self.definition_verdict(found);
        verdict >= Verdict::Hold || (verdict == Verdict::Redact && fixed(&found.finding.rule))
    }
}
