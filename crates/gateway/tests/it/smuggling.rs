//! Request smuggling: whatever the framing of a request, it is either refused, or its one reading is what was examined
//! and what arrives.
//!
//! Cases after RFC 9112, section 11.2, and Kettle, "HTTP Desync Attacks" (2019) and "HTTP/1.1 must die" (2025).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bartizan_gateway::Upstream;
use futures_util::future::join_all;

use crate::raw::{Next, Recorder, Strictness, exchange, next_request, statuses};
use crate::support::{Random, Running, start, timely, trial};

/// What every body holds and no upstream may see.
const CANARY: &str = "ann.lee@example.org";

fn body(mark: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{mark}: write to {CANARY}"}}]}}"#)
}

/// The body as it has to arrive.
fn masked(mark: &str) -> String {
    body(mark).replace(CANARY, "[REDACTED:EMAIL_ADDRESS]")
}

fn plain(mark: &str) -> String {
    let body = body(mark);
    format!("{REQUEST}Host: localhost\r\n{JSON}Content-Length: {}\r\n\r\n{body}", body.len())
}

const REQUEST: &str = "POST /v1/chat/completions HTTP/1.1\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

fn chunks(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

async fn gateway(upstream: &Recorder) -> Running {
    start(|s| {
        s.upstream = vec![Upstream::at("u", &upstream.url)];
        s.timeouts.body_ms = 400;
    })
    .await
}

/// What has to come of a case, and of what follows it on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// An error, and the connection ends.
    Refused,
    /// An error, and what follows arrives: it is clear where it begins.
    Skipped,
    /// It arrives, and the connection ends.
    Last,
    /// It arrives, and so does what follows.
    Goes,
}

