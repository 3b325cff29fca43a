//! The listener for Prometheus: plain HTTP on an address of its own, which has nothing else.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::text;
use crate::{limits::InFlight, node::Node};

/// Connections at once: a scraper needs one.
const CONNECTIONS: u32 = 16;
/// How long a connection may take for a request, or be idle.
const IDLE: Duration = Duration::from_secs(60);
/// The longest head of a request.
const HEAD: usize = 16 << 10;
/// Pause after the system refused to accept.
const PAUSE: Duration = Duration::from_millis(100);
/// What OpenMetrics' text format is called.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers until the server stops.
pub async fn serve(listener: TcpListener, node: Arc<Node>) {
    let places = InFlight::new(CONNECTIONS);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = node.stop.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted for metrics");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.enter(None) else { continue };
        let node_of_task = node.clone();
        node.tasks.spawn(async move {
            let stop = node_of_task.stop.clone();
            tokio::select! {
                () = speak(stream, &node_of_task) => {}
                () = stop.cancelled() => {}
            }
            drop(place);
        });
    }
}

async fn speak(stream: TcpStream, node: &Node) {
    let service = service_fn(async |request| Ok::<_, Infallible>(answer(node, &request).await));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection for metrics ended");
    }
}

async fn answer(node: &Node, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, header, body) = match (request.uri().path(), request.method()) {
        ("/metrics", &Method::GET) => match text(node).await {
            Ok(text) => (StatusCode::OK, (CONTENT_TYPE, FORMAT), text),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, plain(), "no text\n".into()),
        },
        ("/metrics", _) => (StatusCode::METHOD_NOT_ALLOWED, (ALLOW, "GET"), String::new()),
        _ => (StatusCode::NOT_FOUND, plain(), "metrics are at /metrics\n".into()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let (name, value) = header;
    response.headers_mut().insert(name, hyper::header::HeaderValue::from_static(value));
    response
}

fn plain() -> (hyper::header::HeaderName, &'static str) {
    (CONTENT_TYPE, "text/plain; charset=utf-8")
}
