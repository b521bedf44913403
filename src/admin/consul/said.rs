//! Members of a JSON object, each of the type that is wanted of it: what is of another is refused, by its name. Null, and text
//! that is empty, count as nothing, as Go's clients write what they leave out.

use super::read::duration;
use serde_json::{Map, Value};
use std::time::Duration;

/// An object that was said; its keys are known whatever their case, and with `_` or without.
pub(super) struct Said {
    /// What it is called, as the beginning of the names of its members.
    of: String,
    members: Map<String, Value>,
}

impl Said {
    /// The whole content.
    pub(super) fn read(content: &[u8]) -> Result<Said, String> {
        let value: Value = serde_json::from_slice(content).map_err(|why| format!("the content is no JSON: {why}"))?;
        let members = value.as_object().ok_or_else(|| format!("the content: a JSON object, not {}", kind(&value)))?;
        Ok(Said::of(String::new(), members))
    }

    fn of(of: String, members: &Map<String, Value>) -> Said {
        let plain = |key: &String| key.to_ascii_lowercase().replace('_', "");
        Said { of, members: members.iter().map(|(key, value)| (plain(key), value.clone())).collect() }
    }

    /// How a member is wrong: what it should be.
    pub(super) fn wrong(&self, name: &str, wanted: &str) -> String {
        match self.get(name) {
            None => format!("{}{name} is missing: {wanted}", self.of),
            Some(value) => format!("{}{name}: {wanted}, not {}", self.of, kind(value)),
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(&name.to_ascii_lowercase()).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// What a member is if `read` can make something of it.
    pub(super) fn member<'s, T>(
        &'s self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&'s Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        self.get(name).map(|value| read(value).ok_or_else(|| self.wrong(name, wanted))).transpose()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, String> {
        self.member(name, "text", Value::as_str)
    }

    /// As Go writes it, or a number of nanoseconds.
    pub(super) fn duration(&self, name: &str, wanted: &str) -> Result<Option<Duration>, String> {
        self.member(name, wanted, |value| match value {
            Value::String(text) => duration(text),
            Value::Number(number) => number.as_u64().map(Duration::from_nanos),
            _ => None,
        })
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Said>, String> {
        let members = self.member(name, "an object", Value::as_object)?;
        Ok(members.map(|members| Said::of(format!("{}{name}.", self.of), members)))
    }

    pub(super) fn objects(&self, name: &str) -> Result<Vec<Said>, String> {
        const WANTED: &str = "an array of objects";
        let all = self.member(name, WANTED, Value::as_array)?.into_iter().flatten().enumerate();
        let object = |(i, value): (usize, &Value)| {
            let of = format!("{}{name}[{i}]", self.of);
            let members = value.as_object().ok_or_else(|| format!("{of}: an object, not {}", kind(value)))?;
            Ok(Said::of(format!("{of}."), members))
        };
        all.map(object).collect()
    }

    /// An array of texts, as it is.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Value>, String> {
        let are_texts = |value: &&Value| value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
        self.member(name, "an array of texts", |value| Some(value).filter(are_texts)).map(|it| it.cloned())
    }

    /// An object whose members are texts, as it is.
    pub(super) fn named_texts(&self, name: &str) -> Result<Option<Value>, String> {
        let are_texts = |value: &&Value| value.as_object().is_some_and(|all| all.values().all(Value::is_string));
        self.member(name, "an object of texts", |value| Some(value).filter(are_texts)).map(|it| it.cloned())
    }
}

/// What a value is, for who sent another one than is wanted; short ones are repeated.
fn kind(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".into(),
        Value::Array(_) => "an array like this".into(),
        Value::String(text) if text.chars().count() > SHOWN_CHARS => "that text".into(),
        short => short.to_string(),
    }
}

/// Characters of a text that a message repeats.
const SHOWN_CHARS: usize = 40;
