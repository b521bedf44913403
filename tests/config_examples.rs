//! Every file in `conf/` loads.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use std::fs;
use std::path::Path;

#[test]
fn every_example_loads_without_warnings() {
    let dir = tempfile::tempdir().unwrap();
    copy(Path::new("conf"), dir.path());
    write_certificates(&dir.path().join("certs"));
    // As `htpasswd -B -C 10` makes it.
    let user = "ann:$2y$10$wMjLYufF2dECbUjnPuTUyuhdrBYxhu1MxmeDy.toyAY5h4YPXZPO.\n";
    fs::write(dir.path().join("staff.htpasswd"), user).unwrap();
    fs::write(dir.path().join("workers.token"), "a secret of workers".replace(' ', "-")).unwrap();
    let mut loaded = 0;
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let config = weir::config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
            assert!(config.warnings.is_empty(), "{}: {:?}", path.display(), config.warnings);
            loaded += 1;
        }
    }
    assert!(loaded >= 10, "{loaded}");
}

#[test]
fn the_smallest_example_is_the_one_of_the_readme() {
    let config = weir::config::load(Path::new("conf/minimal.toml")).unwrap();
    assert_eq!((config.listeners.len(), config.pools.len(), config.routes.len()), (1, 1, 1));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => _ = fs::copy(entry.path(), target).unwrap(),
        }
    }
}

/// The files that examples name; keys are never committed.
fn write_certificates(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    for name in ["shop", "blog", "ca"] {
        let made = rcgen::generate_simple_self_signed([format!("{name}.example")]).unwrap();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        fs::write(dir.join(format!("{name}.crt")), &cert).unwrap();
        fs::write(dir.join(format!("{name}.key")), &key).unwrap();
        fs::write(dir.join(format!("{name}.pem")), cert + &key).unwrap();
    }
}
