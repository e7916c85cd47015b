//! A part as the Bot API wants it: a few tags, and `<`, `>`, `&` escaped. With `entities` the same could be said, but then every
//! offset would have to count what the server trims away.

use super::rich::{Code, Rich, Style};

/// Longest text with its tags, in characters: the gate lets no longer one pass.
pub const MAX_HTML_CHARS: usize = 16 * 1024;

/// The part with tags; `None` where it is too long with them, and has to go as plain text.
pub fn html(part: &Rich) -> Option<String> {
    let mut html = String::with_capacity(part.text().len() * 2);
    let mut open: Vec<Tag<'_>> = Vec::new();
    for (text, style) in part.runs() {
        let wanted = tags(style);
        let same = open.iter().zip(&wanted).take_while(|(open, wanted)| open == wanted).count();
        for tag in open.drain(same..).rev() {
            html.push_str(tag.end());
        }
        for tag in wanted.into_iter().skip(same) {
            tag.begin(&mut html);
            open.push(tag);
        }
        escape(text, &mut html);
    }
    for tag in open.into_iter().rev() {
        html.push_str(tag.end());
    }
    (html.chars().count() <= MAX_HTML_CHARS).then_some(html)
}

/// `<`, `>`, `&` and quotation marks as HTML.
pub fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            _ => html.push(c),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag<'a> {
    Quote,
    Link(&'a str),
    Bold,
    Italic,
    Strike,
    Code,
    Pre(Option<&'a str>),
}

/// From the outermost to the innermost.
fn tags(style: &Style) -> Vec<Tag<'_>> {
    let Style { quote, bold, italic, strike, link, code } = style;
    let flags = [(*bold, Tag::Bold), (*italic, Tag::Italic), (*strike, Tag::Strike)];
    let mut tags: Vec<Tag<'_>> = quote.then_some(Tag::Quote).into_iter().collect();
    match code {
        Code::No => {
            tags.extend(link.as_deref().map(Tag::Link));
            tags.extend(flags.into_iter().filter_map(|(is, tag)| is.then_some(tag)));
        }
        Code::Inline => tags.push(Tag::Code),
        Code::Block(lang) => tags.push(Tag::Pre(lang.as_deref())),
    }
    tags
}

impl Tag<'_> {
    fn begin(self, html: &mut String) {
        let attribute = |html: &mut String, before: &str, value: &str| {
            html.push_str(before);
            escape(value, html);
            html.push_str("\">");
        };
        match self {
            Self::Link(href) => attribute(html, "<a href=\"", href),
            Self::Pre(Some(lang)) => attribute(html, "<pre><code class=\"language-", lang),
            Self::Quote => html.push_str("<blockquote>"),
            Self::Bold => html.push_str("<b>"),
            Self::Italic => html.push_str("<i>"),
            Self::Strike => html.push_str("<s>"),
            Self::Code => html.push_str("<code>"),
            Self::Pre(None) => html.push_str("<pre>"),
        }
    }

    fn end(self) -> &'static str {
        match self {
            Self::Quote => "</blockquote>",
            Self::Link(_) => "</a>",
            Self::Bold => "</b>",
            Self::Italic => "</i>",
            Self::Strike => "</s>",
            Self::Code => "</code>",
            Self::Pre(None) => "</pre>",
            Self::Pre(Some(_)) => "</code></pre>",
        }
    }
}
