//! What an attack leads to, on this machine: a place that the attacker's addresses point to, and a hostile server of tools
//! for agents, with a world of its own for each trial.

mod http;
mod mcp;
#[cfg(test)]
mod tests;
mod world;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

pub use world::{Effect, World};

/// Most requests that are kept of one trial, and most trials.
const MOST: (usize, usize) = (32, 100_000);

/// Longest part of a request that is kept, bytes.
const KEPT: usize = 16 << 10;

/// Where the servers of tools are.
const MCP: &str = "mcp";

#[derive(Default)]
struct Kept {
    requests: HashMap<String, Vec<String>>,
    worlds: HashMap<String, World>,
}

/// A running sink. It answers every request with 204 and remembers it under the first part of its path; below `/mcp/` it
/// is a server of tools for each trial that has opened one.
pub struct Sink {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
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
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let shared = Arc::clone(&kept);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&shared);
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(Duration::from_secs(10), serve(stream, &kept)).await;
                });
            }
        });
        Ok(Self { address, kept })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What arrived for a trial: path, query and body.
    #[must_use]
    pub fn take(&self, token: &str) -> Vec<String> {
        self.kept().requests.remove(token).unwrap_or_default()
    }

    /// Opens a server of tools for a trial, and says where it is.
    #[must_use]
    pub fn open(&self, token: &str, world: World) -> String {
        self.kept().worlds.insert(token.to_owned(), world);
        format!("http://{}/{MCP}/{token}", self.address)
    }

    /// Takes the world of a trial away, with all that was done in it.
    #[must_use]
    pub fn close(&self, token: &str) -> Vec<Effect> {
        self.kept().worlds.remove(token).map(World::effects).unwrap_or_default()
    }
}

async fn serve(mut stream: TcpStream, kept: &Mutex<Kept>) -> std::io::Result<()> {
    let request = http::read(&mut stream).await?;
    let mut parts = request.path.trim_start_matches('/').splitn(2, ['/', '?']);
    let first = parts.next().unwrap_or_default();
    if first == MCP {
        let token = parts.next().unwrap_or_default().trim_end_matches('/').to_owned();
        if request.method != "POST" {
            return http::answer(&mut stream, "405 Method Not Allowed", None).await;
        }
        let answer = {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.worlds.get_mut(&token).map(|world| mcp::answer(world, &request.body))
        };
        return match answer {
            None => http::answer(&mut stream, "404 Not Found", None).await,
            Some(None) => http::answer(&mut stream, "202 Accepted", None).await,
            Some(Some(answer)) => http::answer(&mut stream, "200 OK", Some(&answer.to_string())).await,
        };
    }
    {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !first.is_empty() && (kept.requests.len() < MOST.1 || kept.requests.contains_key(first)) {
            let all = kept.requests.entry(first.to_owned()).or_default();
            if all.len() < MOST.0 {
                let text = format!("{} {}", request.path, request.body);
                let end = text.floor_char_boundary(KEPT.min(text.len()));
                all.push(text.get(..end).unwrap_or_default().trim_end().to_owned());
            }
        }
    }
    http::answer(&mut stream, "204 No Content", None).await
}
