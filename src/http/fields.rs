use super::FieldName;
use super::method::TCHAR;

/// A list of fields in the order received: one piece of memory, reused from message to message.
///
/// Names keep the case in which they came and compare case-insensitively.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// One bit a known name that may be among them: most questions are about names that are not.
    known: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    name_at: u32,
    name_len: u32,
    value_at: u32,
    value_len: u32,
    name: FieldName,
}

impl Fields {
    /// Empties the list, keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.known = 0;
    }

    /// Takes a copy of a head's lines, in which all fields lie that [`mark`](Self::mark) names.
    pub(crate) fn adopt(&mut self, lines: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(lines);
    }

    /// Appends a field that lies within the adopted lines.
    pub(crate) fn mark(&mut self, name: FieldName, at: std::ops::Range<usize>, value: std::ops::Range<usize>) {
        self.known |= bit(name);
        self.entries.push(Entry {
            name_at: at.start as u32,
            name_len: at.len() as u32,
            value_at: value.start as u32,
            value_len: value.len() as u32,
            name,
        });
    }

    /// A part of the adopted lines.
    pub(crate) fn adopted(&self, at: std::ops::Range<usize>) -> &[u8] {
        &self.bytes[at]
    }

    /// Reads the lines of a head that Weir itself wrote: `name: value`, each with CRLF.
    #[must_use]
    pub fn of_lines(lines: &[u8]) -> Fields {
        let mut fields = Fields::default();
        fields.adopt(lines);
        let mut at = 0;
        for end in memchr::memchr_iter(b'\n', lines) {
            let line = &lines[at..end];
            if let Some(colon) = memchr::memchr(b':', line) {
                let value = (at + colon + 2).min(end)..end.saturating_sub(1).max((at + colon + 2).min(end));
                fields.mark(FieldName::of(&line[..colon]), at..at + colon, value);
            }
            at = end + 1;
        }
        fields
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// No fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes that names and values take.
    #[must_use]
    pub fn size(&self) -> usize {
        self.entries.iter().map(|e| (e.name_len + e.value_len) as usize).sum()
    }

    /// Appends a field. The caller vouches for `name` and `value` being valid (see [`is_value`]).
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.append(FieldName::of(name), name, &[value]);
    }

    /// Appends a known field, its name in lower case.
    pub fn push_known(&mut self, name: FieldName, value: &[u8]) {
        self.append(name, name.as_str().as_bytes(), &[value]);
    }

    /// Appends a known field whose value is the concatenation of `parts`.
    pub fn push_parts(&mut self, name: FieldName, parts: &[&[u8]]) {
        self.append(name, name.as_str().as_bytes(), parts);
    }

    fn append(&mut self, name: FieldName, text: &[u8], parts: &[&[u8]]) {
        let name_at = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(AFTER_NAME);
        let value_at = self.bytes.len();
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.seal(name, name_at, value_at);
    }

    /// Makes a field of the last bytes, which become a line: its name from `name_at`, its value from `value_at`.
    fn seal(&mut self, name: FieldName, name_at: usize, value_at: usize) {
        self.known |= bit(name);
        self.entries.push(Entry {
            name_at: name_at as u32,
            name_len: (value_at - AFTER_NAME.len() - name_at) as u32,
            value_at: value_at as u32,
            value_len: (self.bytes.len() - value_at) as u32,
            name,
        });
        self.bytes.extend_from_slice(AFTER_VALUE);
    }

    /// Appends the fields to `out` as lines of HTTP/1, but for those of `left_out`, a set made by [`name_set`]. Lines that
    /// lie one after the other, as they mostly do, are one piece.
    pub(crate) fn write_lines(&self, left_out: u64, out: &mut Vec<u8>) {
        let mut piece = 0..0;
        for entry in self.entries.iter().filter(|entry| left_out & bit(entry.name) == 0) {
            let line = self.line(entry);
            match line {
                Some(line) if line.start == piece.end => piece.end = line.end,
                Some(line) => {
                    out.extend_from_slice(&self.bytes[std::mem::replace(&mut piece, line)]);
                }
                None => {
                    out.extend_from_slice(&self.bytes[std::mem::take(&mut piece)]);
                    for part in [self.name(entry), AFTER_NAME, self.value(entry), AFTER_VALUE] {
                        out.extend_from_slice(part);
                    }
                }
            }
        }
        out.extend_from_slice(&self.bytes[piece]);
    }

    /// Where the line of a field is, if it stands as it is to be sent.
    fn line(&self, entry: &Entry) -> Option<std::ops::Range<usize>> {
        let (start, value_end) = (entry.name_at as usize, entry.value_at as usize + entry.value_len as usize);
        let between = self.bytes.get(start + entry.name_len as usize..entry.value_at as usize)?;
        let after = self.bytes.get(value_end..value_end + AFTER_VALUE.len())?;
        (between == AFTER_NAME && after == AFTER_VALUE).then_some(start..value_end + AFTER_VALUE.len())
    }

    /// The value of the first field of that name.
    #[must_use]
    pub fn get(&self, name: FieldName) -> Option<&[u8]> {
        self.candidates(name).iter().find(|e| e.name == name).map(|e| self.value(e))
    }

    /// The values of all fields of that name, in order.
    pub fn all(&self, name: FieldName) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.candidates(name).iter().filter(move |e| e.name == name).map(|e| self.value(e))
    }

    /// The comma-separated members of all fields of that name, trimmed, empty ones left out (RFC 9110 §5.6.1).
    pub fn members(&self, name: FieldName) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.all(name).flat_map(|value| value.split(|&b| b == b',')).map(<[u8]>::trim_ascii).filter(|m| !m.is_empty())
    }

    /// Values of all fields whose name is `name`, case-insensitively; for names from a configuration.
    pub fn named<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let known = FieldName::of(name);
        self.entries
            .iter()
            .filter(move |e| e.name == known && (known != FieldName::Other || self.name(e).eq_ignore_ascii_case(name)))
            .map(|e| self.value(e))
    }

    /// Whether a field of that name is there.
    #[must_use]
    pub fn has(&self, name: FieldName) -> bool {
        self.candidates(name).iter().any(|e| e.name == name)
    }

    /// Whether a field of any of those names may be there; `names` is a set made by [`name_set`].
    pub(super) fn may_have(&self, names: u64) -> bool {
        self.known & names != 0
    }

    /// All entries, or none if that name is surely not among them.
    fn candidates(&self, name: FieldName) -> &[Entry] {
        if self.may_have(bit(name)) { &self.entries } else { &[] }
    }

    /// Removes all fields of that name.
    pub fn remove(&mut self, name: FieldName) {
        if self.may_have(bit(name)) {
            self.entries.retain(|e| e.name != name);
            self.known &= !bit(name);
        }
    }

    /// Removes all fields whose name is `name`, case-insensitively.
    pub fn remove_named(&mut self, name: &[u8]) {
        let known = FieldName::of(name);
        if !self.may_have(bit(known)) {
            return;
        }
        let bytes = &self.bytes;
        self.entries.retain(|e| {
            e.name != known
                || (known == FieldName::Other
                    && !bytes[e.name_at as usize..][..e.name_len as usize].eq_ignore_ascii_case(name))
        });
    }

    /// Removes the fields that the members of `list` name, as Connection does; known names are not removed.
    /// If there are more than `members_max` members, that is the error, and some may be removed already.
    pub(super) fn remove_listed(&mut self, list: FieldName, members_max: usize) -> Result<(), ()> {
        let (mut line, mut seen) = (0, 0);
        // Known names stay, the lines of `list` among them: counting lines is safe while others go.
        while let Some(entry) = self.entries.iter().filter(|e| e.name == list).nth(line).copied() {
            let value = &self.bytes[entry.value_at as usize..][..entry.value_len as usize];
            for member in value.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|m| !m.is_empty()) {
                seen += 1;
                if seen > members_max {
                    return Err(());
                }
                if FieldName::of(member) == FieldName::Other {
                    let bytes = &self.bytes;
                    let is_named =
                        |e: &Entry| bytes[e.name_at as usize..][..e.name_len as usize].eq_ignore_ascii_case(member);
                    self.entries.retain(|e| e.name != FieldName::Other || !is_named(e));
                }
            }
            line += 1;
        }
        Ok(())
    }

    /// Appends a member, the concatenation of `parts`, to the list in `name`; several lines become one (RFC 9110 §5.3).
    pub fn push_member(&mut self, name: FieldName, parts: &[&[u8]]) {
        if !self.has(name) {
            return self.push_parts(name, parts);
        }
        let name_at = self.bytes.len();
        self.bytes.extend_from_slice(name.as_str().as_bytes());
        self.bytes.extend_from_slice(AFTER_NAME);
        let value_at = self.bytes.len();
        for at in 0..self.entries.len() {
            let entry = self.entries[at];
            if entry.name == name && entry.value_len > 0 {
                let start = entry.value_at as usize;
                self.bytes.extend_from_within(start..start + entry.value_len as usize);
                self.bytes.extend_from_slice(b", ");
            }
        }
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.remove(name);
        self.seal(name, name_at, value_at);
    }

    /// Keeps the fields for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(FieldName, &[u8], &[u8]) -> bool) {
        let bytes = &self.bytes;
        self.entries.retain(|e| {
            keep(
                e.name,
                &bytes[e.name_at as usize..][..e.name_len as usize],
                &bytes[e.value_at as usize..][..e.value_len as usize],
            )
        });
    }

    /// Replaces all fields of that name by one.
    pub fn set(&mut self, name: FieldName, value: &[u8]) {
        self.remove(name);
        self.push_known(name, value);
    }

    /// Replaces all fields called `name` by one.
    pub fn set_named(&mut self, name: &[u8], value: &[u8]) {
        self.remove_named(name);
        self.push(name, value);
    }

    /// Known name, name as received, value; in order.
    pub fn iter(&self) -> impl Iterator<Item = (FieldName, &[u8], &[u8])> {
        self.entries.iter().map(|e| (e.name, self.name(e), self.value(e)))
    }

    fn name(&self, e: &Entry) -> &[u8] {
        &self.bytes[e.name_at as usize..][..e.name_len as usize]
    }

    fn value(&self, e: &Entry) -> &[u8] {
        &self.bytes[e.value_at as usize..][..e.value_len as usize]
    }
}

