use super::Fields;
use super::structured::list_of_strings;

/// A name under which a response can be purged together with others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// From Surrogate-Key or Cache-Tag: of all that one operator caches.
    Own(Vec<u8>),
    /// From Cache-Groups: of one origin only (RFC 9875 §2.1).
    Group(Vec<u8>),
}

/// The tags of a response, in no particular order, each once. Tags longer than [`TAG_BYTES_MAX`], and those beyond the
/// first [`TAGS_MAX`], are left out.
#[must_use]
pub fn tags(fields: &Fields) -> Vec<Tag> {
    let spaced = fields.named(b"surrogate-key").flat_map(|value| value.split(u8::is_ascii_whitespace));
    let listed = fields.named(b"cache-tag").flat_map(|value| value.split(|&b| b == b',')).map(<[u8]>::trim_ascii);
    let own = spaced.chain(listed).map(|tag| Tag::Own(tag.to_vec()));
    // RFC 9875 §2: a list of strings; RFC 9651 §4.2: what is none is ignored.
    let groups = list_of_strings(fields.named(b"cache-groups")).unwrap_or_default();
    let groups = groups.into_iter().map(|group| Tag::Group(group.into_bytes()));
    let mut tags: Vec<Tag> = own.chain(groups).filter(is_kept).take(TAGS_MAX).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

fn is_kept(tag: &Tag) -> bool {
    match tag {
        Tag::Own(name) => (1..=TAG_BYTES_MAX).contains(&name.len()),
        // An empty string is a group like any other.
        Tag::Group(name) => name.len() <= TAG_BYTES_MAX,
    }
}

/// Tags of one response.
pub const TAGS_MAX: usize = 1024;
/// Bytes of one tag.
pub const TAG_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(&str, &str)]) -> Vec<String> {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        let shown = |tag: Tag| match tag {
            Tag::Own(name) => String::from_utf8(name).unwrap(),
            Tag::Group(name) => format!("group {}", String::from_utf8(name).unwrap()),
        };
        tags(&fields).into_iter().map(shown).collect()
    }

    #[test]
    fn tags_come_from_three_fields_each_in_its_own_syntax() {
        for (lines, expected) in [
            (&[][..], &[][..]),
            (&[("Surrogate-Key", "b  a,c\ta")], &["a", "a,c", "b"]),
            (&[("Cache-Tag", "b , a c,,a c")], &["a c", "b"]),
            (&[("Cache-Groups", "\"b\";x, \"a c\""), ("cache-groups", "\"\"")], &["group ", "group a c", "group b"]),
            (&[("cache-groups", "b, \"a\"")], &[]),
            (&[("surrogate-key", "x"), ("cache-tag", "x, y"), ("cache-groups", "\"x\"")], &["x", "y", "group x"]),
        ] {
            assert_eq!(of(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let long = "x".repeat(TAG_BYTES_MAX);
        assert_eq!(of(&[("surrogate-key", &format!("{long} {long}x a"))]).len(), 2);
        let many: Vec<String> = (0..TAGS_MAX + 10).map(|n| n.to_string()).collect();
        assert_eq!(of(&[("surrogate-key", &many.join(" "))]).len(), TAGS_MAX);
        assert_eq!(of(&[("cache-groups", &format!("\"{long}\", \"{long}x\""))]).len(), 1);
    }
}
