//! Door: where a pupil's neighbours hand in their numbers.

use std::time::Duration;

use mpc::{ids::RunId, ring::referee::SignedAnnouncement, sign::Signature};
use proto::{
    listener,
    v1::{
        self,
        ring_pupil_server::{RingPupil, RingPupilServer},
    },
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tonic::{Request, Response, Status, transport::Server};

use crate::ring::{
    credentials::Credentials,
    place,
    wire::{self, MOST_BETWEEN, Malformed, Parcel},
};

/// Numbers that wait for the pupil.
const WAITING: usize = 64;
/// Calls at once on one connection.
const CALLS: u32 = 8;
/// For one call.
const CALL: Duration = Duration::from_secs(5);

/// What came in, and where the answer goes. No answer: it is none of this round.
pub enum Incoming {
    Number(Parcel, oneshot::Sender<Signature>),
    Announcement(RunId, SignedAnnouncement, oneshot::Sender<()>),
}

/// An open door; dropping it closes it and ends the connections.
pub struct Door {
    pub incoming: mpsc::Receiver<Incoming>,
    server: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Porter(mpsc::Sender<Incoming>);

/// Serves the neighbours on a socket.
pub fn open(tcp: TcpListener, credentials: &Credentials) -> Door {
    let (sender, incoming) = mpsc::channel(WAITING);
    let service = RingPupilServer::new(Porter(sender))
        .max_decoding_message_size(MOST_BETWEEN)
        .max_encoding_message_size(MOST_BETWEEN);
    let connections = listener::listener(tcp, credentials.tls.clone(), place::limits());
    let server = Server::builder()
        .max_concurrent_streams(CALLS)
        .timeout(CALL)
        .layer(listener::Served)
        .add_service(service)
        .serve_with_incoming(connections);
    let server = tokio::spawn(async move {
        // It ends with its socket.
        let _ = server.await;
    });
    Door { incoming, server }
}

#[tonic::async_trait]
impl RingPupil for Porter {
    async fn pass(
        &self,
        request: Request<v1::MaskedNumber>,
    ) -> Result<Response<v1::Acknowledgement>, Status> {
        let parcel = Parcel::try_from(request.into_inner()).map_err(malformed)?;
        let (answer, answered) = oneshot::channel();
        self.0.send(Incoming::Number(parcel, answer)).await.map_err(|_| gone())?;
        let acknowledgement = answered.await.map_err(|_| not_taken())?;
        Ok(Response::new(v1::Acknowledgement { signature: acknowledgement.0.to_vec().into() }))
    }

    async fn hear(
        &self,
        request: Request<v1::RingAnnouncement>,
    ) -> Result<Response<v1::Heard>, Status> {
        let (run, said) = wire::heard(request.get_ref()).map_err(malformed)?;
        let (answer, answered) = oneshot::channel();
        self.0.send(Incoming::Announcement(run, said, answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| not_taken())?;
        Ok(Response::new(v1::Heard {}))
    }
}

fn malformed(error: Malformed) -> Status {
    Status::invalid_argument(error.to_string())
}

fn gone() -> Status {
    Status::unavailable("this pupil has left the class")
}

fn not_taken() -> Status {
    Status::failed_precondition("this is no number of the round that is played here")
}
