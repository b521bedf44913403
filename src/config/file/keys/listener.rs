use crate::config::file::key::{Default::*, Kind, Spec, key, optional, required};

pub(crate) static LISTENER: Spec = Spec {
    title: "[[listener]]",
    doc: "A bound address with its TLS.",
    keys: &[
        required(
            "address",
            Kind::Text("an address such as \"0.0.0.0:8080\" or \"[::]:8080\""),
            "The IP address and port to bind.",
        ),
        key(
            "protocols",
            Kind::List(&Kind::Choice(&["http/1.1", "h2"], &["h3"])),
            Said("`[\"http/1.1\"]` in clear text, `[\"h2\", \"http/1.1\"]` with TLS"),
            "What it speaks. `\"h2\"` in clear text accepts HTTP/2 with prior knowledge.",
        ),
        optional("tls", Kind::Table(&TLS), "Makes it speak TLS."),
        optional("timeouts", Kind::Table(&TIMEOUTS), "Bounds on waiting for the client."),
        key(
            "max_connections",
            Kind::Integer { min: 1, max: 100_000_000 },
            Number(100_000),
            "Connections at once over all workers; more are closed at accept.",
        ),
        optional("limits", Kind::Table(&LIMITS), "Bounds on a request head."),
        optional("h2", Kind::Table(&H2), "Bounds on an HTTP/2 connection."),
        optional(
            "proxy_protocol",
            Kind::Table(&PROXY_PROTOCOL),
            "Connections start with a PROXY header, version 1 or 2.",
        ),
        optional(
            "trust_forwarded",
            NETWORKS,
            "Networks whose `Forwarded` and `X-Forwarded-*` fields are believed. None are believed otherwise.",
        ),
    ],
};

static TIMEOUTS: Spec = Spec {
    title: "`timeouts` of [[listener]]",
    doc: "How long a client may take.",
    keys: &[
        key(
            "handshake",
            Kind::Duration,
            Value("10s"),
            "From accept to the end of the TLS handshake, and of the PROXY header.",
        ),
        key("head", Kind::Duration, Value("10s"), "For a whole request head, from its first byte (or accept)."),
        key("idle", Kind::Duration, Value("75s"), "Between exchanges on a connection."),
        key("body", Kind::Duration, Value("60s"), "Without any progress of a body, in either direction."),
    ],
};

static LIMITS: Spec = Spec {
    title: "`limits` of [[listener]]",
    doc: "How large a request head may be.",
    keys: &[
        key("head", Kind::Size { min: 1 << 10, max: 16 << 20 }, Value("64KiB"), "Bytes of a whole head; more is 431."),
        key("fields", Kind::Integer { min: 1, max: 65_535 }, Number(128), "Fields in it; more is 431."),
    ],
};

static H2: Spec = Spec {
    title: "`h2` of [[listener]]",
    doc: "What one HTTP/2 connection may ask for.",
    keys: &[
        key("streams", Kind::Integer { min: 1, max: 65_535 }, Number(128), "Streams at once."),
        key(
            "stream_window",
            Kind::Size { min: 1 << 10, max: WINDOW_MAX },
            Value("256KiB"),
            "Receive window of a stream.",
        ),
        key(
            "connection_window",
            Kind::Size { min: WINDOW_START, max: WINDOW_MAX },
            Value("1MiB"),
            "Receive window of the connection.",
        ),
        key(
            "resets_per_second",
            Kind::Integer { min: 1, max: 1_000_000 },
            Number(100),
            "Streams a second that the client may reset before its connection is ended.",
        ),
    ],
};

static TLS: Spec = Spec {
    title: "`tls` of [[listener]]",
    doc: "Certificates and versions.",
    keys: &[
        required(
            "certificates",
            Kind::List(&Kind::Table(&CERTIFICATE)),
            "At least one, chosen by the name that the client asks for; the first serves clients that name no host.",
        ),
        key("min_version", Kind::Choice(&["1.2", "1.3"], &[]), Value("1.2"), "The oldest TLS version accepted."),
        optional("client", Kind::Table(&CLIENT), "Asks clients for a certificate."),
    ],
};

/// Shared with pools, which show one to their backends.
pub(super) static CERTIFICATE: Spec = Spec {
    title: "a certificate",
    doc: "Files of one certificate, in PEM. Relative to this file.",
    keys: &[
        required("cert", Kind::Text("a path"), "The chain, leaf first; perhaps the key too."),
        optional("key", Kind::Text("a path"), "The private key, if it is not in `cert`."),
    ],
};

static CLIENT: Spec = Spec {
    title: "`client` of `tls` of [[listener]]",
    doc: "Client certificates.",
    keys: &[
        required("ca", Kind::Text("a path"), "Authorities that may sign them, in PEM."),
        key(
            "required",
            Kind::Bool,
            Value("true"),
            "If false, a client without a certificate is let in; one with a bad one is not.",
        ),
    ],
};

static PROXY_PROTOCOL: Spec = Spec {
    title: "`proxy_protocol` of [[listener]]",
    doc: "Who may say on whose behalf a connection comes.",
    keys: &[required("from", NETWORKS, "Networks that send a PROXY header; connections from elsewhere are refused.")],
};

pub(super) const NETWORKS: Kind = Kind::List(&NETWORK);

/// An element of a list of networks; routes take one alone too.
pub(super) const NETWORK: Kind = Kind::Text("a network such as \"10.0.0.0/8\" or an address");

/// Half of what RFC 9113 §6.9.1 allows; no connection needs more.
const WINDOW_MAX: u64 = 1 << 30;

/// RFC 9113 §6.9.2: a connection's window starts at 65,535 and cannot be made smaller.
const WINDOW_START: u64 = 64 << 10;
