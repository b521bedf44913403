//! Loading configurations, as a user of the library does.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use std::path::Path;
use weir::config::{self, Action, Config, ConfigErrors};

const MINIMAL: &str = r#"
version = 1
[[listener]]
address = "127.0.0.1:8080"
[pool.app]
backends = ["127.0.0.1:9000"]
[cache.pages]
memory = "256MiB"
[[route]]
pool = "app"
cache = "pages"
"#;

fn load(text: &str) -> Result<Config, ConfigErrors> {
    config::load_text(Path::new("weir.toml"), text, &|_| None)
}

#[test]
fn the_smallest_file_loads_without_a_word() {
    let config = load(MINIMAL).unwrap();
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:8080");
    let cache = config.routes[0].cache.unwrap();
    assert_eq!(config.caches[cache.0].name, "pages");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn the_smallest_command_passes_everything_to_one_backend() {
    let config = config::for_backend("localhost:9000").unwrap();
    assert_eq!(config.pools[0].backends[0].address.to_string(), "localhost:9000");
    assert!(matches!(config.routes[0].action, Action::Pool(_)));
    let cache = &config.caches[config.routes[0].cache.unwrap().0];
    assert_eq!((cache.memory, cache.disk.is_none()), (256 << 20, true));
    assert!(config.warnings.is_empty());
    for bad in ["", "nonsense", "\"", "a\nb:1", "${HOME}:80"] {
        let errors = config::for_backend(bad).unwrap_err();
        assert_eq!(errors.errors.len(), 1, "{errors}");
    }
}

#[test]
fn ten_thousand_routes_load_in_well_under_a_second() {
    let mut text = MINIMAL.to_owned();
    for i in 0..10_000 {
        text += &format!("[[route]]\nhost = \"h{i}.example\"\npath = [\"/a/*\", \"/b\"]\npool = \"app\"\n");
    }
    let start = std::time::Instant::now();
    assert_eq!(load(&text).unwrap().routes.len(), 10_001);
    // Ten times what an unoptimised build takes: a quadratic step would take minutes.
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    println!("{:?}", start.elapsed());
}
