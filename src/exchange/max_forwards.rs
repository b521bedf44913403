//! How far OPTIONS and TRACE may go (RFC 9110 §7.6.2).

use crate::http::{FieldName, Method, RequestHead};

/// Whether we are the last to get the request: it may go no further.
pub(super) fn ends_here(head: &RequestHead) -> bool {
    left(head) == Some(0)
}

/// Counts this hop.
pub(super) fn count_down(head: &mut RequestHead) {
    if let Some(left) = left(head) {
        head.fields.set(FieldName::MaxForwards, left.saturating_sub(1).to_string().as_bytes());
    }
}

/// What the field says; `None` for other methods, and for what is no number, which is passed on as it is.
fn left(head: &RequestHead) -> Option<u32> {
    if !matches!(head.method, Method::Options | Method::Trace) {
        return None;
    }
    let mut lines = head.fields.all(FieldName::MaxForwards);
    let digits = lines.next().filter(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))?;
    // More than we can count is the most that we can count.
    let value = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u32::MAX);
    lines.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(method: Method, values: &[&str]) -> RequestHead {
        let mut head = RequestHead { method, ..Default::default() };
        values.iter().for_each(|value| head.fields.push(b"Max-Forwards", value.as_bytes()));
        head
    }

    fn counted(method: Method, values: &[&str]) -> String {
        let mut head = asks(method, values);
        count_down(&mut head);
        let values: Vec<_> = head.fields.all(FieldName::MaxForwards).map(String::from_utf8_lossy).collect();
        values.join("|")
    }

    #[test]
    fn each_hop_counts_one_and_the_last_is_told_by_zero() {
        for (value, after) in [("5", "4"), ("1", "0"), ("010", "9"), ("99999999999999999999", "4294967294")] {
            assert_eq!(counted(Method::Options, &[value]), after);
            assert_eq!(counted(Method::Trace, &[value]), after);
            assert!(!ends_here(&asks(Method::Options, &[value])));
        }
        assert!(ends_here(&asks(Method::Options, &["0"])) && ends_here(&asks(Method::Trace, &["000"])));
    }

    #[test]
    fn it_means_nothing_to_other_methods_and_nothing_that_is_no_number() {
        assert_eq!(counted(Method::Get, &["5"]), "5");
        assert!(!ends_here(&asks(Method::Get, &["0"])));
        for values in [&["-1"][..], &[""], &["1, 2"], &["0x0"], &["+0"], &["0", "0"], &[]] {
            assert_eq!(counted(Method::Options, values), values.join("|"));
            assert!(!ends_here(&asks(Method::Options, values)), "{values:?}");
        }
    }
}
