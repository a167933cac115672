//! Just enough HTTP to send what no SDK would, and to answer as no sane server would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

/// A reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request with these header lines to `http://127.0.0.1:PORT` and reads the reply to its end.
pub(crate) fn send(origin: &str, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Reply {
    let address = origin.strip_prefix("http://").expect("an origin");
    let mut socket = TcpStream::connect(address).expect("the gateway listens");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for default in ["Host: localhost", "Content-Type: application/json"] {
        let name = default.split(':').next().expect("a name");
        if !headers.iter().any(|h| h.to_ascii_lowercase().starts_with(&name.to_ascii_lowercase())) {
            head += default;
            head += "\r\n";
        }
    }
    for header in headers {
        head += header;
        head += "\r\n";
    }
    head += "\r\n";
    socket.write_all(head.as_bytes()).expect("the head is sent");
    // A gateway that has heard enough may answer before the body is out.
    let _ = socket.write_all(body);
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("no reply to {method} {path}"));
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    let body = bytes.split_off(end + 4);
    let body = if head.contains("transfer-encoding: chunked") { dechunk(&body) } else { body };
    Reply { status, head, body }
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(&String::from_utf8_lossy(&rest[..end]), 16).expect("a chunk size");
        rest = &rest[end + 2..];
        if size == 0 || rest.len() < size {
            break;
        }
        out.extend(&rest[..size]);
        rest = &rest[size + 2..];
    }
    out
}

/// Serves on a free port of this machine until the test ends: each request's body and its socket go to `handle`.
/// Answers with the origin.
pub(crate) fn serve(handle: impl Fn(Vec<u8>, &mut TcpStream) + Send + Sync + 'static) -> String {
    serve_heads(move |_, body, socket| handle(body, socket))
}

/// The same for who wants the head of the request too, in lower case.
pub(crate) fn serve_heads(handle: impl Fn(String, Vec<u8>, &mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let handle = Arc::new(handle);
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let handle = Arc::clone(&handle);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(socket);
                let mut length = 0;
                let mut chunked = false;
                let mut head = String::new();
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                    line.make_ascii_lowercase();
                    if let Some(value) = line.strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a length");
                    }
                    chunked |= line.starts_with("transfer-encoding:");
                    head += &line;
                    line.clear();
                }
                let body = if chunked { read_chunks(&mut reader) } else { read_exactly(&mut reader, length) };
                if let Some(body) = body {
                    handle(head, body, reader.get_mut());
                }
            });
        }
    });
    origin
}

fn read_exactly(reader: &mut impl Read, length: usize) -> Option<Vec<u8>> {
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok().map(|()| body)
}

fn read_chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        body.extend(read_exactly(reader, size)?);
        read_exactly(reader, 2)?;
        if size == 0 {
            return Some(body);
        }
    }
}

/// Sends a whole reply with status 200.
pub(crate) fn reply(socket: &mut TcpStream, kind: &str, text: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    let _ = socket.write_all((head + text).as_bytes());
}
