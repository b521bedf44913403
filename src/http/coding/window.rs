/// The binary logarithm of the window for content of `length` bytes: no more than `max`, no less than `min`.
pub(super) fn window_log(length: Option<u64>, min: u32, max: u32) -> u32 {
    let length = length.unwrap_or(u64::MAX).max(1);
    (u64::BITS - (length - 1).leading_zeros()).clamp(min, max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_the_content_and_has_bounds() {
        let of = |length| window_log(length, 10, 17);
        assert_eq!([Some(0), Some(1), Some(1024), Some(1025)].map(of), [10, 10, 10, 11]);
        assert_eq!([Some(1 << 17), Some((1 << 17) + 1), Some(u64::MAX), None].map(of), [17, 17, 17, 17]);
    }
}
