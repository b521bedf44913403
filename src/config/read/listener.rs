use super::matching::network;
use super::server::socket;
use crate::config::file::node::Node;
use crate::config::file::report::{At, Report, Wrong};
use crate::config::file::table::Table;
use crate::config::{
    Certificate, ClientAuth, H2Limits, HeadLimits, Listener, ListenerTimeouts, ListenerTls, Protocols, TlsVersion,
};
use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;

pub(super) fn all(report: &Report<'_>, tables: &[Table<'_>]) -> Vec<Listener> {
    if tables.is_empty() {
        let wrong =
            Wrong::new("there is no [[listener]]").help("wanted: [[listener]] with address = \"127.0.0.1:8080\"");
        report.wrong(&At { source: 0, span: 0..0 }, "listener", wrong);
    }
    let mut seen = HashMap::new();
    for node in tables.iter().filter_map(|table| table.get("address")) {
        let Some(address) = node.text().and_then(|text| socket(&text).ok()) else { continue };
        // Port 0 is another free port each time.
        if let Some(other) = seen.insert(address, node.at.clone()).filter(|_| address.port() != 0) {
            let wrong = Wrong::new(format!("two listeners have the address {address}"));
            node.wrong(wrong.help(format!("the other is at {}", report.shown(&other))));
        }
    }
    tables.iter().filter_map(listener).collect()
}

fn listener(table: &Table<'_>) -> Option<Listener> {
    let tls = table.table("tls").map(|tls| tls_of(&tls));
    let timeouts = table.table_or_empty("timeouts");
    let limits = table.table_or_empty("limits");
    let proxy = table.table("proxy_protocol").map(|proxy| proxy.parse_all("from", network));
    Some(Listener {
        place: table.node.place(),
        protocols: protocols(table),
        timeouts: ListenerTimeouts {
            handshake: timeouts.duration("handshake"),
            head: timeouts.duration("head"),
            idle: timeouts.duration("idle"),
            body: timeouts.duration("body"),
        },
        max_connections: table.integer("max_connections"),
        head: HeadLimits { size: limits.size("head") as usize, fields: limits.integer("fields") },
        h2: h2(&table.table_or_empty("h2")),
        tls,
        proxy_protocol: proxy,
        trust_forwarded: table.parse_all("trust_forwarded", network),
        // Last: the others are checked even if there is none.
        address: table.get("address")?.parse(socket)?,
    })
}

fn protocols(table: &Table<'_>) -> Protocols {
    let Some(node) = table.get("protocols") else { return Protocols { http1: true, h2: table.has("tls") } };
    let mut protocols = Protocols { http1: false, h2: false };
    for element in node.elements() {
        let slot = match element.text().as_deref() {
            Some("http/1.1") => &mut protocols.http1,
            Some("h2") => &mut protocols.h2,
            _ => continue,
        };
        if std::mem::replace(slot, true) {
            element.wrong(Wrong::new("this protocol is listed twice"));
        }
    }
    protocols
}

fn h2(table: &Table<'_>) -> H2Limits {
    // The bounds of these keys are below 2^31.
    let size = |name| u32::try_from(table.size(name)).unwrap_or(u32::MAX >> 1);
    H2Limits {
        streams: table.integer("streams"),
        stream_window: size("stream_window"),
        connection_window: size("connection_window"),
        resets_per_second: table.integer("resets_per_second"),
    }
}

fn tls_of(table: &Table<'_>) -> ListenerTls {
    let client = |client: Table<'_>| {
        Some(ClientAuth { ca: readable(&client.get("ca")?)?, required: client.boolean("required") })
    };
    ListenerTls {
        certificates: table.tables("certificates").iter().filter_map(certificate).collect(),
        min_version: match &*table.text_or_default("min_version") {
            "1.3" => TlsVersion::Tls13,
            _ => TlsVersion::Tls12,
        },
        client: table.table("client").and_then(client),
    }
}

/// `{ cert = "…", key = "…" }`
pub(super) fn certificate(table: &Table<'_>) -> Option<Certificate> {
    let key = table.get("key").and_then(|key| readable(&key));
    Some(Certificate { cert: readable(&table.get("cert")?)?, key })
}

/// A file that exists and may be read; what is in it is for those who use it.
pub(super) fn readable(node: &Node<'_>) -> Option<PathBuf> {
    let path = node.file_path()?;
    let why = match File::open(&path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_dir() => "it is a directory".to_owned(),
        Ok(_) => return Some(path),
        Err(e) => crate::config::file::source::explain(&e),
    };
    node.wrong(Wrong::new(format!("cannot read {}: {why}", path.display())));
    None
}
