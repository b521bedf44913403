//! `weir schema`

use std::io::{self, Write};

/// `weir schema`: prints the JSON Schema of the configuration, for editors.
///
/// # Errors
/// `out` cannot be written to.
pub fn schema(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:#}", crate::config::schema())
}
