//! One connection: TLS where it is configured, then HTTP/1.1 or HTTP/2.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::admission::Peer;
use crate::metrics::Metrics;
use crate::shared::Shared;
use crate::tls::ClientCertificate;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// After this long an HTTP/2 connection is asked to come again: streams in flight finish. Without it an idle one would
/// keep its place for good.
const OLDEST: Duration = Duration::from_secs(30 * 60);

/// Where the TLS of a listener comes from.
#[derive(Clone)]
pub(crate) enum Acceptor {
    /// There is none.
    Plain,
    /// The same for as long as the process runs.
    Fixed(TlsAcceptor),
    /// That of the configuration in force.
    Live(Arc<Shared>),
}

impl Acceptor {
    fn now(&self) -> Option<TlsAcceptor> {
        match self {
            Self::Plain => None,
            Self::Fixed(acceptor) => Some(acceptor.clone()),
            Self::Live(shared) => shared.live().tls.clone(),
        }
    }
}

/// How connections of one listener are served.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) tls: Acceptor,
    /// Time for the handshake, for the first bytes, and for each request's head.
    pub(crate) header: Duration,
    /// Which versions of HTTP are spoken.
    pub(crate) versions: Versions,
    /// Counts handshakes that fail.
    pub(crate) metrics: Arc<Metrics>,
}

/// Versions of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versions {
    Both,
    /// HTTP/2 alone: no web page can speak it without TLS.
    Two,
}

impl Service {
    /// Serves one connection to its end.
    pub(crate) async fn run<S>(self, socket: S, peer: Peer, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(acceptor) = self.tls.now() else {
            return self.plain(socket, peer, stop).await;
        };
        let stream = match tokio::time::timeout(self.header, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => stream,
            failed => {
                let reason = failed.map_or_else(|_| "it took too long".to_owned(), |done| said(done.err().as_ref()));
                self.metrics.error("tls");
                // A burst is cut short by the log, not by the counter.
                tracing::warn!(peer = %peer.0, reason, "a TLS handshake failed");
                return;
            }
        };
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(|chain| chain.first()).and_then(ClientCertificate::read);
        let http2 = session.alpn_protocol() == Some(b"h2");
        let router = match certificate {
            Some(certificate) => self.router.clone().layer(Extension(Arc::new(certificate))),
            None => self.router.clone(),
        };
        let service = Self { router, ..self };
        service.serve(http2, stream, peer, stop).await;
    }

    /// Without TLS the first bytes say which version is spoken.
    async fn plain<S>(self, mut socket: S, peer: Peer, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut start = [0; PREFACE.len()];
        let Ok(Ok((read, http2))) = tokio::time::timeout(self.header, first_bytes(&mut socket, &mut start)).await
        else {
            return;
        };
        let socket = Prefixed { start, at: 0, end: read, inner: socket };
        self.serve(http2, socket, peer, stop).await;
    }

    async fn serve<S>(self, http2: bool, socket: S, peer: Peer, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match (http2, self.versions) {
            (true, _) => self.http2(socket, peer, stop).await,
            (false, Versions::Both) => self.http1(socket, peer, stop).await,
            (false, Versions::Two) => {}
        }
    }

    async fn http1<S>(self, socket: S, peer: Peer, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut http = http1::Builder::new();
        // The time-out covers a connection also while it waits for another request.
        http.timer(TokioTimer::new()).header_read_timeout(self.header);
        let service = TowerToHyperService::new(self.router.layer(Extension(peer)));
        let connection = http.serve_connection(TokioIo::new(socket), service);
        drive(connection, http1::Connection::graceful_shutdown, stop, None).await;
    }

    async fn http2<S>(self, socket: S, peer: Peer, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .max_concurrent_streams(128)
            .max_header_list_size(16 << 10)
            // Rapid reset, CVE-2023-44487: streams opened and reset at once end the connection.
            .max_pending_accept_reset_streams(20)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        let service = TowerToHyperService::new(self.router.layer(Extension(peer)));
        let connection = http.serve_connection(TokioIo::new(socket), service);
        drive(connection, http2::Connection::graceful_shutdown, stop, Some(OLDEST)).await;
    }
}

/// Why a handshake failed, without what a certificate says of itself.
fn said(error: Option<&io::Error>) -> String {
    let cause = error.and_then(io::Error::get_ref).and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match (cause, error) {
        (Some(rustls::Error::InvalidCertificate(why)), _) => {
            let debug = format!("{why:?}");
            let kind = debug.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            format!("the client certificate is not accepted: {kind}")
        }
        (Some(cause), _) => cause.to_string(),
        (None, Some(error)) => error.kind().to_string(),
        (None, None) => String::new(),
    }
}

/// Runs a connection. When the gateway stops, or the connection has become `oldest`, it finishes what is in flight and
/// takes nothing new.
async fn drive<C>(connection: C, finish: fn(Pin<&mut C>), stop: CancellationToken, oldest: Option<Duration>)
where
    C: Future<Output = Result<(), hyper::Error>>,
{
    let mut connection = pin!(connection);
    let aged = async {
        match oldest {
            Some(oldest) => tokio::time::sleep(oldest).await,
            None => std::future::pending().await,
        }
    };
    let done = tokio::select! {
        done = connection.as_mut() => Some(done),
        () = stop.cancelled() => None,
        () = aged => None,
    };
    let done = match done {
        Some(done) => done,
        None => {
            finish(connection.as_mut());
            connection.await
        }
    };
    if let Err(error) = done {
        tracing::debug!(%error, "connection ended");
    }
}

/// Reads until the bytes are HTTP/2's preface or cannot become it. Answers how many were read.
async fn first_bytes<S: AsyncRead + Unpin>(
    socket: &mut S,
    start: &mut [u8; PREFACE.len()],
) -> io::Result<(usize, bool)> {
    let mut read = 0;
    loop {
        let rest = start.get_mut(read..).unwrap_or_default();
        let more = socket.read(rest).await?;
        read += more;
        let same = start.get(..read).zip(PREFACE.get(..read)).is_some_and(|(a, b)| a == b);
        if more == 0 || !same || read == PREFACE.len() {
            return Ok((read, same && read == PREFACE.len()));
        }
    }
}

/// A socket with the bytes that were read from it already.
struct Prefixed<S> {
    start: [u8; PREFACE.len()],
    at: usize,
    end: usize,
    inner: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.at < self.end {
            let take = (self.end - self.at).min(out.remaining());
            out.put_slice(self.start.get(self.at..self.at + take).unwrap_or_default());
            self.at += take;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(context, out)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
