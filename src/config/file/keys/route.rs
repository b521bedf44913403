use super::listener::NETWORK;
use crate::config::file::key::{Default::*, Key, Kind, Spec, key, optional, required};

pub(crate) static ROUTE: Spec = Spec {
    title: "[[route]]",
    doc: "Match → what to do. `host`, `path`, `method`, `field`, `query` and `client` must all match; what is left out matches everything. One of `pool`, `redirect` and `respond` says what is done.",
    keys: &[
        optional(
            "host",
            Kind::OneOrMore(&Kind::Text("a host such as \"shop.example\" or \"*.shop.example\"")),
            "Any of these: `\"shop.example\"`, or `\"*.shop.example\"` for all names below it.",
        ),
        optional(
            "path",
            Kind::OneOrMore(&Kind::Text("a path such as \"/a\", \"/a/*\" or \"~^/a/[0-9]+$\"")),
            "Any of these: `\"/a\"` exactly, `\"/a/*\"` for `/a` and all below it, or `\"~^/a/[0-9]+$\"`, a regular expression.",
        ),
        optional("method", Kind::OneOrMore(&Kind::Text("a method such as \"GET\"")), "Any of these."),
        optional(
            "field",
            Kind::Map("NAME", &PATTERN),
            "All of these request fields: `\"abc\"`, `\"abc*\"`, `\"~regex\"`, or `\"*\"` for any value.",
        ),
        optional("query", Kind::Map("NAME", &PATTERN), "All of these query parameters, like `field`."),
        optional("client", Kind::OneOrMore(&NETWORK), "The client's address is in any of these networks."),
        optional(
            "pool",
            Kind::Either(&[Kind::Text("the name of a pool"), Kind::Table(&POOLS)]),
            "Passes the request to a pool, by name, or to one of several.",
        ),
        optional("redirect", Kind::Table(&REDIRECT), "Answers with a redirect."),
        optional("respond", Kind::Table(&RESPOND), "Answers with a fixed response."),
        optional("rewrite", Kind::Table(&REWRITE), "Changes the path that the backend sees. One of its keys."),
        optional("request", Kind::Table(&REQUEST), "Edits the fields that the backend sees."),
        optional("response", Kind::Table(&RESPONSE), "Edits the fields that the client sees."),
        optional("timeouts", Kind::Table(&TIMEOUTS), "Bounds on waiting."),
        key(
            "max_body",
            Kind::Size { min: 0, max: 1 << 60 },
            Said("no limit"),
            "Bytes of request content; more is 413.",
        ),
        optional("mirror", Kind::Table(&MIRROR), "Copies requests to another pool, and throws the answers away."),
        key("maintenance", Kind::Bool, Value("false"), "Answers 503 with Retry-After instead of acting."),
        optional(
            "errors",
            Kind::Map("STATUS", &Kind::Text("a path")),
            "Pages for statuses that Weir itself answers with: `{ \"503\" = \"sorry.html\" }`. Read at load, relative to this file.",
        ),
        key("name", Kind::Text("a name"), Said("made from host and path"), "For logs and metrics."),
        optional("access", Kind::Text("the name of an access"), "Who may use it; without it, everybody may."),
        optional("cache", Kind::Text("the name of a cache"), "The cache to use."),
        optional("allow", Kind::List(&Kind::Choice(&["TRACE", "CONNECT"], &[])), "Methods that are refused otherwise."),
        optional(
            "compress",
            Kind::Either(&[Kind::List(&CODING), Kind::Table(&COMPRESS)]),
            "Compresses responses for clients that accept it: codings in order of preference, such as `[\"zstd\", \"br\", \"gzip\"]`, or a table. Without it nothing is compressed.",
        ),
        optional(
            "waiting_room",
            Kind::Text("the name of a waiting room"),
            "Where visitors wait while there is no room for them.",
        ),
        optional(
            "limits",
            Kind::List(&Kind::Text("the name of a limit")),
            "Limits that hold here, before a stored response is looked for or a backend is asked: a request must pass all of them, and costs nothing in any if one refuses it.",
        ),
        key(
            "priority",
            Kind::Choice(&["high", "normal", "low", "client"], &[]),
            Value("normal"),
            "Who is served first, and refused last, where the pool has no room for all; `\"client\"`: as the request's `Priority` field says (RFC 9218), high for urgencies 0 to 2, low for 4 to 7.",
        ),
    ],
};

