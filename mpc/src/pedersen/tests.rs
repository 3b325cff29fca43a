//! Commitments add up as their values do, and a false one among many is found.

use super::*;
use crate::circuit::MINUS_ONE;
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn values(coordinates: usize, rng: &mut StdRng) -> Vec<u128> {
    (0..coordinates).map(|_| rng.random_range(0..=MINUS_ONE)).collect()
}

/// Σ values[c]·G_c + blinding·H, term by term.
fn plain(bases: &Bases, values: &[u128], blinding: &Blinding) -> RistrettoPoint {
    let terms = values.iter().enumerate().map(|(c, value)| bases.base(c) * Scalar::from(*value));
    terms.sum::<RistrettoPoint>() + bases.blinding_base() * blinding.0
}

/// An upload, and how it is made false.
fn opened(bases: &Bases, lie: Option<u8>, rng: &mut StdRng) -> Opened {
    let mut values = values(bases.coordinates(), rng);
    let mut blinding = Blinding::random(rng);
    let mut commitment = bases.commit(&values, &blinding).point().expect("a point");
    let place = rng.random_range(0..values.len());
    match lie {
        None => {}
        Some(0) => values[place] ^= 1 << rng.random_range(0..128),
        Some(1) => blinding = Blinding::random(rng),
        Some(2) => commitment += bases.blinding_base(),
        Some(3) => commitment = plain(bases, &[rng.random()], &Blinding::random(rng)),
        Some(_) => values.push(0),
    }
    Opened::new(commitment, Zeroizing::new(values), blinding)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn commitments_add_up_as_their_values_do(
        coordinates in 0usize..20, count in 1usize..10, seed: u64,
    ) {
        let (bases, mut rng) = (Bases::new(coordinates), rng(seed));
        let mut points = RistrettoPoint::identity();
        let (mut totals, mut blindings) = (vec![Scalar::ZERO; coordinates], Scalar::ZERO);
        for _ in 0..count {
            let (values, blinding) = (values(coordinates, &mut rng), Blinding::random(&mut rng));
            points += bases.commit(&values, &blinding).point().expect("a point");
            totals.iter_mut().zip(values).for_each(|(total, value)| *total += Scalar::from(value));
            blindings += *blinding.reveal_scalar();
        }
        let pairs = || totals.iter().copied().enumerate();
        prop_assert_eq!(bases.combine(pairs(), &blindings), points);
        prop_assert_eq!(bases.combine_secret(pairs(), &blindings), points);
    }

    #[test]
    fn exactly_the_false_openings_are_found_wherever_they_are(
        coordinates in 1usize..6,
        lies in proptest::collection::vec(proptest::option::weighted(0.3, 0u8..5), 0..40),
        seed: u64,
    ) {
        let (bases, mut rng) = (Bases::new(coordinates), rng(seed));
        let uploads: Vec<Opened> =
            lies.iter().map(|lie| opened(&bases, *lie, &mut rng)).collect();
        let expected: Vec<bool> = lies.iter().map(Option::is_none).collect();
        prop_assert_eq!(bases.check_all(&uploads, &mut rng), expected);
    }

    #[test]
    fn sums_of_products_are_those_of_the_group(
        products in proptest::collection::vec((any::<u128>(), any::<u128>()), 0..50),
    ) {
        let (mut wide, mut sum) = ([0; 5], Scalar::ZERO);
        for (a, b) in products.into_iter().chain([(u128::MAX, u128::MAX); 4]) {
            check::add_product(&mut wide, a, b);
            sum += Scalar::from(a) * Scalar::from(b);
        }
        prop_assert_eq!(check::reduce(&wide), sum);
    }
}

