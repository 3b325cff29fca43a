//! Entry: how a pupil is let into a class.

use std::time::Duration;

use proto::{
    PROTOCOL,
    pin::PinnedServer,
    v1::{self, ring_host_client::RingHostClient},
};
use rustls::crypto::ring;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code as StatusCode, Status, Streaming};

use crate::{
    refusal,
    ring::{
        code::Code,
        error::RingError,
        peer,
        wire::{Contact, Join, MOST_CONTROL, Order, Said, Welcome},
    },
};

/// For the host's first words.
const ENTRY: Duration = Duration::from_secs(15);
/// Words to the host that wait for the network.
const WAITING: usize = 1024;

/// The stream to the host, in both directions.
pub struct Line {
    /// What the pupil says.
    pub says: mpsc::Sender<v1::PupilSays>,
    /// What the host says.
    pub hears: Streaming<v1::HostSays>,
}

/// Introduces a pupil to the host of a code.
pub async fn enter(
    code: &Code,
    name: &str,
    contact: &Contact,
) -> Result<(Welcome, Line), RingError> {
    let address = code.authority();
    let judge = PinnedServer::starting_with(&code.pin, &ring::default_provider());
    let unreachable = |reason: String| RingError::Unreachable { address: address.clone(), reason };
    let channel = peer::channel(&address, judge).map_err(|error| unreachable(error.to_string()))?;
    let mut client = RingHostClient::new(channel)
        .max_decoding_message_size(MOST_CONTROL)
        .max_encoding_message_size(MOST_CONTROL);
    let (says, said) = mpsc::channel(WAITING);
    let join = Said::Join(Join {
        protocol: (*PROTOCOL.start(), *PROTOCOL.end()),
        secret: code.secret,
        name: name.to_owned(),
        contact: contact.clone(),
    });
    // The channel is empty and its receiver is here.
    let _ = says.send(join.into()).await;
    let welcomed = timeout(ENTRY, async {
        let mut hears = client.attend(ReceiverStream::new(said)).await?.into_inner();
        Ok::<_, Status>((hears.message().await?, hears))
    });
    let (first, hears) = match welcomed.await {
        Ok(Ok(welcomed)) => welcomed,
        Ok(Err(status)) => return Err(refused(&address, &status)),
        Err(_) => return Err(unreachable("no answer in time".into())),
    };
    let first = first.ok_or_else(|| RingError::HostBroke("no welcome".into()))?;
    match Order::try_from(first).map_err(|error| RingError::HostBroke(error.to_string()))? {
        Order::Welcome(welcome) if PROTOCOL.contains(&welcome.protocol) => {
            Ok((welcome, Line { says, hears }))
        }
        Order::Welcome(welcome) => Err(RingError::OtherVersion(format!(
            "the host speaks version {} of the ring, this program {}: upgrade the older one",
            welcome.protocol,
            PROTOCOL.end(),
        ))),
        _ => Err(RingError::HostBroke("no welcome".into())),
    }
}

fn refused(address: &str, status: &Status) -> RingError {
    let (address, reason) = (address.to_owned(), refusal::reason(status));
    match status.code() {
        StatusCode::FailedPrecondition => RingError::OtherVersion(reason),
        StatusCode::PermissionDenied | StatusCode::ResourceExhausted => {
            RingError::NotAdmitted(reason)
        }
        StatusCode::InvalidArgument => RingError::HostBroke(reason),
        // What the judge of certificates says of another key.
        _ if reason.contains("ApplicationVerificationFailure") => RingError::NotTheHost { address },
        _ => RingError::Unreachable { address, reason },
    }
}
