//! The vectors with which the page's arithmetic, rings, seal and checks are tested. With
//! `UPDATE_DOCS=1` they are written; otherwise they are compared.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

use std::{fs, path::PathBuf, sync::Arc};

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use data_encoding::BASE32_NOPAD;
use hkdf::Hkdf;
use mpc::{
    dst,
    ring::{Lane, Message, Protocol, Seat, plan::Plan, play, pupil::Secrets},
};
use p256::{PublicKey, SecretKey, ecdh::diffie_hellman, elliptic_curve::sec1::ToSec1Point};
use pbkdf2::pbkdf2_hmac;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// Numbers that look random and are always the same: the first bytes of a hash.
fn number(parts: &[&str], index: usize) -> u64 {
    let text = format!("{}/{index}", parts.join("/"));
    u64::from_be_bytes(*Sha256::digest(text).first_chunk().unwrap())
}

/// Places as the pupils' numbers.
fn ring(order: &[Seat], pupils: &[u16]) -> Vec<u16> {
    order.iter().map(|seat| pupils[seat.index()]).collect()
}

fn rings() -> Json {
    let sizes = (3..=12).chain([20, 21, 100]);
    let one = |size: usize| {
        let plan = Plan::new(Protocol::Rings, size).unwrap();
        let pupils: Vec<u16> = (1..).take(size).collect();
        let rings: Vec<_> = plan.rings().iter().map(|order| ring(order, &pupils)).collect();
        json!({ "pupils": size, "rings": rings })
    };
    sizes.map(one).collect()
}

/// A round of these pupils, each with a value; shares and masks are given with it.
fn round(protocol: Protocol, pupils: &[u16], values: &[i64]) -> Json {
    let plan = Arc::new(Plan::new(protocol, pupils.len()).unwrap());
    let secrets: Vec<Secrets> =
        plan.seats().iter().map(|&seat| secrets(&plan, seat, values)).collect();
    let played = play::play_with(&plan, &secrets).unwrap();
    let id = |seat: Seat| pupils[seat.index()];
    let digits = |values: &[u64]| values.iter().map(u64::to_string).collect::<Vec<_>>();
    let message = |Message { lane: Lane { ring, from, to }, value }: &Message| json!({ "ring": ring, "from": id(*from), "to": id(*to), "value": value.to_string() });
    let messages = |list: &[Message]| list.iter().map(message).collect::<Json>();
    json!({
        "protocol": protocol.name(),
        "seats": pupils,
        "rings": plan.rings().iter().map(|order| ring(order, pupils)).collect::<Vec<_>>(),
        "pupils": played.views.iter().map(|view| json!({
            "pupil": id(view.seat),
            "view": {
                "value": view.value.to_string(),
                "shares": digits(&view.shares),
                "masks": digits(&view.masks),
                "sent": messages(&view.sent),
                "received": messages(&view.received),
            },
        })).collect::<Json>(),
        "messages": messages(&played.messages),
        "announcements": played.announcements.iter().map(|said| json!({
            "from": id(said.from), "value": said.value.to_string()
        })).collect::<Json>(),
        "total": values.iter().sum::<i64>().to_string(),
    })
}

fn secrets(plan: &Plan, seat: Seat, values: &[i64]) -> Secrets {
    let value = values[seat.index()].cast_unsigned();
    let name = format!("{} of {}", plan.protocol(), plan.pupils());
    let draw = |what: &str, index| number(&[&name, &seat.to_string(), what], index);
    let mut shares: Vec<u64> = (1..plan.shares()).map(|index| draw("share", index)).collect();
    shares.push(shares.iter().fold(value, |rest, share| rest.wrapping_sub(*share)));
    let masks = if seat == Seat(0) { plan.rings().len() } else { 0 };
    Secrets { value, shares, masks: (0..masks).map(|index| draw("mask", index)).collect() }
}

fn rounds() -> Json {
    let classes: [(&[u16], &[i64]); 5] = [
        (&[1, 2, 3], &[763, 754, 671]),
        (&[1, 2, 3, 5], &[763, 0, 1000, 635]),
        (&[2, 3, 4, 5, 6], &[-5, 5, 0, -1, 3]),
        (&[1, 2, 3, 4, 5, 7, 8, 11], &[1, 2, 3, 4, 5, 6, 7, 8]),
        (&[1, 2, 3, 4, 5, 6, 7, 8, 9], &[763, 754, 671, 635, 1000, 0, 512, 499, 888]),
    ];
    let all = classes
        .iter()
        .flat_map(|(pupils, values)| Protocol::ALL.map(|protocol| round(protocol, pupils, values)));
    all.collect()
}

fn key_pair(pupil: u16) -> SecretKey {
    let bytes = Sha256::digest(format!("key of P{pupil}"));
    SecretKey::from_slice(&bytes).unwrap()
}

fn public(pupil: u16) -> Vec<u8> {
    key_pair(pupil).public_key().to_sec1_point(false).as_bytes().to_vec()
}

fn keys(pupil: u16) -> Json {
    json!({
        "pupil": pupil,
        "secret": hex::encode(key_pair(pupil).to_bytes()),
        "key": hex::encode(public(pupil)),
    })
}

/// The 80 bits that stand for a list of keys on all screens: a host that looks for two lists with
/// the same ones has to derive a key for every try.
fn check(password: &[u8]) -> String {
    let mut bits = [0; 10];
    pbkdf2_hmac::<Sha256>(password, dst::RING_CHECK, 1 << 17, &mut bits);
    let letters: Vec<char> = BASE32_NOPAD.encode(&bits).to_lowercase().chars().collect();
    letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
}

