use super::secret::secret_of;
use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::source::read_bounded;
use crate::config::file::table::Table;
use crate::config::{Cluster, Password, Redis, Url};
use redis::IntoConnectionInfo;
use std::time::Duration;

pub(super) fn read(table: &Table<'_>) -> Option<Cluster> {
    let redis = redis(table);
    let cluster = Cluster {
        password: table.get("password").and_then(|node| password(table, &node)),
        ca: table.get("ca").and_then(|node| ca(&node)),
        name: name(table),
        lease: lease(table),
        members: table.integer("members"),
        // Last: the others are checked even if it is wrong.
        redis: redis?,
    };
    Some(cluster)
}

fn redis(table: &Table<'_>) -> Option<Redis> {
    let node = table.get("redis")?;
    let written = table.elements("redis").len();
    let mut urls = table.parse_all("redis", url);
    let master = table.text("sentinel").map(|name| name.into_owned());
    let sharded = table.boolean("sharded");
    if urls.len() < written {
        return None;
    }
    match (master, sharded, urls.len()) {
        (Some(_), true, _) => {
            node.wrong(Wrong::new("`sentinel` and `sharded` exclude each other"));
            None
        }
        (Some(master), false, _) => Some(Redis::Sentinel { urls, master }),
        (None, true, _) => Some(Redis::Sharded(urls)),
        (None, false, 1) => urls.pop().map(Redis::Server),
        (None, false, _) => {
            let help = "give one; or `sentinel = \"MASTER\"` if these are sentinels, `sharded = true` if they are nodes of a Redis Cluster";
            node.wrong(Wrong::new("which of these servers is meant?").help(help));
            None
        }
    }
}

fn url(text: &str) -> Result<Url, Wrong> {
    // By whom it will be read; what it says of a URL may hold a password.
    match text.into_connection_info() {
        Ok(_) => Ok(Url(text.to_owned())),
        Err(_) => Err(Wrong::new("this is not a URL of Redis")
            .help("wanted: \"redis://HOST:PORT\", \"rediss://HOST:PORT\" for TLS, or \"redis+unix:///path\"")),
    }
}

fn password(table: &Table<'_>, node: &Node<'_>) -> Option<Password> {
    let bytes = secret_of(table, "password", node, 1)?;
    match String::from_utf8(bytes) {
        Ok(text) => Some(Password(text)),
        Err(_) => {
            node.wrong(Wrong::new("a password is UTF-8"));
            None
        }
    }
}

fn ca(node: &Node<'_>) -> Option<Vec<u8>> {
    let path = node.file_path()?;
    match read_bounded(&path, CA_BYTES_MAX) {
        Ok(bytes) => Some(bytes),
        Err(why) => {
            node.wrong(Wrong::new(format!("cannot read {}: {why}", path.display())));
            None
        }
    }
}

fn name(table: &Table<'_>) -> String {
    let name = table.text_or_default("name");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if let (false, Some(node)) =
        (!name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(is_plain), table.get("name"))
    {
        let help = format!("wanted: letters, digits, `-`, `_` and `.`; {NAME_BYTES_MAX} at most");
        node.wrong(Wrong::new("this name cannot stand in a key of Redis").help(help));
    }
    name.into_owned()
}

fn lease(table: &Table<'_>) -> Duration {
    let lease = table.duration("lease");
    if let (true, Some(node)) = (lease < LEASE_MIN, table.get("lease")) {
        node.wrong(
            Wrong::new("a lease this short would end between two words to Redis").help("wanted: at least \"500ms\""),
        );
    }
    lease
}

const LEASE_MIN: Duration = Duration::from_millis(500);
const NAME_BYTES_MAX: usize = 64;
const CA_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_that_the_client_understands() {
        for good in [
            "redis://a",
            "redis://:s3cr%40t@a.example:6379/2",
            "rediss://user:pass@[::1]:6380",
            "redis+unix:///run/redis.sock",
            "unix:///run/redis.sock?db=1",
        ] {
            assert_eq!(url(good).ok(), Some(Url(good.to_owned())), "{good}");
        }
        for bad in ["", "a", "a:6379", "http://a", "redis://", "redis://a:port", "redis://a/x", "redis://a:99999"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
