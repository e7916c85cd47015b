//! Parts of an answer that fit into one message each.
//!
//! Invariants: every part fits; nothing but white space is lost; no character is cut; a block of code that goes over two parts is
//! one in both, because styles belong to the runs of a part and not to where they began.

use super::rich::{Rich, Style};
use super::words::{Language, Word};
use crate::text::utf16_len;

/// Longest text of one message, in UTF-16 units (Bot API, `sendMessage`: after the tags were read).
pub const MAX_PART_UNITS: u64 = 4096;
/// Messages that one answer is split into; what is longer is read at the page.
pub const MAX_PARTS: usize = 8;

/// The parts, each at most [`MAX_PART_UNITS`] long. Instead of a last one that has no room it is said that there is more.
pub fn split(rich: &Rich, language: Language) -> Vec<Rich> {
    let text = rich.text();
    let mut parts = Vec::new();
    let mut start = skip(rich, 0);
    while start < text.len() {
        let rest = &text[start..];
        if parts.len() == MAX_PARTS - 1 && utf16_len(rest.trim_end()) > MAX_PART_UNITS {
            let mut more = Rich::default();
            more.push(Word::More.text(language), &Style { italic: true, ..Style::default() });
            parts.push(more);
            break;
        }
        let end = start + cut(rich, start);
        let seen = start + text[start..end].trim_end().len();
        parts.push(rich.part(start..seen));
        start = skip(rich, end);
    }
    parts
}

/// Past white space. Lines of code keep what they are set in by.
fn skip(rich: &Rich, start: usize) -> usize {
    let rest = &rich.text()[start..];
    let blank = rest.len() - rest.trim_start().len();
    if !rich.is_code(start + blank) {
        return start + blank;
    }
    start + rest[..blank].rfind('\n').map_or(0, |line| line + 1)
}

/// Bytes of the part that begins at `start`: to the last paragraph, line, sentence or word that fits, or as far as it goes.
fn cut(rich: &Rich, start: usize) -> usize {
    let text = &rich.text()[start..];
    let mut units = 0;
    let fits = text.char_indices().find(|(_, c)| {
        units += c.len_utf16() as u64;
        units > MAX_PART_UNITS
    });
    let Some((end, _)) = fits else { return text.len() };
    let head = &text[..end];
    // In its second half, or a part would be nearly empty.
    let good = |at: &usize| *at > end / 2;
    let paragraph = || head.rmatch_indices("\n\n").map(|(at, _)| at).find(|at| !rich.is_code(start + at));
    let line = || head.rfind('\n');
    let sentence = || {
        let ends = head.rmatch_indices(['.', '!', '?', '…', ':', ';']).map(|(at, mark)| at + mark.len());
        ends.into_iter().find(|at| head[*at..].starts_with(char::is_whitespace) && !rich.is_code(start + at))
    };
    let word = || head.rfind(char::is_whitespace);
    let found = paragraph().filter(good).or_else(|| line().filter(good));
    let found = found.or_else(|| sentence().filter(good)).or_else(|| word().filter(good));
    found.unwrap_or_else(|| whole(text, end))
}