fn number_and_key(pupil: u16) -> Vec<u8> {
    [&pupil.to_be_bytes(), &public(pupil)[..]].concat()
}

/// What the class of these pupils shows.
fn class_check(pupils: &[u16]) -> Json {
    let password = [dst::RING_CHECK.to_vec()].into_iter();
    let password = password.chain(pupils.iter().map(|&pupil| number_and_key(pupil)));
    let check = check(&password.collect::<Vec<_>>().concat());
    let pupils: Vec<_> = pupils.iter().map(|&pupil| keys(pupil)).collect();
    json!({ "pupils": pupils, "check": check })
}

/// A round as its pupils were told it.
fn told(protocol: Protocol, pupils: &[u16]) -> Vec<u8> {
    let name = protocol.name().as_bytes();
    let mut told = dst::RING_ROUND.to_vec();
    told.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
    told.extend(name);
    pupils.iter().for_each(|&pupil| told.extend(number_and_key(pupil)));
    told
}

fn seats(pupils: &[u16]) -> Json {
    let seat = |&pupil: &u16| json!({ "pupil": pupil, "key": hex::encode(public(pupil)) });
    pupils.iter().map(seat).collect()
}

/// What those who play that round show.
fn round_check(protocol: Protocol, pupils: &[u16]) -> Json {
    let check = check(&told(protocol, pupils));
    json!({ "protocol": protocol.name(), "seats": seats(pupils), "check": check })
}

/// The one who sends a number and the one who receives it.
struct Ends {
    from: u16,
    to: u16,
}

fn seal(
    protocol: Protocol,
    pupils: &[u16],
    ring: u16,
    Ends { from, to }: Ends,
    value: u64,
) -> Json {
    let name = format!("{ring}/{from}/{to}");
    let run = &Sha256::digest(format!("run of {name}"))[..16];
    let iv = &Sha256::digest(format!("iv of {name}"))[..12];
    let shared = |own: SecretKey, other: PublicKey| {
        diffie_hellman(own.to_nonzero_scalar(), other.as_affine()).raw_secret_bytes().to_vec()
    };
    let secret = shared(key_pair(from), key_pair(to).public_key());
    assert_eq!(secret, shared(key_pair(to), key_pair(from).public_key()));
    let mut info = dst::RING_SEAL.to_vec();
    info.extend([ring, from, to].map(u16::to_be_bytes).concat());
    info.extend(Sha256::digest(told(protocol, pupils)));
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(run), &secret).expand(&info, &mut key).unwrap();
    let cipher = Aes256Gcm::new(&key.into());
    let plaintext = Payload { msg: &value.to_be_bytes(), aad: &info };
    let sealed = cipher.encrypt(iv.try_into().unwrap(), plaintext).unwrap();
    let opened = cipher.decrypt(iv.try_into().unwrap(), Payload { msg: &sealed, aad: &info });
    assert_eq!(opened.unwrap(), value.to_be_bytes());
    json!({
        "run": hex::encode(run), "protocol": protocol.name(), "seats": seats(pupils), "ring": ring, "from": keys(from), "to": keys(to),
        "value": value.to_string(), "shared": hex::encode(secret), "info": hex::encode(&info),
        "aes_key": hex::encode(key), "iv": hex::encode(iv), "box": hex::encode(sealed),
    })
}

/// JSON with a line for every entry of every list, which is short and shows what has changed.
fn lines(vectors: &Json) -> String {
    let list = |entries: &Vec<Json>| {
        let lines: Vec<_> = entries.iter().map(Json::to_string).collect();
        format!("[\n{}\n]", lines.join(",\n"))
    };
    let field = |(name, value): (&String, &Json)| {
        format!("{}: {}", json!(name), value.as_array().map_or_else(|| value.to_string(), list))
    };
    let fields: Vec<_> = vectors.as_object().unwrap().iter().map(field).collect();
    format!("{{\n{}\n}}\n", fields.join(",\n"))
}

#[test]
fn the_vectors_of_the_page_are_those_that_the_program_makes() {
    let made = json!({
        "about": "Made by client/tests/ring_vectors.rs: UPDATE_DOCS=1 cargo test -p sotto-client --test ring_vectors",
        "rings": rings(),
        "rounds": rounds(),
        "checks": [class_check(&[1, 2, 3]), class_check(&[2, 5, 11, 100])],
        "round_checks": [
            round_check(Protocol::Ring, &[1, 2, 3]),
            round_check(Protocol::Rings, &[2, 5, 11, 100]),
            round_check(Protocol::Shares, &[2, 5, 11, 100]),
        ],
        "seals": [
            seal(Protocol::Ring, &[1, 2, 3], 0, Ends { from: 1, to: 2 }, 0),
            seal(Protocol::Shares, &[1, 2, 3], 0, Ends { from: 3, to: 1 }, u64::MAX),
            seal(
                Protocol::Rings,
                &[5, 12, 100, 1000],
                1,
                Ends { from: 5, to: 100 },
                12_345_678_901_234_567_890,
            ),
        ],
    });
    let made = lines(&made);
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/web/test/vectors.json"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &made).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "client/web/test/vectors.json is another one: run with UPDATE_DOCS=1");
}
