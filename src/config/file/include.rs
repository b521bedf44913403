use std::fs;
use std::path::{Component, Path, PathBuf};

/// Whether a pattern is to be matched against names, rather than opened.
pub(crate) fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// The files that match `pattern`, sorted; at most `max`. `*` and `?` stand for characters within one name; names that
/// start with a dot match only if the pattern says so.
pub(crate) fn glob(dir: &Path, pattern: &str, max: usize) -> Vec<PathBuf> {
    let mut found = vec![dir.to_path_buf()];
    for component in Path::new(pattern).components() {
        found = match component {
            Component::Normal(name) if is_glob(&name.to_string_lossy()) => {
                let name = name.to_string_lossy();
                found.iter().flat_map(|dir| entries(dir, &name, max)).take(max).collect()
            }
            other => found.into_iter().map(|dir| dir.join(other)).collect(),
        };
    }
    found.retain(|path| path.is_file());
    found.sort();
    found
}

fn entries(dir: &Path, pattern: &str, max: usize) -> Vec<PathBuf> {
    let here = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let Ok(listing) = fs::read_dir(here) else { return Vec::new() };
    let names = listing.flatten().map(|entry| entry.file_name());
    names.filter(|name| matches(pattern, &name.to_string_lossy())).take(max).map(|name| dir.join(name)).collect()
}

/// Linear in the product of both lengths at worst: the last star alone is tried again.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut i, mut j, mut star) = (0, 0, None);
    while j < n.len() {
        match p.get(i) {
            Some('*') => {
                star = Some((i, j));
                i += 1;
            }
            Some(c) if *c == '?' || *c == n[j] => {
                i += 1;
                j += 1;
            }
            _ => {
                let Some((at, tried)) = star else { return false };
                star = Some((at, tried + 1));
                i = at + 1;
                j = tried + 1;
            }
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_within_a_name() {
        for (pattern, name) in [("*.toml", "a.toml"), ("a*b*c", "axxbyyc"), ("?.x", "é.x"), ("*", ""), ("**", "a")] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.toml", "a.tom"), ("*.toml", ".a.toml"), ("?", ""), ("a", "b"), ("a*", "ba")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_glob_finds_sorted_files_and_no_directories() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", "c.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("d.toml")).unwrap();
        let found = glob(dir.path(), "*.toml", 10);
        assert_eq!(found, [dir.path().join("a.toml"), dir.path().join("b.toml")]);
        assert!(glob(dir.path(), "none/*.toml", 10).is_empty());
    }
}
