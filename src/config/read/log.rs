use crate::config::file::report::Wrong;
use crate::config::file::table::Table;
use crate::config::{AccessFormat, AccessLog, Destination, Level, Log};
use crate::http::is_name;

pub(super) fn log(table: &Table<'_>) -> Log {
    let level = match &*table.text_or_default("level") {
        "error" => Level::Error,
        "warn" => Level::Warn,
        "debug" => Level::Debug,
        "trace" => Level::Trace,
        _ => Level::Info,
    };
    Log { level, access: access(&table.table_or_empty("access")) }
}

fn access(table: &Table<'_>) -> AccessLog {
    let format = match table.get("format") {
        Some(node) => node.parse(format),
        None => format(&table.text_or_default("format")).ok(),
    };
    let to = match &*table.text_or_default("to") {
        "stdout" => Destination::Stdout,
        "off" => Destination::Off,
        _ => table.get("to").and_then(|node| node.file_path()).map_or(Destination::Stdout, Destination::File),
    };
    AccessLog { format: format.unwrap_or(AccessFormat::Json), to }
}

fn format(text: &str) -> Result<AccessFormat, Wrong> {
    match text {
        "json" => Ok(AccessFormat::Json),
        "combined" => Ok(AccessFormat::Combined),
        text if text.contains('{') => template(text),
        _ => {
            let wrong = Wrong::new("this is not a format of the access log");
            Err(wrong
                .suggest(text, ["json", "combined"])
                .help("wanted: \"json\", \"combined\", or a template with placeholders such as {status}"))
        }
    }
}

fn template(text: &str) -> Result<AccessFormat, Wrong> {
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let after = &rest[at + 1..];
        let end = after.find(['{', '}']).filter(|end| rest[at..].starts_with('{') && after[*end..].starts_with('}'));
        let end = end.ok_or_else(|| Wrong::new("the braces of this template do not pair"))?;
        placeholder(&after[..end])?;
        rest = &after[end + 1..];
    }
    Ok(AccessFormat::Template(text.to_owned()))
}

fn placeholder(name: &str) -> Result<(), Wrong> {
    let field = name.strip_prefix("request.").or_else(|| name.strip_prefix("response."));
    if AccessFormat::PLACEHOLDERS.contains(&name) || field.is_some_and(|field| is_name(field.as_bytes())) {
        return Ok(());
    }
    let wrong = Wrong::new(format!("unknown placeholder {{{}}}", crate::config::file::shape::short(name)));
    let allowed = AccessFormat::PLACEHOLDERS.join(", ");
    Err(wrong
        .suggest(name, AccessFormat::PLACEHOLDERS.iter().copied())
        .help(format!("allowed: {allowed}, request.NAME, response.NAME")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_take_known_placeholders_and_fields_only() {
        assert!(template("{client} {request.user-agent} \"{status}\"").is_ok());
        for bad in ["{", "}", "{a", "{}", "{{status}}", "{statsu}", "{request.}", "{request.a b}"] {
            assert!(template(bad).is_err(), "{bad}");
        }
    }
}
