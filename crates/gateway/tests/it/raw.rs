//! HTTP/1.1 as bytes: an upstream that writes down what arrives and takes no liberties, a client that sends anything,
//! and a reader of messages that follows RFC 9112 to the letter. None of it shares code with what is tested.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::ANSWER;

/// A request that arrived at the upstream.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) head: String,
    pub(crate) body: String,
}

/// An upstream that answers every request with [`ANSWER`] and keeps it.
pub(crate) struct Recorder {
    pub(crate) url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    broken: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (arrived, broken) = (Arc::default(), Arc::default());
        let this = Self { url, arrived: Arc::clone(&arrived), broken: Arc::clone(&broken) };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(record(socket, Arc::clone(&arrived), Arc::clone(&broken)));
            }
        });
        this
    }

    /// What arrived, where the body holds this mark.
    pub(crate) fn arrived(&self, mark: &str) -> Vec<Arrived> {
        self.arrived.lock().unwrap().iter().filter(|r| r.body.contains(mark)).cloned().collect()
    }

    /// Everything that arrived.
    pub(crate) fn all(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// Fails where a connection carried anything but well-formed requests.
    pub(crate) fn assert_well_formed(&self) {
        let broken = self.broken.lock().unwrap();
        assert!(broken.is_empty(), "the upstream got {broken:?}");
    }
}

async fn record(mut socket: TcpStream, arrived: Arc<Mutex<Vec<Arrived>>>, broken: Arc<Mutex<Vec<String>>>) {
    let mut bytes = Vec::new();
    loop {
        match next_request(&bytes, Strictness::Letter) {
            Next::Request { head, body, used, .. } => {
                let head = head.to_ascii_lowercase();
                if head.contains("transfer-encoding") {
                    broken.lock().unwrap().push(head.clone());
                }
                arrived.lock().unwrap().push(Arrived { head, body: String::from_utf8_lossy(&body).into_owned() });
                bytes.drain(..used);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ANSWER}",
                    ANSWER.len()
                );
                if socket.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            Next::Bad(why) => {
                broken.lock().unwrap().push(format!("{why}: {:?}", String::from_utf8_lossy(&bytes)));
                return;
            }
            Next::More => match socket.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
        }
    }
}

/// Sends bytes in pieces and reads until the other side closes; `None` where it does not within 5 s.
pub(crate) async fn exchange(to: SocketAddr, bytes: &[u8], piece: usize) -> Option<Vec<u8>> {
    let mut socket = TcpStream::connect(to).await.unwrap();
    let _ = socket.set_nodelay(true);
    let (mut read, mut write) = socket.split();
    let mut reply = Vec::new();
    let send = async {
        for piece in bytes.chunks(piece.max(1)) {
            // Whoever has heard enough may close before everything is sent.
            if write.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        std::future::pending::<()>().await;
    };
    let receive = async {
        // A reset is an end, too.
        while matches!(read.read_buf(&mut reply).await, Ok(n) if n > 0) {}
    };
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        tokio::select! { () = send => {}, () = receive => {} }
    });
    ended.await.ok().map(|()| reply)
}

/// Statuses of the replies on a connection, in order. Bodies have lengths: the gateway knows what it sends.
pub(crate) fn statuses(mut bytes: &[u8]) -> Vec<u16> {
    let mut found = Vec::new();
    while let Some(end) = find(bytes, b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no reply: {head}"));
        let length = head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
        found.push(status);
        bytes = bytes.get(end + 4 + length..).unwrap_or_default();
    }
    found
}

/// How a message is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// As RFC 9112 says messages are written.
    Letter,
    /// With what it allows a recipient to put up with: a bare LF at the end of a line of the head (section 2.2), a list
    /// of equal lengths (RFC 9110, section 8.6).
    Lenient,
}

