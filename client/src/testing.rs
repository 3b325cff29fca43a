//! Testing: the decoders of the inside, for fuzzing. Each gives back what it read, written again;
//! nothing where it read nothing.

use proto::v1;
use serde::de::DeserializeOwned;

pub use crate::bundle::follow;
use crate::ring::{
    web::request,
    wire::{self, Order, Parcel, Said},
};
pub use crate::submit::pending::{again as batch, stored};

/// What a pupil says to its host.
pub fn pupil_says(message: v1::PupilSays) -> Option<v1::PupilSays> {
    Said::try_from(message).ok().map(Into::into)
}

/// What a host says to a pupil.
pub fn host_says(message: v1::HostSays) -> Option<v1::HostSays> {
    Order::try_from(message).ok().map(Into::into)
}

/// A number from one pupil to another.
pub fn masked_number(message: v1::MaskedNumber) -> Option<v1::MaskedNumber> {
    Parcel::try_from(message).ok().map(|parcel| (&parcel).into())
}

/// An announcement.
pub fn announcement(message: v1::RingAnnouncement) -> Option<v1::RingAnnouncement> {
    wire::heard(&message).ok().map(|(run, said)| wire::said_by(run, &said))
}

/// Whether this is the request by which a page joins.
pub fn page_joins(body: &[u8]) -> bool {
    is::<request::Join>(body)
}

/// Whether this is a request of a pupil's page.
pub fn page_of_pupil(body: &[u8]) -> bool {
    is::<request::FromPupil>(body)
}

/// Whether this is a request of the teacher's page.
pub fn page_of_teacher(body: &[u8]) -> bool {
    is::<request::FromTeacher>(body)
}

/// Whether this is a request for an example.
pub fn page_of_example(body: &[u8]) -> bool {
    is::<request::ExampleWanted>(body)
}

fn is<T: DeserializeOwned>(body: &[u8]) -> bool {
    serde_json::from_slice::<T>(body).is_ok()
}
