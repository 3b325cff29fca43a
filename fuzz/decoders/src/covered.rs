//! Which messages have a decoder among the targets, and why others need none of their own. A test
//! holds it against the descriptors of all messages.

use std::{any::type_name, collections::BTreeMap};

use proto::v1;

use crate::{Row, answers, last, messages, requests};

type Path = fn() -> &'static str;

/// What targets read that choose by something else than the message.
const ELSEWHERE: [(Path, &str); 9] = [
    (type_name::<v1::SubmitRequest>, "submission"),
    (type_name::<v1::AmendRequest>, "amendment"),
    (type_name::<v1::Receipt>, "receipts"),
    (type_name::<v1::AmendmentReceipt>, "receipts"),
    (type_name::<v1::PupilSays>, "ring"),
    (type_name::<v1::HostSays>, "ring"),
    (type_name::<v1::MaskedNumber>, "ring"),
    (type_name::<v1::RingAnnouncement>, "ring"),
    (type_name::<v1::Acknowledgement>, "ring"),
];

/// Messages of which nothing is read beyond protobuf, and why.
pub const UNREAD: [(&str, &str); 2] = [
    ("MeasureRequest", "its bytes are counted, and forgotten"),
    (
        "LinkAck",
        "that it comes is all that counts: its number is for people who look at a connection",
    ),
];

/// Messages that a target gives to the decoder of what they mean, with the target.
pub fn read() -> BTreeMap<&'static str, &'static str> {
    let rows = |rows: &'static [Row], target| rows.iter().map(move |row| (row.name(), target));
    let elsewhere = ELSEWHERE.map(|(path, target)| (last(path()), target));
    rows(&requests::READ, "requests")
        .chain(rows(&answers::READ, "answers"))
        .chain(elsewhere)
        .collect()
}

/// Messages that the target `messages` reads, writes and reads again, in the order of their codes.
pub fn encoded() -> Vec<&'static str> {
    messages::names()
}
