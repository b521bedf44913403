use super::secret::SECRET;
use crate::config::file::key::{Default::*, Kind, Spec, key, optional, required};

pub(crate) static BALANCE: Spec = Spec {
    title: "`balance` of [pool.NAME]",
    doc: "Which backend an attempt goes to.",
    keys: &[
        key(
            "policy",
            Kind::Choice(&["round_robin", "random", "least_connections", "peak_ewma", "hash"], &[]),
            Value("round_robin"),
            "`\"round_robin\"`: in turn, smoothly by weight. `\"random\"`: by lot. `\"least_connections\"`: the fewest exchanges in flight for its weight. `\"peak_ewma\"`: the better of two by learnt latency and exchanges in flight. `\"hash\"`: always the same for the same `by`.",
        ),
        optional(
            "by",
            Kind::Text("\"client_ip\", \"path\", \"path_part:1\", \"cookie:NAME\", \"field:NAME\" or \"query:NAME\""),
            "With `policy = \"hash\"`: what is hashed. `\"client_ip\"`, `\"path\"`, `\"path_part:1\"` (a segment, counted from 1), `\"cookie:NAME\"`, `\"field:NAME\"` or `\"query:NAME\"`. A request that has no such thing goes to any backend.",
        ),
        key(
            "table",
            Kind::Choice(&["ketama", "maglev"], &[]),
            Value("ketama"),
            "With `policy = \"hash\"`: a ring of points, where only the keys of a backend that is gone move; or a table with more even shares, where a few others move too.",
        ),
        optional(
            "bounded_load",
            Kind::Factor { min: 101, max: 10_000 },
            "With `policy = \"hash\"`: a backend with more than this many times its share of the exchanges in flight is passed over.",
        ),
    ],
};

pub(crate) static STICKY: Spec = Spec {
    title: "`sticky` of [pool.NAME]",
    doc: "Keeps a client with its backend by a signed cookie, for as long as that backend may be used.",
    keys: &[
        required("cookie", Kind::Text("the name of a cookie"), "The cookie's name."),
        optional(
            "secret",
            SECRET,
            "What cookies are signed with: at least 16 bytes, the same on all Weirs of a fleet. Without it one is made up at start, and cookies do not outlive the process.",
        ),
        optional("ttl", Kind::Duration, "How long the browser keeps the cookie; without it, as long as it runs."),
    ],
};
