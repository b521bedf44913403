use super::secret::SECRET;
use crate::config::file::key::{Default::*, Kind, Spec, key, optional, required};

pub(crate) static TOKEN: Spec = Spec {
    title: "a token",
    doc: "Who may change what through the admin listener: the holder of a secret, sent as `Authorization: Bearer SECRET`.",
    keys: &[
        required(
            "name",
            Kind::Text("a name"),
            "What pools and logs call it. Not `\"unix\"`: so leases call who registers over a unix socket.",
        ),
        required(
            "role",
            Kind::Choice(&["operator", "registrar"], &[]),
            "`\"operator\"`: may do all. `\"registrar\"`: may register backends of the pools that name the token, and take them back; no more.",
        ),
        required("secret", SECRET, "What its holder knows: at least 16 printable characters without spaces."),
        key(
            "networks",
            Kind::List(&Kind::Text("a network such as \"10.0.0.0/8\"")),
            Said("loopback and private networks"),
            "Where backends may be that its holder registers: `\"10.0.0.0/8\"`, `\"10.0.0.7\"`.",
        ),
    ],
};

pub(crate) static REGISTER: Spec = Spec {
    title: "`register` of [pool.NAME]",
    doc: "Takes backends that register themselves at the admin listener; `{}` will do for those that an operator registers.",
    keys: &[
        optional(
            "tokens",
            Kind::List(&Kind::Text("the name of a token")),
            "Who may register backends, besides operators: names of `[admin] tokens`.",
        ),
        key(
            "ttl",
            Kind::Duration,
            Value("10s"),
            "How long a registration lasts unless it is renewed, where it does not say; none lasts longer. From 1s to 1h.",
        ),
        key(
            "drain",
            Kind::DurationOrZero,
            Value("30s"),
            "How long a backend that leaves may take to end the exchanges that it has. Up to 1h.",
        ),
    ],
};
