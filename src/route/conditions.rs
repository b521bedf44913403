use crate::config::{Route, ValuePattern};
use crate::http::query::decoded;
use crate::http::{Method, RequestHead};
use ipnet::IpNet;
use std::net::IpAddr;

/// What must hold besides host and path.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    methods: Vec<Method>,
    fields: Vec<(String, ValuePattern)>,
    query: Vec<(String, ValuePattern)>,
    clients: Vec<IpNet>,
}

impl Conditions {
    pub(super) fn of(route: &Route) -> Conditions {
        Conditions {
            methods: route.methods.clone(),
            fields: route.fields.clone(),
            query: route.query.clone(),
            clients: route.clients.clone(),
        }
    }

    pub(super) fn hold(&self, head: &RequestHead, client: IpAddr) -> bool {
        (self.methods.is_empty() || self.methods.contains(&head.method))
            && (self.clients.is_empty() || self.admits(client))
            && self.fields.iter().all(|(name, pattern)| field_matches(head, name, pattern))
            && self.query.iter().all(|(name, pattern)| parameter_matches(head, name, pattern))
    }

    fn admits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical(); // a dual-stack socket shows IPv4 clients as ::ffff:a.b.c.d
        self.clients.iter().any(|network| network.contains(&client))
    }
}

/// Any line of that name will do; Host is where the head keeps it.
fn field_matches(head: &RequestHead, name: &str, pattern: &ValuePattern) -> bool {
    if name == "host" {
        return !head.authority.is_empty() && is_match(pattern, &head.authority);
    }
    head.fields.named(name.as_bytes()).any(|value| is_match(pattern, value))
}

/// Any parameter of that name will do; name and value are compared decoded, as a form is (`+` is a space).
fn parameter_matches(head: &RequestHead, name: &str, pattern: &ValuePattern) -> bool {
    let Some(query) = head.query() else { return false };
    query.split(|&b| b == b'&').any(|pair| {
        let (key, value) = match memchr::memchr(b'=', pair) {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        decoded(key).eq(name.bytes()) && value_matches(pattern, value)
    })
}

fn value_matches(pattern: &ValuePattern, raw: &[u8]) -> bool {
    match pattern {
        ValuePattern::Present => true,
        ValuePattern::Exact(text) => decoded(raw).eq(text.bytes()),
        ValuePattern::Prefix(text) => decoded(raw).take(text.len()).eq(text.bytes()),
        ValuePattern::Regex(regex) if !raw.contains(&b'%') && !raw.contains(&b'+') => regex.is_match(raw),
        ValuePattern::Regex(regex) => regex.is_match(&decoded(raw).collect::<Vec<_>>()),
    }
}

fn is_match(pattern: &ValuePattern, value: &[u8]) -> bool {
    match pattern {
        ValuePattern::Present => true,
        ValuePattern::Exact(text) => value == text.as_bytes(),
        ValuePattern::Prefix(text) => value.starts_with(text.as_bytes()),
        ValuePattern::Regex(regex) => regex.is_match(value),
    }
}
