use super::key::{Kind, Spec, quoted};
use super::keys::{SYNONYMS, WORDS};
use super::node::Node;
use super::report::{At, Wrong, nearest};
use super::units;
use toml::de::DeValue;

/// Checks a whole file against the tables of keys, and records all that does not fit. What passes has the right types,
/// known keys, numbers within bounds, and variables that expand; what texts mean is for the readers.
pub(crate) fn check(file: &Node<'_>, spec: &'static Spec) {
    table(file, spec);
}

fn table(node: &Node<'_>, spec: &'static Spec) {
    let mut present = Vec::new();
    for (name, at, value) in node.entries() {
        match spec.key(name) {
            Some(key) => of_kind(&value, &key.kind),
            None => present.extend(unknown(node, name, &at, &value.path, spec)),
        }
        present.push(name);
    }
    // A key that was likely meant is not said to be missing as well.
    for key in spec.keys.iter().filter(|key| key.required && !present.contains(&key.name)) {
        let wrong = Wrong::new(format!("missing `{}` in {}", key.name, spec.title));
        node.wrong(wrong.help(format!("wanted: {} = {}", key.name, key.kind.wanted())));
    }
}

/// Records an unknown key, and gives back the one that was likely meant.
fn unknown(node: &Node<'_>, name: &str, at: &At, path: &str, spec: &'static Spec) -> Option<&'static str> {
    if node.report.is_full() {
        node.report.wrong(at, path, Wrong::default());
        return None;
    }
    let allowed: Vec<_> = spec.keys.iter().map(|key| key.name).collect();
    let synonym =
        SYNONYMS.iter().find(|(theirs, ours)| *theirs == name && allowed.contains(ours)).map(|(_, ours)| *ours);
    let meant = synonym.or_else(|| nearest(name, allowed.iter().copied()));
    let wrong = Wrong::new(format!("unknown key `{}` in {}", short(name), spec.title));
    let wrong = match meant {
        Some(meant) => wrong.label(format!("did you mean `{meant}`?")),
        None => wrong,
    };
    node.report.wrong(at, path, wrong.help(format!("allowed: {}", allowed.join(", "))));
    meant
}

fn of_kind(node: &Node<'_>, kind: &'static Kind) {
    if !fits(node.value, kind) {
        let wrong = Wrong::new(format!("`{}` is {}", node.path, type_of(node.value)));
        let wrong = match kind {
            Kind::List(Kind::Table(spec)) if node.value.is_table() => {
                wrong.label(format!("did you mean `{}`?", spec.title))
            }
            _ => wrong,
        };
        return node.wrong(wrong.help(format!("wanted: {}", kind.wanted())));
    }
    if node.value.is_str() && node.text().is_none() {
        return node.check_variables();
    }
    match kind {
        Kind::Bool | Kind::Text(_) => {}
        Kind::Integer { min, max } => integer(node, *min, *max, kind),
        Kind::Choice(words, later) => choice(node, words, later),
        Kind::Duration | Kind::DurationOrZero => duration(node, kind),
        Kind::Size { min, max } => size(node, *min, *max, kind),
        Kind::Bandwidth { min, max } => bandwidth(node, *min, *max, kind),
        Kind::Share => _ = unit(node, units::share, kind),
        Kind::Rate => _ = unit(node, units::rate, kind),
        Kind::Factor { min, max } => factor(node, *min, *max, kind),
        Kind::List(of) | Kind::OneOrMore(of) => elements(node, of, kind),
        Kind::Table(spec) => table(node, spec),
        Kind::Map(_, of) => node.entries().iter().for_each(|(_, _, value)| of_kind(value, of)),
        Kind::Either(kinds) => {
            let kind = kinds.iter().find(|kind| fits(node.value, kind));
            of_kind(node, kind.expect("the value fits one of them, as was asked above"));
        }
    }
}

/// Whether the TOML type is right.
fn fits(value: &DeValue<'_>, kind: &Kind) -> bool {
    match kind {
        Kind::Bool => value.is_bool(),
        Kind::Integer { .. } => value.is_integer(),
        Kind::Factor { .. } => value.is_integer() || value.is_float(),
        Kind::Text(_) | Kind::Choice(..) | Kind::Duration | Kind::DurationOrZero => value.is_str(),
        Kind::Size { .. } | Kind::Share | Kind::Rate | Kind::Bandwidth { .. } => value.is_str(),
        Kind::List(_) => value.is_array(),
        Kind::OneOrMore(of) => value.is_array() || fits(value, of),
        Kind::Table(_) | Kind::Map(..) => value.is_table(),
        Kind::Either(kinds) => kinds.iter().any(|kind| fits(value, kind)),
    }
}

