use super::HashBy;
use super::file::units::show_size;
use ipnet::IpNet;
use std::time::Duration;

/// `[limit.NAME]`: how much of something one key may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name, of letters, digits, `-`, `_` and `.`: responses show it.
    pub name: String,
    /// `key`: what makes two requests one key, all of it together; at least one.
    pub key: Vec<KeyPart>,
    /// `prefix`: of clients' addresses.
    pub prefix: Prefix,
    /// `rate`, `concurrency` or `bandwidth`.
    pub bound: Bound,
    /// `except`: clients that are not limited.
    pub except: Vec<IpNet>,
    /// `observe`: nobody is refused; what would have been is counted and logged.
    pub observe: bool,
    /// `fields`: responses that pass say what is left.
    pub fields: bool,
    /// `memory`: bytes of the table of keys.
    pub memory: u64,
}

/// Index into [`Config::limits`](super::Config::limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LimitId(pub usize);

/// What a limit bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// `rate` and `burst`: requests over time.
    Rate {
        /// On average.
        rate: Rate,
        /// Requests that a key may save up.
        burst: u32,
    },
    /// `concurrency`: exchanges at once.
    Concurrency(u32),
    /// `bandwidth` and `burst`: content of responses.
    Bandwidth {
        /// Bytes a second.
        rate: u64,
        /// Bytes that a key may save up.
        burst: u64,
    },
}

/// `50/s`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests; at least one.
    pub count: u32,
    /// In so long.
    pub per: Duration,
}

impl Rate {
    /// In how many seconds there are so many requests; rounded up.
    #[must_use]
    pub fn seconds(self, requests: u64) -> u64 {
        let seconds = (u128::from(requests) * self.per.as_nanos()).div_ceil(self.nanos_for_all());
        u64::try_from(seconds).unwrap_or(u64::MAX)
    }

    /// How many requests there are in so many seconds; rounded down.
    #[must_use]
    pub fn within(self, seconds: u64) -> u64 {
        let requests = u128::from(seconds) * self.nanos_for_all() / self.per.as_nanos().max(1);
        u64::try_from(requests).unwrap_or(u64::MAX)
    }

    /// Nanoseconds in a second, for each of `count`.
    fn nanos_for_all(self) -> u128 {
        u128::from(self.count.max(1)) * 1_000_000_000
    }
}

/// As it is written.
impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Bound::Rate { rate, burst } => write!(f, "rate {rate}, burst {burst}"),
            Bound::Concurrency(max) => write!(f, "concurrency {max}"),
            Bound::Bandwidth { rate, burst } => {
                write!(f, "bandwidth {}/s, burst {}", show_size(rate), show_size(burst))
            }
        }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = match self.per.as_secs() {
            1 => "s",
            60 => "m",
            3_600 => "h",
            86_400 => "d",
            seconds => return write!(f, "{}/{seconds}s", self.count),
        };
        write!(f, "{}/{unit}", self.count)
    }
}

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// The host, without its port.
    Host,
    /// The name of the route.
    Route,
    /// What pools hash by, too.
    Of(HashBy),
}

/// `prefix = { v4 = 32, v6 = 64 }`: bits of an address that tell clients apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// 0 to 32.
    pub v4: u8,
    /// 0 to 128.
    pub v6: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_says_how_long_requests_take_and_how_many_there_are() {
        let rate = |count, seconds| Rate { count, per: Duration::from_secs(seconds) };
        assert_eq!([1, 50, 51].map(|n| rate(50, 1).seconds(n)), [1, 1, 2]);
        assert_eq!([1, 5].map(|n| rate(10, 3_600).seconds(n)), [360, 1_800]);
        assert_eq!([1, 2, 60].map(|n| rate(7, 60).within(n)), [0, 0, 7]);
        assert_eq!(rate(0, 0).within(1), 1_000_000_000);
    }

    #[test]
    fn bounds_are_shown_as_they_are_written() {
        let rate = Rate { count: 600, per: Duration::from_secs(60) };
        assert_eq!(Bound::Rate { rate, burst: 10 }.to_string(), "rate 600/m, burst 10");
        assert_eq!(Bound::Concurrency(3).to_string(), "concurrency 3");
        assert_eq!(Bound::Bandwidth { rate: 1 << 16, burst: 1 << 20 }.to_string(), "bandwidth 64KiB/s, burst 1MiB");
    }
}
