//! Charges: what openings take from a study's privacy budget, each with the noise drawn for it.

use std::fmt;

use zeroize::Zeroizing;

/// An opening that wants to be charged.
#[derive(Clone, PartialEq, Eq)]
pub struct Charge {
    /// The opening's number.
    pub opening: u8,
    /// The coordinates that it opens.
    pub coordinates: Vec<u32>,
    /// What it costs.
    pub cost: u64,
    /// What all openings of the study may cost together.
    pub budget: u64,
    /// The noise that this server adds, if it is charged now for the first time. Secret.
    pub noise: Zeroizing<Vec<u8>>,
}

/// What became of a charge.
#[derive(Clone, PartialEq, Eq)]
pub enum Charged {
    /// The opening is charged, now or before; this is the noise that was stored with it.
    Noise(Zeroizing<Vec<u8>>),
    /// It costs more than is left: nothing has changed.
    Exceeded {
        /// What earlier openings were charged.
        charged: u64,
    },
    /// The opening was charged for other coordinates: nothing has changed.
    OtherCoordinates,
    /// The study has ended, and its noise may be gone: nothing has changed.
    Ended,
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Charge")
            .field("opening", &self.opening)
            .field("cost", &self.cost)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Charged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noise(_) => f.write_str("Noise(redacted)"),
            Self::Exceeded { charged } => write!(f, "Exceeded({charged})"),
            Self::OtherCoordinates => f.write_str("OtherCoordinates"),
            Self::Ended => f.write_str("Ended"),
        }
    }
}
