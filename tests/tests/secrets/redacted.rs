//! Redacted: `Debug` of two values with different secrets is the same, and the types wipe them.

use std::{fmt::Debug, path::Path, sync::Arc};

use client::ring::code::Secret;
use mpc::{
    RistrettoPoint,
    collect::{OutputShare, Verdict},
    noise::Draws,
    pedersen::{Blinding, Opened},
    publish::{ResultShare, Sum},
    ring::{
        Lane, Message, Protocol, Seat,
        plan::Plan,
        pupil::{Action, Pupil, Secrets},
        view::View,
    },
    sign::Signer,
};
use rand::{SeedableRng, rngs::StdRng};
use server::storage::{Charge, Charged, Stage, StudySecrets, Verdict as Stored};
use study::{Record, Value};
use zeroize::{ZeroizeOnDrop, Zeroizing};

fn shown(values: &[&dyn Debug]) -> String {
    values.iter().map(|value| format!("{value:?} {value:#?}\n")).collect()
}

fn blinding(secret: u8) -> Blinding {
    Blinding::from_uniform_bytes(&[secret; 64])
}

fn lane() -> Lane {
    Lane { ring: 0, from: Seat(0), to: Seat(1) }
}

fn message(secret: u8) -> Message {
    Message { lane: lane(), value: secret.into() }
}

/// What the protocols hold.
fn of_protocols(secret: u8) -> String {
    let wide = u128::from(secret);
    let output = || OutputShare { values: vec![wide; 3].into(), blinding: blinding(secret) };
    let mut result = ResultShare::new(3);
    result.add(&output());
    let mut sum = Sum::default();
    sum.add(wide);
    let point = RistrettoPoint::default();
    let opened = Opened::new(point, vec![wide; 3].into(), blinding(secret));
    let accepted = Verdict::Accepted {
        output_share: vec![secret; 48].into(),
        verifier_share: vec![secret; 48],
    };
    shown(&[
        &blinding(secret),
        &output(),
        &result,
        &sum,
        &opened,
        &accepted,
        &Draws::from(vec![i128::from(secret)]),
    ])
}

/// What pupils hold.
fn of_pupils(secret: u8) -> String {
    let value = u64::from(secret);
    let secrets = Secrets { value, shares: vec![value], masks: vec![value] };
    let plan = Arc::new(Plan::new(Protocol::Ring, 3).unwrap());
    let pupil = Pupil::with_secrets(plan, Seat(0), &secrets).unwrap();
    let view = View {
        seat: Seat(0),
        value,
        shares: vec![value],
        masks: vec![value],
        sent: vec![message(secret)],
        received: Vec::new(),
        announced: Vec::new(),
    };
    let action = Action::Send(message(secret));
    let code = Secret::try_from(&[secret; 5][..]).unwrap();
    shown(&[&secrets, &pupil, &view, &message(secret), &action, &code])
}

/// What a server stores, and what a provider reads.
fn of_storage(secret: u8) -> String {
    let bytes = || Zeroizing::new(vec![secret; 40]);
    let key = || Zeroizing::new([secret; 32]);
    let secrets = StudySecrets { contribution: key(), salt_seed: key(), verify_key: Some(key()) };
    let charge = Charge { opening: 0, coordinates: vec![0], cost: 1, budget: 2, noise: bytes() };
    let verifier_share = vec![secret; 40];
    let stored = Stored::Accepted { output_share: bytes(), verifier_share: verifier_share.clone() };
    let rejected = Stored::Rejected { reason: 1, verifier_share: verifier_share.clone() };
    let record =
        Record { values: vec![Value::Number(secret.into()), Value::Category(secret.into())] };
    shown(&[
        &secrets,
        &charge,
        &Charged::Noise(bytes()),
        &Stage::Unverified { payload: bytes() },
        &Stage::Accepted { verifier_share },
        &stored,
        &rejected,
        &record,
        &record.values,
    ])
}

#[test]
fn two_values_with_different_secrets_are_printed_alike() {
    for of in [of_protocols, of_pupils, of_storage] {
        assert_eq!(of(1), of(2));
        assert!(of(1).lines().count() > 5);
    }
}

#[test]
fn a_signing_key_is_printed_as_its_public_half() {
    let signer = Signer::from_seed(&[1; 32]);
    assert_eq!(format!("{signer:?}"), format!("Signer({})", signer.public()));
    assert_eq!(format!("{signer:#?}"), format!("Signer({})", signer.public()));
}

#[test]
fn a_server_s_keys_are_not_in_its_configuration_as_it_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    let request = server::certs::DevRequest {
        directory: dir.path().to_owned(),
        servers: Some(2),
        ports: Vec::new(),
        unix_s: 1_800_000_000,
    };
    let cluster = server::certs::dev(&request, &mut StdRng::seed_from_u64(1)).unwrap();
    let config = server::config::Config::load(&cluster.servers[0].config).unwrap();
    let printed = format!("{config:?} {config:#?}");
    let home = cluster.servers[0].config.parent().unwrap();
    for key in ["identity.key", "tls.key"] {
        let line = key_line(&home.join(key));
        assert!(!printed.contains(&line), "{key}");
    }
}

/// What is secret of a key file: the digits, or the first line of the PEM.
fn key_line(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| !line.starts_with('-')).unwrap();
    line.rsplit(':').next().unwrap().to_owned()
}

fn is_zeroize_on_drop<T: ZeroizeOnDrop>() {}

#[test]
fn types_that_hold_secrets_wipe_them() {
    is_zeroize_on_drop::<Signer>();
    is_zeroize_on_drop::<Blinding>();
    is_zeroize_on_drop::<Opened>();
    is_zeroize_on_drop::<OutputShare>();
    is_zeroize_on_drop::<ResultShare>();
    is_zeroize_on_drop::<Draws>();
    is_zeroize_on_drop::<Secrets>();
    is_zeroize_on_drop::<View>();
    is_zeroize_on_drop::<Record>();
}
