//! What a file may say: one table of keys, kinds, defaults and docs a section. Everything else is derived from these.

mod access;
mod balance;
mod cache;
mod cluster;
mod limit;
mod listener;
mod pool;
mod register;
mod resilience;
mod route;
mod secret;
mod waiting;

pub(crate) use access::ACCESS;
pub(crate) use cache::CACHE;
pub(crate) use cluster::CLUSTER;
pub(crate) use limit::LIMIT;
pub(crate) use listener::LISTENER;
pub(crate) use pool::{BACKEND, POOL};
use register::TOKEN;
pub(crate) use route::ROUTE;
pub(crate) use waiting::WAITING_ROOM;

use super::key::{Default::*, Kind, Spec, key, optional, required};

/// The file.
pub(crate) static ROOT: Spec = Spec {
    title: "the file",
    doc: "Keys before the first section.",
    keys: &[
        key(
            "version",
            Kind::Integer { min: 1, max: 1 },
            Said("none: the first file must say it"),
            "The version of this format. There is one so far.",
        ),
        optional(
            "include",
            Kind::List(&Kind::Text("a path or a pattern such as \"sites/*.toml\"")),
            "Files that are read as if they stood here; `*` and `?` match within a name. Relative to this file.",
        ),
        optional("server", Kind::Table(&SERVER), "Process-wide settings."),
        optional(
            "admin",
            Kind::Table(&ADMIN),
            "The admin listener: metrics, health, what operators and backends may ask.",
        ),
        optional("cluster", Kind::Table(&CLUSTER), "The fleet that this process belongs to."),
        optional("log", Kind::Table(&LOG), "Events and access log."),
        optional("listener", Kind::List(&Kind::Table(&LISTENER)), "Addresses to listen on; at least one in all files."),
        optional("pool", Kind::Map("NAME", &Kind::Table(&POOL)), "Named sets of backends."),
        optional("cache", Kind::Map("NAME", &Kind::Table(&CACHE)), "Named caches."),
        optional("access", Kind::Map("NAME", &Kind::Table(&ACCESS)), "Who may use the routes that name it."),
        optional("limit", Kind::Map("NAME", &Kind::Table(&LIMIT)), "Named limits."),
        optional("waiting_room", Kind::Map("NAME", &Kind::Table(&WAITING_ROOM)), "Named waiting rooms."),
        optional(
            "route",
            Kind::List(&Kind::Table(&ROUTE)),
            "What to do with which requests. Their order does not matter.",
        ),
    ],
};

pub(crate) static SERVER: Spec = Spec {
    title: "[server]",
    doc: "Process-wide settings.",
    keys: &[
        key(
            "workers",
            Kind::Integer { min: 1, max: 1024 },
            Said("the cores the process may use"),
            "Threads that serve.",
        ),
        key("drain", Kind::DurationOrZero, Value("30s"), "How long exchanges in flight may take to end on SIGTERM."),
        key(
            "upgrade_timeout",
            Kind::Duration,
            Value("30s"),
            "How long a new binary may take until it serves, on SIGUSR2; then it is killed, and the old one serves on.",
        ),
        key(
            "memory",
            Kind::Size { min: 16 << 20, max: 1 << 50 },
            Said("three quarters of what the machine, or the control group of the process, has"),
            "One ceiling for all that the process holds: caches, tables and buffers. Near it caches shrink; if that is not enough, new connections and requests are refused.",
        ),
        key(
            "state",
            Kind::Text("a path"),
            Said("what systemd gives by `StateDirectory=`, else none: memory only"),
            "A directory for what is to survive a restart. Made if it is not there; of one process at a time. Registrations of backends are in it.",
        ),
    ],
};

pub(crate) static ADMIN: Spec = Spec {
    title: "[admin]",
    doc: "A listener for operators, and for backends that register. Without this section there is none.",
    keys: &[
        required(
            "listen",
            Kind::Text("an address such as \"127.0.0.1:9180\", or \"unix:/path\""),
            "Where it listens: `\"127.0.0.1:9180\"` or `\"unix:/run/weir/admin.sock\"`.",
        ),
        optional(
            "tokens",
            Kind::List(&Kind::Table(&TOKEN)),
            "Who may change what. With an operator's among them, nobody else changes anything over TCP.",
        ),
        optional(
            "speaks",
            Kind::List(&Kind::Choice(&["consul", "nacos"], &[])),
            "Registries whose interfaces are served beside Weir's own, for services written for them.",
        ),
        optional(
            "loopback_as",
            Kind::Text("the name of a token"),
            "Who registers through these from this machine and sends no token counts as the holder of this one.",
        ),
    ],
};

pub(crate) static LOG: Spec = Spec {
    title: "[log]",
    doc: "What is written, and where.",
    keys: &[
        key(
            "level",
            Kind::Choice(&["error", "warn", "info", "debug", "trace"], &[]),
            Value("info"),
            "Events less important than this are not written.",
        ),
        optional("access", Kind::Table(&LOG_ACCESS), "The access log: one line an exchange."),
    ],
};

pub(crate) static LOG_ACCESS: Spec = Spec {
    title: "`access` of [log]",
    doc: "The access log.",
    keys: &[
        key(
            "format",
            Kind::Text("\"json\", \"combined\", or a template with placeholders such as {status}"),
            Value("json"),
            "`\"json\"`, `\"combined\"` (as Apache and nginx write it), or a template such as `\"{client} {method} {path} {status}\"`. `{request.NAME}` and `{response.NAME}` stand for fields.",
        ),
        key(
            "to",
            Kind::Text("\"stdout\", \"off\" or a path"),
            Value("stdout"),
            "`\"stdout\"`, `\"off\"`, or a file: opened for appending, reopened on reload.",
        ),
    ],
};

