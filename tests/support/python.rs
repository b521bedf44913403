use serde_json::{Value, from_str};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A library for Python, as `.ci/clients` installs it, that does what it is told line by line.
pub struct Python {
    child: Child,
    told: ChildStdin,
    said: BufReader<ChildStdout>,
}

/// Says as JSON what each line of input comes to.
const LOOP: &str = "
import json, sys
for line in sys.stdin:
    try:
        said = eval(line)
    except Exception as error:
        said = {'raised': type(error).__name__ + ': ' + str(error)}
    print(json.dumps(said, default=str), flush=True)
";

impl Python {
    /// With that package, and a few lines to begin with. `None`: it is not installed.
    pub fn with(package: &str, begin: &str) -> Option<Python> {
        let packages = Python::packages(package)?;
        let mut python = Command::new("python3");
        python.args(["-c", &format!("{begin}\n{LOOP}")]).env("PYTHONPATH", packages).env("NO_PROXY", "*");
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (told, said) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Python { child, told, said })
    }

    /// Where that package is; `None`, and it is said, if it is not installed.
    pub fn packages(package: &str) -> Option<PathBuf> {
        let packages = clients().join(package);
        if !packages.is_dir() {
            super::skipped(package);
            return None;
        }
        Some(packages)
    }

    /// What an expression comes to.
    pub fn does(&mut self, expression: &str) -> Value {
        assert!(!expression.contains('\n'));
        writeln!(self.told, "{expression}").unwrap();
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        from_str(&line).unwrap_or_else(|why| panic!("{expression}: {why}: {line:?}"))
    }
}

/// Where `.ci/clients` puts them: beside what is compiled.
fn clients() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients")
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
