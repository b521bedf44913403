use super::key::{Default, Key, Kind, Spec, inner_specs};
use super::keys::ROOT;
use super::units::{show_factor, show_integer, show_size};
use std::fmt::Write;

/// `docs/configuration.md`, made from the same tables by which files are checked.
#[must_use]
pub fn docs() -> String {
    let mut out = String::from(INTRODUCTION);
    for spec in inner_specs(&ROOT) {
        section(&mut out, spec);
    }
    out
}

fn section(out: &mut String, spec: &Spec) {
    let (level, title) = match spec.title.starts_with('[') || spec.title == ROOT.title {
        true => ("##", spec.title.trim_start_matches("the ").replacen("file", "The file", 1)),
        false => ("###", spec.title.to_owned()),
    };
    let title = if title.starts_with('[') { format!("`{title}`") } else { title };
    let mut text = format!("\n{level} {title}\n\n{}\n\n| key | what | default |\n|---|---|---|\n", spec.doc);
    for key in spec.keys.iter() {
        let what = format!("{} {}", cell(key.doc), form(&key.kind));
        _ = writeln!(text, "| `{}` | {} | {} |", key.name, what.trim_end(), default(key));
    }
    out.push_str(&text);
}

/// The form of a value, where the doc alone does not say it.
fn form(kind: &Kind) -> String {
    match kind {
        Kind::Integer { min, max } if min == max => format!("Always {min}."),
        Kind::Integer { min, max } => format!("{} to {}.", show_integer(*min), show_integer(*max)),
        Kind::Factor { min, max } => format!("{} to {}.", show_factor(*min), show_factor(*max)),
        Kind::Choice(words, _) => {
            format!("One of {}.", words.iter().map(|w| format!("`\"{w}\"`")).collect::<Vec<_>>().join(", "))
        }
        Kind::Size { min, max } => format!("{} to {}.", show_size(*min), show_size(*max)),
        Kind::Bandwidth { min, max } => format!("{}/s to {}/s.", show_size(*min), show_size(*max)),
        Kind::OneOrMore(_) => "One, or an array.".into(),
        Kind::List(Kind::Table(_)) => "An array of tables.".into(),
        Kind::List(of) => format!("An array. {}", form(of)).trim_end().to_owned(),
        Kind::Table(_) => "A table.".into(),
        Kind::Map(key, _) => format!("A table of {key} = value."),
        _ => String::new(),
    }
}

fn default(key: &Key) -> String {
    match key.default {
        _ if key.required => "required".into(),
        Some(Default::Value(text)) if matches!(key.kind, Kind::Bool) => format!("`{text}`"),
        Some(Default::Value(text)) => format!("`\"{text}\"`"),
        Some(Default::Number(n)) => format!("`{}`", show_integer(n)),
        Some(Default::Said(text)) => cell(text),
        None => String::new(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from src/config/file/keys by `WEIR_BLESS=1 cargo test --test config_docs`; edit it there. -->

A configuration is TOML 1.1. `weir check` says all that is wrong with a file at once; `weir check --routes` prints the
order in which routes match; `weir schema` prints a JSON Schema for editors.

- Durations carry a unit: `\"250ms\"`, `\"10s\"`, `\"5m\"`, `\"1h\"`, `\"2d\"`. Sizes do too: `\"64KiB\"`, `\"1MiB\"`, `\"1GiB\"`, or `\"64KB\"`
  in powers of 1,000. Shares are `\"10%\"`; rates are `\"50/s\"`, `\"600/m\"`, `\"1000/h\"` or `\"5/d\"`, bandwidths `\"1MiB/s\"`.
- `${NAME}` in a string stands for a variable of the environment; it is an error if there is none. `$${` stands for `${`.
- Relative paths are relative to the file that they stand in.
- The order of routes does not matter: exact host before wildcard (longest first) before none; exact path before prefix
  (longest first) before regular expression (in the order of the file) before none; then more conditions before fewer;
  then stricter conditions before looser. Two routes that tie are an error.
- The tables below that are written `[…]` or `[[…]]` are sections; the others may be written inline: `timeouts = { head = \"5s\" }`.
";
