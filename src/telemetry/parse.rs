//! A strict reader of the text formats, for tests: what it accepts, Prometheus accepts.

use super::Exposition;
use std::collections::{BTreeMap, BTreeSet};

/// One line with a value.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

/// All samples of a page, or what is wrong with it.
pub(crate) fn parse(text: &str, exposition: Exposition) -> Result<Vec<Sample>, String> {
    if !text.ends_with('\n') {
        return Err("the last line has no end".into());
    }
    let mut page = Reader { exposition, ..Reader::default() };
    for line in text.lines() {
        page.line(line).map_err(|why| format!("{why}: {line}"))?;
    }
    if page.ended != (exposition == Exposition::OpenMetrics) {
        return Err("# EOF missing, or not expected".into());
    }
    histograms(&page)?;
    Ok(page.samples)
}

struct Reader {
    exposition: Exposition,
    samples: Vec<Sample>,
    /// Families seen, with their types.
    types: BTreeMap<String, String>,
    helped: BTreeSet<String>,
    current: String,
    series: BTreeSet<String>,
    ended: bool,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader {
            exposition: Exposition::Prometheus,
            samples: Vec::new(),
            types: BTreeMap::new(),
            helped: BTreeSet::new(),
            current: String::new(),
            series: BTreeSet::new(),
            ended: false,
        }
    }
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        if self.ended {
            return Err("text after # EOF");
        }
        if line == "# EOF" {
            self.ended = true;
            return Ok(());
        }
        match line.strip_prefix("# ") {
            Some(about) => self.about(about),
            None => self.sample(line),
        }
    }

    fn about(&mut self, about: &str) -> Result<(), &'static str> {
        let mut words = about.splitn(3, ' ');
        let (what, name, rest) = (words.next(), words.next(), words.next());
        let (Some(what), Some(name), Some(rest)) = (what, name, rest) else { return Err("a comment cut short") };
        match what {
            "HELP" if self.helped.insert(name.into()) => Ok(()),
            "TYPE" if !["counter", "gauge", "histogram"].contains(&rest) => Err("an unknown type"),
            "TYPE" if self.types.insert(name.into(), rest.into()).is_none() => {
                self.current = name.into();
                Ok(())
            }
            "UNIT" if name == self.current && name.ends_with(rest) => Ok(()),
            "HELP" | "TYPE" | "UNIT" => Err("said twice or in the wrong place"),
            _ => Err("an unknown comment"),
        }
    }

    fn sample(&mut self, line: &str) -> Result<(), &'static str> {
        let end = line.find(['{', ' ']).ok_or("no value")?;
        let (name, rest) = line.split_at(end);
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(valid) {
            return Err("not a name");
        }
        let (labels, rest) = labels(rest)?;
        let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
        let value: f64 = value.parse().map_err(|_| "not a number")?;
        if !self.suffixes().iter().any(|suffix| name.strip_prefix(&*self.current) == Some(*suffix)) {
            return Err("a sample outside of its family");
        }
        if !self.series.insert(line[..line.len() - rest.len()].to_owned()) {
            return Err("a series listed twice");
        }
        self.samples.push(Sample { name: name.into(), labels, value });
        Ok(())
    }

    fn suffixes(&self) -> &'static [&'static str] {
        match (self.types.get(&self.current).map(String::as_str), self.exposition) {
            (Some("histogram"), _) => &["_bucket", "_sum", "_count"],
            (Some("counter"), Exposition::OpenMetrics) => &["_total"],
            (Some(_), _) => &[""],
            (None, _) => &[],
        }
    }
}

type Labels = Vec<(String, String)>;

/// Reads `{name="value",…}`, if it is there, and gives back what follows.
fn labels(text: &str) -> Result<(Labels, &str), &'static str> {
    let mut labels = Labels::new();
    let Some(mut rest) = text.strip_prefix('{') else { return Ok((labels, text)) };
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label without value")?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err("not a label name");
        }
        let (value, after) = quoted(after)?;
        labels.push((name.into(), value));
        match after.as_bytes().first() {
            Some(b',') => rest = &after[1..],
            Some(b'}') => return Ok((labels, &after[1..])),
            _ => return Err("labels without end"),
        }
    }
}

/// Reads up to the closing quote.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.push(match chars.next() {
                Some((_, 'n')) => '\n',
                Some((_, c @ ('\\' | '"'))) => c,
                _ => return Err("an unknown escape"),
            }),
            c => value.push(c),
        }
    }
    Err("a value without end")
}

/// Buckets rise to +Inf, which equals the count.
fn histograms(page: &Reader) -> Result<(), String> {
    for family in page.types.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
        let mut open: Option<(f64, f64)> = None;
        for sample in page.samples.iter().filter(|sample| sample.name.starts_with(family.as_str())) {
            let le = sample.labels.iter().find(|(name, _)| name == "le").map(|(_, bound)| bound);
            match (le, open) {
                (Some(bound), before) => {
                    let bound: f64 = bound.parse().map_err(|_| format!("{family}: not a bound"))?;
                    if before.is_some_and(|(last, n)| bound <= last || sample.value < n) {
                        return Err(format!("{family}: buckets do not rise"));
                    }
                    open = Some((bound, sample.value));
                }
                (None, Some((last, n))) if sample.name.ends_with("_count") => {
                    if last != f64::INFINITY || n.to_bits() != sample.value.to_bits() {
                        return Err(format!("{family}: +Inf is not the count"));
                    }
                    open = None;
                }
                (None, _) => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prometheus_would_refuse_is_refused() {
        for bad in [
            "a 1\n",
            "# TYPE a counter\na 1",
            "# TYPE a counter\nb 1\n",
            "# TYPE a counter\na x\n",
            "# TYPE a counter\na 1\na 2\n",
            "# TYPE a counter\na{b=\"\\x\"} 1\n",
            "# TYPE a counter\na{b=\"c} 1\n",
            "# TYPE a counter\n# TYPE a counter\n",
            "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n",
            "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
            "# TYPE a counter\na 1\n# EOF\n",
        ] {
            assert!(parse(bad, Exposition::Prometheus).is_err(), "{bad}");
        }
        assert!(parse("# TYPE a counter\na{b=\"c\"} 1\n", Exposition::Prometheus).is_ok());
    }
}
