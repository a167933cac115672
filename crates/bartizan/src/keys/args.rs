//! The command line of `keys`.

use bartizan_core::{Money, TenantId};
use clap::{Args, Subcommand, ValueEnum};

use crate::args::{ConfigArgs, ListFormat, tenant};

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and print it; it is not shown again. A running gateway takes it at once.
    Create(CreateKey),
    /// List the keys of a tenant.
    List {
        /// Whose keys
        #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
        tenant: TenantId,
        /// How to answer.
        #[arg(long, value_enum, default_value = "human")]
        format: ListFormat,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Give a key another secret and print it; the old one goes on for a while.
    Rotate(RotateKey),
    /// Take a key back, at once and for good.
    Revoke(RevokeKey),
    /// Show requests, tokens and money of a tenant.
    Usage(UsageArgs),
    /// Look for the providers' keys of the configuration in files: who has one goes past the gateway.
    #[command(after_help = crate::exposed::HELP)]
    Exposed(crate::exposed::ExposedArgs),
}

fn money(text: &str) -> Result<Money, String> {
    let units: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    Money::try_from(units).map_err(str::to_owned)
}

#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    /// Name in records, metrics and lists
    pub(crate) name: String,
    /// Whose key
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    /// Models that it may use: names, or prefixes with `*` at the end, separated by commas [default: all]
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// When it ends: a span such as 90d, or a date [default: never]
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<String>,
    /// Requests a minute
    #[arg(long, value_name = "N")]
    pub(crate) rpm: Option<u32>,
    /// Tokens a minute
    #[arg(long, value_name = "N")]
    pub(crate) tpm: Option<u32>,
    /// Requests at the same time
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<u32>,
    /// Tokens a day
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_day: Option<u64>,
    /// Tokens a month
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_month: Option<u64>,
    /// Money a day, by the prices of the configuration
    #[arg(long, value_name = "AMOUNT", value_parser = money)]
    pub(crate) budget_per_day: Option<Money>,
    /// Money a month, by the prices of the configuration
    #[arg(long, value_name = "AMOUNT", value_parser = money)]
    pub(crate) budget: Option<Money>,
    /// Guard profile
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OneKey {
    /// Name or id of the key
    pub(crate) key: String,
    /// Whose key
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    #[command(flatten)]
    pub(crate) key: OneKey,
    /// How long the old secret goes on, such as 15m, 24h or 0
    #[arg(long, value_name = "SPAN", default_value = "24h")]
    pub(crate) grace: String,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeKey {
    #[command(flatten)]
    pub(crate) key: OneKey,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// Whose usage
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    /// The last so many days, today included [default: this month]
    #[arg(long, value_name = "N")]
    pub(crate) days: Option<u32>,
    /// What to sum by
    #[arg(long, value_enum, default_value = "key")]
    pub(crate) by: By,
    /// Only what this person used. People are kept under pseudonyms; this looks for the one of that name
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: ListFormat,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// What usage is summed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Key,
    Model,
    User,
    Session,
    Feature,
    Team,
}

impl By {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Model => "model",
            Self::User => "user",
            Self::Session => "session",
            Self::Feature => "feature",
            Self::Team => "team",
        }
    }
}
