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

/// Fetches all of `bytes`, up to [`ALL_MAX`].
#[inline]
pub(in crate::cache) fn all(bytes: &[u8]) {
    lines(bytes.as_ptr(), bytes.len().min(ALL_MAX));
}

/// Fetches the first bytes of the first two pages of `bytes`: who reads on in a page is seen by the processor, which goes ahead by itself.
#[inline]
pub(in crate::cache) fn begin(bytes: &[u8]) {
    lines(bytes.as_ptr(), bytes.len().min(BEGIN_BYTES));
    let next = PAGE_BYTES - bytes.as_ptr().addr() % PAGE_BYTES;
    if let Some(page) = bytes.get(next..) {
        lines(page.as_ptr(), page.len().min(BEGIN_BYTES));
    }
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

const PAGE_BYTES: usize = 4096;

/// A usual head and its key. More requests than the processor can have under way would make it wait.
const ALL_MAX: usize = 512;

/// Two lines show in which direction it goes.
const BEGIN_BYTES: usize = 2 * LINE_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_is_as_it_was() {
        for length in [0, 1, 63, 64, 65, 4095, 4096, 4097, 20_000] {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            all(&bytes);
            begin(&bytes);
            item(&bytes);
            assert!(bytes.iter().enumerate().all(|(n, byte)| n as u8 == *byte));
        }
    }
}
