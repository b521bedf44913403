use std::time::{SystemTime, UNIX_EPOCH};

/// Writes wall-clock times, in UTC; the text of the last second is kept.
pub struct Stamp {
    second: u64,
    /// `2026-01-31T23:59:59`
    iso: [u8; 19],
    /// `31/Jan/2026:23:59:59 +0000`
    clf: [u8; 26],
}

impl Default for Stamp {
    fn default() -> Stamp {
        let mut stamp = Stamp { second: 0, iso: *b"0000-00-00T00:00:00", clf: *b"00/Jan/0000:00:00:00 +0000" };
        stamp.spell(0);
        stamp
    }
}

impl Stamp {
    /// RFC 3339 with milliseconds.
    pub(super) fn rfc3339(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        let millis = self.turn(time);
        out.extend_from_slice(&self.iso);
        let digit = |n: u32| b'0' + (n % 10) as u8;
        out.extend_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis), b'Z']);
    }

    /// As in the common log format.
    pub(super) fn clf(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        self.turn(time);
        out.extend_from_slice(&self.clf);
    }

    /// Goes to the second of `time`; gives the milliseconds in it. What is before 1970 is 1970, after 9999 is 9999.
    fn turn(&mut self, time: SystemTime) -> u32 {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = since.as_secs().min(LAST_SECOND);
        if second != self.second {
            self.spell(second);
            self.second = second;
        }
        since.subsec_millis()
    }

    fn spell(&mut self, second: u64) {
        let (year, month, day) = date(second / 86_400);
        let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
        two(&mut self.iso[0..2], year / 100);
        two(&mut self.iso[2..4], year % 100);
        two(&mut self.iso[5..7], month);
        two(&mut self.iso[8..10], day);
        two(&mut self.iso[11..13], hour);
        two(&mut self.iso[14..16], minute);
        two(&mut self.iso[17..19], second);
        self.clf[0..2].copy_from_slice(&self.iso[8..10]);
        self.clf[3..6].copy_from_slice(MONTHS[month as usize - 1]);
        self.clf[7..11].copy_from_slice(&self.iso[0..4]);
        self.clf[12..20].copy_from_slice(&self.iso[11..19]);
    }
}

/// Year, month and day (from 1) of a day counted from 1970-01-01, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // 153 days are the five months from March to July, and again from August to December.
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn two(at: &mut [u8], n: u64) {
    at.copy_from_slice(&[b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8]);
}

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// 9999-12-31T23:59:59Z
const LAST_SECOND: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn both(stamp: &mut Stamp, time: SystemTime) -> (String, String) {
        let (mut iso, mut clf) = (Vec::new(), Vec::new());
        stamp.rfc3339(time, &mut iso);
        stamp.clf(time, &mut clf);
        (String::from_utf8(iso).unwrap(), String::from_utf8(clf).unwrap())
    }

    #[test]
    fn times_are_spelled_in_both_ways() {
        let mut stamp = Stamp::default();
        for (seconds, iso, clf) in [
            (0, "1970-01-01T00:00:00.042Z", "01/Jan/1970:00:00:00 +0000"),
            (951_782_400, "2000-02-29T00:00:00.042Z", "29/Feb/2000:00:00:00 +0000"),
            (1_700_000_000, "2023-11-14T22:13:20.042Z", "14/Nov/2023:22:13:20 +0000"),
            (4_107_542_400, "2100-03-01T00:00:00.042Z", "01/Mar/2100:00:00:00 +0000"),
            (LAST_SECOND + 5, "9999-12-31T23:59:59.042Z", "31/Dec/9999:23:59:59 +0000"),
        ] {
            let time = UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 42);
            assert_eq!(both(&mut stamp, time), (iso.to_owned(), clf.to_owned()));
        }
    }

    #[test]
    fn a_clock_before_1970_does_no_harm() {
        let (iso, _) = both(&mut Stamp::default(), UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(iso, "1970-01-01T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn dates_agree_with_those_of_http_fields(second in 0..LAST_SECOND) {
            let time = UNIX_EPOCH + Duration::from_secs(second);
            let imf = httpdate::fmt_http_date(time);
            let (_, clf) = both(&mut Stamp::default(), time);
            let expected = format!("{}/{}/{}:{} +0000", &imf[5..7], &imf[8..11], &imf[12..16], &imf[17..25]);
            prop_assert_eq!(clf, expected);
        }
    }
}
