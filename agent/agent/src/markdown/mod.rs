//! Markdown to a tree of a closed set of nodes: see [`platform_types::markdown`].
//!
//! Whatever a model writes, the tree is bounded in depth and size, has no HTML, and links only to `http`, `https` and
//! `mailto`. Text that would need a larger tree is shown as it is written.

mod links;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use comrak::nodes::{AstNode, ListType, NodeList, NodeValue, TableAlignment};
use comrak::{Arena, Options};
use platform_types::markdown::{Align, Block, Inline, ListItem};

/// Nodes inside one another; what lies deeper is text.
const MAX_DEPTH: usize = 16;
/// Nodes of one message: a page builds a DOM node for each.
const MAX_NODES: usize = 20_000;
/// Time for what is shown at once. Only text made to be slow comes near.
const MAX_PARSE: Duration = Duration::from_millis(100);
/// Longest name of a code block's language.
const MAX_LANG_BYTES: usize = 32;

/// The time that several messages share: once it is up, long ones are shown as they are written.
#[derive(Debug, Clone, Copy)]
pub struct Patience(Instant);

impl Default for Patience {
    fn default() -> Self {
        Self(Instant::now() + MAX_PARSE)
    }
}

/// The tree of `text`.
pub fn parse(text: &str, Patience(deadline): Patience) -> Vec<Block> {
    let arena = Arena::new();
    let parsed = comrak::try_parse_document(&arena, text, &options(), &|| Instant::now() > deadline);
    let mut builder = Builder { nodes: 0 };
    match parsed.ok().and_then(|root| builder.blocks(root, 0)) {
        Some(blocks) => blocks,
        None => vec![Block::Code { lang: None, text: text.to_owned() }],
    }
}

fn options() -> Options<'static> {
    let mut options = Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options
}

/// Counts what it builds; `None` from any of its functions means that the tree got too large.
struct Builder {
    nodes: usize,
}

type Node<'a> = &'a AstNode<'a>;

impl Builder {
    fn count(&mut self) -> Option<()> {
        self.nodes += 1;
        (self.nodes <= MAX_NODES).then_some(())
    }

    fn blocks(&mut self, parent: Node<'_>, depth: usize) -> Option<Vec<Block>> {
        let mut blocks = Vec::new();
        for child in parent.children() {
            self.count()?;
            if depth >= MAX_DEPTH {
                blocks.push(Block::Paragraph { c: vec![Inline::Text { text: plain(child) }] });
            } else {
                self.block(child, depth, &mut blocks)?;
            }
        }
        Some(blocks)
    }

    fn block(&mut self, node: Node<'_>, depth: usize, out: &mut Vec<Block>) -> Option<()> {
        let data = node.data();
        out.push(match &data.value {
            NodeValue::Heading(heading) => {
                Block::Heading { level: heading.level.clamp(1, 6), c: self.inlines(node, depth + 1)? }
            }
            NodeValue::CodeBlock(code) => {
                let text = code.literal.strip_suffix('\n').unwrap_or(&code.literal).to_owned();
                Block::Code { lang: lang(&code.info), text }
            }
            NodeValue::HtmlBlock(html) => Block::Paragraph { c: self.lines(&html.literal)? },
            NodeValue::ThematicBreak => Block::Rule,
            NodeValue::List(list) => self.list(node, *list, depth)?,
            NodeValue::Table(table) => {
                let align = table.alignments.iter().map(|align| match align {
                    TableAlignment::None => Align::None,
                    TableAlignment::Left => Align::Left,
                    TableAlignment::Center => Align::Center,
                    TableAlignment::Right => Align::Right,
                });
                self.table(node, align.collect(), depth)?
            }
            NodeValue::BlockQuote => Block::Quote { c: self.blocks(node, depth + 1)? },
            NodeValue::Paragraph => Block::Paragraph { c: self.inlines(node, depth + 1)? },
            // Extensions that are switched off, should one appear all the same: their text.
            _ => {
                let text = plain(node);
                if text.is_empty() {
                    return Some(());
                }
                Block::Paragraph { c: vec![Inline::Text { text }] }
            }
        });
        Some(())
    }

    fn list(&mut self, node: Node<'_>, list: NodeList, depth: usize) -> Option<Block> {
        let mut items = Vec::new();
        for item in node.children() {
            self.count()?;
            let checked = match &item.data().value {
                NodeValue::TaskItem(task) => Some(task.symbol.is_some()),
                _ => None,
            };
            items.push(ListItem { checked, c: self.blocks(item, depth + 1)? });
        }
        let ordered = matches!(list.list_type, ListType::Ordered);
        let start = ordered.then(|| u32::try_from(list.start).unwrap_or(u32::MAX));
        Some(Block::List { start, items })
    }

