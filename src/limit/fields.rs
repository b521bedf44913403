//! `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11): lists of strings with parameters
//! (RFC 9651), one member a limit.

use crate::config::{Bound, Rate};
use crate::http::push_decimal;
use std::time::Duration;

/// A limit as responses show it.
#[derive(Clone, Debug)]
pub struct Policy {
    name: Vec<u8>,
    text: Vec<u8>,
    rate: Option<Rate>,
    is_bandwidth: bool,
}

impl Policy {
    /// The limit of that name, which is printable ASCII.
    #[must_use]
    pub fn new(name: &str, bound: &Bound) -> Policy {
        let mut quoted = vec![b'"'];
        for byte in name.bytes().filter(|byte| matches!(byte, b' '..=b'~')) {
            if matches!(byte, b'"' | b'\\') {
                quoted.push(b'\\');
            }
            quoted.push(byte);
        }
        quoted.push(b'"');
        let mut text = quoted.clone();
        match *bound {
            Bound::Rate { rate, burst } => {
                let window = rate.seconds(burst.into()).max(1);
                push(b";q=", rate.within(window), &mut text);
                push(b";w=", window, &mut text);
            }
            Bound::Concurrency(max) => {
                push(b";q=", max.into(), &mut text);
                text.extend_from_slice(b";qu=\"concurrent-requests\"");
            }
            Bound::Bandwidth { rate, .. } => {
                push(b";q=", rate, &mut text);
                text.extend_from_slice(b";qu=\"content-bytes\";w=1");
            }
        }
        let rate = if let Bound::Rate { rate, .. } = bound { Some(*rate) } else { None };
        Policy { name: quoted, text, rate, is_bandwidth: matches!(bound, Bound::Bandwidth { .. }) }
    }

    /// The member of `RateLimit-Policy`: of a rate, the whole seconds in which its burst is saved up, and what
    /// it gives in them.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Appends the member of `RateLimit-Policy`.
    pub fn push_text(&self, out: &mut Vec<u8>) {
        if !out.is_empty() {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(&self.text);
    }

    /// Appends the member of `RateLimit` where so many more would pass at once, with the time for which they last at the
    /// rate: who keeps to that ratio is never refused (§6). Of a bandwidth nothing is said: it refuses nobody.
    pub fn push_left(&self, left: u64, out: &mut Vec<u8>) {
        if self.is_bandwidth {
            return;
        }
        let lasts = self.rate.map(|rate| rate.seconds(left.max(1)).max(1));
        self.push(left, lasts, out);
    }

    /// Appends the member of `RateLimit` of a request that was refused for so many seconds.
    pub fn push_refused(&self, seconds: u64, out: &mut Vec<u8>) {
        self.push(0, self.rate.map(|_| seconds), out);
    }

    fn push(&self, left: u64, seconds: Option<u64>, out: &mut Vec<u8>) {
        if !out.is_empty() {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(&self.name);
        push(b";r=", left, out);
        if let Some(seconds) = seconds {
            push(b";t=", seconds, out);
        }
    }
}

/// A whole number of seconds that is not less, one at least: for Retry-After (RFC 9110 §10.2.3).
#[must_use]
pub fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

fn push(name: &[u8], number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    push_decimal(number.min(INTEGER_MAX), out);
}

/// RFC 9651 §3.3.1: fifteen digits.
const INTEGER_MAX: u64 = 999_999_999_999_999;

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(count: u32, seconds: u64, burst: u32) -> Policy {
        let rate = Rate { count, per: Duration::from_secs(seconds) };
        Policy::new("a", &Bound::Rate { rate, burst })
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_policy_says_its_burst_and_the_time_in_which_that_is_saved_up() {
        for (policy, expected) in [
            (rate(50, 1, 100), "\"a\";q=100;w=2"),
            (rate(3, 1, 3), "\"a\";q=3;w=1"),
            (rate(600, 60, 600), "\"a\";q=600;w=60"),
            (rate(1_000, 3_600, 1), "\"a\";q=1;w=4"),
            (rate(1_000_000, 1, 1), "\"a\";q=1000000;w=1"),
            (Policy::new("b \"\\é", &Bound::Concurrency(7)), "\"b \\\"\\\\\";q=7;qu=\"concurrent-requests\""),
            (
                Policy::new("c", &Bound::Bandwidth { rate: 1 << 20, burst: 1 }),
                "\"c\";q=1048576;qu=\"content-bytes\";w=1",
            ),
        ] {
            assert_eq!(text(policy.text()), expected);
        }
    }

    #[test]
    fn what_is_left_is_never_more_for_its_time_than_the_rate() {
        let said = |policy: &Policy, left| {
            let mut out = Vec::new();
            policy.push_left(left, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(said(&rate(50, 1, 100), 99), "\"a\";r=99;t=2");
        assert_eq!(said(&rate(50, 1, 100), 0), "\"a\";r=0;t=1");
        assert_eq!(said(&rate(10, 3_600, 5), 0), "\"a\";r=0;t=360");
        assert_eq!(said(&Policy::new("b", &Bound::Concurrency(7)), 3), "\"b\";r=3");
        assert_eq!(said(&Policy::new("c", &Bound::Bandwidth { rate: 1, burst: 1 }), 3), "");
        let mut out = Vec::new();
        rate(50, 1, 100).push_left(1, &mut out);
        rate(1, 60, 1).push_refused(17, &mut out);
        assert_eq!(text(&out), "\"a\";r=1;t=1, \"a\";r=0;t=17");
    }

    #[test]
    fn waits_are_rounded_up_to_seconds() {
        let of = |millis| whole_seconds(Duration::from_millis(millis));
        assert_eq!([of(0), of(1), of(1_000), of(1_001), of(59_999)], [1, 1, 1, 2, 60]);
    }
}
