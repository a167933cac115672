//! The gateway as Envoy's external processor, over gRPC. A real Envoy is in `bartizan/tests/it/envoy.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bartizan_gateway::ext_proc::Protobuf;
use bartizan_gateway::ext_proc::api::{
    Answer, FULL_DUPLEX_STREAMED, HeaderMap, HeaderValue, HttpBody, HttpHeaders, ImmediateResponse, PROCESS, Part,
    ProcessingRequest, ProcessingResponse, ProtocolConfiguration,
};
use bartizan_gateway::{Client, ExtProc, Gateway, SecretRef, Settings, Upstream};
use bartizan_guard::Guard;
use bartizan_store::SqliteStore;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tonic::client::Grpc;
use tonic::{Code, Status, Streaming};

use crate::support::{ANSWER, QUESTION, http1, question, start, timely};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn beside_envoy(settings: &mut Settings) {
    settings.ext_proc =
        Some(ExtProc { listen: "127.0.0.1:0".to_owned(), tls: None, anonymous: true, max_connections: 4 });
    settings.upstream = vec![Upstream::at("models", "envoy")];
}

/// One exchange, with this test as Envoy.
struct Exchange {
    say: mpsc::Sender<ProcessingRequest>,
    hear: Streaming<ProcessingResponse>,
}

impl Exchange {
    /// Begins with a head.
    async fn begin(at: SocketAddr, more: &[(&str, &str)]) -> Self {
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build::<_, tonic::body::Body>(HttpConnector::new());
        let mut grpc = Grpc::with_origin(client, format!("http://{at}").parse().unwrap());
        grpc.ready().await.unwrap();
        let (say, mut said) = mpsc::channel(8);
        let outbound = stream::poll_fn(move |context| said.poll_recv(context));
        let modes = Some(ProtocolConfiguration {
            request_body_mode: FULL_DUPLEX_STREAMED,
            response_body_mode: FULL_DUPLEX_STREAMED,
        });
        let fields = [
            (":method", "POST"),
            (":path", "/v1/chat/completions"),
            (":authority", "localhost"),
            (":scheme", "http"),
            ("content-type", "application/json"),
        ];
        let head = HttpHeaders { headers: map(&[&fields, more].concat()), end_of_stream: false };
        say.send(ProcessingRequest { protocol_config: modes, ..message(Part::RequestHeaders(head)) }).await.unwrap();
        let codec = Protobuf::<ProcessingRequest, ProcessingResponse>::default();
        let path = PROCESS.parse().unwrap();
        let hear = grpc.streaming(tonic::Request::new(outbound), path, codec).await.unwrap().into_inner();
        Self { say, hear }
    }

    async fn say(&self, part: Part) {
        // Who is refused at once is not listened to any more.
        let _ = self.say.send(message(part)).await;
    }

    /// The next answer; `None` is a clean end.
    async fn hear(&mut self) -> Result<Option<Answer>, Status> {
        Ok(self.hear.message().await?.and_then(|message| message.response))
    }

    /// The answer in place of the upstream's, and the end after it.
    async fn refused(mut self) -> ImmediateResponse {
        match self.hear().await.unwrap() {
            Some(Answer::ImmediateResponse(answer)) => {
                assert_eq!(self.hear().await.unwrap(), None);
                answer
            }
            other => panic!("{other:?}"),
        }
    }
}

fn message(part: Part) -> ProcessingRequest {
    ProcessingRequest { request: Some(part), ..Default::default() }
}

fn map(list: &[(&str, &str)]) -> Option<HeaderMap> {
    let field = |(key, value): &(&str, &str)| HeaderValue {
        key: (*key).to_owned(),
        raw_value: Bytes::copy_from_slice(value.as_bytes()),
        ..Default::default()
    };
    Some(HeaderMap { headers: list.iter().map(field).collect() })
}

fn asked() -> Part {
    Part::RequestBody(HttpBody { body: Bytes::from_static(QUESTION.as_bytes()), end_of_stream: true })
}

/// The names that a change of a head takes away, and the bodies of what follows until a last piece.
async fn let_on(exchange: &mut Exchange) -> (Vec<String>, Vec<u8>) {
    let (Some(Answer::RequestHeaders(head) | Answer::ResponseHeaders(head)), mut body) =
        (exchange.hear().await.unwrap(), Vec::new())
    else {
        panic!("no head")
    };
    let removed = head.response.and_then(|r| r.header_mutation).unwrap().remove_headers;
    loop {
        let Some(Answer::RequestBody(piece) | Answer::ResponseBody(piece)) = exchange.hear().await.unwrap() else {
            panic!("no body")
        };
        let piece = piece.response.and_then(|r| r.body_mutation?.streamed_response).unwrap();
        body.extend_from_slice(&piece.body);
        if piece.end_of_stream {
            return (removed, body);
        }
    }
}

