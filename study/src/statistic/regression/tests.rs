//! The regression against statsmodels, and by hand where the answer is exact.

use std::time::Instant;

use num_bigint::BigInt;
use serde_json::{Value, json};

use crate::{
    result::{Presentation, Reason},
    statistic::{Sums, example},
};

const RECORDS: &[&str] = &[
    "age=20,earnings=12.5,gender=female,region=North,hired=true,score=3",
    "age=31,earnings=20.67,gender=male,region=South,hired=true,score=7",
    "age=45,earnings=33.1,gender=female,region=West,hired=false,score=10",
    "age=52,earnings=41.0,gender=male,region=North,hired=true,score=0",
    "age=64,earnings=0.05,gender=female,region=South,hired=false,score=5",
    "age=27,earnings=55.0,gender=male,region=West,hired=true,score=6",
    "age=80,earnings=99.99,gender=female,region=North,hired=true,score=9",
    "age=18,earnings=10.01,gender=male,region=South,hired=false,score=2",
    "age=39,earnings=17.25,gender=female,region=West,hired=true,score=4",
    "age=58,earnings=63.4,gender=male,region=North,hired=false,score=8",
];

/// Name, coefficient, standard error, t and p.
type Row = (&'static str, [f64; 4]);

fn check(keys: &str, rows: &[Row], r2: f64) {
    // A record without one of the values is not of the regression.
    let records: Vec<_> = RECORDS.iter().copied().chain(["age=33", "score=1,age=20"]).collect();
    let value = example::value("regression", keys, &records).unwrap();
    let names: Vec<_> =
        value["coefficients"].as_object().unwrap().keys().map(String::as_str).collect();
    let expected: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, expected);
    for (name, numbers) in rows {
        for (key, expected) in ["coefficients", "std_errors", "t", "p"].iter().zip(numbers) {
            is_near(&value[key][name], *expected);
        }
    }
    is_near(&value["r2"], r2);
    assert_eq!(value["n"], json!(10));
}

fn is_near(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-11 * expected.abs(), "{found:?} {expected:?}");
}

#[test]
fn numbers_dummies_and_truth_values_as_in_statsmodels() {
    let rows = [
        (
            "intercept",
            [
                -33.275_750_419_250_11,
                27.899_907_716_768_332,
                -1.192_683_171_466_219_6,
                0.278_016_062_129_943_1,
            ],
        ),
        (
            "age",
            [
                1.090_500_484_637_751_7,
                0.447_419_087_069_818_03,
                2.437_313_284_463_394_7,
                0.050_656_308_981_694_244,
            ],
        ),
        (
            "gender[male]",
            [
                18.960_206_009_508_113,
                17.058_934_534_252_71,
                1.111_453_119_855_629_4,
                0.308_915_300_283_621_1,
            ],
        ),
        (
            "hired",
            [
                19.608_210_635_362_653,
                16.600_795_734_233_433,
                1.181_160_888_265_582_4,
                0.282_231_871_222_427_5,
            ],
        ),
    ];
    check("y = \"earnings\"\nx = [\"age\", \"gender\", \"hired\"]", &rows, 0.532_058_553_915_261_1);
}

#[test]
fn several_labels_and_an_interaction_as_in_statsmodels() {
    let rows = [
        (
            "intercept",
            [
                1.279_556_221_540_205_2,
                2.973_775_916_267_595_5,
                0.430_279_973_195_217_8,
                0.684_907_072_424_207_8,
            ],
        ),
        (
            "earnings",
            [
                0.086_323_182_544_057_77,
                0.043_882_445_016_232_695,
                1.967_146_144_936_219_5,
                0.106_311_411_599_882_22,
            ],
        ),
        (
            "region[South]",
            [
                3.073_182_819_384_803_6,
                3.033_682_153_593_297,
                1.013_020_700_189_279_7,
                0.357_533_887_492_239_2,
            ],
        ),
        (
            "region[West]",
            [
                2.669_980_195_696_182_6,
                2.607_433_889_118_863,
                1.023_987_686_452_331_2,
                0.352_804_305_663_808_1,
            ],
        ),
        (
            "age:gender[male]",
            [
                -0.034_916_908_619_467_946,
                0.049_104_655_005_569_514,
                -0.711_071_254_151_111,
                0.508_826_171_899_648_1,
            ],
        ),
    ];
    check(
        "y = \"score\"\nx = [\"earnings\", \"region\", \"age:gender\"]",
        &rows,
        0.489_040_745_200_980_84,
    );
}

#[test]
fn two_categories_interact_label_by_label() {
    let keys = "y = \"score\"\nx = [\"gender:region\"]";
    let value = example::value("regression", keys, RECORDS).unwrap();
    // The means of male South (4.5) and male West (6), and of all others (39 / 7).
    let expected = json!({
        "intercept": 39.0 / 7.0,
        "gender[male]:region[South]": 4.5 - 39.0 / 7.0,
        "gender[male]:region[West]": 6.0 - 39.0 / 7.0,
    });
    for (name, number) in expected.as_object().unwrap() {
        is_near(&value["coefficients"][name], number.as_f64().unwrap());
    }
}

