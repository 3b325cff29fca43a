//! Significance: p-values and quantiles of the usual distributions, by the library, and by
//! expansions where the library loses digits.
//!
//! The library's incomplete beta function subtracts logarithms that grow with the degrees of
//! freedom, so that its t distribution has 8 digits at 10^6 of them and fewer beyond, and its
//! quantiles fail above 10^4. Both expansions become more exact the larger the degrees of freedom.

use statrs::{
    distribution::{ChiSquared, ContinuousCDF as _, Normal, StudentsT},
    function::beta::checked_beta_reg,
};

/// From here on the expansions in 1 / dof are used.
const MANY: f64 = 2_000.0;
/// The quantile 0.975 of the normal distribution.
const NORMAL_95: f64 = 1.959_963_984_540_054_2;

/// P(|T| ≥ |t|) for Student's t distribution; none if a number is not finite or dof not positive.
pub(super) fn student(t: f64, dof: f64) -> Option<f64> {
    if !t.is_finite() || !dof.is_finite() || dof <= 0.0 {
        return None;
    }
    let p = match dof < MANY {
        true => 2.0 * StudentsT::new(0.0, 1.0, dof).ok()?.sf(t.abs()),
        false => 2.0 * Normal::standard().sf(normal_of(t.abs(), dof)),
    };
    probability(p)
}

/// The t with P(|T| ≥ t) = 0.05: the half width of an interval of 95 %, in standard errors.
pub(super) fn student_95(dof: f64) -> Option<f64> {
    if !dof.is_finite() || dof <= 0.0 {
        return None;
    }
    let quantile = match dof < MANY {
        true => StudentsT::new(0.0, 1.0, dof).ok()?.inverse_cdf(0.975),
        false => student_of(NORMAL_95, dof),
    };
    quantile.is_finite().then_some(quantile)
}

/// P(X ≥ x) for the χ² distribution.
pub(super) fn chi_squared(x: f64, dof: u64) -> Option<f64> {
    // Degrees of freedom are at most the number of sums.
    let dof = f64::from(u32::try_from(dof).ok()?);
    let distribution = x.is_finite().then(|| ChiSquared::new(dof).ok())??;
    probability(distribution.sf(x.max(0.0)))
}

/// P(X ≥ f) for the F distribution with these degrees of freedom between and within groups.
pub(super) fn fisher(f: f64, [between, within]: [i64; 2]) -> Option<f64> {
    let [between, within] = [double(between)?, double(within)?];
    if !f.is_finite() || f < 0.0 {
        return None;
    }
    if between == 1.0 {
        // F is the square of t.
        return student(f.sqrt(), within);
    }
    // Not 1 − …, as in the library, which loses the digits of a small p.
    let x = within / (within + between * f);
    probability(checked_beta_reg(within / 2.0, between / 2.0, x).ok()?)
}

/// A whole positive number as a double.
fn double(dof: i64) -> Option<f64> {
    use num_traits::ToPrimitive as _;
    dof.to_f64().filter(|dof| *dof > 0.0)
}

fn probability(p: f64) -> Option<f64> {
    (!p.is_nan()).then(|| p.clamp(0.0, 1.0))
}

/// The normal deviate with the tail of t. Hill 1970, Algorithm 395: Student's t-distribution.
fn normal_of(t: f64, dof: f64) -> f64 {
    let a = dof - 0.5;
    let b = 48.0 * a * a;
    let square = a * (t / dof * t).ln_1p();
    let w = square.sqrt();
    let third = ((4.0 * square + 33.0) * square + 240.0) * square + 855.0;
    w + w * (square + 3.0) / b - w * third / (10.0 * b * (b + 0.8 * square * square + 100.0))
}

/// The t with the tail of a normal deviate. Abramowitz and Stegun 1964, 26.7.5.
fn student_of(z: f64, dof: f64) -> f64 {
    let s = z * z;
    let g1 = (s + 1.0) / 4.0;
    let g2 = ((5.0 * s + 16.0) * s + 3.0) / 96.0;
    let g3 = (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) / 384.0;
    let g4 = ((((79.0 * s + 776.0) * s + 1_482.0) * s - 1_920.0) * s - 945.0) / 92_160.0;
    z * (1.0 + (g1 + (g2 + (g3 + g4 / dof) / dof) / dof) / dof)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() <= 1e-9 * expected, "{found:e} {expected:e}");
    }

    // The numbers are those of mpmath with 40 digits, or of SciPy where it is too slow.
    #[test]
    fn students_t_has_nine_digits_for_few_and_many_degrees_of_freedom() {
        for (t, dof, expected) in [
            (0.5, 1.0, 0.704_832_764_699_133_5),
            (-2.5, 3.7, 0.071_822_022_911_826_77),
            (30.0, 10.0, 3.961_792_342_031_324e-11),
            (8.0, 1_999.0, 2.086_965_053_529_587e-15),
            (8.0, 2_000.0, 2.086_436_538_160_822_3e-15),
            (1e-5, 5e4, 0.999_992_021_194_286_2),
            (2.0, 1e5, 0.045_502_963_457_506_46),
            (5.0, 1e9, 5.733_032_403_951_628e-7),
            (1.7, 1e12, 0.089_130_925_517_397_06),
        ] {
            is_near(student(t, dof), expected);
        }
        assert_eq!(student(0.0, 5.0), Some(1.0));
    }

    #[test]
    fn the_quantile_of_students_t_holds_for_any_degrees_of_freedom() {
        for (dof, expected) in [
            (1.0, 12.706_204_736_174_694),
            (2.5, 3.574_654_842_003_681_7),
            (30.0, 2.042_272_456_301_237_8),
            (1_999.0, 1.961_151_420_170_561_3),
            (2_000.0, 1.961_150_826_099_437_7),
            (1e5, 1.959_987_707_534_609_5),
            (1e9, 1.959_963_986_912_325),
        ] {
            is_near(student_95(dof), expected);
        }
    }

    #[test]
    fn chi_squared_keeps_its_digits_in_the_tail() {
        for (x, dof, expected) in [
            (0.1, 1, 0.751_829_634_045_849_3),
            (3.84, 1, 0.050_043_521_248_705_1),
            (200.0, 5, 2.840_622_898_641_531_7e-41),
            (1_400.0, 3, 2.945_619_361_016_309e-303),
            (8_300.0, 8_000, 0.009_438_573_702_676_664),
        ] {
            is_near(chi_squared(x, dof), expected);
        }
    }

    #[test]
    fn f_keeps_its_digits_in_the_tail() {
        for (f, dof, expected) in [
            (1.0, [2, 9], 0.405_344_429_705_902_7),
            (4.5, [1, 2], 0.167_949_705_662_156_3),
            (1e9, [2, 10], 3.124_999_921_875_001e-42),
            (3.2, [7, 100_000], 0.002_168_406_828_709_907),
            (50.0, [3, 1_000_000], 2.649_578_834_383_115_7e-32),
            (0.3, [50, 1_000], 0.999_999_500_000_621_6),
        ] {
            is_near(fisher(f, dof), expected);
        }
    }

    #[test]
    fn numbers_that_are_none_have_no_p() {
        assert_eq!(student(f64::NAN, 3.0), None);
        assert_eq!(student(f64::INFINITY, 3.0), None);
        assert_eq!(student(1.0, 0.0), None);
        assert_eq!(student_95(f64::NAN), None);
        assert_eq!(chi_squared(f64::NAN, 3), None);
        assert_eq!(fisher(-1.0, [2, 3]), None);
        assert_eq!(fisher(1.0, [2, 0]), None);
    }
}
