//! What several commands take on the command line.

use std::path::PathBuf;

use bartizan_core::{Severity, TenantId, TenantNameError};
use bartizan_gateway::SecretRef;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file [default: bartizan.toml in the current folder, where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Where the evidence is.
#[derive(Clone, Debug, Args)]
pub(crate) struct StoreArgs {
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// Who opens what is recorded, and why.
#[derive(Clone, Debug, Args)]
pub(crate) struct OpeningArgs {
    /// Whose
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    /// Why; it goes on record
    #[arg(long)]
    pub(crate) reason: String,
    /// Key of a role in the configuration: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret)]
    pub(crate) role_key: SecretRef,
}

/// From which severity on findings make the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    None,
    From(Severity),
}

impl Gate {
    /// True where a finding of that severity is at the gate.
    pub(crate) fn stops(self, severity: Severity) -> bool {
        matches!(self, Self::From(least) if severity >= least)
    }
}

const SEVERITIES: [Severity; 5] = [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

pub(crate) fn gate() -> impl TypedValueParser<Value = Gate> {
    PossibleValuesParser::new(SEVERITIES.map(Severity::as_str).into_iter().chain(["none"]))
        .map(|word| SEVERITIES.into_iter().find(|s| s.as_str() == word).map_or(Gate::None, Gate::From))
}

pub(crate) fn severity() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(SEVERITIES.map(Severity::as_str))
        .map(|word| SEVERITIES.into_iter().find(|s| s.as_str() == word).unwrap_or(Severity::Info))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScanFormat {
    /// Drawn for people.
    Human,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0.
    Sarif,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A table for people.
    Human,
    /// A JSON list.
    Json,
}

/// An operator of this machine says whose key it is.
pub(crate) fn tenant(name: &str) -> Result<TenantId, TenantNameError> {
    TenantId::authenticated(name)
}

pub(crate) fn secret(text: &str) -> Result<SecretRef, String> {
    SecretRef::try_from(text.to_owned())
}

/// A moment, written as records write theirs, so that both compare as texts: RFC 3339 in UTC with microseconds. A day or
/// month is its beginning, and a time without an offset is in UTC.
pub(crate) fn time(text: &str) -> Result<String, String> {
    let date = |text: &str| text.parse::<civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let month = || date(&format!("{text}-01T00:00:00")).filter(|_| text.len() == "2026-11".len());
    // Signed years are ISO 8601, and do not compare as texts.
    let at = Some(text)
        .filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))
        .and_then(|_| text.parse::<Timestamp>().ok().or_else(|| Some(date(text).or_else(month)?.timestamp())));
    at.map(|at| format!("{at:.6}")).ok_or_else(|| {
        "not a time; give RFC 3339 such as 2026-11-23T18:00:00+02:00, or a day or month such as 2026-11-23 or 2026-11"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_and_written_as_records_write_them() {
        for (typed, written) in [
            ("2026-11-23T18:00:00+02:00", "2026-11-23T16:00:00.000000Z"),
            ("2026-11-23T18:00:00.5Z", "2026-11-23T18:00:00.500000Z"),
            ("2026-11-23T18:00", "2026-11-23T18:00:00.000000Z"),
            ("2026-11-23", "2026-11-23T00:00:00.000000Z"),
            ("2026-11", "2026-11-01T00:00:00.000000Z"),
        ] {
            assert_eq!(time(typed).as_deref(), Ok(written), "{typed}");
        }
        for bad in
            ["", "yesterday", "2026-13-45", "2026-13", "2026-02-30", "-002026-11-23", "2026-11-23T25:00:00Z", "7d"]
        {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