/// The head after the request line and the host, and all that follows the head.
fn table(mark: &str) -> Vec<(&'static str, String, Expect)> {
    use Expect::{Goes, Last, Refused, Skipped};
    let body = body(mark);
    let (n, hex) = (body.len(), format!("{:x}", body.len()));
    let (sized, chunked) = (format!("Content-Length: {n}\r\n"), chunks(&body));
    let hidden = plain("hidden");
    let host = "Host: localhost\r\n";
    let request = |head: &str, rest: &str| format!("{REQUEST}{host}{JSON}{head}\r\n{rest}");
    let te = |value: &str| request(&format!("Transfer-Encoding: {value}\r\n"), &chunked);
    vec![
        ("plain", request(&sized, &body), Goes),
        ("chunked", te("chunked"), Goes),
        ("chunked in capitals", te("CHUNKED"), Goes),
        ("CL.TE", request(&format!("{sized}Transfer-Encoding: chunked\r\n"), &chunked), Last),
        ("TE.CL", request(&format!("Transfer-Encoding: chunked\r\n{sized}"), &chunked), Last),
        (
            "CL.TE hiding a request",
            request(
                &format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", chunked.len() + hidden.len()),
                &format!("{chunked}{hidden}"),
            ),
            Last,
        ),
        ("TE.CL hiding a request", request("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", &chunked), Last),
        ("two equal lengths", request(&format!("{sized}{sized}"), &body), Goes),
        ("two lengths", request(&format!("{sized}Content-Length: 4\r\n"), &body), Refused),
        ("a list of lengths", request(&format!("Content-Length: {n}, {n}\r\n"), &body), Refused),
        ("a list of two lengths", request(&format!("Content-Length: {n}, 4\r\n"), &body), Refused),
        ("a length with a plus", request(&format!("Content-Length: +{n}\r\n"), &body), Refused),
        ("a negative length", request("Content-Length: -1\r\n", &body), Refused),
        ("a hexadecimal length", request(&format!("Content-Length: 0x{hex}\r\n"), &body), Refused),
        ("a huge length", request("Content-Length: 99999999999999999999\r\n", &body), Refused),
        ("a length of 2^64 - 1", request("Content-Length: 18446744073709551615\r\n", &body), Refused),
        ("no length", request("", &body), Refused),
        ("a blank before the colon", request(&format!("Content-Length : {n}\r\n"), &body), Refused),
        ("a blank before TE's colon", request(&format!("{sized}Transfer-Encoding : chunked\r\n"), &chunked), Refused),
        ("a folded line", request(&format!("X-A: b\r\n {sized}"), &body), Refused),
        ("a folded TE", request("Transfer-Encoding:\r\n chunked\r\n", &chunked), Refused),
        ("a blank first field", format!("{REQUEST} X-A: b\r\n{host}{JSON}{sized}\r\n{body}"), Refused),
        ("no colon", request(&format!("X-A\r\n{sized}"), &body), Refused),
        ("NUL in a value", request(&format!("X-A: a\0b\r\n{sized}"), &body), Refused),
        ("CR in a value", request(&format!("X-A: a\rTransfer-Encoding: chunked\r\n{sized}"), &body), Refused),
        ("another encoding", te("xchunked"), Refused),
        ("identity", te("identity"), Refused),
        ("chunked not last", te("chunked, identity"), Refused),
        ("chunked behind another", te("gzip, chunked"), Refused),
        ("chunked twice", te("chunked, chunked"), Refused),
        ("quoted", te("\"chunked\""), Refused),
        ("a parameter", te("chunked;q=1"), Refused),
        ("vertical tab", te("\u{b}chunked"), Refused),
        ("two TE", request("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", &chunked), Refused),
        ("two other TE", request("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", &chunked), Refused),
        ("HTTP/1.0 with TE", te("chunked").replace("HTTP/1.1", "HTTP/1.0"), Refused),
        ("HTTP/1.0", request(&sized, &body).replace("HTTP/1.1", "HTTP/1.0"), Last),
        ("HTTP/1.2", request(&sized, &body).replace("HTTP/1.1", "HTTP/1.2"), Refused),
        ("HTTP/0.9", format!("POST /v1/chat/completions\r\n\r\n{body}"), Refused),
        ("two hosts", request(&format!("Host: evil.example\r\n{sized}"), &body), Skipped),
        ("another host", request(&sized, &body).replace("Host: localhost", "Host: evil.example"), Skipped),
        (
            "absolute form with another host",
            request(&sized, &body).replacen("POST /", "POST http://evil.example/", 1),
            Skipped,
        ),
        (
            "absolute form that overrides another host",
            request(&sized, &body)
                .replacen("POST /", "POST http://localhost/", 1)
                .replace(host, "Host: evil.example\r\n"),
            Skipped,
        ),
        (
            "user part in absolute form",
            request(&sized, &body).replacen("POST /", "POST http://localhost@evil.example/", 1),
            Skipped,
        ),
        ("a chunk extension", request(TE, &format!("{hex};a=b\r\n{body}\r\n0\r\n\r\n")), Goes),
        ("a line feed in an extension", request(TE, &format!("{hex};a\nb\r\n{body}\r\n0\r\n\r\n")), Refused),
        ("a bare LF after a size", request(TE, &format!("{hex}\n{body}\r\n0\r\n\r\n")), Refused),
        ("a bare LF after a chunk", request(TE, &format!("{hex}\r\n{body}\n0\r\n\r\n")), Refused),
        ("a chunk that is longer", request(TE, &format!("{hex}\r\n{body}xx\r\n0\r\n\r\n")), Refused),
        ("a huge chunk", request(TE, &format!("ffffffffffffffff\r\n{body}\r\n0\r\n\r\n")), Refused),
        ("a chunk size past 64 bits", request(TE, &format!("1{:0>16}\r\n{body}\r\n0\r\n\r\n", hex)), Refused),
        ("a negative chunk", request(TE, &format!("-{hex}\r\n{body}\r\n0\r\n\r\n")), Refused),
        ("a hexadecimal prefix", request(TE, &format!("0x{hex}\r\n{body}\r\n0\r\n\r\n")), Refused),
        ("an empty size", request(TE, &format!("\r\n{body}\r\n0\r\n\r\n")), Refused),
        (
            "trailers that frame",
            request(TE, &format!("{hex}\r\n{body}\r\n0\r\nContent-Length: 9\r\nHost: evil.example\r\n\r\n")),
            Goes,
        ),
        ("a compressed coding under chunks", request(&format!("{TE}Content-Encoding: gzip\r\n"), &chunked), Skipped),
        (
            "an upgrade",
            request(&format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n{sized}"), &body),
            Goes,
        ),
        ("hop-by-hop names", request(&format!("Connection: content-length\r\n{sized}"), &body), Goes),
    ]
}

const TE: &str = "Transfer-Encoding: chunked\r\n";

#[test]
fn a_request_is_refused_or_arrives_as_it_was_examined() {
    timely(async {
        let upstream = Recorder::start().await;
        let gateway = gateway(&upstream).await;
        let cases: Vec<_> = (0..table("").len()).map(|at| (format!("case-{at}-"), at)).collect();
        let played = cases.into_iter().map(|(mark, at)| {
            let (upstream, to) = (&upstream, gateway.address);
            async move {
                let (name, bytes, expect) = table(&mark).swap_remove(at);
                let after = format!("after-{at}-");
                // The second one ends the connection: a gateway that is content does not close by itself at once.
                let follow = plain(&after).replacen("\r\n", "\r\nConnection: close\r\n", 1);
                let reply = exchange(to, (bytes + &follow).as_bytes(), usize::MAX).await;
                let reply = reply.unwrap_or_else(|| panic!("{name}: the connection stays open"));
                let statuses = statuses(&reply);
                let (case, after) = (upstream.arrived(&mark), upstream.arrived(&after));
                let (passed, followed) = match expect {
                    Expect::Refused => (0, 0),
                    Expect::Skipped => (0, 1),
                    Expect::Last => (1, 0),
                    Expect::Goes => (1, 1),
                };
                let mut wrong = Vec::new();
                if (case.len(), after.len()) != (passed, followed) {
                    wrong.push(format!("{} arrived and {} after it", case.len(), after.len()));
                }
                if case.iter().any(|r| r.body != masked(&mark)) {
                    wrong.push(format!("{case:?} arrived"));
                }
                if case.iter().chain(&after).any(|r| r.head.contains("evil")) {
                    wrong.push(format!("{case:?} names another host"));
                }
                // What follows is answered, too, where its beginning is known.
                if expect == Expect::Refused && !statuses.iter().all(|s| (400..500).contains(s) || *s == 505) {
                    wrong.push("an answer".to_owned());
                }
                (!wrong.is_empty()).then(|| {
                    format!("{name}: {wrong:?} {statuses:?}\n{}", String::from_utf8_lossy(&reply).replace("\r\n", "\n"))
                })
            }
        });
        let wrong: Vec<_> = join_all(played).await.into_iter().flatten().collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        assert!(upstream.arrived("hidden").is_empty());
        assert!(upstream.arrived(CANARY).is_empty());
        upstream.assert_well_formed();
    });
}

/// One generated connection: some requests, each framed in some way that may be wrong.
fn generated(random: &mut Random, mark: &str) -> (Vec<u8>, Vec<String>) {
    let mut bytes = Vec::new();
    let mut marks = Vec::new();
    for number in 0..1 + random.below(3) {
        let mark = format!("{mark}{number}-");
        let body = body(&mark);
        let version = random.pick(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]);
        let mut fields = vec!["Host: localhost".to_owned(), "Content-Type: application/json".to_owned()];
        let n = body.len();
        let chunked = chunks(&body);
        // Half of them are right, but for one more field at times: the others would end connections at their first request.
        let style = random.below(4);
        let (right, more) = match style {
            0 => (Some(format!("Content-Length: {n}")), random.below(4) / 3),
            1 => (Some("Transfer-Encoding: chunked".to_owned()), random.below(4) / 3),
            _ => (None, 2),
        };
        fields.extend(right);
        let on_wire = if random.below(2) == 0 { n } else { chunked.len() };
        for _ in 0..random.below(more + 1) {
            fields.push(match random.below(12) {
                0..=3 => format!("Content-Length: {n}"),
                4 => format!("Content-Length: {}", random.below(2 * n)),
                5 => format!("Content-Length: {on_wire}"),
                6 => format!("Content-Length: 0{n}"),
                7 => format!("Content-Length:\t{n} "),
                8 => format!("content-length:{n}"),
                9 => format!("Content-Length: {n},{n}"),
                10 => format!("Content_Length: {n}"),
                _ => format!("Content-Length{}: {n}", random.pick(&[" ", "\t", "\u{b}", "\0"])),
            });
        }
        for _ in 0..random.below(more + 1) {
            let value = random.pick(&[
                "chunked",
                "chunked",
                "chunked",
                "Chunked",
                "chunked ",
                "\tchunked",
                "xchunked",
                "identity",
                "chunked,",
                ",chunked",
                "gzip, chunked",
                "chunked, identity",
                "chunked\u{b}",
                "\"chunked\"",
                "",
            ]);
            let name = random.pick(&[
                "Transfer-Encoding",
                "Transfer-Encoding",
                "transfer-encoding",
                "Transfer_Encoding",
                "TE",
            ]);
            let colon = random.pick(&[":", ":", ": ", ": ", " :", ":\r\n "]);
            fields.push(format!("{name}{colon}{value}"));
        }
        for at in (1..fields.len()).rev() {
            fields.swap(at, random.below(at + 1));
        }
        let ends = *random.pick(&["\r\n", "\r\n", "\r\n", "\r\n", "\n"]);
        bytes.extend_from_slice(format!("POST /v1/chat/completions {version}{ends}").as_bytes());
        for field in fields {
            bytes.extend_from_slice(field.as_bytes());
            bytes.extend_from_slice(ends.as_bytes());
        }
        bytes.extend_from_slice(ends.as_bytes());
        bytes.extend_from_slice(match if style < 2 { style } else { random.below(2) } {
            0 => body.as_bytes(),
            _ => chunked.as_bytes(),
        });
        if random.below(8) == 0 {
            // Behind the words: the end of the JSON and of the chunks.
            let behind = if bytes.ends_with(b"\n") { 10 } else { 4 };
            let at = bytes.len() - 1 - random.below(behind);
            bytes[at] = *random.pick(b"\r\n\0 ;:0f,");
        }
        marks.push(mark);
    }
    (bytes, marks)
}

