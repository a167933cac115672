//! Envoy's external processing filter as another front door.
//!
//! An exchange takes the same way as one of a caller of the gateway: the same routes serve it, and Envoy stands in for
//! the client that sends requests on. `verdicts` holds the law that an exchange cannot end well undecided.

pub mod api;
mod codec;
mod exchange;
mod headers;
#[cfg(test)]
mod tests;
mod verdicts;
mod wire;

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use http::{Request, Response};
use tonic::server::{Grpc, StreamingService};
use tonic::{Code, Status, Streaming};

pub use codec::Protobuf;

use self::api::{PROCESS, ProcessingRequest, ProcessingResponse};
use self::exchange::Bounds;
use self::verdicts::Verdicts;
use self::wire::Wire;
use crate::connection::Acceptor;
use crate::settings::{ExtProc, Settings};
use crate::shared::Shared;
use crate::stack;
use crate::tls::{ClientAuth, Tls};

/// Bytes of a message besides the part of a body in it.
const MARGIN: usize = 128 << 10;

/// What the types cannot say about the settings.
///
/// # Errors
/// There is nothing that Envoy could ask about, or nobody whom it could ask.
pub fn check(settings: &Settings) -> Result<(), String> {
    for upstream in settings.upstream.iter().filter(|upstream| upstream.is_behind_envoy()) {
        upstream.check_envoy()?;
    }
    let behind = settings.upstream.iter().find(|upstream| upstream.is_behind_envoy());
    match (&settings.ext_proc, behind) {
        (Some(_), None) => {
            Err("`[ext_proc]` needs an `[[upstream]]` with `url = \"envoy\"`, which says what is checked \
             of what Envoy sends on and under which name it is recorded"
                .to_owned())
        }
        (None, Some(upstream)) => Err(format!(
            "upstream `{}` is behind Envoy, so an `[ext_proc]` section has to say where Envoy asks",
            upstream.name
        )),
        (Some(ext_proc), Some(_)) if ext_proc.max_connections == 0 => {
            Err("`ext_proc.max_connections` must not be 0".to_owned())
        }
        _ => Ok(()),
    }
}

/// What accepts Envoy's connections. `reachable`: other machines reach the address.
///
/// # Errors
/// Whoever is there could pose as Envoy, or a file cannot be used.
pub(crate) fn acceptor(settings: &ExtProc, reachable: bool) -> Result<Acceptor, String> {
    let shows = |tls: &Tls| tls.client_ca.is_some() && tls.client_auth == ClientAuth::Required;
    if reachable && !settings.tls.as_ref().is_some_and(shows) {
        return Err(format!(
            "`{}` can be reached from other machines, and whoever connects there is taken for Envoy: it needs \
             `[ext_proc.tls]` with `client_ca`, and client certificates must be required",
            settings.listen
        ));
    }
    let acceptor = settings.tls.as_ref().map(Tls::acceptor).transpose()?;
    Ok(acceptor.map_or(Acceptor::Plain, Acceptor::Fixed))
}

/// The gRPC service.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let processor = Processor { routes: stack::carried(Arc::clone(shared)), shared: Arc::clone(shared) };
    let unknown = || async { Status::unimplemented("this method is not served").into_http::<Body>() };
    Router::new().route(PROCESS, post(process)).fallback(unknown).with_state(processor)
}

#[derive(Clone)]
struct Processor {
    shared: Arc<Shared>,
    routes: Router,
}

async fn process(State(processor): State<Processor>, request: Request<Body>) -> Response<Body> {
    let most = processor.shared.live().guard.limits().max_body.saturating_add(MARGIN);
    let codec = Protobuf::<ProcessingResponse, ProcessingRequest>::default();
    Grpc::new(codec).max_decoding_message_size(most).streaming(processor, request).await.map(Body::new)
}

impl StreamingService<ProcessingRequest> for Processor {
    type Response = ProcessingResponse;
    type ResponseStream = Verdicts;
    type Future = Ready<Result<tonic::Response<Verdicts>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<ProcessingRequest>>) -> Self::Future {
        let live = self.shared.live();
        let timeouts = &live.settings.timeouts;
        let bounds = Bounds {
            header: Duration::from_millis(timeouts.header_ms),
            idle: Duration::from_millis(timeouts.idle_ms),
            body: live.guard.limits().max_body,
        };
        let wire = Wire::new(request.into_inner());
        let (routes, metrics) = (self.routes.clone(), Arc::clone(&self.shared.metrics));
        let verdicts = Verdicts::begin(|out| async move {
            let done = exchange::run(wire, out, routes, Arc::clone(&metrics), bounds).await;
            if let Err(status) = &done {
                metrics.error("ext_proc");
                // A caller who leaves is nothing to look into.
                match status.code() {
                    Code::Cancelled => tracing::debug!(why = status.message(), "an exchange with Envoy broke off"),
                    _ => tracing::warn!(why = status.message(), "an exchange with Envoy broke off"),
                }
            }
            done
        });
        ready(Ok(tonic::Response::new(verdicts)))
    }
}
