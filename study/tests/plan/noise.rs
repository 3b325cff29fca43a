//! How much noise a study's sums get, by its epsilon and delta, and what opening them costs.

use mpc::noise::{Distribution, Scale};
use rand_core::SeedableRng as _;
use study::{Plan, Record, StudyResult, Totals, Value};

use crate::world;

/// Wages 0 to 1,000 that may be missing, three regions.
const STUDY: &str = "title = \"t\"\n[privacy]\nmin_records = 3\nepsilon = 0.5\n\
    [[column]]\nname = \"wage\"\ntype = \"integer\"\nmin = 0\nmax = 1000\nmissing = \"allowed\"\n\
    [[column]]\nname = \"g\"\ntype = \"category\"\nvalues = [\"a\", \"b\", \"c\"]\n\
    [[statistic]]\nname = \"by g\"\nkind = \"mean\"\nof = \"wage\"\nby = \"g\"\n";

fn plan(text: &str) -> Plan {
    Plan::new(&world::study(text)).unwrap()
}

fn scales(text: &str) -> Vec<f64> {
    let plan = plan(text);
    let noise = plan.noise().unwrap();
    assert_eq!(noise.mechanism().scales.len(), plan.coordinates());
    noise.mechanism().scales.iter().map(|scale| scale.to_f64()).collect()
}

/// Within a multiple of 2^−20, and never below.
#[track_caller]
fn check_scales(text: &str, expected: &[f64]) {
    let found = scales(text);
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        let unit = 1.0 / Scale::UNITS as f64;
        assert!(
            *found >= *expected && *found < expected * (1.0 + 1e-11) + unit,
            "{found} {expected}"
        );
    }
}

#[test]
fn a_study_without_epsilon_has_no_noise() {
    assert_eq!(plan(&STUDY.replace("epsilon = 0.5\n", "")).noise(), None);
}

#[test]
fn laplace_noise_has_the_scale_sensitivity_times_blocks_over_epsilon() {
    // Counts of values by region, sums of wages by region: 2·1 and 2·1000, two blocks.
    check_scales(STUDY, &[8.0, 8.0, 8.0, 8000.0, 8000.0, 8000.0]);
    let plan = plan(STUDY);
    let noise = plan.noise().unwrap();
    assert_eq!(noise.mechanism().distribution, Distribution::Laplace);
    assert_eq!(noise.budget(), 2);
    let cases: [(&[usize], u64); 6] =
        [(&[], 0), (&[0], 1), (&[0, 1, 2], 1), (&[2, 3], 2), (&[5, 4, 5], 1), (&[99], 0)];
    for (coordinates, cost) in cases {
        assert_eq!(noise.charge(coordinates), cost, "{coordinates:?}");
    }
}

#[test]
fn a_sum_of_squares_is_as_sensitive_as_the_largest_square() {
    let text = STUDY.replace("kind = \"mean\"", "kind = \"variance\"");
    let mut expected = vec![12.0; 3];
    expected.extend([12_000.0; 3]);
    expected.extend([12_000_000.0; 3]);
    let mut found = scales(&text);
    found.sort_by(f64::total_cmp);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((expected..expected * 1.000_001).contains(found), "{found} {expected}");
    }
}

#[test]
fn gaussian_noise_has_the_scale_of_zcdp() {
    let text = STUDY.replace("epsilon = 0.5", "epsilon = 1\ndelta = 1e-6");
    // rho = 0.0174689… for both blocks together: sigma = √2·M·√(2/(2·rho)).
    let sigma = (2.0f64 / 0.017_468_904_769_123_378).sqrt();
    check_scales(&text, &[sigma, sigma, sigma, 1000.0 * sigma, 1000.0 * sigma, 1000.0 * sigma]);
    assert_eq!(plan(&text).noise().unwrap().mechanism().distribution, Distribution::Gaussian);
}

#[test]
fn a_block_of_one_cell_is_half_as_sensitive() {
    let all = STUDY.replace("by = \"g\"\n", "");
    check_scales(&all, &[4.0, 4000.0]);
    let gaussian = all.replace("epsilon = 0.5", "epsilon = 1\ndelta = 1e-6");
    let sigma = (1.0f64 / 0.017_468_904_769_123_378).sqrt();
    check_scales(&gaussian, &[sigma, 1000.0 * sigma]);
}

