use super::{Item, MEMBERS_MAX};

/// What of a field is still to be read; after the first `None` it is of no more use.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// RFC 9651 §4.2: spaces around the whole do not count.
    pub(super) fn new(text: &'a [u8]) -> Reader<'a> {
        let mut rest = text;
        while let Some((b' ', inner)) = rest.split_first() {
            rest = inner;
        }
        while let Some((b' ', inner)) = rest.split_last() {
            rest = inner;
        }
        Reader { rest }
    }

    /// Steps to the next member of a list or dictionary; `count` is how many there have been.
    pub(super) fn has_member(&mut self, count: &mut usize) -> Option<bool> {
        if *count > 0 {
            self.skip(|b| b == b' ' || b == b'\t');
            if self.rest.is_empty() {
                return Some(false);
            }
            self.expect(b',')?;
            self.skip(|b| b == b' ' || b == b'\t');
        } else if self.rest.is_empty() {
            return Some(false);
        }
        *count += 1;
        // RFC 9651 §4.2.1: a comma at the end is an error.
        (*count <= MEMBERS_MAX && !self.rest.is_empty()).then_some(true)
    }

    /// RFC 9651 §4.2.3.3
    pub(super) fn key(&mut self) -> Option<&'a str> {
        let is_first = |b: u8| b.is_ascii_lowercase() || b == b'*';
        let is_inner = |b: u8| is_first(b) || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.');
        self.rest.first().copied().filter(|&b| is_first(b))?;
        self.text(is_inner)
    }

    /// RFC 9651 §4.2.1.1
    pub(super) fn item_or_inner_list(&mut self) -> Option<Item> {
        if !self.takes(b'(') {
            return self.bare_item();
        }
        let (mut strings, mut are_strings) = (Vec::new(), true);
        for _ in 0..=INNER_MAX {
            self.skip(|b| b == b' ');
            if self.takes(b')') {
                return Some(if are_strings { Item::Strings(strings) } else { Item::Other });
            }
            match self.bare_item()? {
                Item::String(text) => strings.push(text),
                _ => are_strings = false,
            }
            self.parameters()?;
            if !matches!(self.rest.first(), Some(b' ' | b')')) {
                return None;
            }
        }
        None
    }

    /// RFC 9651 §4.2.3.2
    pub(super) fn parameters(&mut self) -> Option<()> {
        for _ in 0..=PARAMETERS_MAX {
            if !self.takes(b';') {
                return Some(());
            }
            self.skip(|b| b == b' ');
            self.key()?;
            if self.takes(b'=') {
                self.bare_item()?;
            }
        }
        None
    }

    /// RFC 9651 §4.2.3.1
    fn bare_item(&mut self) -> Option<Item> {
        match *self.rest.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'*' | b'A'..=b'Z' | b'a'..=b'z' => {
                let is_inner = |b: u8| crate::http::is_token_byte(b) || matches!(b, b':' | b'/');
                Some(Item::Token(self.text(is_inner)?.to_owned()))
            }
            b':' => self.bytes(),
            b'?' => self.boolean(),
            b'@' => {
                self.expect(b'@')?;
                // RFC 9651 §4.2.9
                matches!(self.number()?, Item::Integer(_)).then_some(Item::Other)
            }
            b'%' => self.display_string(),
            _ => None,
        }
    }

    /// RFC 9651 §4.2.4
    fn number(&mut self) -> Option<Item> {
        let sign = if self.takes(b'-') { -1 } else { 1 };
        let digits = self.text(|b| b.is_ascii_digit())?;
        if self.takes(b'.') {
            let fraction = self.text(|b| b.is_ascii_digit())?;
            return (digits.len() <= 12 && fraction.len() <= 3).then_some(Item::Decimal);
        }
        (digits.len() <= 15).then(|| digits.parse::<i64>().ok().map(|n| Item::Integer(sign * n)))?
    }

    /// RFC 9651 §4.2.5
    fn string(&mut self) -> Option<Item> {
        self.expect(b'"')?;
        let mut text = String::new();
        loop {
            match self.next()? {
                b'"' => return Some(Item::String(text)),
                b'\\' => text.push(char::from(self.next().filter(|b| matches!(b, b'"' | b'\\'))?)),
                b @ b' '..=b'~' => text.push(char::from(b)),
                _ => return None,
            }
        }
    }

    /// RFC 9651 §4.2.7; what they are is nobody's question here.
    fn bytes(&mut self) -> Option<Item> {
        self.expect(b':')?;
        self.skip(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
        self.expect(b':')?;
        Some(Item::Other)
    }

    /// RFC 9651 §4.2.8
    fn boolean(&mut self) -> Option<Item> {
        self.expect(b'?')?;
        match self.next()? {
            b'0' => Some(Item::Boolean(false)),
            b'1' => Some(Item::Boolean(true)),
            _ => None,
        }
    }

    /// RFC 9651 §4.2.10
    fn display_string(&mut self) -> Option<Item> {
        self.expect(b'%')?;
        self.expect(b'"')?;
        let mut text = Vec::new();
        loop {
            match self.next()? {
                b'"' => return std::str::from_utf8(&text).ok().map(|_| Item::Other),
                b'%' => text.push(self.lower_hex()? << 4 | self.lower_hex()?),
                b @ b' '..=b'~' => text.push(b),
                _ => return None,
            }
        }
    }

    fn lower_hex(&mut self) -> Option<u8> {
        match self.next()? {
            b @ b'0'..=b'9' => Some(b - b'0'),
            b @ b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        }
    }

    pub(super) fn takes(&mut self, b: u8) -> bool {
        let rest = self.rest.strip_prefix(&[b]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, b: u8) -> Option<()> {
        self.takes(b).then_some(())
    }

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// At least one byte of that kind, and all that follow.
    fn text(&mut self, is_inner: impl Fn(u8) -> bool) -> Option<&'a str> {
        let before = self.rest;
        self.skip(is_inner);
        let text = &before[..before.len() - self.rest.len()];
        std::str::from_utf8(text).ok().filter(|text| !text.is_empty())
    }

    fn skip(&mut self, is_inner: impl Fn(u8) -> bool) {
        let length = self.rest.iter().take_while(|&&b| is_inner(b)).count();
        self.rest = &self.rest[length..];
    }
}

/// Members of an inner list: the least that RFC 9651 §3.1.1 lets a parser have.
const INNER_MAX: usize = 256;
/// Parameters of one item: the least that RFC 9651 §3.1.2 lets a parser have.
const PARAMETERS_MAX: usize = 256;
