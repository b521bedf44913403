/// Appends a number in decimal digits, two at a time.
pub fn push_decimal(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; DIGITS_MAX];
    let (mut at, mut left) = (DIGITS_MAX, number);
    while left >= 10 {
        at -= 2;
        let pair = (left % 100) as usize * 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        left /= 100;
    }
    if left > 0 || at == DIGITS_MAX {
        at -= 1;
        digits[at] = b'0' + left as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Digits of the largest number, made even.
const DIGITS_MAX: usize = 20;

const PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut at = 0;
    while at < 100 {
        pairs[2 * at] = b'0' + (at / 10) as u8;
        pairs[2 * at + 1] = b'0' + (at % 10) as u8;
        at += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(number: u64) -> String {
        let mut out = b"a".to_vec();
        push_decimal(number, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_of_each_length_are_as_the_library_writes_them() {
        for digits in 0..20 {
            let power = 10u64.pow(digits);
            for number in [power - 1, power, power + 1, u64::MAX - power] {
                assert_eq!(decimal(number), format!("a{number}"));
            }
        }
    }

    proptest! {
        #[test]
        fn any_number_is_as_the_library_writes_it(number: u64, shift in 0u32..64) {
            prop_assert_eq!(decimal(number >> shift), format!("a{}", number >> shift));
        }
    }
}
