use super::matching::network;
use super::register::known;
use super::secret::secret;
use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::table::Table;
use crate::config::{Dialect, Interfaces, Role, SecretSum, Token};

/// `[admin] tokens`
pub(super) fn tokens(admin: &Table<'_>) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for table in admin.tables("tokens") {
        let Some(token) = token(&table) else { continue };
        if tokens.iter().any(|other| other.name == token.name) {
            table.node.wrong(Wrong::new(format!("there are two tokens `{}`", token.name)));
        } else if let Some(other) = tokens.iter().find(|other| other.secret == token.secret) {
            let wrong = Wrong::new(format!("this token has the secret of `{}`", other.name));
            table.node.wrong(wrong.help("each needs a secret of its own, so that it is clear who asks"));
        } else {
            tokens.push(token);
        }
    }
    tokens
}

/// `[admin] speaks` and `loopback_as`
pub(super) fn interfaces(admin: &Table<'_>, tokens: &[String]) -> Interfaces {
    let dialect = |node: &Node<'_>| {
        Some(match &*node.text()? {
            "consul" => Dialect::Consul,
            _ => Dialect::Nacos,
        })
    };
    let speaks =
        if admin.has("speaks") { admin.elements("speaks").iter().filter_map(dialect).collect() } else { Vec::new() };
    let loopback_as = admin.get("loopback_as").and_then(|node| known(&node, tokens));
    if let Some(node) = admin.get("loopback_as").filter(|_| speaks.is_empty()) {
        node.wrong(Wrong::new("no other registry's interface is served").help("add: speaks = [\"consul\"]"));
    }
    Interfaces { speaks, loopback_as }
}

/// The names of all, also of those with which something else is wrong.
pub(super) fn names(admin: &Table<'_>) -> Vec<String> {
    admin.tables("tokens").iter().filter_map(|table| Some(table.text("name")?.into_owned())).collect()
}

fn token(table: &Table<'_>) -> Option<Token> {
    let name = table.get("name").and_then(|node| {
        node.parse(|text| match is_name(text) {
            true if text == Token::SOCKET => {
                let wrong = Wrong::new(format!("`{text}` is what leases call who registers over a unix socket"));
                Err(wrong.help("give the token another name, also in `tokens` of the pools, such as \"workers\""))
            }
            true => Ok(text.to_owned()),
            false => {
                let wrong = Wrong::new("this is not the name of a token");
                Err(wrong.help(format!("wanted: 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`")))
            }
        })
    });
    let node = table.get("secret")?;
    let secret = secret(table, "secret", &node).filter(|secret| {
        let is_sendable = secret.iter().all(u8::is_ascii_graphic);
        if !is_sendable {
            node.wrong(Wrong::new("this secret cannot be sent").help("wanted: printable ASCII without spaces"));
        }
        is_sendable
    });
    let networks = match table.has("networks") {
        true => table.parse_all("networks", network),
        false => Token::networks_default(),
    };
    let role = match &*table.text("role")? {
        "operator" => Role::Operator,
        _ => Role::Registrar,
    };
    Some(Token { name: name?, role, secret: SecretSum::of(&secret?), networks })
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

const NAME_BYTES_MAX: usize = 64;
