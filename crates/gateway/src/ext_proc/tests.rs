//! The law, and the words.
//!
//! Whatever Envoy says and whatever becomes of the work on an exchange: the stream ends well only after an answer of the
//! gateway's own, or once both directions have come to their end and were let go on to theirs.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use bartizan_core::Direction;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use prost::Message as _;
use tonic::{Code, Status};

use super::api::{
    APPEND, Answer, BodyMutation, CommonAnswer, CommonResponse, FULL_DUPLEX_STREAMED, HeaderMap, HeaderMutation,
    HeaderValueOption, HttpBody, HttpHeaders, HttpStatus, HttpTrailers, ImmediateResponse, OVERWRITE, Part,
    ProcessingRequest, ProcessingResponse, ProtocolConfiguration, StreamedBodyResponse, TrailersResponse,
};
use super::exchange::{self, Bounds};
use super::headers;
use super::verdicts::Verdicts;
use super::wire::Wire;
use crate::proxy::Relayed;
use crate::upstream::{Carrier, UpstreamError};

const SHORT: Duration = Duration::from_millis(15);
const BOUNDS: Bounds = Bounds { header: SHORT, idle: SHORT, body: 1 << 20 };

/// What Envoy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    RequestHead {
        bare: bool,
    },
    RequestBody {
        last: bool,
    },
    RequestTrailers,
    ReplyHead {
        bare: bool,
    },
    ReplyBody {
        last: bool,
    },
    ReplyTrailers,
    /// A head with modes in which a body could pass unread.
    Modes(i32, i32),
    /// A head of an Envoy that does not know of modes.
    NoModes,
    /// Nobody waits for an answer.
    Observed,
    /// A part that is not known.
    Unknown,
}

/// How Envoy's side ends.
#[derive(Clone, Copy, Debug)]
enum Last {
    Closes,
    Resets,
    Stays,
}

/// What becomes of the work on an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Relays,
    Refuses,
    RefusesUnread,
    RefusesReply,
    /// A reply that is cut before its end.
    Cuts,
    /// The reply breaks off within.
    BreaksOff,
    PanicsBefore,
    PanicsBetween,
    PanicsWithin,
    HangsBefore,
    HangsBetween,
    HangsWithin,
}

fn fields(list: &[(&str, &str)]) -> Option<HeaderMap> {
    let field = |(key, value): &(&str, &str)| super::api::HeaderValue {
        key: (*key).to_owned(),
        raw_value: Bytes::copy_from_slice(value.as_bytes()),
        ..Default::default()
    };
    Some(HeaderMap { headers: list.iter().map(field).collect() })
}

fn message(said: Said) -> ProcessingRequest {
    let head = |end_of_stream| HttpHeaders {
        headers: fields(&[
            (":method", "POST"),
            (":path", "/p?q"),
            (":authority", "a"),
            (":scheme", "http"),
            ("content-length", "9"),
            ("cookie", "c"),
            ("x-request-id", "1-2"),
        ]),
        end_of_stream,
    };
    let reply =
        |end_of_stream| HttpHeaders { headers: fields(&[(":status", "200"), ("x-secret", "s")]), end_of_stream };
    let body = |last| HttpBody { body: Bytes::from_static(b"piece"), end_of_stream: last };
    let trailers = || HttpTrailers { trailers: fields(&[("t", "1")]) };
    let modes =
        |request_body_mode, response_body_mode| Some(ProtocolConfiguration { request_body_mode, response_body_mode });
    let good = modes(FULL_DUPLEX_STREAMED, FULL_DUPLEX_STREAMED);
    let with = |part, protocol_config| ProcessingRequest { request: Some(part), protocol_config, ..Default::default() };
    match said {
        Said::RequestHead { bare } => with(Part::RequestHeaders(head(bare)), good),
        Said::RequestBody { last } => with(Part::RequestBody(body(last)), None),
        Said::RequestTrailers => with(Part::RequestTrailers(trailers()), None),
        Said::ReplyHead { bare } => with(Part::ResponseHeaders(reply(bare)), None),
        Said::ReplyBody { last } => with(Part::ResponseBody(body(last)), None),
        Said::ReplyTrailers => with(Part::ResponseTrailers(trailers()), None),
        Said::Modes(request, reply) => with(Part::RequestHeaders(head(false)), modes(request, reply)),
        Said::NoModes => with(Part::RequestHeaders(head(false)), None),
        Said::Observed => {
            ProcessingRequest { observability_mode: true, ..with(Part::RequestHeaders(head(false)), good) }
        }
        Said::Unknown => ProcessingRequest::default(),
    }
}

