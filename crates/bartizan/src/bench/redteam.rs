//! How fast trials are made: a model server of this process that answers at once, the journal on disk.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use bartizan_client::{Client, Endpoint, Spent};
use bartizan_redteam::{Options, Pack, Plan, Summary, Target, Work, run};

use super::load::{Scratch, runtime};
use super::resident;
use crate::DONE;

const REPLY: &str = r#"{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"The weather is mild today, with some clouds and a light wind from the west."},"finish_reason":"stop"}],"usage":{"prompt_tokens":80,"completion_tokens":20}}"#;

/// Two runs, the second ten times as long, so that memory can be compared.
pub(super) fn measure(trials: u32) -> anyhow::Result<u8> {
    let scratch = Scratch::new()?;
    let mut out = std::io::stdout().lock();
    let before = resident().unwrap_or_default();
    writeln!(out, "resident before: {before}")?;
    runtime(2)?.block_on(async {
        let router =
            Router::new().route("/v1/chat/completions", post(|| async { ([(CONTENT_TYPE, "application/json")], REPLY) }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        for trials in [trials, trials.saturating_mul(10)] {
            let target = Endpoint { url: url.clone(), model: "m".to_owned(), concurrency: 64, ..Endpoint::default() };
            let plan = Plan { target: Some(target.clone()), trials, benign_trials: 0, ..Plan::default() };
            let work = Arc::new(Work::new(plan, Pack::built_in()?)?);
            let client = Client::new(target, Arc::new(Spent::new(work.plan.budget, None)))?;
            let target = Target::Endpoint(Arc::new(client));
            let options = Options::new(64, "bench");
            let journal = scratch.0.join(format!("journal{trials}.jsonl"));
            let start = Instant::now();
            let done = run(Arc::clone(&work), target, None, &journal, &options, |_| ()).await?;
            let seconds = start.elapsed().as_secs_f64();
            let summary = Summary::new(&work, &done.tally, "bench", done.stopped);
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = done.tally.questions as f64 / seconds;
            writeln!(
                out,
                "{} trials, {} requests in {seconds:.1} s: {rate:.0} requests/s, model server and journal in the same two threads; {} errors; most resident {}",
                summary.done,
                done.tally.questions,
                summary.errors(),
                resident().unwrap_or_default()
            )?;
        }
        anyhow::Ok(())
    })?;
    Ok(DONE)
}
