use super::pool::is_host_name;
use crate::config::file::report::Wrong;
use crate::config::{HostPattern, PathPattern, ValuePattern};
use crate::http::Method;
use ipnet::IpNet;
use regex::bytes::{Regex, RegexBuilder};
use std::net::IpAddr;

/// `shop.example` or `*.shop.example`.
pub(super) fn host(text: &str) -> Result<HostPattern, Wrong> {
    let wanted = "wanted: \"shop.example\" or \"*.shop.example\"";
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_suffix('.').unwrap_or(&lower);
    if text == "*" {
        return Err(Wrong::new("`*` alone matches every host").help("leave `host` out to match every host"));
    }
    if !text.is_ascii() {
        return Err(Wrong::new("a host is written in ASCII")
            .help("internationalised names are written as \"xn--…\", as clients send them"));
    }
    if text.parse::<std::net::SocketAddr>().is_ok()
        || lower.rsplit_once(':').is_some_and(|(name, _)| is_host_name(name))
    {
        return Err(Wrong::new("a host is matched without its port").help(wanted));
    }
    let literal = lower.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).and_then(|ip| ip.parse().ok());
    match (lower.strip_prefix('*'), literal) {
        (_, Some(IpAddr::V6(ip))) => Ok(HostPattern::Exact(format!("[{ip}]"))),
        (Some(suffix), _) if suffix.strip_prefix('.').is_some_and(is_host_name) => {
            Ok(HostPattern::Wildcard(suffix.into()))
        }
        (None, _) if is_host_name(lower) => Ok(HostPattern::Exact(lower.into())),
        (None, _) if lower.contains('*') => {
            Err(Wrong::new("`*` stands only for the first labels of a host").help(wanted))
        }
        _ => Err(Wrong::new("this is not a host").help(wanted)),
    }
}

/// `/a`, `/a/*` or `~^/a`.
pub(super) fn path(text: &str) -> Result<PathPattern, Wrong> {
    if let Some(pattern) = text.strip_prefix('~') {
        return regex(pattern).map(PathPattern::Regex);
    }
    plain_path(text.strip_suffix("/*").map_or(text, |prefix| if prefix.is_empty() { "/" } else { prefix }))?;
    match text.strip_suffix('*') {
        Some(prefix) if prefix.contains('*') => Err(star()),
        Some(prefix) if prefix.ends_with('/') => Ok(PathPattern::Prefix(prefix.into())),
        None if !text.contains('*') => Ok(PathPattern::Exact(text.into())),
        _ => Err(star()),
    }
}

fn star() -> Wrong {
    let help = "wanted: \"/a\" exactly, \"/a/*\" for all below it, or \"~regex\" for anything else";
    Wrong::new("`*` stands only at the end of a path, after a `/`").help(help)
}

/// A path as such: for matching, and for rewriting to.
pub(super) fn plain_path(text: &str) -> Result<(), Wrong> {
    if !text.starts_with('/') {
        return Err(Wrong::new("a path starts with `/`").help("wanted: \"/a\" or, to match all below it, \"/a/*\""));
    }
    if text.contains(['?', '#']) {
        return Err(Wrong::new("a path holds no `?` and no `#`").help("`query` matches parameters"));
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(
            Wrong::new("a path is written in printable ASCII").help("write other bytes as %XX, as clients send them")
        );
    }
    Ok(())
}

/// A regular expression, of bounded size.
pub(super) fn regex(pattern: &str) -> Result<Regex, Wrong> {
    RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build().map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        Wrong::new("this is not a regular expression").help(last.trim_start_matches("error: ").to_owned())
    })
}

/// `GET`
pub(super) fn method(text: &str) -> Result<Method, Wrong> {
    let upper = text.to_ascii_uppercase();
    // RFC 9110 §9.1: methods are case-sensitive.
    if upper != text && !matches!(Method::parse(upper.as_bytes()), None | Some(Method::Other(_))) {
        return Err(Wrong::new("methods are case-sensitive").label(format!("did you mean `{upper}`?")));
    }
    Method::parse(text.as_bytes())
        .ok_or_else(|| Wrong::new("this is not a method").help("wanted: a token such as \"GET\""))
}

/// `abc`, `abc*`, `~re` or `*`.
pub(super) fn value(text: &str) -> Result<ValuePattern, Wrong> {
    match (text, text.strip_prefix('~'), text.strip_suffix('*')) {
        ("*", ..) => Ok(ValuePattern::Present),
        (_, Some(pattern), _) => regex(pattern).map(ValuePattern::Regex),
        (_, _, Some(prefix)) if !prefix.contains('*') => Ok(ValuePattern::Prefix(prefix.into())),
        (text, ..) if !text.contains('*') => Ok(ValuePattern::Exact(text.into())),
        _ => {
            Err(Wrong::new("`*` stands only at the end of a value")
                .help("wanted: \"abc\", \"abc*\", \"~regex\" or \"*\""))
        }
    }
}

/// `10.0.0.0/8`, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, Wrong> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(ip));
    }
    let wrong = Wrong::new("this is not a network").help("wanted: \"10.0.0.0/8\", \"2001:db8::/32\" or an address");
    let network: IpNet = text.parse().map_err(|_| wrong)?;
    match network.trunc() == network {
        true => Ok(network),
        false => Err(Wrong::new("the address has bits outside of its network")
            .label(format!("did you mean `{}`?", network.trunc()))),
    }
}

/// Memory of one compiled expression.
const REGEX_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_wildcards_and_literals_without_port() {
        assert_eq!(host("Shop.Example."), Ok(HostPattern::Exact("shop.example".into())));
        assert_eq!(host("*.shop.example"), Ok(HostPattern::Wildcard(".shop.example".into())));
        assert_eq!(host("[::1]"), Ok(HostPattern::Exact("[::1]".into())));
        assert_eq!(host("127.0.0.1"), Ok(HostPattern::Exact("127.0.0.1".into())));
        for bad in ["", "*", "*.", "a.*", "a*.b", "a:80", "[::1]:80", "http://a", "é.example", "a b", "a..b"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_are_exact_prefixes_or_expressions() {
        assert!(matches!(path("/a"), Ok(PathPattern::Exact(p)) if p == "/a"));
        assert!(matches!(path("/a/*"), Ok(PathPattern::Prefix(p)) if p == "/a/"));
        assert!(matches!(path("/*"), Ok(PathPattern::Prefix(p)) if p == "/"));
        assert!(matches!(path("~^/[0-9]"), Ok(PathPattern::Regex(_))));
        for bad in ["", "a", "*", "/a*", "/a*/b", "/*/*", "/a?b", "/a b", "/é", "~(", "~(a{1000}){1000}"] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_have_no_bits_outside_of_their_mask() {
        assert_eq!(network("10.1.2.3").map(|n| n.to_string()).as_deref(), Ok("10.1.2.3/32"));
        assert!(network("10.0.0.0/8").is_ok() && network("2001:db8::/32").is_ok());
        for bad in ["10.1.0.0/8", "10.0.0.0/33", "a", ""] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }
}
