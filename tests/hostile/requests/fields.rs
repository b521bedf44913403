use crate::judge::{Case, answered, passes, refused, refused_as};

pub(crate) fn cases() -> Vec<Case> {
    [names(), values(), folds(), sizes(), legal()].concat()
}

fn get(lines: impl AsRef<[u8]>) -> Vec<u8> {
    [b"GET /x HTTP/1.1\r\nHost: a\r\n", lines.as_ref(), b"\r\n\r\n"].concat()
}

/// RFC 9110 §5.1, RFC 9112 §5.1: a token, and the colon right behind it.
fn names() -> Vec<Case> {
    let lines: [&[u8]; 34] = [
        b"X : y",
        b"X\t: y",
        b"X \t : y",
        b": y",
        b":",
        b"X",
        b"X y: z",
        b"X\0: y",
        b"\0X: y",
        b"X\x0b: y",
        b"X\x0c: y",
        b"X\x7f: y",
        b"X\x80: y",
        b"\xffX: y",
        b"X\xc3\xa9: y",
        b"X(: y",
        b"X): y",
        b"X,: y",
        b"X/: y",
        b"X;: y",
        b"X<: y",
        b"X=: y",
        b"X>: y",
        b"X?: y",
        b"X@: y",
        b"X[: y",
        b"X\\: y",
        b"X]: y",
        b"X{: y",
        b"X}: y",
        b"\"X\": y",
        b"X\r: y",
        b"X\n: y",
        b"GET /smuggled HTTP/1.1",
    ];
    lines.iter().map(|line| refused("field name", get(line))).collect()
}

/// RFC 9110 §5.5: no CR, LF or NUL; we refuse the other controls as well.
fn values() -> Vec<Case> {
    (0..=0x1fu8)
        .chain([0x7f])
        .filter(|byte| *byte != b'\t')
        .flat_map(|byte| [get([b"X: y", &[byte][..], b"z"].concat()), get([b"X: ", &[byte][..], b"y"].concat())])
        .map(|raw| refused("field value", raw))
        .collect()
}

/// RFC 9112 §5.2
fn folds() -> Vec<Case> {
    ["X: y\r\n z", "X: y\r\n\tz", "X:\r\n y", "X: y\r\n ", "X: y\r\n \r\nZ: w", "X: y\r\n\r\n\t", "X: y\r\n Host: b"]
        .iter()
        .filter(|lines| !lines.contains("\r\n\r\n"))
        .map(|lines| refused("obs-fold", get(lines)))
        .chain([
            refused("a folded first line", "GET /x HTTP/1.1\r\n Host: a\r\n\r\n"),
            refused("a folded first line", "GET /x HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n"),
            refused("a folded first line", "GET /x HTTP/1.1\r\n \r\nHost: a\r\n\r\n"),
        ])
        .collect()
}

/// The limits of the listener: 8 KiB and 50 fields.
fn sizes() -> Vec<Case> {
    let fields = |n: usize| vec!["X: y"; n].join("\r\n");
    vec![
        refused_as(&[431], "51 fields", get(fields(50))),
        passes("50 fields", get(fields(49)), &["GET /x a"]),
        refused_as(&[431], "a head of more than 8 KiB", get(format!("X: {}", "y".repeat(8192)))),
        passes("a head just below 8 KiB", get(format!("X: {}", "y".repeat(8100))), &["GET /x a"]),
        refused_as(&[431], "an endless field name", format!("GET /x HTTP/1.1\r\nHost: a\r\n{}", "x".repeat(100_000))),
        refused_as(&[431], "an endless value", format!("GET /x HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(100_000))),
        refused_as(&[431, 414], "an endless target", format!("GET /{}", "x".repeat(100_000))),
        refused_as(&[431, 400], "an endless method", "X".repeat(100_000)),
        refused_as(&[431], "endless fields", format!("GET /x HTTP/1.1\r\nHost: a\r\n{}", "X: y\r\n".repeat(20_000))),
        answered(400, "more options in Connection than anybody has", get(format!("Connection: {}", "a,".repeat(70)))),
    ]
}

fn legal() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        "X:y",
        "X:",
        "X: ",
        "X: \t y \t ",
        "X: y\tz",
        "x-!#$%&'*+-.^_`|~9: y",
        "X: y: z",
        "X: \"y\\\"z\"",
        "X: y\r\nX: z",
        "X: ,,,",
        "X: a;b=c",
        "Cookie: a=b; c=d\r\nCookie: e=f",
        "Range: bytes=0-",
        "1: 2",
    ]
    .iter()
    .map(|lines| passes("legal field", get(lines), &["GET /x a"]))
    .collect();
    cases.push(passes("UTF-8 in a value", get("X: \u{e9}\u{4e2d}"), &["GET /x a"]));
    cases
}
