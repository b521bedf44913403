use crate::config::FieldEdits;
use crate::config::file::node::Node;
use crate::config::file::report::{At, Wrong};
use crate::config::file::table::Table;
use crate::http::{is_name, is_value};

/// `request` or `response`.
pub(super) fn edits(table: &Table<'_>) -> FieldEdits {
    FieldEdits {
        set: pairs(table.get("set")),
        add: pairs(table.get("add")),
        remove: table
            .elements("remove")
            .iter()
            .filter_map(|node| name(node.text()?.as_ref(), &node.at, node))
            .collect(),
    }
}

fn pairs(node: Option<Node<'_>>) -> Vec<(String, String)> {
    let entries = node.map(|node| node.entries()).unwrap_or_default();
    let pair = |(key, at, node): &(&str, At, Node<'_>)| {
        let value = node.parse(|text| match is_value(text.as_bytes()) {
            true => Ok(text.to_owned()),
            false => Err(Wrong::new("this is not a field value").help("no control characters, no space at either end")),
        });
        Some((name(key, at, node)?, value?))
    };
    entries.iter().filter_map(pair).collect()
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

fn name(text: &str, at: &At, node: &Node<'_>) -> Option<String> {
    let name = field_name(text, at, node)?;
    if FRAMING.contains(&name.as_str()) {
        let wrong = Wrong::new(format!("`{name}` belongs to the connection and cannot be edited"));
        node.report.wrong(at, &node.path, wrong.help("Weir writes it itself, as the framing of each message needs it"));
        return None;
    }
    Some(name)
}

/// RFC 9110 §7.6.1 and RFC 9112 §6: each hop writes these for itself.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
