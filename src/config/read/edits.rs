use crate::config::FieldEdits;
use crate::config::file::node::Node;
use crate::config::file::report::{At, Wrong};
use crate::config::file::table::Table;
use crate::http::{FieldName, is_hop_by_hop, is_name, is_value, parse_authority};
use std::collections::HashSet;

/// `request`; `set = { host = "…" }` is the one way to name another host.
pub(super) fn request(table: &Table<'_>) -> FieldEdits {
    edits(table, true)
}

/// `response`
pub(super) fn response(table: &Table<'_>) -> FieldEdits {
    edits(table, false)
}

fn edits(table: &Table<'_>, may_set_host: bool) -> FieldEdits {
    let remove = |node: &Node<'_>| name(&node.text()?, &node.at, node, false);
    FieldEdits {
        set: pairs(table.get("set"), may_set_host),
        add: pairs(table.get("add"), false),
        remove: table.elements("remove").iter().filter_map(remove).collect(),
    }
}

fn pairs(node: Option<Node<'_>>, may_be_host: bool) -> Vec<(String, String)> {
    let entries = node.map(|node| node.entries()).unwrap_or_default();
    let pair = |(key, at, node): &(&str, At, Node<'_>)| {
        let name = name(key, at, node, may_be_host);
        let value = node.parse(|text| value(text, name.as_deref() == Some("host")));
        Some((name?, value?))
    };
    let pairs: Vec<(String, String)> = entries.iter().filter_map(pair).collect();
    let mut seen = HashSet::new();
    for (key, at, node) in &entries {
        if !seen.insert(key.to_ascii_lowercase()) {
            let wrong = Wrong::new("this field is named twice")
                .help("names of fields differ by more than upper and lower case");
            node.report.wrong(at, &node.path, wrong);
        }
    }
    pairs
}

fn value(text: &str, is_host: bool) -> Result<String, Wrong> {
    if !is_value(text.as_bytes()) {
        return Err(Wrong::new("this is not a field value").help("no control characters, no space at either end"));
    }
    if is_host { host_value(text) } else { Ok(text.to_owned()) }
}

/// What may stand in Host.
pub(super) fn host_value(text: &str) -> Result<String, Wrong> {
    match !text.is_empty() && parse_authority(text.as_bytes()).is_some() {
        true => Ok(text.to_owned()),
        false => Err(Wrong::new("this is not a host").help("wanted: \"shop.example\" or \"shop.example:8080\"")),
    }
}

/// A field name in lower case; what is wrong with it is recorded where it stands.
pub(super) fn field_name(text: &str, at: &At, node: &Node<'_>) -> Option<String> {
    if is_name(text.as_bytes()) {
        return Some(text.to_ascii_lowercase());
    }
    let wrong =
        Wrong::new("this is not a field name").help("wanted: letters, digits and hyphens, such as \"x-tenant\"");
    node.report.wrong(at, &node.path, wrong);
    None
}

/// A field name that may be edited.
fn name(text: &str, at: &At, node: &Node<'_>, may_be_host: bool) -> Option<String> {
    let name = field_name(text, at, node)?;
    let wrong = match FieldName::of(name.as_bytes()) {
        FieldName::Host if may_be_host => return Some(name),
        FieldName::Host => Wrong::new("`host` cannot be edited so")
            .help("request = { set = { host = \"…\" } } says which host the backend sees"),
        // RFC 9110 §7.6.1 and RFC 9112 §6: each hop writes these for itself.
        known if is_hop_by_hop(known) || matches!(known, FieldName::ContentLength | FieldName::Trailer) => {
            Wrong::new(format!("`{name}` belongs to the connection and cannot be edited"))
                .help("Weir writes it itself, as the framing of each message needs it")
        }
        _ => return Some(name),
    };
    node.report.wrong(at, &node.path, wrong);
    None
}