/// Keys that peers use, and what they are called here.
pub(crate) const SYNONYMS: &[(&str, &str)] = &[
    ("adaptive_concurrency", "concurrency"),
    ("addr", "address"),
    ("auth", "access"),
    ("auth_basic", "basic"),
    ("auth_request", "ask"),
    ("aud", "audience"),
    ("basic_auth", "basic"),
    ("ext_authz", "ask"),
    ("forward_auth", "ask"),
    ("htpasswd", "file"),
    ("iss", "issuer"),
    ("backend", "backends"),
    ("bind", "address"),
    ("compression", "compress"),
    ("conditions", "field"),
    ("domain", "host"),
    ("domains", "host"),
    ("encode", "compress"),
    ("encodings", "codings"),
    ("endpoints", "backends"),
    ("gzip", "compress"),
    ("gzip_types", "types"),
    ("slo", "objective"),
    ("circuit_breaker", "breaker"),
    ("health_check", "health"),
    ("healthcheck", "health"),
    ("header", "field"),
    ("interval", "every"),
    ("lb_policy", "policy"),
    ("max_connections", "max"),
    ("maxconn", "max"),
    ("outlier_detection", "outlier"),
    ("rate_limit", "limits"),
    ("rate_limits", "limits"),
    ("dry_run", "observe"),
    ("retries", "retry"),
    ("slowstart", "slow_start"),
    ("headers", "field"),
    ("hostname", "host"),
    ("hosts", "host"),
    ("hosts", "host"),
    ("listen", "address"),
    ("listeners", "listener"),
    ("location", "path"),
    ("methods", "method"),
    ("min_length", "min"),
    ("minimum_length", "min"),
    ("paths", "path"),
    ("pools", "pool"),
    ("proxy_pass", "pool"),
    ("routes", "route"),
    ("servers", "backends"),
    ("ssl", "tls"),
    ("targets", "backends"),
    ("threads", "workers"),
    ("upstream", "pool"),
    ("upstreams", "pool"),
    ("url", "path"),
];

/// Words that peers use as values, and what they are called here.
pub(crate) const WORDS: &[(&str, &str)] = &[
    ("HTTP/1.1", "http/1.1"),
    ("HTTP/2", "h2"),
    ("TLSv1.2", "1.2"),
    ("TLSv1.3", "1.3"),
    ("h1", "http/1.1"),
    ("h2c", "h2"),
    ("http", "http/1.1"),
    ("http/2", "h2"),
    ("http1", "http/1.1"),
    ("http2", "h2"),
    ("brotli", "br"),
    ("consistent", "hash"),
    ("ewma", "peak_ewma"),
    ("ip_hash", "hash"),
    ("least_conn", "least_connections"),
    ("least_request", "least_connections"),
    ("leastconn", "least_connections"),
    ("ring_hash", "hash"),
    ("rr", "round_robin"),
    ("roundrobin", "round_robin"),
    ("warning", "warn"),
    ("x-gzip", "gzip"),
    ("zstandard", "zstd"),
];

#[cfg(test)]
mod tests {
    use super::super::key::{Default, inner_specs};
    use super::*;
    use crate::config::file::units;

    #[test]
    fn every_default_is_a_value_of_its_key() {
        let specs = inner_specs(&ROOT);
        assert!(specs.len() > 20);
        for (spec, key) in specs.iter().flat_map(|spec| spec.keys.iter().map(move |key| (spec, key))) {
            let fits = match (&key.kind, key.default) {
                (_, None | Some(Default::Said(_))) => true,
                (Kind::Integer { min, max }, Some(Default::Number(n))) => (min..=max).contains(&&n),
                (Kind::Duration, Some(Value(text))) => units::duration(text).is_some_and(|d| !d.is_zero()),
                (Kind::DurationOrZero, Some(Value(text))) => units::duration(text).is_some(),
                (Kind::Size { min, max }, Some(Value(text))) => {
                    units::size(text).is_some_and(|n| (min..=max).contains(&&n))
                }
                (Kind::Factor { min, max }, Some(Value(text))) => {
                    units::factor(text).is_some_and(|n| (min..=max).contains(&&n))
                }
                (Kind::Share, Some(Value(text))) => units::share(text).is_some(),
                (Kind::Rate, Some(Value(text))) => units::rate(text).is_some(),
                (Kind::Bool, Some(Value(text))) => ["true", "false"].contains(&text),
                (Kind::Choice(words, _), Some(Value(text))) => words.contains(&text),
                (Kind::Text(_), Some(Value(_))) => true,
                _ => false,
            };
            assert!(fits, "{} of {}", key.name, spec.title);
            assert!(key.doc.ends_with(['.', ')', ':', '`']), "{} of {}", key.name, spec.title);
        }
    }

    #[test]
    fn every_synonym_leads_to_a_key_and_is_none_itself() {
        let specs = inner_specs(&ROOT);
        for (theirs, ours) in SYNONYMS {
            assert!(specs.iter().any(|spec| spec.key(ours).is_some()), "{theirs} = {ours}");
        }
    }
}
