use super::escape;
use super::record::Record;
use super::stamp::Stamp;
use super::template::{Part, Template, TemplateError};
use crate::config::AccessFormat;
use crate::http::{FieldName, Fields};
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// How lines are made, ready to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// One object a line; what is not known is left out.
    Json,
    /// As Apache and nginx write it.
    Combined,
    /// As the operator wrote it; what is not known is `-`.
    Template(Template),
}

impl Format {
    /// Makes it ready.
    ///
    /// # Errors
    /// The template is wrong.
    pub fn compile(format: &AccessFormat) -> Result<Format, TemplateError> {
        Ok(match format {
            AccessFormat::Json => Format::Json,
            AccessFormat::Combined => Format::Combined,
            AccessFormat::Template(text) => Format::Template(Template::compile(text)?),
        })
    }

    /// Appends a line, its end included.
    pub fn line(&self, record: &Record<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
        match self {
            Format::Json => json(record, stamp, out),
            Format::Combined => combined(record, stamp, out),
            Format::Template(template) => from_template(template, record, stamp, out),
        }
        out.push(b'\n');
    }
}

/// Declares what a placeholder can stand for.
macro_rules! items {
    ($($variant:ident $name:literal,)*) => {
        /// A placeholder.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Item { $($variant,)* }

        impl Item {
            /// The one of that name.
            pub(super) fn named(name: &str) -> Option<Item> {
                match name { $($name => Some(Item::$variant),)* _ => None }
            }
        }

        /// The members of a JSON line, with the text before their values.
        const MEMBERS: &[(Item, &str)] = &[$((Item::$variant, concat!("\"", $name, "\":")),)*];
    };
}

items! {
    Time "time", Client "client", Listener "listener", Scheme "scheme", Host "host", Method "method",
    Target "target", Path "path", Query "query", Version "version", Status "status",
    RequestBytes "request_bytes", ResponseBytes "response_bytes", Duration "duration_ms", FirstByte "first_byte_ms",
    Route "route", Pool "pool", Backend "backend", Attempts "attempts", Cache "cache", Limit "limit",
    LimitObserved "limit_observed", RequestId "request_id", TlsVersion "tls_version", TlsCipher "tls_cipher",
    ClientSubject "client_subject", User "user", End "end",
}

/// What an item is in one record.
enum Value<'a> {
    Unknown,
    Text(&'a [u8]),
    Number(u64),
    Millis(Duration),
    Time(SystemTime),
    Address(IpAddr),
}

fn value<'a>(item: Item, record: &Record<'a>) -> Value<'a> {
    let text = |text: Option<&'a str>| text.map_or(Value::Unknown, |text| Value::Text(text.as_bytes()));
    let bytes = |bytes: Option<&'a [u8]>| bytes.map_or(Value::Unknown, Value::Text);
    match item {
        Item::Time => Value::Time(record.time),
        Item::Client => Value::Address(record.client),
        Item::Listener => text(Some(record.listener)),
        Item::Scheme => text(Some(record.scheme.as_str())),
        Item::Host => bytes(Some(record.host)),
        Item::Method => text(Some(record.method)),
        Item::Target => bytes(Some(record.target)),
        Item::Path => bytes(record.target.splitn(2, |&b| b == b'?').next()),
        Item::Query => bytes(record.target.splitn(2, |&b| b == b'?').nth(1)),
        Item::Version => text(Some(record.version.as_str())),
        Item::Status => Value::Number(record.status.into()),
        Item::RequestBytes => Value::Number(record.request_bytes),
        Item::ResponseBytes => Value::Number(record.response_bytes),
        Item::Duration => Value::Millis(record.duration),
        Item::FirstByte => record.first_byte.map_or(Value::Unknown, Value::Millis),
        Item::Route => text(record.route),
        Item::Pool => text(record.pool),
        Item::Backend => text(record.backend),
        Item::Attempts => Value::Number(record.attempts.into()),
        Item::Cache => text(record.cache),
        Item::Limit => text(record.limit),
        Item::LimitObserved => text(record.limit_observed),
        Item::RequestId => bytes(Some(record.request_id)),
        Item::TlsVersion => text(record.tls.map(|tls| tls.version)),
        Item::TlsCipher => text(record.tls.map(|tls| tls.cipher)),
        Item::ClientSubject => bytes(record.tls.and_then(|tls| tls.client_subject)),
        Item::User => bytes(record.user),
        Item::End => text(Some(record.end.label())),
    }
}

