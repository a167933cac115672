//! Small documents of an identity provider.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;

use crate::body::read;
use crate::upstream::Transport;

/// Largest document that is read, in bytes.
const LARGEST: usize = 256 << 10;

/// Longest wait for one.
const PATIENCE: Duration = Duration::from_secs(10);

/// One address, from the configuration or from the provider that it names: redirects are not followed.
///
/// # Errors
/// Why there is no document, without what was sent.
pub(crate) async fn fetch(request: Request<Full<Bytes>>, transport: &dyn Transport) -> Result<Vec<u8>, String> {
    let reply = tokio::time::timeout(PATIENCE, transport.send(request))
        .await
        .map_err(|_| "no answer in time".to_owned())?
        .map_err(|e| e.to_string())?;
    if reply.status() != StatusCode::OK {
        return Err(format!("status {}", reply.status()));
    }
    read(reply.into_body(), LARGEST, PATIENCE).await.map_err(|e| e.to_string())
}

/// The same for a plain question.
///
/// # Errors
/// As [`fetch`].
pub(crate) async fn get(address: &str, transport: &dyn Transport) -> Result<Vec<u8>, String> {
    let request = Request::get(address)
        .header(http::header::ACCEPT, "application/json")
        .body(Full::new(Bytes::new()))
        .map_err(|_| "the address is wrong".to_owned())?;
    fetch(request, transport).await
}
