//! As much of HTTP/1.1 as a place on this machine needs that only agents under test talk to: one request a connection.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest request, bytes.
const LONGEST: usize = 256 << 10;

/// A request.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) body: String,
}

/// Reads a request. One that is cut or too long is read as far as it goes.
pub(crate) async fn read(stream: &mut TcpStream) -> std::io::Result<Request> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 8192];
    // Where the body begins, and how long the whole is.
    let mut whole: Option<(usize, usize)> = None;
    loop {
        let n = stream.read(&mut piece).await?;
        // The end of the head may lie across two pieces.
        let from = bytes.len().saturating_sub(3);
        bytes.extend_from_slice(piece.get(..n).unwrap_or_default());
        if whole.is_none() {
            let tail = bytes.get(from..).unwrap_or_default();
            whole = tail.windows(4).position(|w| w == b"\r\n\r\n").map(|at| {
                let head = String::from_utf8_lossy(bytes.get(..from + at).unwrap_or_default());
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
                });
                (from + at + 4, length.unwrap_or(0).saturating_add(from + at + 4))
            });
        }
        if n == 0 || bytes.len() >= LONGEST || whole.is_some_and(|(_, end)| bytes.len() >= end) {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut words = text.lines().next().unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let body = whole.and_then(|(at, _)| bytes.get(at..)).map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    Ok(Request { method, path, body })
}

/// Answers with JSON, or with nothing.
pub(crate) async fn answer(stream: &mut TcpStream, status: &str, body: Option<&str>) -> std::io::Result<()> {
    let kind = if body.is_some() { "content-type: application/json\r\n" } else { "" };
    let body = body.unwrap_or_default();
    let head = format!("HTTP/1.1 {status}\r\n{kind}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
