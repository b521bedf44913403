use super::listener::{certificate, readable};
use super::register::register;
use super::server::{socket, unix};
use super::{balance, resilience};
use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::table::Table;
use crate::config::{
    Backend, BackendAddress, Concurrency, Connections, Pool, PoolProtocol, PoolTimeouts, PoolTls, ProxyProtocolOut,
    Resolve,
};
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// `tokens`: the names of those that there are; `None`: there is no admin listener.
pub(super) fn read(name: &str, table: &Table<'_>, tokens: Option<&[String]>) -> Option<Pool> {
    let timeouts = table.table_or_empty("timeouts");
    let backends = backends(table);
    let protocol = match &*table.text_or_default("protocol") {
        "h2" => PoolProtocol::H2,
        "auto" => PoolProtocol::Auto,
        _ => PoolProtocol::Http1,
    };
    let pool = Pool {
        place: table.node.place(),
        name: name.to_owned(),
        protocol,
        timeouts: PoolTimeouts {
            connect: timeouts.duration("connect"),
            first_byte: timeouts.duration("first_byte"),
            idle: timeouts.duration("idle"),
        },
        connections: connections(&table.table_or_empty("connections")),
        concurrency: concurrency(table),
        objective: table.table("objective").and_then(|table| table.duration_if_any("p99")),
        tls: table.table("tls").map(|tls| tls_of(&tls)),
        proxy_protocol: table.text("proxy_protocol").map(|version| match &*version {
            "v1" => ProxyProtocolOut::V1,
            _ => ProxyProtocolOut::V2,
        }),
        balance: balance::read(table),
        health: resilience::health(table, protocol),
        outlier: resilience::outlier(table),
        slow_start: table.duration("slow_start"),
        panic: table.share_if_any("panic"),
        retry: resilience::retry(table),
        breaker: resilience::breaker(table),
        resolve: resolve(&table.table_or_empty("resolve")),
        register: register(table, tokens),
        backends,
    };
    check(table, &pool);
    (!pool.backends.is_empty() || pool.register.is_some()).then_some(pool)
}

fn connections(table: &Table<'_>) -> Connections {
    Connections {
        max: table.integer_if_any("max"),
        queue: table.integer("queue"),
        queue_timeout: table.duration("queue_timeout"),
        idle: table.duration("idle"),
    }
}

fn concurrency(table: &Table<'_>) -> Option<Concurrency> {
    if !table.has("concurrency") {
        return None;
    }
    let own = table.table_or_empty("concurrency");
    Some(Concurrency { min: own.integer("min"), tolerance: own.factor("tolerance") })
}

fn resolve(table: &Table<'_>) -> Resolve {
    let every = table.duration_if_any("every");
    if let Some(node) = table.get("every").filter(|_| every.is_some_and(|every| every < RESOLVE_EVERY_MIN)) {
        node.wrong(Wrong::new("a name is asked for once a second at most").help("wanted: \"1s\" or more"));
    }
    Resolve { every, servers: table.parse_all("servers", socket) }
}

/// Name servers are not to be flooded.
const RESOLVE_EVERY_MIN: Duration = Duration::from_secs(1);

/// What no key says alone.
fn check(table: &Table<'_>, pool: &Pool) {
    if !table.has("backends") && !table.has("register") && table.all_known() {
        let wrong = Wrong::new("missing `backends` in [pool.NAME]");
        table
            .node
            .wrong(wrong.help("wanted: backends = [\"127.0.0.1:9000\"], or register = {} for those that register"));
    }
    if let (Some(node), PoolProtocol::Auto, None) = (table.get("protocol"), pool.protocol, &pool.tls) {
        node.wrong(Wrong::new("\"auto\" asks by ALPN, which needs TLS").help("add: tls = {}"));
    }
    if let (Some(node), Some(_), PoolProtocol::H2 | PoolProtocol::Auto) =
        (table.get("proxy_protocol"), pool.proxy_protocol, pool.protocol)
    {
        let wrong = Wrong::new("a PROXY header ties a connection to one client, which HTTP/2 to backends shares");
        node.wrong(wrong.help("wanted: protocol = \"http/1.1\" beside `proxy_protocol`"));
    }
    if let (Some(Concurrency { min, .. }), Some(max)) = (pool.concurrency, pool.connections.max)
        && min > max
        && let Some(node) = table.get("concurrency")
    {
        let wrong = Wrong::new(format!("a backend cannot get {min} exchanges at least and {max} at most"));
        node.wrong(wrong.help("wanted: `min` of `concurrency` up to `max` of `connections`"));
    }
    if let (Some(node), Some(_), None, None) =
        (table.get("objective"), pool.objective, pool.concurrency, pool.connections.max)
    {
        let wrong = Wrong::new("nobody knows how much a backend bears, so nobody can say how many it takes");
        node.wrong(wrong.help("add: concurrency = \"adaptive\", or connections = { max = … }"));
    }
    let nameless = |backend: &Backend| matches!(backend.address, BackendAddress::Unix(_));
    if let (Some(node), Some(PoolTls { server_name: None, .. })) = (table.get("tls"), &pool.tls)
        && pool.backends.iter().any(nameless)
    {
        node.wrong(Wrong::new("TLS over a Unix-domain socket has no name to verify").help("add: server_name = \"…\""));
    }
    for node in table.get("resolve").iter().filter(|_| !pool.backends.is_empty() && !pool.has_names()) {
        node.wrong(Wrong::new(format!("no backend of pool `{}` is a name", pool.name)));
    }
    if !pool.backends.is_empty() && pool.backends.iter().all(|backend| backend.weight == 0) {
        let wrong = Wrong::new(format!("all backends of pool `{}` have weight 0", pool.name));
        table.get("backends").iter().for_each(|node| node.wrong(wrong.clone()));
    }
}