/// What comes next on a connection.
#[derive(Debug)]
pub(crate) enum Next {
    Request {
        head: String,
        body: Vec<u8>,
        /// Bytes of the whole message.
        used: usize,
        /// Both a length and an encoding: nothing after it may be taken for a message (section 6.1).
        last: bool,
    },
    More,
    Bad(&'static str),
}

/// Reads one request (RFC 9112, sections 3 to 7).
pub(crate) fn next_request(bytes: &[u8], strict: Strictness) -> Next {
    let lenient = strict == Strictness::Lenient;
    let mut lines = Vec::new();
    let mut at = 0;
    loop {
        let Some(end) = bytes[at..].iter().position(|b| *b == b'\n').map(|p| at + p) else { return Next::More };
        let line = &bytes[at..end];
        at = end + 1;
        let line = match line.strip_suffix(b"\r") {
            Some(line) => line,
            None if lenient => line,
            None => return Next::Bad("a bare LF"),
        };
        if line.is_empty() {
            // An empty line before the request line is put up with (section 2.2).
            if lines.is_empty() && lenient {
                continue;
            }
            break;
        }
        lines.push(line);
    }
    let head = lines.iter().map(|l| String::from_utf8_lossy(l).into_owned()).collect::<Vec<_>>().join("\n");
    let Some((first, fields)) = lines.split_first() else { return Next::Bad("an empty head") };
    let first = String::from_utf8_lossy(first).into_owned();
    let words: Vec<&str> = first.split(' ').collect();
    let [_, _, version] = words.as_slice() else { return Next::Bad("the request line") };
    let old = match *version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ => return Next::Bad("the version"),
    };
    let (mut lengths, mut codings, mut hosts) = (Vec::new(), Vec::new(), 0);
    for field in fields {
        let Some(colon) = field.iter().position(|b| *b == b':') else { return Next::Bad("a line without a colon") };
        let (name, value) = (&field[..colon], &field[colon + 1..]);
        // This includes folded lines, and blanks before the colon.
        if name.is_empty() || !name.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b)) {
            return Next::Bad("a field name");
        }
        if value.iter().any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7f) {
            return Next::Bad("a field value");
        }
        let value = String::from_utf8_lossy(value).trim_matches([' ', '\t']).to_owned();
        match name.to_ascii_lowercase().as_slice() {
            b"content-length" => lengths.push(value),
            b"transfer-encoding" => codings.push(value.to_ascii_lowercase()),
            b"host" => hosts += 1,
            _ => {}
        }
    }
    if hosts != 1 && !(old && hosts == 0) {
        return Next::Bad("not one Host");
    }
    if codings.is_empty() {
        let Some(length) = lengths.first() else {
            return Next::Request { head, body: Vec::new(), used: at, last: old };
        };
        let number = |l: &String| l.bytes().all(|b| b.is_ascii_digit()).then(|| l.parse::<usize>().ok()).flatten();
        let Some(length) = number(length).filter(|n| lengths.iter().all(|l| number(l) == Some(*n))) else {
            return Next::Bad("the length");
        };
        if lengths.len() > 1 && !lenient {
            return Next::Bad("two lengths");
        }
        let Some(body) = bytes[at..].get(..length) else { return Next::More };
        return Next::Request { head, body: body.to_vec(), used: at + length, last: old };
    }
    // Only `chunked`, once: nobody applied anything else to a request.
    if old || codings != ["chunked"] {
        return Next::Bad("the encoding");
    }
    match chunked(&bytes[at..], lenient) {
        Ok(Some((body, used, clear))) => {
            Next::Request { head, body, used: at + used, last: !clear || !lengths.is_empty() }
        }
        Ok(None) => Next::More,
        Err(why) => Next::Bad(why),
    }
}

/// A body, its bytes on the wire, and whether it is clear where they end.
type Chunked = (Vec<u8>, usize, bool);

/// A chunked body (section 7.1); answers with it, its length on the wire, and whether it is clear where it ends. A body is
/// whole with its last chunk; a lenient reader takes it, and nothing that comes behind trailers that are none.
fn chunked(bytes: &[u8], lenient: bool) -> Result<Option<Chunked>, &'static str> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(end) = find(&bytes[at..], b"\n").map(|p| at + p) else { return Ok(None) };
        let Some(line) = bytes[at..end].strip_suffix(b"\r") else { return Err("a bare LF in a chunk") };
        if line.contains(&b'\r') {
            return Err("a bare CR in a chunk");
        }
        at = end + 1;
        let line = String::from_utf8_lossy(line).into_owned();
        let digits: String = line.chars().take_while(char::is_ascii_hexdigit).collect();
        let rest = line[digits.len()..].trim_start_matches([' ', '\t']);
        if digits.is_empty() || !(rest.is_empty() || rest.starts_with(';')) {
            return Err("a chunk size");
        }
        let Ok(size) = usize::from_str_radix(&digits, 16) else { return Err("a chunk size") };
        if size == 0 {
            break;
        }
        let Some(data) = at.checked_add(size).and_then(|end| bytes.get(at..end)) else { return Ok(None) };
        body.extend_from_slice(data);
        at += size;
        match bytes.get(at..at + 2) {
            Some(b"\r\n") => at += 2,
            Some(_) => return Err("the end of a chunk"),
            None => return Ok(None),
        }
    }
    // Trailers are not used; each is a line.
    loop {
        let Some(end) = find(&bytes[at..], b"\n").map(|p| at + p) else { return Ok(None) };
        let line = match bytes[at..end].strip_suffix(b"\r") {
            Some([]) => return Ok(Some((body, end + 1, true))),
            Some(line) if line.contains(&b':') => line,
            _ if lenient => return Ok(Some((body, bytes.len(), false))),
            _ => return Err("a trailer"),
        };
        at += line.len() + 2;
    }
}

/// The data of a chunked body as far as it is there, its bytes on the wire, and whether that is all of it.
pub(crate) fn dechunk(bytes: &[u8]) -> (Vec<u8>, usize, bool) {
    let mut body = Vec::new();
    let mut at = 0;
    while let Some(end) = find(&bytes[at..], b"\r\n").map(|p| at + p) {
        let size = usize::from_str_radix(&String::from_utf8_lossy(&bytes[at..end]), 16).expect("a chunk size");
        let data = &bytes[end + 2..];
        body.extend_from_slice(&data[..size.min(data.len())]);
        at = end + 2 + size + 2;
        if at > bytes.len() {
            break;
        }
        if size == 0 {
            return (body, at, true);
        }
    }
    (body, bytes.len(), false)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}
