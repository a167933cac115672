//! Against a scripted server on this machine.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::ask::{Role, Turn};
use crate::budget::Budget;
use crate::mcp::McpTool;
use crate::settings::Template;

/// Answers each connection with the next text, the last one for ever; an empty one hangs.
async fn serve(answers: &[&str]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers: Vec<String> = answers.iter().map(|&a| a.to_owned()).collect();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        for turn in 0.. {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let answer = answers.get(turn).or(answers.last()).cloned().unwrap_or_default();
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut text = Vec::new();
                let mut piece = [0; 4096];
                loop {
                    let n = stream.read(&mut piece).await.unwrap_or(0);
                    text.extend_from_slice(&piece[..n]);
                    let all = String::from_utf8_lossy(&text);
                    let whole = all.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                        let length = head.lines().find_map(|l| {
                            l.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok()
                        });
                        body.len() >= length.unwrap_or(0)
                    });
                    if n == 0 || whole {
                        break;
                    }
                }
                log.lock().unwrap().push(String::from_utf8_lossy(&text).into_owned());
                if answer.is_empty() {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                }
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (url, seen)
}

fn http(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{more}\r\n{body}", body.len())
}

const GOOD: &str = r#"{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}"#;

fn ask() -> Ask {
    Ask::chat(vec![Turn::new(Role::User, "hi there")])
}

fn client(endpoint: Endpoint, budget: Budget) -> Client {
    Client::new(endpoint, Arc::new(Spent::new(budget, None))).unwrap()
}

fn at(url: &str) -> Endpoint {
    Endpoint { url: url.to_owned(), model: "m".to_owned(), timeout_ms: 5_000, ..Endpoint::default() }
}

#[tokio::test]
async fn a_question_is_asked_and_counted() {
    let (url, seen) = serve(&[&http("200 OK", "", GOOD)]).await;
    let client = client(at(&url), Budget::default());
    let Ok(Answer::Reply(reply)) = client.ask(&ask()).await else { panic!() };
    assert_eq!((reply.text.as_str(), reply.usage.input, reply.usage.estimated), ("hello", 2, true));
    assert!(seen.lock().unwrap()[0].starts_with("POST /v1/chat/completions "));
    assert_eq!((client.spent().requests(), client.spent().usage().output), (1, 2));
}

#[tokio::test]
async fn what_was_turned_away_is_asked_again() {
    let (url, seen) =
        serve(&[&http("429 Too Many", "", "{}"), &http("503 Busy", "", "x"), &http("200 OK", "", GOOD)]).await;
    let client = client(at(&url), Budget::default());
    assert!(matches!(client.ask(&ask()).await, Ok(Answer::Reply(_))));
    assert_eq!((seen.lock().unwrap().len(), client.spent().requests()), (3, 3));
}