fn inbound(script: &[Said], last: Last) -> impl Stream<Item = Result<ProcessingRequest, Status>> + Send + use<> {
    let said: Vec<_> = script.iter().map(|said| Ok(message(*said))).collect();
    let end = stream::poll_fn(move |_| match last {
        Last::Closes => Poll::Ready(None),
        Last::Resets => Poll::Ready(Some(Err(Status::cancelled("reset")))),
        Last::Stays => Poll::Pending,
    });
    stream::iter(said).chain(end)
}

/// Routes that do with a request what is told, in place of the guard.
fn routes(fate: Fate) -> Router {
    Router::new().fallback(move |request: Request<Body>| handle(fate, request))
}

#[expect(clippy::panic, reason = "that is what is tried")]
async fn handle(fate: Fate, request: Request<Body>) -> Response<Body> {
    let refused = || (StatusCode::BAD_REQUEST, "no").into_response();
    let (head, body) = request.into_parts();
    match fate {
        Fate::RefusesUnread => return refused(),
        Fate::PanicsBefore => panic!("as told"),
        Fate::HangsBefore => std::future::pending().await,
        _ => {}
    }
    let Ok(read) = body.collect().await else { return refused() };
    if fate == Fate::Refuses {
        return refused();
    }
    let carrier = Carrier::of(&head.extensions).expect("Envoy carries it");
    let on = Request::post("http://envoy/p?q").header("accept", "x").body(read.to_bytes()).expect("a request");
    let reply: Result<_, UpstreamError> = carrier.0.carry(on).await;
    let Ok(reply) = reply else { return refused() };
    let (_, mut body) = reply.into_parts();
    match fate {
        Fate::RefusesReply => return refused(),
        Fate::PanicsBetween => panic!("as told"),
        Fate::HangsBetween => std::future::pending().await,
        Fate::Relays => {
            let Ok(read) = body.collect().await else { return refused() };
            return Relayed::mark(Response::new(Body::from(read.to_bytes())));
        }
        _ => {}
    }
    let first = match body.frame().await {
        Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        Some(Err(_)) => return refused(),
        None => Bytes::new(),
    };
    let mut given = false;
    Relayed::mark(Response::new(Body::from_stream(stream::poll_fn(move |_| {
        let _upstream = &body;
        match (std::mem::replace(&mut given, true), fate) {
            (false, _) => Poll::Ready(Some(Ok(first.clone()))),
            (true, Fate::BreaksOff) => Poll::Ready(Some(Err("as told"))),
            (true, Fate::PanicsWithin) => panic!("as told"),
            (true, Fate::HangsWithin) => Poll::Pending,
            (true, _) => Poll::Ready(None),
        }
    }))))
}

/// How an exchange ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Well,
    Failed(Code),
    /// It went on when nobody waited any longer.
    Dropped,
}

fn play(script: &[Said], last: Last, fate: Fate) -> (Vec<Answer>, End) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let wire = Wire::new(inbound(script, last));
        let mut verdicts = Verdicts::begin(|out| exchange::run(wire, out, routes(fate), Arc::default(), BOUNDS));
        let mut said = Vec::new();
        loop {
            match tokio::time::timeout(SHORT * 3, verdicts.next()).await {
                Err(_) => return (said, End::Dropped),
                Ok(None) => return (said, End::Well),
                Ok(Some(Err(status))) => return (said, End::Failed(status.code())),
                Ok(Some(Ok(message))) => said.extend(message.response),
            }
        }
    })
}

