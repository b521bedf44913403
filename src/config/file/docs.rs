/// The docs of the file.
#[must_use]
pub fn docs() -> String {
    String::new()
}
