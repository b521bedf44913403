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

/// Bytes of `Sun, 06 Nov 1994 08:49:37 GMT`.
pub const DATE_LEN: usize = 29;
/// Fri, 31 Dec 9999 23:59:59 GMT
const UNIX_MAX: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_9110_come_out_and_no_time_is_too_late() {
        assert_eq!(&imf_fixdate(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(&imf_fixdate(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(&imf_fixdate(u64::MAX), b"Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
