//! Strangers: what is checked of a call before its message is read.
//!
//! A message is only decoded for somebody who may send it, and not faster or more than an address may:
//! until then a call costs its headers. Servers of the roster are not strangers.

use std::{
    convert::Infallible,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use proto::listener::ConnectInfo;
use tonic::{
    Status,
    body::Body,
    codegen::{Service, http},
};
use tower::Layer;

use crate::{
    limits::{HeldCall, Refused},
    metrics::Submission,
    node::Node,
    rpc::status::RpcError,
};

/// Calls that only servers of the roster may make.
const PEERS: &str = "/sotto.v1.Peers/";
const SUBMIT: &str = "/sotto.v1.Submissions/Submit";
const AMEND: &str = "/sotto.v1.Submissions/Amend";

/// The layer before all services of a server.
#[derive(Clone)]
pub struct Strangers(pub Arc<Node>);

/// See [`Strangers`].
#[derive(Clone)]
pub struct StrangersService<S> {
    node: Arc<Node>,
    service: S,
}

/// A body whose bytes count as held by a call, until it is dropped.
struct Counted {
    body: Body,
    call: Arc<HeldCall>,
    is_request: bool,
}

impl<S> Layer<S> for Strangers {
    type Service = StrangersService<S>;

    fn layer(&self, service: S) -> Self::Service {
        StrangersService { node: Arc::clone(&self.0), service }
    }
}

impl<S> Service<http::Request<Body>> for StrangersService<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self.node.let_in(&request) {
            Ok(None) => Box::pin(self.service.call(request)),
            Ok(Some(call)) => {
                let call = Arc::new(call);
                let counted = |body, is_request| {
                    Body::new(Counted { body, call: Arc::clone(&call), is_request })
                };
                let answer = self.service.call(request.map(|body| counted(body, true)));
                Box::pin(async move {
                    let answer = answer.await?;
                    Ok(answer.map(|body| Body::new(Counted { body, call, is_request: false })))
                })
            }
            Err(error) => {
                let answer = Status::from(error).into_http();
                Box::pin(std::future::ready(Ok(answer)))
            }
        }
    }
}

impl Node {
    /// Lets a call in, or refuses it; none: it is no stranger's.
    fn let_in<B>(&self, request: &http::Request<B>) -> Result<Option<HeldCall>, RpcError> {
        let Some(info) = request.extensions().get::<ConnectInfo>() else {
            return from_nowhere(cfg!(feature = "testing")).map(|()| None);
        };
        if info.peer_certs().is_some() {
            return Ok(None);
        }
        let path = request.uri().path();
        if path.starts_with(PEERS) {
            return Err(RpcError::STRANGER);
        }
        // A connection without an address has ended already.
        let address = info.remote_addr().map_or(IpAddr::from([0; 4]), |address| address.ip());
        let admitted = match self.rate.check(address) {
            Err(retry_after) => Err(Refused::TooFast { retry_after }),
            Ok(()) => self.held.begin(address, Some(info.standing().clone()), Instant::now()),
        };
        admitted.map(Some).map_err(|refused| {
            let word = refused.word();
            self.metrics.limit(word);
            match path {
                SUBMIT => self.metrics.submission(Submission::Refused(word)),
                AMEND => self.metrics.amendment(Err(word)),
                _ => {}
            }
            refused.into()
        })
    }
}

/// Every connection of a network says where it comes from; a simulation, which has no network, is
/// let in where one is built.
fn from_nowhere(has_simulation: bool) -> Result<(), RpcError> {
    if has_simulation { Ok(()) } else { Err(RpcError::STRANGER) }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if self.is_request
            && let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(refused) = self.call.add(data, Instant::now())
        {
            return Poll::Ready(Some(Err(RpcError::from(refused).into())));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_from_nowhere_is_let_in_only_where_a_simulation_is_built() {
        from_nowhere(false).unwrap_err();
        from_nowhere(true).unwrap();
    }
}
