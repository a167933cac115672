//! A place on this machine that the attacker's addresses point to: what arrives there was really sent.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Most requests that are kept of one trial, and most trials.
const MOST: (usize, usize) = (32, 100_000);

/// Longest head of a request, and what of a body is kept, bytes.
const LONGEST: usize = 16 << 10;

type Log = Arc<Mutex<HashMap<String, Vec<String>>>>;

/// A running sink. It answers every request with 204 and remembers it under the first part of its path.
pub struct Sink {
    address: SocketAddr,
    log: Log,
}

impl Sink {
    /// Starts it.
    ///
    /// # Errors
    /// The address is not free, or not of this machine.
    pub async fn start(address: SocketAddr) -> std::io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(std::io::Error::other("a sink listens on this machine only: 127.0.0.1 or ::1"));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let log: Log = Arc::default();
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let log = Arc::clone(&kept);
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(Duration::from_secs(10), serve(stream, &log)).await;
                });
            }
        });
        Ok(Self { address, log })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What arrived for a trial: path, query and body.
    #[must_use]
    pub fn take(&self, token: &str) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).remove(token).unwrap_or_default()
    }
}

async fn serve(mut stream: TcpStream, log: &Log) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut piece = [0; 2048];
    let mut whole = false;
    while bytes.len() < LONGEST && !whole {
        let n = stream.read(&mut piece).await?;
        if n == 0 {
            break;
        }
        bytes.extend_from_slice(piece.get(..n).unwrap_or_default());
        let text = String::from_utf8_lossy(&bytes);
        whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length =
                head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            body.len() >= length.unwrap_or(0usize)
        });
    }
    let text = String::from_utf8_lossy(&bytes);
    let path = text.split(' ').nth(1).unwrap_or_default();
    let token = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if !token.is_empty() && (log.len() < MOST.1 || log.contains_key(token)) {
            let kept = log.entry(token.to_owned()).or_default();
            if kept.len() < MOST.0 {
                kept.push(format!("{path} {body}").trim_end().to_owned());
            }
        }
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await
}
