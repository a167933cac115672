//! `bartizan demo`: a bundled assistant that obeys whatever it reads, asked directly and through the guard.

mod assistant;
mod scenarios;
mod talk;

use std::io::Write as _;
use std::sync::Arc;

use bartizan_core::{EventStore, TenantId};
use bartizan_gateway::{Gateway, Settings, Upstream};
use bartizan_guard::Guard;
use bartizan_store::SqliteStore;

use crate::DONE;
use crate::demo::assistant::Assistant;
use crate::demo::scenarios::{SCENARIOS, Scenario};
use crate::demo::talk::{Answer, Talker};
use crate::terminal::{self, Style};

/// Shows the guard at work.
pub(crate) fn run() -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(tour())
}

async fn tour() -> anyhow::Result<u8> {
    let assistant = Assistant::start().await?;
    let store: Arc<dyn EventStore> = Arc::new(SqliteStore::open_in_memory().await?);
    let settings = bartizan_guard::Settings {
        rules: bartizan_rules::Settings { canary: vec![scenarios::CANARY.to_owned()], ..Default::default() },
        ..Default::default()
    };
    let guard = Arc::new(Guard::new(&settings)?);
    let upstream = Upstream::at("assistant", &format!("http://{}/v1", assistant.address()));
    let gateway_settings =
        Settings { listen: "127.0.0.1:0".to_owned(), upstream: vec![upstream], ..Settings::default() };
    let gateway = Gateway::bind(gateway_settings, guard, Arc::clone(&store)).await?;
    let guarded = gateway.address()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(gateway.serve(async {
        let _ = stopped.await;
    }));

    let talker = Talker::new();
    let mut rows = Vec::with_capacity(SCENARIOS.len());
    for scenario in SCENARIOS {
        let direct = talker.ask(assistant.address(), &assistant, scenario).await?;
        let behind = talker.ask(guarded, &assistant, scenario).await?;
        let rules = fired(&store, behind.event.as_deref()).await?;
        rows.push(Row { scenario, direct, behind, rules });
    }
    let _ = stop.send(());
    let _ = serving.await;
    let records = store.verify().await?;
    show(&rows, records)?;
    Ok(DONE)
}

struct Row {
    scenario: &'static Scenario,
    direct: Answer,
    behind: Answer,
    rules: Vec<String>,
}

/// The rules that fired in the request and in the reply of one exchange.
async fn fired(store: &Arc<dyn EventStore>, event: Option<&str>) -> anyhow::Result<Vec<String>> {
    let Some(event) = event else { return Ok(Vec::new()) };
    let Some(event) = store.get(&TenantId::sole(), event).await? else { return Ok(Vec::new()) };
    let mut rules: Vec<String> = Vec::new();
    for record in store.recent(&TenantId::sole(), 8).await?.iter().rev().filter(|r| r.exchange == event.exchange) {
        rules.extend(record.rules.keys().map(ToString::to_string).filter(|r| !rules.contains(r)).collect::<Vec<_>>());
    }
    Ok(rules)
}

fn show(rows: &[Row], records: u64) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let color = terminal::colored_stdout();
    writeln!(out, "The assistant of this tour is a program that obeys whatever it reads: the worst case, on purpose.")?;
    writeln!(out, "Each conversation is held twice: directly, and through the gateway with its default settings.\n")?;
    writeln!(out, "  {:<58}{:<20}with the guard", "conversation", "without")?;
    for (title, attacks) in [("attacks", true), ("everyday use", false)] {
        writeln!(out, "{}", terminal::paint(title, Style::Heading, color))?;
        for row in rows.iter().filter(|r| r.scenario.attack == attacks) {
            let cell = |answer: &Answer, width: usize| {
                let style = if answer.harmed { Style::Bad } else { Style::Good };
                terminal::paint(&format!("{:<width$}", answer.summary), style, color)
            };
            let title = row.scenario.title;
            writeln!(out, "  {title:<58}{}{}", cell(&row.direct, 20), cell(&row.behind, 0))?;
            if !row.rules.is_empty() {
                writeln!(out, "      {}", row.rules.join(", "))?;
            }
        }
    }
    let count =
        |attack: bool, pick: fn(&Row) -> bool| rows.iter().filter(|r| r.scenario.attack == attack && pick(r)).count();
    let attacks = rows.iter().filter(|r| r.scenario.attack).count();
    writeln!(
        out,
        "\n  attacks that worked: {} of {attacks} without, {} of {attacks} with the guard",
        count(true, |r| r.direct.harmed),
        count(true, |r| r.behind.harmed),
    )?;
    writeln!(
        out,
        "  everyday conversations answered in full: {} of {} with the guard",
        count(false, |r| !r.behind.harmed),
        rows.len() - attacks,
    )?;
    writeln!(out, "  evidence: {records} records, hash chain verified, no content in them")?;
    writeln!(out, "\n  Read why a rule fires and what it misses: bartizan explain RULE")?;
    writeln!(out, "  Put it in front of your own model:        bartizan up --upstream https://api.openai.com/v1")?;
    Ok(())
}
