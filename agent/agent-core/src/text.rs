//! Cutting text without breaking it.

/// The longest prefix of `text` with at most `bytes` bytes that ends between characters.
pub fn prefix(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `text` with at most `chars` characters; what is cut shows as `…`.
pub fn ellipsis(text: &str, chars: usize) -> String {
    if text.chars().nth(chars).is_none() {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(chars.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Length in UTF-16 code units, in which a page counts.
pub fn utf16_len(text: &str) -> u64 {
    text.chars().map(|c| c.len_utf16() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_characters() {
        assert_eq!(prefix("grün", 3), "gr");
        assert_eq!(prefix("grün", 4), "grü");
        assert_eq!(prefix("grün", 99), "grün");
        assert_eq!(ellipsis("grün", 4), "grün");
        assert_eq!(ellipsis("grünlich", 4), "grü…");
        assert_eq!(utf16_len("a😀"), 3);
    }
}
