use crate::config::file::key::{Default::*, Key, Kind, Spec, key, optional};

pub(crate) static HEALTH: Spec = Spec {
    title: "`health` of [pool.NAME]",
    doc: "Asks each backend how it is. A backend gets traffic once its first probe has passed, which is made at once. One of `path`, `tcp` and `grpc` says how.",
    keys: &[
        optional(
            "path",
            Kind::Text("a path such as \"/healthz\""),
            "GET of that path, in the pool's protocol; `expect` says which statuses pass.",
        ),
        optional(
            "tcp",
            Kind::Bool,
            "`true`: it is enough that a connection can be made, with TLS where the pool has it.",
        ),
        optional(
            "grpc",
            Kind::Text("the name of a service; \"\" is the whole server"),
            "The gRPC health protocol (grpc.health.v1): that service must be SERVING. Wants `protocol = \"h2\"`.",
        ),
        optional(
            "host",
            Kind::Text("a host"),
            "With `path`: the Host that is asked for; default: the backend's address.",
        ),
        key(
            "expect",
            Kind::OneOrMore(&Kind::Text("a status such as \"200\", or a range such as \"200-399\"")),
            Said("`\"200-399\"`"),
            "With `path`: statuses that pass.",
        ),
        key("port", Kind::Integer { min: 1, max: 65_535 }, Said("the backend's own"), "The port that is asked."),
        key("every", Kind::Duration, Value("5s"), "From one probe to the next, give or take a tenth."),
        key("timeout", Kind::Duration, Value("1s"), "How long a probe may take."),
        key(
            "rise",
            Kind::Integer { min: 1, max: 100 },
            Number(2),
            "Probes in a row that must pass before a backend that was down is up again; one, where no other may be used.",
        ),
        key(
            "fall",
            Kind::Integer { min: 1, max: 100 },
            Number(3),
            "Probes in a row that must fail before a backend that was up is down.",
        ),
    ],
};

pub(crate) static OUTLIER: Spec = Spec {
    title: "`outlier` of [pool.NAME]",
    doc: "Ejects a backend for a while for what exchanges see of it: connections that fail, break off or time out, and `statuses`.",
    keys: &[
        key(
            "consecutive_failures",
            Kind::Integer { min: 0, max: 10_000 },
            Number(5),
            "So many failures in a row eject it; 0: they do not.",
        ),
        key(
            "failure_rate",
            Kind::Share,
            Value("40%"),
            "So many failures among the exchanges of `window` eject it, if that is at least twice what the other backends have.",
        ),
        WINDOW,
        REQUESTS_MIN,
        key(
            "eject",
            Kind::Duration,
            Value("30s"),
            "How long the first ejection lasts; each further in a row lasts so much longer.",
        ),
        key(
            "max_ejected",
            Kind::Share,
            Value("50%"),
            "How many of the backends may be ejected at once; never the last one.",
        ),
        STATUSES,
    ],
};

pub(crate) static RETRY: Spec = Spec {
    title: "`retry` of [pool.NAME]",
    doc: "When an exchange is tried again at another backend. Once something of a request was sent, only if its method is idempotent, and all of its content so far was kept.",
    keys: &[
        key(
            "attempts",
            Kind::Integer { min: 1, max: 10 },
            Number(3),
            "Attempts at most, the first included; backends at which nobody listens are not counted, unless it is 1.",
        ),
        key(
            "on",
            Kind::OneOrMore(&Kind::Text("\"connect\", a status such as \"503\", or a range such as \"502-504\"")),
            Said("`[\"connect\", \"502\"]`"),
            "`\"connect\"`: a connection could not be made. A status: the client would see it, because the backend says it, or because it broke off (502) or said nothing in time (504).",
        ),
        key(
            "budget",
            Kind::Share,
            Value("20%"),
            "Retries for each first attempt, over all exchanges of the pool, and ten in advance: so that retries never become the load that keeps a pool down. What came to no backend pays nothing.",
        ),
        key(
            "content",
            Kind::Size { min: 0, max: 16 << 20 },
            Value("64KiB"),
            "How much of a request's content is kept to be sent again.",
        ),
    ],
};

pub(crate) static BREAKER: Spec = Spec {
    title: "`breaker` of [pool.NAME]",
    doc: "Gives the whole pool a rest when too much of it fails (connections that fail, break off or time out, and `statuses`): 503 at once, then a few exchanges to try. `{}` will do.",
    keys: &[
        key("failure_rate", Kind::Share, Value("50%"), "So many failures among the exchanges of `window` open it."),
        WINDOW,
        REQUESTS_MIN,
        key("open", Kind::Duration, Value("5s"), "How long all are refused."),
        key(
            "trials",
            Kind::Integer { min: 1, max: 1_000 },
            Number(3),
            "Exchanges that are let through after that, and must succeed, before all are.",
        ),
        STATUSES,
    ],
};

const WINDOW: Key = key("window", Kind::Duration, Value("10s"), "What `failure_rate` looks back on.");

const REQUESTS_MIN: Key = key(
    "requests_min",
    Kind::Integer { min: 1, max: 1_000_000 },
    Number(20),
    "With fewer exchanges in `window`, the rate says nothing.",
);

const STATUSES: Key = key(
    "statuses",
    Kind::OneOrMore(&STATUS),
    Said("`[\"500\", \"502\", \"503\", \"504\"]`"),
    "Statuses of responses that are failures.",
);

const STATUS: Kind = Kind::Text("a status such as \"503\", or a range such as \"502-504\"");