fn streamed(answer: &Answer) -> Option<&StreamedBodyResponse> {
    let (Answer::RequestBody(answer) | Answer::ResponseBody(answer)) = answer else { return None };
    answer.response.as_ref()?.body_mutation.as_ref()?.streamed_response.as_ref()
}

/// True where the answers let one direction go on to its end.
fn reached_end(said: &[Answer], script: &[Said], reply: bool) -> bool {
    let bare = match reply {
        false => script.contains(&Said::RequestHead { bare: true }),
        true => script.contains(&Said::ReplyHead { bare: true }),
    };
    let head = said
        .iter()
        .any(|a| matches!((reply, a), (false, Answer::RequestHeaders(_)) | (true, Answer::ResponseHeaders(_))));
    let end = said.iter().any(|a| match (reply, a) {
        (false, Answer::RequestTrailers(_)) | (true, Answer::ResponseTrailers(_)) => true,
        (false, Answer::RequestBody(_)) | (true, Answer::ResponseBody(_)) => {
            streamed(a).is_some_and(|s| s.end_of_stream)
        }
        _ => false,
    });
    head && (end || bare)
}

/// True where Envoy has said all of both directions.
fn is_whole(script: &[Said]) -> bool {
    let ends = |list: &[Said]| list.iter().any(|said| script.contains(said));
    ends(&[Said::RequestHead { bare: true }, Said::RequestBody { last: true }, Said::RequestTrailers])
        && ends(&[Said::ReplyHead { bare: true }, Said::ReplyBody { last: true }, Said::ReplyTrailers])
}

/// The law.
fn hold(script: &[Said], last: Last, fate: Fate) -> End {
    let (said, end) = play(script, last, fate);
    let immediate = said.iter().position(|answer| matches!(answer, Answer::ImmediateResponse(_)));
    if let Some(at) = immediate {
        assert_eq!(at + 1, said.len(), "nothing follows an answer of the gateway's own: {said:?}");
    }
    if end == End::Well {
        let decided = is_whole(script) && reached_end(&said, script, false) && reached_end(&said, script, true);
        assert!(immediate.is_some() || decided, "{script:?} {last:?} {fate:?} ended well: {said:?}");
    }
    let begun = said.iter().any(|answer| matches!(answer, Answer::ResponseHeaders(_)));
    assert!(!(begun && immediate.is_some()), "no answer of the gateway's own after the head of a reply: {said:?}");
    let refused = [Fate::Refuses, Fate::RefusesUnread, Fate::PanicsBefore, Fate::HangsBefore].contains(&fate);
    let lets = |answer: &Answer| !matches!(answer, Answer::ImmediateResponse(_));
    assert!(!refused || !said.iter().any(lets), "{fate:?} lets something go on: {said:?}");
    end
}

const WHOLE: &[Said] = &[
    Said::RequestHead { bare: false },
    Said::RequestBody { last: false },
    Said::RequestBody { last: true },
    Said::ReplyHead { bare: false },
    Said::ReplyBody { last: false },
    Said::ReplyBody { last: true },
];
const BARE: &[Said] = &[Said::RequestHead { bare: true }, Said::ReplyHead { bare: true }];
const TRAILED: &[Said] = &[
    Said::RequestHead { bare: false },
    Said::RequestBody { last: false },
    Said::RequestTrailers,
    Said::ReplyHead { bare: false },
    Said::ReplyBody { last: false },
    Said::ReplyTrailers,
];

const FATES: &[Fate] = &[
    Fate::Relays,
    Fate::Refuses,
    Fate::RefusesUnread,
    Fate::RefusesReply,
    Fate::Cuts,
    Fate::BreaksOff,
    Fate::PanicsBefore,
    Fate::PanicsBetween,
    Fate::PanicsWithin,
    Fate::HangsBefore,
    Fate::HangsBetween,
    Fate::HangsWithin,
];

