use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

/// A unix time in seconds as the value of Date, Expires and the like (RFC 9110 §5.6.7, IMF-fixdate). Times after the
/// year 9999 are written as its last second.
#[must_use]
pub fn imf_fixdate(unix: u64) -> [u8; DATE_LEN] {
    let mut text = [0; DATE_LEN];
    let time = UNIX_EPOCH + Duration::from_secs(unix.min(UNIX_MAX));
    write!(&mut text[..], "{}", httpdate::HttpDate::from(time))
        .expect("every date up to the year 9999 has this length");
    text
}

/// The unix time in seconds that a date in any of the three forms stands for (RFC 9110 §5.6.7), `None` if it is none of
/// them. Dates before 1970 are 0. `now_unix` decides what century a two-digit year is in.
///
/// Names are read in any case; whether the name of the day fits the date is not checked.
#[must_use]
pub fn parse_date(value: &[u8], now_unix: u64) -> Option<u64> {
    match value.len() {
        DATE_LEN if value[3] == b',' => imf_fixdate_of(value),
        ASCTIME_LEN if value[3] == b' ' => asctime_of(value),
        _ => rfc850_of(value, now_unix),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate_of(value: &[u8]) -> Option<u64> {
    is_day_name(&value[..3])?;
    literal(&value[3..5], b", ")?;
    let day = number(&value[5..7])?;
    literal(&value[7..8], b" ")?;
    let month = month_of(&value[8..11])?;
    literal(&value[11..12], b" ")?;
    let year = number(&value[12..16])?;
    literal(&value[16..17], b" ")?;
    let second = time_of(&value[17..25])?;
    literal(&value[25..], b" GMT")?;
    unix(year, month, day, second)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime_of(value: &[u8]) -> Option<u64> {
    is_day_name(&value[..3])?;
    literal(&value[3..4], b" ")?;
    let month = month_of(&value[4..7])?;
    literal(&value[7..8], b" ")?;
    // A day of one digit has a space before it.
    let day = number(value[8..10].strip_prefix(b" ").unwrap_or(&value[8..10]))?;
    literal(&value[10..11], b" ")?;
    let second = time_of(&value[11..19])?;
    literal(&value[19..20], b" ")?;
    unix(number(&value[20..24])?, month, day, second)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850_of(value: &[u8], now_unix: u64) -> Option<u64> {
    let comma = memchr::memchr(b',', value)?;
    let (name, rest) = (&value[..comma], &value[comma..]);
    DAYS.iter().find(|day| day.as_bytes().eq_ignore_ascii_case(name))?;
    if rest.len() != b", 06-Nov-94 08:49:37 GMT".len() {
        return None;
    }
    literal(&rest[..2], b", ")?;
    let day = number(&rest[2..4])?;
    literal(&rest[4..5], b"-")?;
    let month = month_of(&rest[5..8])?;
    literal(&rest[8..9], b"-")?;
    let two_digits = number(&rest[9..11])?;
    literal(&rest[11..12], b" ")?;
    let second = time_of(&rest[12..20])?;
    literal(&rest[20..], b" GMT")?;
    // RFC 9110 §5.6.7: what seems more than 50 years ahead is the latest such year in the past.
    let century = year_of(now_unix) / 100 * 100;
    [century + 100, century]
        .into_iter()
        .filter_map(|century| unix(century + two_digits, month, day, second))
        .find(|&unix| unix <= now_unix.saturating_add(FIFTY_YEARS_SECS))
        .or_else(|| unix((century + two_digits).checked_sub(100)?, month, day, second))
}

fn is_day_name(text: &[u8]) -> Option<()> {
    DAYS.iter().any(|day| day.as_bytes()[..3].eq_ignore_ascii_case(text)).then_some(())
}

/// January is 1.
fn month_of(text: &[u8]) -> Option<u64> {
    let at = MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(text))?;
    Some(at as u64 + 1)
}

/// `08:49:37` in seconds.
fn time_of(text: &[u8]) -> Option<u64> {
    literal(&text[2..3], b":")?;
    literal(&text[5..6], b":")?;
    let (hour, minute, second) = (number(&text[..2])?, number(&text[3..5])?, number(&text[6..])?);
    // RFC 9110 §5.6.7: a second of 60 is a leap second.
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

fn literal(text: &[u8], expected: &[u8]) -> Option<()> {
    text.eq_ignore_ascii_case(expected).then_some(())
}

/// At most four digits, and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

fn unix(year: u64, month: u64, day: u64, second: u64) -> Option<u64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        2 => 28 + u64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    if year < 1970 {
        return Some(0);
    }
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400 - LEAP_DAYS_BEFORE_1970;
    let in_year = DAYS_BEFORE[month as usize - 1] + u64::from(is_leap && month > 2) + day - 1;
    Some(((year - 1970) * 365 + leap_days + in_year) * 86_400 + second)
}

/// The Gregorian year of a unix time.
fn year_of(unix_time: u64) -> u64 {
    let unix_time = unix_time.min(UNIX_MAX);
    let guess = 1970 + unix_time / AVERAGE_YEAR_SECS;
    // The average is off by less than a year in either direction.
    let begins = |year| unix(year, 1, 1, 0).unwrap_or(0);
    match unix_time {
        time if time < begins(guess) => guess - 1,
        time if time >= begins(guess + 1) => guess + 1,
        _ => guess,
    }
}

/// Bytes of `Sun, 06 Nov 1994 08:49:37 GMT`.
pub const DATE_LEN: usize = 29;
/// Fri, 31 Dec 9999 23:59:59 GMT
const UNIX_MAX: u64 = 253_402_300_799;
/// Bytes of `Sun Nov  6 08:49:37 1994`.
const ASCTIME_LEN: usize = 24;
/// 365.2425 days.
const AVERAGE_YEAR_SECS: u64 = 31_556_952;
const FIFTY_YEARS_SECS: u64 = 50 * AVERAGE_YEAR_SECS;
const LEAP_DAYS_BEFORE_1970: u64 = 477;
const DAYS_BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_9110_come_out_and_no_time_is_too_late() {
        assert_eq!(&imf_fixdate(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(&imf_fixdate(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(&imf_fixdate(u64::MAX), b"Fri, 31 Dec 9999 23:59:59 GMT");
    }

    /// 2026-11-24 00:00:00
    const NOW: u64 = 1_795_478_400;

    #[test]
    fn the_three_forms_of_rfc_9110_are_read_in_any_case() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Sun Nov 16 08:49:37 1994", 784_975_777),
            ("SUN, 06 nov 1994 08:49:37 gMT", 784_111_777),
            ("Mon, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Tue, 19 Jan 2038 14:14:08 GMT", 2_147_523_248),
            ("Sun, 21 Nov 2286 04:46:39 GMT", 10_000_039_599),
            ("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800),
            ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
            ("Fri, 31 Dec 9999 23:59:59 GMT", UNIX_MAX),
            ("Mon, 01 Jan 1900 00:00:00 GMT", 0),
        ] {
            assert_eq!(parse_date(text.as_bytes(), NOW), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            "0",
            "-1",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 2050 02:01:18 AEST",
            "Thu, 18 Aug 2050 02:01:18 GMT+1",
            "Thu, 18 Aug 2050 02:01:18",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18-Aug-50 02:01:18 GMT",
            "Thursday, 18-Aug-2050 02:01:18 GMT",
            "Thursday, 18 Aug 50 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT, Thu, 18 Aug 2050 2:01:19 GMT",
            "Thu, 18 Aug 2050 02:01:18 GMT ",
            " Thu, 18 Aug 2050 02:01:18 GM",
            "Thu, 31 Jun 2050 02:01:18 GMT",
            "Thu, 00 Jun 2050 02:01:18 GMT",
            "Thu, 29 Feb 2100 02:01:18 GMT",
            "Thu, 18 Aug 2050 24:00:00 GMT",
            "Thu, 18 Aug 2050 00:60:00 GMT",
            "Thx, 18 Aug 2050 02:01:18 GMT",
            "Thu, 18 Auu 2050 02:01:18 GMT",
            "Thu, +8 Aug 2050 02:01:18 GMT",
            "Thu Aug   8 02:01:18 2050",
            "Thu Aug 8 02:01:18 2050",
            "Thu Aug  8 02:01:18 20500",
        ] {
            assert_eq!(parse_date(text.as_bytes(), NOW), None, "{text}");
        }
    }

    #[test]
    fn a_two_digit_year_is_at_most_fifty_years_ahead() {
        for (year, now_year, expected) in
            [(50, 2026, 2050), (76, 2026, 2076), (77, 2026, 1977), (99, 2026, 1999), (10, 2090, 2110), (0, 1970, 2000)]
        {
            let now = unix(now_year, 11, 24, 0).unwrap();
            let text = format!("Friday, 01-Jan-{year:02} 00:00:00 GMT");
            assert_eq!(parse_date(text.as_bytes(), now), unix(expected, 1, 1, 0), "{year} in {now_year}");
        }
        assert_eq!(parse_date(b"Friday, 01-Jan-00 00:00:00 GMT", u64::MAX), unix(10_000, 1, 1, 0));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(unix_time in 0..=UNIX_MAX) {
            let text = imf_fixdate(unix_time);
            proptest::prop_assert_eq!(parse_date(&text, NOW), Some(unix_time));
            proptest::prop_assert_eq!(Some(year_of(unix_time)), number(&text[12..16]));
        }

        #[test]
        fn no_bytes_are_too_strange(value in proptest::collection::vec(proptest::num::u8::ANY, 0..40), now: u64) {
            let _ = parse_date(&value, now);
        }
    }
}