#[test]
fn the_public_number_of_records_needs_no_noise_and_costs_nothing() {
    let only = "title = \"t\"\n[privacy]\nmin_records = 1\nepsilon = 0.5\n\
        [[column]]\nname = \"x\"\ntype = \"boolean\"\n[[statistic]]\nname = \"n\"\nkind = \"count\"\n";
    check_scales(only, &[0.0]);
    let plan = plan(only);
    let noise = plan.noise().unwrap();
    assert_eq!((noise.budget(), noise.charge(&[0])), (0, 0));
    // Where it only decides what is opened, it takes nothing from the others.
    let gate = STUDY
        .replace("by = \"g\"\n", "")
        .replace("missing = \"allowed\"\n", "")
        .replace("min_records = 3\n", "min_records = 3\nmin_cell = 5\n");
    check_scales(&gate, &[0.0, 2000.0]);
}

#[test]
fn every_opening_is_charged_and_together_they_use_up_the_budget() {
    let text = STUDY.replace("min_records = 3\n", "min_records = 3\nmin_cell = 5\n");
    let plan = plan(&text);
    let noise = plan.noise().unwrap();
    let mut values = vec![None; plan.coordinates()];
    let counts = plan.next_opening(100, &values);
    counts.iter().for_each(|&count| values[count] = Some(9));
    values[counts[0]] = Some(-4);
    let sums = plan.next_opening(100, &values);
    assert_eq!((counts.len(), sums.len()), (3, 2), "a negative count is a small one");
    assert_eq!((noise.charge(&counts), noise.charge(&sums), noise.budget()), (1, 1, 2));
}

#[test]
fn one_changed_record_changes_the_blocks_by_no_more_than_the_noise_is_for() {
    // The largest changes there are: another cell and another end of the range, or missing.
    let plan = plan(STUDY);
    let records = [(Some(0), 0), (Some(1000), 0), (Some(1000), 2), (None, 1), (Some(17), 1)];
    let sums: Vec<Vec<i128>> = records
        .iter()
        .map(|&(wage, group)| {
            let wage = wage.map_or(Value::Missing, Value::Number);
            let record = study::Record { values: vec![wage, Value::Category(group)] };
            let sums = world::sums(&plan, &world::encode(&plan, &[record]));
            sums.into_iter().map(|sum| sum as i128).collect()
        })
        .collect();
    let (mut counts, mut wages) = (0, 0);
    for one in &sums {
        for other in &sums {
            let change = |block: std::ops::Range<usize>| -> i128 {
                block.map(|place| (one[place] - other[place]).abs()).sum()
            };
            (counts, wages) = (counts.max(change(0..3)), wages.max(change(3..6)));
        }
    }
    // The scale is the sensitivity times 2 blocks over 0.5.
    assert_eq!((counts, wages), (2, 2000));
    check_scales(STUDY, &[2, 2, 2, 2000, 2000, 2000].map(|change| f64::from(change) * 4.0));
}

/// Everyone is 2 or 6 in two groups of 200; answers over sums with fresh noise of two servers.
fn noisy_answers(privacy: &str, times: u64) -> (StudyResult, Vec<StudyResult>) {
    let text = |privacy: &str| {
        format!(
            "title = \"t\"\n[privacy]\nmin_records = 1\n{privacy}\n\
             [[column]]\nname = \"x\"\ntype = \"integer\"\nmin = -2\nmax = 8\n\
             [[column]]\nname = \"g\"\ntype = \"category\"\nvalues = [\"a\", \"b\"]\n\
             [[statistic]]\nname = \"n\"\nkind = \"count\"\nby = \"g\"\n\
             [[statistic]]\nname = \"m\"\nkind = \"mean\"\nof = \"x\"\nby = \"g\"\n\
             [[statistic]]\nname = \"v\"\nkind = \"variance\"\nof = \"x\"\n"
        )
    };
    let records: Vec<_> = (0..400u32)
        .map(|place| Record {
            values: vec![
                Value::Number(if place % 4 < 2 { 2 } else { 6 }),
                Value::Category(place % 2),
            ],
        })
        .collect();
    let exact = world::answer(&world::study(&text("")), &records);
    let plan = Plan::new(&world::study(&text(privacy))).unwrap();
    let sums = world::sums(&plan, &world::encode(&plan, &records));
    let mechanism = plan.noise().unwrap().mechanism();
    let all: Vec<_> = (0..plan.coordinates()).collect();
    let noisy = (0..times).map(|seed| {
        let mut rng = chacha20::ChaCha20Rng::seed_from_u64(seed);
        let mut values: Vec<_> = sums.iter().map(|sum| Some(*sum as i128)).collect();
        for _ in plan.study().servers() {
            let draws = mechanism.sample(&all, &mut rng).unwrap();
            for (value, draw) in values.iter_mut().zip(draws.values()) {
                *value = value.map(|value| value + draw);
            }
        }
        plan.decode(&Totals { records: 400, values })
    });
    (exact, noisy.collect())
}

