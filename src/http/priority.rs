//! What a client says of the urgency of its request (RFC 9218).

use super::structured::integer_of;
use super::{FieldName, Fields};

/// Urgency, 0 to 7, where 0 is the most urgent (RFC 9218 §4.1). What is not said, or not said right, is
/// [`URGENCY_DEFAULT`].
#[must_use]
pub fn urgency(fields: &Fields) -> u8 {
    let said = integer_of(fields.all(FieldName::Priority), "u").and_then(|said| u8::try_from(said).ok());
    said.filter(|urgency| *urgency <= URGENCY_MAX).unwrap_or(URGENCY_DEFAULT)
}

/// RFC 9218 §4.1
pub const URGENCY_DEFAULT: u8 = 3;

const URGENCY_MAX: u8 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_urgency_is_read_or_is_the_default() {
        for (lines, expected) in [
            (&[][..], 3),
            (&["u=0"][..], 0),
            (&["u=5, i"][..], 5),
            (&["i, u=7;x=1"][..], 7),
            (&["u=1", "u=2"][..], 2),
            (&["u=1, u"][..], 3),
            (&["u=8"][..], 3),
            (&["u=-1"][..], 3),
            (&["u=1.0"][..], 3),
            (&["u=\"1\""][..], 3),
            (&["u=1,"][..], 3),
            (&["U=1"][..], 3),
            (&["u=999999999999999"][..], 3),
        ] {
            let mut fields = Fields::default();
            lines.iter().for_each(|line| fields.push(b"Priority", line.as_bytes()));
            assert_eq!(urgency(&fields), expected, "{lines:?}");
        }
    }
}
