use super::listener::NETWORKS;
use crate::config::file::key::{Default::*, Kind, Spec, key, optional, required};

pub(crate) static CACHE: Spec = Spec {
    title: "[cache.NAME]",
    doc: "A named cache. Routes name the one that they use; what is stored is a matter of `docs/caching.md`.",
    keys: &[
        required("memory", Kind::Size { min: 1 << 20, max: 1 << 50 }, "How much of the process's memory it may use."),
        optional("disk", Kind::Table(&DISK), "A second, larger tier."),
        optional(
            "max_object",
            Kind::Size { min: 1, max: 1 << 40 },
            "Content that a stored response may have; an eighth of `memory` unless said, half of it at most.",
        ),
        key(
            "variants",
            Kind::Integer { min: 1, max: 1000 },
            Number(32),
            "Variants (`Vary`) that one URL may have; the oldest goes.",
        ),
        key(
            "stale_while_revalidate",
            Kind::DurationOrZero,
            Value("0s"),
            "For so long a stale response is used while it is validated (RFC 5861), where the response says nothing.",
        ),
        optional(
            "stale_if_error",
            Kind::DurationOrZero,
            "For so long a stale response is used if the backend fails (RFC 5861), where the response says nothing. Without this key: 10 minutes if no backend can be reached, and not at all if one answers with an error.",
        ),
        optional(
            "ttl",
            Kind::Map("STATUS", &Kind::DurationOrZero),
            "Freshness by status, only where the response says nothing: `{ \"404\" = \"10s\" }`.",
        ),
        optional("key", Kind::Table(&CACHE_KEY), "What makes two requests the same."),
        key(
            "set_cookie",
            Kind::Bool,
            Value("false"),
            "Whether responses that set cookies may be stored: only for cookies that are the same for all.",
        ),
        optional("debug", NETWORKS, "Networks whose clients see the key of a response in `Cache-Status`."),
        optional("purge", NETWORKS, "Networks from which the method PURGE is taken. It is refused otherwise."),
    ],
};

static DISK: Spec = Spec {
    title: "`disk` of [cache.NAME]",
    doc: "Where a cache keeps what does not fit in memory.",
    keys: &[
        required("path", Kind::Text("a path"), "A directory."),
        required(
            "size",
            Kind::Size { min: 4 << 20, max: 1 << 60 },
            "How much of the disk it may use. All of it is taken at the start.",
        ),
    ],
};

static CACHE_KEY: Spec = Spec {
    title: "`key` of [cache.NAME]",
    doc: "What makes two requests the same for a cache.",
    keys: &[
        optional(
            "ignore_query",
            Kind::List(&Kind::Text("the name of a query parameter, perhaps with `*` at its end")),
            "Query parameters that make no difference, and are not sent to backends: `[\"utm_*\", \"fbclid\"]`.",
        ),
        optional(
            "normalise",
            Kind::List(&Kind::Text("the name of a field")),
            "Fields whose values make no variant by their case, white space and order alone, where `Vary` names them.",
        ),
    ],
};
