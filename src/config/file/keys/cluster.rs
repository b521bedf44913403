use super::secret::SECRET;
use crate::config::file::key::{Default::*, Kind, Spec, key, optional, required};

pub(crate) static CLUSTER: Spec = Spec {
    title: "[cluster]",
    doc: "The Redis through which several Weirs share their state; without this section each is on its own. What is shared, and what happens without Redis, is a matter of `docs/fleet.md`.",
    keys: &[
        required(
            "redis",
            Kind::OneOrMore(&Kind::Text(
                "a URL such as \"redis://127.0.0.1:6379\", or \"rediss://redis.example\" for TLS",
            )),
            "`\"redis://[USER:PASSWORD@]HOST[:PORT][/DB]\"`, `\"rediss://…\"` for TLS, or `\"redis+unix:///path\"`. Several with `sentinel` or `sharded`.",
        ),
        optional(
            "sentinel",
            Kind::Text("the name of a master"),
            "`redis` are sentinels, and the server is the master of this name.",
        ),
        key("sharded", Kind::Bool, Value("false"), "`redis` are nodes of a Redis Cluster."),
        optional(
            "password",
            SECRET,
            "The password of the server, where it does not stand in `redis`; such as `{ file = \"redis.password\" }`. With `sentinel`, what stands in `redis` is for the sentinels.",
        ),
        optional(
            "ca",
            Kind::Text("a path"),
            "Authorities that may sign the certificate of Redis, in PEM. Without it: the public ones.",
        ),
        key(
            "name",
            Kind::Text("a name"),
            Value("weir"),
            "Fleets of different names share nothing, whatever Redis they use.",
        ),
        key(
            "lease",
            Kind::Duration,
            Value("3s"),
            "A member that Redis has not heard of for so long does not count any more: purges do not wait for it, and it asks backends before it reuses what it has stored, until it is back. At least 500ms.",
        ),
        key(
            "members",
            Kind::Integer { min: 1, max: 10_000 },
            Number(1),
            "How many there are, at least: by so many each divides what limits allow while Redis cannot be reached. More where more were counted last. It matters for a member that begins while Redis is away and has no `[server] state` where it was kept how many there were.",
        ),
    ],
};