#[test]
fn an_interval_holds_the_exact_value_about_ninety_five_times_in_a_hundred() {
    for privacy in ["epsilon = 4.0\ndelta = 1e-6", "epsilon = 4.0"] {
        let (exact, noisy) = noisy_answers(privacy, 60);
        let (mut inside, mut all) = (0, 0);
        for result in &noisy {
            let cells = result.statistics.iter().zip(&exact.statistics);
            for (cell, exact) in cells.flat_map(|(own, exact)| own.cells.iter().zip(&exact.cells)) {
                let (Some(exact), Some(interval)) = (exact.number(), &cell.ci95) else {
                    assert!(cell.value.is_none(), "a value without an interval: {cell:?}");
                    continue;
                };
                let end = |place: usize| interval[place].as_f64().unwrap();
                inside += i32::from((end(0)..=end(1)).contains(&exact));
                all += 1;
            }
        }
        // 300 intervals; those of one result hang together.
        let share = f64::from(inside) / f64::from(all);
        assert!(all >= 240 && (0.90..=0.99).contains(&share), "{privacy}: {inside} of {all}");
    }
}

#[test]
fn a_noisy_result_says_mechanism_budget_scale_and_interval() {
    let (_, noisy) = noisy_answers("epsilon = 4.0\ndelta = 1e-6", 1);
    let json = serde_json::to_value(&noisy[0]).unwrap();
    assert_eq!(
        json["differential_privacy"],
        serde_json::json!({"mechanism": "discrete Gaussian", "epsilon": 4.0, "delta": 1e-6,
            "unit": "provider"})
    );
    let noise = &json["statistics"][1]["noise"];
    let names: Vec<_> = noise.as_array().unwrap().iter().map(|own| own["sum"].clone()).collect();
    assert_eq!(names, [serde_json::json!([]), serde_json::json!(["x"])]);
    let [count, sum] = [0, 1].map(|place| noise[place]["scale"].as_f64().unwrap());
    assert!((sum / count - 10.0).abs() < 1e-3, "a value moves a sum by up to 10, a count by 1");
    let deviation = noise[0]["deviation"].as_f64().unwrap();
    let servers = world::study(STUDY).servers().len() as f64;
    assert!((deviation / count - servers.sqrt()).abs() < 1e-9, "every server adds all of it");
    assert_eq!(json["statistics"][1]["cells"][0]["ci95"].as_array().unwrap().len(), 2);
}

#[test]
fn a_noisy_quantile_has_no_interval() {
    let text = |kind: &str| {
        format!(
            "title = \"t\"\n[privacy]\nmin_records = 1\nepsilon = 4.0\n\
             [[column]]\nname = \"x\"\ntype = \"integer\"\nmin = 0\nmax = 9\n\
             [[statistic]]\nname = \"s\"\nof = \"x\"\nkind = {kind}\n"
        )
    };
    let cell = |kind| {
        let plan = plan(&text(kind));
        let values = (0..plan.coordinates()).map(|place| Some(40 + 3 * place as i128)).collect();
        plan.decode(&Totals { records: 500, values }).statistics[0].cells[0].clone()
    };
    let quantile = cell("\"quantile\"\nq = 0.5");
    assert!(quantile.value.is_some() && quantile.ci95.is_none(), "{quantile:?}");
    let histogram = cell("\"histogram\"\nwidth = 1");
    assert!(histogram.value.is_some() && histogram.ci95.is_some(), "{histogram:?}");
}
