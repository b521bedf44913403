use ipnet::IpNet;
use std::path::PathBuf;
use std::time::Duration;

/// `[cache.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Its name.
    pub name: String,
    /// `memory`: bytes of the memory tier.
    pub memory: u64,
    /// `disk`
    pub disk: Option<Disk>,
    /// `max_object`: bytes of content that a stored response may have.
    pub max_object: u64,
    /// `variants`: stored responses that one URL may have.
    pub variants: usize,
    /// `stale_while_revalidate`: where a response says nothing.
    pub stale_while_revalidate: Duration,
    /// `stale_if_error`: where a response says nothing.
    pub stale_if_error: Option<Duration>,
    /// `ttl`: freshness by status, where a response says nothing.
    pub ttl: Vec<(u16, Duration)>,
    /// `key`
    pub key: CacheKey,
    /// `set_cookie`: responses that set cookies may be stored.
    pub set_cookie: bool,
    /// `debug`: networks whose clients are shown keys.
    pub debug: Vec<IpNet>,
    /// `purge`: networks from which the method PURGE is taken.
    pub purge: Vec<IpNet>,
}

/// `disk`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// `path`: a directory.
    pub path: PathBuf,
    /// `size`: bytes.
    pub size: u64,
}

/// `key`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheKey {
    /// `ignore_query`: names of parameters; a `*` at the end stands for any rest.
    pub ignore_query: Vec<String>,
    /// `normalise`: fields whose case, order of members and white space make no variant; in lower case.
    pub normalise: Vec<String>,
}

/// Index into [`Config::caches`](super::Config::caches).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheId(pub usize);

impl Cache {
    /// The freshness of a response with `status` that says nothing itself.
    #[must_use]
    pub fn ttl(&self, status: u16) -> Option<Duration> {
        self.ttl.iter().find(|(listed, _)| *listed == status).map(|(_, ttl)| *ttl)
    }
}
