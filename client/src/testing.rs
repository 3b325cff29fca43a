//! Testing: the decoders of the inside, for fuzzing. Each gives back what it read, written again;
//! nothing where it read nothing. And what a provider has on its disk.

use std::time::Duration;

use mpc::{
    ids::{PublicHash, StudyId, SubmissionId},
    publish::Published,
    sign::PublicKey,
};
use proto::{
    checkup::{Finding, Measured},
    v1,
};
use serde::de::DeserializeOwned;
use study::Study;
use tokio::runtime::{Builder, Runtime};

pub use crate::bundle::follow;
pub use crate::submit::pending::{again as batch, ready, stored};
use crate::{
    ClientError, Profile,
    connection::{self, Server},
    doctor,
    receipt::prove,
    result,
    ring::{
        web::request,
        wire::{self, Order, Parcel, Said},
    },
    status::{Report, State},
    studies,
};

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

/// What acknowledges a number.
pub fn acknowledgement(message: v1::Acknowledgement) -> Option<v1::Acknowledgement> {
    let signature = wire::signature(&message.signature).ok()?;
    Some(v1::Acknowledgement { signature: signature.0.to_vec().into() })
}

/// A server of a profile, whose answers are read without asking it.
#[derive(Debug)]
pub struct Answering {
    server: Server,
    /// Its channel lives no longer.
    _runtime: Runtime,
}

impl Answering {
    /// A server of that name and key.
    ///
    /// # Errors
    /// If the system has no room for what channels need.
    pub fn new(name: &str, identity: PublicKey) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().build()?;
        let server = {
            let _inside = runtime.enter();
            Server::unreached(name, identity)
        };
        Ok(Self { server, _runtime: runtime })
    }

    /// Who it says that it is, and its roster for people.
    ///
    /// # Errors
    /// If it is not the server of the profile, or does not fit.
    pub fn describes(
        &self,
        answer: &v1::DescribeResponse,
        now: Duration,
    ) -> Result<String, ClientError> {
        self.server.check_description(answer, now)?;
        Ok(connection::roster(answer))
    }

    /// What `sotto doctor` finds in who it says that it is, alone and beside another server.
    pub fn examined(&self, answer: v1::DescribeResponse, profile: &Profile) -> Vec<Finding> {
        let other = v1::DescribeResponse { roster_hash: Default::default(), ..answer.clone() };
        let beside = doctor::roster_beside(&self.server, &answer, Some(&(&self.server, other)));
        let trip = Duration::from_millis(5);
        let measured = Measured { description: answer, ahead_ms: 0, trip, upload: Ok(1 << 20) };
        doctor::of_server(&self.server, &measured, profile).into_iter().chain([beside]).collect()
    }

    /// What it says of studies: pages of a list.
    ///
    /// # Errors
    /// If it breaks the protocol.
    pub fn lists(
        &self,
        pages: impl IntoIterator<Item = v1::ListStudiesResponse>,
    ) -> Result<Vec<(StudyId, Report, Option<Study>)>, ClientError> {
        let mut reports = Vec::new();
        for page in pages {
            studies::take(&self.server, page.studies, &mut reports)?;
        }
        Ok(reports)
    }

    /// What it says that a study ended in: the state, why, and the result.
    ///
    /// # Errors
    /// If it breaks the protocol.
    pub fn tells(
        &self,
        study: &Study,
        keys: &[PublicKey],
        answer: v1::Outcome,
    ) -> Result<(State, String, Option<Published>), ClientError> {
        let outcome = result::check(&self.server, study.id(), study, keys, answer)?;
        Ok((outcome.state, outcome.detail, outcome.published))
    }
}

/// Whether this proves that a submission counts.
pub fn proves(
    inclusion: &v1::Inclusion,
    published: &Published,
    id: &SubmissionId,
    public: &PublicHash,
) -> bool {
    prove::proves(inclusion, published, (id, public))
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