#[tokio::test]
async fn every_failure_has_its_kind() {
    let cases = [
        (http("408 Slow", "", ""), FailureKind::SlowRequest),
        (http("429 Too Many", "retry-after: 9999\r\n", ""), FailureKind::RateLimited),
        (http("500 Broken", "", "<html>"), FailureKind::Server),
        (http("529 Over", "", "{}"), FailureKind::Server),
        (http("401 Who", "", r#"{"error":{"code":"invalid_api_key"}}"#), FailureKind::Unauthorized),
        (http("404 Where", "", ""), FailureKind::Rejected),
        (http("302 There", "location: http://127.0.0.1:1/\r\n", ""), FailureKind::Rejected),
        (http("200 OK", "", "not json"), FailureKind::Malformed),
        (http("200 OK", "", "{}"), FailureKind::Malformed),
        (http("200 OK", "", &format!("\"{}\"", "x".repeat(9000))), FailureKind::TooLarge),
        ("HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{".to_owned(), FailureKind::Broken),
        ("garbage\r\n\r\n".to_owned(), FailureKind::Broken),
        (String::new(), FailureKind::Timeout),
    ];
    for (answer, kind) in cases {
        let (url, _) = serve(&[&answer]).await;
        let endpoint = Endpoint { timeout_ms: 400, retries: 1, max_reply_bytes: 8000, ..at(&url) };
        let failure = client(endpoint, Budget::default()).ask(&ask()).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{answer}");
        assert!(!failure.to_string().contains("hi there"));
    }
    let nobody = client(Endpoint { retries: 0, ..at("http://127.0.0.1:1") }, Budget::default());
    assert_eq!(nobody.ask(&ask()).await.unwrap_err().kind, FailureKind::Unreachable);
}

#[tokio::test]
async fn a_guard_that_stops_is_no_failure() {
    let body = r#"{"error":{"message":"no","code":"content_policy_violation","event_id":"0196-ab"}}"#;
    let (url, _) = serve(&[&http("400 Bad", "", body)]).await;
    let answer = client(at(&url), Budget::default()).ask(&ask()).await.unwrap();
    let block = Block { code: "content_policy_violation".into(), event: Some("0196-ab".into()), rules: vec![] };
    assert_eq!(answer, Answer::Blocked(block));
    // A plain 400 is not one.
    let (url, _) = serve(&[&http("400 Bad", "", r#"{"error":{"code":"bad model <script>"}}"#)]).await;
    let failure = client(at(&url), Budget::default()).ask(&ask()).await.unwrap_err();
    assert_eq!((failure.kind, failure.detail.as_str()), (FailureKind::Rejected, "status 400"));
}

#[tokio::test]
async fn a_budget_holds_for_repetitions_too() {
    let (url, seen) = serve(&[&http("500 Broken", "", "")]).await;
    let client = client(Endpoint { retries: 5, ..at(&url) }, Budget { requests: Some(2), ..Budget::default() });
    assert_eq!(client.ask(&ask()).await.unwrap_err().kind, FailureKind::Budget);
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_budget_of_tokens_holds_for_what_is_under_way() {
    let body = r#"{"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":10,"completion_tokens":10}}"#;
    let (url, seen) = serve(&[&http("200 OK", "", body)]).await;
    let budget = Budget { tokens: Some(90), ..Budget::default() };
    let client = Arc::new(client(Endpoint { concurrency: 12, max_tokens: 10, ..at(&url) }, budget));
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let client = Arc::clone(&client);
        asked.spawn(async move { client.ask(&ask()).await.map_err(|failure| failure.kind) });
    }
    let answers = asked.join_all().await;
    assert_eq!(answers.iter().filter(|a| a.is_ok()).count(), 5, "{answers:?}");
    assert!(answers.iter().filter_map(|a| a.as_ref().err()).all(|kind| *kind == FailureKind::Budget));
    let usage = client.spent().usage();
    assert_eq!((usage.input + usage.output, seen.lock().unwrap().len()), (100, 5));
}

#[tokio::test]
async fn what_was_said_is_kept_without_the_keys() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, b"my-long-key\n").unwrap();
    let json = r#"{"error":{"message":"no model `m` for my-long-key"}}"#;
    for (answer, status, said, redirect) in [
        (http("400 Bad", "", json), 400, "no model `m` for ***", None),
        (http("401 Who", "", r#"{"error":{"code":"my-long-key"}}"#), 401, r#"{"code":"***"}"#, None),
        (http("502 Bad", "", "<html><b>Bad</b> gateway</html>"), 502, "Bad gateway", None),
        (
            http("307 There", "location: https://me@sso.example/in?t=my-long-key\r\n", ""),
            307,
            "",
            Some("https://sso.example/in"),
        ),
        (http("200 OK", "", r#"{"error":{"message":"quota exceeded"}}"#), 200, "quota exceeded", None),
        (http("200 OK", "", "maintenance, my-long-key"), 200, "maintenance, ***", None),
        (http("200 OK", "", r#"{"text":"a reply where nobody looks"}"#), 200, "", None),
    ] {
        let (url, _) = serve(&[&answer]).await;
        let endpoint = Endpoint { retries: 0, ..at(&url) };
        let key: Endpoint = toml::from_str(&format!("key = 'file:{}'", file.path().display())).unwrap();
        let failure = client(Endpoint { key: key.key, ..endpoint }, Budget::default()).ask(&ask()).await.unwrap_err();
        assert_eq!(
            (failure.status, failure.said.as_str(), failure.redirect.as_deref()),
            (Some(status), said, redirect)
        );
        assert!(!format!("{failure:?}").contains("my-long-key"), "{failure:?}");
    }
    let nobody = client(Endpoint { retries: 0, ..at("http://127.0.0.1:1") }, Budget::default());
    let failure = nobody.ask(&ask()).await.unwrap_err();
    assert!(failure.detail.to_lowercase().contains("refused") && failure.status.is_none(), "{failure}");
}

#[tokio::test]
async fn other_dialects_find_their_paths() {
    let (url, seen) = serve(&[&http("200 OK", "", r#"{"content":[{"type":"text","text":"a"}]}"#)]).await;
    let anthropic = Endpoint { kind: Dialect::Anthropic, ..at(&url) };
    assert!(matches!(client(anthropic, Budget::default()).ask(&ask()).await, Ok(Answer::Reply(r)) if r.text == "a"));
    assert!(seen.lock().unwrap()[0].starts_with("POST /v1/messages "));
    assert!(seen.lock().unwrap()[0].contains("anthropic-version: 2023-06-01"));

    let (url, seen) = serve(&[&http("200 OK", "", r#"{"answer":"b"}"#)]).await;
    let template: Template = toml::from_str("reply = '/answer'\nbody = { q = '{{prompt}}' }").unwrap();
    let any = Endpoint { kind: Dialect::Http, http: Some(template), ..at(&format!("{url}/bot?x=1")) };
    assert!(matches!(client(any, Budget::default()).ask(&ask()).await, Ok(Answer::Reply(r)) if r.text == "b"));
    assert!(seen.lock().unwrap()[0].starts_with("POST /bot?x=1 "));
    assert!(seen.lock().unwrap()[0].ends_with(r#"{"q":"hi there"}"#));

    // A query stands behind the path that the dialect adds.
    for (kind, given, sent) in [
        (
            Dialect::Openai,
            "/openai/deployments/d?api-version=1",
            "/openai/deployments/d/chat/completions?api-version=1",
        ),
        (Dialect::Openai, "?x=1", "/v1/chat/completions?x=1"),
        (Dialect::Openai, "/v1/chat/completions/?x=1", "/v1/chat/completions?x=1"),
        (Dialect::Anthropic, "/a/v1/messages?x=1#y", "/a/v1/messages?x=1"),
    ] {
        let (url, seen) = serve(&[&http("500 Broken", "", "")]).await;
        let endpoint = Endpoint { kind, retries: 0, ..at(&format!("{url}{given}")) };
        let _ = client(endpoint, Budget::default()).ask(&ask()).await;
        assert!(seen.lock().unwrap()[0].starts_with(&format!("POST {sent} ")), "{given}");
    }
}

#[tokio::test]
async fn a_tool_of_a_server_is_asked() {
    let hello = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}"#;
    let said = r#"{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"ho"},{"type":"image"}]}}"#;
    let event = format!("event: message\ndata: {said}\n\n");
    let tool = McpTool { tool: "answer".into(), argument: "q".into(), arguments: serde_json::Map::new() };
    let mcp =
        |url: &str| Endpoint { kind: Dialect::Mcp, mcp: Some(tool.clone()), retries: 0, ..at(&format!("{url}/mcp")) };
    let (url, seen) = serve(&[
        &http("200 OK", "mcp-session-id: s1\r\n", hello),
        &http("202 Accepted", "", ""),
        &http("200 OK", "", &event),
        &http("405 No", "", ""),
    ])
    .await;
    let answer = client(mcp(&url), Budget::default()).ask(&ask()).await;
    assert!(matches!(&answer, Ok(Answer::Reply(r)) if r.text == "ho"), "{answer:?}");
    {
        let seen = seen.lock().unwrap();
        assert!(
            seen.len() == 4 && seen[0].starts_with("POST /mcp ") && seen[3].starts_with("DELETE /mcp "),
            "{seen:?}"
        );
        assert!(
            seen[2].contains("mcp-session-id: s1") && seen[2].contains(r#""arguments":{"q":"hi there"}"#),
            "{seen:?}"
        );
    }
    // What is no answer is a failure, and nothing of it is repeated.
    for (body, kind) in [
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"secret words"}}"#, FailureKind::Rejected),
        (r#"{"jsonrpc":"2.0","id":9,"result":{}}"#, FailureKind::Malformed),
        ("<html>", FailureKind::Malformed),
    ] {
        let (url, _) = serve(&[&http("200 OK", "", body)]).await;
        let failure = client(mcp(&url), Budget::default()).ask(&ask()).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{body}");
        assert!(!failure.to_string().contains("secret"));
    }
    assert!(Endpoint { kind: Dialect::Mcp, ..at("http://127.0.0.1:1") }.validate().is_err());
}

#[test]
fn secrets_stay_where_they_are() {
    let parse = |toml: &str| toml::from_str::<Endpoint>(toml).map_err(|e| e.to_string());
    let build =
        |toml: &str| Client::new(parse(toml).unwrap(), Arc::new(Spent::new(Budget::default(), None))).map(|_| ());
    let plain = build("url = 'http://127.0.0.1:9'\nheaders = { X-Api-Key = 'abc' }").unwrap_err().to_string();
    assert!(plain.contains("X-Api-Key") && !plain.contains("abc"), "{plain}");
    assert!(parse("key = 'abcdef'").unwrap_err().contains("env:NAME"));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, b"k1\n").unwrap();
    let open = build(&format!("url = 'http://example.com/v1'\nkey = 'file:{}'", file.path().display())).unwrap_err();
    assert!(open.to_string().contains("open connection"), "{open}");
    assert!(build(&format!("url = 'http://127.0.0.1:9/v1'\nkey = 'file:{}'", file.path().display())).is_ok());
    // An address that holds a secret is refused before it is shown anywhere.
    for address in [
        "http://user:hunter2@127.0.0.1/v1",
        "http://hunter2@127.0.0.1",
        "http://u:hun/hunter2@127.0.0.1/v1",
        "http://u:hun?hunter2@127.0.0.1/v1",
        "http://u:hunter2 x@127.0.0.1/v1",
        "https://x.example/v1?api_key=hunter2",
        "https://x.example/v1?api-version=1&subscription-key=hunter2",
        "https://x.example/v1?accessToken=hunter2",
        "https://x.example/v1?api%5Fkey=hunter2",
        "https://x.example/bot?code=hunter2hunter2hunter2",
        "https://x.example/bot?v=sk-hunter2",
        "https://x.example/bot#token=hunter2",
        "not an address?key=hunter2",
    ] {
        let error = build(&format!("url = '{address}'")).unwrap_err();
        assert!(matches!(error, SettingsError::Credential(_)), "{address}: {error}");
        assert!(error.help().is_some_and(|help| help.contains("--key")) && !error.to_string().contains("hunter2"));
    }
    for address in [
        "https://x.example/openai/deployments/d?api-version=2024-10-21",
        "https://x.example/v1?max_tokens=5&keyword=a&code=200&monkeys=3&token=",
        "https://x.example/@handle/v1",
        "http://[::1]:8000/a:b@c/v1",
        "http://localhost:8000/a:b@c/v1?t=1#frag",
    ] {
        build(&format!("url = '{address}'")).unwrap();
    }
    assert!(build("url = 'ftp://127.0.0.1'").is_err() && build("").is_err());
    assert!(parse("urll = 'x'").unwrap_err().contains("unknown field"));
}
