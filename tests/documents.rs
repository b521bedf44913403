//! What the documents point to is there.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use std::path::Path;

#[test]
fn every_relative_link_of_a_document_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.to_owned(), root.join("docs")];
    pages = pages.iter().flat_map(|folder| folder.read_dir().unwrap()).map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|e| e == "md"));
    assert!(pages.len() > 3, "the documents were not found");
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        let broken: Vec<&str> = links(&text).filter(|link| !page.parent().unwrap().join(link).exists()).collect();
        assert!(broken.is_empty(), "{}: {broken:?}", page.display());
    }
}

#[test]
fn the_configuration_that_the_first_page_shows_is_valid_as_it_stands() {
    let page = include_str!("../README.md");
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert!(!examples.is_empty());
    for text in examples {
        let loaded = weir::config::load_text(Path::new("README.md"), text, &|_| None);
        assert!(loaded.is_ok_and(|config| config.warnings.is_empty()), "{text}");
    }
}

#[test]
fn links_are_found_without_fragments_and_without_those_to_elsewhere() {
    let text = "[a](b.md) [c](https://d) [e](f.md#g) [h](#i) `x[0](y)`";
    assert_eq!(links(text).collect::<Vec<_>>(), ["b.md", "f.md"]);
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let paths = targets.map(|target| target.split('#').next().unwrap_or_default());
    paths.filter(|path| path.contains(['.', '/']) && !path.contains("://"))
}
