/// Says that something is not installed without which a test says nothing, and passes. Where all of it is to be there (`CI` is `true`, as in
/// `.ci/run`, which installs it first), the test fails instead, unless `WEIR_MAY_SKIP` is `true`, too.
pub fn skipped(what: &str) {
    let is = |name: &str| std::env::var(name).is_ok_and(|value| value == "true");
    assert!(!is("CI") || is("WEIR_MAY_SKIP"), "{what} is not installed: .ci/clients does that");
    eprintln!("SKIPPED: {what} is not installed");
}
