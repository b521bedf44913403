use super::cells::{BOUNDS, Histogram};
use super::families::{Family, Kind};
use std::fmt::{Display, Write};

/// Which text format a page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus text format 0.0.4
    Prometheus,
    /// OpenMetrics 1.0
    OpenMetrics,
}

impl Exposition {
    /// The Content-Type of such a page.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Exposition::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Exposition::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What a client asks for with this `Accept` field: OpenMetrics if it is named, and plain text not preferred.
    #[must_use]
    pub fn for_accept(accept: &str) -> Exposition {
        let weight = |media| accept.split(',').filter_map(|item| quality(item, media)).fold(0.0, f32::max);
        let wanted = weight("application/openmetrics-text");
        if wanted > 0.0 && wanted >= weight("text/plain") { Exposition::OpenMetrics } else { Exposition::Prometheus }
    }
}

/// The weight (RFC 9110 §12.4.2) of a member of Accept, if it names `media`.
fn quality(item: &str, media: &str) -> Option<f32> {
    let mut parts = item.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(media) {
        return None;
    }
    Some(parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0)))
}

/// Writes families and samples; writing to a `String` cannot fail.
pub(super) struct Page<'a> {
    pub(super) exposition: Exposition,
    pub(super) out: &'a mut String,
}

impl Page<'_> {
    pub(super) fn family(&mut self, family: &Family) {
        let Family { name, help, .. } = family;
        let kind = family.kind.name();
        let suffix = match self.exposition {
            Exposition::Prometheus => total(family),
            Exposition::OpenMetrics => "",
        };
        let _ = writeln!(self.out, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}");
        if let (Exposition::OpenMetrics, Some(unit)) = (self.exposition, family.unit) {
            let _ = writeln!(self.out, "# UNIT {name} {unit}");
        }
    }

    pub(super) fn sample(&mut self, family: &Family, labels: &[&str], value: impl Display) {
        self.line(family, total(family), labels, None, value);
    }

    pub(super) fn histogram<'h>(
        &mut self,
        family: &Family,
        labels: &[&str],
        shards: impl Iterator<Item = &'h Histogram>,
    ) {
        let mut buckets = [0; BOUNDS.len() + 1];
        let mut nanos = 0_u64;
        for shard in shards {
            buckets.iter_mut().zip(shard.buckets()).for_each(|(sum, n)| *sum += n);
            nanos = nanos.wrapping_add(shard.sum_nanos());
        }
        let mut count = 0_u64;
        let bounds = BOUNDS.iter().map(|bound| bound.label).chain(["+Inf"]);
        for (bound, n) in bounds.zip(buckets) {
            count += n;
            self.line(family, "_bucket", labels, Some(bound), count);
        }
        self.line(family, "_sum", labels, None, nanos as f64 / 1e9);
        self.line(family, "_count", labels, None, count);
    }

    pub(super) fn end(&mut self) {
        if self.exposition == Exposition::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
    }

    fn line(&mut self, family: &Family, suffix: &str, labels: &[&str], le: Option<&str>, value: impl Display) {
        debug_assert_eq!(family.labels.len(), labels.len(), "{}", family.name);
        self.out.push_str(family.name);
        self.out.push_str(suffix);
        let mut before = '{';
        let named = family.labels.iter().copied().zip(labels.iter().copied());
        for (name, value) in named.chain(le.map(|bound| ("le", bound))) {
            self.out.push(before);
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(value, self.out);
            self.out.push('"');
            before = ',';
        }
        if before == ',' {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }
}

fn total(family: &Family) -> &'static str {
    if family.kind == Kind::Counter { "_total" } else { "" }
}

/// Both formats escape these three in the value of a label.
fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_written_to_those_who_ask_for_it() {
        for (accept, exposition) in [
            ("", Exposition::Prometheus),
            ("*/*", Exposition::Prometheus),
            ("text/plain", Exposition::Prometheus),
            ("application/openmetrics-text; version=1.0.0", Exposition::OpenMetrics),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2",
                Exposition::OpenMetrics,
            ),
            ("application/openmetrics-text;q=0.1, text/plain;q=0.9", Exposition::Prometheus),
            ("application/openmetrics-text;q=0", Exposition::Prometheus),
            ("application/openmetrics-text;q=x", Exposition::Prometheus),
        ] {
            assert_eq!(Exposition::for_accept(accept), exposition, "{accept}");
        }
    }
}
