//! Rows of one file, and where in it findings are.

/// Most parts that a file is drawn in.
const PARTS: usize = 64;

/// Rows of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows that were read.
    pub rows: u64,
    /// Rows with a finding that is more than a remark.
    pub found: u64,
    /// Rows at the gate.
    pub stopped: u64,
    /// Rows with findings by part of the file.
    parts: Vec<u64>,
    /// Rows of a part less one, as a power of two.
    wide: u32,
    /// Rows of the file that are known of.
    last: u64,
}

impl Tally {
    /// Takes in the row with that number.
    pub fn add(&mut self, row: u64, found: bool, stopped: bool) {
        self.rows += 1;
        self.found += u64::from(found);
        self.stopped += u64::from(stopped);
        self.last = self.last.max(row);
        if !found {
            return;
        }
        // A file that goes on is drawn in parts of twice as many rows.
        while self.wide < 63 && row >> self.wide >= PARTS as u64 {
            self.parts = self.parts.chunks(2).map(|pair| pair.iter().sum()).collect();
            self.wide += 1;
        }
        let part = usize::try_from(row >> self.wide).unwrap_or(PARTS).min(PARTS - 1);
        if self.parts.len() <= part {
            self.parts.resize(part + 1, 0);
        }
        if let Some(count) = self.parts.get_mut(part) {
            *count += 1;
        }
    }

    /// Share of its rows with a finding.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    pub fn share(&self) -> f64 {
        self.found as f64 / self.rows.max(1) as f64
    }

    /// For each part of the file that has rows with findings: where it begins and ends, as shares of the file, and how
    /// many such rows it has.
    #[allow(clippy::cast_precision_loss, reason = "places in a picture")]
    pub(super) fn along(&self) -> impl Iterator<Item = (f64, f64, u64)> + '_ {
        let all = self.last.saturating_add(1) as f64;
        let place =
            move |part: usize| ((part as f64) * 2_f64.powi(i32::try_from(self.wide).unwrap_or(63)) / all).min(1.0);
        let parts = self.parts.iter().enumerate().filter(|(_, count)| **count > 0);
        parts.map(move |(part, count)| (place(part), place(part + 1), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_stand_where_they_are_in_the_file() {
        let mut tally = Tally::default();
        (0..1000).for_each(|row| tally.add(row, (500..600).contains(&row) || row == 3, row == 3));
        assert_eq!((tally.rows, tally.found, tally.stopped), (1000, 101, 1));
        let along: Vec<_> = tally.along().collect();
        assert_eq!(along.iter().map(|(.., count)| count).sum::<u64>(), 101);
        let (from, to, count) = along[0];
        assert!(from == 0.0 && to < 0.05 && count == 1);
        assert!(along[1..].iter().all(|(from, to, _)| *from > 0.45 && *to < 0.65), "{along:?}");
    }
}
