//! `docs/configuration.md` says what the code does.

use std::fs;
use std::path::Path;

#[test]
fn the_page_on_configuration_is_what_the_tables_of_keys_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let docs = weir::config::docs();
    if std::env::var_os("WEIR_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &docs).unwrap();
    }
    let stale = fs::read_to_string(&path).unwrap_or_default() != docs;
    assert!(!stale, "docs/configuration.md is stale; run: WEIR_BLESS=1 cargo test --test config_docs");
}
