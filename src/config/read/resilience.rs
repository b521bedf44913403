use super::balance::probe_path;
use super::edits::host_value;
use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::table::Table;
use crate::config::{Breaker, Check, Health, Outlier, PoolProtocol, Retry, Statuses};
use std::ops::RangeInclusive;
use std::time::Duration;

/// `health`
pub(super) fn health(pool: &Table<'_>, protocol: PoolProtocol) -> Option<Health> {
    let table = pool.table("health")?;
    let timing = (table.duration("every"), table.duration("timeout"));
    if let (Some(node), true) = (table.get("timeout").or(table.get("every")), timing.1 > timing.0) {
        node.wrong(Wrong::new("a probe may not take longer than until the next: `timeout` is above `every`"));
    }
    Some(Health {
        check: check(&table, protocol)?,
        port: table.integer_if_any("port"),
        every: timing.0,
        timeout: timing.1,
        rise: table.integer("rise"),
        fall: table.integer("fall"),
    })
}

/// The one of `path`, `tcp` and `grpc` that is there.
fn check(table: &Table<'_>, protocol: PoolProtocol) -> Option<Check> {
    let given: Vec<_> = ["path", "tcp", "grpc"].into_iter().filter(|name| table.has(name)).collect();
    let help = "wanted: one of path = \"/healthz\", tcp = true, grpc = \"SERVICE\"";
    for other in given.iter().skip(1).filter_map(|name| table.get(name)) {
        other.wrong(Wrong::new(format!("this `health` has `{}` already", given[0])).help(help));
    }
    if given.first() != Some(&"path") {
        for node in ["host", "expect"].into_iter().filter_map(|name| table.get(name)) {
            node.wrong(Wrong::new(format!("`{}` belongs to `path`", node.path)));
        }
    }
    match given.first() {
        None => {
            if table.all_known() {
                table.node.wrong(Wrong::new("this `health` does not say what is asked").help(help));
            }
            None
        }
        Some(&"path") => Some(Check::Http {
            path: probe_path(&table.get("path")?)?,
            host: table.get("host").and_then(|node| node.parse(host_value)),
            expect: statuses(table, "expect", 100).unwrap_or_else(|| vec![200..=399]),
        }),
        Some(&"tcp") => {
            if table.get("tcp").is_none_or(|node| node.value.as_bool() != Some(true)) {
                table.node.wrong(Wrong::new("`tcp` is either `true` or left out").help(help));
            }
            Some(Check::Tcp)
        }
        Some(_) => {
            let node = table.get("grpc")?;
            if protocol == PoolProtocol::Http1 {
                let wrong = Wrong::new("gRPC is spoken over HTTP/2");
                node.wrong(wrong.help("add to the pool: protocol = \"h2\""));
            }
            node.parse(|text| match text.len() <= SERVICE_BYTES_MAX {
                true => Ok(Check::Grpc(text.to_owned())),
                false => Err(Wrong::new("this is no name of a service")),
            })
        }
    }
}

/// `outlier`
pub(super) fn outlier(pool: &Table<'_>) -> Option<Outlier> {
    let Some(table) = pool.table("outlier") else {
        return match pool.has("outlier") {
            true => None, // "off"
            false => Some(Outlier {
                consecutive_failures: 5,
                failure_rate: 0,
                window: Duration::from_secs(10),
                requests_min: 1,
                eject: Duration::from_secs(10),
                max_ejected: 5_000,
                statuses: Statuses::default(),
            }),
        };
    };
    Some(Outlier {
        consecutive_failures: table.integer("consecutive_failures"),
        failure_rate: table.share("failure_rate"),
        window: table.duration("window"),
        requests_min: table.integer("requests_min"),
        eject: table.duration("eject"),
        max_ejected: table.share("max_ejected"),
        statuses: failures(&table),
    })
}

/// `retry`
pub(super) fn retry(pool: &Table<'_>) -> Retry {
    let table = pool.table_or_empty("retry");
    let mut on_connect = !table.has("on");
    let mut set = Vec::new();
    for node in table.elements("on") {
        match node.text().as_deref() {
            Some("connect") => on_connect = true,
            _ => set.extend(node.parse(|text| range(text, 500)).into_iter().flatten()),
        }
    }
    let content = usize::try_from(table.size("content")).unwrap_or(usize::MAX);
    Retry {
        attempts: table.integer("attempts"),
        on_connect,
        statuses: if table.has("on") { Statuses::of(set) } else { Statuses::of([502]) },
        budget: table.share("budget"),
        content,
    }
}

/// `breaker`
pub(super) fn breaker(pool: &Table<'_>) -> Option<Breaker> {
    let table = pool.table("breaker")?;
    Some(Breaker {
        failure_rate: table.share("failure_rate"),
        window: table.duration("window"),
        requests_min: table.integer("requests_min"),
        open: table.duration("open"),
        trials: table.integer("trials"),
        statuses: failures(&table),
    })
}

/// Statuses that are failures.
fn failures(table: &Table<'_>) -> Statuses {
    let written = statuses(table, "statuses", 500);
    written.map_or_else(|| Statuses::of([500, 502, 503, 504]), |ranges| Statuses::of(ranges.into_iter().flatten()))
}

fn statuses(table: &Table<'_>, name: &str, min: u16) -> Option<Vec<RangeInclusive<u16>>> {
    let of = |node: &Node<'_>| node.parse(|text| range(text, min));
    table.has(name).then(|| table.elements(name).iter().filter_map(of).collect())
}

/// `503` or `500-504`
fn range(text: &str, min: u16) -> Result<RangeInclusive<u16>, Wrong> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (from.parse::<u16>(), to.parse::<u16>()) {
        (Ok(from), Ok(to)) if min <= from && from <= to && to <= 599 => Ok(from..=to),
        _ => Err(Wrong::new("this is neither a status nor a range of them")
            .help(format!("wanted: a status from {min} to 599 such as \"503\", or a range such as \"502-504\""))),
    }
}

/// A field of a message holds it.
const SERVICE_BYTES_MAX: usize = 1024;
