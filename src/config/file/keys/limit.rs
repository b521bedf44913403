use super::listener::NETWORKS;
use crate::config::file::key::{Default::*, Kind, Spec, key, optional, required};

pub(crate) static LIMIT: Spec = Spec {
    title: "[limit.NAME]",
    doc: "How much of something one key may have. Routes name the limits that hold there; `docs/limits.md` says how they work. One of `rate`, `concurrency` and `bandwidth` says what is bounded.",
    keys: &[
        required(
            "key",
            Kind::OneOrMore(&Kind::Text(
                "\"client_ip\", \"host\", \"route\", \"path\", \"path_part:1\", \"cookie:NAME\", \"field:NAME\" or \"query:NAME\"",
            )),
            "What makes two requests one key, all of it together: `\"client_ip\"`, `\"host\"`, `\"route\"`, `\"path\"`, `\"path_part:1\"` (a segment, counted from 1), `\"cookie:NAME\"`, `\"field:NAME\"`, `\"query:NAME\"`. Requests that lack it share a key of their own.",
        ),
        optional("prefix", Kind::Table(&PREFIX), "How many bits of a client's address tell clients apart."),
        optional("rate", Kind::Rate, "Requests over time: `\"50/s\"`, `\"600/m\"`, `\"1000/h\"`, `\"5/d\"`."),
        optional("concurrency", Kind::Integer { min: 1, max: 1_000_000 }, "Exchanges in flight at once."),
        optional(
            "bandwidth",
            Kind::Bandwidth { min: 1 << 10, max: 1 << 40 },
            "Content of responses: `\"1MiB/s\"`, all exchanges of a key together. They are slowed down, not refused.",
        ),
        key(
            "burst",
            Kind::Either(&[Kind::Integer { min: 1, max: 1_000_000 }, Kind::Size { min: 1 << 10, max: 1 << 40 }]),
            Said("what `rate` names; a second of `bandwidth`"),
            "What a key may save up: requests (`100`) with `rate`, bytes (`\"4MiB\"`) with `bandwidth`.",
        ),
        optional("except", NETWORKS, "Networks whose clients are not limited."),
        key(
            "observe",
            Kind::Bool,
            Value("false"),
            "Refuses and slows down nobody: what would have been refused is counted and logged.",
        ),
        key(
            "fields",
            Kind::Bool,
            Value("false"),
            "Whether responses that pass say what is left, in `RateLimit` and `RateLimit-Policy`. Refusals always do.",
        ),
        key(
            "memory",
            Kind::Size { min: 64 << 10, max: 1 << 34 },
            Value("4MiB"),
            "Of the table of keys, taken at once: 17 bytes a key. When it is full, new keys share what is left.",
        ),
    ],
};

static PREFIX: Spec = Spec {
    title: "`prefix` of [limit.NAME]",
    doc: "Clients whose addresses begin with the same bits are one.",
    keys: &[
        key("v4", Kind::Integer { min: 0, max: 32 }, Number(32), "Of IPv4."),
        key("v6", Kind::Integer { min: 0, max: 128 }, Number(64), "Of IPv6; one customer has 64 or less, as a rule."),
    ],
};
