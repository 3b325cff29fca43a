//! Every message survives the wire, and what is malformed is refused by the name of its field.

use mpc::sign::Signer;

use super::*;

const RUN: RunId = RunId([7; 16]);
const LANE: Lane = Lane { ring: 1, from: Seat(2), to: Seat(3) };

fn contact() -> Contact {
    let key = Signer::from_seed(&[1; 32]).public();
    Contact { address: "[::1]:4000".into(), pin: Pin([2; 32]), key }
}

fn signed(byte: u8) -> Signed {
    let slip = Slip { run: RUN, lane: LANE, digest: [byte; 32] };
    Signed { slip, signature: Signature([byte; 64]) }
}

fn announced(value: u64) -> SignedAnnouncement {
    let announcement = Announcement { from: Seat(2), value };
    SignedAnnouncement { announcement, signature: Signature([4; 64]) }
}

fn everything_said() -> Vec<Said> {
    let Signed { slip, signature } = signed(1);
    let view = View {
        seat: Seat(3),
        value: 1,
        shares: vec![2, 3],
        masks: vec![4],
        sent: vec![Message { lane: LANE, value: 5 }],
        received: vec![Message { lane: LANE, value: u64::MAX }],
        announced: vec![Announcement { from: Seat(0), value: 6 }],
    };
    let join = Join {
        protocol: (1, 2),
        secret: Secret::try_from(&[5; 5][..]).unwrap(),
        name: "Anna".into(),
        contact: contact(),
    };
    let about = [
        About::Seated,
        About::Declined("no value".into()),
        About::Held(LANE),
        About::Report(Report::Delivered { slip, signature, acknowledgement: Signature([9; 64]) }),
        About::Report(Report::Garbage { slip, signature, body: vec![1, 2] }),
        About::Report(Report::Twice { first: signed(1), second: signed(2) }),
        About::Report(Report::AnnouncedTwice { first: announced(1), second: announced(2) }),
        About::Report(Report::Missing(LANE)),
        About::Report(Report::Refused(LANE)),
        About::Announced(announced(3)),
        About::Learned(u64::MAX),
        About::View(Box::new(view)),
        About::NoView,
    ];
    let about = about.into_iter().map(|about| Said::Of(RUN, about));
    [Said::Join(join), Said::Ready, Said::Leave].into_iter().chain(about).collect()
}

fn every_order() -> Vec<Order> {
    let welcome = Welcome {
        protocol: 1,
        id: PupilId(4),
        scale: Scale::new("-5", "100", 2).unwrap(),
        patience: Duration::from_secs(20),
    };
    let seats = Seats {
        run: RUN,
        protocol: Protocol::Rings,
        pupils: vec![(Named::new(PupilId(4), "Anna"), contact())],
        stepped: true,
    };
    let instructions = [
        Instruction::Begin,
        Instruction::Release(LANE),
        Instruction::Finished(vec![announced(1)]),
        Instruction::Done,
        Instruction::Ask(LANE),
        Instruction::Stopped { kind: "left".into(), message: "P4 left".into() },
        Instruction::AskView(vec![PupilId(3), PupilId(5)]),
    ];
    let about = instructions.into_iter().map(|instruction| Order::Of(RUN, instruction));
    [Order::Welcome(welcome), Order::Seats(seats), Order::Ended].into_iter().chain(about).collect()
}

#[test]
fn everything_that_is_said_survives_the_wire() {
    for said in everything_said() {
        assert_eq!(Said::try_from(v1::PupilSays::from(said.clone())), Ok(said));
    }
    for order in every_order() {
        assert_eq!(Order::try_from(v1::HostSays::from(order.clone())), Ok(order));
    }
    let parcel = Parcel { signed: signed(1), body: vec![1; 24].into() };
    let slip = Slip::new(RUN, LANE, &parcel.body);
    let parcel = Parcel { signed: Signed { slip, ..parcel.signed }, ..parcel };
    assert_eq!(Parcel::try_from(v1::MaskedNumber::from(&parcel)), Ok(parcel));
    assert_eq!(heard(&said_by(RUN, &announced(8))), Ok((RUN, announced(8))));
}

#[test]
fn lengths_beyond_the_limit_and_numbers_that_are_none_are_refused() {
    let parcel = v1::MaskedNumber::from(&Parcel { signed: signed(1), body: vec![1; 24].into() });
    for malformed in [
        v1::MaskedNumber { run: vec![7; 15].into(), ..parcel.clone() },
        v1::MaskedNumber { body: vec![1; slip::MOST + 1].into(), ..parcel.clone() },
        v1::MaskedNumber { signature: vec![1; 63].into(), ..parcel.clone() },
        v1::MaskedNumber { lane: None, ..parcel.clone() },
        v1::MaskedNumber {
            lane: Some(v1::RingLane { ring: 1 << 16, from: 0, to: 1 }),
            ..parcel.clone()
        },
    ] {
        assert!(Parcel::try_from(malformed).is_err());
    }
    let view =
        v1::RingView { run: vec![7; 16].into(), shares: vec![0; MOST + 1], ..Default::default() };
    let says = Some(v1::pupil_says::Says::View(view));
    assert_eq!(Said::try_from(v1::PupilSays { says }), Err(Malformed("a view")));
}

#[test]
fn an_address_is_a_host_and_a_port_and_nothing_else() {
    let Contact { pin, key, .. } = contact();
    for good in ["127.0.0.1:1", "[fe80::1]:4000", "desk-7.example.org:80"] {
        assert!(super::contact(good, &pin.0, &key.0).is_ok(), "{good}");
    }
    for bad in ["", "host", ":80", "a@b:80", "host:80/x", "host:80?x", "host:99999", "ho st:80"] {
        assert!(super::contact(bad, &pin.0, &key.0).is_err(), "{bad}");
    }
    assert!(super::contact("host:80", &pin.0, &[0; 32]).is_err(), "a weak key");
}

#[test]
fn words_of_the_other_side_do_not_steer_a_terminal() {
    let stopped = v1::RingStopped {
        run: vec![7; 16].into(),
        kind: "left".into(),
        message: "P4\u{1b}[2J left".repeat(100),
    };
    let says = Some(v1::host_says::Says::Stopped(stopped));
    let order = Order::try_from(v1::HostSays { says }).unwrap();
    let Order::Of(_, Instruction::Stopped { message, .. }) = order else { panic!() };
    assert!(!message.contains('\u{1b}') && message.chars().count() <= MOST_WORDS);
}