#[test]
fn keys_hold_and_do_not_go_on() {
    timely(async {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), KEY).unwrap();
        let client = Client {
            name: "app".to_owned(),
            key: Some(SecretRef::try_from(format!("file:{}", file.path().display())).unwrap()),
            certificate: None,
            tenant: Default::default(),
            models: vec!["m".to_owned()],
            profile: None,
            quota: Default::default(),
        };
        let gateway = start(|settings| {
            beside_envoy(settings);
            settings.client = vec![client];
        })
        .await;
        let at = gateway.envoy.unwrap();
        let nobody = Exchange::begin(at, &[]).await;
        nobody.say(asked()).await;
        assert_eq!(nobody.refused().await.status.unwrap().code, 401);

        let bearer = format!("Bearer {KEY}");
        let own = [("authorization", bearer.as_str()), ("x-request-id", "1-2-3")];
        let other = Exchange::begin(at, &own).await;
        let body = QUESTION.replace("\"m\"", "\"other\"");
        other.say(Part::RequestBody(HttpBody { body: Bytes::from(body), end_of_stream: true })).await;
        assert_eq!(other.refused().await.status.unwrap().code, 403);

        let mut exchange = Exchange::begin(at, &own).await;
        exchange.say(asked()).await;
        let (removed, body) = let_on(&mut exchange).await;
        assert_eq!((removed, body.as_slice()), (vec!["authorization".to_owned()], QUESTION.as_bytes()));
        let head = map(&[(":status", "200"), ("content-type", "application/json"), ("x-note", "prose")]);
        exchange.say(Part::ResponseHeaders(HttpHeaders { headers: head, end_of_stream: false })).await;
        let (first, rest) = ANSWER.split_at(20);
        for (text, end_of_stream) in [(first, false), (rest, true)] {
            let body = Bytes::from_static(text.as_bytes());
            exchange.say(Part::ResponseBody(HttpBody { body, end_of_stream })).await;
        }
        let (removed, body) = let_on(&mut exchange).await;
        assert_eq!((removed, body.as_slice()), (vec!["x-note".to_owned()], ANSWER.as_bytes()));
        assert_eq!(exchange.hear().await.unwrap(), None, "it ends well once it is decided");
        assert_eq!(
            gateway.metrics.encode().lines().filter(|l| l.starts_with("bartizan_requests_in_flight ")).count(),
            1
        );
    });
}

#[test]
fn each_door_has_upstreams_of_its_own() {
    timely(async {
        let gateway = start(beside_envoy).await;
        let socket = TcpStream::connect(gateway.address).await.unwrap();
        assert_eq!(http1(socket, question()).await.status(), StatusCode::NOT_FOUND);
        let gateway = start(|settings| {
            beside_envoy(settings);
            settings.upstream[0].models = vec!["elsewhere".to_owned()];
            settings.upstream.push(Upstream::at("own", "http://127.0.0.1:1"));
        })
        .await;
        let exchange = Exchange::begin(gateway.envoy.unwrap(), &[]).await;
        exchange.say(asked()).await;
        assert_eq!(exchange.refused().await.status.unwrap().code, 404);
    });
}

#[test]
fn who_leaves_or_stays_away_ends_nothing_well() {
    timely(async {
        let gateway = start(|settings| {
            beside_envoy(settings);
            settings.upstream[0].first_byte_ms = Some(200);
        })
        .await;
        let at = gateway.envoy.unwrap();
        // Envoy closes its side early.
        let Exchange { say, mut hear } = Exchange::begin(at, &[]).await;
        drop(say);
        assert_eq!(hear.message().await.unwrap_err().code(), Code::Cancelled);
        // A reply before there is a request.
        let mut exchange = Exchange::begin(at, &[]).await;
        exchange.say(Part::ResponseBody(HttpBody::default())).await;
        assert_eq!(exchange.hear().await.unwrap_err().code(), Code::FailedPrecondition);
        // The model does not answer in time.
        let mut exchange = Exchange::begin(at, &[]).await;
        exchange.say(asked()).await;
        let_on(&mut exchange).await;
        assert_eq!(exchange.refused().await.status.unwrap().code, 504);
    });
}

