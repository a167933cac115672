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
        let envoy = match &settings.ext_proc {
            Some(ext_proc) => Some(listen(&ext_proc.listen).await?),
            None => None,
        };
        let admin = match &settings.admin.listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let addresses = Addresses {
            callers: local(&callers, &settings.listen)?,
            envoy: envoy.as_ref().map(|at| local(at, "ext_proc.listen")).transpose()?,
            admin: admin.as_ref().map(|at| local(at, "admin.listen")).transpose()?,
        };
        let metrics = Arc::new(Metrics::default());
        let access = Access::open(access, Arc::clone(&metrics)).await?;
        access.restore_watches(&settings.abuse).await?;
        let parts = Parts::make(&settings, (guard, profiles), upstreams, &addresses, &access)
            .map_err(GatewayError::Settings)?;
        let Parts { live, place, oidc, sessions, envoy_tls, admin: administration } = parts;
        tokio::spawn(Access::keep(Arc::downgrade(&access), Arc::clone(recorder.store())));
        let shared = Shared::new(live, recorder, Arc::clone(&metrics), Arc::clone(&access), sessions.clone());
        let shared = Arc::new(shared);
        tokio::spawn(lapse::watch(Arc::downgrade(&shared)));
        let guard = Arc::clone(&shared.live().guard);
        drop(tokio::task::spawn_blocking(move || guard.load()));
        let reloader = Reloader::new(Arc::clone(&shared), addresses.callers);

        let tls = if settings.tls.is_some() { Acceptor::Live(Arc::clone(&shared)) } else { Acceptor::Plain };
        let console = sessions.map(|sessions| Console::new(sessions, oidc, &place));
        let versions = Versions::Both;
        let failed = Arc::clone(&metrics);
        let service = |router, tls, versions| Service { router, tls, header, versions, metrics: Arc::clone(&failed) };
        let callers_service = service(router(Arc::clone(&shared), console, settings.tls.is_some()), tls, versions);
        let envoy = envoy
            .zip(envoy_tls)
            .map(|(listener, tls)| (listener, service(ext_proc::router(&shared), tls, Versions::Two)));
        let admin = admin.zip(administration).map(|(listener, (access, tls))| {
            let router = admin::router(Arc::clone(&shared), access, !matches!(tls, Acceptor::Plain));
            (listener, service(router, tls, versions))
        });
        #[cfg(unix)]
        let control = match settings.admin.socket_path(&settings.store) {
            None => None,
            Some(path) => {
                let router = admin::router(Arc::clone(&shared), AdminAccess::local(), false);
                Some((ControlSocket::bind(path)?, service(router, Acceptor::Plain, versions)))
            }
        };
        Ok(Self {
            callers,
            service: callers_service,
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

/// Where a gateway listens.
struct Addresses {
    callers: SocketAddr,
    envoy: Option<SocketAddr>,
    admin: Option<SocketAddr>,
}

/// What a gateway is made of besides sockets and stores.
struct Parts {
    live: Live,
    place: Place,
    oidc: Option<Arc<Oidc>>,
    sessions: Option<Arc<Sessions>>,
    envoy_tls: Option<Acceptor>,
    admin: Option<(AdminAccess, Acceptor)>,
}

impl Parts {
    /// Reads every file and secret that the settings name. Needs a tokio runtime.
    fn make(
        settings: &Settings,
        (guard, profiles): (Arc<Guard>, Profiles),
        upstreams: Option<Upstreams>,
        addresses: &Addresses,
        access: &Arc<Access>,
    ) -> Result<Self, String> {
        let live = Live::build(guard, profiles, settings.clone(), upstreams, addresses.callers, access, None)?;
        let reachable = !addresses.callers.ip().is_loopback();
        let console = settings.console.enabled.unwrap_or(!reachable);
        if console && reachable && settings.tls.is_none() {
            return Err(format!(
                "`{}` can be reached from other machines, so the console needs `[tls]`",
                settings.listen
            ));
        }
        let place = Place::of(settings, addresses.callers)?;
        let oidc = settings.admin.oidc.as_ref().map(|oidc| Oidc::new(oidc, &place)).transpose()?;
        let account = settings.admin.break_glass.as_ref().filter(|_| console).map(Account::new).transpose()?;
        let sessions = console.then(|| Arc::new(Sessions::new(&place, account)));
        let envoy = settings.ext_proc.as_ref().zip(addresses.envoy);
        let envoy_tls = envoy.map(|(envoy, at)| ext_proc::acceptor(envoy, !at.ip().is_loopback())).transpose()?;
        let admin = match settings.admin.listen.as_ref().zip(addresses.admin) {
            None => None,
            Some((listen_on, at)) => {
                let access = AdminAccess::keys(&settings.admin, oidc.clone())?;
                let tls = settings.admin.tls.as_ref().map(crate::tls::Tls::acceptor).transpose()?;
                if !at.ip().is_loopback() && tls.is_none() {
                    return Err(format!(
                        "`{listen_on}` can be reached from other machines, so the admin API needs `[admin.tls]`"
                    ));
                }
                Some((access, tls.map_or(Acceptor::Plain, Acceptor::Fixed)))
            }
        };
        Ok(Self { live, place, oidc, sessions, envoy_tls, admin })
    }
}

/// Whether a gateway could be made of these settings: what [`Gateway::bind`] reads is read, and nothing is listened on,
/// sent or written. `keyed` says that client keys were made before.
///
/// # Errors
/// What keeps it from starting.
pub fn check(settings: &Settings, guards: (Arc<Guard>, Profiles), keyed: bool) -> Result<(), GatewayError> {
    let failed = |error: std::io::Error| GatewayError::Settings(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let access = runtime.block_on(Access::open(None, Arc::default()))?;
    if keyed {
        access.expect_keys();
    }
    let addresses = Addresses {
        callers: meant(&settings.listen),
        envoy: settings.ext_proc.as_ref().map(|envoy| meant(&envoy.listen)),
        admin: settings.admin.listen.as_deref().map(meant),
    };
    // What the parts start on the runtime, such as fetching a key set, never runs: nobody drives it from here on.
    let _entered = runtime.enter();
    Parts::make(settings, guards, None, &addresses, &access).map(drop).map_err(GatewayError::Settings)
}

/// The address that is meant, for who does not listen on it. A name that means nothing here may be one of another
/// machine, which others can reach.
fn meant(address: &str) -> SocketAddr {
    let found = std::net::ToSocketAddrs::to_socket_addrs(address).ok().and_then(|mut all| all.next());
    found.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)))
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
