//! Calls: what happens to calls at a server's door, beyond what happens to connections.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderValue, header::DATE},
    middleware::{Next, from_fn},
    response::Response,
};
use tonic::{Status, service::Routes};

use crate::{
    plan::{CallFault, Kind},
    trace::Trace,
};

/// When every answer is given.
const DAY: HeaderValue = HeaderValue::from_static("Fri, 15 Jan 2027 08:00:00 GMT");
/// The largest message that is called twice.
const LARGEST: usize = 64 << 20;

/// The faults that wait for calls of one server.
pub struct Calls {
    server: usize,
    trace: Trace,
    waiting: Mutex<BTreeMap<Kind, Vec<(u32, CallFault)>>>,
}

impl Calls {
    pub fn new(server: usize, trace: Trace) -> Self {
        Self { server, trace, waiting: Mutex::default() }
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
        let layer = from_fn(move |request: Request, next: Next| {
            let calls = self.clone();
            async move {
                let mut response = calls.call(request, next).await;
                // Otherwise the real one, which takes more bytes whenever a real second has passed.
                response.headers_mut().insert(DATE, DAY);
                response
            }
        });
        routes.into_axum_router().layer(layer).into()
    }

    async fn call(&self, request: Request, next: Next) -> Response {
        let path = request.uri().path().to_owned();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let fault = Kind::of(&path).and_then(|kind| self.fault(kind));
        self.trace.say(|| match fault {
            None => format!("{} is called: {name}", self.server),
            Some(fault) => format!("{} is called: {name}, {fault:?}", self.server),
        });
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
                let Ok(body) = to_bytes(body, LARGEST).await else { return lost(true).await };
                let copy = Request::from_parts(parts.clone(), Body::from(body.clone()));
                let (later, trace, server) = (next.clone(), self.trace.clone(), self.server);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(later_ms)).await;
                    trace.say(|| format!("{server} is called again: {name}"));
                    drop(later.run(copy).await);
                });
                next.run(Request::from_parts(parts, Body::from(body))).await
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

/// The caller hears that it failed, or nothing until its deadline.
async fn lost(says: bool) -> Response {
    if !says {
        std::future::pending::<()>().await;
    }
    Status::unavailable("lost on the way").into_http()
}
