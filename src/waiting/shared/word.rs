//! What members tell each other, as bytes: numbers as what they are more than the one before (LEB128).

/// One thing that a member tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// What changed.
    News(News),
    /// These are called.
    Called(Vec<u64>),
    /// The member knows nothing, or missed something: all others are to tell all.
    Hello,
    /// The member tells all that it knows, beside the words.
    All,
}

/// What changed at a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Who gave the numbers of `given` out.
    pub(super) issuer: u32,
    /// All that it gave out up to here were told before.
    pub(super) from: u64,
    /// All that it gave out up to here, and that did not come in at once, are told with these.
    pub(super) to: u64,
    /// Have a place in the line from now on.
    pub(super) given: Vec<u64>,
    /// Were heard of: they wait, or are at the door.
    pub(super) heard: Vec<u64>,
    /// Came in.
    pub(super) entered: Vec<u64>,
    /// Are inside, and asked for something there.
    pub(super) inside: Vec<u64>,
}

/// All that a member knows of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct All {
    /// By who gave numbers out: of those up to there, what is not told below came in.
    pub(super) complete: Vec<(u32, u64)>,
    /// So did these, of those beyond.
    pub(super) entered: Vec<u64>,
    /// Wait.
    pub(super) waiting: Vec<u64>,
    /// Have places, and were not heard of for long.
    pub(super) gone: Vec<u64>,
    /// Are called.
    pub(super) called: Vec<u64>,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.from == self.to
            && [&self.given, &self.heard, &self.entered, &self.inside].iter().all(|numbers| numbers.is_empty())
    }
}

impl Word {
    pub(super) fn encode(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        match &mut self {
            Word::Hello => out.push(HELLO),
            Word::All => out.push(ALL),
            Word::Called(numbers) => {
                out.push(CALLED);
                write_numbers(&mut out, numbers);
            }
            Word::News(News { issuer, from, to, given, heard, entered, inside }) => {
                out.push(NEWS);
                [u64::from(*issuer), *from, *to].iter().for_each(|number| write(&mut out, *number));
                [given, heard, entered, inside].into_iter().for_each(|numbers| write_numbers(&mut out, numbers));
            }
        }
        out
    }

    /// `None`: it makes no sense, or is of a newer version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Word> {
        let (kind, rest) = bytes.split_first()?;
        let mut rest = Reader(rest);
        Some(match *kind {
            HELLO => Word::Hello,
            ALL => Word::All,
            CALLED => Word::Called(rest.numbers()?),
            NEWS => Word::News(News {
                issuer: u32::try_from(rest.number()?).ok()?,
                from: rest.number()?,
                to: rest.number()?,
                given: rest.numbers()?,
                heard: rest.numbers()?,
                entered: rest.numbers()?,
                inside: rest.numbers()?,
            }),
            _ => return None,
        })
    }
}

impl All {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        write(&mut out, self.complete.len() as u64);
        for (issuer, to) in &self.complete {
            write(&mut out, u64::from(*issuer));
            write(&mut out, *to);
        }
        for numbers in [&self.entered, &self.waiting, &self.gone, &self.called] {
            write_sorted(&mut out, numbers);
        }
        out
    }

    /// `None`: it makes no sense, or is of a newer version.
    pub(super) fn decode(bytes: &[u8]) -> Option<All> {
        let (version, rest) = bytes.split_first()?;
        let mut rest = Reader(rest);
        let count = rest.count().filter(|_| *version == VERSION)?;
        let mut pair = || Some((u32::try_from(rest.number()?).ok()?, rest.number()?));
        Some(All {
            complete: (0..count).map(|_| pair()).collect::<Option<_>>()?,
            entered: rest.numbers()?,
            waiting: rest.numbers()?,
            gone: rest.numbers()?,
            called: rest.numbers()?,
        })
    }
}

fn write_numbers(out: &mut Vec<u8>, numbers: &mut Vec<u64>) {
    numbers.sort_unstable();
    numbers.dedup();
    write_sorted(out, numbers);
}

fn write_sorted(out: &mut Vec<u8>, numbers: &[u64]) {
    write(out, numbers.len() as u64);
    let mut before = 0;
    for number in numbers {
        write(out, number - before);
        before = *number;
    }
}

fn write(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
    }

    /// Of things of which each takes a byte at least.
    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.0.len())
    }

    fn numbers(&mut self) -> Option<Vec<u64>> {
        let mut before = 0u64;
        let mut next = |reader: &mut Self| {
            before = before.checked_add(reader.number()?)?;
            Some(before)
        };
        (0..self.count()?).map(|_| next(self)).collect()
    }
}

const NEWS: u8 = 1;
const CALLED: u8 = 2;
const HELLO: u8 = 3;
const ALL: u8 = 4;

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers() -> impl Strategy<Value = Vec<u64>> {
        proptest::collection::btree_set(any::<u64>(), 0..20).prop_map(|set| set.into_iter().collect())
    }

    proptest! {
        #[test]
        fn what_is_told_is_heard(a in numbers(), b in numbers(), c in numbers(), d in numbers(), from: u64, issuer: u32) {
            let news = News { issuer, from, to: u64::MAX, given: a.clone(), heard: b.clone(), entered: c.clone(), inside: d.clone() };
            for word in [Word::News(news), Word::Called(a.clone()), Word::Hello, Word::All] {
                prop_assert_eq!(Word::decode(&word.clone().encode()), Some(word));
            }
            let all = All { complete: vec![(issuer, from), (1, 2)], entered: a, waiting: b, gone: c, called: d };
            prop_assert_eq!(All::decode(&all.encode()), Some(all));
        }

        #[test]
        fn garbage_is_no_word_or_one_that_fits_into_it(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Word::decode(&bytes);
            if let Some(all) = All::decode(&bytes) {
                prop_assert!(all.waiting.len() <= bytes.len());
            }
        }
    }
}
