//! Messages of a class.

use client::ring::code::{Code, Secret};
use decoders::fixture;
use prost::Message as _;
use proto::{
    pin::Pin,
    v1::{self, host_says, pupil_says, ring_report},
};

use super::{Seeds, chosen};

fn bytes<const N: usize>(byte: u8) -> bytes::Bytes {
    vec![byte; N].into()
}

/// The code of a class.
pub fn code() -> String {
    let secret = Secret::try_from(&[1, 2, 3, 4, 5][..]).unwrap();
    Code::new("192.168.1.17", 47_000, secret, Pin([6; 32])).to_string()
}

fn run() -> bytes::Bytes {
    bytes::<16>(1)
}

fn lane() -> Option<v1::RingLane> {
    Some(v1::RingLane { ring: 1, from: 2, to: 3 })
}

fn announcement() -> v1::RingAnnouncement {
    v1::RingAnnouncement { run: run(), from: 2, value: 763, signature: bytes::<64>(4) }
}

fn slip() -> Option<v1::RingSlip> {
    Some(v1::RingSlip { lane: lane(), digest: bytes::<32>(2), signature: bytes::<64>(3) })
}

fn join() -> v1::RingJoin {
    v1::RingJoin {
        protocol_min: 1,
        protocol_max: 1,
        secret: bytes::<5>(7),
        name: "Anna".into(),
        address: "192.168.1.20:41000".into(),
        pin: bytes::<32>(6),
        key: fixture::get().keys()[0].0.to_vec().into(),
    }
}

fn view() -> v1::RingView {
    let message = || v1::RingMessage { lane: lane(), value: 99 };
    v1::RingView {
        run: run(),
        seat: 3,
        value: 5,
        shares: vec![1, 4],
        masks: vec![u64::MAX],
        sent: vec![message()],
        received: vec![message(), message()],
        announced: vec![v1::RingSaid { from: 0, value: 763 }],
    }
}

fn pupil() -> Vec<(&'static str, pupil_says::Says)> {
    use pupil_says::Says;
    use ring_report::Says as Reports;
    let report = |says| Says::Report(v1::RingReport { run: run(), says: Some(says) });
    let delivered = v1::RingDelivered { slip: slip(), acknowledgement: bytes::<64>(5) };
    let garbage = v1::RingGarbage { slip: slip(), body: bytes::<25>(9) };
    let twice = v1::RingTwice { first: slip(), second: slip() };
    vec![
        ("join", Says::Join(join())),
        ("ready", Says::Ready(v1::RingReady {})),
        ("declined", Says::Declined(v1::RingDeclined { run: run(), reason: "no".into() })),
        ("held", Says::Held(v1::RingStep { run: run(), lane: lane() })),
        ("announced", Says::Announced(announcement())),
        ("learned", Says::Learned(v1::RingLearned { run: run(), total: 763 })),
        ("view", Says::View(view())),
        ("delivered", report(Reports::Delivered(delivered))),
        ("garbage", report(Reports::Garbage(garbage))),
        ("twice", report(Reports::Twice(twice))),
        ("missing", report(Reports::Missing(lane().unwrap()))),
    ]
}

fn host() -> Vec<(&'static str, host_says::Says)> {
    use host_says::Says;
    let seat = |pupil, name: &str| v1::RingSeat {
        pupil,
        name: name.into(),
        address: "[::1]:41000".into(),
        pin: bytes::<32>(6),
        key: fixture::get().keys()[1].0.to_vec().into(),
    };
    let welcome = v1::RingWelcome {
        protocol: 1,
        pupil: 4,
        min: 100,
        max: 600,
        decimals: 2,
        patience_ms: 10_000,
    };
    let seats = v1::RingSeats {
        run: run(),
        protocol: "rings".into(),
        seats: vec![seat(1, "Anna"), seat(2, ""), seat(5, "Zo\u{eb}")],
        stepped: true,
    };
    let finished = v1::RingFinished { run: run(), announced: vec![announcement()] };
    let stopped = v1::RingStopped { run: run(), kind: "left".into(), message: "P3 left".into() };
    vec![
        ("welcome", Says::Welcome(welcome)),
        ("seats", Says::Seats(seats)),
        ("finished", Says::Finished(finished)),
        ("stopped", Says::Stopped(stopped)),
        ("ask-view", Says::AskView(v1::RingAskView { run: run(), with: vec![1, 3] })),
    ]
}

/// Requests of pages.
fn pages() -> Seeds {
    // The generator of P-256.
    let point = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                 4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let run = "01".repeat(16);
    let sealed = format!(
        r#"{{"type":"sealed","run":"{run}","ring":0,"to":5,"iv":"{}","box":"{}"}}"#,
        "ab".repeat(12),
        "cd".repeat(24)
    );
    let sent = r#"[{"ring":0,"from":1,"to":2,"value":"9"}]"#;
    let view = format!(
        r#"{{"type":"view","run":"{run}","view":{{"value":"5","shares":["1","4"],"masks":[],"sent":{sent},"received":[]}}}}"#
    );
    let announce = format!(r#"{{"type":"announce","run":"{run}","value":"763"}}"#);
    let join = format!(r#"{{"code":"01AV-KMNZ","name":"Anna","key":"{point}"}}"#);
    [
        (4, "page-join", join.as_str()),
        (5, "page-ready", r#"{"type":"ready"}"#),
        (5, "page-sealed", &sealed),
        (5, "page-view", &view),
        (5, "page-announce", &announce),
        (6, "page-play", r#"{"type":"play","protocol":"rings","pace_ms":500}"#),
        (6, "page-collude", r#"{"type":"collude","pupils":[1,3]}"#),
        (7, "page-example", r#"{"protocol":"shares","collude":[2]}"#),
    ]
    .map(|(how, name, text)| (name.to_owned(), chosen(how, text)))
    .into()
}

pub fn seeds() -> Seeds {
    let mut seeds = pages();
    for (name, says) in pupil() {
        let message = v1::PupilSays { says: Some(says) }.encode_to_vec();
        seeds.push((format!("pupil-{name}"), chosen(0, message)));
    }
    for (name, says) in host() {
        let message = v1::HostSays { says: Some(says) }.encode_to_vec();
        seeds.push((format!("host-{name}"), chosen(1, message)));
    }
    let number = v1::MaskedNumber {
        run: run(),
        lane: lane(),
        body: bytes::<24>(8),
        signature: bytes::<64>(4),
    };
    seeds.push(("number".into(), chosen(2, number.encode_to_vec())));
    seeds.push(("announcement".into(), chosen(3, announcement().encode_to_vec())));
    // A ring of three, the second of them: the number of the first comes, then the total.
    let play = [0, 3, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 40, 2, 0, 0, 0, 12];
    seeds.push(("play".into(), chosen(8, play)));
    seeds
}
