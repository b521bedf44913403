use crate::judge::{Case, Want, cut, passes};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: s\r\n\r\n";

fn post(body: impl AsRef<[u8]>) -> Vec<u8> {
    [b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", body.as_ref()].concat()
}

pub(crate) fn cases() -> Vec<Case> {
    [sizes(), line_ends(), extensions(), trailers(), legal()].concat()
}

/// RFC 9112 §7.1: one or more hexadecimal digits.
fn sizes() -> Vec<Case> {
    let sizes = [
        "0x5",
        "0X5",
        "+5",
        "-5",
        "-0",
        " 5",
        "\t5",
        "5 ",
        "5\t",
        "5_",
        "0_5",
        "5h",
        "g",
        "x",
        "",
        " ",
        "5.0",
        "5,5",
        "5 5",
        "\u{b}5",
        "5\u{b}",
        "5\u{c}",
        "5\0",
        "\u{0}5",
        "0\0",
        "\u{ff15}",
        "#5",
        "\"5\"",
        "5L",
        "00000000000000005",
        "10000000000000005",
        "ffffffffffffffffff",
        "fffffffffffffffff",
        "5\u{a0}",
        "\r\n5",
    ];
    let mut cases: Vec<Case> =
        sizes.iter().map(|size| cut("chunk size", post(format!("{size}\r\nhello\r\n0\r\n\r\n{SMUGGLED}")))).collect();
    for last in ["-0", "+0", "0x0", "0 ", " 0", "0,", "00000000000000000", "0h"] {
        cases.push(cut("last chunk", post(format!("5\r\nhello\r\n{last}\r\n\r\n{SMUGGLED}"))));
    }
    for size in ["ffffffff", "7fffffffffffffff", "ffffffffffffffff"] {
        let case = cut("a chunk that never comes", post(format!("{size}\r\nhello")));
        cases.push(Case { want: Want::Cut(&[408]), ..case });
    }
    cases
}

/// RFC 9112 §7.1: CRLF after each size and after each chunk's data.
fn line_ends() -> Vec<Case> {
    let bodies = [
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\rhello\r\n0\r\n\r\n",
        "5\n\rhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello \r\n0\r\n\r\n",
        "5\r\nhello\r\n\r\n0\r\n\r\n",
        "5\r\nhello\n\r0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "6\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\n\r\r\n",
        "5\r\nhello\r\n0\r\n\rX\n",
        "5\r\nhello\r\n0\n\n",
        "5\r\nhello\r\n0\r\r",
        "5\r\nhello\r\n0X\r\n\r\n",
        "5\r\nhello\r\n0\0\r\n\r\n",
    ];
    bodies.iter().map(|body| cut("chunk line end", post(format!("{body}{SMUGGLED}")))).collect()
}

/// RFC 9112 §7.1.1: extensions end where the line ends, and every parser must see the same end.
fn extensions() -> Vec<Case> {
    let lines: [&[u8]; 12] = [
        b"5;a\nhello\r\n",
        b"5;a\rhello\r\n",
        b"5;\nhello\r\n",
        b"5;a=b\nx\r\nhello\r\n",
        b"5;a=\"\n\"\r\nhello\r\n",
        b"5;a=\"\r\n\"\r\nhello\r\n",
        b"5;a\0\r\nhello\r\n",
        b"5;a\x0b\r\nhello\r\n",
        b"5;a\x7f\r\nhello\r\n",
        b"5 a\r\nhello\r\n",
        b"5 \n;a\r\nhello\r\n",
        b"5;\r\rhello\r\n",
    ];
    let ended = |line: &[u8]| [line, b"0\r\n\r\n", SMUGGLED.as_bytes()].concat();
    let mut cases: Vec<Case> = lines.iter().map(|line| cut("chunk extension", post(ended(line)))).collect();
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(5_000));
    cases.push(cut("a long chunk extension", post(long)));
    cases.push(cut("many chunk extensions", post(format!("1;{}\r\nx\r\n", "a".repeat(200)).repeat(200))));
    cases
}

/// RFC 9112 §7.1.2: trailers are field lines, under the rules of field lines.
fn trailers() -> Vec<Case> {
    let lines = [
        "X : y",
        " X: y",
        "\tX: y",
        "X",
        ": y",
        "X: y\n",
        "X: y\r",
        "X: y\0",
        "X: y\r\n z",
        "X\0: y",
        "X y: z",
        "X: \u{b}",
        "GET /smuggled HTTP/1.1",
        "X\u{e9}: y",
    ];
    let mut cases: Vec<Case> =
        lines.iter().map(|line| cut("trailer", post(format!("5\r\nhello\r\n0\r\n{line}\r\n\r\n{SMUGGLED}")))).collect();
    cases.push(cut("many trailers", post(format!("0\r\n{}\r\n", "X: y\r\n".repeat(200)))));
    cases.push(cut("a long trailer", post(format!("0\r\nX: {}\r\n\r\n", "y".repeat(20_000)))));
    for field in
        ["Content-Length: 3", "Transfer-Encoding: chunked", "Host: evil", "Authorization: x", "Connection: close"]
    {
        let raw = post(format!("5\r\nhello\r\n0\r\n{field}\r\n\r\n"));
        cases.push(passes("a trailer that means nothing there", raw, &["POST /x a hello"]));
    }
    cases
}

fn legal() -> Vec<Case> {
    let bodies = [
        "5\r\nhello\r\n0\r\n\r\n",
        "05\r\nhello\r\n0\r\n\r\n",
        "0000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n000\r\n\r\n",
        "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n",
        "5;a\r\nhello\r\n0\r\n\r\n",
        "5;a=b;c=\"d;e\"\r\nhello\r\n0;z\r\n\r\n",
        "5 ;a=b\r\nhello\r\n0\r\n\r\n",
        "5\t; a = b\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-Sum:1\r\nX-Sum: \t 2 \r\n\r\n",
    ];
    let mut cases: Vec<Case> =
        bodies.iter().map(|body| passes("legal chunks", post(body), &["POST /x a hello"])).collect();
    cases.push(passes("no content in chunks", post("0\r\n\r\n"), &["POST /x a"]));
    cases.push(passes(
        "hexadecimal either way",
        post("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
        &["POST /x a 01234567890123456789"],
    ));
    cases.push(passes("a chunk that looks like the end", post("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), &["POST /x a 0"]));
    cases
}
