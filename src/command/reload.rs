//! `weir reload`

use super::ask::Where;
use std::io::{self, Write};
use std::process::ExitCode;

/// `weir reload [-c FILE] [--admin ADDRESS]`: asks the running process to read its configuration again, and prints what
/// is wrong with it, as `weir check` would. Succeeds if it was applied.
///
/// # Errors
/// `out` cannot be written to.
pub fn reload(process: &Where, out: &mut dyn Write) -> io::Result<ExitCode> {
    let answer = match process.ask("/v1/reload") {
        Ok(answer) => answer,
        Err(error) => {
            writeln!(out, "{error}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    if !answer.is_done() {
        writeln!(out, "{}", answer.error())?;
        if answer.has_failed() {
            writeln!(out, "not reloaded, the old configuration serves on")?;
        }
        return Ok(ExitCode::FAILURE);
    }
    for warning in answer.content["warnings"].as_array().into_iter().flatten() {
        writeln!(out, "warning: {}", warning.as_str().unwrap_or_default())?;
    }
    writeln!(out, "reloaded")?;
    Ok(ExitCode::SUCCESS)
}
