use super::drain::decoded;

/// What a query or a form says (application/x-www-form-urlencoded): the first of a name counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads it; what cannot be read is left out.
    pub(super) fn read(text: &str) -> Parameters {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(PAIRS_MAX);
        let plain = |text: &str| decoded(&text.replace('+', " ")).map(std::borrow::Cow::into_owned);
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((plain(name)?, plain(value)?))
        };
        Parameters(pairs.filter_map(pair).collect())
    }

    /// The same, after what is in this one.
    pub(super) fn and(mut self, more: Parameters) -> Parameters {
        self.0.extend(more.0);
        self
    }

    /// What is said of that; `None`: nothing, or nothing at all.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(its, value)| its == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Whether it is there, with a value or without.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(its, _)| its == name)
    }
}

/// More are not looked at.
const PAIRS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_as_forms_write_it() {
        let read = Parameters::read("a=1&b=x+y%2Fz&c&d=&a=2&broken=%zz&&e%20f=g");
        assert_eq!([read.get("a"), read.get("b"), read.get("e f")], [Some("1"), Some("x y/z"), Some("g")]);
        assert_eq!([read.get("c"), read.get("d"), read.get("broken"), read.get("x")], [None; 4]);
        assert!(read.has("c") && read.has("d") && !read.has("x"));
        assert_eq!(Parameters::read("a=1").and(Parameters::read("a=2&b=3")).get("b"), Some("3"));
    }
}
