use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::source::read_bounded;
use crate::config::users::HashFault;
use crate::config::{ConfigError, PasswordHash, Users};
use std::collections::HashMap;
use std::path::Path;

/// A file of `name:hash` lines; what is wrong with it is recorded where it stands there. No hash is ever shown.
pub(super) fn users(node: &Node<'_>) -> Option<Users> {
    let file = node.file_path()?;
    let text = match read_bounded(&file, FILE_BYTES_MAX).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            node.wrong(Wrong::new(format!("{} is not text in UTF-8", file.display())));
            return None;
        }
        Err(why) => {
            node.wrong(Wrong::new(format!("cannot read {}: {why}", file.display())));
            return None;
        }
    };
    let (mut list, mut seen, mut cheap) = (Vec::new(), HashMap::new(), None);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match user(line).and_then(|(name, hash)| match seen.insert(name.clone(), at + 1) {
            Some(other) => Err((format!("`{name}` has a line already"), format!("the other is line {other}"))),
            None => Ok((name, hash)),
        }) {
            Ok((name, hash)) => {
                cheap = cheap.or(hash.is_cheap().then_some(at + 1));
                list.push((name, hash));
            }
            Err((message, help)) => node.report.push(fault(&file, at + 1, message, help)),
        }
    }
    if list.is_empty() {
        node.wrong(Wrong::new(format!("{} has no users", file.display())).help(WANTED));
        return None;
    }
    if list.len() > USERS_MAX {
        node.wrong(Wrong::new(format!("{} has more than {USERS_MAX} users", file.display())));
    }
    if let Some(line) = cheap {
        let warning = format!("{}:{line}: a hash of low cost is soon guessed; {MAKE}", file.display());
        node.report.warn(&node.at, warning);
    }
    Some(Users { file, list })
}

/// What is wrong, and how to mend it.
type Fault = (String, String);

fn user(line: &str) -> Result<(String, PasswordHash), Fault> {
    let Some((name, hash)) = line.split_once(':') else {
        return Err(("this is not a user".to_owned(), WANTED.to_owned()));
    };
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) || name.trim() != name {
        let help = format!("wanted: 1 to {NAME_BYTES_MAX} bytes, no control characters, no space at either end");
        return Err(("this is not a name".to_owned(), help));
    }
    let hash = PasswordHash::parse(hash).map_err(|fault| match fault {
        HashFault::Weak(what) => (format!("`{name}` has {what}, which is no protection"), MAKE.to_owned()),
        HashFault::Unknown(what) => (format!("`{name}` has {what}"), format!("wanted: bcrypt or Argon2id; {MAKE}")),
        HashFault::Malformed => (format!("the hash of `{name}` is not whole"), MAKE.to_owned()),
        HashFault::Dear => {
            let help = "wanted: bcrypt up to cost 14; Argon2id up to 256 MiB, 1 GiB for all its passes, and 16 lanes";
            (format!("the hash of `{name}` takes too long to check"), help.to_owned())
        }
    })?;
    Ok((name.to_owned(), hash))
}

fn fault(file: &Path, line: usize, message: String, help: String) -> ConfigError {
    ConfigError { line, column: 1, help: vec![help], ..ConfigError::of_file(file.to_path_buf(), message) }
}

/// A file of users is kept in memory.
const FILE_BYTES_MAX: u64 = 4 << 20;
const USERS_MAX: usize = 10_000;
const NAME_BYTES_MAX: usize = 255;
const WANTED: &str = "wanted: lines of `name:hash`";
const MAKE: &str = "`htpasswd -B -C 12 FILE NAME` makes a good one";
