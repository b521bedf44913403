use super::{AccessId, CacheId, Compress, LimitId, Place, PoolId, Priority, RoutePriority, WaitingRoomId};
use crate::http::Method;
use ipnet::IpNet;
use regex::bytes::Regex;
use std::time::Duration;

/// `[[route]]`: match → what to do.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where it was declared.
    pub place: Place,
    /// For logs and metrics: `name`, or else made from host and path.
    pub name: String,

    /// `host`: any of these; empty matches all.
    pub hosts: Vec<HostPattern>,
    /// `path`: any of these; empty matches all.
    pub paths: Vec<PathPattern>,
    /// `method`: any of these; empty matches all.
    pub methods: Vec<Method>,
    /// `field`: all of these (name in lower case).
    pub fields: Vec<(String, ValuePattern)>,
    /// `query`: all of these.
    pub query: Vec<(String, ValuePattern)>,
    /// `client`: any of these; empty matches all.
    pub clients: Vec<IpNet>,

    /// What is done.
    pub action: Action,
    /// `rewrite`: of the target that the backend sees.
    pub rewrite: Option<Rewrite>,
    /// `request`: edits of the fields that the backend sees.
    pub request: FieldEdits,
    /// `response`: edits of the fields that the client sees.
    pub response: FieldEdits,
    /// `timeouts`
    pub timeouts: RouteTimeouts,
    /// `max_body`: bytes of request content; more is 413. None: no limit.
    pub max_body: Option<u64>,
    /// `mirror`
    pub mirror: Option<Mirror>,
    /// `maintenance = true`: answers 503 with Retry-After instead of acting.
    pub maintenance: bool,
    /// `errors`: pages for statuses that Weir itself answers with.
    pub errors: Vec<ErrorPage>,
    /// `access`: who may use it; none: everybody.
    pub access: Option<AccessId>,
    /// `cache`
    pub cache: Option<CacheId>,
    /// `waiting_room`
    pub waiting_room: Option<WaitingRoomId>,
    /// `limits`: all of these hold; at most [`LIMITS_MAX`](Self::LIMITS_MAX).
    pub limits: Vec<LimitId>,
    /// `compress`: responses for clients that accept it. None: what the backend sends is what they get.
    pub compress: Option<Compress>,
    /// `priority`: who is served first where a pool has no room for all; default normal.
    pub priority: RoutePriority,
    /// `allow = ["TRACE", "CONNECT"]`: methods that are refused otherwise.
    pub allow_trace: bool,
    /// As above.
    pub allow_connect: bool,
}

impl Route {
    /// Limits that one route may have.
    pub const LIMITS_MAX: usize = 8;

    /// A route that matches all and does nothing but `action`.
    #[must_use]
    pub fn plain(place: Place, name: String, action: Action) -> Route {
        Route {
            place,
            name,
            hosts: Vec::new(),
            paths: Vec::new(),
            methods: Vec::new(),
            fields: Vec::new(),
            query: Vec::new(),
            clients: Vec::new(),
            action,
            rewrite: None,
            request: FieldEdits::default(),
            response: FieldEdits::default(),
            timeouts: RouteTimeouts::default(),
            max_body: None,
            mirror: None,
            maintenance: false,
            errors: Vec::new(),
            access: None,
            cache: None,
            waiting_room: None,
            limits: Vec::new(),
            compress: None,
            priority: RoutePriority::Fixed(Priority::Normal),
            allow_trace: false,
            allow_connect: false,
        }
    }
}

/// `host`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `shop.example`, in lower case, without port.
    Exact(String),
    /// `*.shop.example`: any number of labels before the suffix `.shop.example`, which is what is stored.
    Wildcard(String),
}

/// `path`
#[derive(Clone, Debug)]
pub enum PathPattern {
    /// `/a/b`
    Exact(String),
    /// `/a/*`: stored without the star, `/a/`; also matches `/a`.
    Prefix(String),
    /// `~^/a/[0-9]+$`: stored without the tilde, compiled.
    Regex(Regex),
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HostPattern::Exact(host) => f.write_str(host),
            HostPattern::Wildcard(suffix) => write!(f, "*{suffix}"),
        }
    }
}