#[test]
fn what_is_decided_ends_well() {
    for script in [WHOLE, BARE, TRAILED] {
        assert_eq!(hold(script, Last::Stays, Fate::Relays), End::Well, "{script:?}");
    }
    assert_eq!(hold(WHOLE, Last::Stays, Fate::Refuses), End::Well);
    assert_eq!(hold(WHOLE, Last::Stays, Fate::RefusesReply), End::Well);
    // The rest of the reply comes, so nothing is left.
    assert_eq!(hold(WHOLE, Last::Stays, Fate::Cuts), End::Well);
    assert_eq!(hold(&WHOLE[..5], Last::Stays, Fate::Cuts), End::Failed(Code::DeadlineExceeded));
}

#[test]
fn every_point_at_which_it_may_break_off() {
    let mut ends = [0; 3];
    for script in [WHOLE, BARE, TRAILED] {
        for length in 0..=script.len() {
            for last in [Last::Closes, Last::Resets] {
                for fate in FATES {
                    match hold(&script[..length], last, *fate) {
                        End::Well => ends[0] += 1,
                        End::Failed(code) => {
                            assert_ne!(code, Code::Ok);
                            ends[1] += 1;
                        }
                        End::Dropped => ends[2] += 1,
                    }
                }
            }
        }
    }
    assert!(ends[0] > 50 && ends[1] > 200, "{ends:?}");
}

#[test]
fn a_mode_that_keeps_a_body_back_is_refused() {
    let mut heads = vec![Said::NoModes, Said::Observed, Said::Unknown];
    heads.extend((0..6).flat_map(|a| (0..6).map(move |b| Said::Modes(a, b))).filter(|m| *m != Said::Modes(4, 4)));
    for head in heads {
        let script = [&[head], &WHOLE[1..]].concat();
        let (said, end) = play(&script, Last::Stays, Fate::Relays);
        assert!(said.is_empty() && matches!(end, End::Failed(_)), "{head:?}: {said:?} {end:?}");
    }
}

#[test]
fn a_last_piece_that_comes_twice_is_nothing() {
    let mut script = WHOLE.to_vec();
    script.insert(3, Said::RequestBody { last: true });
    let (said, end) = play(&script, Last::Stays, Fate::Relays);
    let sent: Vec<u8> = said
        .iter()
        .filter(|a| matches!(a, Answer::RequestBody(_)))
        .flat_map(|a| streamed(a).map(|s| s.body.to_vec()).unwrap_or_default())
        .collect();
    assert_eq!((end, sent), (End::Well, b"piecepiece".to_vec()));
}

#[test]
fn what_is_not_wanted_does_not_go_on() {
    let (said, _) = play(WHOLE, Last::Stays, Fate::Relays);
    let change = |at: usize| match &said[at] {
        Answer::RequestHeaders(answer) | Answer::ResponseHeaders(answer) => {
            answer.response.clone().and_then(|r| r.header_mutation).expect("a change")
        }
        other => panic!("{other:?}"),
    };
    let request = change(0);
    assert_eq!(request.remove_headers, ["content-length", "cookie"]);
    let set: Vec<_> =
        request.set_headers.iter().filter_map(|one| one.header.as_ref()).map(|h| h.key.as_str()).collect();
    assert_eq!(set, ["accept"]);
    assert_eq!(change(2).remove_headers, ["x-secret"]);
    let (said, _) = play(TRAILED, Last::Stays, Fate::Relays);
    let trailers = said.iter().filter_map(|answer| match answer {
        Answer::RequestTrailers(t) | Answer::ResponseTrailers(t) => t.header_mutation.as_ref(),
        _ => None,
    });
    assert_eq!(trailers.map(|change| change.remove_headers.join(",")).collect::<Vec<_>>(), ["t", "t"]);
}

