//! Words: what a server holds itself and its peers to in a publication, and its noise, in storage.

use std::sync::Arc;

use mpc::{
    noise::Draws,
    publish::{Ledger, NoNoise, Word},
};
use rand::{SeedableRng as _, rngs};

use super::super::meet;
use crate::{
    catalog::StudyContext,
    node::Node,
    storage::{Charge, Charged, StorageError},
    work,
};

/// The study's words in this server's storage.
pub(super) struct Words<'a> {
    pub(super) node: &'a Node,
    pub(super) context: &'a Arc<StudyContext>,
}

impl Ledger for Words<'_> {
    async fn fix(&self, word: Word, value: Vec<u8>) -> Option<Vec<u8>> {
        let number = match word {
            Word::Result => 0,
            Word::Commitments(opening) => 1 + u16::from(opening),
        };
        let fixed = self.node.storage.fix_word(self.context.id, number, value).await;
        let fixed = fixed.inspect_err(|error| tracing::error!(%error, "storage")).ok()?;
        if matches!(word, Word::Commitments(_)) {
            // Noise and words are seen by all before anything is opened: a backup without them is
            // known for one.
            let met = meet(self.node, self.context).await;
            met.inspect_err(|error| tracing::warn!(%error, "nothing is opened now")).ok()?;
        }
        Some(fixed)
    }

    async fn noise(&self, opening: u8, coordinates: &[usize]) -> Result<Draws, NoNoise> {
        let noise = self.context.plan.noise().ok_or(NoNoise::Unavailable)?;
        let (cost, budget) = (noise.charge(coordinates), noise.budget());
        let drawn = draw(self.context.clone(), coordinates.to_vec()).await?;
        let charge = Charge {
            opening,
            // A plan has at most 2^14 coordinates.
            coordinates: coordinates.iter().map(|&coordinate| coordinate as u32).collect(),
            cost,
            budget,
            noise: drawn.encode(),
        };
        match self.node.storage.charge(self.context.id, charge).await {
            Ok(Charged::Noise(stored)) => Draws::decode(&stored).ok_or_else(|| {
                let error = StorageError::Damaged("stored noise is of another length");
                tracing::error!(%error, "storage");
                NoNoise::Unavailable
            }),
            Ok(Charged::Exceeded { charged }) => Err(NoNoise::Budget { charged, cost, budget }),
            Ok(Charged::OtherCoordinates) => Err(NoNoise::OtherCoordinates),
            Ok(Charged::Ended) => Err(NoNoise::Unavailable),
            Err(error) => {
                tracing::error!(%error, "storage");
                Err(NoNoise::Unavailable)
            }
        }
    }
}

/// Draws noise, with a generator that the operating system has just seeded, on a thread of its own.
async fn draw(context: Arc<StudyContext>, coordinates: Vec<usize>) -> Result<Draws, NoNoise> {
    let draw = move || {
        let mut rng = rngs::StdRng::try_from_rng(&mut rngs::SysRng).ok()?;
        context.plan.noise()?.mechanism().sample(&coordinates, &mut rng)
    };
    let drawn = work::aside(draw).await;
    drawn.ok().flatten().ok_or(NoNoise::Unavailable)
}
