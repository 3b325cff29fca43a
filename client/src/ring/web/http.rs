//! HTTP: which request is which, checked as far as that needs no lesson.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use super::{
    LONGEST_REQUEST,
    classroom::{Classroom, Listener, Who},
    example::Example,
    headers::{ALWAYS, NO_STORE, check_source},
    limits::Place,
    page,
    refusal::Refusal,
    request::ExampleWanted,
    traffic::Direction,
};

mod call;

use call::Call;

/// What all requests share.
#[derive(Debug, Clone)]
pub struct Web {
    /// The lesson.
    pub classroom: Arc<Classroom>,
    /// The name under which the host is reached.
    pub name: Arc<str>,
    /// The pupils' link.
    pub link: Arc<str>,
    /// The shipped class.
    pub example: Arc<Example>,
    /// One example is computed at a time.
    pub computing: Arc<Semaphore>,
}

/// What was found out about a request before its body was read.
#[derive(Debug, Clone, Copy)]
struct Caller(Option<Who>);

/// Put on an answer that is a refusal: what it says.
#[derive(Debug, Clone)]
struct Refused(String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    after: Option<u64>,
}

/// All that the host serves.
pub fn router(web: Web) -> Router {
    Router::new()
        .route("/", get(async || page::file("index.html").ok_or(Refusal::NotFound)))
        .route("/teacher", get(async || page::file("teacher.html").ok_or(Refusal::NotFound)))
        .route("/assets/{*file}", get(asset))
        .route("/qr.svg", get(picture))
        .route("/api/join", post(async |call: Call| call.answer(Call::join).await))
        .route("/api/pupil", post(async |call: Call| call.answer(Call::pupil).await))
        .route("/api/teacher", post(async |call: Call| call.answer(Call::teacher).await))
        .route("/api/teacher/example", post(example))
        .route("/api/events", get(events))
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::WrongMethod)
        .layer(middleware::from_fn_with_state(web.clone(), guard))
        .layer(middleware::map_response(finish))
        .with_state(web)
}

/// Refuses what is not meant for this host, and those who ask too much. What is refused, here or
/// later, is written down.
async fn guard(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let who = bearer(request.headers()).and_then(|token| web.classroom.who(token));
    let path = request.uri().path().to_owned();
    let response = match admit(&web, &request, who) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => {
            if who.is_some()
                && let Some(place) = request.extensions().get::<Arc<Place>>()
            {
                place.recognise();
            }
            request.extensions_mut().insert(Caller(who));
            let response = tokio::time::timeout(LONGEST_REQUEST, next.run(request)).await;
            response.unwrap_or_else(|_| Refusal::TooSlow.into_response())
        }
    };
    if let Some(Refused(body)) = response.extensions().get()
        && path.starts_with("/api/")
    {
        web.record(Direction::Out, &path, who, body);
    }
    response
}

fn admit(web: &Web, request: &Request, who: Option<Who>) -> Result<(), Refusal> {
    check_source(&web.name, request.uri(), request.headers())?;
    let admitted = match who {
        Some(who) => web.classroom.admit(who),
        None => web.classroom.limits.admit(address(request).ip()),
    };
    if admitted { Ok(()) } else { Err(Refusal::TooFast) }
}

/// Puts on every answer what browsers have to know.
async fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(NO_STORE);
    response
}

async fn asset(Path(file): Path<String>) -> Result<Response, Refusal> {
    page::file(&format!("assets/{file}")).ok_or(Refusal::NotFound)
}

async fn picture(State(web): State<Web>) -> Result<Response, Refusal> {
    page::qr_picture(&web.link).ok_or(Refusal::Broken)
}

async fn events(State(web): State<Web>, request: Request) -> Response {
    let who = request.extensions().get::<Caller>().and_then(|caller| caller.0);
    let after = Query::<After>::try_from_uri(request.uri());
    let after = after.map_err(|error| Refusal::Malformed(error.body_text()));
    let listener = after.and_then(|Query(After { after })| {
        let after = after.unwrap_or(0);
        web.record(Direction::In, "/api/events", who, &json!({ "after": after }).to_string());
        web.classroom.listen(who.ok_or(Refusal::WrongToken)?, after)
    });
    match listener {
        Ok(listener) => stream(listener),
        Err(refusal) => refusal.into_response(),
    }
}

/// Events for as long as somebody reads them.
fn stream(listener: Listener) -> Response {
    let lines = futures::stream::unfold(listener, async |mut listener| {
        let lines = listener.next().await?;
        Some((Ok::<_, std::convert::Infallible>(lines), listener))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn example(call: Call) -> Response {
    let wanted = call.decode::<ExampleWanted>();
    let wanted = match call.who {
        Some(Who::Teacher) => wanted,
        _ => Err(Refusal::WrongToken),
    };
    let (example, computing) = (Arc::clone(&call.web.example), Arc::clone(&call.web.computing));
    let played = async {
        let wanted = wanted?;
        let _turn = computing.acquire_owned().await.map_err(|_| Refusal::Ended)?;
        let played = tokio::task::spawn_blocking(move || example.play(&wanted, &mut rand::rng()));
        let played = played.await.map_err(|_| Refusal::Broken)??;
        serde_json::to_value(played).map_err(|_| Refusal::Broken)
    };
    call.reply(played.await)
}

impl Web {
    /// Writes something down, without the tokens that somebody may have put into it.
    fn record(&self, direction: Direction, path: &str, who: Option<Who>, body: &str) {
        let classroom = &self.classroom;
        if classroom.traffic.is_written() {
            let who = who.map_or_else(|| "stranger".to_owned(), |who| who.to_string());
            let (path, body) = (classroom.without_tokens(path), classroom.without_tokens(body));
            classroom.traffic.write(direction, &path, &who, &body);
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({"error": self.to_string(), "kind": self.kind()}).to_string();
        let mut response = (status, JSON, body.clone()).into_response();
        response.extensions_mut().insert(Refused(body));
        response
    }
}

const JSON: [(header::HeaderName, HeaderValue); 1] =
    [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Where a request comes from: the server says it of every connection.
fn address(request: &Request) -> SocketAddr {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)), |info| info.0)
}