#[test]
fn any_width_commits_to_the_plain_sum_and_is_checked() {
    let mut rng = rng(1);
    for coordinates in [0, 1, 2, 254, 255, 256, 257, 511, 512, 700] {
        let bases = Bases::new(coordinates);
        let (values, blinding) = (values(coordinates, &mut rng), Blinding::random(&mut rng));
        let commitment = bases.commit(&values, &blinding);
        assert_eq!(commitment, plain(&bases, &values, &blinding).into(), "{coordinates}");
        let point = commitment.point().expect("a point");
        let again = Blinding::from_bytes(*blinding.reveal_bytes()).expect("canonical");
        let uploads = [
            Opened::new(point, Zeroizing::new(values.clone()), blinding),
            Opened::new(point + point, Zeroizing::new(values), again),
        ];
        assert_eq!(bases.check_all(&uploads, &mut rng), [true, false], "{coordinates}");
    }
}

#[test]
fn two_lies_that_cancel_out_in_the_plain_sum_are_both_found() {
    let (bases, mut rng) = (Bases::new(3), rng(2));
    let mut uploads: Vec<Opened> = (0..6).map(|_| opened(&bases, None, &mut rng)).collect();
    let shift = bases.base(1);
    for (place, sign) in [(1, Scalar::ONE), (4, -Scalar::ONE)] {
        let upload = opened(&bases, None, &mut rng);
        let point = plain(&bases, upload.values(), &upload.blinding) + shift * sign;
        let values = Zeroizing::new(upload.values().to_vec());
        let blinding = Blinding(*upload.blinding.reveal_scalar());
        uploads[place] = Opened::new(point, values, blinding);
    }
    let found = bases.check_all(&uploads, &mut rng);
    assert_eq!(found, [true, false, true, true, false, true]);
}

#[test]
fn bytes_that_are_no_point_or_no_scalar_are_refused() {
    assert!(Commitment([0xff; 32]).point().is_none());
    let mut negative = Bases::new(0).blinding_base().compress().to_bytes();
    negative[0] |= 1;
    assert!(Commitment(negative).point().is_none());
    assert!(Commitment([0; 32]).point().is_some(), "the identity is a point");
    let order = (-Scalar::ONE).to_bytes();
    assert!(Blinding::from_bytes(order).is_some());
    let mut above = order;
    above[0] += 1;
    assert!(Blinding::from_bytes(above).is_none());
    assert!(Blinding::from_bytes([0xff; 32]).is_none());
}

/// Calculated by another implementation, from RFC 9496 alone.
#[test]
fn the_bases_are_those_of_the_specification() {
    let bases = Bases::new(2);
    let is = |point: RistrettoPoint, expected: &str| {
        assert_eq!(format!("{:?}", Commitment::from(point)), expected);
    };
    is(bases.blinding_base(), "cacc4f38d2a8c33633142d50aa03519bb1a43a3d792f9ae86c97bae04c95695f");
    is(bases.base(0), "fccc6a496e75ca6eafbe38c66ea61d2e8d74f532e742055eb8853a1d0b563d7b");
    is(bases.base(1), "72ce599434dab643d8c7908a28c34702dd742d2e19d0a40ffde8e934a8b5ee0c");
    is(bases.base(258), "b6aec31811fbb0149af4ebfc85cccf55fbdef5c7246ef2e35ef3c68435491957");
}

#[test]
fn a_base_is_the_same_within_and_beyond_the_coordinates() {
    let (few, many) = (Bases::new(2), Bases::new(9));
    for c in 0..12 {
        assert_eq!(few.base(c), many.base(c));
        assert_ne!(few.base(c), few.base(c + 1));
        assert_ne!(few.base(c), few.blinding_base());
    }
}

#[test]
fn a_blinding_shows_nothing_of_itself() {
    let blinding = Blinding::random(&mut rng(3));
    assert_eq!(format!("{blinding:?}"), "Blinding(secret)");
    let mut rng = rng(4);
    let upload = opened(&Bases::new(2), None, &mut rng);
    assert_eq!(format!("{upload:?}"), "Opened { coordinates: 2, .. }");
    assert_ne!(rng.next_u64(), 0);
}
