//! The mesh in memory: k parties in one process, for tests and for benchmarks.

use futures::{
    StreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
};

use super::{Mesh, MeshError};
use crate::ids::Party;

/// What happens to a message on its way, given round, sender, receiver and bytes. `None` drops it.
pub type Tamper = Box<dyn FnMut(u32, Party, Party, Vec<u8>) -> Option<Vec<u8>> + Send>;

/// One party's end of a mesh in memory.
pub struct LocalMesh {
    me: Party,
    round: u32,
    to: Vec<UnboundedSender<Vec<u8>>>,
    from: Vec<UnboundedReceiver<Vec<u8>>>,
    tamper: Option<Tamper>,
    /// Whether it tampers with what it hears of itself, too.
    tampers_with_own: bool,
}

impl LocalMesh {
    /// Connects `parties` parties; element i is party i's end.
    pub fn connect(parties: usize) -> Vec<Self> {
        let mut meshes: Vec<Self> = (0..parties)
            .map(|me| Self {
                // At most 8 parties, so the index fits.
                me: Party(me as u8),
                round: 0,
                to: Vec::with_capacity(parties),
                from: Vec::with_capacity(parties),
                tamper: None,
                tampers_with_own: false,
            })
            .collect();
        for sender in 0..parties {
            for receiver in 0..parties {
                let (to, from) = unbounded();
                meshes[sender].to.push(to);
                meshes[receiver].from.push(from);
            }
        }
        meshes
    }

    /// Lets `tamper` change, or drop, every message that this party sends. The party itself believes
    /// that it sent what it meant to.
    pub fn with_tamper(mut self, tamper: Tamper) -> Self {
        self.tamper = Some(tamper);
        self
    }

    /// [`LocalMesh::with_tamper`] of a party that knows what it sends, and goes on from there.
    pub fn with_own_tamper(self, tamper: Tamper) -> Self {
        Self { tampers_with_own: true, ..self.with_tamper(tamper) }
    }
}

impl Mesh for LocalMesh {
    fn me(&self) -> Party {
        self.me
    }

    fn parties(&self) -> usize {
        self.to.len()
    }

    fn round(&self) -> u32 {
        self.round
    }

    async fn gather(&mut self, message: Vec<u8>) -> Result<Vec<Option<Vec<u8>>>, MeshError> {
        let (me, round) = (self.me, self.round);
        self.round += 1;
        let with_own = self.tampers_with_own;
        for (peer, to) in self.to.iter().enumerate() {
            let peer = Party(peer as u8);
            let sent = match self.tamper.as_mut().filter(|_| with_own || peer != me) {
                Some(tamper) => tamper(round, me, peer, message.clone()),
                None => Some(message.clone()),
            };
            match sent {
                // A peer that is gone shows as a missing message below.
                Some(sent) => drop(to.unbounded_send(sent)),
                None => to.close_channel(),
            }
        }
        let mut received = Vec::with_capacity(self.from.len());
        for from in &mut self.from {
            received.push(from.next().await);
        }
        Ok(received)
    }
}
