//! The oracle: plays a protocol with unknowns instead of numbers, and computes by elimination which
//! combinations of the values are combinations of what a coalition has seen.
//!
//! It knows nothing of arcs, graphs or neighbours. The elimination is modulo 2^64, as the protocols
//! are, and divides by odd pivots alone, which have an inverse; were there ever none to go on with,
//! it would stop.

use std::ops::Range;

use crate::ring::Seat;

/// A combination of unknowns, as its coefficients modulo 2^64.
pub type Row = Vec<u64>;

/// A round with unknowns: first the shares, pupil by pupil, then the masks.
pub struct Symbolic {
    pupils: usize,
    shares: usize,
    /// Sender, receiver and content of every message, in the order of sending.
    pub messages: Vec<(Seat, Seat, Row)>,
    /// What everybody hears.
    pub announced: Vec<Row>,
    /// How many masks P_1 has.
    masks: usize,
}

impl Symbolic {
    /// The round over these rings, which P_1 starts.
    pub fn rings(rings: &[Vec<Seat>]) -> Self {
        let (pupils, shares) = (rings[0].len(), rings.len());
        let mut round =
            Self { pupils, shares, messages: vec![], announced: vec![], masks: rings.len() };
        let mut total = round.zero();
        for (number, ring) in rings.iter().enumerate() {
            assert_eq!(ring[0], Seat(0));
            let mut sum = round.unknown(pupils * shares + number);
            for (place, &from) in ring.iter().enumerate() {
                add(&mut sum, &round.unknown(round.share(from)[number]), 1);
                round.messages.push((from, ring[(place + 1) % pupils], sum.clone()));
            }
            add(&mut sum, &round.unknown(pupils * shares + number), u64::MAX);
            add(&mut total, &sum, 1);
        }
        round.announced.push(total);
        round
    }

    /// The round in which everybody sends a share to everybody.
    pub fn shares(pupils: usize) -> Self {
        let mut round =
            Self { pupils, shares: pupils, messages: vec![], announced: vec![], masks: 0 };
        let seats = || (0..pupils as u16).map(Seat);
        for (from, to) in seats().flat_map(|from| seats().map(move |to| (from, to))) {
            if from != to {
                round.messages.push((from, to, round.unknown(round.share(from)[to.index()])));
            }
        }
        for holder in seats() {
            let mut sum = round.zero();
            for from in seats() {
                add(&mut sum, &round.unknown(round.share(from)[holder.index()]), 1);
            }
            round.announced.push(sum);
        }
        round
    }

    /// What the coalition learns of the values: the partition of the other pupils into those who
    /// have the same coefficient in everything that it learns, and the dimension of what it learns
    /// about them.
    pub fn learned(&self, coalition: &[Seat]) -> (Vec<Vec<Seat>>, usize) {
        let mut seen = self.announced.clone();
        for (from, to, row) in &self.messages {
            if coalition.contains(from) || coalition.contains(to) {
                seen.push(row.clone());
            }
        }
        for &member in coalition {
            seen.extend(self.share(member).into_iter().map(|share| self.unknown(share)));
            if member == Seat(0) {
                let first = self.pupils * self.shares;
                seen.extend((first..first + self.masks).map(|mask| self.unknown(mask)));
            }
        }
        // Every value as a combination of unknowns, and behind it a unit vector that keeps account
        // of what is combined below.
        let unknowns = self.zero().len();
        let mut values: Vec<Row> = (0..self.pupils).map(|pupil| self.value(pupil)).collect();
        eliminate(&mut seen, &mut values, 0..unknowns);
        // Of the values only what is not seen is left. What combines to nothing is learned.
        eliminate(&mut values, &mut [], 0..unknowns);
        let is_learned = |row: &Row| row[..unknowns].iter().all(|coefficient| *coefficient == 0);
        let mut learned: Vec<Row> =
            values.into_iter().filter(is_learned).map(|row| row[unknowns..].to_vec()).collect();
        // The members' own values belong to what is learned; without them the others' are left.
        let own = |seat: &Seat| {
            let mut row = vec![0; self.pupils];
            row[seat.index()] = 1;
            row
        };
        let mut own: Vec<Row> = coalition.iter().map(own).collect();
        let dimension = learned.len() - own.len();
        eliminate(&mut own, &mut learned, 0..self.pupils);
        let honest = (0..self.pupils as u16).map(Seat).filter(|seat| !coalition.contains(seat));
        let mut groups: Vec<Vec<Seat>> = Vec::new();
        for seat in honest {
            let same = |group: &&mut Vec<Seat>| {
                learned.iter().all(|row| row[group[0].index()] == row[seat.index()])
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(seat),
                None => groups.push(vec![seat]),
            }
        }
        (groups, dimension)
    }

    fn zero(&self) -> Row {
        vec![0; self.pupils * self.shares + self.masks]
    }

    fn unknown(&self, index: usize) -> Row {
        let mut row = self.zero();
        row[index] = 1;
        row
    }

    fn share(&self, seat: Seat) -> Vec<usize> {
        (0..self.shares).map(|share| seat.index() * self.shares + share).collect()
    }

    fn value(&self, pupil: usize) -> Row {
        let mut row = self.zero();
        for share in self.share(Seat(pupil as u16)) {
            row[share] = 1;
        }
        row.extend((0..self.pupils).map(|other| u64::from(other == pupil)));
        row
    }
}

/// Adds a multiple of one row to another; the rows may have different lengths.
fn add(row: &mut [u64], other: &[u64], factor: u64) {
    for (one, other) in row.iter_mut().zip(other) {
        *one = one.wrapping_add(other.wrapping_mul(factor));
    }
}

/// The inverse of an odd number modulo 2^64, by Newton's iteration.
fn inverse(odd: u64) -> u64 {
    // Right in the last three bits, and in twice as many after every step.
    (0..5).fold(odd, |guess, _| guess.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(guess))))
}

/// Brings `rows` into echelon form over these columns, and takes the same combinations of them
/// from `others` until these have nothing left in the pivots' columns.
fn eliminate(rows: &mut [Row], others: &mut [Row], columns: Range<usize>) {
    let mut done = 0;
    for column in columns.clone() {
        let Some(pivot) = (done..rows.len()).find(|&row| rows[row][column] % 2 == 1) else {
            assert!(rows[done..].iter().all(|row| row[column] == 0), "no invertible pivot");
            continue;
        };
        rows.swap(done, pivot);
        let (before, rest) = rows.split_at_mut(done + 1);
        let pivot = &before[done];
        let scale = inverse(pivot[column]);
        for row in rest.iter_mut().chain(others.iter_mut()) {
            let factor = row[column].wrapping_mul(scale).wrapping_neg();
            if factor != 0 {
                add(row, pivot, factor);
            }
        }
        done += 1;
    }
}

#[test]
fn the_inverse_of_an_odd_number_is_one() {
    for odd in [1u64, 3, 5, 12_345_678_901, u64::MAX] {
        assert_eq!(odd.wrapping_mul(inverse(odd)), 1);
    }
}
