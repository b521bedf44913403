use domain::base::name::{Name, ToName};
use std::fmt;

/// A name as it stands in a message: labels after their lengths, the last one empty (RFC 1035 §3.1); lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WireName(Vec<u8>);

/// RFC 1035 §2.3.4, the lengths included.
const NAME_MAX_BYTES: usize = 255;

/// RFC 1035 §2.3.4.
const LABEL_MAX_BYTES: usize = 63;

impl WireName {
    /// A host's name, or a service's with underscores; a final dot may stand. The root is `.`.
    pub(super) fn parse(text: &str) -> Option<WireName> {
        let labels = text.strip_suffix('.').unwrap_or(text);
        let mut wire = Vec::with_capacity(text.len() + 2);
        if text != "." {
            for label in labels.split('.') {
                if label.is_empty() || label.len() > LABEL_MAX_BYTES || !label.bytes().all(is_plain) {
                    return None;
                }
                wire.push(u8::try_from(label.len()).ok()?);
                wire.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
            }
        }
        wire.push(0);
        (wire.len() <= NAME_MAX_BYTES).then_some(WireName(wire))
    }

    /// A name out of a message, whatever its bytes.
    pub(super) fn of(name: &impl ToName) -> WireName {
        let mut wire = Vec::new();
        for label in name.iter_labels() {
            wire.push(u8::try_from(label.len()).expect("a label has at most 63 bytes"));
            wire.extend(label.iter().map(|byte| byte.to_ascii_lowercase()));
        }
        WireName(wire)
    }

    /// This name within a domain; `None` if it gets too long.
    pub(super) fn under(&self, domain: &WireName) -> Option<WireName> {
        let wire = [&self.0[..self.0.len() - 1], &domain.0].concat();
        (wire.len() <= NAME_MAX_BYTES).then_some(WireName(wire))
    }

    /// Whether a name of a message is this one; case does not matter (RFC 1035 §2.3.3).
    pub(super) fn is(&self, other: &impl ToName) -> bool {
        Name::from_slice(&self.0).is_ok_and(|name| name.name_eq(other))
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    pub(super) fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// With dots, without the final one; `None` if no host can have that name, the root's included.
    pub(super) fn host(&self) -> Option<String> {
        let plain = self.labels().all(|label| label.iter().copied().all(is_plain));
        (plain && !self.is_root()).then(|| self.to_string())
    }

    fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (&len, after) = rest.split_first().filter(|(len, _)| **len > 0)?;
            let (label, left) = after.split_at_checked(usize::from(len))?;
            rest = left;
            Some(label)
        })
    }
}

impl fmt::Display for WireName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, label) in self.labels().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            write!(f, "{dot}{}", label.escape_ascii())?;
        }
        Ok(())
    }
}

/// What stands in names of hosts (RFC 1123 §2.1), and the underscore of services (RFC 2782).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_read_in_any_case_with_and_without_its_final_dot() {
        let name = WireName::parse("_HTTP._tcp.Example").unwrap();
        assert_eq!(name.as_wire(), b"\x05_http\x04_tcp\x07example\0");
        assert_eq!(Some(name), WireName::parse("_http._tcp.example."));
        assert_eq!(WireName::parse(".").unwrap().as_wire(), b"\0");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = ["a".repeat(64), vec!["a".repeat(63); 4].join(".")];
        let wrong = ["", "..", "a..b", ".a", "a b", "a\0", "é.example", "a/b", "*.example"];
        for text in wrong.into_iter().chain(long.iter().map(String::as_str)) {
            assert_eq!(WireName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_within_a_domain_has_to_fit() {
        let (name, domain) = (WireName::parse("app").unwrap(), WireName::parse("ns.cluster").unwrap());
        assert_eq!(name.under(&domain).unwrap().to_string(), "app.ns.cluster");
        assert_eq!(name.under(&WireName::parse(".").unwrap()), Some(name.clone()));
        let long = WireName::parse(&vec!["a".repeat(62); 4].join(".")).unwrap();
        assert_eq!(name.under(&long), None);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(labels in proptest::collection::vec("[a-z0-9_-]{1,20}", 1..6)) {
            let text = labels.join(".");
            let name = WireName::parse(&text).unwrap();
            prop_assert_eq!(name.host(), Some(text));
            prop_assert!(name.is(&Name::from_slice(name.as_wire()).unwrap()));
            prop_assert_eq!(&WireName::of(&Name::from_slice(name.as_wire()).unwrap()), &name);
        }
    }
}
