//! Texts that people or other programs bring: profiles, codes, keys, numbers.

use std::{fmt::Display, path::Path, str::FromStr};

use client::{
    Profile,
    ring::{code::Code, scale::Scale},
};
use mpc::{
    ids::{AmendmentId, StudyId, SubmissionId},
    sign::PublicKey,
};
use proto::{pin::Pin, trace::Trace};
use study::{Parameter, decimal};

use crate::{check_line, choice};

pub(crate) fn check(data: &[u8]) {
    let (how, rest) = choice(data);
    if how % 8 == 0 {
        return trace(rest);
    }
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match how % 8 {
        1 => profile(text),
        2 => shown::<Code>(text, |_| {}),
        3 => {
            shown::<StudyId>(text, |id| assert!(id.to_string().eq_ignore_ascii_case(text)));
            shown::<SubmissionId>(text, |id| assert!(id.to_string().eq_ignore_ascii_case(text)));
            shown::<AmendmentId>(text, |id| assert!(id.to_string().eq_ignore_ascii_case(text)));
        }
        4 => {
            shown::<PublicKey>(text, |key| assert!(key.to_string().eq_ignore_ascii_case(text)));
            shown::<Pin>(text, |pin| assert!(pin.to_string().eq_ignore_ascii_case(text)));
        }
        5 => number(text),
        6 => shown::<Parameter>(text, |_| {}),
        _ => scale(text),
    }
}

/// What is read, is shown as what is read as the same.
fn shown<T: FromStr + Display + PartialEq>(text: &str, check: impl Fn(&T))
where
    T::Err: Display,
{
    match text.parse::<T>() {
        Ok(read) => {
            check(&read);
            assert!(read.to_string().parse::<T>().is_ok_and(|again| again == read), "{read}");
        }
        Err(error) => check_line(&error.to_string()),
    }
}

fn trace(bytes: &[u8]) {
    if let Some(trace) = Trace::decode(bytes) {
        // All but the flags, which are ours.
        assert_eq!(trace.to_string().as_bytes()[..53], bytes[..53]);
    }
}

fn profile(text: &str) {
    match Profile::parse(text, Path::new("sotto.toml")) {
        Ok(profile) => {
            assert!(!profile.servers().is_empty());
            for server in profile.servers() {
                assert!(server.identity.is_usable());
                assert_eq!(server.endpoint.scheme_str(), Some("https"));
                assert!(profile.server(&server.name).is_ok_and(|found| found == server));
            }
        }
        Err(error) => check_line(&error.to_string()),
    }
}

fn number(text: &str) {
    for decimals in [0, 2, 9] {
        match decimal::parse(text, decimals) {
            Ok(number) => {
                let written = decimal::format(number, decimals.into());
                assert_eq!(decimal::parse(&written, decimals), Ok(number), "{written}");
            }
            Err(error) => check_line(&error.to_string()),
        }
    }
}

fn scale(text: &str) {
    let mut parts = text.splitn(3, ' ');
    let (min, max) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match Scale::new(min, max, 2) {
        Ok(scale) => {
            assert!(scale.range().start() < scale.range().end());
            let typed = scale.parse(parts.next().unwrap_or_default());
            if let Ok(value) = typed {
                assert!(scale.range().contains(&value));
                assert_eq!(scale.parse(&scale.show(value)), Ok(value));
            }
        }
        Err(error) => check_line(&error.to_string()),
    }
}
