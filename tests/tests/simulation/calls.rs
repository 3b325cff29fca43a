//! Calls: what happens to calls at a server's door, beyond what happens to connections.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, header::DATE},
    middleware::{Next, from_fn},
    response::Response,
};
use futures::{StreamExt as _, TryStreamExt as _};
use tonic::{Status, service::Routes};
use tower::ServiceExt as _;

use crate::{
    plan::{CallFault, Kind},
    trace::Trace,
};

/// When every answer is given.
const DAY: HeaderValue = HeaderValue::from_static("Fri, 15 Jan 2027 08:00:00 GMT");

/// The faults that wait for calls of one server.
pub struct Calls {
    server: usize,
    trace: Trace,
    waiting: Mutex<BTreeMap<Kind, Vec<(u32, CallFault)>>>,
    /// Behind the door of the server's present life: a call may come again in a later one.
    inside: Arc<Mutex<Router>>,
}

impl Calls {
    pub fn new(server: usize, trace: Trace) -> Self {
        Self { server, trace, waiting: Mutex::default(), inside: Arc::default() }
    }

    /// Lets a call of this kind meet a fault, after so many that do not.
    pub fn arm(&self, kind: Kind, skip: u32, fault: CallFault) {
        self.waiting.lock().unwrap().entry(kind).or_default().push((skip, fault));
    }

    /// No fault waits any more.
    pub fn heal(&self) {
        self.waiting.lock().unwrap().clear();
    }

    /// The routes behind these faults.
    pub fn before(self: Arc<Self>, routes: Routes) -> Routes {
        let inside = routes.into_axum_router();
        *self.inside.lock().unwrap() = inside.clone();
        let layer = from_fn(move |request: Request, next: Next| {
            let calls = self.clone();
            async move {
                let mut response = calls.call(request, next).await;
                // Otherwise the real one, which takes more bytes whenever a real second has passed.
                response.headers_mut().insert(DATE, DAY);
                response
            }
        });
        inside.layer(layer).into()
    }

    async fn call(&self, request: Request, next: Next) -> Response {
        let path = request.uri().path().to_owned();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let fault = Kind::of(&path).and_then(|kind| self.fault(kind));
        self.trace.say(|| match fault {
            None => format!("{} is called: {name}", self.server),
            Some(fault) => format!("{} is called: {name}, {fault:?}", self.server),
        });
        if let Some(fault) = fault {
            self.trace.fired(match fault {
                CallFault::DropBefore { .. } => "a call is lost",
                CallFault::DropAfter { .. } => "an answer is lost",
                CallFault::Delay { .. } => "a call is late",
                CallFault::Duplicate { .. } => "a call comes twice",
            });
        }
        match fault {
            None => next.run(request).await,
            Some(CallFault::DropBefore { says }) => lost(says).await,
            Some(CallFault::DropAfter { says }) => {
                drop(next.run(request).await);
                lost(says).await
            }
            Some(CallFault::Delay { ms }) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                next.run(request).await
            }
            Some(CallFault::Duplicate { later_ms }) => {
                let (parts, body) = request.into_parts();
                let heard = Arc::new(Mutex::new(Vec::new()));
                let (hears, again) = (heard.clone(), parts.clone());
                let body = body.into_data_stream().inspect_ok(move |piece| {
                    hears.lock().unwrap().push(piece.clone());
                });
                let (inside, trace, server) =
                    (self.inside.clone(), self.trace.clone(), self.server);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(later_ms)).await;
                    trace.say(|| format!("{server} is called again: {name}"));
                    let inside = inside.lock().unwrap().clone();
                    let heard = std::mem::take(&mut *heard.lock().unwrap());
                    let body = Body::from(heard.concat());
                    let Ok(answer) = inside.oneshot(Request::from_parts(again, body)).await;
                    hear_all(answer).await;
                });
                next.run(Request::from_parts(parts, Body::from_stream(body))).await
            }
        }
    }

    fn fault(&self, kind: Kind) -> Option<CallFault> {
        let mut waiting = self.waiting.lock().unwrap();
        let faults = waiting.get_mut(&kind)?;
        match faults.first_mut()? {
            (0, _) => Some(faults.remove(0).1),
            (skip, _) => {
                *skip -= 1;
                None
            }
        }
    }
}

/// As a caller does who takes the whole answer.
async fn hear_all(response: Response) {
    let mut pieces = response.into_body().into_data_stream();
    while let Some(Ok(_)) = pieces.next().await {}
}

/// The caller hears that it failed, or nothing until its deadline.
async fn lost(says: bool) -> Response {
    if !says {
        std::future::pending::<()>().await;
    }
    Status::unavailable("lost on the way").into_http()
}
