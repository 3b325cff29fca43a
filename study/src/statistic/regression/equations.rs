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
    // Row i of R up to its diagonal: the others are 0.
    let mut units: Vec<Vec<BigInt>> = Vec::new();
    for i in 0..k {
        units.push((0..=i).map(|j| if i == j { BigInt::one() } else { BigInt::ZERO }).collect());
    }
    let (mut coefficients, mut inverse) = (vec![BigInt::ZERO; k], vec![BigInt::ZERO; k]);
    let (mut before, mut total) = (BigInt::one(), BigInt::ZERO);
    for m in 0..k {
        let (row, unit) = (std::mem::take(&mut rows[m]), std::mem::take(&mut units[m]));
        // A row of the triangle has its diagonal and y.
        let [pivot, .., u] = row.as_slice() else { return Err(Singular::Impossible) };
        if pivot.is_negative() {
            return Err(Singular::Impossible);
        }
        if pivot.is_zero() {
            return Err(Singular::Collinear(m));
        }
        for (j, r) in unit.iter().enumerate() {
            coefficients[j] = (&coefficients[j] * pivot + r * u) / &before;
            inverse[j] = (&inverse[j] * pivot + r * r) / &before;
        }
        for i in m + 1..=k {
            let factor = &row[i - m];
            for (place, entry) in rows[i].iter_mut().enumerate() {
                *entry = (&*entry * pivot - factor * &row[i - m + place]) / &before;
            }
            // R has no row of y.
            let Some(own) = units.get_mut(i) else { continue };
            for (entry, r) in
                own.iter_mut().zip(unit.iter().chain(std::iter::repeat(&BigInt::ZERO)))
            {
                *entry = (&*entry * pivot - factor * r) / &before;
            }
        }
        before = pivot.clone();
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
