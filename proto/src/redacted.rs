//! Redacted: messages that carry shares, keys or masked numbers do not show them in `Debug`.

use std::fmt;

use crate::v1;

macro_rules! redacted {
    ($($message:ident),* $(,)?) => {$(
        impl fmt::Debug for v1::$message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($message), "(redacted)"))
            }
        }
    )*};
}

// The same list as in build.rs: what is missing in one of them does not compile.
redacted!(SubmitRequest, Frame, RingJoin, MaskedNumber, RingMessage, RingGarbage, RingView);

#[cfg(test)]
mod tests {
    use super::*;

    /// Debug of a message with these bytes.
    fn shown(byte: u8) -> Vec<String> {
        let bytes = || bytes::Bytes::from(vec![byte; 24]);
        let number = u64::from(byte);
        let message = v1::RingMessage { lane: None, value: number };
        let view = v1::RingView {
            run: bytes(),
            seat: 0,
            value: number,
            shares: vec![number],
            masks: vec![number],
            sent: vec![message],
            received: Vec::new(),
            announced: Vec::new(),
        };
        let says = v1::PupilSays { says: Some(v1::pupil_says::Says::View(view.clone())) };
        let join = v1::RingJoin { secret: bytes(), ..v1::RingJoin::default() };
        let joins = v1::PupilSays { says: Some(v1::pupil_says::Says::Join(join.clone())) };
        let number = v1::MaskedNumber { body: bytes(), ..v1::MaskedNumber::default() };
        let garbage = v1::RingGarbage { slip: None, body: bytes() };
        let submit = v1::SubmitRequest { payload: bytes(), ..v1::SubmitRequest::default() };
        let frame = v1::Frame { part: bytes(), ..v1::Frame::default() };
        vec![
            format!("{message:?}"),
            format!("{view:?}{says:?}"),
            format!("{join:?}{joins:?}"),
            format!("{number:?}"),
            format!("{garbage:?}"),
            format!("{submit:?}"),
            format!("{frame:?}"),
        ]
    }

    #[test]
    fn a_message_with_another_secret_is_printed_alike() {
        assert_eq!(shown(1), shown(2));
    }
}
