//! Whoever does not belong to the class does not disturb it.

use mpc::{
    ids::RunId,
    ring::{
        Lane, Seat,
        referee::{Signed, SignedAnnouncement},
        slip::{self, Slip},
    },
    sign::Signer,
};
use proto::{
    pin::PinnedServer,
    v1::{
        self, host_says::Says, pupil_says, ring_host_client::RingHostClient,
        ring_pupil_client::RingPupilClient,
    },
};
use rustls::crypto::ring;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code as StatusCode, Status, transport::Channel};

use super::*;
use crate::ring::{
    code::{Code, Secret},
    credentials::Credentials,
    peer,
    wire::{About, Contact, Join, Order, Parcel, Said, Seats},
};

/// A client that says what it likes.
struct Stranger {
    credentials: Credentials,
    contact: Contact,
}

impl Stranger {
    fn new() -> Self {
        let credentials = Credentials::make(&mut rand::rng()).unwrap();
        let contact = Contact {
            address: "127.0.0.1:9".into(),
            pin: credentials.pin,
            key: credentials.signer.public(),
        };
        Self { credentials, contact }
    }

    fn join(&self, code: &Code) -> Join {
        Join {
            protocol: (1, 1),
            secret: code.secret,
            name: "Eve".into(),
            contact: self.contact.clone(),
        }
    }
}

fn host(code: &Code) -> RingHostClient<Channel> {
    let judge = PinnedServer::starting_with(&code.pin, &ring::default_provider());
    RingHostClient::new(peer::channel(&code.authority(), judge).unwrap())
}

/// A stream with these first words.
async fn attend(
    code: &Code,
    first: v1::PupilSays,
) -> Result<(mpsc::Sender<v1::PupilSays>, tonic::Streaming<v1::HostSays>), Status> {
    let (says, said) = mpsc::channel(8);
    says.send(first).await.unwrap();
    let hears = host(code).attend(ReceiverStream::new(said)).await?.into_inner();
    Ok((says, hears))
}

