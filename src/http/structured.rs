//! Structured fields (RFC 9651), as far as caches need them: dictionaries and lists of strings.
//!
//! Parsing is strict: what does not parse as a whole is `None`, and the field is then as if it were not there
//! (RFC 9651 §4.2). Parameters are read and dropped.

mod reader;
#[cfg(test)]
mod tests;

use reader::Reader;
use std::borrow::Cow;

/// A member of a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its key.
    pub key: String,
    /// Its value; true where none is written.
    pub value: Item,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `?0` or `?1`
    Boolean(bool),
    /// At most fifteen digits.
    Integer(i64),
    /// A number with a fraction.
    Decimal,
    /// A quoted string, its escapes resolved.
    String(String),
    /// A bare word.
    Token(String),
    /// An inner list of strings alone, perhaps of none.
    Strings(Vec<String>),
    /// Bytes, a date, a display string, or an inner list with other things than strings.
    Other,
}

/// Reads all lines of a field as one dictionary (RFC 9651 §4.2.2); no lines are an empty one. The last of members with
/// equal keys counts. `None` if it does not parse, or has more than [`MEMBERS_MAX`] members.
#[must_use]
pub fn dictionary<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Vec<Member>> {
    let text = joined(lines);
    let mut reader = Reader::new(&text);
    let mut members: Vec<Member> = Vec::new();
    let mut count = 0;
    while reader.has_member(&mut count)? {
        let key = reader.key()?;
        let value = if reader.takes(b'=') { reader.item_or_inner_list()? } else { Item::Boolean(true) };
        reader.parameters()?;
        match members.iter_mut().find(|member| member.key == key) {
            Some(member) => member.value = value,
            None => members.push(Member { key: key.to_owned(), value }),
        }
    }
    Some(members)
}

/// The integer under `key` in all lines of a field as one dictionary, without keeping the others. `None` also if it does
/// not parse, or the last member with that key is something else.
#[must_use]
pub fn integer_of<'a>(lines: impl Iterator<Item = &'a [u8]>, key: &str) -> Option<i64> {
    let text = joined(lines);
    let mut reader = Reader::new(&text);
    let (mut found, mut count) = (None, 0);
    while reader.has_member(&mut count)? {
        let is_it = reader.key()? == key;
        let value = if reader.takes(b'=') { reader.item_or_inner_list()? } else { Item::Boolean(true) };
        reader.parameters()?;
        match value {
            Item::Integer(value) if is_it => found = Some(value),
            _ if is_it => found = None,
            _ => {}
        }
    }
    found
}

/// Reads all lines of a field as one list of strings (RFC 9651 §4.2.1); no lines are an empty one. `None` if it does
/// not parse, if a member is something else (RFC 9875 §2: the field is then ignored), or if there are more than
/// [`MEMBERS_MAX`].
#[must_use]
pub fn list_of_strings<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Vec<String>> {
    let text = joined(lines);
    let mut reader = Reader::new(&text);
    let (mut strings, mut count) = (Vec::new(), 0);
    while reader.has_member(&mut count)? {
        let Item::String(text) = reader.item_or_inner_list()? else { return None };
        reader.parameters()?;
        strings.push(text);
    }
    Some(strings)
}

/// RFC 9651 §4.2: several lines are one value.
fn joined<'a>(mut lines: impl Iterator<Item = &'a [u8]>) -> Cow<'a, [u8]> {
    let first = lines.next().unwrap_or_default();
    let Some(second) = lines.next() else { return Cow::Borrowed(first) };
    let mut text = [first, b", ", second].concat();
    for line in lines {
        text.extend_from_slice(b", ");
        text.extend_from_slice(line);
    }
    Cow::Owned(text)
}

/// Members of a dictionary or a list: the least that RFC 9651 §3.1 and §3.2 let a parser have.
pub const MEMBERS_MAX: usize = 1024;
