//! Suppression: no small cell follows from what a result shows, by any adding and subtracting.

use std::collections::BTreeSet;

use num_rational::BigRational;
use num_traits::{One as _, Zero as _};
use proptest::prelude::*;
use study::{Record, Study, StudyResult, Value};

use crate::world;

/// Labels of three columns; the first may be missing, and there is a truth value besides.
const LEVELS: [usize; 3] = [3, 2, 3];
const CELLS: usize = (LEVELS[0] + 1) * LEVELS[1] * LEVELS[2] * 2;
const MIN_CELL: i64 = 4;

/// Some of the finest cells.
type Cells = BTreeSet<usize>;

/// A study that counts people, adds up x, or asks for the share of b, by some sets of columns.
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
    text += "[[column]]\nname = \"b\"\ntype = \"boolean\"\n";
    for (place, set) in sets.iter().enumerate() {
        let by: Vec<_> = (0..3).filter(|c| set >> c & 1 == 1).map(|c| format!("g{c}")).collect();
        let (kind, of) = match set >> 3 {
            0 => ("count", ""),
            1 => ("sum", "of = \"x\"\n"),
            _ => ("share", "of = \"b\"\n"),
        };
        text +=
            &format!("[[statistic]]\nname = \"s{place}\"\nkind = \"{kind}\"\n{of}by = {by:?}\n");
    }
    world::study(&text)
}

/// The levels of a finest cell: of the three columns, the first may be missing, and of b.
fn levels(finest: usize) -> [usize; 4] {
    let rest = finest / 2;
    let first = rest / (LEVELS[1] * LEVELS[2]);
    [first, rest / LEVELS[2] % LEVELS[1], rest % LEVELS[2], finest % 2]
}

/// The finest cell that a record is in.
fn finest(record: &Record) -> usize {
    let level = |column: usize| match record.values[column + 1] {
        Value::Category(level) => level as usize,
        _ => LEVELS[0],
    };
    let b = usize::from(record.values[4] == Value::Boolean(true));
    ((level(0) * LEVELS[1] + level(1)) * LEVELS[2] + level(2)) * 2 + b
}

/// The finest cells with these levels of some columns.
fn with_levels(wanted: &[(usize, usize)]) -> Cells {
    let is_part =
        |&cell: &usize| wanted.iter().all(|&(column, level)| levels(cell)[column] == level);
    (0..CELLS).filter(is_part).collect()
}

/// The levels that a cell of a result is at.
fn labels(cell: &study::result::Cell) -> Vec<(usize, usize)> {
    let label = |(column, label): &(String, String)| {
        (column[1..].parse().unwrap(), label[1..].parse().unwrap())
    };
    cell.by.0.iter().map(label).collect()
}

/// Whether a sum over some of the finest cells is a combination of others, by elimination in
/// fractions.
fn follows(wanted: &Cells, known: &[Cells]) -> bool {
    let row = |cells: &Cells| -> Vec<BigRational> {
        let one = |cell| match cells.contains(&cell) {
            true => BigRational::one(),
            false => BigRational::zero(),
        };
        (0..CELLS).map(one).collect()
    };
    let mut rows: Vec<(usize, Vec<BigRational>)> = Vec::new();
    let reduce = |rows: &[(usize, Vec<BigRational>)], mut row: Vec<BigRational>| {
        for (leading, other) in rows {
            let factor = row[*leading].clone();
            if !factor.is_zero() {
                row.iter_mut().zip(other).for_each(|(own, other)| *own -= &factor * other);
            }
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

/// The small cells of a result that follow from the others: of the counts, or of the sums of x.
fn exposed(result: &StudyResult, of_sums: bool, records: &[Record]) -> Vec<String> {
    let count = |cells: &Cells| {
        records.iter().filter(|record| cells.contains(&finest(record))).count() as i64
    };
    let mut known: Vec<Cells> = Vec::new();
    if !of_sums {
        known.push(with_levels(&[]));
    }
    let mut small: Vec<Cells> = Vec::new();
    let mut note = |cells: Cells, is_shown: bool| match count(&cells) {
        0 => known.push(cells),
        few if few < MIN_CELL => {
            assert!(!is_shown, "a small cell is shown");
            small.push(cells);
        }
        _ if is_shown => known.push(cells),
        _ => {}
    };
    for statistic in result.statistics.iter().filter(|own| (own.kind == "sum") == of_sums) {
        for cell in &statistic.cells {
            let labels = labels(cell);
            assert_eq!(cell.suppressed, cell.value.is_none(), "{cell:?}");
            note(with_levels(&labels), cell.count.is_some() && (!of_sums || !cell.suppressed));
            // Of a small cell nobody sees how many are true, be it none.
            let all = count(&with_levels(&labels));
            if statistic.kind == "share" && (all == 0 || all >= MIN_CELL) {
                note(with_levels(&[&labels[..], &[(3, 1)]].concat()), !cell.suppressed);
                note(with_levels(&[&labels[..], &[(3, 0)]].concat()), false);
            }
            // The cell beside it, where the first column is missing.
            let beside = |&(column, level): &(usize, usize)| match column {
                0 => (0, LEVELS[0]),
                _ => (column, level),
            };
            if labels.iter().any(|(column, _)| *column == 0) {
                note(with_levels(&labels.iter().map(beside).collect::<Vec<_>>()), false);
            }
        }
    }
    // Everybody together cannot be hidden: their number is public.
    let all = records.len() as i64;
    let is_exposed = |cells: &&Cells| count(cells) < all && follows(cells, &known);
    small.iter().filter(is_exposed).map(|cells| format!("{cells:?}")).collect()
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
        values.push(Value::Boolean(seed % 7 < 2));
        Record { values }
    };
    seeds.iter().map(record).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_small_cell_follows_from_what_is_shown(
        sets in prop::collection::vec(0usize..24, 1..6),
        seeds in prop::collection::vec(any::<u32>(), 4..60),
        missing in any::<bool>(),
    ) {
        let study = study(&sets, missing);
        let records = records(&seeds, missing);
        let result = world::answer(&study, &records);
        for of_sums in [false, true] {
            let exposed = exposed(&result, of_sums, &records);
            prop_assert!(exposed.is_empty(), "{of_sums} {exposed:?}\n{}", result.to_table());
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
            Value::Boolean(false),
        ],
    };
    let records = [0, 0, 0, 0, 2, 2].map(record);
    let result = world::answer(&study, &records);
    assert!(exposed(&result, false, &records).is_empty(), "{}", result.to_table());
    assert!(result.statistics[1].cells[0].suppressed);
}

#[test]
fn the_oracle_finds_what_follows() {
    let set = |cells: &[usize]| cells.iter().copied().collect::<BTreeSet<_>>();
    assert!(follows(&set(&[1]), &[set(&[0, 1]), set(&[0])]));
    assert!(!follows(&set(&[1]), &[set(&[0, 1]), set(&[2])]));
}
