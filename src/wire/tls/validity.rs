use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use x509_parser::prelude::X509Certificate;

/// What is odd about the dates of certificate number `at` (from 0) of a file, if anything.
pub(super) fn warning(file: &Path, at: usize, certificate: &X509Certificate<'_>, now: SystemTime) -> Option<String> {
    let validity = certificate.validity();
    let dates = Dates { from: validity.not_before.timestamp(), until: validity.not_after.timestamp() };
    let what = match judge(dates, seconds(now)) {
        Judgement::Fine => return None,
        Judgement::Expired => format!("expired on {}", validity.not_after),
        Judgement::NotYet => format!("is not valid before {}", validity.not_before),
        Judgement::Soon { days } => format!("expires in {days} days, on {}", validity.not_after),
    };
    Some(format!("{}: certificate {} ({}) {what}", file.display(), at + 1, certificate.subject()))
}

/// Seconds since the epoch.
#[derive(Clone, Copy)]
struct Dates {
    from: i64,
    until: i64,
}

#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Fine,
    Expired,
    NotYet,
    Soon { days: i64 },
}

fn judge(dates: Dates, now: i64) -> Judgement {
    let left = dates.until.saturating_sub(now);
    if left < 0 {
        return Judgement::Expired;
    }
    if now < dates.from {
        return Judgement::NotYet;
    }
    // Certificates that live for days only are renewed late; they are not worth a word for most of their life.
    let whole = dates.until.saturating_sub(dates.from);
    if left < SOON_SECONDS.min(whole / SOON_SHARE) {
        Judgement::Soon { days: left / DAY_SECONDS }
    } else {
        Judgement::Fine
    }
}

fn seconds(now: SystemTime) -> i64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

const DAY_SECONDS: i64 = 24 * 60 * 60;
const SOON_SECONDS: i64 = 14 * DAY_SECONDS;
const SOON_SHARE: i64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: Dates = Dates { from: 0, until: 365 * DAY_SECONDS };
    const WEEK: Dates = Dates { from: 0, until: 7 * DAY_SECONDS };

    #[test]
    fn a_certificate_is_expired_after_its_last_second_only() {
        assert_eq!(judge(YEAR, YEAR.until), Judgement::Soon { days: 0 });
        assert_eq!(judge(YEAR, YEAR.until + 1), Judgement::Expired);
    }

    #[test]
    fn a_certificate_of_tomorrow_is_not_valid_today() {
        assert_eq!(judge(YEAR, -1), Judgement::NotYet);
        assert_eq!(judge(YEAR, 0), Judgement::Fine);
    }

    #[test]
    fn soon_is_two_weeks_or_a_quarter_of_a_short_life() {
        assert_eq!(judge(YEAR, YEAR.until - 14 * DAY_SECONDS), Judgement::Fine);
        assert_eq!(judge(YEAR, YEAR.until - 13 * DAY_SECONDS), Judgement::Soon { days: 13 });
        assert_eq!(judge(WEEK, WEEK.until - 2 * DAY_SECONDS), Judgement::Fine);
        assert_eq!(judge(WEEK, WEEK.until - DAY_SECONDS), Judgement::Soon { days: 1 });
    }
}