/// The nearest place before `end` that is not inside a sequence that is seen as one character.
fn whole(text: &str, end: usize) -> usize {
    let joins =
        |c: char| matches!(c, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{300}'..='\u{36f}');
    let mut at = end;
    // Nobody writes longer ones.
    for _ in 0..16 {
        let Some(before) = text[..at].chars().next_back() else { return end };
        if before != '\u{200d}' && !text[at..].chars().next().is_some_and(joins) {
            return at;
        }
        at -= before.len_utf8();
    }
    end
}

#[cfg(test)]
mod tests {
    use platform_types::markdown::{Block, Inline};
    use proptest::prelude::*;

    use super::super::html::html;
    use super::*;

    fn paragraph(text: &str) -> Block {
        Block::Paragraph { c: vec![Inline::Text { text: text.to_owned() }] }
    }

    fn texts(blocks: &[Block]) -> Vec<String> {
        split(&Rich::of(blocks, &[]), Language::English).iter().map(|part| part.text().to_owned()).collect()
    }

    #[test]
    fn long_answers_are_cut_at_paragraphs_lines_sentences_and_words() {
        let words = "word ".repeat(500);
        let parts = texts(&[paragraph(&words), paragraph(&words), paragraph("end")]);
        assert_eq!(parts.iter().map(|part| part.split_whitespace().count()).collect::<Vec<_>>(), [500, 501]);
        let lines = format!("{}\n{}", "a".repeat(3000), "b".repeat(3000));
        assert_eq!(texts(&[paragraph(&lines)]).iter().map(String::len).collect::<Vec<_>>(), [3000, 3000]);
        let sentences = format!("{}. {} c", "a ".repeat(1500).trim(), "b ".repeat(1500).trim());
        assert!(texts(&[paragraph(&sentences)])[0].ends_with("a."));
        assert!(texts(&[paragraph(&"word ".repeat(1000))]).iter().all(|part| part.ends_with("word")));
        assert_eq!(texts(&[paragraph("short")]), ["short"]);
        assert_eq!(texts(&[paragraph(" \n")]), [""; 0]);
        let endless = texts(&[paragraph(&"x".repeat(100_000))]);
        assert_eq!((endless.len(), endless[7].as_str()), (MAX_PARTS, Word::More.text(Language::English)));
    }

    #[test]
    fn code_over_two_parts_is_code_in_both_and_keeps_its_lines() {
        let code = Block::Code { lang: Some("rust".to_owned()), text: "    let x = 1;\n".repeat(400) };
        let parts = split(&Rich::of(&[paragraph("Look:"), code], &[]), Language::English);
        assert_eq!(parts.len(), 2);
        for part in &parts {
            let html = html(part).expect("fits");
            assert!(html.ends_with("let x = 1;</code></pre>"), "{html}");
            assert_eq!(html.matches("<pre><code class=\"language-rust\">    let x").count(), 1, "{html}");
        }
        let lines: usize = parts.iter().map(|part| part.text().matches("    let x = 1;").count()).sum();
        assert_eq!(lines, 400);
    }

    #[test]
    fn nobody_is_cut_in_half() {
        let family = "👩‍👩‍👧‍👦";
        for before in 0..40 {
            let text = format!("{}{family}{}", "x".repeat(4090 - before), "y".repeat(100));
            let parts = texts(&[paragraph(&text)]);
            assert!(parts.iter().all(|part| !part.starts_with('\u{200d}')), "{before}");
        }
    }

    fn blocks() -> impl Strategy<Value = Vec<Block>> {
        let inline = prop_oneof![
            "[a-zü😀<>&. \n]{0,40}".prop_map(|text| Inline::Text { text }),
            "[a-z<>&]{1,10}".prop_map(|text| Inline::Code { text }),
            "[a-z ]{1,20}".prop_map(|text| Inline::Strong { c: vec![Inline::Emph { c: vec![Inline::Text { text }] }] }),
            "[a-z\"&]{1,20}"
                .prop_map(|text| Inline::Link { href: format!("https://x/?{text}"), c: vec![Inline::Text { text }] }),
        ];
        let block = (proptest::collection::vec(inline, 1..6), 1..60_usize, 0..5_u8).prop_map(|(c, times, kind)| {
            let c: Vec<Inline> = c.iter().cycle().take(c.len() * times).cloned().collect();
            match kind {
                0 => Block::Code { lang: None, text: "  fn f() {}\n".repeat(times * 9) },
                1 => Block::Quote { c: vec![Block::Paragraph { c: c.clone() }, Block::Paragraph { c }] },
                2 => Block::Heading { level: 1, c },
                _ => Block::Paragraph { c },
            }
        });
        proptest::collection::vec(block, 0..12)
    }

    /// What is seen of HTML whose tags are closed in order; panics where they are not.
    fn seen(html: &str) -> String {
        let (mut open, mut text) = (Vec::new(), String::new());
        for piece in html.split_inclusive('>').flat_map(|piece| piece.split_inclusive('<')) {
            match piece.strip_suffix('>') {
                Some(tag) if tag.starts_with('/') => assert_eq!(open.pop(), Some(&tag[1..]), "{html}"),
                Some(tag) => open.push(tag.split(' ').next().unwrap_or_default()),
                None => text.push_str(piece.trim_end_matches('<')),
            }
        }
        assert!(open.is_empty(), "{html}");
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    }

    proptest! {
        #[test]
        fn every_part_fits_and_is_well_formed_and_nothing_but_space_is_lost(blocks in blocks()) {
            let rich = Rich::of(&blocks, &[]);
            let parts = split(&rich, Language::English);
            prop_assert!(parts.len() <= MAX_PARTS);
            for part in &parts {
                prop_assert!(!part.text().trim().is_empty() && utf16_len(part.text()) <= MAX_PART_UNITS);
                if let Some(html) = html(part) {
                    prop_assert_eq!(seen(&html), part.text());
                }
            }
            if parts.last().is_none_or(|last| last.text() != Word::More.text(Language::English)) {
                let plain = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                let whole: String = parts.iter().map(Rich::text).collect();
                prop_assert_eq!(plain(&whole), plain(rich.text()));
            }
        }
    }
}