/// What stands between the parts of a line (RFC 9112 §5).
const AFTER_NAME: &[u8] = b": ";
const AFTER_VALUE: &[u8] = b"\r\n";

const fn bit(name: FieldName) -> u64 {
    1 << name as u8
}

/// The set of `names`, for [`Fields::may_have`].
pub(crate) const fn name_set(names: &[FieldName]) -> u64 {
    let (mut set, mut at) = (0, 0);
    while at < names.len() {
        set |= bit(names[at]);
        at += 1;
    }
    set
}

/// RFC 9110 §5.5: visible characters, obs-text, and inner spaces and tabs; no leading or trailing white space.
#[must_use]
pub fn is_value(value: &[u8]) -> bool {
    let inner = value.iter().all(|&b| VCHAR[b as usize]);
    let edge = |b: Option<&u8>| matches!(b, Some(b' ' | b'\t'));
    inner && !edge(value.first()) && !edge(value.last())
}

/// A byte that may stand in a field value.
#[must_use]
pub fn is_value_byte(b: u8) -> bool {
    VCHAR[b as usize]
}

/// RFC 9110 §5.1: a field name is a token.
#[must_use]
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&b| TCHAR[b as usize])
}

/// Bytes that may stand in a field value: HTAB, SP, VCHAR, obs-text.
pub(crate) const VCHAR: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = b == 9 || (b >= 32 && b != 127);
        b += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_joins_the_lines_that_are_there() {
        let mut fields = Fields::default();
        fields.push(b"Via", b"a");
        fields.push(b"x", b"1");
        fields.push(b"Via", b"");
        fields.push(b"Via", b"b, c");
        fields.push_member(FieldName::Via, &[b"1.1", b" d"]);
        fields.push_member(FieldName::Age, &[b"1"]);
        let values: Vec<_> = fields.iter().map(|(_, _, value)| value).collect();
        assert_eq!(values, [&b"1"[..], b"a, b, c, 1.1 d", b"1"]);
    }

    #[test]
    fn every_known_name_has_a_bit_of_its_own() {
        let all = FieldName::ALL.iter().fold(bit(FieldName::Other), |set, &name| {
            assert_eq!(set & bit(name), 0, "{name:?}");
            set | bit(name)
        });
        assert_eq!(all.count_ones() as usize, FieldName::ALL.len() + 1);
    }

    #[test]
    fn fields_keep_order_and_case_and_are_found_by_any_case() {
        let mut fields = Fields::default();
        fields.push(b"X-One", b"1");
        fields.push(b"Via", b"a, b");
        fields.push(b"x-one", b"2");
        fields.push(b"via", b" , c");
        assert_eq!(fields.named(b"X-ONE").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(fields.members(FieldName::Via).collect::<Vec<_>>(), [b"a", b"b", b"c"]);
        fields.remove_named(b"X-oNe");
        assert_eq!(fields.len(), 2);
        fields.set(FieldName::Via, b"d");
        assert_eq!(fields.iter().collect::<Vec<_>>(), [(FieldName::Via, &b"via"[..], &b"d"[..])]);
    }

    #[test]
    fn values_with_control_bytes_or_outer_space_are_not_values() {
        assert!(is_value(b"a b\tc\xff") && is_value(b""));
        for bad in [&b" a"[..], b"a ", b"a\rb", b"a\nb", b"a\0", b"\x7f"] {
            assert!(!is_value(bad));
        }
    }
}
