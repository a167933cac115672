//! What Envoy says, in the order of the protocol and in no other.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bartizan_core::Direction;
use bytes::Bytes;
use futures_util::Stream;
use http_body::Frame;
use tonic::Status;

use super::api::{
    FULL_DUPLEX_STREAMED, HttpBody, HttpHeaders, HttpTrailers, Part, ProcessingRequest, ProtocolConfiguration,
};

/// Envoy left, or said what it may not say. [`Wire::fault`] tells.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the exchange with Envoy broke off")]
pub(super) struct Broken;

/// How far a direction has come in.
#[derive(Debug, Default)]
enum Half {
    #[default]
    Waiting,
    /// `seen`: a piece of the body has come.
    Open { seen: bool },
    /// `trailers` are the names of the fields; `bare`: there was no body at all.
    Ended { trailers: Option<Vec<String>>, bare: bool },
}

/// What is new.
enum Piece {
    Head(Direction, HttpHeaders),
    Body(Direction, Bytes),
}

type Inbound = Pin<Box<dyn Stream<Item = Result<ProcessingRequest, Status>> + Send>>;

struct Inner {
    inbound: Inbound,
    request: Half,
    reply: Half,
    /// The request was let go on, so a reply may come.
    released: bool,
    fault: Option<Status>,
}

/// Envoy's side of one exchange. Whoever waits for a part of it takes it from here; nothing is read before.
pub(super) struct Wire(Mutex<Inner>);

