use crate::cache::purge::{Mode, What};
use crate::live::{Change, News};
use serde_json::{Value, json};

/// A line between two processes that serve the same caches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Something is not to be used any more.
    News(News),
    /// News up to that number are known here as well.
    Done(u64),
}

/// One line of JSON, with its end.
pub(super) fn encode(line: &Line) -> String {
    let value = match line {
        Line::Done(number) => json!({ "done": number }),
        Line::News(News { cache, change: Change::Gone(key), number }) => {
            json!({ "cache": cache, "number": number, "gone": text(key) })
        }
        Line::News(News { cache, change: Change::Purged(what, mode), number }) => json!({
            "cache": cache,
            "number": number,
            "purged": what.kind(),
            "name": text(what.name()),
            "soft": *mode == Mode::Soft,
        }),
    };
    format!("{value}\n")
}

/// Reads one; `None` for what only another version knows.
pub(super) fn decode(line: &str) -> Option<Line> {
    let value: Value = serde_json::from_str(line).ok()?;
    if let Some(number) = value["done"].as_u64() {
        return Some(Line::Done(number));
    }
    let cache = match &value["cache"] {
        Value::Null => None,
        name => Some(name.as_str()?.to_owned()),
    };
    let change = match value["gone"].as_str() {
        Some(key) => Change::Gone(bytes(key)?.into()),
        None => {
            let name = bytes(value["name"].as_str()?)?;
            let what = match value["purged"].as_str()? {
                "url" => What::Url(name),
                "prefix" => What::Prefix(name),
                "host" => What::Host(name),
                "tag" => What::Tag(name),
                "all" => What::All,
                _ => return None,
            };
            Change::Purged(what, if value["soft"].as_bool()? { Mode::Soft } else { Mode::Hard })
        }
    };
    Some(Line::News(News { cache, change, number: value["number"].as_u64()? }))
}

/// Bytes as a text that has one character for each.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| u8::try_from(character).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let whats = [What::Url(every_byte.clone()), What::Prefix(b"http://a/".to_vec()), What::Host(b"a".to_vec())];
        let whats = whats.into_iter().chain([What::Tag(b"t\n\"".to_vec()), What::All]);
        let purges = whats.zip([Mode::Hard, Mode::Soft].into_iter().cycle());
        let changes = purges.map(|(what, mode)| Change::Purged(what, mode)).chain([Change::Gone(every_byte.into())]);
        let caches = [Some("pages \"of\" a\n".to_owned()), None].into_iter().cycle();
        let news = changes.zip(caches).zip(0..).map(|((change, cache), number)| News { cache, change, number });
        for line in news.map(Line::News).chain([Line::Done(7)]) {
            let text = encode(&line);
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert_eq!(decode(text.trim_end()), Some(line));
        }
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        for line in ["", "go", "{}", "7", "{\"purged\": \"moon\", \"name\": \"\", \"soft\": true, \"number\": 1}"] {
            assert_eq!(decode(line), None, "{line}");
        }
        assert_eq!(decode("{\"gone\": \"\u{100}\", \"number\": 0}"), None);
    }
}
