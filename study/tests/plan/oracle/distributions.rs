//! Distributions: tails by their textbook integrals, which the library evaluates.

use statrs::function::{beta::beta_reg, gamma::gamma_ur};

/// P(X ≥ f) of the F distribution: I_z(d₂/2, d₁/2) at z = d₂ / (d₂ + d₁·f).
pub fn fisher(f: f64, [between, within]: [f64; 2]) -> f64 {
    beta_reg(within / 2.0, between / 2.0, within / (within + between * f))
}

/// P(|T| ≥ |t|) of Student's distribution: T² has an F distribution.
pub fn student(t: f64, dof: f64) -> f64 {
    fisher(t * t, [1.0, dof])
}

/// The t with P(|T| ≥ t) = p, by halving the interval that it is in.
pub fn student_quantile(p: f64, dof: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if student(middle, dof) > p { low = middle } else { high = middle }
    }
    low
}

/// P(X ≥ x) of the χ² distribution: Q(dof/2, x/2).
pub fn chi_squared(x: f64, dof: usize) -> f64 {
    if x == 0.0 { 1.0 } else { gamma_ur(dof as f64 / 2.0, x / 2.0) }
}

#[test]
fn tails_are_those_of_printed_tables() {
    let is_near = |found: f64, expected: f64| {
        assert!((found - expected).abs() < 5e-4 * expected, "{found} {expected}");
    };
    is_near(student_quantile(0.05, 1.0), 12.706);
    is_near(student_quantile(0.05, 10.0), 2.2281);
    is_near(fisher(4.7374, [2.0, 7.0]), 0.05);
    is_near(chi_squared(5.9915, 2), 0.05);
}
