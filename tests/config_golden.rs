//! What is said about broken files, word for word: `tests/golden/config/*.toml` and the `.txt` beside each.
//! `WEIR_BLESS=1 cargo test --test config_golden` writes the texts anew.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn broken_files_are_explained_as_in_the_golden_texts() {
    let mut stale = Vec::new();
    let broken = broken_files();
    assert!(broken.len() > 30);
    for file in broken {
        let text = fs::read_to_string(&file).unwrap();
        let said = match weir::config::load_text(&file, &text, &env) {
            Ok(_) => panic!("{} is not broken", file.display()),
            Err(errors) => format!("{errors}\n"),
        };
        let golden = file.with_extension("txt");
        if std::env::var_os("WEIR_BLESS").is_some() {
            fs::write(&golden, &said).unwrap();
        }
        let wanted = fs::read_to_string(&golden).unwrap_or_default();
        if said != wanted {
            stale.push(format!("{}\n--- wanted\n{wanted}\n--- said\n{said}", golden.display()));
        }
    }
    let help = "read the differences; if they are meant: WEIR_BLESS=1 cargo test --test config_golden";
    assert!(stale.is_empty(), "{}\n{help}", stale.join("\n"));
}

#[test]
fn every_error_has_a_place_and_json_says_the_same() {
    for file in broken_files() {
        let text = fs::read_to_string(&file).unwrap();
        let errors = weir::config::load_text(&file, &text, &env).unwrap_err();
        let json = errors.to_json();
        assert_eq!(json.as_array().unwrap().len(), errors.errors.len());
        for (error, json) in errors.errors.iter().zip(json.as_array().unwrap()) {
            assert!(error.line >= 1 && error.column >= 1, "{error}");
            assert_eq!(json["line"], error.line);
            assert_eq!(json["message"], error.message.as_str());
        }
    }
}

/// Relative to the package, so that messages are the same everywhere.
fn broken_files() -> Vec<PathBuf> {
    let listing = fs::read_dir(Path::new("tests/golden/config")).unwrap();
    let mut files: Vec<_> = listing.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    files.sort();
    files
}

fn env(name: &str) -> Option<String> {
    match name {
        "ADDRESS" => Some("127.0.0.1:8080".into()),
        "BACKEND" => Some("a secret".into()),
        _ => None,
    }
}
