//! Suppression: no small cell follows from what a result shows, by any adding and subtracting.

use std::collections::BTreeSet;

use num_rational::BigRational;
use num_traits::{One as _, Zero as _};
use proptest::prelude::*;
use study::{Record, Study, StudyResult, Value};

use crate::world;

const LEVELS: [usize; 3] = [3, 2, 3];
const MIN_CELL: i64 = 4;

/// A study that counts people, and adds up x, by some sets of three columns.
fn study(sets: &[usize], missing: bool) -> Study {
    let mut text = format!(
        "title = \"t\"\n[privacy]\nmin_records = 1\nmin_cell = {MIN_CELL}\n\
         [[column]]\nname = \"x\"\ntype = \"integer\"\nmin = 0\nmax = 9\n"
    );
    for (column, levels) in LEVELS.iter().enumerate() {
        let labels: Vec<_> = (0..*levels).map(|label| format!("l{label}")).collect();
        let missing = if missing && column == 0 { "missing = \"allowed\"\n" } else { "" };
        text += &format!(
            "[[column]]\nname = \"g{column}\"\ntype = \"category\"\nvalues = {labels:?}\n{missing}"
        );
    }
    for (place, set) in sets.iter().enumerate() {
        let by: Vec<_> = (0..3).filter(|c| set >> c & 1 == 1).map(|c| format!("g{c}")).collect();
        let (kind, of) = if set >> 3 & 1 == 1 { ("sum", "of = \"x\"\n") } else { ("count", "") };
        text +=
            &format!("[[statistic]]\nname = \"s{place}\"\nkind = \"{kind}\"\n{of}by = {by:?}\n");
    }
    world::study(&text)
}

/// The cell of all three columns that a record is in; one more level of the first where it is
/// missing.
fn finest(record: &Record) -> usize {
    let level = |column: usize| match record.values[column + 1] {
        Value::Category(level) => level as usize,
        _ => LEVELS[0],
    };
    (level(0) * LEVELS[1] + level(1)) * LEVELS[2] + level(2)
}

/// Which of the finest cells a cell of a result is made of.
fn parts(cell: &study::result::Cell) -> BTreeSet<usize> {
    let is_part = |finest: &usize| {
        let levels =
            [finest / (LEVELS[1] * LEVELS[2]), finest / LEVELS[2] % LEVELS[1], finest % LEVELS[2]];
        cell.by.0.iter().all(|(column, label)| {
            let column: usize = column[1..].parse().unwrap();
            *label == format!("l{}", levels[column])
        })
    };
    (0..(LEVELS[0] + 1) * LEVELS[1] * LEVELS[2]).filter(is_part).collect()
}

/// Whether a sum over some of the finest cells is a combination of others, by elimination in
/// fractions.
fn follows(wanted: &BTreeSet<usize>, known: &[BTreeSet<usize>]) -> bool {
    let row = |cells: &BTreeSet<usize>| -> Vec<BigRational> {
        let one =
            |cell| if cells.contains(&cell) { BigRational::one() } else { BigRational::zero() };
        (0..(LEVELS[0] + 1) * LEVELS[1] * LEVELS[2]).map(one).collect()
    };
    let mut rows: Vec<(usize, Vec<BigRational>)> = Vec::new();
    let reduce = |rows: &[(usize, Vec<BigRational>)], mut row: Vec<BigRational>| {
        for (leading, other) in rows {
            let factor = row[*leading].clone();
            row.iter_mut().zip(other).for_each(|(own, other)| *own -= &factor * other);
        }
        row
    };
    for cells in known {
        let row = reduce(&rows, row(cells));
        if let Some(leading) = row.iter().position(|value| !value.is_zero()) {
            let factor = row[leading].clone();
            rows.push((leading, row.into_iter().map(|value| value / &factor).collect()));
        }
    }
    reduce(&rows, row(wanted)).iter().all(BigRational::is_zero)
}

/// The small cells of a result that follow from the others, of one kind.
fn exposed(result: &StudyResult, kind: &str, records: &[Record]) -> Vec<String> {
    let cells = || {
        let statistics = result.statistics.iter().filter(|statistic| statistic.kind == kind);
        statistics.flat_map(|statistic| &statistic.cells)
    };
    let count = |cells: &BTreeSet<usize>| {
        records.iter().filter(|record| cells.contains(&finest(record))).count() as i64
    };
    let mut known: Vec<BTreeSet<usize>> = Vec::new();
    if kind == "count" {
        known.push((0..(LEVELS[0] + 1) * LEVELS[1] * LEVELS[2]).collect());
    }
    for cell in cells() {
        let parts = parts(cell);
        if !cell.suppressed || count(&parts) == 0 {
            known.push(parts);
        }
    }
    let small = cells().filter(|cell| (1..MIN_CELL).contains(&count(&parts(cell))));
    small
        .filter(|cell| {
            assert!(cell.suppressed && cell.count.is_none() && cell.value.is_none());
            // Everybody together cannot be hidden: their number is public.
            count(&parts(cell)) < records.len() as i64 && follows(&parts(cell), &known)
        })
        .map(|cell| format!("{:?}", cell.by))
        .collect()
}

fn records(seeds: &[u32], missing: bool) -> Vec<Record> {
    let record = |seed: &u32| {
        let mut values = vec![Value::Number(i128::from(seed % 10))];
        let mut rest = seed / 10;
        for (column, &levels) in LEVELS.iter().enumerate() {
            let level = rest % 97 % (levels as u32 + 1);
            rest /= 97;
            values.push(match level {
                level if level < levels as u32 => Value::Category(level),
                _ if missing && column == 0 => Value::Missing,
                _ => Value::Category(0),
            });
        }
        Record { values }
    };
    seeds.iter().map(record).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_small_cell_follows_from_what_is_shown(
        sets in prop::collection::vec(0usize..16, 1..6),
        seeds in prop::collection::vec(any::<u32>(), 4..60),
        missing in any::<bool>(),
    ) {
        let study = study(&sets, missing);
        let records = records(&seeds, missing);
        let result = world::answer(&study, &records);
        for kind in ["count", "sum"] {
            let exposed = exposed(&result, kind, &records);
            prop_assert!(exposed.is_empty(), "{kind} {exposed:?}\n{}", result.to_table());
        }
    }
}

#[test]
fn a_withheld_total_does_not_follow_from_finer_cells() {
    // Four are (l0, l0) and two are (l0, l2) by the last two columns. The two of l2 follow from the
    // four of l0, which are withheld, and those from the finer (l0, l0): withheld, too.
    let study = study(&[4, 6], false);
    let record = |level| Record {
        values: vec![
            Value::Number(1),
            Value::Category(0),
            Value::Category(0),
            Value::Category(level),
        ],
    };
    let records = [0, 0, 0, 0, 2, 2].map(record);
    let result = world::answer(&study, &records);
    assert!(exposed(&result, "count", &records).is_empty(), "{}", result.to_table());
    assert!(result.statistics[1].cells[0].suppressed);
}

#[test]
fn the_oracle_finds_what_follows() {
    let set = |cells: &[usize]| cells.iter().copied().collect::<BTreeSet<_>>();
    assert!(follows(&set(&[1]), &[set(&[0, 1]), set(&[0])]));
    assert!(!follows(&set(&[1]), &[set(&[0, 1]), set(&[2])]));
}