#[test]
fn an_exact_fit_has_no_t_and_a_constant_has_no_r_squared() {
    let line = ["age=20,score=1", "age=22,score=2", "age=24,score=3"];
    let answer = example::answer("regression", "y = \"score\"\nx = \"age\"", &line).unwrap();
    let expected = json!({
        "coefficients": { "intercept": -9.0, "age": 0.5 },
        "std_errors": { "intercept": 0.0, "age": 0.0 },
        "t": null,
        "p": null,
        "r2": 1.0,
        "n": 3,
    });
    assert_eq!(answer.value, expected);
    let Presentation::Table(sheet) = answer.shown else { panic!("no table") };
    assert_eq!(sheet.rows[1], ["age", "0.50000", "0", "–", "–"]);
    let flat = ["age=20,score=7", "age=22,score=7", "age=29,score=7"];
    let value = example::value("regression", "y = \"score\"\nx = \"age\"", &flat).unwrap();
    assert_eq!((&value["r2"], &value["coefficients"]["intercept"]), (&Value::Null, &json!(7.0)));
}

#[test]
fn the_square_of_a_number_is_a_predictor() {
    let curve = ["age=20,score=1", "age=21,score=2", "age=22,score=5", "age=23,score=10"];
    let keys = "y = \"score\"\nx = [\"age\", \"age:age\"]";
    let value = example::value("regression", keys, &curve).unwrap();
    assert_eq!(value["coefficients"], json!({ "intercept": 401.0, "age": -40.0, "age:age": 1.0 }));
}

#[test]
fn too_few_records_or_collinear_predictors_are_reasons() {
    let keys = "y = \"score\"\nx = [\"age\", \"gender\"]";
    let answer = |records: &[&str]| example::value("regression", keys, records);
    assert_eq!(answer(&["age=20"]), Err(Reason::NoRecords));
    assert_eq!(answer(&RECORDS[..3]), Err(Reason::TooFew { needed: 4 }));
    let women: Vec<_> = RECORDS.iter().step_by(2).copied().collect();
    assert_eq!(answer(&women), Err(Reason::Collinear("gender[male]".into())));
    let same_age = RECORDS.map_ages("40");
    let same_age: Vec<_> = same_age.iter().map(String::as_str).collect();
    assert_eq!(answer(&same_age), Err(Reason::Collinear("age".into())));
}

/// The records with another age each.
trait Ages {
    fn map_ages(&self, age: &str) -> Vec<String>;
}

impl Ages for [&str] {
    fn map_ages(&self, age: &str) -> Vec<String> {
        let rest =
            |record: &&str| record.split_once(',').map(|(_, rest)| format!("age={age},{rest}"));
        self.iter().filter_map(rest).collect()
    }
}

#[test]
fn a_withheld_group_is_a_reason() {
    let keys = "y = \"score\"\nx = [\"age\", \"region\"]";
    assert_eq!(example::withheld("regression", keys, RECORDS, 4), Err(Reason::SmallGroup));
    assert!(example::withheld("regression", keys, RECORDS, 3).is_ok());
}

#[test]
fn terms_that_cannot_be_are_refused_with_a_remedy() {
    for (keys, expected) in [
        ("y = \"region\"\nx = \"age\"", "y = \"region\" is of type category"),
        ("y = \"age\"\nx = [\"score\", \"age\"]", "x = age is what `y` is"),
        ("y = \"age\"\nx = \"score:age\"", "x = score:age is what `y` is"),
        ("y = \"age\"\nx = [\"score\", \"score\"]", "term \"score\" is there twice"),
        ("y = \"age\"\nx = [\"score:hired\", \"hired:score\"]", "\"hired:score\" is there twice"),
        (
            "y = \"age\"\nx = \"size\"",
            "x = \"size\" names no column; the columns are age, earnings",
        ),
        ("y = \"age\"\nx = \"size:score\"", "x = \"size:score\" names no column"),
        ("y = \"age\"\nx = \"region:region\"", "x = region:region is a column by itself"),
        ("y = \"age\"\nx = []", "`x` is missing"),
    ] {
        let found = example::refusal("regression", keys);
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn sums_are_asked_for_once() {
    let keys = "y = \"age\"\nx = [\"score\", \"region\", \"gender\"]";
    let study = example::study(&format!("name = \"r\"\nkind = \"regression\"\n{keys}"));
    // score, score², score by region, score by gender, age·score, region, region by gender, age by
    // region, gender, age by gender, age and age².
    assert_eq!(example::formula(&study).requests().len(), 12);
}

#[test]
fn twenty_predictors_are_decoded_in_no_time() {
    let columns: String = (0..20)
        .map(|place| format!("[[column]]\nname = \"x{place}\"\ntype = \"decimal\"\ndecimals = 4\nmin = -1000\nmax = 1000\n"))
        .collect();
    let names: Vec<_> = (0..20).map(|place| format!("\"x{place}\"")).collect();
    let statistic = format!(
        "name = \"r\"\nkind = \"regression\"\ny = \"age\"\nx = [{}]\n{columns}",
        names.join(", ")
    );
    let formula = example::formula(&example::study(&statistic));
    let mut random = 1u64;
    let mut totals = vec![BigInt::ZERO; formula.requests().len()];
    let records = 1_000i64;
    for _ in 0..records {
        let values: Vec<i64> = (0..28)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                i64::try_from(random >> 40).unwrap() - (1 << 23)
            })
            .collect();
        for (total, request) in totals.iter_mut().zip(formula.requests()) {
            *total += request
                .term
                .values()
                .iter()
                .map(|place| BigInt::from(values[*place]))
                .product::<BigInt>();
        }
    }
    let totals: Vec<_> = totals.into_iter().map(|total| vec![Some(total)]).collect();
    let start = Instant::now();
    let answer = formula.answer(&Sums { count: records, totals: &totals }).unwrap();
    // A hundredth of a second even without optimisation; the limit is for a busy machine.
    assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
    println!("{:?}", start.elapsed());
    assert_eq!(answer.value["coefficients"].as_object().unwrap().len(), 21);
}