static COMPRESS: Spec = Spec {
    title: "`compress` of [[route]]",
    doc: "Which responses are compressed for clients that accept it, and how. `{}` will do.",
    keys: &[
        key(
            "codings",
            Kind::List(&CODING),
            Said("`[\"zstd\", \"br\", \"gzip\"]`"),
            "In order of preference: the first of those that the client likes best.",
        ),
        key(
            "min",
            Kind::Size { min: 0, max: 1 << 30 },
            Value("256B"),
            "Content that is known to be shorter is left as it is.",
        ),
        key(
            "types",
            Kind::List(&Kind::Text("a media type such as \"text/*\", \"application/json\" or \"+json\"")),
            Said("text, JSON, XML, scripts, WebAssembly, fonts and images that are not compressed by themselves"),
            "Media types: one, all of a kind (`\"text/*\"`), or all with a suffix (`\"+json\"`). `text/event-stream` only if it is named.",
        ),
    ],
};

static POOLS: Spec = Spec {
    title: "`pool` of [[route]]",
    doc: "Several pools: either `split` by weight, or `read` and `write` by method.",
    keys: &[
        optional(
            "split",
            Kind::Map("NAME", &Kind::Integer { min: 0, max: 1_000_000 }),
            "Shares by weight: `{ stable = 95, canary = 5 }`.",
        ),
        optional("read", Kind::Text("the name of a pool"), "Gets safe methods (RFC 9110 §9.2.1)."),
        optional("write", Kind::Text("the name of a pool"), "Gets all others."),
        key(
            "read_your_writes",
            Kind::Duration,
            Said("off"),
            "For so long after a client's write, its reads go to `write` too.",
        ),
    ],
};

static REDIRECT: Spec = Spec {
    title: "`redirect` of [[route]]",
    doc: "A redirect.",
    keys: &[
        required(
            "to",
            Kind::Text("a template such as \"https://shop.example{path}\""),
            "Where to. `{scheme}`, `{host}`, `{path}` (path and query as received) and `{query}` are replaced.",
        ),
        key("status", Kind::Integer { min: 301, max: 308 }, Number(308), "301, 302, 303, 307 or 308."),
    ],
};

static RESPOND: Spec = Spec {
    title: "`respond` of [[route]]",
    doc: "A fixed response.",
    keys: &[
        key("status", Kind::Integer { min: 200, max: 599 }, Number(200), "Its status."),
        key("body", Kind::Text("text"), Value(""), "Its content."),
        key("type", Kind::Text("a media type"), Value("text/plain; charset=utf-8"), "Its Content-Type."),
    ],
};

static REWRITE: Spec = Spec {
    title: "`rewrite` of [[route]]",
    doc: "Changes the path that the backend sees; the query stays. One of `strip`, `prefix`, `path`, and `regex` with `to`.",
    keys: &[
        optional("strip", PATH, "Removed from the front of the path, if it is there as whole segments."),
        optional("prefix", PATH, "Put before the path."),
        optional("path", PATH, "The whole path."),
        optional("regex", Kind::Text("a regular expression"), "What `to` replaces, once."),
        optional("to", Kind::Text("a replacement"), "`$1` stands for the first group of `regex`."),
    ],
};

static REQUEST: Spec = Spec {
    title: "`request` of [[route]]",
    doc: "Edits of the fields that the backend sees: removed first, then set, then added.",
    keys: EDITS,
};

static RESPONSE: Spec = Spec {
    title: "`response` of [[route]]",
    doc: "Edits of the fields that the client sees: removed first, then set, then added.",
    keys: EDITS,
};

const EDITS: &[Key] = &[
    optional("set", Kind::Map("NAME", &VALUE), "Replaces fields."),
    optional("add", Kind::Map("NAME", &VALUE), "Appends fields."),
    optional("remove", Kind::List(&Kind::Text("a field name")), "Removes fields."),
];

static TIMEOUTS: Spec = Spec {
    title: "`timeouts` of [[route]]",
    doc: "Bounds on waiting, where they differ from the pool's.",
    keys: &[
        key(
            "first_byte",
            Kind::Duration,
            Said("the pool's"),
            "From the end of the request to the head of the response.",
        ),
        key("idle", Kind::Duration, Said("the pool's"), "Without any progress of a body, in either direction."),
        key(
            "upgrade_idle",
            Kind::Duration,
            Value("1h"),
            "Without a byte in either direction on an upgraded connection, such as a WebSocket.",
        ),
        key("total", Kind::Duration, Said("no limit"), "For the whole exchange."),
    ],
};

static MIRROR: Spec = Spec {
    title: "`mirror` of [[route]]",
    doc: "Copies of requests, never slowing the original.",
    keys: &[
        required("pool", Kind::Text("the name of a pool"), "Where copies go."),
        key("share", Kind::Share, Value("100%"), "How many of the requests."),
    ],
};

const CODING: Kind = Kind::Choice(&["zstd", "br", "gzip"], &[]);
const PATTERN: Kind = Kind::Text("\"abc\", \"abc*\", \"~regex\", or \"*\"");
const PATH: Kind = Kind::Text("a path such as \"/api\"");
const VALUE: Kind = Kind::Text("a field value");
