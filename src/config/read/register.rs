use crate::config::Register;
use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::table::Table;
use std::time::Duration;

/// `register` of a pool; `tokens`: the names of those that there are, `None`: there is no admin listener to register at.
pub(super) fn register(pool: &Table<'_>, tokens: Option<&[String]>) -> Option<Register> {
    let table = pool.table("register")?;
    if tokens.is_none() {
        let wrong = Wrong::new("backends register at the admin listener, and there is none");
        table.node.wrong(wrong.help("add: [admin] with listen = \"127.0.0.1:9180\""));
    }
    let (ttl, drain) = (table.duration("ttl"), table.duration("drain"));
    within(&table, "ttl", ttl, (Register::TTL_MIN, "1s"));
    within(&table, "drain", drain, (Duration::ZERO, "0s"));
    let names = table.elements("tokens").into_iter().filter_map(|node| known(&node, tokens.unwrap_or_default()));
    Some(Register { tokens: if table.has("tokens") { names.collect() } else { Vec::new() }, ttl, drain })
}

fn within(table: &Table<'_>, name: &str, value: Duration, (min, shown): (Duration, &str)) {
    let Some(node) = table.get(name) else { return };
    if !(min..=Register::TTL_MAX).contains(&value) {
        let wrong = Wrong::new(format!("`{}` is out of range", node.path));
        node.wrong(wrong.help(format!("wanted: \"{shown}\" to \"1h\"")));
    }
}

/// The name of a token that there is.
pub(super) fn known(node: &Node<'_>, tokens: &[String]) -> Option<String> {
    let name = node.text()?;
    if tokens.iter().any(|token| *token == name) {
        return Some(name.into_owned());
    }
    let wrong = Wrong::new(format!("there is no token `{}`", crate::config::file::shape::short(&name)));
    let wrong = wrong.suggest(&name, tokens.iter().map(String::as_str));
    node.wrong(match tokens.is_empty() {
        true => wrong.help("add it to [admin]: tokens = [{ name = …, role = \"registrar\", secret = … }]"),
        false => wrong.help(format!("tokens: {}", tokens.join(", "))),
    });
    None
}
