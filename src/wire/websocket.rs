//! WebSocket's opening handshake where HTTP/2 meets HTTP/1.1 (RFC 8441 §5, RFC 6455 §4).

use aws_lc_rs::digest;

/// RFC 6455 §1.3
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What proves to an HTTP/1.1 client that its `Sec-WebSocket-Key` was read: HTTP/2 backends are not asked for it.
pub(super) fn accept(key: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key);
    context.update(MAGIC);
    base64(context.finish().as_ref())
}

/// A key for a backend that speaks HTTP/1.1, when the client, who speaks HTTP/2, has none.
pub(super) fn key() -> String {
    let mut nonce = [0; 16];
    // It need not be secret (RFC 6455 §10.3), so zeros from a system without randomness do no harm.
    let _ = getrandom::fill(&mut nonce);
    base64(&nonce)
}

/// RFC 4648 §4
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = (word >> (18 - 6 * digit)) & 63;
            text.push(if digit <= three.len() { char::from(DIGITS[value as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_the_standards_example() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn base64_pads_to_fours() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn keys_are_16_bytes_and_differ() {
        let (one, other) = (key(), key());
        assert_eq!((one.len(), other.len()), (24, 24));
        assert_ne!(one, other);
    }
}
