use crate::config::file::key::{Default::*, Kind, Spec, key, optional};

pub(crate) static WAITING_ROOM: Spec = Spec {
    title: "[waiting_room.NAME]",
    doc: "Where visitors wait, first come, first served, while there is no room for them. Routes name the room before them; several may share one. It is full when `active` visitors are inside, when `enter` is reached, or when the pools of its routes have as many exchanges as `connections.max` or `concurrency` lets them have: whichever comes first, and one of them must be said. `docs/waiting-room.md` says how it works.",
    keys: &[
        optional(
            "active",
            Kind::Integer { min: 1, max: 1_000_000 },
            "Visitors inside at once. A visitor is inside from his first request until `session` after his last.",
        ),
        optional("enter", Kind::Rate, "Visitors let in over time, evenly: `\"50/s\"`, `\"600/m\"`."),
        key(
            "session",
            Kind::Duration,
            Value("5m"),
            "Who asks for nothing for so long is no longer inside; give or take an eighth of it.",
        ),
        key(
            "absence",
            Kind::Duration,
            Value("2m"),
            "Who has not asked for so long when it is his turn is passed over. Pages ask every 20 seconds at least.",
        ),
        key(
            "places",
            Kind::Integer { min: 1, max: 1_000_000 },
            Number(100_000),
            "Visitors who may wait; who comes then is told to come back later, by 503.",
        ),
        key(
            "bind",
            Kind::Choice(&["client", "agent"], &[]),
            Value("client"),
            "What a ticket is bound to: `\"client\"` is the address (IPv6: its /64) and User-Agent; `\"agent\"` is User-Agent alone, for clients that change their address, and then a copied ticket is as good as the first.",
        ),
        optional(
            "page",
            Kind::Text("a path"),
            "A page in HTML in place of our own, read at load, relative to this file. `{place}`, `{wait}` (in words), `{minutes}`, `{refresh}` (in seconds) and `{note}` are replaced.",
        ),
    ],
};
