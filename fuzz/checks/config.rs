use std::path::Path;
use weir::config::{ConfigError, ConfigErrors, load_text, order};

/// Relative paths lead nowhere.
const NAME: &str = "/nonexistent/weir.toml";

/// Devices answer differently each time, or never.
const NOT_OPENED: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Any text is a configuration whose references hold, or gives errors that can be shown and point into it; twice alike.
pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if NOT_OPENED.iter().any(|path| text.contains(path)) {
        return;
    }
    let env = |name: &str| (name == "NAME").then(|| "value".to_owned());
    let load = || load_text(Path::new(NAME), text, &env);
    match load() {
        Ok(config) => {
            assert!(config.pools.iter().all(|pool| !pool.name.is_empty()));
            assert!(order(&config.routes).len() >= config.routes.len());
            assert!(load().is_ok_and(|again| format!("{again:?}") == format!("{config:?}")));
        }
        Err(errors) => {
            can_be_shown(&errors);
            errors.errors.iter().filter(|error| error.file == Path::new(NAME)).for_each(|error| points(error, text));
            assert_eq!(load().expect_err("as before"), errors);
        }
    }
}

fn can_be_shown(errors: &ConfigErrors) {
    assert!((1..=ConfigErrors::MAX).contains(&errors.errors.len()));
    assert_eq!(errors.to_json().as_array().map(Vec::len), Some(errors.errors.len()));
    let shown = errors.to_string();
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
}

fn points(error: &ConfigError, text: &str) {
    assert!(!error.message.is_empty());
    assert!(error.line <= text.split('\n').count(), "{error:?}");
    assert_eq!(error.line == 0, error.column == 0, "{error:?}");
    let excerpt = &error.excerpt;
    assert!(excerpt.indent <= excerpt.text.chars().count(), "{error:?}");
}
