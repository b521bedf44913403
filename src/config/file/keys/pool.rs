use super::listener::CERTIFICATE;
use crate::config::file::key::{Default::*, Kind, Spec, key, later, optional, required};

pub(crate) static POOL: Spec = Spec {
    title: "[pool.NAME]",
    doc: "A named set of backends.",
    keys: &[
        required(
            "backends",
            Kind::List(&Kind::Either(&[ADDRESS, Kind::Table(&BACKEND)])),
            "`\"127.0.0.1:9000\"`, `\"[::1]:9000\"`, `\"name:port\"`, `\"unix:/path\"`, or a table with `address` and `weight`.",
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
        optional("tls", Kind::Table(&TLS), "Speaks TLS to the backends; `{}` will do."),
        optional(
            "proxy_protocol",
            Kind::Choice(&["v1", "v2"], &[]),
            "A PROXY header of that version at the start of each connection, which is then used for one client only.",
        ),
        later("health"),
        later("outlier"),
        later("slow_start"),
        later("retry"),
        later("resolve"),
        later("register"),
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

static BALANCE: Spec = Spec {
    title: "`balance` of [pool.NAME]",
    doc: "Which backend an attempt goes to.",
    keys: &[
        key(
            "policy",
            Kind::Choice(&["round_robin"], &["least_connections", "hash", "random", "ewma"]),
            Value("round_robin"),
            "`\"round_robin\"`: in turn, smoothly by weight.",
        ),
        later("by"),
        later("bounded_load"),
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
        later("max"),
        later("queue"),
        later("queue_timeout"),
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

const ADDRESS: Kind = Kind::Text("an address such as \"127.0.0.1:9000\", \"name:port\" or \"unix:/path\"");