    fn table(&mut self, node: Node<'_>, align: Vec<Align>, depth: usize) -> Option<Block> {
        let (mut head, mut rows) = (Vec::new(), Vec::new());
        for row in node.children() {
            self.count()?;
            let mut cells = Vec::new();
            for cell in row.children() {
                self.count()?;
                cells.push(self.inlines(cell, depth + 1)?);
            }
            if matches!(row.data().value, NodeValue::TableRow(true)) {
                head = cells;
            } else {
                rows.push(cells);
            }
        }
        Some(Block::Table { align, head, rows })
    }

    fn inlines(&mut self, parent: Node<'_>, depth: usize) -> Option<Vec<Inline>> {
        let mut inlines = Vec::new();
        for child in parent.children() {
            self.count()?;
            if depth >= MAX_DEPTH {
                push_text(&mut inlines, &plain(child));
            } else {
                self.inline(child, depth, &mut inlines)?;
            }
        }
        Some(inlines)
    }

    fn inline(&mut self, node: Node<'_>, depth: usize, out: &mut Vec<Inline>) -> Option<()> {
        let data = node.data();
        match &data.value {
            NodeValue::Text(text) => push_text(out, text),
            NodeValue::SoftBreak => push_text(out, " "),
            NodeValue::LineBreak => out.push(Inline::Break),
            NodeValue::Code(code) => out.push(Inline::Code { text: code.literal.clone() }),
            NodeValue::Emph => out.push(Inline::Emph { c: self.inlines(node, depth + 1)? }),
            NodeValue::Strong => out.push(Inline::Strong { c: self.inlines(node, depth + 1)? }),
            NodeValue::Strikethrough => out.push(Inline::Strike { c: self.inlines(node, depth + 1)? }),
            NodeValue::Link(link) | NodeValue::Image(link) => {
                let mut c = without_links(self.inlines(node, depth + 1)?);
                let href = links::safe(&link.url);
                if c.is_empty() {
                    push_text(&mut c, &link.url);
                }
                match href {
                    Some(href) => out.push(Inline::Link { href, c }),
                    // A link that is not one: its words.
                    None => out.append(&mut c),
                }
            }
            NodeValue::HtmlInline(html) => push_text(out, html),
            _ => push_text(out, &plain(node)),
        }
        Some(())
    }

    fn lines(&mut self, text: &str) -> Option<Vec<Inline>> {
        let mut inlines = Vec::new();
        for line in text.trim_end().lines() {
            self.count()?;
            if !inlines.is_empty() {
                inlines.push(Inline::Break);
            }
            push_text(&mut inlines, line);
        }
        Some(inlines)
    }
}

/// Adds text, to the text before where there is some.
fn push_text(inlines: &mut Vec<Inline>, more: &str) {
    if let Some(Inline::Text { text }) = inlines.last_mut() {
        text.push_str(more);
    } else if !more.is_empty() {
        inlines.push(Inline::Text { text: more.to_owned() });
    }
}

/// A link inside a link (an image in one) is only its words.
fn without_links(inlines: Vec<Inline>) -> Vec<Inline> {
    let mut plain = Vec::with_capacity(inlines.len());
    for inline in inlines {
        match inline {
            Inline::Link { c, .. } => plain.extend(without_links(c)),
            Inline::Emph { c } => plain.push(Inline::Emph { c: without_links(c) }),
            Inline::Strong { c } => plain.push(Inline::Strong { c: without_links(c) }),
            Inline::Strike { c } => plain.push(Inline::Strike { c: without_links(c) }),
            other => plain.push(other),
        }
    }
    plain
}

/// All text in and below a node.
fn plain(node: Node<'_>) -> String {
    let mut text = String::new();
    for node in node.descendants() {
        match &node.data().value {
            NodeValue::Text(more) => text.push_str(more),
            NodeValue::Code(code) => text.push_str(&code.literal),
            NodeValue::CodeBlock(code) => text.push_str(&code.literal),
            NodeValue::HtmlBlock(html) => text.push_str(&html.literal),
            NodeValue::HtmlInline(html) => text.push_str(html),
            NodeValue::SoftBreak | NodeValue::LineBreak => text.push(' '),
            _ => {}
        }
    }
    text
}

fn lang(info: &str) -> Option<String> {
    let word = info.split_whitespace().next()?;
    let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'#' | b'.'));
    (plain && word.len() <= MAX_LANG_BYTES).then(|| word.to_owned())
}
