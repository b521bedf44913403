use crate::judge::{Case, cut, last, passes, refused, refused_as};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: s\r\n\r\n";

pub(crate) fn cases() -> Vec<Case> {
    [transfer_encoding(), transfer_encoding_legal(), content_length(), both(), old_versions(), without()].concat()
}

fn post(line: &str, rest: &str) -> String {
    format!("POST /x HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n{rest}")
}

/// RFC 9112 §6.1: chunked, once, last, and nothing that only looks like it.
fn transfer_encoding() -> Vec<Case> {
    let lines = [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: x chunked",
        "Transfer-Encoding: chunked x",
        "Transfer-Encoding: chunk",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked,chunked",
        "Transfer-Encoding: chunked, gzip, chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: none",
        "Transfer-Encoding:",
        "Transfer-Encoding: ",
        "Transfer-Encoding: ,",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: chunked, ,",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: chunked\u{b}",
        "Transfer-Encoding: \u{c}chunked",
        "Transfer-Encoding: chunked\u{c}",
        "Transfer-Encoding: chunked\0",
        "Transfer-Encoding: \0chunked",
        "Transfer-Encoding: chun\0ked",
        "Transfer-Encoding: chunked\u{7f}",
        "Transfer-Encoding: chunked\u{8}",
        "Transfer-Encoding: \u{a0}chunked",
        "Transfer-Encoding: chunked\u{a0}",
        "Transfer-Encoding: \u{feff}chunked",
        "Transfer-Encoding: \u{212a}",
        "Transfer-Encoding: chun\u{212a}ed",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: 'chunked'",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: chunked; a=b",
        "Transfer-Encoding: (chunked)",
        "Transfer-Encoding: =chunked",
        "Transfer-Encoding: chunked:",
        "Transfer-Encoding:: chunked",
        "Transfer-Encoding: : chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding\u{b}: chunked",
        "Transfer-Encoding\0: chunked",
        "Transfer-Encoding\r: chunked",
        "Transfer-Encoding\r\n: chunked",
        "Transfer-Encoding\n: chunked",
        "Transfer-Encoding\u{a0}: chunked",
        "Transfer Encoding: chunked",
        "\u{b}Transfer-Encoding: chunked",
        "\0Transfer-Encoding: chunked",
        ":Transfer-Encoding: chunked",
        " Transfer-Encoding: chunked",
        "\tTransfer-Encoding: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\r\n\tTransfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "X: y\r\rTransfer-Encoding: chunked",
        "X: y\n\rTransfer-Encoding: chunked",
        "X: y\r\r\nTransfer-Encoding: chunked",
        "X: y\0\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding:\r\n\tchunked",
        "Transfer-Encoding:\n chunked",
        "Transfer-Encoding: chunked\r\n , identity",
        "Transfer-Encoding: chunked\rX: y",
        "Transfer-Encoding: chunked\nX: y",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\ntransfer-encoding:",
        "Transfer-Encoding:\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nX: y\r\nTRANSFER-ENCODING: chunked",
    ];
    let mut cases: Vec<Case> = lines
        .iter()
        .map(|line| refused_as(&[400, 501], "transfer-encoding", post(line, &format!("0\r\n\r\n{SMUGGLED}"))))
        .collect();
    for coding in ["gzip, chunked", "identity, chunked", "deflate,gzip , chunked", "x-y, chunked"] {
        let raw = post(&format!("Transfer-Encoding: {coding}"), &format!("0\r\n\r\n{SMUGGLED}"));
        cases.push(refused_as(&[501, 400], "a coding that nobody knows", raw));
    }
    cases
}

fn transfer_encoding_legal() -> Vec<Case> {
    let lines = [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding:chunked",
        "transfer-encoding: Chunked",
        "TRANSFER-ENCODING: CHUNKED",
        "Transfer-Encoding:   chunked   ",
        "Transfer-Encoding:\tchunked\t",
        "Transfer_Encoding: identity\r\nTransfer-Encoding: chunked",
        "X-Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Connection: transfer-encoding\r\nTransfer-Encoding: chunked",
        "TE: chunked, trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked",
    ];
    lines
        .iter()
        .map(|line| passes("legal transfer-encoding", post(line, "5\r\nhello\r\n0\r\n\r\n"), &["POST /x a hello"]))
        .collect()
}

