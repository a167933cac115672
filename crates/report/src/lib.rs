//! Posture reports: the evidence of every stage of a model's life, laid against catalogues of requirements and risks.
//!
//! A **measure** is something that evidence can show: that prompts are screened, that models were examined. A **catalogue**
//! says which measures each identifier needs and which help. [`recognise`] makes evidence of result files, [`of_records`] of
//! a store, [`of_configuration`] of a configuration; [`build`] says where each identifier stands, and [`html`],
//! [`markdown`] and JSON show it.
//!
//! Nothing here is a claim of conformity. An identifier is *covered* where every measure it needs is shown by evidence that
//! is fresh and without open findings; *partial* where some evidence is there; *none* where evidence could be given and was
//! not; *out* where this program has nothing to say.
//!
//! Result files are hostile: their texts are bounded and escaped wherever they are shown. Time is an argument.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::todo,
        clippy::unreachable
    )
)]

mod assess;
mod catalogue;
mod evidence;
mod html;
mod markdown;
mod recognise;
mod report;
mod setting;
pub mod text;
mod trend;

pub use assess::{Standing, Status, Stood};
pub use catalogue::{Catalogue, Control, Framework, Measure, Role};
pub use evidence::{Dated, Done, Evidence, Kind, Records, Setup, State, Tested, of_configuration, of_records};
pub use html::html;
pub use markdown::markdown;
pub use recognise::{Detail, Item, LONGEST, Origin, Share, detail, recognise};
pub use report::{Chain, FORM, FrameworkView, Input, Report, Totals, View, build};
pub use trend::{Change, Point, Trend};

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The catalogue contradicts itself.
    #[error("the catalogue cannot be used: {0}")]
    Catalogue(String),
    /// A file is no evidence.
    #[error("{0}")]
    Unknown(String),
    /// A file is no report, or one of another form.
    #[error("it is not a posture report of the form `{FORM}`")]
    Form,
}
