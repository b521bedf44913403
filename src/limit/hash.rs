//! The keyed hash of a limit's keys: SipHash-1-3 (Aumasson and Bernstein 2012) over words instead of bytes.
//!
//! A key is a handful of words. To a hasher of bytes they come in pieces, each of which costs it more than its bytes do:
//! two keys were an eighth of all that a cached response takes. Each value is put behind its form and length, so that no two
//! lists of values are the same words.

/// What is known of a value.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Missing,
    Value,
    Several,
}

/// Takes values, one after the other.
pub(super) struct Hash {
    v: [u64; 4],
    words: u64,
}

impl Hash {
    pub(super) fn new(secret: [u64; 2]) -> Hash {
        let [a, b] = secret;
        let v = [
            a ^ 0x736f_6d65_7073_6575,
            b ^ 0x646f_7261_6e64_6f6d,
            a ^ 0x6c79_6765_6e65_7261,
            b ^ 0x7465_6462_7974_6573,
        ];
        Hash { v, words: 0 }
    }

    /// A value. An empty one is missing.
    pub(super) fn value(&mut self, value: &[u8]) {
        self.form(if value.is_empty() { Form::Missing } else { Form::Value }, value.len());
        self.bytes(value);
    }

    /// What has no value.
    pub(super) fn without(&mut self, form: Form) {
        self.form(form, 0);
    }

    /// A number, of which the caller says how many bytes it stands for.
    pub(super) fn number(&mut self, number: u64, bytes: usize) {
        self.form(Form::Value, bytes);
        self.word(number);
    }

    /// A value of `len` bytes that is read byte by byte.
    pub(super) fn each(&mut self, len: usize, value: impl Iterator<Item = u8>) {
        self.form(if len == 0 { Form::Missing } else { Form::Value }, len);
        let (mut word, mut at) = ([0; 8], 0);
        for byte in value.take(len) {
            word[at] = byte;
            at += 1;
            if at == word.len() {
                self.word(u64::from_le_bytes(word));
                (word, at) = ([0; 8], 0);
            }
        }
        if at > 0 {
            self.word(u64::from_le_bytes(word));
        }
    }

    pub(super) fn finish(mut self) -> u64 {
        // The last word has the number of bytes, modulo 256, in its high byte.
        self.word(self.words << 59);
        self.v[2] ^= 0xff;
        (0..3).for_each(|_| self.round());
        self.v.into_iter().fold(0, |all, v| all ^ v)
    }

    fn form(&mut self, form: Form, len: usize) {
        self.word(form as u64 | (len as u64) << 8);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.word(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn word(&mut self, word: u64) {
        self.words = self.words.wrapping_add(1);
        self.v[3] ^= word;
        self.round();
        self.v[0] ^= word;
    }

    #[inline]
    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.v;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.v = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use siphasher::sip::SipHasher13;

    /// The bytes of the words that a value is.
    fn words(value: &[u8]) -> Vec<u8> {
        let mut bytes = ((u64::from(!value.is_empty())) | (value.len() as u64) << 8).to_le_bytes().to_vec();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    proptest! {
        #[test]
        fn it_is_what_siphash_makes_of_the_bytes_of_these_words(
            secret: [u64; 2],
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
        ) {
            let [a, b] = secret;
            let expected = SipHasher13::new_with_keys(a, b).hash(&values.iter().flat_map(|value| words(value)).collect::<Vec<_>>());
            let (mut whole, mut each) = (Hash::new(secret), Hash::new(secret));
            for value in &values {
                whole.value(value);
                each.each(value.len(), value.iter().copied());
            }
            prop_assert_eq!(whole.finish(), expected);
            prop_assert_eq!(each.finish(), expected);
        }
    }

    #[test]
    fn no_two_lists_of_values_are_the_same_words() {
        let of = |values: &[&[u8]]| {
            let mut hash = Hash::new([1, 2]);
            values.iter().for_each(|value| hash.value(value));
            hash.finish()
        };
        let lists: [&[&[u8]]; 7] = [&[], &[b""], &[b"a"], &[b"a\0"], &[b"a", b""], &[b"", b"a"], &[b"", b""]];
        for (at, one) in lists.iter().enumerate() {
            assert!(lists[at + 1..].iter().all(|other| of(one) != of(other)), "{one:?}");
        }
        let mut several = Hash::new([1, 2]);
        several.without(Form::Several);
        assert_ne!(several.finish(), of(&[b""]));
    }
}
