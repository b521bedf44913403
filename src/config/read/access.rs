use super::Names;
use super::balance::probe_path;
use super::edits::{field_name, host_value};
use super::listener::readable;
use super::matching::network;
use super::users::users;
use crate::config::file::node::Node;
use crate::config::file::report::{At, Wrong};
use crate::config::file::source::read_bounded;
use crate::config::file::table::Table;
use crate::config::{Access, Algorithm, AskAccess, Basic, Claim, Jwt, KeySource, KeyUrl, Proof, TokenFrom};
use crate::http::{FieldName, is_name, is_value, parse_authority};
use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

pub(super) fn read(name: &str, table: &Table<'_>, names: &Names<'_>) -> Option<Access> {
    let known = ["allow", "deny", "basic", "jwt", "ask"];
    if !known.iter().any(|key| table.has(key)) && table.all_known() {
        let help = "wanted: one at least of `allow`, `deny`, `basic`, `jwt` and `ask`";
        table.node.wrong(Wrong::new(format!("[access.{name}] lets everybody in")).help(help));
    }
    if let (true, Some(node)) = (table.has("basic"), table.get("jwt")) {
        let help = "two routes do: one of them with field = { authorization = \"Basic *\" }, say";
        node.wrong(Wrong::new("clients prove who they are in one way, by `basic` or by `jwt`").help(help));
    }
    let basic = table.table("basic").map(|table| basic(name, &table).map(Proof::Basic));
    let jwt = table.table("jwt").map(|table| jwt(&table).map(Proof::Jwt));
    let ask = table.table("ask").map(|table| ask(&table, names));
    let access = Access {
        place: table.node.place(),
        name: name.to_owned(),
        allow: table.parse_all("allow", network),
        deny: table.parse_all("deny", network),
        // Last: the others are checked even if one is wrong.
        proof: basic.or(jwt).map_or(Some(None), |proof| proof.map(Some))?,
        ask: ask.map_or(Some(None), |ask| ask.map(Some))?,
    };
    check_token(table, &access);
    Some(access)
}

/// What a client says in a field that is Weir's own is taken away before it is looked at.
fn check_token(table: &Table<'_>, access: &Access) {
    let Some(Proof::Jwt(Jwt { from: TokenFrom::Field(from), .. })) = &access.proof else { return };
    if let (Some(node), true) =
        (table.table("jwt").and_then(|jwt| jwt.get("from")), access.own_fields().any(|own| own == from))
    {
        node.wrong(Wrong::new(format!("`{from}` cannot hold the token and tell the backend of it")));
    }
}

fn basic(name: &str, table: &Table<'_>) -> Option<Basic> {
    let realm = said(table.get("realm"), |node| node.parse(realm));
    let user = said(table.get("user"), |node| own_field(&node.text()?, &node.at, node));
    let users = table.get("file").and_then(|node| users(&node));
    Some(Basic { users: users?, realm: realm?.unwrap_or_else(|| name.to_owned()), user: user? })
}

/// It stands in a quoted string, where some clients know no escapes.
fn realm(text: &str) -> Result<String, Wrong> {
    match !text.is_empty() && is_value(text.as_bytes()) && !text.contains(['"', '\\']) {
        true => Ok(text.to_owned()),
        false => Err(Wrong::new("this cannot be a realm").help("no quotes, no backslashes, no control characters")),
    }
}

fn jwt(table: &Table<'_>) -> Option<Jwt> {
    let keys = table.table("jwks").and_then(|table| keys(&table));
    let from = match table.get("from") {
        Some(node) => node.parse(token_from),
        None => Some(TokenFrom::Authorization),
    };
    let audience = table.parse_all("audience", |text| Ok(text.to_owned()));
    if !table.has("audience") {
        let warning = "`jwt` without `audience` takes tokens that were made for other services of the same issuer";
        table.node.report.warn(&table.node.at, warning);
    }
    let leeway = table.duration("leeway");
    if let Some(node) = table.get("leeway").filter(|_| leeway > LEEWAY_MAX) {
        node.wrong(Wrong::new("clocks do not differ by that much").help("wanted: \"5m\" or less"));
    }
    let named = |node: &Node<'_>| Algorithm::named(&node.text()?);
    let fields = table.get("fields").map(|node| claims(&node)).unwrap_or_default();
    Some(Jwt {
        keys: keys?,
        issuer: table.text("issuer")?.into_owned(),
        audience,
        algorithms: table.elements("algorithms").iter().filter_map(named).collect(),
        from: from?,
        leeway,
        fields,
    })
}

