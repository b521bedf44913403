use crate::config::FieldEdits;
use crate::http::{FieldName, Fields, is_hop_by_hop};

/// Applies `edits`: removed first, then set, then added.
///
/// Fields that belong to a connection or to framing (Connection, Transfer-Encoding, Content-Length, …) are the codec's
/// and are left alone; Host is the head's authority, see [`host_override`].
pub fn edit(edits: &FieldEdits, fields: &mut Fields) {
    for name in edits.remove.iter().filter(|name| is_editable(name)) {
        fields.remove_named(name.as_bytes());
    }
    for (name, value) in edits.set.iter().filter(|(name, _)| is_editable(name)) {
        fields.set_named(name.as_bytes(), value.as_bytes());
    }
    for (name, value) in edits.add.iter().filter(|(name, _)| is_editable(name)) {
        fields.push(name.as_bytes(), value.as_bytes());
    }
}

/// The Host that `set = { host = "…" }` asks for.
#[must_use]
pub fn host_override(edits: &FieldEdits) -> Option<&str> {
    edits.set.iter().find(|(name, _)| name == "host").map(|(_, value)| value.as_str())
}

fn is_editable(name: &str) -> bool {
    let known = FieldName::of(name.as_bytes());
    known == FieldName::Other
        || !(is_hop_by_hop(known) || matches!(known, FieldName::Host | FieldName::ContentLength | FieldName::Trailer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn fields_are_removed_then_set_then_added_and_framing_is_left_alone() {
        let mut fields = Fields::default();
        for (name, value) in [("X-A", "1"), ("Server", "s"), ("x-a", "2"), ("Content-Length", "5"), ("X-B", "b")] {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        let edits = FieldEdits {
            remove: vec!["server".into(), "x-c".into(), "content-length".into()],
            set: vec![pair("x-a", "3"), pair("server", "w"), pair("transfer-encoding", "x"), pair("host", "h")],
            add: vec![pair("x-b", "c"), pair("connection", "x")],
        };
        edit(&edits, &mut fields);
        let seen: Vec<_> = fields.iter().map(|(_, name, value)| [name, value].concat()).collect();
        assert_eq!(seen, [&b"Content-Length5"[..], b"X-Bb", b"x-a3", b"serverw", b"x-bc"]);
        assert_eq!(host_override(&edits), Some("h"));
    }
}
