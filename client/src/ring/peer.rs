//! Peer: connections from one pupil to another and to the host, and numbers and announcements
//! that are sent again until they have arrived.

use std::{sync::Arc, time::Duration};

use mpc::{ids::RunId, ring::referee::SignedAnnouncement, sign::Signature};
use proto::{
    pin::PinnedServer,
    v1::{self, ring_pupil_client::RingPupilClient},
};
use rustls::crypto::ring;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::wire::{self, Contact, MOST_BETWEEN, Parcel};

/// For setting up TCP and TLS.
const CONNECT: Duration = Duration::from_secs(5);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
/// Pings, so that a machine that vanished is noticed within the patience of a class.
pub const PING: Duration = Duration::from_secs(4);
/// For the answer to a ping, as long as a round waits for anybody: a hundred pupils on one machine
/// keep it busy, and who is slow has not left.
pub const PONG: Duration = Duration::from_secs(20);

/// The other side did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undelivered;

/// A channel that connects when it is first used, to whoever has the key that `judge` accepts.
pub fn channel(address: &str, judge: PinnedServer) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("https://{address}"))?
        .tls_config_with_verifier(ClientTlsConfig::new(), Arc::new(judge))?
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_lazy())
}

/// Sends a number until its receiver has acknowledged it.
pub async fn pass(parcel: &Parcel, to: &Contact, until: Instant) -> Result<Signature, Undelivered> {
    let attempts = async {
        loop {
            if let Ok(acknowledgement) = pass_once(parcel, to).await {
                return acknowledgement;
            }
            sleep(PAUSE).await;
        }
    };
    timeout_at(until, attempts).await.map_err(|_| Undelivered)
}

/// Tells another pupil an announcement, until it has heard it.
pub async fn tell(
    run: RunId,
    said: &SignedAnnouncement,
    to: &Contact,
    until: Instant,
) -> Result<(), Undelivered> {
    let attempts = async {
        while tell_once(run, said, to).await.is_err() {
            sleep(PAUSE).await;
        }
    };
    timeout_at(until, attempts).await.map_err(|_| Undelivered)
}

async fn pass_once(parcel: &Parcel, to: &Contact) -> Result<Signature, Undelivered> {
    let request = v1::MaskedNumber::from(parcel);
    let answer = client(to)?.pass(request).await.map_err(|_| Undelivered)?.into_inner();
    let acknowledgement = wire::signature(&answer.signature).map_err(|_| Undelivered)?;
    let slip = parcel.signed.slip;
    slip.verify_acknowledged(&to.key, &acknowledgement).map_err(|_| Undelivered)?;
    Ok(acknowledgement)
}

async fn tell_once(run: RunId, said: &SignedAnnouncement, to: &Contact) -> Result<(), Undelivered> {
    client(to)?.hear(wire::said_by(run, said)).await.map_err(|_| Undelivered)?;
    Ok(())
}

/// A connection for one message: a round uses each way once or twice, and a class on one machine
/// has more ways than a process may have open files.
fn client(to: &Contact) -> Result<RingPupilClient<Channel>, Undelivered> {
    let judge = PinnedServer::new(to.pin, &ring::default_provider());
    let channel = channel(&to.address, judge).map_err(|_| Undelivered)?;
    Ok(RingPupilClient::new(channel)
        .max_decoding_message_size(MOST_BETWEEN)
        .max_encoding_message_size(MOST_BETWEEN))
}
