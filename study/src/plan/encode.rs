//! Encode: from a record to its bits, in the order in which the circuit asks for them.

use mpc::Field128;

use super::{
    grid::Grid,
    layout::Layout,
    values::{Base, Within, weights},
};
use crate::{
    record::{Record, RecordError, Value},
    study::{Column, ColumnType, Study},
};

/// The bits of a record: numbers column by column, the joint one-hot vectors, then the places of
/// values within their levels.
#[derive(Debug, Clone)]
pub(crate) struct Encoding {
    plain: Vec<usize>,
    joints: Vec<Grid>,
    within: Vec<Base>,
    has_one: bool,
}

impl Encoding {
    pub(crate) fn new(layout: &Layout) -> Self {
        let (plain, joints) = (layout.values.plain.clone(), layout.joints.clone());
        let within = layout.values.within().cloned().collect();
        Self { plain, joints, within, has_one: layout.has_one() }
    }

    /// The bits of a record, as field elements.
    pub(crate) fn bits(
        &self,
        study: &Study,
        record: &Record,
    ) -> Result<Vec<Field128>, RecordError> {
        let columns = study.columns();
        if record.values.len() != columns.len() {
            let found = record.values.len();
            return Err(RecordError::Width { found, columns: columns.len() });
        }
        // The places are those of the study's columns, and the record has as many values.
        let offset = |place: usize| offset(&columns[place], record.values[place]);
        let mut bits = Vec::new();
        for &place in &self.plain {
            let column = &columns[place];
            let value = offset(place)?;
            push_number(&mut bits, value.unwrap_or(0), column.span());
            if column.missing_allowed {
                bits.push(bit(value.is_some()));
            }
        }
        for joint in &self.joints {
            let mut levels = Vec::with_capacity(joint.axes.len());
            for axis in &joint.axes {
                let value = offset(axis.column)?;
                levels.push(value.map_or(axis.levels(), |value| axis.level_of(value)));
            }
            let cell = joint.cell_at(&levels);
            bits.extend((0..joint.cells()).map(|own| bit(Some(own) == cell)));
        }
        for Base { axis, .. } in &self.within {
            let column = &columns[axis.column];
            let within = Within::new(axis, column);
            let (place, rest) = match offset(axis.column)? {
                Some(value) => {
                    let level = axis.level_of(value);
                    let place = value - axis.starts()[level];
                    let width = axis.widths(column.span()).nth(level).unwrap_or(1);
                    (place, width - 1 - place)
                }
                None => (0, 0),
            };
            push_number(&mut bits, place, within.largest);
            if within.has_rest {
                push_number(&mut bits, rest, within.largest);
            }
        }
        if self.has_one {
            bits.push(bit(true));
        }
        Ok(bits)
    }
}

/// Appends the bits of `value` in 0..=range.
fn push_number(bits: &mut Vec<Field128>, value: u64, range: u64) {
    let weights = weights(range);
    let Some((last, low)) = weights.split_last() else { return };
    let largest_low = (1u64 << low.len()) - 1;
    let is_high = value > largest_low;
    let rest = if is_high { value - last } else { value };
    bits.extend((0..low.len()).map(|place| bit(rest >> place & 1 == 1)));
    bits.push(bit(is_high));
}

fn bit(is_set: bool) -> Field128 {
    Field128::from(u128::from(is_set))
}

/// A number less its column's minimum, 1 for true, or the place of a label; none if it is missing.
fn offset(column: &Column, value: Value) -> Result<Option<u64>, RecordError> {
    let name = || column.name.clone();
    let scaled = match (value, &column.holds) {
        (Value::Missing, _) if column.missing_allowed => return Ok(None),
        (Value::Missing, _) => return Err(RecordError::Missing { column: name() }),
        (Value::Category(label), ColumnType::Category { values }) => {
            return match usize::try_from(label) {
                Ok(place) if place < values.len() => Ok(Some(label.into())),
                _ => Err(RecordError::Range { column: name() }),
            };
        }
        (Value::Number(number), ColumnType::Integer { .. } | ColumnType::Decimal { .. }) => number,
        (Value::Boolean(boolean), ColumnType::Boolean) => i128::from(boolean),
        _ => return Err(RecordError::Type { column: name() }),
    };
    let (min, max) = column.range().ok_or_else(|| RecordError::Type { column: name() })?;
    match i64::try_from(scaled) {
        Ok(scaled) if (min..=max).contains(&scaled) => Ok(Some(scaled.abs_diff(min))),
        _ => Err(RecordError::Range { column: name() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_of_bits_is_in_range_and_every_value_has_its_bits() {
        for range in 0..=130u64 {
            let weights = weights(range);
            assert_eq!(weights.iter().sum::<u64>(), range);
            for value in 0..=range {
                let mut bits = Vec::new();
                push_number(&mut bits, value, range);
                let terms = bits.iter().zip(&weights);
                let decoded: u128 =
                    terms.map(|(bit, &weight)| u128::from(*bit) * u128::from(weight)).sum();
                assert_eq!(decoded, u128::from(value), "range {range}");
            }
        }
    }

    #[test]
    fn the_widest_range_is_encoded() {
        let range = (1 << 62) - 1;
        assert_eq!(weights(range).len(), 62);
        let mut bits = Vec::new();
        push_number(&mut bits, range, range);
        assert!(bits.iter().all(|&own| own == bit(true)));
    }
}
