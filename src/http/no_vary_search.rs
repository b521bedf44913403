//! Which differences of the query do not matter to a response (draft-ietf-httpbis-no-vary-search).

#[cfg(test)]
mod tests;

use super::structured::{Item, Member, dictionary};

/// What a response's No-Vary-Search says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoVarySearch {
    /// Parameters in another order are another query.
    key_order_matters: bool,
    params: Params,
}

/// Which parameters count; names decoded, ascending, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Params {
    AllBut(Vec<Vec<u8>>),
    Only(Vec<Vec<u8>>),
}

/// The name of the field.
pub const NO_VARY_SEARCH: &[u8] = b"no-vary-search";

impl Default for NoVarySearch {
    /// Every difference matters.
    fn default() -> Self {
        NoVarySearch { key_order_matters: true, params: Params::AllBut(Vec::new()) }
    }
}

impl NoVarySearch {
    /// Reads all lines of the field; whatever is not as the draft has it makes every difference matter (§5.1), as do
    /// more than 128 names or a name longer than 255 bytes.
    #[must_use]
    pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> NoVarySearch {
        dictionary(lines).and_then(|members| NoVarySearch::of(&members)).unwrap_or_default()
    }

    fn of(members: &[Member]) -> Option<NoVarySearch> {
        let member = |key: &str| members.iter().find(|member| member.key == key).map(|member| &member.value);
        let key_order_matters = match member("key-order") {
            None => true,
            Some(Item::Boolean(key_order)) => !key_order,
            Some(_) => return None,
        };
        let params = match (member("params"), member("except")) {
            (None | Some(Item::Boolean(false)), None) => Params::AllBut(Vec::new()),
            (Some(Item::Strings(names)), None) => Params::AllBut(keys(names)?),
            (Some(Item::Boolean(true)), None) => Params::Only(Vec::new()),
            (Some(Item::Boolean(true)), Some(Item::Strings(names))) => Params::Only(keys(names)?),
            _ => return None,
        };
        Some(NoVarySearch { key_order_matters, params })
    }

    /// Whether every difference matters.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.key_order_matters && matches!(&self.params, Params::AllBut(names) if names.is_empty())
    }

    /// A query that is the same for all that are equivalent under the rule (§6), and different for all others. By the
    /// default it is the query itself; by others, no query at all is as good as an empty one.
    #[must_use]
    pub fn normalise(&self, query: &[u8]) -> Vec<u8> {
        if self.is_default() {
            return query.to_vec();
        }
        let pairs = query.split(|&b| b == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_at(memchr::memchr(b'=', pair).unwrap_or(pair.len()));
            (decoded(name), decoded(value.get(1..).unwrap_or_default()))
        });
        let mut pairs: Vec<_> = pairs.filter(|(name, _)| self.params.counts(name)).collect();
        if !self.key_order_matters {
            // §6: values of one key keep their order.
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        let mut normal = Vec::with_capacity(query.len());
        for (name, value) in &pairs {
            if !normal.is_empty() {
                normal.push(b'&');
            }
            push_encoded(name, &mut normal);
            normal.push(b'=');
            push_encoded(value, &mut normal);
        }
        normal
    }

    /// A form to be kept; [`from_bytes`](Self::from_bytes) reads it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (names, only) = match &self.params {
            Params::AllBut(names) => (names, 0),
            Params::Only(names) => (names, ONLY),
        };
        let mut bytes = vec![only | if self.key_order_matters { 0 } else { ANY_ORDER }];
        for name in names {
            bytes.push(u8::try_from(name.len()).expect("names are no longer than NAME_BYTES_MAX"));
            bytes.extend_from_slice(name);
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` if it is nothing of the kind.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<NoVarySearch> {
        let (&flags, mut rest) = bytes.split_first()?;
        let mut names: Vec<Vec<u8>> = Vec::new();
        while let Some((&length, after)) = rest.split_first() {
            let (name, after) = after.split_at_checked(usize::from(length))?;
            names.push(name.to_vec());
            rest = after;
        }
        if flags & !(ONLY | ANY_ORDER) != 0 || names.len() > NAMES_MAX || !names.is_sorted_by(|a, b| a < b) {
            return None;
        }
        let params = if flags & ONLY == 0 { Params::AllBut(names) } else { Params::Only(names) };
        Some(NoVarySearch { key_order_matters: flags & ANY_ORDER == 0, params })
    }
}

impl Params {
    fn counts(&self, name: &[u8]) -> bool {
        let has = |names: &[Vec<u8>]| names.binary_search_by(|other| other.as_slice().cmp(name)).is_ok();
        match self {
            Params::AllBut(names) => !has(names),
            Params::Only(names) => has(names),
        }
    }
}

/// §5.3: names are written as they would be in a query.
fn keys(names: &[String]) -> Option<Vec<Vec<u8>>> {
    let mut keys: Vec<Vec<u8>> = names.iter().map(|name| decoded(name.as_bytes())).collect();
    keys.sort_unstable();
    keys.dedup();
    (keys.len() <= NAMES_MAX && keys.iter().all(|key| key.len() <= NAME_BYTES_MAX)).then_some(keys)
}

/// A name or value of application/x-www-form-urlencoded: UTF-8, what is no such thing replaced by U+FFFD.
fn decoded(text: &[u8]) -> Vec<u8> {
    let bytes: Vec<u8> = super::query::decoded(text).collect();
    String::from_utf8_lossy(&bytes).into_owned().into_bytes()
}

fn push_encoded(text: &[u8], out: &mut Vec<u8>) {
    for &b in text {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(b),
            b' ' => out.push(b'+'),
            _ => {
                let digit = |n: u8| b"0123456789ABCDEF"[usize::from(n)];
                out.extend_from_slice(&[b'%', digit(b >> 4), digit(b & 15)]);
            }
        }
    }
}

/// Names that one rule may have.
const NAMES_MAX: usize = 128;
/// Bytes of one such name, decoded.
const NAME_BYTES_MAX: usize = 255;

const ONLY: u8 = 1;
const ANY_ORDER: u8 = 2;
