//! Text from elsewhere, made harmless for terminals.

/// The text with everything written out that a terminal acts on instead of showing: control characters, escape
/// sequences, line breaks, and the marks that turn the direction of writing around.
///
/// ```
/// assert_eq!(platform_types::text::neutral("\x1b[2Jall is well\n"), r"\u{1b}[2Jall is well\n");
/// ```
pub fn neutral(text: &str) -> String {
    if !text.contains(acts) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// The same, cut after `limit` characters with `…` in the place of the rest.
pub fn neutral_cut(text: &str, limit: usize) -> String {
    let safe = neutral(text);
    match safe.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &safe[..end]),
        None => safe,
    }
}

/// C0, DEL and C1; line and paragraph separators; bidirectional controls; zero-width characters and the byte order mark.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        let check = |text: &str, expect: &str| assert_eq!(neutral(text), expect);
        check("Grüße, 漢字 👋", "Grüße, 漢字 👋");
        check("\u{1b}]0;title\u{7}", r"\u{1b}]0;title\u{7}");
        check("a\r\nb\tc", r"a\r\nb\tc");
        check("\u{9b}31m", r"\u{9b}31m");
        check("abc\u{202e}fed", r"abc\u{202e}fed");
        check("\u{7f}\0", r"\u{7f}\u{0}");
        check("pay\u{200b}pal", r"pay\u{200b}pal");
    }

    #[test]
    fn a_long_text_is_cut_after_it_was_made_harmless() {
        assert_eq!(neutral_cut("abcdef", 6), "abcdef");
        assert_eq!(neutral_cut("abcdef", 3), "abc…");
        assert_eq!(neutral_cut("ä\u{1b}ö", 4), r"ä\u{…");
    }
}
