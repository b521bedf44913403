//! Which rooms of the crate a source text names: just enough of Rust's grammar for that.

/// The rooms named through `crate::…`, `weir::…` or enough `super::…`, each with its line; `*` and `self` stand for all.
///
/// `depth` says how many modules below the crate's root the text stands.
pub(crate) fn rooms(text: &str, depth: usize) -> Vec<(String, usize)> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut open: Vec<bool> = Vec::new(); // for each open brace: is it an inline module's?
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].0.as_str() {
            "{" => open.push(at >= 2 && tokens[at - 2].0 == "mod"),
            "}" => drop(open.pop()),
            "crate" | "weir" if starts_path(&tokens, at) && is(&tokens, at + 1, "::") => {
                tree(&tokens, at + 2, &mut found)
            }
            "super" if !is(&tokens, at.wrapping_sub(1), "::") => {
                let supers =
                    (0..).take_while(|n| is(&tokens, at + 2 * n, "super") && is(&tokens, at + 2 * n + 1, "::"));
                let climbed = supers.count();
                if climbed == depth + open.iter().filter(|&&module| module).count() {
                    tree(&tokens, at + 2 * climbed, &mut found);
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

type Token = (String, usize);

fn is(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|(token, _)| token == text)
}

/// Not the inner part of another path (`a::crate` does not exist, `a::weir` is another's); `::weir` starts one.
fn starts_path(tokens: &[Token], at: usize) -> bool {
    let inner = is(tokens, at.wrapping_sub(1), "::");
    let named =
        tokens.get(at.wrapping_sub(2)).is_some_and(|(t, _)| t.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
    !inner || !named || is(tokens, at.wrapping_sub(2), "use")
}

/// The first names of a use tree that starts at `at`: one name, or a group of trees.
fn tree(tokens: &[Token], mut at: usize, found: &mut Vec<Token>) {
    if !is(tokens, at, "{") {
        return found.extend(tokens.get(at).cloned());
    }
    let mut level = 0;
    let mut first = false;
    while let Some((token, line)) = tokens.get(at) {
        match token.as_str() {
            "{" => (level, first) = (level + 1, level == 0),
            "}" => level -= 1,
            "," => first = level == 1,
            name if first => {
                found.push((name.to_owned(), *line));
                first = false;
            }
            _ => {}
        }
        if level == 0 {
            return;
        }
        at += 1;
    }
}

/// Names, `::` and single punctuation marks with their lines; comments, strings and characters are left out.
fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = match skipped(rest) {
            Some(len) => len,
            None => {
                let len = token_len(rest, c);
                if !c.is_whitespace() {
                    let line = 1 + text[..text.len() - rest.len()].matches('\n').count();
                    out.push((rest[..len].trim_start_matches("r#").to_owned(), line));
                }
                len
            }
        };
        rest = &rest[len..];
    }
    out
}

fn token_len(rest: &str, first: char) -> usize {
    if rest.starts_with("::") {
        return 2;
    }
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let raw = if rest.starts_with("r#") { 2 } else { 0 };
    match rest[raw..].find(|c| !word(c)).unwrap_or(rest.len() - raw) {
        0 => first.len_utf8(),
        len => raw + len,
    }
}

/// The length of the comment, string or character that `rest` starts with, if it starts with one.
fn skipped(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if let Some(len) = literal(rest) {
        return Some(len);
    }
    // A character, not a lifetime: it is closed after one character, or begins with an escape.
    let inner = rest.strip_prefix('\'')?;
    let c = inner.chars().next()?;
    if c == '\\' {
        return Some(end(rest, 3, "'"));
    }
    inner[c.len_utf8()..].starts_with('\'').then(|| 2 + c.len_utf8())
}

/// The length of the string literal that `rest` starts with.
fn literal(rest: &str) -> Option<usize> {
    for prefix in ["br", "cr", "r"] {
        let Some(after) = rest.strip_prefix(prefix) else { continue };
        let hashes = after.bytes().take_while(|&b| b == b'#').count();
        if after[hashes..].starts_with('"') {
            return Some(end(rest, prefix.len() + hashes + 1, &format!("\"{}", "#".repeat(hashes))));
        }
    }
    let body = ["b\"", "c\"", "\""].into_iter().find(|start| rest.starts_with(start))?.len();
    let bytes = rest.as_bytes();
    let mut at = body;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    Some((at + 1).min(bytes.len()))
}

/// Where `mark` ends, looked for from `from` on; the end of the text if it is missing.
fn end(rest: &str, from: usize, mark: &str) -> usize {
    rest[from..].find(mark).map_or(rest.len(), |at| from + at + mark.len())
}

fn block_comment(rest: &str) -> usize {
    let mut level = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (level, at) = (level + 1, at + 2),
            [b'*', b'/', ..] => (level, at) = (level - 1, at + 2),
            _ => at += 1,
        }
        if level == 0 {
            break;
        }
    }
    at
}
