//! Listening, serving and stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use bartizan_core::EventStore;
use bartizan_guard::{Guard, Recorder};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::admission::Peer;
use crate::metrics::Metrics;
use crate::reload::Reloader;
use crate::settings::Settings;
use crate::shared::{Live, Shared};
use crate::stack::router;
use crate::upstream::Upstreams;

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A setting is wrong.
    #[error("{0}")]
    Settings(String),
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// Address as configured.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The evidence store cannot be used.
    #[error(transparent)]
    Store(#[from] bartizan_core::StoreError),
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Every request in flight was finished.
    Drained,
    /// Some were not finished in time.
    Cut,
}

/// A gateway that listens already.
pub struct Gateway {
    listener: TcpListener,
    router: Router,
    settings: Settings,
    metrics: Arc<Metrics>,
    reloader: Reloader,
}

impl Gateway {
    /// Checks the settings and starts to listen.
    ///
    /// # Errors
    /// A setting is wrong or the address is taken.
    pub async fn bind(settings: Settings, guard: Arc<Guard>, store: Arc<dyn EventStore>) -> Result<Self, GatewayError> {
        Self::bind_to(settings, guard, store, None).await
    }

    /// The same with upstreams over a transport of the caller's choice.
    ///
    /// # Errors
    /// A setting is wrong or the address is taken.
    pub async fn bind_with(
        settings: Settings,
        guard: Arc<Guard>,
        store: Arc<dyn EventStore>,
        upstreams: Upstreams,
    ) -> Result<Self, GatewayError> {
        Self::bind_to(settings, guard, store, Some(upstreams)).await
    }

    async fn bind_to(
        settings: Settings,
        guard: Arc<Guard>,
        store: Arc<dyn EventStore>,
        upstreams: Option<Upstreams>,
    ) -> Result<Self, GatewayError> {
        let listen_error = |source| GatewayError::Listen { address: settings.listen.clone(), source };
        let listener = TcpListener::bind(&settings.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let live = Live::build(guard, settings.clone(), upstreams, address).map_err(GatewayError::Settings)?;
        let recorder = Recorder::new(store)?;
        let metrics = Arc::new(Metrics::default());
        let shared = Arc::new(Shared::new(live, recorder, Arc::clone(&metrics)));
        let reloader = Reloader::new(Arc::clone(&shared), address);
        Ok(Self { listener, router: router(shared), settings, metrics, reloader })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Its counters.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// What puts another configuration in force.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Serves until `stop` is ready, then finishes what is in flight, at most for the drain time.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Stop {
        let timeouts = self.settings.timeouts;
        // HTTP/1 only: its header time-out covers a connection from its first byte, also one that never sends any.
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(Duration::from_millis(timeouts.header_ms));
        let connections = Arc::new(Semaphore::new(self.settings.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        let graceful = GracefulShutdown::new();
        let mut stop = pin!(stop);
        loop {
            let accept = async {
                // With no place left, callers wait in the system's queue.
                let place = Arc::clone(&connections).acquire_owned().await;
                (place, self.listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accept => accepted,
            };
            let Ok((socket, peer)) = accepted else {
                // Out of file descriptors, most likely: wait for some to come back instead of spinning.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let _ = socket.set_nodelay(true);
            let router = self.router.clone().layer(Extension(Peer(peer.ip())));
            let connection = http.serve_connection(TokioIo::new(socket), TowerToHyperService::new(router));
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended");
                }
                drop(place);
            });
        }
        drop(self.listener);
        match tokio::time::timeout(Duration::from_millis(timeouts.drain_ms), graceful.shutdown()).await {
            Ok(()) => Stop::Drained,
            Err(_) => Stop::Cut,
        }
    }
}