impl Wire {
    pub(super) fn new(inbound: impl Stream<Item = Result<ProcessingRequest, Status>> + Send + 'static) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inner {
            inbound: Box::pin(inbound),
            request: Half::Waiting,
            reply: Half::Waiting,
            released: false,
            fault: None,
        })))
    }

    /// The head of this direction.
    pub(super) async fn head(&self, of: Direction) -> Result<HttpHeaders, Broken> {
        std::future::poll_fn(|context| {
            let mut inner = self.lock();
            match ready!(inner.poll(context))? {
                Piece::Head(direction, head) if direction == of => Poll::Ready(Ok(head)),
                Piece::Head(..) | Piece::Body(..) => Poll::Ready(Err(inner.fail(out_of_order("this message")))),
            }
        })
        .await
    }

    /// Reads what is left of this direction, and throws it away.
    pub(super) async fn drain(&self, of: Direction, most: usize) -> Result<(), Broken> {
        let mut left = most;
        while let Some(bytes) = std::future::poll_fn(|context| self.poll_body(of, context)).await {
            let Some(rest) = left.checked_sub(bytes?.len()) else {
                return Err(self.lock().fail(Status::resource_exhausted("a body is larger than the limit")));
            };
            left = rest;
        }
        Ok(())
    }

    /// A reply may come from now on.
    pub(super) fn release(&self) {
        self.lock().released = true;
    }

    /// True once this direction has come in whole.
    pub(super) fn is_ended(&self, of: Direction) -> bool {
        matches!(self.lock().half(of), Half::Ended { .. })
    }

    /// True once something of the body has come, or all of it. Before that Envoy may be keeping it to itself.
    pub(super) fn is_seen(&self, of: Direction) -> bool {
        matches!(self.lock().half(of), Half::Ended { .. } | Half::Open { seen: true })
    }

    /// True where this direction has no body.
    pub(super) fn is_bare(&self, of: Direction) -> bool {
        matches!(self.lock().half(of), Half::Ended { bare: true, .. })
    }

    /// Names of the fields that came after the body; `None` where there was no such part.
    pub(super) fn trailers(&self, of: Direction) -> Option<Vec<String>> {
        match self.lock().half(of) {
            Half::Ended { trailers, .. } => trailers.clone(),
            Half::Waiting | Half::Open { .. } => None,
        }
    }

    /// Why the exchange broke off, where it did.
    pub(super) fn fault(&self) -> Option<Status> {
        self.lock().fault.clone()
    }

    fn poll_body(&self, of: Direction, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut inner = self.lock();
        loop {
            if matches!(inner.half(of), Half::Ended { .. }) {
                return Poll::Ready(None);
            }
            match ready!(inner.poll(context)) {
                Ok(Piece::Body(direction, bytes)) if direction == of => {
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Ok(_) => return Poll::Ready(Some(Err(inner.fail(out_of_order("this message"))))),
                Err(broken) => return Poll::Ready(Some(Err(broken))),
            }
        }
    }

    /// What is behind the lock is whole after every step, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn half(&mut self, of: Direction) -> &mut Half {
        match of {
            Direction::Request => &mut self.request,
            Direction::Reply => &mut self.reply,
        }
    }

    /// The first fault stays.
    fn fail(&mut self, status: Status) -> Broken {
        self.fault.get_or_insert(status);
        Broken
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        loop {
            if self.fault.is_some() {
                return Poll::Ready(Err(Broken));
            }
            let taken = match ready!(self.inbound.as_mut().poll_next(context)) {
                Some(Ok(message)) => self.take(message),
                Some(Err(_)) | None => Err(Status::cancelled("Envoy left before the exchange was decided")),
            };
            match taken {
                Ok(Some(piece)) => return Poll::Ready(Ok(piece)),
                Ok(None) => {}
                Err(status) => return Poll::Ready(Err(self.fail(status))),
            }
        }
    }

    fn take(&mut self, message: ProcessingRequest) -> Result<Option<Piece>, Status> {
        if message.observability_mode {
            let why = "`observability_mode` waits for no answer, so nothing could be enforced; turn it off";
            return Err(Status::failed_precondition(why));
        }
        let part = message.request.ok_or_else(|| Status::unimplemented("this part of an exchange is not known"))?;
        match part {
            Part::RequestHeaders(head) => {
                check_modes(message.protocol_config)?;
                self.take_head(Direction::Request, head)
            }
            // Before that, it is an answer to nothing.
            Part::ResponseHeaders(_) if !self.released => Err(out_of_order("a reply")),
            Part::ResponseHeaders(head) => self.take_head(Direction::Reply, head),
            Part::RequestBody(body) => self.take_body(Direction::Request, body),
            Part::ResponseBody(body) => self.take_body(Direction::Reply, body),
            Part::RequestTrailers(trailers) => self.take_trailers(Direction::Request, trailers),
            Part::ResponseTrailers(trailers) => self.take_trailers(Direction::Reply, trailers),
        }
    }

    fn take_head(&mut self, of: Direction, head: HttpHeaders) -> Result<Option<Piece>, Status> {
        let half = self.half(of);
        if !matches!(half, Half::Waiting) {
            return Err(out_of_order("a head"));
        }
        *half =
            if head.end_of_stream { Half::Ended { trailers: None, bare: true } } else { Half::Open { seen: false } };
        Ok(Some(Piece::Head(of, head)))
    }

    fn take_body(&mut self, of: Direction, body: HttpBody) -> Result<Option<Piece>, Status> {
        let half = self.half(of);
        match half {
            Half::Waiting => Err(out_of_order("a body")),
            // Envoy 1.35 and later may send the last piece twice (envoyproxy/envoy#46237). What was examined is what goes
            // on, so what comes after the end is nothing.
            Half::Ended { .. } => Ok(None),
            Half::Open { .. } => {
                *half = match body.end_of_stream {
                    true => Half::Ended { trailers: None, bare: false },
                    false => Half::Open { seen: true },
                };
                Ok(Some(Piece::Body(of, body.body)))
            }
        }
    }

    fn take_trailers(&mut self, of: Direction, trailers: HttpTrailers) -> Result<Option<Piece>, Status> {
        let half = self.half(of);
        if !matches!(half, Half::Open { .. }) {
            return Err(out_of_order("trailers"));
        }
        let names = trailers.trailers.into_iter().flat_map(|map| map.headers).map(|field| field.key).collect();
        *half = Half::Ended { trailers: Some(names), bare: false };
        Ok(Some(Piece::Body(of, Bytes::new())))
    }
}

/// A mode in which Envoy keeps a body to itself would let it pass unread.
fn check_modes(config: Option<ProtocolConfiguration>) -> Result<(), Status> {
    let Some(config) = config else {
        let why = "this Envoy does not say how it sends bodies; version 1.38 or later is needed";
        return Err(Status::failed_precondition(why));
    };
    if config.request_body_mode != FULL_DUPLEX_STREAMED || config.response_body_mode != FULL_DUPLEX_STREAMED {
        let why = "`request_body_mode` and `response_body_mode` have to be `FULL_DUPLEX_STREAMED`: in any other mode a \
                   body could pass unread";
        return Err(Status::failed_precondition(why));
    }
    Ok(())
}

fn out_of_order(what: &str) -> Status {
    Status::failed_precondition(format!("{what} out of order"))
}

/// The body of one direction.
pub(super) struct Incoming {
    wire: Arc<Wire>,
    of: Direction,
}

impl Incoming {
    pub(super) fn new(wire: &Arc<Wire>, of: Direction) -> Self {
        Self { wire: Arc::clone(wire), of }
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.wire.poll_body(self.of, context).map(|piece| piece.map(|bytes| bytes.map(Frame::data)))
    }
}
