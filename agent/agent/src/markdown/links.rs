//! Which addresses a link may have.

/// Longest address; browsers cut longer ones.
const MAX_HREF_BYTES: usize = 2048;

/// The address, when it is `http`, `https` or `mailto` and has nothing in it that browsers would skip.
pub fn safe(url: &str) -> Option<String> {
    let url = url.trim();
    if url.len() > MAX_HREF_BYTES || url.chars().any(|c| c.is_control() || c.is_whitespace() || is_invisible(c)) {
        return None;
    }
    let (scheme, rest) = url.split_once(':')?;
    let rest = match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => rest.strip_prefix("//")?,
        "mailto" => rest,
        _ => return None,
    };
    let first = rest.chars().next()?;
    (!matches!(first, '/' | '\\' | '?' | '#')).then(|| url.to_owned())
}

/// Characters that turn the reading direction or show nothing: they make an address look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn addresses() {
        let check = |url: &str, allowed: bool| assert_eq!(safe(url).is_some(), allowed, "{url:?}");
        check("https://example.org/a?b#c", true);
        check("HTTP://example.org", true);
        check("mailto:a@example.org", true);
        check("javascript:alert(1)", false);
        check("JaVaScRiPt:alert(1)", false);
        check("java\nscript:alert(1)", false);
        check(" https://example.org", true);
        check("data:text/html,x", false);
        check("vbscript:x", false);
        check("file:///etc/passwd", false);
        check("blob:https://example.org/x", false);
        check("//example.org", false);
        check("/path", false);
        check("https:example.org", false);
        check("https:///example.org", false);
        check("https://\\example.org", false);
        check("http://", false);
        check("https://a\u{202e}gro.elpmaxe", false);
        check("https://a\tb", false);
        check(&format!("https://example.org/{}", "x".repeat(3000)), false);
        check("", false);
        check("mailto:", false);
    }
}
