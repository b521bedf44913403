//! `/v1/pools/POOL/backends/ADDRESS/drain` and `…/undrain`: takes a backend out softly, and back.

use std::borrow::Cow;

/// What an operator wants of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// The name of its pool.
    pub pool: String,
    /// Its address, as `/v1/status` shows it.
    pub backend: String,
    /// Out, or back.
    pub drain: bool,
}

/// Does it; `false` if there is no such backend.
pub type Drainer = Box<dyn Fn(&Drain) -> bool + Send + Sync>;

impl Drain {
    pub(super) fn of(path: &str) -> Option<Drain> {
        let rest = path.strip_prefix("/v1/pools/")?;
        let (pool, rest) = rest.split_once("/backends/")?;
        let (backend, verb) = rest.rsplit_once('/')?;
        let drain = match verb {
            "drain" => true,
            "undrain" => false,
            _ => return None,
        };
        Some(Drain { pool: decoded(pool)?.into_owned(), backend: decoded(backend)?.into_owned(), drain })
    }

    /// The path that asks for it.
    #[must_use]
    pub fn path(&self) -> String {
        let verb = if self.drain { "drain" } else { "undrain" };
        format!("/v1/pools/{}/backends/{}/{verb}", encoded(&self.pool), encoded(&self.backend))
    }
}

/// RFC 3986 §2.1; `None` for a broken escape.
pub(super) fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

pub(super) fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte);
    let escape = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_is_wanted_and_is_read_as_it_was_written() {
        let names = [("app", "127.0.0.1:80"), ("a b/c", "unix:/run/a%b.sock"), ("é", "[::1]:80")];
        for (pool, backend) in names {
            for drain in [true, false] {
                let wanted = Drain { pool: pool.into(), backend: backend.into(), drain };
                assert_eq!(Drain::of(&wanted.path()), Some(wanted));
            }
        }
        for other in [
            "/v1/pools/a/backends/b",
            "/v1/pools/a/drain",
            "/v1/pools/a/backends/b/kill",
            "/v1/pools/%/backends/b/drain",
        ] {
            assert_eq!(Drain::of(other), None, "{other}");
        }
    }
}