fn token_from(text: &str) -> Result<TokenFrom, Wrong> {
    let wrong = || Wrong::new("this is no place for a token").help(TOKEN_FROM);
    match text.split_once(':').unwrap_or((text, "")) {
        ("authorization", "") => Ok(TokenFrom::Authorization),
        ("cookie", name) if is_name(name.as_bytes()) => Ok(TokenFrom::Cookie(name.to_owned())),
        ("field", name) if name.eq_ignore_ascii_case("authorization") => {
            Err(wrong().label("did you mean `authorization`?"))
        }
        ("field", name) if is_name(name.as_bytes()) => Ok(TokenFrom::Field(name.to_ascii_lowercase())),
        ("header", name) if is_name(name.as_bytes()) => Err(wrong().label(format!("did you mean `field:{name}`?"))),
        ("query", _) => Err(Wrong::new("a token in a URL stands in logs and histories").help(TOKEN_FROM)),
        _ => Err(wrong()),
    }
}

fn claims(node: &Node<'_>) -> Vec<(String, Claim)> {
    let mut seen = HashSet::new();
    let claim = |(name, at, node): &(&str, At, Node<'_>)| {
        let name = own_field(name, at, node)?;
        if !seen.insert(name.clone()) {
            node.report.wrong(at, &node.path, Wrong::new(format!("`{name}` is named twice")));
        }
        Some((name, node.parse(claim)?))
    };
    node.entries().iter().filter_map(claim).collect()
}

fn claim(text: &str) -> Result<Claim, Wrong> {
    let escapes_are_right = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    match (text, text.starts_with('/')) {
        ("" | "/", _) => Err(Wrong::new("this is not the name of a claim")),
        (pointer, true) if escapes_are_right => Ok(Claim::Pointer(pointer.to_owned())),
        (_, true) => Err(Wrong::new("`~` in a JSON pointer is followed by 0 or 1 (RFC 6901)")),
        (name, false) => Ok(Claim::Name(name.to_owned())),
    }
}

fn keys(table: &Table<'_>) -> Option<KeySource> {
    match (table.get("file"), table.get("url")) {
        (Some(node), None) => {
            for other in ["ca", "every"].into_iter().filter_map(|name| table.get(name)) {
                other.wrong(Wrong::new(format!("`{}` is for `url` only", other.path)));
            }
            let path = node.file_path()?;
            match read_bounded(&path, KEYS_BYTES_MAX) {
                Ok(text) => Some(KeySource::File { path, text }),
                Err(why) => {
                    node.wrong(Wrong::new(format!("cannot read {}: {why}", path.display())));
                    None
                }
            }
        }
        (None, Some(node)) => url(table, &node).map(KeySource::Url),
        _ => {
            let wrong = Wrong::new("`jwks` of `jwt` is in one place, `file` or `url`");
            table.node.wrong(wrong.help("wanted: { file = \"…\" } or { url = \"https://…\" }"));
            None
        }
    }
}

fn url(table: &Table<'_>, node: &Node<'_>) -> Option<KeyUrl> {
    let every = table.duration_if_any("every").unwrap_or(KEYS_EVERY);
    if let Some(node) = table.get("every").filter(|_| every < KEYS_EVERY_MIN) {
        node.wrong(Wrong::new("keys are fetched every 10 s at most").help("wanted: \"10s\" or more"));
    }
    let ca = said(table.get("ca"), readable);
    let url = node.parse(parse_url)?;
    if !url.is_https {
        if let Some(ca) = table.get("ca") {
            ca.wrong(Wrong::new("`ca` is for https"));
        }
        if !url.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            let warning = "keys that come without TLS can be changed on their way";
            node.report.warn(&node.at, warning);
        }
    }
    Some(KeyUrl { ca: ca?, every, ..url })
}

