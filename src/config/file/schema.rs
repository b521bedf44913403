use super::key::{Default, Key, Kind, Spec};
use super::keys::ROOT;
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of the file, for editors. Made from the same tables by which files are checked.
#[must_use]
pub fn schema() -> Value {
    let Value::Object(root) = table(&ROOT) else { unreachable!("a table's schema is an object") };
    let mut schema = Map::new();
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".into(), "Weir".into());
    schema.extend(root);
    Value::Object(schema)
}

fn table(spec: &Spec) -> Value {
    let properties: Map<_, _> = spec.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<_> = spec.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    json!({
        "type": "object",
        "description": spec.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn property(key: &Key) -> Value {
    let mut schema = of_kind(&key.kind);
    let Value::Object(map) = &mut schema else { unreachable!("a kind's schema is an object") };
    map.insert("description".into(), key.doc.into());
    match key.default {
        Some(Default::Value(text)) if matches!(key.kind, Kind::Bool) => {
            map.insert("default".into(), (text == "true").into())
        }
        Some(Default::Value(text)) => map.insert("default".into(), text.into()),
        Some(Default::Number(n)) => map.insert("default".into(), n.into()),
        Some(Default::Said(_)) | None => None,
    };
    schema
}

fn of_kind(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Factor { min, max } => {
            json!({ "type": "number", "minimum": f64::from(*min) / 100.0, "maximum": f64::from(*max) / 100.0 })
        }
        Kind::Text(_) => json!({ "type": "string" }),
        // A variable may stand for any string.
        Kind::Choice(words, _) => json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": VARIABLE }] }),
        Kind::Duration | Kind::DurationOrZero => text("^[0-9_]+ *(ms|s|m|h|d)$"),
        Kind::Size { .. } => text("^[0-9_]+ *([KMGT]i?)?B$"),
        Kind::Rate => text("^[0-9_]+ */ *(s|m|h|d)$"),
        Kind::Bandwidth { .. } => text("^[0-9_]+ *([KMGT]i?)?B */ *s$"),
        Kind::Share => text("^[0-9]+(\\.[0-9]{1,2})? *%$"),
        Kind::List(of) => json!({ "type": "array", "items": of_kind(of), "minItems": 1 }),
        Kind::OneOrMore(of) => {
            json!({ "anyOf": [of_kind(of), { "type": "array", "items": of_kind(of), "minItems": 1 }] })
        }
        Kind::Table(spec) => table(spec),
        Kind::Map(_, of) => json!({ "type": "object", "additionalProperties": of_kind(of) }),
        Kind::Either(kinds) => json!({ "anyOf": kinds.iter().map(of_kind).collect::<Vec<_>>() }),
    }
}

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!("{pattern}|{VARIABLE}") })
}

/// A string with a variable: what it stands for is not known to an editor.
const VARIABLE: &str = "\\$\\{";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_sections_defaults_and_required_keys() {
        let schema = schema();
        assert_eq!(schema["additionalProperties"], false);
        let listener = &schema["properties"]["listener"]["items"];
        assert_eq!(listener["required"], json!(["address"]));
        assert_eq!(listener["properties"]["timeouts"]["properties"]["idle"]["default"], "75s");
        assert_eq!(listener["properties"]["max_connections"]["default"], 100_000);
        let pool = &schema["properties"]["pool"]["additionalProperties"];
        assert!(pool["properties"]["backends"]["items"]["anyOf"].is_array());
    }
}
