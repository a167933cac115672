//! Which columns are labels and which are texts, where their names do not say it: told by all of their values.

use std::collections::{BTreeMap, HashMap};

use super::Sample;

/// Most bytes of a label.
pub(crate) const SHORT: usize = 64;
/// Most columns that are looked at as labels.
const MOST: usize = 8;
/// Most values of a label.
const VALUES: usize = 50;
/// Numbers that name classes are smaller than this; larger ones count something.
const CODES: f64 = 1000.0;
/// Rows that a label has to have on average for each of its values.
const EACH: usize = 20;
/// Fewest rows that columns are told by.
const ROWS: usize = 50;

/// What the columns of rows with neither label nor answer are.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Labels, by number and name, those with the fewest values first.
    pub(super) labels: Vec<(u32, String)>,
    /// True for each column that is a label.
    pub(super) class: Vec<bool>,
    /// True for each column that is a text.
    pub(super) says: Vec<bool>,
    /// Columns that repeat themselves as labels do, and are none that can be searched.
    pub(super) unclear: Vec<String>,
    /// Columns that repeat themselves, with more values than a label has.
    pub(super) numerous: Vec<String>,
    /// Rows that say what another says, and that one.
    pub(super) again: Vec<(u64, u64)>,
}

/// The values of a column.
#[derive(Default)]
struct Column<'a> {
    rows: usize,
    values: BTreeMap<&'a str, usize>,
    /// All are numbers.
    numbers: bool,
    /// All are whole and small, as the numbers of classes are.
    whole: bool,
    /// All are short.
    short: bool,
}

impl Columns {
    pub(super) fn of(numbers: &HashMap<Box<str>, u32>, samples: &BTreeMap<u64, Sample>) -> Self {
        let new = || Column { numbers: true, whole: true, short: true, ..Column::default() };
        let mut columns: Vec<Column<'_>> = (0..numbers.len()).map(|_| new()).collect();
        let mut rows = 0_usize;
        for sample in samples.values().filter(|sample| !sample.unnamed.is_empty()) {
            rows += 1;
            for value in &sample.unnamed {
                let Some(column) = columns.get_mut(value.column as usize) else { continue };
                column.rows += 1;
                column.short &= value.text.len() <= SHORT;
                let number = value.text.trim().parse::<f64>();
                column.numbers &= number.is_ok() || dated(&value.text);
                column.whole &= number.is_ok_and(|number| number.fract() == 0.0 && number.abs() < CODES);
                if column.short {
                    *column.values.entry(&value.text).or_default() += 1;
                }
            }
        }
        let mut names: Vec<(&str, u32)> = numbers.iter().map(|(name, number)| (&**name, *number)).collect();
        names.sort_unstable();
        let mut result =
            Self { class: vec![false; numbers.len()], says: vec![false; numbers.len()], ..Self::default() };
        let mut labels: Vec<(usize, String, u32)> = Vec::new();
        for (name, number) in names {
            let Some(column) = columns.get(number as usize) else { continue };
            let name = name.to_owned();
            let distinct = column.values.len();
            let often = column.values.values().filter(|rows| **rows >= EACH).count();
            let label = column.short && (column.whole || !column.numbers) && column.rows * 10 >= rows * 9;
            let label = label && (2..=VALUES).contains(&distinct) && distinct * EACH <= column.rows && often > 1;
            if label && rows >= ROWS {
                labels.push((distinct, name, number));
                continue;
            }
            if rows >= ROWS && column.short && !column.numbers && distinct > 1 && distinct * 4 <= column.rows {
                if distinct > VALUES { &mut result.numerous } else { &mut result.unclear }.push(name);
            }
            if let Some(says) = result.says.get_mut(number as usize) {
                *says = !column.numbers;
            }
        }
        labels.sort_unstable();
        // Without a text beside it no column is a label.
        let text = result.says.contains(&true) || samples.values().any(|sample| !sample.alone);
        for (at, (_, name, number)) in labels.into_iter().enumerate() {
            if !text || at >= MOST {
                result.unclear.push(name);
                if let (false, Some(says)) = (text, result.says.get_mut(number as usize)) {
                    *says = true;
                }
                continue;
            }
            if let Some(class) = result.class.get_mut(number as usize) {
                *class = true;
            }
            result.labels.push((number, name));
        }
        result
    }
}

/// True for a date or a time in figures: such columns are no classes.
fn dated(text: &str) -> bool {
    let figures = text.bytes().filter(u8::is_ascii_digit).count();
    let between = text.trim().bytes().filter(|byte| b"-/:.".contains(byte)).count();
    let other = text.bytes().all(|byte| byte.is_ascii_digit() || b"-/:.+TZ ".contains(&byte));
    other && figures >= 4 && between >= 2
}
