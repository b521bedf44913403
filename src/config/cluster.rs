use std::fmt;
use std::time::Duration;

/// `[cluster]`: the Redis through which a fleet shares its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// `redis` with `sentinel` or `sharded`.
    pub redis: Redis,
    /// `password`, where it does not stand in the URL.
    pub password: Option<Password>,
    /// `ca`: authorities that sign the certificate of Redis, in PEM; the public ones if none are named.
    pub ca: Option<Vec<u8>>,
    /// `name`: fleets of different names share nothing, whatever Redis they use.
    pub name: String,
    /// `lease`: a member that is silent for so long does not count any more.
    pub lease: Duration,
    /// `members`: so many are reckoned with, at least, where they cannot be counted.
    pub members: u32,
}

/// How Redis is reached. URLs may hold passwords: they are not for logs.
#[derive(Clone, PartialEq, Eq)]
pub enum Redis {
    /// One server.
    Server(Url),
    /// `sentinel`: the master of that name, as these sentinels know it.
    Sentinel {
        /// Of the sentinels.
        urls: Vec<Url>,
        /// Of the master.
        master: String,
    },
    /// `sharded = true`: some nodes of a Redis Cluster.
    Sharded(Vec<Url>),
}

/// `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`, `rediss://` for TLS, or `redis+unix:///path`.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(pub String);

/// A password.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl fmt::Display for Url {
    /// Without who may enter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("redis", &self.0));
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        // A parameter may be a password, too.
        let place = place.split_once('?').map_or(place, |(place, _)| place);
        write!(f, "{scheme}://{place}")
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |urls: &[Url]| urls.iter().map(Url::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Redis::Server(url) => url.fmt(f),
            Redis::Sentinel { urls, master } => write!(f, "{master} by {}", list(urls)),
            Redis::Sharded(urls) => f.write_str(&list(urls)),
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_who_may_enter() {
        for (url, shown) in [
            ("redis://a", "redis://a"),
            ("redis://:secret@a:6379/2", "redis://a:6379/2"),
            ("rediss://user:s@cret@a?x", "rediss://a"),
            ("redis+unix:///run/redis.sock?pass=secret", "redis+unix:///run/redis.sock"),
        ] {
            assert_eq!(Url(url.into()).to_string(), shown);
            assert_eq!(format!("{:?}", Redis::Server(Url(url.into()))), shown);
        }
        assert!(!format!("{:?}", Password("secret".into())).contains("secret"));
    }
}