impl std::fmt::Display for PathPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PathPattern::Exact(path) => f.write_str(path),
            PathPattern::Prefix(prefix) => write!(f, "{prefix}*"),
            PathPattern::Regex(regex) => write!(f, "~{regex}"),
        }
    }
}

impl std::fmt::Display for ValuePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ValuePattern::Present => f.write_str("*"),
            ValuePattern::Exact(text) => f.write_str(text),
            ValuePattern::Prefix(prefix) => write!(f, "{prefix}*"),
            ValuePattern::Regex(regex) => write!(f, "~{regex}"),
        }
    }
}

/// What the value of a field or query parameter must be.
#[derive(Clone, Debug)]
pub enum ValuePattern {
    /// `*`: there, whatever it is.
    Present,
    /// `abc`
    Exact(String),
    /// `abc*`, without the star.
    Prefix(String),
    /// `~re`
    Regex(Regex),
}

/// What a route does.
#[derive(Clone, Debug)]
pub enum Action {
    /// `pool = "name"`
    Pool(PoolId),
    /// `pool = { split = { a = 95, b = 5 } }`: shares by weight; the sum is above 0.
    Split(Vec<(PoolId, u32)>),
    /// `pool = { read = "a", write = "b", read_your_writes = "5s" }`
    ReadWrite {
        /// Gets safe methods.
        read: PoolId,
        /// Gets all others.
        write: PoolId,
        /// For so long after a client's write, its reads go to `write` too.
        read_your_writes: Option<Duration>,
    },
    /// `redirect = { to = "https://shop.example{path}", status = 308 }`; `{scheme} {host} {path} {query}`.
    Redirect {
        /// A template; `{path}` is path and query as received.
        to: String,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
    /// `respond = { status = 200, body = "…", type = "text/plain" }`
    Respond {
        /// 200..=599
        status: u16,
        /// Content-Type.
        content_type: String,
        /// Content.
        body: String,
    },
}

impl Action {
    /// The pools that requests may go to.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolId> {
        match self {
            Action::Pool(pool) => vec![*pool],
            Action::Split(shares) => shares.iter().map(|(pool, _)| *pool).collect(),
            Action::ReadWrite { read, write, .. } => vec![*read, *write],
            Action::Redirect { .. } | Action::Respond { .. } => Vec::new(),
        }
    }
}

/// `rewrite`
#[derive(Clone, Debug)]
pub enum Rewrite {
    /// `{ strip = "/api" }`: removed from the front of the path, if it is there as whole segments.
    Strip(String),
    /// `{ prefix = "/v2" }`: put before the path.
    Prefix(String),
    /// `{ path = "/x" }`: the whole path; the query stays.
    Path(String),
    /// `{ regex = "^/u/(\\d+)", to = "/user/$1" }`: of the path; the query stays.
    Regex(Regex, String),
}

/// `request = { set = {…}, add = {…}, remove = […] }`; removed first, then set, then added. Names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldEdits {
    /// Replaces.
    pub set: Vec<(String, String)>,
    /// Appends.
    pub add: Vec<(String, String)>,
    /// Removes.
    pub remove: Vec<String>,
}

impl FieldEdits {
    /// Nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}

/// `timeouts` of a route; unset ones are the pool's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteTimeouts {
    /// From the end of the request to the head of the response.
    pub first_byte: Option<Duration>,
    /// Without any progress of a body in either direction.
    pub idle: Option<Duration>,
    /// Without a byte in either direction on an upgraded connection (WebSocket); default 1 h.
    pub upgrade_idle: Option<Duration>,
    /// For the whole exchange.
    pub total: Option<Duration>,
}

/// `mirror = { pool = "name", share = "10%" }`: copies of requests, answers thrown away.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// Where copies go.
    pub pool: PoolId,
    /// In 1/10,000 of requests, 1..=10,000.
    pub share: u16,
}

/// `errors = { "503" = "sorry.html" }`, read at load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// A status 400..=599.
    pub status: u16,
    /// By the file's extension.
    pub content_type: String,
    /// The file's content.
    pub body: Vec<u8>,
}
