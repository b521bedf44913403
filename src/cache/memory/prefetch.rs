//! Telling the processor what is about to be read. What nobody asked for lately stands in none of its caches, and in a large tier not even
//! the way to it does: asked for one after the other, each part costs a wait for memory of its own.
//!
//! The only unsafe code: the instruction is a hint, but Rust has no safe word for it yet.
#![expect(unsafe_code, reason = "a hint to the processor")]

/// Fetches `item` itself, not what it points to.
#[inline]
pub(super) fn item<T>(item: &T) {
    lines(std::ptr::from_ref(item).cast(), size_of::<T>());
}

/// Where something lies, as seen from an item: in lines, and none where that is too far, or nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hint(i32);

impl Hint {
    pub(super) fn new<T>(item: &T, bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self(0);
        }
        let lines = line_of(bytes.as_ptr()).wrapping_sub(line_of(item));
        Self(i32::try_from(lines as isize).unwrap_or(0))
    }

    /// Fetches the first lines: who reads on is seen by the processor, which goes ahead by itself.
    #[inline]
    pub(super) fn prefetch<T>(self, item: &T) {
        if self.0 != 0 {
            let from = line_of(item).wrapping_add_signed(self.0 as isize).wrapping_mul(LINE_BYTES);
            lines(std::ptr::without_provenance(from), BEGIN_BYTES);
        }
    }
}

fn line_of<T>(at: *const T) -> usize {
    at.addr() / LINE_BYTES
}

#[inline]
fn lines(from: *const u8, bytes: usize) {
    for at in (0..bytes).step_by(LINE_BYTES) {
        line(from.wrapping_add(at));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn line(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: every x86-64 has SSE. Nothing is read that a program could see, and an address that is nobody's does no harm.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
}

/// Elsewhere the processor has to see for itself.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn line(_: *const u8) {}

const LINE_BYTES: usize = 64;

/// A usual head with its key. More requests than the processor can have under way would make it wait.
const BEGIN_BYTES: usize = 4 * LINE_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_is_as_it_was() {
        for length in [0, 1, 63, 64, 65, 4095, 4096, 4097, 20_000] {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            item(&bytes);
            Hint::new(&length, &bytes).prefetch(&length);
            assert!(bytes.iter().enumerate().all(|(n, byte)| n as u8 == *byte));
        }
    }

    #[test]
    fn a_hint_says_how_many_lines_away_something_lies() {
        #[repr(align(64))]
        struct Lines([u8; 256]);
        let Lines(bytes) = &Lines([0; 256]);
        assert_eq!(Hint::new(&bytes[0], &bytes[191..]), Hint(2));
        assert_eq!(Hint::new(&bytes[255], &bytes[63..]), Hint(-3));
        assert_eq!(Hint::new(&bytes[0], &[]), Hint(0));
    }
}
