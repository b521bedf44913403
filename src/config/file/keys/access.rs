use super::listener::NETWORKS;
use crate::config::Algorithm;
use crate::config::file::key::{Default::*, Kind, Spec, key, optional, required};

pub(crate) static ACCESS: Spec = Spec {
    title: "[access.NAME]",
    doc: "Who may use the routes that name it: all that is said here must hold. `docs/access.md` says how it is judged.",
    keys: &[
        optional("allow", NETWORKS, "Only clients in these networks. Without it, clients in all networks."),
        optional("deny", NETWORKS, "No clients in these networks, whatever `allow` says."),
        optional("basic", Kind::Table(&BASIC), "Clients prove who they are by name and password. Not beside `jwt`."),
        optional("jwt", Kind::Table(&JWT), "Clients prove who they are by a signed token. Not beside `basic`."),
        optional("ask", Kind::Table(&ASK), "A backend is asked each time, after all else held."),
    ],
};

static BASIC: Spec = Spec {
    title: "`basic` of [access.NAME]",
    doc: "Names and passwords (RFC 7617). The password goes no further than Weir.",
    keys: &[
        required(
            "file",
            Kind::Text("a path"),
            "Lines of `name:hash`, with hashes of bcrypt (`htpasswd -B -C 12`) or Argon2id. Read at start and at reload.",
        ),
        key(
            "realm",
            Kind::Text("a text"),
            Said("the name of the access"),
            "What clients are told that the password is for.",
        ),
        optional("user", FIELD, "The request field that tells the backend the name."),
    ],
};

static JWT: Spec = Spec {
    title: "`jwt` of [access.NAME]",
    doc: "Signed tokens (RFC 7519). Each must have `exp`, `iss`, and a signature by one of the keys.",
    keys: &[
        required("jwks", Kind::Table(&JWKS), "Where the keys are: a JWK Set (RFC 7517)."),
        required("issuer", Kind::Text("a text"), "What `iss` must be."),
        key(
            "audience",
            Kind::OneOrMore(&Kind::Text("a text")),
            Said("any, which a warning says"),
            "`aud` must hold one of these, so that a token for another service is not taken.",
        ),
        required(
            "algorithms",
            Kind::OneOrMore(&Kind::Choice(Algorithm::NAMES, &[])),
            "The algorithms that tokens may be signed with; no other is ever used, whatever a token says.",
        ),
        key(
            "from",
            Kind::Text("\"authorization\", \"cookie:NAME\" or \"field:NAME\""),
            Value("authorization"),
            "Where the token is: in Authorization after `Bearer`, in a cookie, or in a field.",
        ),
        key(
            "leeway",
            Kind::DurationOrZero,
            Value("30s"),
            "By how much the issuer's clock may differ, up to 5 minutes.",
        ),
        optional(
            "fields",
            Kind::Map("NAME", &Kind::Text("the name of a claim, or a JSON pointer such as \"/realm_access/roles\"")),
            "Request fields that tell the backend of claims: `{ \"x-user\" = \"sub\" }`.",
        ),
    ],
};

static JWKS: Spec = Spec {
    title: "`jwks` of `jwt`",
    doc: "Either `file` or `url`.",
    keys: &[
        optional("file", Kind::Text("a path"), "Read at start and at reload."),
        optional(
            "url",
            Kind::Text("a URL such as \"https://login.example/jwks.json\""),
            "Fetched at start, and again and again; what was fetched last is used while that fails.",
        ),
        key("ca", Kind::Text("a path"), Said("Mozilla's list"), "Authorities that are trusted for `url`, in PEM."),
        key(
            "every",
            Kind::Duration,
            Said("`\"5m\"`"),
            "How often `url` is fetched, from 10 s. A token with a key that is not known makes it fetched at once, every 10 s at most.",
        ),
    ],
};

static ASK: Spec = Spec {
    title: "`ask` of [access.NAME]",
    doc: "A subrequest without content: 2xx lets the request through; 401, 403, 429 and redirects are what the client gets; anything else, and silence, is 503.",
    keys: &[
        required("pool", Kind::Text("the name of a pool"), "Who is asked."),
        required(
            "path",
            Kind::Text("a path such as \"/check\""),
            "What it is asked for, by GET, with the fields of the request.",
        ),
        key("host", Kind::Text("a host"), Said("that of the request"), "The Host that it sees."),
        key("timeout", Kind::Duration, Value("2s"), "How long it may take, all attempts together."),
        optional(
            "fields",
            Kind::OneOrMore(&FIELD),
            "Fields of its answer that go to the backend as fields of the request.",
        ),
        optional("user", FIELD, "The field of its answer that names the user; it goes to the backend as well."),
    ],
};

const FIELD: Kind = Kind::Text("a field name such as \"x-user\"");
