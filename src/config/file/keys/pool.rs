use super::balance::{BALANCE, STICKY};
use super::listener::CERTIFICATE;
use super::register::REGISTER;
use super::resilience::{BREAKER, HEALTH, OUTLIER, RETRY};
use crate::config::file::key::{Default::*, Kind, Spec, key, optional, required};

pub(crate) static POOL: Spec = Spec {
    title: "[pool.NAME]",
    doc: "A named set of backends.",
    keys: &[
        key(
            "backends",
            Kind::List(&Kind::Either(&[ADDRESS, Kind::Table(&BACKEND)])),
            Said("required, unless there is `register`"),
            "`\"127.0.0.1:9000\"`, `\"[::1]:9000\"`, `\"name:port\"`, `\"srv:_http._tcp.name\"`, `\"unix:/path\"`, or a table with `address` and `weight`.",
        ),
        key(
            "protocol",
            Kind::Choice(&["http/1.1", "h2", "auto"], &["h3"]),
            Value("http/1.1"),
            "What the backends speak; `\"auto\"`, with TLS, takes what ALPN gives.",
        ),
        optional("balance", Kind::Table(&BALANCE), "Which backend an attempt goes to."),
        optional("timeouts", Kind::Table(&TIMEOUTS), "Bounds on waiting for a backend."),
        optional("connections", Kind::Table(&CONNECTIONS), "Connections to the backends."),
        optional(
            "concurrency",
            Kind::Either(&[Kind::Choice(&["adaptive"], &[]), Kind::Table(&CONCURRENCY)]),
            "`\"adaptive\"`: finds out how many exchanges each backend bears at once before it only gets slower, and gives it so many, up to `connections.max`. The others wait, as there.",
        ),
        optional(
            "objective",
            Kind::Table(&OBJECTIVE),
            "How fast exchanges are to be answered, for whoever adds and removes backends; see docs/autoscaling.md.",
        ),
        optional("tls", Kind::Table(&TLS), "Speaks TLS to the backends; `{}` will do."),
        optional(
            "proxy_protocol",
            Kind::Choice(&["v1", "v2"], &[]),
            "A PROXY header of that version at the start of each connection, which is then used for one client only.",
        ),
        optional("sticky", Kind::Table(&STICKY), "Keeps a client with its backend."),
        optional("health", Kind::Table(&HEALTH), "The active check; without it a backend counts as up."),
        key(
            "outlier",
            Kind::Either(&[Kind::Choice(&["off"], &[]), Kind::Table(&OUTLIER)]),
            Said("five connections in a row that fail eject for 10 s"),
            "Ejects backends for what exchanges see of them; `\"off\"`: never.",
        ),
        key(
            "slow_start",
            Kind::DurationOrZero,
            Value("0s"),
            "How long a backend that came up takes to get its full share, from a tenth of it.",
        ),
        key(
            "panic",
            Kind::Share,
            Said("none: if all are down, the answer is 503 at once"),
            "If less than this share of the backends may be used, their health is ignored.",
        ),
        optional("retry", Kind::Table(&RETRY), "When an exchange is tried again."),
        optional("breaker", Kind::Table(&BREAKER), "Gives the whole pool a rest when too much of it fails."),
        optional("resolve", Kind::Table(&RESOLVE), "How names are followed."),
        optional("register", Kind::Table(&REGISTER), "Takes backends that register themselves."),
    ],
};

pub(crate) static BACKEND: Spec = Spec {
    title: "a backend",
    doc: "One address in a pool.",
    keys: &[
        required("address", ADDRESS, "Where it listens."),
        key(
            "weight",
            Kind::Integer { min: 0, max: 65_535 },
            Number(1),
            "Its share relative to the others; 0 takes no traffic.",
        ),
    ],
};

static TIMEOUTS: Spec = Spec {
    title: "`timeouts` of [pool.NAME]",
    doc: "How long a backend may take.",
    keys: &[
        key("connect", Kind::Duration, Value("1s"), "To accept a connection, TLS included."),
        key("first_byte", Kind::Duration, Value("30s"), "From the end of the request to the head of the response."),
        key("idle", Kind::Duration, Value("60s"), "Without any progress of a body, in either direction."),
    ],
};

static CONNECTIONS: Spec = Spec {
    title: "`connections` of [pool.NAME]",
    doc: "Connections to the backends.",
    keys: &[
        key("idle", Kind::Duration, Value("60s"), "How long an unused one is kept."),
        key(
            "max",
            Kind::Integer { min: 1, max: 1_000_000 },
            Said("no limit"),
            "Exchanges that one backend gets at once, over all workers. With HTTP/1.1 each takes a connection.",
        ),
        key(
            "queue",
            Kind::Integer { min: 0, max: 1_000_000 },
            Number(500),
            "Exchanges that wait while all backends have `max`, or what they bear; by the `priority` of their routes, then first come first served; more get 503.",
        ),
        key("queue_timeout", Kind::Duration, Value("2s"), "How long they wait before they get 503."),
    ],
};

static CONCURRENCY: Spec = Spec {
    title: "`concurrency` of [pool.NAME]",
    doc: "What a backend bears is found out. `{}` will do.",
    keys: &[
        key(
            "min",
            Kind::Integer { min: 1, max: 1_000_000 },
            Number(2),
            "A backend gets so many exchanges at least, whatever it does.",
        ),
        key(
            "tolerance",
            Kind::Factor { min: 105, max: 1_000 },
            Value("1.25"),
            "How many times as long as with few in flight exchanges may take. Less keeps them shorter, more gets the last bit of work out of backends.",
        ),
    ],
};

static OBJECTIVE: Spec = Spec {
    title: "`objective` of [pool.NAME]",
    doc: "What the pool is to achieve. Nothing is done for it but to say how many backends it takes.",
    keys: &[required(
        "p99",
        Kind::Duration,
        "Of 100 exchanges, 99 are to have the head of their response within that, what they wait for a backend included.",
    )],
};

static RESOLVE: Spec = Spec {
    title: "`resolve` of [pool.NAME]",
    doc: "How names of backends are followed. All addresses that a name has are backends.",
    keys: &[
        key(
            "every",
            Kind::Duration,
            Said("when their time to live is over"),
            "Names are asked for again at least that often.",
        ),
        key(
            "servers",
            Kind::OneOrMore(&Kind::Text("an address such as \"127.0.0.1:53\"")),
            Said("the system's"),
            "Name servers that are asked.",
        ),
    ],
};

static TLS: Spec = Spec {
    title: "`tls` of [pool.NAME]",
    doc: "TLS towards the backends, whose certificates are always verified.",
    keys: &[
        key(
            "server_name",
            Kind::Text("a name"),
            Said("the name in the address"),
            "The name asked for (SNI) and verified.",
        ),
        key("ca", Kind::Text("a path"), Said("Mozilla's list"), "Authorities that are trusted, in PEM."),
        optional("certificate", Kind::Table(&CERTIFICATE), "The certificate that Weir shows."),
    ],
};

const ADDRESS: Kind =
    Kind::Text("an address such as \"127.0.0.1:9000\", \"name:port\", \"srv:NAME\" or \"unix:/path\"");
