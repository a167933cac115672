//! A change of the policy that an operator tries beside the one in force. It is in no file and ends with the process: what is
//! in force is the file's to say.

use std::sync::Arc;

use bartizan_core::Deed;
use bartizan_policy::Change;

/// A change that is tried.
#[derive(Debug)]
pub(crate) struct Staged {
    /// What would be otherwise.
    pub(crate) change: Change,
    /// Who tries it.
    pub(crate) by: String,
    /// Why.
    pub(crate) reason: String,
    /// Since when, RFC 3339 in UTC.
    pub(crate) since: String,
}

/// Why a change is not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Untried {
    /// The configuration has a candidate of its own.
    Candidate,
    /// The configuration says the same.
    InForce,
    /// It does not fit the rules in force.
    Unfit(String),
}

impl Untried {
    /// In words.
    pub(crate) fn says(&self) -> String {
        match self {
            Self::Candidate => "the configuration has a candidate of its own".to_owned(),
            Self::InForce => "the configuration says the same already".to_owned(),
            Self::Unfit(reason) => reason.clone(),
        }
    }
}

/// A change that a new configuration has ended.
pub(crate) struct Ended {
    pub(crate) staged: Arc<Staged>,
    pub(crate) why: Untried,
}

impl Ended {
    /// What became of it: the file took it over, or it was dropped.
    pub(crate) const fn deed(&self) -> Deed {
        match self.why {
            Untried::InForce => Deed::PolicyPromoted,
            Untried::Candidate | Untried::Unfit(_) => Deed::CandidateDropped,
        }
    }
}
