//! Served: tells the listener which connections had a call answered well.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use tonic::{
    Status,
    codegen::{Service, http},
};
use tower::Layer;

use super::{ConnectInfo, places::OpenCall};

/// A layer for every service behind a [`super::listener`]: without it, connections are closed after
/// their first deadline.
#[derive(Debug, Clone, Copy, Default)]
pub struct Served;

/// See [`Served`].
#[derive(Debug, Clone)]
pub struct ServedService<S>(S);

/// An answer that is looked at when it is there.
#[derive(Debug)]
pub struct Answer<F> {
    call: Option<OpenCall>,
    answer: Pin<Box<F>>,
}

impl<S> Layer<S> for Served {
    type Service = ServedService<S>;

    fn layer(&self, service: S) -> Self::Service {
        ServedService(service)
    }
}

impl<S, A, B> Service<http::Request<A>> for ServedService<S>
where
    S: Service<http::Request<A>, Response = http::Response<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<A>) -> Self::Future {
        let info = request.extensions().get::<ConnectInfo>();
        let call = info.map(|info| info.standing().enter());
        Answer { call, answer: Box::pin(self.0.call(request)) }
    }
}

impl<F, B, E> Future for Answer<F>
where
    F: Future<Output = Result<http::Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.answer.as_mut().poll(cx));
        if let (Some(call), Ok(answer)) = (&self.call, &answer)
            && is_good(answer)
        {
            call.serve(Instant::now());
        }
        Poll::Ready(answer)
    }
}

/// Whether an answer, or its beginning, is no refusal.
fn is_good<B>(answer: &http::Response<B>) -> bool {
    let status = Status::from_header_map(answer.headers());
    answer.status().is_success() && status.is_none_or(|status| status.code() == tonic::Code::Ok)
}
