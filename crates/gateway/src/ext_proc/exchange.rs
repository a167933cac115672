//! One exchange: Envoy's messages become a request to the same routes that serve callers, and what comes of it becomes
//! answers to Envoy.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bartizan_core::{Direction, Protocol};
use bartizan_wire::ErrorKind;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use tonic::Status;
use tower::ServiceExt as _;

use super::api::{HttpStatus, ImmediateResponse};
use super::headers;
use super::verdicts::{Decided, Out};
use super::wire::{Broken, Incoming, Wire};
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::proxy::Relayed;
use crate::upstream::{Carrier, Carry, CarryFuture, UpstreamError};

/// What an exchange is held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Time for the head of the request.
    pub(super) header: Duration,
    /// Time between two pieces of a reply.
    pub(super) idle: Duration,
    /// Bytes of a body.
    pub(super) body: usize,
}

/// Both sides of an exchange.
struct Exchange {
    wire: Arc<Wire>,
    out: Arc<Out>,
    /// The request as its caller sent it.
    caller: HeaderMap,
    path: Bytes,
    /// Fields of the upstream's reply.
    reply: OnceLock<HeaderMap>,
    bounds: Bounds,
}

/// Runs an exchange through the routes until nothing is left to decide.
pub(super) async fn run(
    wire: Arc<Wire>,
    out: Arc<Out>,
    routes: Router,
    metrics: Arc<Metrics>,
    bounds: Bounds,
) -> Result<Decided, Status> {
    let broken = |_: Broken| wire.fault().unwrap_or_else(|| Status::internal("internal error"));
    let late = |_| Status::deadline_exceeded("no request came");
    let head = tokio::time::timeout(bounds.header, wire.head(Direction::Request)).await.map_err(late)?;
    let request = headers::request(&head.map_err(broken)?);
    let request = match request {
        Ok(request) => request,
        Err(why) => {
            let failure = Failure::new(ErrorKind::InvalidRequest, "head", why);
            return immediate(&out, failure.respond(Protocol::OpenaiChat, &metrics), bounds).await;
        }
    };
    let path =
        request.uri().path_and_query().map_or_else(Bytes::new, |path| Bytes::copy_from_slice(path.as_str().as_bytes()));
    let exchange = Arc::new(Exchange {
        wire: Arc::clone(&wire),
        out: Arc::clone(&out),
        caller: request.headers().clone(),
        path,
        reply: OnceLock::new(),
        bounds,
    });
    let mut request = request.map(|()| Body::new(Incoming::new(&wire, Direction::Request)));
    request.extensions_mut().insert(Carrier(Arc::new(ToEnvoy(Arc::clone(&exchange)))));
    let Ok(response) = routes.oneshot(request).await;
    if let Some(fault) = wire.fault() {
        return Err(fault);
    }
    match exchange.reply.get().filter(|_| Relayed::is(&response)) {
        Some(reply) => exchange.relay(reply, response).await,
        None => immediate(&out, response, bounds).await,
    }
}

/// Gives an answer of the gateway's own.
async fn immediate(out: &Out, response: Response<Body>, bounds: Bounds) -> Result<Decided, Status> {
    let (head, body) = response.into_parts();
    let body = tokio::time::timeout(bounds.idle, body.collect()).await;
    let Ok(Ok(body)) = body else { return Err(Status::internal("the answer broke off")) };
    let answer = ImmediateResponse {
        status: Some(HttpStatus { code: head.status.as_u16().into() }),
        headers: Some(headers::all(&head.headers)),
        body: body.to_bytes(),
        details: "bartizan".to_owned(),
    };
    out.immediate(answer).await
}

impl Exchange {
    /// Lets the reply go on as far as it was decided.
    async fn relay(&self, reply: &HeaderMap, response: Response<Body>) -> Result<Decided, Status> {
        let (wire, out) = (&self.wire, &self.out);
        let (head, mut body) = response.into_parts();
        if wire.is_bare(Direction::Reply) {
            // There is no place for a body.
            let whole = tokio::time::timeout(self.bounds.idle, body.collect()).await;
            let Ok(Ok(whole)) = whole else { return Err(Status::internal("the reply broke off")) };
            let whole = whole.to_bytes();
            if !whole.is_empty() {
                return immediate(out, Response::from_parts(head, Body::from(whole)), self.bounds).await;
            }
            body = Body::empty();
        }
        let mut begun = false;
        loop {
            let frame = body.frame().await;
            if !begun {
                if !wire.is_seen(Direction::Reply) {
                    return Err(Status::deadline_exceeded("nothing of the body of the reply came"));
                }
                begun = true;
                out.reply_head(headers::change(Direction::Reply, reply, &head.headers)).await?;
            }
            let Some(frame) = frame else { break };
            let broken = |_| wire.fault().unwrap_or_else(|| Status::internal("the reply broke off"));
            if let Ok(bytes) = frame.map_err(broken)?.into_data() {
                out.reply_part(bytes).await?;
            }
        }
        out.reply_end(wire).await?;
        // A reply that was cut: Envoy ends the exchange with the upstream, or is not let go.
        let rest = tokio::time::timeout(self.bounds.idle, wire.drain(Direction::Reply, usize::MAX)).await;
        match rest {
            Ok(Ok(())) => out.decided(wire).ok_or_else(|| Status::internal("the exchange is not decided")),
            Ok(Err(_)) => Err(wire.fault().unwrap_or_else(|| Status::internal("internal error"))),
            Err(_) => Err(Status::deadline_exceeded("the reply was cut, and its rest goes on")),
        }
    }
}

/// Envoy in the place of the client that sends requests on.
struct ToEnvoy(Arc<Exchange>);

impl Carry for ToEnvoy {
    fn carry(&self, request: Request<Bytes>) -> CarryFuture {
        let exchange = Arc::clone(&self.0);
        Box::pin(async move {
            let lost = |error: Status| UpstreamError::Unreachable(Box::new(error));
            let broke = |error: Broken| UpstreamError::Unreachable(Box::new(error));
            let Exchange { wire, out, caller, path, reply, bounds } = &*exchange;
            let (head, body) = request.into_parts();
            // The routes may leave a body unread that they do not pass on.
            wire.drain(Direction::Request, bounds.body).await.map_err(broke)?;
            let mut change = headers::change(Direction::Request, caller, &head.headers);
            let to = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
            if to.as_bytes() != path {
                headers::set(&mut change, ":path", std::iter::once(to.as_bytes()));
            }
            wire.release();
            out.request(change, body, wire).await.map_err(lost)?;
            let came = wire.head(Direction::Reply).await.map_err(broke)?;
            let invalid = || lost(Status::internal("the head of the reply is not valid"));
            let (status, fields) = headers::reply(&came).ok_or_else(invalid)?;
            let mut response = Response::new(Body::new(Incoming::new(wire, Direction::Reply)));
            *response.status_mut() = status;
            response.headers_mut().clone_from(&fields);
            reply.set(fields).map_err(|_| lost(Status::internal("a second reply")))?;
            Ok(response)
        })
    }
}
