//! HTTP: which request is which, checked as far as that needs no lesson.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, FromRequest, Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{
    BODY_LIMIT, JOIN_LIMIT, LONGEST_REQUEST, SLOWEST_START,
    classroom::{Classroom, Listener, Who, new_run},
    example::Example,
    headers::{ALWAYS, NO_STORE, check_source},
    page,
    refusal::Refusal,
    request::{ExampleWanted, FromPupil, FromTeacher, Join},
    traffic::Direction,
};

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

/// A request with its body, of somebody who is known or not.
struct Call {
    web: Web,
    who: Option<Who>,
    address: SocketAddr,
    path: String,
    body: Bytes,
}

/// What was found out about a request before its body was read.
#[derive(Debug, Clone, Copy)]
struct Caller(Option<Who>);

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

/// Refuses what is not meant for this host, and those who ask too much.
async fn guard(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    if let Err(refusal) = check_source(&web.name, request.uri(), request.headers()) {
        return refusal.into_response();
    }
    let who = bearer(request.headers()).and_then(|token| web.classroom.who(token));
    let address = address(&request);
    let admitted = match who {
        Some(who) => web.classroom.admit(who),
        None => web.classroom.limits.admit(address.ip()),
    };
    if !admitted {
        return Refusal::TooFast.into_response();
    }
    request.extensions_mut().insert(Caller(who));
    match tokio::time::timeout(LONGEST_REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::TooSlow.into_response(),
    }
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
    let named = who.map_or_else(|| "stranger".to_owned(), |who| who.to_string());
    let after = Query::<After>::try_from_uri(request.uri());
    let after = after.map_err(|error| Refusal::Malformed(error.body_text()));
    let listener = after.and_then(|Query(After { after })| {
        web.classroom.listen(who.ok_or(Refusal::WrongToken)?, after.unwrap_or(0))
    });
    web.classroom.traffic.write(Direction::In, "/api/events", &named, "");
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

impl Call {
    async fn answer(
        self,
        act: impl FnOnce(&Self) -> Result<serde_json::Value, Refusal>,
    ) -> Response {
        let result = act(&self);
        self.reply(result)
    }

    fn reply(&self, result: Result<serde_json::Value, Refusal>) -> Response {
        let traffic = &self.web.classroom.traffic;
        let (status, mut body) = match result {
            Ok(body) => (StatusCode::OK, body),
            Err(refusal) => (status(&refusal), error(&refusal)),
        };
        let response = (status, JSON, body.to_string()).into_response();
        if traffic.is_written() {
            if let Some(body) = body.as_object_mut() {
                body.remove("token");
            }
            // A refusal may quote what somebody sent.
            let body = self.web.classroom.without_tokens(&body.to_string());
            traffic.write(Direction::Out, &self.path, &self.named(), &body);
        }
        response
    }

    fn join(&self) -> Result<serde_json::Value, Refusal> {
        if !self.web.classroom.limits.admit_to_class(self.address.ip()) {
            return Err(Refusal::TooFast);
        }
        let (id, token) = self.web.classroom.join(&self.decode::<Join>()?)?;
        Ok(json!({"pupil": id.0, "token": *token}))
    }

    fn pupil(&self) -> Result<serde_json::Value, Refusal> {
        let Some(Who::Pupil(id)) = self.who else { return Err(Refusal::WrongToken) };
        let request = self.decode::<FromPupil>();
        self.web.classroom.act(|lesson, now| match request {
            Ok(request) => lesson.pupil(id, request, now),
            Err(refusal) => {
                lesson.garbage(id);
                Err(refusal)
            }
        })?;
        Ok(json!({}))
    }

    fn teacher(&self) -> Result<serde_json::Value, Refusal> {
        let Some(Who::Teacher) = self.who else { return Err(Refusal::WrongToken) };
        let request = self.decode::<FromTeacher>()?;
        self.web.classroom.act(|lesson, now| lesson.teacher(request, new_run(), now))?;
        Ok(json!({}))
    }

    fn decode<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| Refusal::Malformed(error.to_string()))
    }

    fn named(&self) -> String {
        self.who.map_or_else(|| "stranger".to_owned(), |who| who.to_string())
    }

    /// What was received, without a token that somebody may have put into it.
    fn record(&self) {
        let traffic = &self.web.classroom.traffic;
        if traffic.is_written() {
            let body = self.web.classroom.without_tokens(&String::from_utf8_lossy(&self.body));
            traffic.write(Direction::In, &self.path, &self.named(), &body);
        }
    }
}

impl FromRequest<Web> for Call {
    type Rejection = Refusal;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Refusal> {
        let who = request.extensions().get::<Caller>().and_then(|caller| caller.0);
        let (address, path) = (address(&request), request.uri().path().to_owned());
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        if kind.is_none_or(|kind| !kind.eq_ignore_ascii_case("application/json")) {
            return Err(Refusal::WrongType);
        }
        // A stranger is read no more than it takes to join.
        let limit = match (who, path.as_str()) {
            (Some(_), _) => BODY_LIMIT,
            (None, "/api/join") => JOIN_LIMIT,
            (None, _) => return Err(Refusal::WrongToken),
        };
        let body = tokio::time::timeout(SLOWEST_START, to_bytes(request.into_body(), limit));
        let body = body.await.map_err(|_| Refusal::TooSlow)?;
        let body = body.map_err(|_| Refusal::TooLarge)?;
        let call = Self { web: web.clone(), who, address, path, body };
        call.record();
        Ok(call)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (status(&self), JSON, error(&self).to_string()).into_response()
    }
}

const JSON: [(header::HeaderName, HeaderValue); 1] =
    [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];

fn status(refusal: &Refusal) -> StatusCode {
    StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn error(refusal: &Refusal) -> serde_json::Value {
    json!({"error": refusal.to_string(), "kind": refusal.kind()})
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Where a request comes from: the server says it of every connection.
fn address(request: &Request) -> SocketAddr {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)), |info| info.0)
}
