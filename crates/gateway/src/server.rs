//! Listening, serving and stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::{AccessStore, EventStore};
use bartizan_guard::{Guard, Recorder};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Access;
use crate::admin::{self, AdminAccess};
use crate::admission::Peer;
use crate::connection::{Acceptor, Service, Versions};
use crate::console::{Account, Console, Oidc, Place, Sessions};
use crate::ext_proc;
use crate::lapse;
use crate::metrics::Metrics;
use crate::reload::Reloader;
use crate::settings::Settings;
use crate::shared::{Live, Profiles, Shared};
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
    callers: TcpListener,
    service: Service,
    envoy: Option<(TcpListener, Service)>,
    admin: Option<(TcpListener, Service)>,
    #[cfg(unix)]
    control: Option<(ControlSocket, Service)>,
    settings: Settings,
    metrics: Arc<Metrics>,
    reloader: Reloader,
    access: Arc<Access>,
}

impl Gateway {
    /// Checks the settings and starts to listen.
    ///
    /// # Errors
    /// A setting is wrong or an address is taken.
    pub async fn bind(settings: Settings, guard: Arc<Guard>, store: Arc<dyn EventStore>) -> Result<Self, GatewayError> {
        Self::bind_to(settings, (guard, Profiles::new()), Recorder::new(store)?, None, None).await
    }

    /// The same with guards for profiles, a recorder that may also keep content, and client keys and budgets that are kept
    /// in a store.
    ///
    /// # Errors
    /// A setting is wrong, an address is taken, or a store cannot be read.
    pub async fn bind_recorder(
        settings: Settings,
        guards: (Arc<Guard>, Profiles),
        recorder: Recorder,
        access: Option<Arc<dyn AccessStore>>,
    ) -> Result<Self, GatewayError> {
        Self::bind_to(settings, guards, recorder, access, None).await
    }

    /// The same with upstreams over a transport of the caller's choice.
    ///
    /// # Errors
    /// A setting is wrong or an address is taken.
    pub async fn bind_with(
        settings: Settings,
        guard: Arc<Guard>,
        store: Arc<dyn EventStore>,
        upstreams: Upstreams,
    ) -> Result<Self, GatewayError> {
        Self::bind_to(settings, (guard, Profiles::new()), Recorder::new(store)?, None, Some(upstreams)).await
    }

    async fn bind_to(
        settings: Settings,
        (guard, profiles): (Arc<Guard>, Profiles),
        recorder: Recorder,
        access: Option<Arc<dyn AccessStore>>,
        upstreams: Option<Upstreams>,
    ) -> Result<Self, GatewayError> {
        let header = Duration::from_millis(settings.timeouts.header_ms);
        let callers = listen(&settings.listen).await?;
        let address = local(&callers, &settings.listen)?;
        let metrics = Arc::new(Metrics::default());
        let access = Access::open(access, Arc::clone(&metrics)).await?;
        access.restore_watches(&settings.abuse).await?;
        let live = Live::build(guard, profiles, settings.clone(), upstreams, address, &access, None)
            .map_err(GatewayError::Settings)?;
        tokio::spawn(Access::keep(Arc::downgrade(&access), Arc::clone(recorder.store())));
        let reachable = !address.ip().is_loopback();
        let console = settings.console.enabled.unwrap_or(!reachable);
        if console && reachable && settings.tls.is_none() {
            return Err(GatewayError::Settings(format!(
                "`{}` can be reached from other machines, so the console needs `[tls]`",
                settings.listen
            )));
        }
        let place = Place::of(&settings, address).map_err(GatewayError::Settings)?;
        let oidc = settings.admin.oidc.as_ref().map(|oidc| Oidc::new(oidc, &place));
        let oidc = oidc.transpose().map_err(GatewayError::Settings)?;
        let account = settings.admin.break_glass.as_ref().filter(|_| console).map(Account::new);
        let account = account.transpose().map_err(GatewayError::Settings)?;
        let sessions = console.then(|| Arc::new(Sessions::new(&place, account)));
        let shared = Shared::new(live, recorder, Arc::clone(&metrics), Arc::clone(&access), sessions.clone());
        let shared = Arc::new(shared);
        tokio::spawn(lapse::watch(Arc::downgrade(&shared)));
        let guard = Arc::clone(&shared.live().guard);
        drop(tokio::task::spawn_blocking(move || guard.load()));
        let reloader = Reloader::new(Arc::clone(&shared), address);

        let tls = if settings.tls.is_some() { Acceptor::Live(Arc::clone(&shared)) } else { Acceptor::Plain };
        let console = sessions.map(|sessions| Console::new(sessions, oidc.clone(), &place));
        let versions = Versions::Both;
        let service =
            Service { router: router(Arc::clone(&shared), console, settings.tls.is_some()), tls, header, versions };
        let envoy = match &settings.ext_proc {
            None => None,
            Some(ext_proc) => {
                let listener = listen(&ext_proc.listen).await?;
                let reachable = !local(&listener, &ext_proc.listen)?.ip().is_loopback();
                let tls = ext_proc::acceptor(ext_proc, reachable).map_err(GatewayError::Settings)?;
                let router = ext_proc::router(&shared);
                Some((listener, Service { router, tls, header, versions: Versions::Two }))
            }
        };
        let admin = match &settings.admin.listen {
            None => None,
            Some(listen_on) => {
                let access = AdminAccess::keys(&settings.admin, oidc).map_err(GatewayError::Settings)?;
                let tls = settings.admin.tls.as_ref().map(crate::tls::Tls::acceptor);
                let tls = tls.transpose().map_err(GatewayError::Settings)?;
                let listener = listen(listen_on).await?;
                if !local(&listener, listen_on)?.ip().is_loopback() && tls.is_none() {
                    return Err(GatewayError::Settings(format!(
                        "`{listen_on}` can be reached from other machines, so the admin API needs `[admin.tls]`"
                    )));
                }
                let router = admin::router(Arc::clone(&shared), access, tls.is_some());
                let tls = tls.map_or(Acceptor::Plain, Acceptor::Fixed);
                Some((listener, Service { router, tls, header, versions }))
            }
        };
        #[cfg(unix)]
        let control = match settings.admin.socket_path(&settings.store) {
            None => None,
            Some(path) => {
                let router = admin::router(Arc::clone(&shared), AdminAccess::local(), false);
                Some((ControlSocket::bind(path)?, Service { router, tls: Acceptor::Plain, header, versions }))
            }
        };
        Ok(Self {
            callers,
            service,
            envoy,
            admin,
            #[cfg(unix)]
            control,
            settings,
            metrics,
            reloader,
            access,
        })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.callers.local_addr()
    }

