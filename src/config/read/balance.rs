use super::matching::plain_path;
use super::secret::secret;
use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::table::Table;
use crate::config::{Balance, HashBy, HashPolicy, HashTable, Policy, Sticky};
use crate::http::is_name;

/// `balance` and `sticky`
pub(super) fn read(pool: &Table<'_>) -> Balance {
    Balance {
        policy: policy(&pool.table_or_empty("balance")),
        sticky: pool.table("sticky").and_then(|table| sticky(&table)),
    }
}

fn policy(table: &Table<'_>) -> Policy {
    let policy = match &*table.text_or_default("policy") {
        "random" => Policy::Random,
        "least_connections" => Policy::LeastConnections,
        "peak_ewma" => Policy::PeakEwma,
        "hash" => return hash(table).map_or(Policy::RoundRobin, Policy::Hash),
        _ => Policy::RoundRobin,
    };
    for node in ["by", "table", "bounded_load"].into_iter().filter_map(|name| table.get(name)) {
        node.wrong(Wrong::new(format!("`{}` is for policy = \"hash\" only", node.path)));
    }
    policy
}

fn hash(table: &Table<'_>) -> Option<HashPolicy> {
    let Some(by) = table.get("by") else {
        table.node.wrong(Wrong::new("policy = \"hash\" needs `by`").help("wanted: by = \"client_ip\" or the like"));
        return None;
    };
    Some(HashPolicy {
        by: by.parse(|text| hash_by(text, HASH_BY))?,
        table: match &*table.text_or_default("table") {
            "maglev" => HashTable::Maglev,
            _ => HashTable::Ketama,
        },
        bounded_load: table.get("bounded_load").and_then(|node| node.factor()),
    })
}

/// A part of a request; `help` says which there are.
pub(super) fn hash_by(text: &str, help: &str) -> Result<HashBy, Wrong> {
    let wrong = || Wrong::new("this is no part of a request").help(help);
    let (kind, name) = text.split_once(':').unwrap_or((text, ""));
    match (kind, name) {
        ("client_ip", "") => Ok(HashBy::ClientIp),
        ("path", "") => Ok(HashBy::Path),
        ("path_part", number) => match number.parse() {
            Ok(number) if number > 0 => Ok(HashBy::PathPart(number)),
            _ => Err(Wrong::new("the segments of a path are counted from 1 to 255").help(help)),
        },
        ("path", number) if number.parse::<u8>().is_ok() => {
            Err(wrong().label(format!("did you mean `path_part:{number}`?")))
        }
        ("query", name) if !name.is_empty() => Ok(HashBy::Query(name.to_owned())),
        ("cookie", name) if is_name(name.as_bytes()) => Ok(HashBy::Cookie(name.to_owned())),
        ("field", name) if is_name(name.as_bytes()) => Ok(HashBy::Field(name.to_ascii_lowercase())),
        ("header", name) if is_name(name.as_bytes()) => Err(wrong().label(format!("did you mean `field:{name}`?"))),
        _ => Err(wrong()),
    }
}

fn sticky(table: &Table<'_>) -> Option<Sticky> {
    let cookie = table.get("cookie")?.parse(|text| match is_name(text.as_bytes()) {
        true => Ok(text.to_owned()),
        false => Err(Wrong::new("this is not the name of a cookie").help("wanted: letters, digits, hyphens")),
    });
    Some(Sticky {
        cookie: cookie?,
        secret: table.get("secret").and_then(|node| secret(table, "secret", &node)),
        ttl: table.duration_if_any("ttl"),
    })
}

/// A path with its query, as a probe asks for it.
pub(super) fn probe_path(node: &Node<'_>) -> Option<String> {
    node.parse(|text| {
        let path = text.split('?').next().unwrap_or_default();
        plain_path(path)?;
        match text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains('#') {
            true => Ok(text.to_owned()),
            false => Err(Wrong::new("a path is written in printable ASCII").help("write other bytes as %XX")),
        }
    })
}

const HASH_BY: &str =
    "wanted: \"client_ip\", \"path\", \"path_part:1\", \"cookie:NAME\", \"field:NAME\" or \"query:NAME\"";
