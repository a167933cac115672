//! Asking a gateway that runs on this machine, through its local socket.

use std::path::Path;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::config::Config;
use crate::problem::Problem;

/// Asks the gateway that uses this configuration's store. `None` where none runs.
///
/// # Errors
/// It runs and does not answer, or says no.
pub(crate) async fn ask(
    config: &Config,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Option<Value>> {
    let settings = config.gateway();
    let Some(socket) = settings.admin.socket_path(&settings.store) else { return Ok(None) };
    let Some(stream) = connect(&socket).await? else { return Ok(None) };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(body))?;
    let answer = sender.send_request(request).await.context("the running gateway does not answer")?;
    let status = answer.status();
    let bytes = answer.into_body().collect().await.context("the running gateway broke off")?.to_bytes();
    driver.abort();
    let value: Value = serde_json::from_slice(&bytes).context("the running gateway's answer is not JSON")?;
    if !status.is_success() {
        let detail = value.get("detail").and_then(Value::as_str).unwrap_or("it said no");
        return Err(Problem::new(format!("the running gateway refuses: {detail}")).into());
    }
    Ok(Some(value))
}

#[cfg(unix)]
async fn connect(socket: &Path) -> anyhow::Result<Option<tokio::net::UnixStream>> {
    use std::io::ErrorKind;
    match tokio::net::UnixStream::connect(socket).await {
        Ok(stream) => Ok(Some(stream)),
        // Not there, or left behind by a process that was killed.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(e) => Err(anyhow::Error::new(e).context(format!("cannot use the socket `{}`", socket.display()))),
    }
}

#[cfg(not(unix))]
async fn connect(_: &Path) -> anyhow::Result<Option<tokio::net::TcpStream>> {
    Ok(None)
}
