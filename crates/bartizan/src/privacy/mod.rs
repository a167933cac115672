//! `bartizan privacy`: what a model memorised, and keeping it from coming out.

pub(crate) mod args;
mod behave;
mod measure;
mod personal;
pub(crate) mod protect;
mod sample;

use args::{PrivacyCommand, ProtectCommand};

/// Runs one of its commands.
pub(crate) fn run(command: &PrivacyCommand) -> anyhow::Result<u8> {
    match command {
        PrivacyCommand::Plant(args) => measure::plant(args),
        PrivacyCommand::Test(args) => measure::test(args),
        PrivacyCommand::Extract(args) => measure::extract(args),
        PrivacyCommand::Personal(args) => personal::run(args),
        PrivacyCommand::Behave(args) => behave::run(args),
        PrivacyCommand::Sample(args) => sample::run(args),
        PrivacyCommand::Membership(args) => measure::members(args),
        PrivacyCommand::Compare(args) => measure::compare(args),
        PrivacyCommand::Protect(ProtectCommand::Build(args)) => protect::build(args),
        PrivacyCommand::Protect(ProtectCommand::Find(args)) => protect::find(args),
        PrivacyCommand::Protect(ProtectCommand::Show(args)) => protect::show(args),
    }
}
