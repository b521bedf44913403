use weir::http::{FieldName, Fields, is_name, is_value};

/// A list of fields, one a line as `name:value`, behaves like a plain vector of pairs.
pub(crate) fn check(data: &[u8]) {
    let mut fields = Fields::default();
    let mut model: Vec<(&[u8], &[u8])> = Vec::new();
    for line in data.split(|&b| b == b'\n') {
        let Some(colon) = line.iter().position(|&b| b == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if is_name(name) && is_value(value) {
            fields.push(name, value);
            model.push((name, value));
        }
    }
    assert!(fields.iter().map(|(_, name, value)| (name, value)).eq(model.iter().copied()));
    assert_eq!(fields.len(), model.len());
    for &(name, _) in &model {
        looks_up(&fields, &model, name);
    }
    if let Some(&(name, _)) = model.first() {
        edits(fields, model, name);
    }
}

fn looks_up(fields: &Fields, model: &[(&[u8], &[u8])], name: &[u8]) {
    let values: Vec<&[u8]> = of(model, name).collect();
    assert_eq!(fields.named(name).collect::<Vec<_>>(), values);
    let known = FieldName::of(name);
    if known == FieldName::Other {
        return;
    }
    assert!(known.as_str().as_bytes().eq_ignore_ascii_case(name));
    assert_eq!(fields.get(known), values.first().copied());
    let joined = values.join(&b","[..]);
    let members: Vec<&[u8]> =
        joined.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty()).collect();
    assert_eq!(fields.members(known).collect::<Vec<_>>(), members);
}

fn edits(mut fields: Fields, mut model: Vec<(&[u8], &[u8])>, name: &[u8]) {
    fields.set_named(name, b"one");
    assert_eq!(fields.named(name).collect::<Vec<_>>(), [b"one"]);
    fields.remove_named(name);
    model.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    assert!(fields.iter().map(|(_, name, value)| (name, value)).eq(model.iter().copied()));
}

fn of<'a>(model: &[(&'a [u8], &'a [u8])], name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    model.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|&(_, value)| value)
}