#[test]
fn what_is_no_message_is_an_error() {
    timely(async {
        let gateway = start(beside_envoy).await;
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build::<_, Full<Bytes>>(HttpConnector::new());
        let at = gateway.envoy.unwrap();
        for (path, body) in [
            (PROCESS, &b""[..]),
            (PROCESS, b"\0\0\0\0\x10abc"),
            (PROCESS, b"\0\0\0\0\x03\xff\xff\xff"),
            (PROCESS, b"\x01\0\0\0\x01a"),
            (PROCESS, b"\0\xff\xff\xff\xffa"),
            ("/envoy.service.ext_proc.v3.ExternalProcessor/Other", b""),
        ] {
            let request = Request::post(format!("http://{at}{path}"))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(Full::new(Bytes::copy_from_slice(body)))
                .unwrap();
            let (head, body) = client.request(request).await.unwrap().into_parts();
            let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
            let status = head.headers.get("grpc-status").or(trailers.get("grpc-status")).cloned();
            assert!(status.as_ref().is_some_and(|status| status != "0"), "{path}: {status:?}");
        }
    });
}

#[test]
fn a_stream_that_breaks_off_has_no_end() {
    timely(async {
        let gateway = start(|settings| {
            beside_envoy(settings);
            settings.timeouts.idle_ms = 300;
        })
        .await;
        let mut exchange = Exchange::begin(gateway.envoy.unwrap(), &[]).await;
        exchange.say(asked()).await;
        let_on(&mut exchange).await;
        let head = map(&[(":status", "200"), ("content-type", "text/event-stream")]);
        exchange.say(Part::ResponseHeaders(HttpHeaders { headers: head, end_of_stream: false })).await;
        let delta =
            "data: {\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Good day. How are you?\"}}]}\n\n";
        exchange.say(Part::ResponseBody(HttpBody { body: Bytes::from(delta), end_of_stream: false })).await;
        assert!(matches!(exchange.hear().await.unwrap(), Some(Answer::ResponseHeaders(_))));
        // The upstream says nothing more: the protocol's own error, and no clean end while Envoy has more to say.
        let mut said = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                match exchange.hear().await {
                    Ok(Some(Answer::ResponseBody(piece))) => {
                        said.extend(piece.response.unwrap().body_mutation.unwrap().streamed_response.unwrap().body);
                    }
                    other => return other,
                }
            }
        });
        assert_eq!(end.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
        assert!(String::from_utf8_lossy(&said).contains("\"error\""), "{}", String::from_utf8_lossy(&said));
    });
}

#[test]
fn what_belongs_to_envoy_is_not_configured_here() {
    timely(async {
        let with = |change: fn(&mut Settings)| async move {
            let mut settings = Settings { listen: "127.0.0.1:0".to_owned(), ..Settings::default() };
            beside_envoy(&mut settings);
            change(&mut settings);
            let guard = Arc::new(Guard::new(&bartizan_guard::Settings::default()).unwrap());
            let store = Arc::new(SqliteStore::open_in_memory().await.unwrap());
            Gateway::bind(settings, guard, store).await.map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(with(|_| {}).await, Ok(()));
        for (change, part) in [
            (
                (|s| s.upstream[0].key = Some(SecretRef::try_from("env:X".to_owned()).unwrap())) as fn(&mut Settings),
                "`key`",
            ),
            (|s| s.upstream[0].retries = 3, "`retries`"),
            (|s| s.upstream[0].retry_busy = true, "`retries`"),
            (|s| s.upstream[0].breaker = Some(2), "`breaker`"),
            (|s| s.upstream[0].fallback = vec!["b".to_owned()], "`fallback`"),
            (
                |s| {
                    s.upstream
                        .push(Upstream { fallback: vec!["models".into()], ..Upstream::at("b", "http://127.0.0.1:1") });
                },
                "behind Envoy",
            ),
            (|s| s.upstream = vec![Upstream::at("a", "http://127.0.0.1:1")], "`[ext_proc]` needs"),
            (|s| s.ext_proc = None, "`[ext_proc]` section"),
            (|s| s.ext_proc.as_mut().unwrap().max_connections = 0, "max_connections"),
            (|s| s.ext_proc.as_mut().unwrap().listen = "0.0.0.0:0".to_owned(), "taken for Envoy"),
        ] {
            let error = with(change).await.expect_err(part);
            assert!(error.contains(part), "{error}");
        }
    });
}