/// RFC 9112 §6.3, RFC 9110 §8.6: digits, once.
fn content_length() -> Vec<Case> {
    let values = [
        "5, 5",
        "5,5",
        "5,",
        ",5",
        "+5",
        "-5",
        "-0",
        "+0",
        "5 5",
        "5 0",
        "0x5",
        "0X5",
        "5.0",
        "5e0",
        "5;",
        "\"5\"",
        "five",
        "5L",
        "1_0",
        "#5",
        "\u{665}",
        "5\u{b}",
        "5\u{c}",
        "\u{b}5",
        "5\0",
        "\u{0}5",
        "5\u{a0}",
        "5\u{7f}",
        "5\r",
        "5\n",
        "5\r0",
        "5\n0",
        "\r\n 5",
        "5\r\n 0",
        "5\r\n\t",
        "99999999999999999999999",
        "18446744073709551621",
        "18446744073709551616",
        "9223372036854775808000",
        "",
        " ",
        "null",
        "NaN",
        "5h",
        "0b101",
        "5%00",
        "(5)",
        "5/5",
    ];
    let mut cases: Vec<Case> = values
        .iter()
        .map(|value| refused("content-length", post(&format!("Content-Length: {value}"), &format!("hello{SMUGGLED}"))))
        .collect();
    let lines = [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 0",
        "Content-Length: 0\r\nContent-Length: 5",
        "Content-Length: 5\r\nX: y\r\nCONTENT-LENGTH: 44",
        "Content-Length: 5\r\ncontent-length:",
        "Content-Length : 5",
        "Content-Length\t: 5",
        "Content-Length\0: 5",
        "Content-Length\u{b}: 5",
        "Content-Length\r\n: 5",
        " Content-Length: 5",
        "X: y\r\n Content-Length: 5",
        "X: y\nContent-Length: 5",
        "X: y\rContent-Length: 5",
        "Content-Length: 5\nX: y",
        "Content Length: 5",
    ];
    cases.extend(lines.iter().map(|line| refused("content-length", post(line, &format!("hello{SMUGGLED}")))));
    for value in ["5", " 5 ", "\t5\t", "05", "0000000000000000005"] {
        let raw = post(&format!("Content-Length:{value}"), "hello");
        cases.push(passes("legal content-length", raw, &["POST /x a hello"]));
    }
    for line in ["Content_Length: 3\r\nContent-Length: 5", "X-Content-Length: 3\r\nContent-Length: 5"] {
        cases.push(passes("another field's name", post(line, "hello"), &["POST /x a hello"]));
    }
    let named = post("Connection: content-length\r\nContent-Length: 5", "hello");
    cases.push(passes("connection cannot take the length away", named, &["POST /x a hello"]));
    cases
}

/// RFC 9112 §6.1: never both.
fn both() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in ["0", "4", "5", "6", "44", "x", ""] {
        for coding in ["chunked", "CHUNKED", "identity", "xchunked", "gzip, chunked", ""] {
            let (length, coding) = (format!("Content-Length: {length}"), format!("Transfer-Encoding: {coding}"));
            let rest = format!("0\r\n\r\n{SMUGGLED}");
            cases.push(refused("CL.TE", post(&format!("{length}\r\n{coding}"), &rest)));
            cases.push(refused("TE.CL", post(&format!("{coding}\r\n{length}"), &rest)));
        }
    }
    cases
}

/// RFC 9112 §6.1: a 1.0 message has no transfer coding.
fn old_versions() -> Vec<Case> {
    let old = |line: &str, rest: &str| format!("POST /x HTTP/1.0\r\nHost: a\r\n{line}\r\n\r\n{rest}");
    vec![
        refused("TE in 1.0", old("Transfer-Encoding: chunked", &format!("0\r\n\r\n{SMUGGLED}"))),
        refused(
            "TE in 1.0, kept alive",
            old("Connection: keep-alive\r\nTransfer-Encoding: chunked", &format!("0\r\n\r\n{SMUGGLED}")),
        ),
        refused("CL and TE in 1.0", old("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        refused("two CL in 1.0", old("Content-Length: 5\r\nContent-Length: 5", "hello")),
        last("CL in 1.0", old("Content-Length: 5", "hello"), &["POST /x a hello"]),
        passes(
            "CL in 1.0, kept alive",
            old("Connection: keep-alive\r\nContent-Length: 5", "hello"),
            &["POST /x a hello"],
        ),
        last("no length in 1.0: no content", old("X: y", ""), &["POST /x a"]),
    ]
}

/// RFC 9112 §6.3: with neither there is no content, whatever follows.
fn without() -> Vec<Case> {
    vec![
        passes("POST without length", "POST /x HTTP/1.1\r\nHost: a\r\n\r\n", &["POST /x a"]),
        refused_after(
            "content without a length is the next request",
            "POST /x HTTP/1.1\r\nHost: a\r\n\r\nhello\r\n\r\n",
        ),
        passes("GET with content", "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", &["GET /x a hello"]),
        passes(
            "GET with chunks",
            "GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            &["GET /x a hello"],
        ),
        passes(
            "DELETE with content that is a request",
            format!("DELETE /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{SMUGGLED}", SMUGGLED.len()),
            &[&format!("DELETE /x a {}", SMUGGLED.trim_end())],
        ),
        passes(
            "HEAD with content that is a request",
            format!("HEAD /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{SMUGGLED}", SMUGGLED.len()),
            &[&format!("HEAD /x a {}", SMUGGLED.trim_end())],
        ),
        passes("GET with length 0", "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &["GET /x a"]),
        Case {
            want: crate::judge::Want::Cut(&[408]),
            ..cut("a length that never comes", post("Content-Length: 9999999999999999999", "hello"))
        },
    ]
}

/// The first request passes, what follows is none.
fn refused_after(rule: &str, raw: &str) -> Case {
    Case {
        rule: rule.to_owned(),
        raw: raw.as_bytes().to_vec(),
        want: crate::judge::Want::ThenRefused(vec!["POST /x a".to_owned()]),
    }
}
