//! Mesh: the only way in which a protocol talks to its peers, one lockstep round at a time.

use std::future::Future;

use crate::ids::Party;

pub mod local;

/// Why a round could not be completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeshError {
    /// These parties did not send their message in time, or cannot be reached.
    #[error("no message in round {round} from {}", list(.parties))]
    Missing {
        /// The round that could not be completed.
        round: u32,
        /// Who is missing.
        parties: Vec<Party>,
    },
    /// A party sent something that is no message of this protocol.
    #[error("{party} broke the protocol in round {round}: {what}")]
    Broken {
        /// The round.
        round: u32,
        /// Who sent it.
        party: Party,
        /// What was wrong with it.
        what: &'static str,
    },
    /// The session was ended from outside (shutdown, cancelled study).
    #[error("the session was ended")]
    Ended,
}

fn list(parties: &[Party]) -> String {
    parties.iter().map(Party::to_string).collect::<Vec<_>>().join(", ")
}

/// Authenticated, private, ordered channels between all parties of one session.
pub trait Mesh: Send {
    /// Which party this is.
    fn me(&self) -> Party;

    /// How many parties there are.
    fn parties(&self) -> usize;

    /// The number of the next round, from 0.
    fn round(&self) -> u32;

    /// One all-to-all round: sends `message` to every peer and returns what came in time, by
    /// party, one's own message included.
    fn gather(
        &mut self,
        message: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<Option<Vec<u8>>>, MeshError>> + Send;

    /// One all-to-all round in which nobody may be silent: every party's message, by party.
    fn exchange(
        &mut self,
        message: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, MeshError>> + Send {
        async move {
            let round = self.round();
            let received = self.gather(message).await?;
            let missing = missing(&received);
            match missing.is_empty() {
                true => Ok(received.into_iter().flatten().collect()),
                false => Err(MeshError::Missing { round, parties: missing }),
            }
        }
    }
}

/// Who sent nothing in a round.
pub fn missing<T>(received: &[Option<T>]) -> Vec<Party> {
    let silent = (0..).map(Party).zip(received).filter(|(_, message)| message.is_none());
    silent.map(|(party, _)| party).collect()
}
