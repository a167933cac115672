//! Days and months in UTC, of milliseconds since 1970.

const DAY: i64 = 86_400_000;

/// Day, counted from 1970-01-01.
#[must_use]
pub const fn day_of(ms: i64) -> i64 {
    ms.div_euclid(DAY)
}

/// First day of the month that a day is in.
#[must_use]
pub const fn month_of(day: i64) -> i64 {
    day - civil(day).2 + 1
}

/// When the next day begins.
#[must_use]
pub const fn next_day(ms: i64) -> i64 {
    (day_of(ms) + 1) * DAY
}

/// When the next month begins.
#[must_use]
pub const fn next_month(ms: i64) -> i64 {
    // Every month has more than 27 and fewer than 32 days.
    month_of(month_of(day_of(ms)) + 31) * DAY
}

/// Year, month and day of the month, by the 400-year cycle of the Gregorian calendar that begins on 1 March
/// (H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
const fn civil(day: i64) -> (i64, i64, i64) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (year + era * 400 + (if month <= 2 { 1 } else { 0 }), month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (day, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (20_779, (2026, 11, 22)),
        ] {
            assert_eq!(civil(day), date);
        }
    }

    #[test]
    fn months_begin_on_their_first_day() {
        for day in -1000..40_000 {
            let (year, month, date) = civil(day);
            assert_eq!(civil(month_of(day)), (year, month, 1));
            assert_eq!(day - month_of(day), date - 1);
            let next = day_of(next_month(day * DAY + 5));
            let (next_year, next_month, first) = civil(next);
            assert_eq!((first, next_year * 12 + next_month), (1, year * 12 + month + 1));
        }
    }
}