fn json(record: &Record<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
    let start = out.len();
    out.push(b'{');
    // The target holds path and query.
    for &(item, name) in MEMBERS.iter().filter(|(item, _)| !matches!(item, Item::Path | Item::Query)) {
        member(name, value(item, record), stamp, start, out);
    }
    let field = |name| record.request.get(name).map_or(Value::Unknown, Value::Text);
    member("\"referer\":", field(FieldName::Referer), stamp, start, out);
    member("\"user_agent\":", field(FieldName::UserAgent), stamp, start, out);
    out.push(b'}');
}

fn member(name: &str, value: Value<'_>, stamp: &mut Stamp, start: usize, out: &mut Vec<u8>) {
    let quoted = match value {
        Value::Unknown => return,
        Value::Number(_) | Value::Millis(_) => false,
        Value::Text(_) | Value::Time(_) | Value::Address(_) => true,
    };
    if out.len() > start + 1 {
        out.push(b',');
    }
    out.extend_from_slice(name.as_bytes());
    if quoted {
        out.push(b'"');
    }
    write(value, escape::json, stamp, out);
    if quoted {
        out.push(b'"');
    }
}

fn combined(record: &Record<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
    address(record.client, out);
    out.extend_from_slice(b" - ");
    name(record.user.unwrap_or(b"-"), out);
    out.extend_from_slice(b" [");
    stamp.clf(record.time, out);
    out.extend_from_slice(b"] \"");
    escape::text(record.method.as_bytes(), out);
    out.push(b' ');
    escape::text(record.target, out);
    out.extend_from_slice(b" HTTP/");
    out.extend_from_slice(record.version.as_str().as_bytes());
    out.extend_from_slice(b"\" ");
    number(record.status.into(), out);
    out.push(b' ');
    number(record.response_bytes, out);
    for name in [FieldName::Referer, FieldName::UserAgent] {
        out.extend_from_slice(b" \"");
        escape::text(record.request.get(name).unwrap_or(b"-"), out);
        out.push(b'"');
    }
}

/// A space would end it.
fn name(name: &[u8], out: &mut Vec<u8>) {
    for (at, word) in name.split(|&b| b == b' ').enumerate() {
        if at > 0 {
            out.extend_from_slice(b"\\x20");
        }
        escape::text(word, out);
    }
}

fn from_template(template: &Template, record: &Record<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
    for part in &template.0 {
        match part {
            Part::Literal(text) => out.extend_from_slice(text),
            Part::Item(item) => write(value(*item, record), escape::text, stamp, out),
            Part::Request(name) => write(field(record.request, name), escape::text, stamp, out),
            Part::Response(name) => write(field(record.response, name), escape::text, stamp, out),
        }
    }
}

/// The first field of that name.
fn field<'a>(fields: &'a Fields, name: &'a [u8]) -> Value<'a> {
    fields.named(name).next().map_or(Value::Unknown, Value::Text)
}

fn write(value: Value<'_>, escape: fn(&[u8], &mut Vec<u8>), stamp: &mut Stamp, out: &mut Vec<u8>) {
    match value {
        Value::Unknown => out.push(b'-'),
        Value::Text(bytes) => escape(bytes, out),
        Value::Number(n) => number(n, out),
        Value::Millis(duration) => millis(duration, out),
        Value::Time(time) => stamp.rfc3339(time, out),
        Value::Address(ip) => address(ip, out),
    }
}

/// With three decimals: `12.345`.
fn millis(duration: Duration, out: &mut Vec<u8>) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    number(micros / 1000, out);
    let digit = |n: u64| b'0' + (n % 10) as u8;
    out.extend_from_slice(&[b'.', digit(micros / 100), digit(micros / 10), digit(micros)]);
}

fn number(mut n: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

fn address(ip: IpAddr, out: &mut Vec<u8>) {
    match ip {
        IpAddr::V4(v4) => {
            for (n, octet) in v4.octets().into_iter().enumerate() {
                if n > 0 {
                    out.push(b'.');
                }
                number(octet.into(), out);
            }
        }
        // Writing to a Vec does not fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
