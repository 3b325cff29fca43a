//! Equations: ordinary least squares, solved exactly in integers.
//!
//! With z = (1, x_1, …, x_p, y) and k = p + 1, A = Σ z·zᵀ is symmetric. Elimination without
//! fractions (Bareiss 1968, *Sylvester's identity and multistep integer-preserving Gaussian
//! elimination*) keeps every entry a minor of A: step m replaces
//! a_ij by (a_mm·a_ij − a_im·a_mj) / d_(m−1), which divides exactly, where the pivot d_m = a_mm is the
//! leading minor of order m + 1 and d_(−1) = 1. Applied to the unit matrix beside A it gives R.
//! With u_m the entry of column y in the pivot's row at step m:
//!
//! - β_j = Σ_m R_mj·u_m / (d_(m−1)·d_m), and (A_xx⁻¹)_jj = Σ_m R_mj² / (d_(m−1)·d_m), over m < k. The
//!   sums up to m have the denominator d_m (Cramer's rule), so that they are integers too.
//! - The residual sum of squares is d_k / d_(k−1), and that about the mean is a_yy after step 0, by n.
//!
//! A is positive semidefinite, so that a pivot is 0 exactly if a predictor follows from those
//! before it, and exchanging rows is never needed.

use std::iter;

use num_bigint::BigInt;
use num_traits::{One as _, Signed as _, Zero as _};

/// What least squares gives, in integers. The pivots are positive.
#[derive(Debug)]
pub(super) struct Fit {
    /// Per coefficient its numerator; the denominator is [`Fit::minor`].
    pub(super) coefficients: Vec<BigInt>,
    /// Per coefficient the numerator of the entry of A_xx⁻¹ on the diagonal; the denominator is
    /// [`Fit::minor`].
    pub(super) inverse: Vec<BigInt>,
    /// The determinant of A_xx.
    pub(super) minor: BigInt,
    /// The residual sum of squares times [`Fit::minor`].
    pub(super) residual: BigInt,
    /// The sum of squares of y about its mean, times n.
    pub(super) total: BigInt,
}

/// Why there is no fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Singular {
    /// The predictor at this place follows from those before it.
    Collinear(usize),
    /// No records have such sums.
    Impossible,
}

/// Solves the equations of A, given as its rows from the diagonal on: row i has a_ii, a_i(i+1), ….
pub(super) fn solve(mut rows: Vec<Vec<BigInt>>) -> Result<Fit, Singular> {
    let k = rows.len().saturating_sub(1);
    // R as far as it is not 0: row i up to its diagonal.
    let entry = |is_diagonal| if is_diagonal { BigInt::one() } else { BigInt::ZERO };
    let mut units: Vec<Vec<BigInt>> =
        (0..k).map(|i| (0..=i).map(|j| entry(i == j)).collect()).collect();
    let (mut coefficients, mut inverse) = (vec![BigInt::ZERO; k], vec![BigInt::ZERO; k]);
    let (mut before, mut total) = (BigInt::one(), BigInt::ZERO);
    // What is left of A and R begins with row m.
    for m in 0..k {
        let (row, unit) = (rows.remove(0), units.remove(0));
        let [pivot, .., u] = row.as_slice() else { return Err(Singular::Impossible) };
        if pivot.is_negative() {
            return Err(Singular::Impossible);
        }
        if pivot.is_zero() {
            return Err(Singular::Collinear(m));
        }
        for ((beta, variance), r) in coefficients.iter_mut().zip(&mut inverse).zip(&unit) {
            *beta = (&*beta * pivot + r * u) / &before;
            *variance = (&*variance * pivot + r * r) / &before;
        }
        let eliminate = |entry: &mut BigInt, factor: &BigInt, above: &BigInt| {
            *entry = (&*entry * pivot - factor * above) / &before;
        };
        for (place, own) in rows.iter_mut().enumerate() {
            // A is symmetric: the factor of a row is the pivot row's entry above its diagonal.
            let above = row.iter().skip(place + 1);
            let Some(factor) = above.clone().next() else { continue };
            own.iter_mut().zip(above).for_each(|(entry, above)| eliminate(entry, factor, above));
        }
        // There is no row of y in R.
        for (own, factor) in units.iter_mut().zip(row.iter().skip(1)) {
            let above = unit.iter().chain(iter::repeat(&BigInt::ZERO));
            own.iter_mut().zip(above).for_each(|(entry, above)| eliminate(entry, factor, above));
        }
        before.clone_from(pivot);
        if m == 0 {
            total = last(&rows);
        }
    }
    let residual = last(&rows);
    if residual.is_negative() || total.is_negative() {
        return Err(Singular::Impossible);
    }
    Ok(Fit { coefficients, inverse, minor: before, residual, total })
}

/// The entry of y with itself.
fn last(rows: &[Vec<BigInt>]) -> BigInt {
    rows.last().and_then(|row| row.last()).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triangle<const K: usize>(points: &[[i64; K]]) -> Vec<Vec<BigInt>> {
        let sum = |i: usize, j: usize| points.iter().map(|point| point[i] * point[j]).sum::<i64>();
        (0..K).map(|i| (i..K).map(|j| sum(i, j).into()).collect()).collect()
    }

    fn integers(numbers: &[i64]) -> Vec<BigInt> {
        numbers.iter().copied().map(BigInt::from).collect()
    }

    #[test]
    fn a_line_through_four_points() {
        // n = 4, Σx = 6, Σx² = 14, Σy = 10, Σxy = 22: det = 20, slope 28/20, intercept 8/20.
        let fit = solve(triangle(&[[1, 0, 0], [1, 1, 3], [1, 2, 2], [1, 3, 5]])).unwrap();
        assert_eq!((fit.minor, fit.coefficients), (20.into(), integers(&[8, 28])));
        assert_eq!(fit.inverse, integers(&[14, 4]));
        // Residuals −0.4, 1.2, −1.2, 0.4: 3.2 · 20. Σy² − 10²/4 = 13, times 4.
        assert_eq!((fit.residual, fit.total), (64.into(), 52.into()));
    }

    #[test]
    fn the_first_predictor_that_follows_is_named() {
        // The third is the second plus twice the constant.
        let points = [[1, 0, 2, 5], [1, 1, 3, 6], [1, 4, 6, 1]];
        assert_eq!(solve(triangle(&points)).unwrap_err(), Singular::Collinear(2));
        assert_eq!(solve(triangle(&[[0, 0, 0]])).unwrap_err(), Singular::Collinear(0));
    }

    #[test]
    fn sums_that_no_records_have_are_impossible() {
        let rows = vec![integers(&[2, 3, 1]), integers(&[1, 1]), integers(&[1])];
        assert_eq!(solve(rows).unwrap_err(), Singular::Impossible);
    }
}