#[test]
fn heads_that_are_no_heads_are_refused() {
    let good = [(":method", "POST"), (":path", "/p"), (":authority", "h"), (":scheme", "https")];
    let read = |more: &[(&str, &str)]| {
        let list = [&good[..], more].concat();
        headers::request(&HttpHeaders { headers: fields(&list), end_of_stream: false })
    };
    let request = read(&[("x-a", "1"), ("x-a", "2")]).unwrap();
    assert_eq!(request.uri().to_string(), "https://h/p");
    assert_eq!(request.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    let long = "a".repeat(20 << 10);
    for bad in [
        &[(":path", "/q")][..],
        &[(":protocol", "websocket")],
        &[("a b", "1")],
        &[("x-a", "a\r\nb: c")],
        &[("x-envoy-note", "prose <that> goes \u{e9}")],
        &[("x-a", &long)],
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
    let bare =
        |list: &[(&str, &str)]| headers::request(&HttpHeaders { headers: fields(list), end_of_stream: false }).is_err();
    assert!(bare(&[]) && bare(&good[..1]) && bare(&good[1..]));
    let status =
        |text| headers::reply(&HttpHeaders { headers: fields(&[(":status", text)]), end_of_stream: false }).is_some();
    assert!(status("529") && !status("99") && !status("x") && !status(""));
}

#[test]
fn a_field_of_envoys_stays_where_it_is_plain() {
    let mut from = http::HeaderMap::new();
    from.insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1, 10.0.0.2"));
    from.insert("x-request-id", HeaderValue::from_static("tell <somebody> about it"));
    from.insert("host", HeaderValue::from_static("h"));
    from.insert("x-envoy-upstream-service-time", HeaderValue::from_static("12"));
    from.insert("x-envoy-note", HeaderValue::from_static("a-b"));
    let removed = |of| headers::change(of, &from, &http::HeaderMap::new()).remove_headers;
    assert_eq!(removed(Direction::Request), ["x-request-id"]);
    assert_eq!(removed(Direction::Reply), ["x-forwarded-for", "x-request-id", "x-envoy-note"]);
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        any::<bool>().prop_map(|bare| Said::RequestHead { bare }),
        any::<bool>().prop_map(|last| Said::RequestBody { last }),
        Just(Said::RequestTrailers),
        any::<bool>().prop_map(|bare| Said::ReplyHead { bare }),
        any::<bool>().prop_map(|last| Said::ReplyBody { last }),
        Just(Said::ReplyTrailers),
        (0..6, 0..6).prop_map(|(a, b)| Said::Modes(a, b)),
        Just(Said::NoModes),
        Just(Said::Observed),
        Just(Said::Unknown),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// An exchange in which a message is missing, comes again, comes elsewhere or is another one.
    #[test]
    fn nothing_ends_well_undecided(
        base in prop::sample::select(vec![WHOLE, BARE, TRAILED]),
        changes in prop::collection::vec((0usize..4, 0usize..8, 0usize..8, said()), 0..3),
        last in prop::sample::select(vec![Last::Closes, Last::Resets]),
        fate in prop::sample::select(FATES.to_vec()),
    ) {
        let mut script = base.to_vec();
        for (kind, at, to, other) in changes {
            let at = at.min(script.len());
            match kind {
                0 if at < script.len() => { script.remove(at); }
                1 => script.insert(at, other),
                2 if at < script.len() => { let to = to.min(script.len() - 1); script.swap(at, to); }
                _ => script.truncate(at),
            }
        }
        hold(&script, last, fate);
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Bytes that the Python stubs of the Envoy API write (`xds-protos` 1.85).
#[test]
fn messages_are_those_of_envoy() {
    let head = ProcessingRequest::decode(&*hex(
        "12490a470a0f0a073a6d6574686f641a04504f53540a1d0a053a706174681a142f76312f636861742f636f6d706c6574696f6e730a080a03\
         782d621a01ff0a0b0a03782d7412047465787442170a150a016d12100a0e0a0163120911000000000000f03f4a290a1b656e766f792e6669\
         6c746572732e687474702e6578745f70726f63120a0a080a016112031a01625a06080410041801",
    ))
    .unwrap();
    let Some(Part::RequestHeaders(HttpHeaders { headers: Some(map), end_of_stream: false })) = head.request else {
        panic!("{head:?}")
    };
    let read: Vec<_> = map.headers.iter().map(|h| (h.key.as_str(), h.value.as_str(), &*h.raw_value)).collect();
    assert_eq!(read[0], (":method", "", &b"POST"[..]));
    assert_eq!(read[1], (":path", "", &b"/v1/chat/completions"[..]));
    assert_eq!(read[2..], [("x-b", "", &b"\xff"[..]), ("x-t", "text", &b""[..])]);
    assert_eq!(head.protocol_config, Some(ProtocolConfiguration { request_body_mode: 4, response_body_mode: 4 }));
    let body = ProcessingRequest::decode(&*hex("2a0d0a09646174613a20780a0a10015001")).unwrap();
    let piece = HttpBody { body: Bytes::from_static(b"data: x\n\n"), end_of_stream: true };
    assert_eq!((body.request, body.observability_mode), (Some(Part::ResponseBody(piece)), true));
    let trailers = ProcessingRequest::decode(&*hex("3a0a0a080a060a01741a0131")).unwrap();
    assert_eq!(trailers.request, Some(Part::ResponseTrailers(HttpTrailers { trailers: fields(&[("t", "1")]) })));

    let option = |key: &str, value: &'static str, append_action| HeaderValueOption {
        header: Some(super::api::HeaderValue {
            key: key.to_owned(),
            value: String::new(),
            raw_value: Bytes::from_static(value.as_bytes()),
        }),
        append_action,
    };
    let change = HeaderMutation {
        set_headers: vec![option("accept-encoding", "identity", OVERWRITE), option("accept-encoding", "br", APPEND)],
        remove_headers: vec!["content-length".to_owned()],
    };
    let common = |response| CommonAnswer { response: Some(response) };
    let streamed_response = Some(StreamedBodyResponse { body: Bytes::from_static(b"piece"), end_of_stream: true });
    let immediate = ImmediateResponse {
        status: Some(HttpStatus { code: 400 }),
        headers: Some(HeaderMutation {
            set_headers: vec![option("content-type", "application/json", OVERWRITE)],
            remove_headers: Vec::new(),
        }),
        body: Bytes::from_static(b"{}"),
        details: "bartizan".to_owned(),
    };
    let trailers = HeaderMutation { set_headers: Vec::new(), remove_headers: vec!["t".to_owned()] };
    for (answer, bytes) in [
        (
            Answer::RequestHeaders(common(CommonResponse { header_mutation: Some(change), body_mutation: None })),
            "0a4e0a4c124a0a1f0a1b0a0f6163636570742d656e636f64696e671a086964656e7469747918020a170a150a0f6163636570742d656e63\
             6f64696e671a026272120e636f6e74656e742d6c656e677468",
        ),
        (
            Answer::ResponseBody(common(CommonResponse {
                header_mutation: None,
                body_mutation: Some(BodyMutation { streamed_response }),
            })),
            "220f0a0d1a0b1a090a0570696563651001",
        ),
        (
            Answer::ImmediateResponse(immediate),
            "3a3b0a0308900312260a240a200a0c636f6e74656e742d747970651a106170706c69636174696f6e2f6a736f6e18021a027b7d2a0862\
             617274697a616e",
        ),
        (Answer::RequestTrailers(TrailersResponse { header_mutation: Some(trailers) }), "2a050a03120174"),
    ] {
        assert_eq!(ProcessingResponse { response: Some(answer) }.encode_to_vec(), hex(bytes));
    }
}
