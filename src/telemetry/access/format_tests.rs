use super::*;
use crate::telemetry::access::record::{End, Tls};

fn line(format: &AccessFormat, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    Format::compile(format).unwrap().line(record, &mut Stamp::default(), &mut out);
    String::from_utf8(out).unwrap()
}

fn template(text: &str, record: &Record<'_>) -> String {
    line(&AccessFormat::Template(text.into()), record)
}

#[test]
fn json_says_what_is_known() {
    assert_eq!(
        line(&AccessFormat::Json, &Record::example()),
        concat!(
            r#"{"time":"2023-11-14T22:13:20.042Z","client":"192.0.2.7","listener":"127.0.0.1:8080","scheme":"http","#,
            r#""host":"shop.example","method":"GET","target":"/a?b=1","version":"1.1","status":200,"#,
            r#""request_bytes":0,"response_bytes":12,"duration_ms":1.234,"first_byte_ms":1.001,"route":"shop","#,
            r#""pool":"app","backend":"127.0.0.1:9000","attempts":1,"request_id":"r1","end":"complete"}"#,
            "\n"
        )
    );
}

#[test]
fn combined_is_as_nginx_writes_it() {
    let mut fields = Fields::default();
    fields.push(b"User-Agent", b"curl \"8\"\x1b[2J");
    let record = Record { request: &fields, client: "2001:db8::1".parse().unwrap(), ..Record::example() };
    assert_eq!(
        line(&AccessFormat::Combined, &record),
        "2001:db8::1 - - [14/Nov/2023:22:13:20 +0000] \"GET /a?b=1 HTTP/1.1\" 200 12 \"-\" \"curl \\x228\\x22\\x1B[2J\"\n"
    );
}

#[test]
fn a_template_is_filled() {
    let mut fields = Fields::default();
    fields.push(b"X-Thing", b"a b");
    let tls = Tls { version: "1.3", cipher: "TLS_AES_128_GCM_SHA256", client_subject: None };
    let record = Record { response: &fields, tls: Some(tls), end: End::TimedOut, ..Record::example() };
    assert_eq!(
        template(
            "{{{status}}} {path}|{query} {tls_version} [{response.x-thing}] {request.x-thing} {client_subject} {end}",
            &record
        ),
        "{200} /a|b=1 1.3 [a b] - - timed_out\n"
    );
}

#[test]
fn every_documented_placeholder_exists_and_no_other() {
    for name in AccessFormat::PLACEHOLDERS {
        assert!(Item::named(name).is_some(), "{name}");
    }
    assert_eq!(MEMBERS.len(), AccessFormat::PLACEHOLDERS.len());
}

#[test]
fn no_exchange_can_write_a_second_line_or_break_the_first() {
    let evil = b"/\r\n{\"status\":500}\n\"\\\x00\xff\xc2\x85\x1b";
    let mut fields = Fields::default();
    fields.push(b"user-agent", evil);
    let record = Record {
        target: evil,
        host: evil,
        request_id: evil,
        method: "GE\nT",
        route: Some("a\nb\""),
        request: &fields,
        ..Record::example()
    };
    let all = AccessFormat::PLACEHOLDERS.iter().map(|name| format!("{{{name}}} ")).collect::<String>();
    for format in [AccessFormat::Json, AccessFormat::Combined, AccessFormat::Template(all + "{request.user-agent}")] {
        let line = line(&format, &record);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(!line.trim_end_matches('\n').chars().any(char::is_control), "{line}");
        if format == AccessFormat::Json {
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["status"], 200);
        }
    }
}

#[test]
fn numbers_are_written_whole() {
    let record = Record { response_bytes: u64::MAX, duration: Duration::MAX, ..Record::example() };
    assert_eq!(template("{response_bytes} {duration_ms}", &record), "18446744073709551615 18446744073709551.615\n");
    let record = Record { duration: Duration::from_micros(7), ..record };
    assert_eq!(template("{request_bytes} {duration_ms}", &record), "0 0.007\n");
}