fn elements(node: &Node<'_>, of: &'static Kind, kind: &'static Kind) {
    let elements = node.elements();
    if elements.is_empty() {
        let wrong = Wrong::new(format!("`{}` is empty", node.path));
        node.wrong(wrong.help(format!("wanted: {}; leave the key out if there is none", kind.wanted())));
    }
    elements.iter().for_each(|element| of_kind(element, of));
}

fn integer(node: &Node<'_>, min: u64, max: u64, kind: &Kind) {
    if !node.integer().is_some_and(|n| (min..=max).contains(&n)) {
        let wrong = Wrong::new(format!("`{}` is out of range", node.path));
        node.wrong(wrong.help(format!("wanted: {}", kind.wanted())));
    }
}

fn factor(node: &Node<'_>, min: u16, max: u16, kind: &Kind) {
    if !node.factor().is_some_and(|n| (min..=max).contains(&n)) {
        let wrong = Wrong::new(format!("`{}` is out of range", node.path));
        node.wrong(wrong.help(format!("wanted: {}", kind.wanted())));
    }
}

fn choice(node: &Node<'_>, words: &'static [&'static str], later: &[&str]) {
    let Some(text) = node.text() else { return };
    if words.contains(&&*text) {
        return;
    }
    let allowed = format!("allowed: {}", quoted(words));
    if later.contains(&&*text) {
        let message = format!("{} is not supported by this version yet", written(node));
        return node.wrong(Wrong::new(message).help(allowed));
    }
    let wrong = Wrong::new(format!("{} is not a value of `{}`", written(node), node.path));
    let synonym = WORDS.iter().find(|(theirs, ours)| *theirs == text && words.contains(ours));
    let wrong = match synonym {
        Some((_, ours)) => wrong.label(format!("did you mean `{ours}`?")),
        None => wrong.suggest(&text, words.iter().copied()),
    };
    node.wrong(wrong.help(allowed));
}

fn duration(node: &Node<'_>, kind: &Kind) {
    let Some(duration) = unit(node, units::duration, kind) else { return };
    if duration.is_zero() && matches!(kind, Kind::Duration) {
        let wrong = Wrong::new(format!("`{}` must be above zero", node.path));
        node.wrong(wrong.help("without a bound on waiting, one silent peer holds a connection for ever"));
    }
}

fn size(node: &Node<'_>, min: u64, max: u64, kind: &Kind) {
    let Some(size) = unit(node, units::size, kind) else { return };
    if !(min..=max).contains(&size) {
        let wrong = Wrong::new(format!("`{}` is out of range", node.path));
        let (min, max) = (units::show_size(min), units::show_size(max));
        node.wrong(wrong.help(format!("wanted: a size from {min} to {max}")));
    }
}

fn bandwidth(node: &Node<'_>, min: u64, max: u64, kind: &Kind) {
    let Some(bandwidth) = unit(node, units::bandwidth, kind) else { return };
    if !(min..=max).contains(&bandwidth) {
        let wrong = Wrong::new(format!("`{}` is out of range", node.path));
        let (min, max) = (units::show_size(min), units::show_size(max));
        node.wrong(wrong.help(format!("wanted: a bandwidth from {min}/s to {max}/s")));
    }
}

fn unit<T>(node: &Node<'_>, read: fn(&str) -> Option<T>, kind: &Kind) -> Option<T> {
    let text = node.text()?;
    let value = read(&text);
    if value.is_none() {
        let wrong = Wrong::new(format!("{} is not a value of `{}`", written(node), node.path));
        node.wrong(wrong.help(format!("wanted: {}", kind.wanted())));
    }
    value
}

/// A string in quotes as it is written, cut to a readable length.
fn written(node: &Node<'_>) -> String {
    format!("\"{}\"", short(node.raw()))
}

/// Safe to print, cut to a readable length.
pub(crate) fn short(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", cut.escape_debug())
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Characters of a value that a message repeats.
const SHOWN_CHARS: usize = 60;
