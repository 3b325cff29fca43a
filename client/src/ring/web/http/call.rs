//! Call: a request with a body, read as far as its sender may be read.

use std::net::SocketAddr;

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, Request},
    http::header,
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Caller, JSON, Web, address};
use crate::ring::web::{
    BODY_LIMIT, JOIN_LIMIT, SLOWEST_START,
    classroom::{Who, new_run},
    refusal::Refusal,
    request::{FromPupil, FromTeacher, Join},
    traffic::Direction,
};

/// A request with its body, of somebody who is known or not.
pub struct Call {
    pub web: Web,
    pub who: Option<Who>,
    address: SocketAddr,
    path: String,
    body: Bytes,
}

impl Call {
    /// Does it, and answers.
    pub async fn answer(
        self,
        act: impl FnOnce(&Self) -> Result<serde_json::Value, Refusal>,
    ) -> Response {
        let result = act(&self);
        self.reply(result)
    }

    /// The answer. It is written down, but for the token of who has joined.
    pub fn reply(&self, result: Result<serde_json::Value, Refusal>) -> Response {
        let mut body = match result {
            Ok(body) => body,
            Err(refusal) => return refusal.into_response(),
        };
        let response = (JSON, body.to_string()).into_response();
        if let Some(body) = body.as_object_mut() {
            body.remove("token");
        }
        self.web.record(Direction::Out, &self.path, self.who, &body.to_string());
        response
    }

    /// Takes a pupil in.
    pub fn join(&self) -> Result<serde_json::Value, Refusal> {
        if !self.web.classroom.limits.admit_to_class(self.address.ip()) {
            return Err(Refusal::TooFast);
        }
        let (id, token) = self.web.classroom.join(&self.decode::<Join>()?)?;
        Ok(json!({"pupil": id.0, "token": *token}))
    }

    /// Does what a pupil's page asks for.
    pub fn pupil(&self) -> Result<serde_json::Value, Refusal> {
        let Some(Who::Pupil(id)) = self.who else { return Err(Refusal::WrongToken) };
        let request = self.decode::<FromPupil>();
        if matches!(request, Ok(FromPupil::Ready {} | FromPupil::Unready {}))
            && !self.web.classroom.admit_change(id)
        {
            return Err(Refusal::TooFast);
        }
        self.web.classroom.act(|lesson, now| match request {
            Ok(request) => lesson.pupil(id, request, now),
            Err(refusal) => {
                lesson.garbage(id);
                Err(refusal)
            }
        })?;
        Ok(json!({}))
    }

    /// Does what the teacher's page asks for.
    pub fn teacher(&self) -> Result<serde_json::Value, Refusal> {
        let Some(Who::Teacher) = self.who else { return Err(Refusal::WrongToken) };
        let request = self.decode::<FromTeacher>()?;
        self.web.classroom.act(|lesson, now| lesson.teacher(request, new_run(), now))?;
        Ok(json!({}))
    }

    /// The body as what it should be.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| Refusal::Malformed(error.to_string()))
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
        web.record(Direction::In, &path, who, &String::from_utf8_lossy(&body));
        Ok(Self { web: web.clone(), who, address, path, body })
    }
}