    /// The address of the admin API, where it has one.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// The address at which Envoy is served, where it is.
    #[must_use]
    pub fn ext_proc_address(&self) -> Option<SocketAddr> {
        self.envoy.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
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
        let stopping = CancellationToken::new();
        let tracker = TaskTracker::new();
        // Administration has places of its own: a flood of callers must not lock the operator out.
        let mut listeners = tokio::task::JoinSet::new();
        listeners.spawn(accept(
            self.callers,
            self.service,
            self.settings.max_connections,
            stopping.clone(),
            tracker.clone(),
        ));
        if let Some((listener, service)) = self.envoy {
            let places = self.settings.ext_proc.as_ref().map_or(0, |envoy| envoy.max_connections);
            listeners.spawn(accept(listener, service, places, stopping.clone(), tracker.clone()));
        }
        if let Some((listener, service)) = self.admin {
            listeners.spawn(accept(listener, service, ADMIN_CONNECTIONS, stopping.clone(), tracker.clone()));
        }
        #[cfg(unix)]
        if let Some((socket, service)) = self.control {
            listeners.spawn(accept_local(socket, service, stopping.clone(), tracker.clone()));
        }
        let measuring = tokio::spawn(crate::pressure::measure());
        stop.await;
        measuring.abort();
        stopping.cancel();
        tracker.close();
        let drained = async {
            while listeners.join_next().await.is_some() {}
            tracker.wait().await;
        };
        let stop = match tokio::time::timeout(Duration::from_millis(self.settings.timeouts.drain_ms), drained).await {
            Ok(()) => Stop::Drained,
            Err(_) => Stop::Cut,
        };
        self.access.write().await;
        self.access.keep_watches().await;
        stop
    }
}

/// Most open connections of the admin API.
const ADMIN_CONNECTIONS: usize = 64;

async fn listen(address: &str) -> Result<TcpListener, GatewayError> {
    TcpListener::bind(address).await.map_err(|source| GatewayError::Listen { address: address.to_owned(), source })
}

fn local(listener: &TcpListener, address: &str) -> Result<SocketAddr, GatewayError> {
    listener.local_addr().map_err(|source| GatewayError::Listen { address: address.to_owned(), source })
}

/// Takes connections until told to stop.
async fn accept(listener: TcpListener, service: Service, places: usize, stop: CancellationToken, tracker: TaskTracker) {
    let places = Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
    loop {
        let accepted = async {
            // With no place left, callers wait in the system's queue.
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = accepted => accepted,
        };
        let Ok((socket, peer)) = accepted else {
            // Out of file descriptors, most likely: wait for some to come back instead of spinning.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = socket.set_nodelay(true);
        let connection = service.clone().run(socket, Peer(peer.ip()), stop.clone());
        tracker.spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

/// The socket file of the operator of this machine. It is taken away with this value.
#[cfg(unix)]
struct ControlSocket {
    listener: tokio::net::UnixListener,
    path: PathBuf,
}

#[cfg(unix)]
impl ControlSocket {
    fn bind(path: PathBuf) -> Result<Self, GatewayError> {
        use std::os::unix::fs::PermissionsExt as _;
        let failed = |source| GatewayError::Listen { address: path.display().to_string(), source };
        // The store's lock is held, so a socket that is there was left by a process that is gone.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = tokio::net::UnixListener::bind(&path).map_err(failed)?;
        // Who may connect is who may write to the file.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, path })
    }
}

#[cfg(unix)]
impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
async fn accept_local(socket: ControlSocket, service: Service, stop: CancellationToken, tracker: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = socket.listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let peer = Peer(std::net::Ipv4Addr::LOCALHOST.into());
        tracker.spawn(service.clone().run(stream, peer, stop.clone()));
    }
}