async fn refused(code: &Code, first: v1::PupilSays) -> Status {
    attend(code, first).await.map(|_| ()).unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_know_the_code_or_does_not_speak_like_a_pupil_stays_outside() {
    let mut lesson = lesson([100, 200, 300]).start().await;
    let code = lesson.host.code().clone();
    let eve = Stranger::new();
    let join = eve.join(&code);

    let wrong = Join { secret: Secret::draw(&mut rand::rng()), ..join.clone() };
    let status = refused(&code, Said::Join(wrong).into()).await;
    assert_eq!(status.code(), StatusCode::PermissionDenied, "{status}");

    let future = Join { protocol: (7, 9), ..join.clone() };
    let status = refused(&code, Said::Join(future).into()).await;
    assert_eq!(status.code(), StatusCode::FailedPrecondition, "{status}");
    assert!(status.message().contains("version 1") && status.message().contains("7 to 9"));

    let short = v1::RingJoin { key: vec![1; 31].into(), ..join.clone().into() };
    let long = v1::RingJoin { name: "x".repeat(5_000), ..join.clone().into() };
    let elsewhere = v1::RingJoin { address: "a@b:1/path".into(), ..join.into() };
    for malformed in [short, long, elsewhere] {
        let says = Some(pupil_says::Says::Join(malformed));
        let status = refused(&code, v1::PupilSays { says }).await;
        assert_eq!(status.code(), StatusCode::InvalidArgument, "{status}");
    }
    for first in [v1::PupilSays { says: None }, Said::Ready.into(), Said::Leave.into()] {
        assert_eq!(refused(&code, first).await.code(), StatusCode::InvalidArgument);
    }
    let flood = v1::RingDeclined { run: vec![0; 16].into(), reason: "x".repeat(1 << 20) };
    let says = Some(pupil_says::Says::Declined(flood));
    assert!(refused(&code, v1::PupilSays { says }).await.message().contains("too large"));
    let mut plain = TcpStream::connect(code.authority()).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();

    assert_eq!(lesson.host.members().len(), 3);
    assert_eq!(lesson.play(Protocol::Rings).await.unwrap().outcome.total, 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_another_key_than_the_code_s_is_told_nothing() {
    let lesson = lesson([]).start().await;
    let mut code = lesson.host.code().clone();
    code.pin[0] ^= 1;
    let settings = pupil::Settings::new("Anna", LOOPBACK);
    let refused = Attendance::join(&code, settings, Arc::new(|_| ())).await.unwrap_err();
    assert!(matches!(refused, RingError::NotTheHost { .. }), "{refused}");
    assert!(lesson.traffic.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_a_class_needs_are_closed_and_the_class_plays_on() {
    let mut lesson = lesson([100, 200, 300]).start().await;
    let address = lesson.host.code().authority();
    let mut idle = Vec::new();
    for _ in 0..300 {
        // Those who are too many are reset, some before they know that they were connected.
        idle.extend(TcpStream::connect(&address).await);
    }
    assert_eq!(lesson.play(Protocol::Shares).await.unwrap().outcome.total, 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_announcements_of_strangers_are_not_taken() {
    let mut lesson = lesson([100, 200, 300]).start().await;
    let code = lesson.host.code().clone();
    // A fourth pupil, which is one of the class but not of those whom it writes to.
    let eve = Stranger::new();
    let (says, mut hears) = attend(&code, Said::Join(eve.join(&code)).into()).await.unwrap();
    says.send(Said::Ready.into()).await.unwrap();
    lesson.host.gathered(4).await;
    let signer = Signer::from_seed(&eve.credentials.signer.reveal_seed());
    let attack = tokio::spawn(async move {
        let seats = loop {
            let order = hears.message().await.unwrap().unwrap();
            if matches!(order.says, Some(Says::Seats(_))) {
                let Order::Seats(seats) = Order::try_from(order).unwrap() else { panic!() };
                break seats;
            }
        };
        strangers_numbers(&seats, &signer).await;
        says.send(Said::Of(seats.run, About::Declined("no".into())).into()).await.unwrap();
        while hears.message().await.is_ok_and(|order| order.is_some()) {}
    });
    // It takes its seat never, so the round is stopped, and played without it.
    let stop = lesson.stopped(Protocol::Ring).await;
    assert_eq!(stop.suspects(), [PupilId(4)], "{stop}");
    lesson.host.leave_out(PupilId(4), true).unwrap();
    assert_eq!(lesson.play(Protocol::Ring).await.unwrap().outcome.total, 600);
    attack.abort();
}

/// What a stranger sends to the second pupil: all of it is refused.
async fn strangers_numbers(seats: &Seats, own: &Signer) {
    let (_, ben) = &seats.pupils[1];
    let judge = PinnedServer::new(ben.pin, &ring::default_provider());
    let mut client = RingPupilClient::new(peer::channel(&ben.address, judge).unwrap());
    let lane = |from: u16| Lane { ring: 0, from: Seat(from), to: Seat(1) };
    let number = |run: RunId, lane: Lane| {
        let body = slip::body(7, &mut rand::rng()).to_vec();
        let slip = Slip::new(run, lane, &body);
        Parcel { signed: Signed { slip, signature: slip.sign(own) }, body: body.into() }
    };
    let earlier = RunId([9; 16]);
    // In the name of another pupil, of another round, and on a lane that nobody has.
    for parcel in [
        number(seats.run, lane(0)),
        number(earlier, lane(0)),
        number(seats.run, Lane { ring: 77, ..lane(0) }),
        number(seats.run, Lane { to: Seat(0), ..lane(0) }),
    ] {
        let status = client.pass(v1::MaskedNumber::from(&parcel)).await.unwrap_err();
        assert_eq!(status.code(), StatusCode::FailedPrecondition, "{status}");
    }
    let announcement = mpc::ring::Announcement { from: Seat(0), value: 1 };
    let signature = slip::sign_announcement(seats.run, announcement, own);
    let said = SignedAnnouncement { announcement, signature };
    let status = client.hear(super::super::wire::said_by(seats.run, &said)).await.unwrap_err();
    assert_eq!(status.code(), StatusCode::FailedPrecondition, "{status}");
    let oversized = v1::MaskedNumber {
        body: vec![0; 10_000].into(),
        ..v1::MaskedNumber::from(&number(seats.run, lane(0)))
    };
    assert!(client.pass(oversized).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pupil_that_talks_nonsense_is_let_go_and_the_others_play() {
    let mut lesson = lesson([100, 200, 300]).start().await;
    let code = lesson.host.code().clone();
    for nonsense in [v1::PupilSays { says: None }, Said::Join(Stranger::new().join(&code)).into()] {
        let eve = Stranger::new();
        let (says, mut hears) = attend(&code, Said::Join(eve.join(&code)).into()).await.unwrap();
        assert!(hears.message().await.unwrap().is_some());
        says.send(nonsense).await.unwrap();
        // The stream ends.
        while hears.message().await.is_ok_and(|order| order.is_some()) {}
    }
    assert_eq!(lesson.play(Protocol::Ring).await.unwrap().outcome.total, 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_with_the_key_of_somebody_else() {
    let lesson = lesson([]).start().await;
    let code = lesson.host.code().clone();
    let eve = Stranger::new();
    let _here = attend(&code, Said::Join(eve.join(&code)).into()).await.unwrap();
    let status = refused(&code, Said::Join(eve.join(&code)).into()).await;
    assert_eq!(status.code(), StatusCode::PermissionDenied, "{status}");
    assert_eq!(lesson.host.members().len(), 1);
}