fn parse_url(text: &str) -> Result<KeyUrl, Wrong> {
    let wrong = |why: &str| Wrong::new(why.to_owned()).help("wanted: \"https://login.example/jwks.json\" or the like");
    let (is_https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Err(wrong("this is not a URL of https or http")),
    };
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let parsed = parse_authority(authority.as_bytes()).filter(|it| !it.host.is_empty() && it.port != Some(0));
    let parsed = parsed.ok_or_else(|| wrong("the URL names no host"))?;
    let host = authority[..parsed.host.len()].trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    if !target.bytes().all(|b| b.is_ascii_graphic()) || target.contains('#') {
        return Err(wrong("a URL is written in printable ASCII, without a fragment"));
    }
    if host.parse::<IpAddr>().is_err() && !super::pool::is_host_name(&host) {
        return Err(wrong("the URL names no host"));
    }
    Ok(KeyUrl {
        is_https,
        host,
        port: parsed.port.unwrap_or(if is_https { 443 } else { 80 }),
        target: if target.starts_with('/') { target.to_owned() } else { format!("/{target}") },
        ca: None,
        every: KEYS_EVERY,
    })
}

fn ask(table: &Table<'_>, names: &Names<'_>) -> Option<AskAccess> {
    let host = said(table.get("host"), |node| node.parse(host_value));
    let field = |node: &Node<'_>| own_field(&node.text()?, &node.at, node);
    let user = said(table.get("user"), field);
    let pool = table.get("pool").and_then(|node| names.pool(&node));
    let path = table.get("path").and_then(|node| probe_path(&node));
    Some(AskAccess {
        timeout: table.duration("timeout"),
        fields: table.elements("fields").iter().filter_map(field).collect(),
        host: host?,
        user: user?,
        path: path?,
        pool: pool?,
    })
}

/// A field that Weir itself sets in requests; what is wrong with it is recorded.
fn own_field(text: &str, at: &At, node: &Node<'_>) -> Option<String> {
    let name = field_name(text, at, node)?;
    // Weir itself writes the others that it knows, or acts by them.
    let is_free =
        matches!(FieldName::of(name.as_bytes()), FieldName::Other | FieldName::Authorization | FieldName::Cookie);
    if !is_free {
        let wrong = Wrong::new(format!("`{name}` has a meaning of its own, and cannot tell of a user"));
        node.report.wrong(at, &node.path, wrong.help("wanted: a field such as \"x-user\""));
        return None;
    }
    Some(name)
}

/// What a key says, if it is there; `None` if that is wrong.
fn said<'a, T>(node: Option<Node<'a>>, read: impl FnOnce(&Node<'a>) -> Option<T>) -> Option<Option<T>> {
    match node {
        Some(node) => read(&node).map(Some),
        None => Some(None),
    }
}

/// Clocks that differ by more are to be set right.
const LEEWAY_MAX: Duration = Duration::from_secs(300);
/// A JWK Set larger than this is refused.
const KEYS_BYTES_MAX: u64 = 256 * 1024;
/// How long fetched keys are used, unless the configuration says otherwise.
const KEYS_EVERY: Duration = Duration::from_secs(300);
const KEYS_EVERY_MIN: Duration = Duration::from_secs(10);
const TOKEN_FROM: &str = "wanted: \"authorization\", \"cookie:NAME\" or \"field:NAME\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_keys_are_read_in_parts() {
        let read = |text| parse_url(text).map(|url| (url.to_string(), url.host, url.port, url.target));
        for (text, shown, host, port, target) in [
            ("https://a.example/k", "https://a.example/k", "a.example", 443, "/k"),
            ("https://A.example", "https://a.example/", "a.example", 443, "/"),
            ("http://127.0.0.1:8080?x=1", "http://127.0.0.1:8080/?x=1", "127.0.0.1", 8080, "/?x=1"),
            ("https://[::1]:444/", "https://[::1]:444/", "::1", 444, "/"),
        ] {
            let expected = (shown.to_owned(), host.to_owned(), port, target.to_owned());
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for text in [
            "a.example",
            "ftp://a",
            "https://",
            "https://u@a/",
            "https://a:0/",
            "https://a/#x",
            "https://a/é",
            "https://a b/",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn claims_are_names_or_pointers() {
        assert_eq!(claim("https://a.example/roles"), Ok(Claim::Name("https://a.example/roles".into())));
        assert_eq!(claim("/a/b~1c"), Ok(Claim::Pointer("/a/b~1c".into())));
        for bad in ["", "/", "/a~", "/a~2"] {
            assert!(claim(bad).is_err(), "{bad}");
        }
    }
}