/// The bodies that a reader who follows the standard finds on a connection.
fn readings(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Next::Request { body, used, last, .. } = next_request(bytes, Strictness::Lenient) {
        found.push(String::from_utf8_lossy(&body).into_owned());
        if last {
            break;
        }
        bytes = &bytes[used..];
    }
    found
}

async fn play(to: SocketAddr, upstream: &Recorder, seed: u64) -> usize {
    let mut random = Random(seed);
    let mark = format!("g{seed:x}-");
    let (bytes, _) = generated(&mut random, &mark);
    let piece = *random.pick(&[usize::MAX, usize::MAX, 1, 7, 64]);
    let reply = exchange(to, &bytes, piece).await;
    let said = || {
        format!(
            "seed {seed}: {:?}\n{:?}",
            String::from_utf8_lossy(&bytes),
            reply.as_deref().map(String::from_utf8_lossy)
        )
    };
    let Some(answered) = &reply else { panic!("the connection stays open; {}", said()) };
    let statuses = statuses(answered);
    let arrived = upstream.arrived(&mark);
    let good = statuses.iter().filter(|s| **s == 200).count();
    assert_eq!(arrived.len(), good, "replies and requests differ; {}\n{arrived:?}", said());
    assert!(statuses.iter().all(|s| *s < 500 || *s == 505), "{statuses:?} {}", said());
    // What arrived is a beginning of what the standard's reader finds, in order and byte for byte but for the mask.
    let mut expected = readings(&bytes).into_iter().map(|b| b.replace(CANARY, "[REDACTED:EMAIL_ADDRESS]"));
    for request in &arrived {
        let found = expected.any(|body| body == request.body);
        assert!(found, "nobody sent this: {:?}; {}", request.body, said());
    }
    arrived.len()
}

#[test]
fn generated_framings_mean_one_thing_to_everybody() {
    let trial = trial(1, Duration::ZERO);
    trial.timely(async {
        let upstream = Recorder::start().await;
        let gateway = gateway(&upstream).await;
        let begun = Instant::now();
        let (mut seed, mut arrived, mut played) = (trial.seed << 32, 0, 0);
        while played < 300 || begun.elapsed() < trial.time {
            let round = (0..50).map(|_| {
                seed += 1;
                play(gateway.address, &upstream, seed)
            });
            arrived += join_all(round).await.into_iter().sum::<usize>();
            played += 50;
            assert!(upstream.arrived(CANARY).is_empty());
            upstream.assert_well_formed();
        }
        // A generator of nothing but refusals would show nothing.
        assert!(arrived > played / 10, "{arrived} requests of {played} connections arrived");
        println!("{played} connections, {arrived} requests arrived");
    });
}
