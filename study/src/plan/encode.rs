//! Encode: from a record to its bits, in the order in which the circuit asks for them.

use mpc::Field128;

use super::{grid::Grid, layout::Layout};
use crate::{
    record::{Record, RecordError, Value},
    study::{Column, ColumnType, Study},
};

/// The bits of a record: values column by column, then the joint one-hot vectors.
#[derive(Debug, Clone)]
pub(crate) struct Encoding {
    values: Vec<usize>,
    joints: Vec<Grid>,
    has_one: bool,
}

impl Encoding {
    pub(crate) fn new(layout: &Layout) -> Self {
        let (values, joints) = (layout.values.clone(), layout.joints.clone());
        Self { values, joints, has_one: layout.has_one() }
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
        let mut bits = Vec::new();
        // The places are those of the study's columns, and the record has as many values.
        for &place in &self.values {
            let column = &columns[place];
            let offset = offset(column, record.values[place])?;
            // A column that is added up has a range.
            let range = column.range().map_or(0, |(min, max)| max.abs_diff(min));
            push_number(&mut bits, offset.unwrap_or(0), range);
            if column.missing_allowed {
                bits.push(bit(offset.is_some()));
            }
        }
        for joint in &self.joints {
            let level = |&place: &usize| level(&columns[place], record.values[place]);
            let levels: Vec<_> = joint.columns.iter().map(level).collect::<Result<_, _>>()?;
            let cell = joint.cell_in(joint, &levels);
            bits.extend((0..joint.cells()).map(|own| bit(Some(own) == cell)));
        }
        if self.has_one {
            bits.push(bit(true));
        }
        Ok(bits)
    }
}

/// How many bits a column that is added up takes, with the one for its presence.
pub(crate) fn value_bits(study: &Study, place: usize) -> usize {
    // A place in a layout is that of a column of its study.
    let column = &study.columns()[place];
    let range = column.range().map_or(0, |(min, max)| max.abs_diff(min));
    weights(range).len() + usize::from(column.missing_allowed)
}

/// The weights of the bits that encode exactly 0..=range.
pub(crate) fn weights(range: u64) -> Vec<u64> {
    let count = u64::BITS - range.leading_zeros();
    let Some(last) = count.checked_sub(1) else { return Vec::new() };
    let low = (0..last).map(|place| 1 << place);
    low.chain([range - ((1 << last) - 1)]).collect()
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

/// A value less its column's minimum; none if it is missing.
fn offset(column: &Column, value: Value) -> Result<Option<u64>, RecordError> {
    let name = || column.name.clone();
    let scaled = match (value, &column.holds) {
        (Value::Missing, _) if column.missing_allowed => return Ok(None),
        (Value::Missing, _) => return Err(RecordError::Missing { column: name() }),
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

/// The level of a category; a missing one is the level after the last label.
fn level(column: &Column, value: Value) -> Result<usize, RecordError> {
    let name = || column.name.clone();
    let labels = column.labels().ok_or_else(|| RecordError::Type { column: name() })?;
    match value {
        Value::Category(label) => match usize::try_from(label) {
            Ok(label) if label < labels.len() => Ok(label),
            _ => Err(RecordError::Range { column: name() }),
        },
        Value::Missing if column.missing_allowed => Ok(labels.len()),
        Value::Missing => Err(RecordError::Missing { column: name() }),
        _ => Err(RecordError::Type { column: name() }),
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
