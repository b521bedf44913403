use crate::config::Compress;
use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::table::Table;
use crate::http::coding::{Coding, Rules, TypePattern};

/// `compress`: a list of codings, or a table with one.
pub(super) fn compress(route: &Table<'_>) -> Option<Compress> {
    let node = route.get("compress")?;
    let defaults = Rules::default();
    let Some(table) = route.table("compress") else {
        return Some(Compress::new(codings(&node.elements()), defaults));
    };
    let codings = if table.has("codings") { codings(&table.elements("codings")) } else { Coding::ALL.to_vec() };
    let types = if table.has("types") { table.parse_all("types", media_type) } else { defaults.types };
    Some(Compress::new(codings, Rules { types, min_bytes: table.size("min") }))
}

/// Unknown words have been said by the shape check.
fn codings(nodes: &[Node<'_>]) -> Vec<Coding> {
    let mut codings = Vec::new();
    for node in nodes {
        let Some(coding) = node.text().and_then(|text| Coding::of(text.as_bytes())) else { continue };
        match codings.contains(&coding) {
            true => node.wrong(Wrong::new(format!("`{}` is named twice", coding.name()))),
            false => codings.push(coding),
        }
    }
    codings
}

fn media_type(text: &str) -> Result<TypePattern, Wrong> {
    TypePattern::parse(text).ok_or_else(|| {
        let wrong = Wrong::new("this is no media type, and no pattern of one");
        wrong.help("wanted: one such as \"text/html\", all of a kind such as \"text/*\", or all with a suffix such as \"+json\"")
    })
}
