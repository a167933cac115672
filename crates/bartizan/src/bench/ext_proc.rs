//! `bartizan bench ext-proc`: how long Envoy waits for the gateway.
//!
//! This process is Envoy; the gateway is a process of its own. What is timed is from the last byte of a body that is told
//! to the last byte that may go on, gRPC and loopback included.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::body::Bytes;
use bartizan_gateway::ext_proc::Protobuf;
use bartizan_gateway::ext_proc::api::{
    Answer, CommonAnswer, FULL_DUPLEX_STREAMED, HeaderMap, HeaderValue, HttpBody, HttpHeaders, PROCESS, Part,
    ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
};
use futures_util::stream;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::client::Grpc;

use super::gateway::{reply, request};
use super::load::{Scratch, Server, quantile, runtime};
use crate::DONE;

/// Exchanges that warm up: the classifier is loaded behind their back.
const WARM: usize = 300;

/// Runs so many exchanges, one after the other, and prints what they waited.
pub(super) fn run(exchanges: usize) -> anyhow::Result<u8> {
    runtime(2)?.block_on(measure(exchanges))
}

async fn measure(exchanges: usize) -> anyhow::Result<u8> {
    let folder = Scratch::new()?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let common = format!(
        "[ext_proc]\nlisten = \"127.0.0.1:{port}\"\nanonymous = true\n[[upstream]]\nname = \"m\"\nurl = \"envoy\"\n"
    );
    let lexical = common.clone() + "[rules]\ndisabled = [\"pii/*\", \"secret/*\"]\n";
    let (asked, answered) = (request(false), Bytes::from(reply()));
    let mut out = std::io::stdout();
    for (name, config) in [("everything that is on", common), ("lexical rules", lexical)] {
        let server = Server::gateway(&config, &folder.0)?;
        let mut envoy = Envoy::new(port)?;
        let (mut requests, mut replies) = (Vec::with_capacity(exchanges), Vec::with_capacity(exchanges));
        for turn in 0..WARM + exchanges {
            let (request, reply) = envoy.exchange(&asked, &answered).await?;
            if turn >= WARM {
                requests.push(request);
                replies.push(reply);
            }
        }
        for (what, bytes, mut times) in [("request", asked.len(), requests), ("reply", answered.len(), replies)] {
            times.sort();
            let [half, most, nearly_all] = [0.5, 0.99, 0.999].map(|part| quantile(&times, part));
            writeln!(
                out,
                "{name}, {what} of {bytes} bytes: p50 {half:.0} us   p99 {most:.0} us   p99.9 {nearly_all:.0} us"
            )?;
        }
        writeln!(out, "  resident: {:.1} MiB", server.resident_mib())?;
    }
    Ok(DONE)
}

type Grpcs = Grpc<Client<HttpConnector, tonic::body::Body>>;

/// Plays Envoy's part.
struct Envoy(Grpcs);

impl Envoy {
    fn new(port: u16) -> anyhow::Result<Self> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build(http);
        Ok(Self(Grpc::with_origin(client, format!("http://127.0.0.1:{port}").parse()?)))
    }

    /// How long the request waited, and its reply.
    async fn exchange(&mut self, asked: &Bytes, answered: &Bytes) -> anyhow::Result<(Duration, Duration)> {
        let (sender, mut said) = mpsc::channel(8);
        let outbound = stream::poll_fn(move |context| said.poll_recv(context));
        self.0.ready().await.context("the gateway does not listen")?;
        let codec = Protobuf::<ProcessingRequest, ProcessingResponse>::default();
        let modes =
            ProtocolConfiguration { request_body_mode: FULL_DUPLEX_STREAMED, response_body_mode: FULL_DUPLEX_STREAMED };
        let request = head(&[
            (":method", "POST"),
            (":path", "/v1/chat/completions"),
            (":authority", "localhost"),
            (":scheme", "http"),
            ("content-type", "application/json"),
        ]);
        let request = ProcessingRequest {
            protocol_config: Some(modes),
            ..message(Part::RequestHeaders(HttpHeaders { headers: request, end_of_stream: false }))
        };
        sender.send(request).await?;
        let mut answers = self.0.streaming(tonic::Request::new(outbound), PROCESS.parse()?, codec).await?.into_inner();
        let began = Instant::now();
        sender.send(message(Part::RequestBody(last(asked)))).await?;
        until_end(&mut answers).await?;
        let request = began.elapsed();
        let reply = head(&[(":status", "200"), ("content-type", "application/json")]);
        let reply = Part::ResponseHeaders(HttpHeaders { headers: reply, end_of_stream: false });
        sender.send(message(reply)).await?;
        let began = Instant::now();
        sender.send(message(Part::ResponseBody(last(answered)))).await?;
        until_end(&mut answers).await?;
        Ok((request, began.elapsed()))
    }
}

fn message(part: Part) -> ProcessingRequest {
    ProcessingRequest { request: Some(part), observability_mode: false, protocol_config: None }
}

fn last(body: &Bytes) -> HttpBody {
    HttpBody { body: body.clone(), end_of_stream: true }
}

fn head(fields: &[(&str, &'static str)]) -> Option<HeaderMap> {
    let field = |(key, value): &(&str, &'static str)| HeaderValue {
        key: (*key).to_owned(),
        value: String::new(),
        raw_value: Bytes::from_static(value.as_bytes()),
    };
    Some(HeaderMap { headers: fields.iter().map(field).collect() })
}

/// Waits for the last piece of a body that may go on.
async fn until_end(answers: &mut Streaming<ProcessingResponse>) -> anyhow::Result<()> {
    loop {
        let answer = answers.message().await?.context("the gateway has nothing more to say")?;
        match answer.response {
            Some(Answer::RequestBody(body) | Answer::ResponseBody(body)) if is_last(&body) => return Ok(()),
            Some(Answer::ImmediateResponse(answer)) => {
                anyhow::bail!("refused: {}", String::from_utf8_lossy(&answer.body))
            }
            _ => {}
        }
    }
}

fn is_last(body: &CommonAnswer) -> bool {
    let mutation = body.response.as_ref().and_then(|r| r.body_mutation.as_ref());
    mutation.and_then(|m| m.streamed_response.as_ref()).is_some_and(|piece| piece.end_of_stream)
}