fn backends(table: &Table<'_>) -> Vec<Backend> {
    let mut seen = HashMap::new();
    let mut backends = Vec::new();
    for element in table.elements("backends") {
        let (node, weight) = match element.value.is_table() {
            false => (element, 1),
            true => {
                let backend = Table::new(element, &crate::config::file::keys::BACKEND);
                let Some(node) = backend.get("address") else { continue };
                (node, backend.integer("weight"))
            }
        };
        let Some(address) = address_of(&node) else { continue };
        if let Some(other) = seen.insert(address.clone(), node.at.clone()) {
            let wrong = Wrong::new(format!("{address} is listed twice"));
            node.wrong(
                wrong.help(format!("the other is at {}; `weight` gives it a larger share", node.report.shown(&other))),
            );
        }
        backends.push(Backend { address, weight });
    }
    backends
}

fn address_of(node: &Node<'_>) -> Option<BackendAddress> {
    let dir = &node.report.sources[node.at.source].dir;
    node.parse(|text| address(dir, text))
}

fn address(dir: &Path, text: &str) -> Result<BackendAddress, Wrong> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix(dir, path).map(BackendAddress::Unix);
    }
    if let Ok(address) = text.parse() {
        return Ok(BackendAddress::Ip(address));
    }
    if let Some(name) = text.strip_prefix("srv:") {
        return match is_host_name(name) {
            true => Ok(BackendAddress::Srv(name.to_ascii_lowercase())),
            false => Err(Wrong::new("this is not a name").help("wanted: \"srv:_http._tcp.shop.example\"")),
        };
    }
    let wanted = "wanted: \"127.0.0.1:9000\", \"[::1]:9000\", \"name:port\", \"srv:NAME\" or \"unix:/path\"";
    if let Some((scheme, rest)) = text.split_once("://") {
        let wrong = Wrong::new("a backend is an address, not a URL").help(wanted);
        let rest = rest.split('/').next().unwrap_or_default();
        let port = match (scheme, rest.contains(':')) {
            (_, true) => "",
            ("https", _) => ":443",
            _ => ":80",
        };
        let tls = if scheme == "https" { " with `tls = {}` in the pool" } else { "" };
        return Err(wrong.label(format!("did you mean `{rest}{port}`{tls}?")));
    }
    match text.rsplit_once(':') {
        Some((name, port)) if is_host_name(name) => match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(BackendAddress::Name(name.to_ascii_lowercase(), port)),
            _ => Err(Wrong::new("the port is not a number from 1 to 65535").help(wanted)),
        },
        None if is_host_name(text) => {
            Err(Wrong::new("the port is missing").label(format!("did you mean `{text}:80`?")).help(wanted))
        }
        _ => Err(Wrong::new("this is not the address of a backend").help(wanted)),
    }
}

fn tls_of(table: &Table<'_>) -> PoolTls {
    PoolTls {
        server_name: table.get("server_name").and_then(|node| {
            node.parse(|text| match is_host_name(text) || text.parse::<IpAddr>().is_ok() {
                true => Ok(text.to_ascii_lowercase()),
                false => Err(Wrong::new("this is not a host name")),
            })
        }),
        ca: table.get("ca").and_then(|node| readable(&node)),
        certificate: table.table("certificate").and_then(|table| certificate(&table)),
    }
}

/// Letters, digits, hyphens and underscores in labels (RFC 1123 §2.1, and what is met in container networks).
pub(super) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_are_addresses_names_or_sockets() {
        let read = |text| address(Path::new("/etc"), text).map(|address| address.to_string());
        for good in
            ["127.0.0.1:9000", "[::1]:9000", "a-b.example:80", "my_app:8080", "unix:/run/app.sock", "srv:_http._tcp.a"]
        {
            assert_eq!(read(good).as_deref(), Ok(good));
        }
        assert_eq!(read("unix:app.sock").as_deref(), Ok("unix:/etc/app.sock"));
        for bad in [
            "", ":80", "a", "a:", "a:0", "a:99999", "http://a", "a b:80", "-a:80", "::1:80", "unix:", "é:80", "srv:",
            "srv:a b",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
