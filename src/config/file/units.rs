use crate::config::Rate;
use std::time::Duration;

/// Reads `250ms`, `10s`, `5m`, `1h`, `2d`; up to a year.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis).filter(|d| *d <= DURATION_MAX)
}

/// Writes a duration the way it is read, in seconds or milliseconds.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

/// Reads `512B`, `64KiB`, `1MiB`, `1GiB`, `1TiB`, and `KB`, `MB`, `GB`, `TB` in powers of 1,000.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let bytes = match unit {
        "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(bytes)
}

/// Reads `10%` or `0.25%`, above 0 and up to 100 %, in 1/10,000.
pub(crate) fn share(text: &str) -> Option<u16> {
    let number = text.strip_suffix('%')?.trim_end();
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    let hundredths: u32 = format!("{part:0<2}").parse().ok()?;
    let share = whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(hundredths)?;
    u16::try_from(share).ok().filter(|share| (1..=SHARE_WHOLE).contains(share))
}

/// Reads `50/s`, `600/m`, `1000/h`, `5/d`: at least one, and at most [`RATE_MAX`] a second.
pub(crate) fn rate(text: &str) -> Option<Rate> {
    let (count, per) = text.split_once('/')?;
    let (count, rest) = split(count)?;
    let seconds = match per.trim_start_matches(' ') {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let count = u32::try_from(count).ok().filter(|count| rest.is_empty() && *count > 0)?;
    (u64::from(count) <= RATE_MAX * seconds).then_some(Rate { count, per: Duration::from_secs(seconds) })
}

/// Reads `1MiB/s`, in bytes a second.
pub(crate) fn bandwidth(text: &str) -> Option<u64> {
    size(text.strip_suffix('s')?.trim_end_matches(' ').strip_suffix('/')?.trim_end_matches(' '))
}

/// Reads `1.25` or `2`, in 1/100.
pub(crate) fn factor(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    let hundredths: u16 = format!("{part:0<2}").parse().ok()?;
    whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(hundredths)
}

/// Writes a factor the way it is read.
pub(crate) fn show_factor(hundredths: u16) -> String {
    match hundredths % 100 {
        0 => (hundredths / 100).to_string(),
        part => format!("{}.{part:02}", hundredths / 100).trim_end_matches('0').to_owned(),
    }
}

/// Writes a size the way it is read, in the largest unit that gives a whole number.
pub(crate) fn show_size(bytes: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

/// Writes an integer the way TOML takes it, in groups of three from 10_000 up.
pub(crate) fn show_integer(n: u64) -> String {
    if n < 10_000 {
        return n.to_string();
    }
    format!("{}_{:03}", show_integer_groups(n / 1_000), n % 1_000)
}

fn show_integer_groups(n: u64) -> String {
    match n {
        0..1_000 => n.to_string(),
        _ => format!("{}_{:03}", show_integer_groups(n / 1_000), n % 1_000),
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'_').count();
    let number = text[..end].replace('_', "").parse().ok()?;
    Some((number, text[end..].trim_start_matches(' ')))
}

/// No wait is longer than a year; keeps arithmetic on deadlines far from overflow.
pub(crate) const DURATION_MAX: Duration = Duration::from_secs(365 * 86_400);

/// Requests a second: each is at least a microsecond from the next, of which a nanosecond is a thousandth.
pub(crate) const RATE_MAX: u64 = 1_000_000;

/// All of it, in the unit of [`share`].
pub(crate) const SHARE_WHOLE: u16 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_have_a_bound() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("1_000 s"), Some(Duration::from_secs(1_000)));
        assert_eq!(duration("1h"), Some(Duration::from_secs(3_600)));
        for bad in
            ["", "10", "s", "-1s", "1.5s", "10 sec", "1m30s", "366d", "99999999999999999999s", "18446744073709551615h"]
        {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_know_both_kinds_of_kilo() {
        assert_eq!(size("64KiB"), Some(65_536));
        assert_eq!(size("64 KB"), Some(64_000));
        assert_eq!(size("0B"), Some(0));
        for bad in ["64", "64K", "64kib", "KiB", "20000000TiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
        assert_eq!(show_size(65_536), "64KiB");
        assert_eq!(show_size(1_500), "1500B");
        assert_eq!([9_999, 10_000, 100_000_000].map(show_integer), ["9999", "10_000", "100_000_000"]);
    }

    #[test]
    fn rates_are_so_many_in_a_unit_of_time() {
        let seconds = |text| rate(text).map(|rate| (rate.count, rate.per.as_secs()));
        assert_eq!(
            ["50/s", "600 / m", "1_000/h", "5/d"].map(seconds),
            [(50, 1), (600, 60), (1_000, 3_600), (5, 86_400)].map(Some)
        );
        for bad in ["", "50", "/s", "0/s", "50/", "50/sec", "1.5/s", "-1/s", "5KB/s", "1000001/s", "99999999999/d"] {
            assert_eq!(rate(bad), None, "{bad}");
        }
        assert_eq!(["1MiB/s", "64 KB / s", "0B/s"].map(bandwidth), [Some(1 << 20), Some(64_000), Some(0)]);
        for bad in ["", "1MiB", "1MiB/m", "/s", "10/s", "1MiBs", "s"] {
            assert_eq!(bandwidth(bad), None, "{bad}");
        }
    }

    #[test]
    fn factors_have_two_digits_after_the_point_at_most() {
        assert_eq!(["1.25", "2", "1.5", "10.05"].map(factor), [Some(125), Some(200), Some(150), Some(1005)]);
        for bad in ["", ".5", "1.", "1.255", "-1", "1e3", "656", "inf", "1_0"] {
            assert_eq!(factor(bad), None, "{bad}");
        }
        assert_eq!([125, 200, 150, 1005].map(show_factor), ["1.25", "2", "1.5", "10.05"]);
    }

    #[test]
    fn shares_are_above_zero_and_up_to_all() {
        assert_eq!(share("10%"), Some(1_000));
        assert_eq!(share("0.5%"), Some(50));
        assert_eq!(share("100%"), Some(10_000));
        for bad in ["0%", "101%", "10", "%", "-1%", "1.234%", "1.%", "+5%"] {
            assert_eq!(share(bad), None, "{bad}");
        }
    }
}
