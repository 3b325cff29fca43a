//! What the other servers see of an opening, counted out on a toy: a field of p elements, and a group
//! of q elements that are written as exponents, so that a commitment is o·g + r·h mod q and whoever
//! can count can take logarithms.
//!
//! Every choice of shares and blindings is gone through, so that distributions are compared exactly.

use std::collections::HashMap;

/// Exponents of the bases.
const G: u64 = 1;
const H: u64 = 2;

/// A small world: k servers, of which one is honest, and n providers.
#[derive(Clone, Copy)]
struct Toy {
    p: u64,
    q: u64,
    k: usize,
    n: usize,
}

/// Which of the honest server's messages are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Shown {
    /// Commitments to its shares, its integer sum, the sum of the blindings: the protocol.
    All,
    /// Its integer sum alone.
    Sum,
    /// Everything, if the blindings were zero.
    Unblinded,
}

/// How often each view comes up, over all shares and blindings. A view is its numbers, all below
/// 256, in one.
type Views = HashMap<u128, u64>;

/// Calls `f` with every list of `n` numbers below `base`.
fn for_all(base: u64, n: usize, f: &mut impl FnMut(&[u64])) {
    let mut digits = vec![0; n];
    loop {
        f(&digits);
        let Some(place) = digits.iter().position(|digit| *digit + 1 < base) else { return };
        digits[place] += 1;
        digits[..place].fill(0);
    }
}

impl Toy {
    /// The view of the k − 1 others: their shares, and what the honest server says. Only those
    /// choices count in which the sums of their shares, by provider, are all above `above`.
    fn views(self, shown: Shown, inputs: &[u64], above: Option<&[u64]>) -> Views {
        let mut views = Views::new();
        let blindings = if shown == Shown::All { self.q } else { 1 };
        for_all(self.p, self.n * (self.k - 1), &mut |others| {
            let sums = others.chunks(self.k - 1).map(|shares| shares.iter().sum::<u64>() % self.p);
            let sums: Vec<u64> = sums.collect();
            if above.is_some_and(|above| sums.iter().zip(above).any(|(sum, least)| sum <= least)) {
                return;
            }
            let own = inputs.iter().zip(&sums).map(|(input, sum)| (input + self.p - sum) % self.p);
            let own: Vec<u64> = own.collect();
            let total: u64 = own.iter().sum();
            for_all(blindings, self.n, &mut |r| {
                let mut view = others.iter().fold(0, |view, share| view << 8 | u128::from(*share));
                view = view << 8 | u128::from(total);
                if shown != Shown::Sum {
                    let commitments = own.iter().zip(r).map(|(o, r)| (o * G + r * H) % self.q);
                    let blinding = r.iter().sum::<u64>() % self.q;
                    let said = commitments.chain([blinding]);
                    view = said.fold(view, |view, said| view << 8 | u128::from(said));
                }
                *views.entry(view).or_default() += 1;
            });
        });
        views
    }

    /// Inputs of small totals, so that pairs of equal total are many and bounds below 1.
    fn inputs(self) -> Vec<Vec<u64>> {
        let mut inputs = Vec::new();
        for_all(3, self.n, &mut |input| {
            if input.iter().sum::<u64>() <= 2 {
                inputs.push(input.to_vec());
            }
        });
        inputs
    }

    fn check(self) {
        let inputs = self.inputs();
        let all_of = |shown| inputs.iter().map(move |input| self.views(shown, input, None));
        let whole: Vec<Views> = all_of(Shown::All).collect();
        let alone: Vec<Views> = all_of(Shown::Sum).collect();
        let bare: Vec<Views> = all_of(Shown::Unblinded).collect();
        let (mut pairs, mut telling) = (0, 0);
        for (i, j) in (0..inputs.len()).flat_map(|i| (0..i).map(move |j| (i, j))) {
            let (x, y) = (&inputs[i], &inputs[j]);
            if x.iter().sum::<u64>() != y.iter().sum::<u64>() {
                continue;
            }
            let most: Vec<u64> = x.iter().zip(y).map(|(x, y)| *x.max(y)).collect();
            let seen = distance(&whole[i], &whole[j]);
            // (a) At most as likely as that some sum of the others' shares is at most an input.
            let bound = most.iter().map(|most| most + 1).sum::<u64>() as f64 / self.p as f64;
            assert!(seen <= bound, "{x:?} {y:?}: {seen} above {bound}");
            telling += u32::from(seen > 0.0 && bound < 1.0);
            // (b) Where none is, nothing tells the two apart.
            let (usual, other) = [x, y].map(|x| self.views(Shown::All, x, Some(&most))).into();
            assert!(usual == other && !usual.is_empty(), "{x:?} {y:?}");
            // (c) Commitments and the sum of the blindings add nothing to the integer sum.
            assert_eq!(seen, distance(&alone[i], &alone[j]), "{x:?} {y:?}");
            // If they did not blind, they would.
            assert!(distance(&bare[i], &bare[j]) > seen, "{x:?} {y:?}");
            pairs += 1;
        }
        assert!(pairs > 0 && (telling > 0 || self.n > 2), "the bound says something");
    }
}

/// The statistical distance of two distributions over as many choices.
fn distance(one: &Views, two: &Views) -> f64 {
    let draws: u64 = one.values().sum();
    assert_eq!(draws, two.values().sum::<u64>());
    let missing = two.iter().filter(|(view, _)| !one.contains_key(*view)).map(|(_, count)| *count);
    let counts =
        one.iter().map(|(view, count)| count.abs_diff(two.get(view).copied().unwrap_or_default()));
    // Halves of whole numbers below 2^53: equal distances are equal numbers only if divided alike,
    // so fractions are brought to lowest terms by dividing integers last.
    let twice: u64 = counts.chain(missing).sum();
    let common = gcd(twice.max(1), 2 * draws);
    (twice / common) as f64 / (2 * draws / common) as f64
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[test]
fn others_see_of_an_opening_no_more_than_that_a_share_fell_short_of_its_input() {
    for (k, n, p, q) in [(2, 2, 7, 11), (2, 3, 7, 7), (3, 2, 7, 7), (3, 3, 5, 3)] {
        Toy { p, q, k, n }.check();
    }
}
