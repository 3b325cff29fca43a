//! Finding: what colluders learned, for people and as JSON.

use mpc::ring::{attack, view::View};
use serde::Serialize;

use super::round::Round;

/// What colluders learned from a round.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The colluders: `P3`, `P5`.
    pub colluders: Vec<String>,
    /// The sums that they computed, one per ring and run of honest pupils between two of them.
    pub arcs: Vec<ArcShown>,
    /// Pupils whose values they know exactly.
    pub exact: Vec<Exact>,
    /// Honest pupils of whom they know the sum alone.
    pub groups: Vec<GroupShown>,
    /// What they cannot exclude about one pupil.
    pub open: Vec<Open>,
    /// Whether they learned more than what follows from the average.
    pub succeeded: bool,
    /// The same in sentences, one step of the argument each; the last one is the conclusion.
    pub steps: Vec<String>,
}

/// One sum: what a member sent in, what a member received, and the difference.
#[derive(Debug, Clone, Serialize)]
pub struct ArcShown {
    /// The ring, counted from 1.
    pub ring: u16,
    /// The honest pupils between: `P4`.
    pub honest: Vec<String>,
    /// Who sent what to the first of them.
    pub entered: Passed,
    /// What the last of them sent to whom.
    pub left: Passed,
    /// left − entered modulo 2^64, where it is their sum; decimal digits.
    pub sum: Option<String>,
}

/// A message that a colluder saw.
#[derive(Debug, Clone, Serialize)]
pub struct Passed {
    /// Who sent it.
    pub from: String,
    /// Who received it.
    pub to: String,
    /// The masked number, decimal digits: JSON's numbers are too small for it.
    pub value: String,
}

/// A pupil whose value is known.
#[derive(Debug, Clone, Serialize)]
pub struct Exact {
    /// The pupil: `P4`.
    pub pupil: String,
    /// Its value.
    pub value: f64,
    /// Whether the total alone gives it to the colluders, as it does when all others collude.
    pub from_total: bool,
}

/// Pupils whose sum is known.
#[derive(Debug, Clone, Serialize)]
pub struct GroupShown {
    /// The pupils.
    pub members: Vec<String>,
    /// The sum of their values.
    pub sum: f64,
}

/// The values of one pupil that the colluders' views allow.
#[derive(Debug, Clone, Serialize)]
pub struct Open {
    /// The pupil.
    pub pupil: String,
    /// How many values the views allow; each was tried by making a class that looks the same.
    pub values: u64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// How many values the total alone allows.
    pub allowed_by_total: u64,
    /// How many values the scale has.
    pub of: u64,
}

/// What the owners of these views learned about the others in this round.
pub fn find(round: &Round, views: &[View]) -> Result<Finding, attack::Contradiction> {
    let _ = (round, views);
    unimplemented!()
}
