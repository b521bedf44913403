use super::balance::hash_by;
use super::matching::network;
use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::table::Table;
use crate::config::file::units;
use crate::config::{Bound, KeyPart, Limit, Prefix};
use std::time::Duration;

pub(super) fn read(name: &str, table: &Table<'_>) -> Option<Limit> {
    check_name(name, table);
    let prefix = table.table_or_empty("prefix");
    let limit = Limit {
        name: name.to_owned(),
        key: table.parse_all("key", part),
        prefix: Prefix { v4: prefix.integer("v4"), v6: prefix.integer("v6") },
        except: table.parse_all("except", network),
        observe: table.boolean("observe"),
        fields: table.boolean("fields"),
        memory: table.size("memory"),
        // Last: the others are checked even if there is none.
        bound: bound(table)?,
    };
    Some(limit)
}

/// Responses show it, in a string (RFC 9651 §3.3.3).
fn check_name(name: &str, table: &Table<'_>) {
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        let wrong = Wrong::new("the name of a limit is shown to clients");
        table.node.wrong(wrong.help("wanted: letters, digits, `-`, `_` and `.`"));
    }
}

fn part(text: &str) -> Result<KeyPart, Wrong> {
    match text {
        "host" => Ok(KeyPart::Host),
        "route" => Ok(KeyPart::Route),
        _ => hash_by(text, KEY).map(KeyPart::Of),
    }
}

/// The one of `rate`, `concurrency` and `bandwidth` that is there.
fn bound(table: &Table<'_>) -> Option<Bound> {
    let given: Vec<_> = ["rate", "concurrency", "bandwidth"].into_iter().filter(|name| table.has(name)).collect();
    let help = "wanted: one of rate = \"50/s\", concurrency = 10, bandwidth = \"1MiB/s\"";
    for other in given.iter().skip(1).filter_map(|name| table.get(name)) {
        other.wrong(Wrong::new(format!("this limit has `{}` already", given[0])).help(help));
    }
    match given.first() {
        None => {
            if table.all_known() {
                table.node.wrong(Wrong::new("this limit does not say what it bounds").help(help));
            }
            None
        }
        Some(&"rate") => rate(table),
        Some(&"bandwidth") => bandwidth(table),
        Some(_) => {
            if let Some(burst) = table.get("burst") {
                burst.wrong(
                    Wrong::new("exchanges at once cannot be saved up").help("`burst` is for `rate` and `bandwidth`"),
                );
            }
            table.integer_if_any("concurrency").map(Bound::Concurrency)
        }
    }
}

fn rate(table: &Table<'_>) -> Option<Bound> {
    let rate = units::rate(&table.text("rate")?)?;
    let burst = match table.get("burst") {
        None => rate.count,
        Some(node) if node.value.is_str() => {
            node.wrong(Wrong::new("requests have no size").help("wanted with `rate`: burst = 100"));
            return None;
        }
        Some(node) => node.integer().and_then(|burst| u32::try_from(burst).ok())?,
    };
    if let Some(node) = table.get("burst").filter(|_| rate.seconds(burst.into()) > SAVED_MAX.as_secs()) {
        node.wrong(Wrong::new("it would take more than a year to save that up at this rate"));
    }
    Some(Bound::Rate { rate, burst })
}

fn bandwidth(table: &Table<'_>) -> Option<Bound> {
    let rate = units::bandwidth(&table.text("bandwidth")?)?;
    let Some(node) = table.get("burst") else { return Some(Bound::Bandwidth { rate, burst: rate }) };
    if !node.value.is_str() {
        node.wrong(Wrong::new("content is counted in bytes").help("wanted with `bandwidth`: burst = \"4MiB\""));
        return None;
    }
    let burst = units::size(&node.text()?)?;
    if burst < rate / BURSTS_A_SECOND {
        too_small(&node, rate / BURSTS_A_SECOND);
    }
    Some(Bound::Bandwidth { rate, burst })
}

/// The timer by which content waits is not exact: with less in reserve, the bandwidth would not be reached.
fn too_small(node: &Node<'_>, least: u64) {
    let wrong = Wrong::new("this is less than a quarter of a second of `bandwidth`, which would then not be reached");
    node.wrong(wrong.help(format!("wanted: at least \"{}\"", units::show_size(least))));
}

const KEY: &str = "wanted: \"client_ip\", \"host\", \"route\", \"path\", \"path_part:1\", \"cookie:NAME\", \"field:NAME\" or \"query:NAME\"";

/// In so long the whole burst must be saved up.
const SAVED_MAX: Duration = Duration::from_secs(365 * 86_400);

/// The least burst of a bandwidth is this part of a second's.
const BURSTS_A_SECOND: u64 = 4;
