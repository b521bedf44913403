use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::source::read_bounded;
use crate::config::file::table::Table;

/// A secret that is a key, from the file, the environment, or a file of its own. What it is never stands in a message.
pub(super) fn secret(table: &Table<'_>, name: &str, node: &Node<'_>) -> Option<Vec<u8>> {
    secret_of(table, name, node, SECRET_BYTES_MIN)
}

/// The same, of so many bytes at least.
pub(super) fn secret_of(table: &Table<'_>, name: &str, node: &Node<'_>, bytes_min: usize) -> Option<Vec<u8>> {
    let bytes = match table.table(name) {
        None => node.text()?.into_owned().into_bytes(),
        Some(of_file) => {
            let file = of_file.get("file")?;
            let path = file.file_path()?;
            match read_bounded(&path, SECRET_BYTES_MAX) {
                Ok(mut bytes) => {
                    let end = [&b"\r\n"[..], b"\n"].into_iter().find(|end| bytes.ends_with(end)).map_or(0, <[u8]>::len);
                    bytes.truncate(bytes.len() - end);
                    bytes
                }
                Err(why) => {
                    file.wrong(Wrong::new(format!("cannot read {}: {why}", path.display())));
                    return None;
                }
            }
        }
    };
    if bytes.len() < bytes_min {
        let help = format!("wanted: at least {bytes_min} bytes, such as `openssl rand -base64 32` gives");
        node.wrong(Wrong::new("this secret is too short").help(help));
        return None;
    }
    Some(bytes)
}

const SECRET_BYTES_MAX: u64 = 4096;
const SECRET_BYTES_MIN: usize = 16;
