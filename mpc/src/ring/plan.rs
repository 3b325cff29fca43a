//! Who sends to whom: the rings of a round, and the lanes that follow from them.

use super::{FEWEST, Lane, MOST, Protocol, Seat};

/// The lanes of one round, which every pupil derives alike from the protocol and the number of
/// pupils.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    protocol: Protocol,
    pupils: usize,
    rings: Vec<Vec<Seat>>,
    lanes: Vec<Lane>,
    /// By seat.
    incoming: Vec<Vec<Lane>>,
    /// By seat.
    outgoing: Vec<Vec<Lane>>,
}

/// A number of pupils that cannot play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{pupils} pupils cannot play: it takes {FEWEST} to {MOST}")]
pub struct WrongNumber {
    /// How many there are.
    pub pupils: usize,
}

impl Plan {
    /// The plan of a protocol for that many pupils.
    pub fn new(protocol: Protocol, pupils: usize) -> Result<Self, WrongNumber> {
        if !(FEWEST..=MOST).contains(&pupils) {
            return Err(WrongNumber { pupils });
        }
        let rings = match protocol {
            Protocol::Ring => vec![seats(pupils)],
            Protocol::Rings => walecki(pupils),
            Protocol::Shares => Vec::new(),
        };
        Ok(Self::over(protocol, pupils, rings))
    }

    /// The plan of a protocol over these rings, each the order of all seats from P_1 on.
    pub(super) fn over(protocol: Protocol, pupils: usize, rings: Vec<Vec<Seat>>) -> Self {
        let lanes = match protocol {
            Protocol::Ring | Protocol::Rings => along(&rings),
            Protocol::Shares => between_all(pupils),
        };
        let of = |end: fn(&Lane) -> Seat| {
            let one = |seat| lanes.iter().copied().filter(|lane| end(lane) == seat).collect();
            seats(pupils).into_iter().map(one).collect()
        };
        let (incoming, outgoing) = (of(|lane| lane.to), of(|lane| lane.from));
        Self { protocol, pupils, rings, lanes, incoming, outgoing }
    }

    /// The protocol.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// How many pupils play.
    pub fn pupils(&self) -> usize {
        self.pupils
    }

    /// Everybody's seat.
    pub fn seats(&self) -> Vec<Seat> {
        seats(self.pupils)
    }

    /// The rings, each as the order of all seats, from P_1 on; none for [`Protocol::Shares`].
    pub fn rings(&self) -> &[Vec<Seat>] {
        &self.rings
    }

    /// Into how many shares a value is split.
    pub fn shares(&self) -> usize {
        match self.protocol {
            Protocol::Ring | Protocol::Rings => self.rings.len(),
            Protocol::Shares => self.pupils,
        }
    }

    /// Whether this pupil announces something: P_1 the total, or with [`Protocol::Shares`]
    /// everybody a sum of shares.
    pub fn announces(&self, seat: Seat) -> bool {
        match self.protocol {
            Protocol::Ring | Protocol::Rings => seat == Seat(0),
            Protocol::Shares => seat.index() < self.pupils,
        }
    }

    /// How many pupils announce something.
    pub fn announcers(&self) -> usize {
        match self.protocol {
            Protocol::Ring | Protocol::Rings => 1,
            Protocol::Shares => self.pupils,
        }
    }

    /// All lanes; those of a ring in the order in which they are used.
    pub fn lanes(&self) -> Vec<Lane> {
        self.lanes.clone()
    }

    /// The lanes to a pupil: one per ring in the rings' order, or one from everybody else.
    pub fn incoming(&self, seat: Seat) -> &[Lane] {
        self.incoming.get(seat.index()).map_or(&[], Vec::as_slice)
    }

    /// The lanes from a pupil: one per ring in the rings' order, or one to everybody else.
    pub fn outgoing(&self, seat: Seat) -> &[Lane] {
        self.outgoing.get(seat.index()).map_or(&[], Vec::as_slice)
    }
}

/// The lanes of rings.
fn along(rings: &[Vec<Seat>]) -> Vec<Lane> {
    let lanes = (0..).zip(rings).flat_map(|(ring, order)| {
        let next = order.iter().cycle().skip(1);
        order.iter().zip(next).map(move |(&from, &to)| Lane { ring, from, to })
    });
    lanes.collect()
}

/// The lanes from everybody to everybody else.
fn between_all(pupils: usize) -> Vec<Lane> {
    let pairs = seats(pupils).into_iter().flat_map(|from| {
        let others = seats(pupils).into_iter().filter(move |&to| to != from);
        others.map(move |to| Lane { ring: 0, from, to })
    });
    pairs.collect()
}

/// P_1 .. P_n.
fn seats(pupils: usize) -> Vec<Seat> {
    // At most MOST of them.
    (0..pupils as u16).map(Seat).collect()
}

/// Rings through all pupils whose neighbourhoods together are all pairs: Walecki's edge-disjoint
/// Hamiltonian cycles for odd n. For even n those of n + 1 pupils, of which the last is a dummy
/// with no value: it passes on what it receives, so its neighbours may as well speak directly, and
/// no pupil has to play it.
fn walecki(pupils: usize) -> Vec<Vec<Seat>> {
    let odd = pupils | 1;
    let (circle, rings) = (odd - 1, (odd - 1) / 2);
    // P_1 is the hub; ring j zigzags through the circle of the others: j, j+1, j−1, j+2, j−2, …
    let zigzag = (0..circle).map(|step| match step % 2 {
        1 => step.div_ceil(2),
        _ => circle - step / 2,
    });
    let ring = |turn: usize| {
        let others = zigzag.clone().map(move |offset| 1 + (turn + offset) % circle);
        let order = std::iter::once(0).chain(others).filter(|&place| place < pupils);
        order.map(|place| Seat(place as u16)).collect()
    };
    (0..rings).map(ring).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn waleckis_rings_pass_everybody_once_and_join_every_pair() {
        for pupils in FEWEST..=MOST {
            let plan = Plan::new(Protocol::Rings, pupils).unwrap();
            assert_eq!(plan.rings().len(), pupils / 2);
            for ring in plan.rings() {
                assert_eq!(ring.first(), Some(&Seat(0)));
                assert_eq!(ring.iter().collect::<BTreeSet<_>>().len(), pupils);
            }
            let mut edges = BTreeMap::new();
            for lane in plan.lanes() {
                *edges.entry((lane.from.min(lane.to), lane.from.max(lane.to))).or_insert(0) += 1;
            }
            assert_eq!(edges.len(), pupils * (pupils - 1) / 2, "{pupils}");
            if pupils % 2 == 1 {
                assert!(edges.values().all(|&uses| uses == 1), "{pupils}: edge-disjoint");
            }
        }
    }

    #[test]
    fn no_lane_is_used_twice() {
        for protocol in Protocol::ALL {
            for pupils in FEWEST..=12 {
                let lanes = Plan::new(protocol, pupils).unwrap().lanes();
                assert_eq!(lanes.iter().collect::<BTreeSet<_>>().len(), lanes.len());
            }
        }
    }

    #[test]
    fn too_few_and_too_many_pupils_are_refused_with_the_numbers_allowed() {
        for pupils in [0, 2, MOST + 1] {
            let error = Plan::new(Protocol::Ring, pupils).unwrap_err().to_string();
            assert!(error.contains("3 to 100"), "{error}");
        }
    }
}
