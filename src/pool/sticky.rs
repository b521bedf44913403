use crate::config::Sticky;
use aws_lc_rs::hmac;
use std::collections::HashMap;
use std::fmt::Write;

/// The values of a sticky cookie: one a backend, signed, so that nobody can name a backend that he was not sent to.
///
/// A value is HMAC-SHA-256 (RFC 2104) of the pool's and the backend's names, its first 16 bytes in hexadecimal: the same on
/// each Weir that has the secret, whatever the order of the backends.
#[derive(Clone, Debug, Default)]
pub struct StickyValues {
    values: Vec<String>,
    by_value: HashMap<String, usize>,
}

impl StickyValues {
    /// The values for the backends of `pool`, in their order.
    #[must_use]
    pub fn new<'a>(secret: &[u8], pool: &str, backends: impl IntoIterator<Item = &'a str>) -> StickyValues {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let value = |backend: &str| {
            let mut context = hmac::Context::with_key(&key);
            [pool.as_bytes(), b"\0", backend.as_bytes()].iter().for_each(|part| context.update(part));
            let mut text = String::with_capacity(VALUE_BYTES * 2);
            for byte in &context.sign().as_ref()[..VALUE_BYTES] {
                let _ = write!(text, "{byte:02x}");
            }
            text
        };
        let values: Vec<String> = backends.into_iter().map(value).collect();
        let by_value = values.iter().cloned().enumerate().map(|(at, value)| (value, at)).collect();
        StickyValues { values, by_value }
    }

    /// The backend that a cookie's value stands for.
    #[must_use]
    pub fn backend(&self, value: &[u8]) -> Option<usize> {
        self.by_value.get(std::str::from_utf8(value).ok()?).copied()
    }

    /// The value that stands for a backend.
    #[must_use]
    pub fn value(&self, backend: usize) -> Option<&str> {
        self.values.get(backend).map(String::as_str)
    }
}

/// The value of a Set-Cookie field (RFC 6265 §4.1) that gives a client `value`.
#[must_use]
pub fn sticky_cookie(sticky: &Sticky, value: &str, is_secure: bool) -> String {
    let mut cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", sticky.cookie);
    if let Some(ttl) = sticky.ttl {
        let _ = write!(cookie, "; Max-Age={}", ttl.as_secs().max(1));
    }
    if is_secure {
        cookie.push_str("; Secure");
    }
    cookie
}

/// Of the signature.
const VALUE_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_leads_back_to_its_backend_whatever_the_order() {
        let one = StickyValues::new(b"0123456789abcdef", "app", ["a:1", "b:2"]);
        let two = StickyValues::new(b"0123456789abcdef", "app", ["b:2", "c:3", "a:1"]);
        let value = one.value(0).unwrap().as_bytes();
        assert_eq!((one.backend(value), two.backend(value)), (Some(0), Some(2)));
        assert_eq!(value.len(), 32);
        assert_eq!(one.value(2), None);
    }

    #[test]
    fn the_cookie_is_for_the_browser_alone() {
        let mut sticky = Sticky { cookie: "at".into(), secret: None, ttl: None };
        assert_eq!(sticky_cookie(&sticky, "ab", false), "at=ab; Path=/; HttpOnly; SameSite=Lax");
        sticky.ttl = Some(std::time::Duration::from_secs(60));
        assert_eq!(sticky_cookie(&sticky, "ab", true), "at=ab; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure");
    }

    #[test]
    fn values_of_other_secrets_pools_and_garbage_lead_nowhere() {
        let ours = StickyValues::new(b"0123456789abcdef", "app", ["a:1"]);
        for (secret, pool) in [(&b"0123456789abcdeF"[..], "app"), (b"0123456789abcdef", "apq")] {
            let theirs = StickyValues::new(secret, pool, ["a:1"]);
            assert_eq!(ours.backend(theirs.value(0).unwrap().as_bytes()), None);
        }
        for garbage in [&b""[..], b"a:1", &[0xff; 32], &[b'0'; 32], &[b'a'; 5000]] {
            assert_eq!(ours.backend(garbage), None);
        }
    }
}
