//! Equations: which unknowns of a linear system have one value only, and which.
//!
//! Sparse Gauss–Jordan elimination modulo the prime 2^61 − 1. The coefficients are 1 and −1. An
//! unknown that is solved over the rationals is solved modulo a prime unless that prime divides one
//! of the minors involved; the systems here are incidence matrices of tables, whose minors are tiny.
//! Values are counts, far below the prime.

use std::collections::BTreeMap;

const PRIME: u64 = (1 << 61) - 1;

/// Where a row keeps its constant: after all unknowns.
const CONSTANT: usize = usize::MAX;

/// A row: unknown and coefficient, none of them 0. Together they are 0.
type Row = BTreeMap<usize, u64>;

/// A system of equations.
#[derive(Debug, Default)]
pub(crate) struct Equations {
    /// Rows by their leading unknown, whose coefficient is 1.
    rows: BTreeMap<usize, Row>,
}

impl Equations {
    /// Adds the equation Σ coefficient · unknown + constant = 0.
    pub(crate) fn add(&mut self, terms: impl Iterator<Item = (usize, i64)>, constant: i128) {
        let mut row = Row::new();
        for (unknown, coefficient) in terms {
            add_to(&mut row, unknown, residue(coefficient.into()));
        }
        add_to(&mut row, CONSTANT, residue(constant));
        self.reduce(&mut row);
        let Some((&leading, &coefficient)) = row.first_key_value() else { return };
        if leading == CONSTANT {
            // A contradiction: sums that no records have. Nothing follows from it.
            return;
        }
        let inverse = power(coefficient, PRIME - 2);
        row.values_mut().for_each(|own| *own = multiply(*own, inverse));
        self.rows.insert(leading, row);
    }

    /// The unknowns that have one value only, with it.
    pub(crate) fn solved(mut self) -> BTreeMap<usize, i128> {
        let leading: Vec<usize> = self.rows.keys().copied().collect();
        for unknown in leading.into_iter().rev() {
            let Some(mut row) = self.rows.remove(&unknown) else { continue };
            // The rows below are reduced already: one pass leaves no leading unknown but its own.
            self.reduce(&mut row);
            self.rows.insert(unknown, row);
        }
        let is_solved = |(unknown, row): (usize, Row)| {
            let constant = row.get(&CONSTANT).copied();
            let unknowns = row.len() - usize::from(constant.is_some());
            (unknowns == 1).then(|| (unknown, signed(PRIME - constant.unwrap_or(PRIME))))
        };
        self.rows.into_iter().filter_map(is_solved).collect()
    }

    /// Takes the leading unknowns of the other rows out of a row.
    fn reduce(&self, row: &mut Row) {
        let mut after = 0;
        while let Some((&unknown, &coefficient)) = row.range(after..CONSTANT).next() {
            after = unknown + 1;
            if let Some(other) = self.rows.get(&unknown) {
                let factor = PRIME - coefficient;
                for (&unknown, &own) in other {
                    add_to(row, unknown, multiply(own, factor));
                }
            }
        }
    }
}

fn add_to(row: &mut Row, unknown: usize, amount: u64) {
    let sum = (row.get(&unknown).copied().unwrap_or(0) + amount) % PRIME;
    match sum {
        0 => row.remove(&unknown),
        sum => row.insert(unknown, sum),
    };
}

fn residue(number: i128) -> u64 {
    // The remainder is below 2^61.
    number.rem_euclid(PRIME.into()) as u64
}

/// The integer of least magnitude with this residue.
fn signed(residue: u64) -> i128 {
    let residue = i128::from(residue % PRIME);
    if residue > i128::from(PRIME) / 2 { residue - i128::from(PRIME) } else { residue }
}

fn multiply(a: u64, b: u64) -> u64 {
    // Both are below 2^61, and the remainder is too.
    (u128::from(a) * u128::from(b) % u128::from(PRIME)) as u64
}

fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut result = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, base);
        }
        base = multiply(base, base);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solved(equations: &[(&[(usize, i64)], i128)]) -> Vec<(usize, i128)> {
        let mut system = Equations::default();
        equations.iter().for_each(|(terms, constant)| system.add(terms.iter().copied(), *constant));
        system.solved().into_iter().collect()
    }

    #[test]
    fn an_unknown_alone_is_solved_and_a_pair_is_not() {
        assert_eq!(solved(&[(&[(3, 1)], -7)]), [(3, 7)]);
        assert_eq!(solved(&[(&[(3, -1)], 0)]), [(3, 0)]);
        assert!(solved(&[(&[(0, 1), (1, 1)], -7)]).is_empty());
        assert_eq!(solved(&[(&[(0, 1), (1, 1)], -7), (&[(0, 1), (1, -1)], -1)]), [(0, 4), (1, 3)]);
        assert_eq!(solved(&[(&[(0, 1)], 5)]), [(0, -5)]);
        assert!(solved(&[]).is_empty());
    }

    #[test]
    fn an_unknown_that_bridges_two_cycles_is_solved() {
        // Rows and columns of a table with two 2 × 2 blocks of unknowns and one between them: no
        // equation has a single unknown, but the rows of the first block less its columns give it.
        let rows: [&[(usize, i64)]; 4] =
            [&[(0, 1), (1, 1)], &[(2, 1), (3, 1), (8, 1)], &[(4, 1), (5, 1)], &[(6, 1), (7, 1)]];
        let columns: [&[(usize, i64)]; 4] =
            [&[(0, 1), (2, 1)], &[(1, 1), (3, 1)], &[(4, 1), (6, 1), (8, 1)], &[(5, 1), (7, 1)]];
        let sums = [-2, -5, -2, -2, -2, -2, -5, -2];
        let all: Vec<_> = rows.into_iter().chain(columns).zip(sums).collect();
        assert_eq!(solved(&all), [(8, 3)]);
    }
}
