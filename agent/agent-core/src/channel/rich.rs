//! An answer as one text in runs, each of one style: what is seen, without marks.
//!
//! Invariants: the runs lie one behind the other and cover the text; a table is monospaced text; what Telegram has no
//! word for becomes plain characters.

use std::ops::Range;

use platform_types::markdown::{Block, Inline, ListItem};

const BULLET: &str = "• ";
const CHECKED: &str = "☑ ";
const UNCHECKED: &str = "☐ ";
const RULE: &str = "———";
/// What a list inside a list is set in by.
const INDENT: &str = "   ";
/// Columns of a table are drawn at most so wide, in characters; a longer cell sticks out. Whatever a model writes, padding stays small.
const MAX_COLUMN_CHARS: usize = 40;

/// How a run looks.
#[expect(clippy::struct_excessive_bools, reason = "each is a tag of its own, and any of them go together")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Style {
    pub quote: bool,
    pub bold: bool,
    pub italic: bool,
    pub strike: bool,
    pub link: Option<String>,
    pub code: Code,
}

/// Whether a run is code. Code has no other style but a quote around it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Code {
    #[default]
    No,
    Inline,
    /// With the language, if there is one.
    Block(Option<String>),
}

/// A text and its runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rich {
    text: String,
    runs: Vec<(Range<usize>, Style)>,
}

impl Rich {
    /// An answer's tree, and what stands below it.
    pub fn of(blocks: &[Block], remarks: &[&str]) -> Self {
        let mut rich = Self::default();
        rich.blocks(blocks, &Place::default());
        for remark in remarks {
            rich.gap(&Style::default());
            rich.push(remark, &Style { italic: true, ..Style::default() });
        }
        rich
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn runs(&self) -> impl Iterator<Item = (&str, &Style)> {
        self.runs.iter().map(|(range, style)| (&self.text[range.clone()], style))
    }

    /// Whether any of it looks otherwise than plain.
    pub fn is_styled(&self) -> bool {
        self.runs.iter().any(|(_, style)| *style != Style::default())
    }

    /// Whether this byte is in a block of code.
    pub fn is_code(&self, at: usize) -> bool {
        self.run_at(at).is_some_and(|(_, style)| matches!(style.code, Code::Block(_)))
    }

    /// A part of it. The bounds are bounds of characters.
    #[must_use]
    pub fn part(&self, part: Range<usize>) -> Self {
        let mut cut = Self::default();
        for (range, style) in &self.runs {
            let (start, end) = (range.start.max(part.start), range.end.min(part.end));
            if start < end {
                cut.push(&self.text[start..end], style);
            }
        }
        cut
    }

    pub fn push(&mut self, text: &str, style: &Style) {
        if text.is_empty() {
            return;
        }
        let start = self.text.len();
        self.text.push_str(text);
        match self.runs.last_mut().filter(|(_, last)| last == style) {
            Some((range, _)) => range.end = self.text.len(),
            None => self.runs.push((start..self.text.len(), style.clone())),
        }
    }

    fn run_at(&self, at: usize) -> Option<&(Range<usize>, Style)> {
        let index = self.runs.partition_point(|(range, _)| range.end <= at);
        self.runs.get(index).filter(|(range, _)| range.contains(&at))
    }

    /// An empty line, unless nothing stands above. Between two blocks of one quote it belongs to the quote.
    fn gap(&mut self, style: &Style) {
        if !self.text.is_empty() {
            let quote = style.quote && self.runs.last().is_some_and(|(_, last)| last.quote);
            self.push("\n\n", &Style { quote, ..Style::default() });
        }
    }

    fn blocks(&mut self, blocks: &[Block], place: &Place) {
        for (index, block) in blocks.iter().enumerate() {
            match (index, place.depth) {
                // The first block of an item stands behind its bullet, that of a quote where the quote begins.
                (0, _) => {}
                (_, 1..) => self.line(place),
                _ => self.gap(&place.style),
            }
            self.block(block, place);
        }
    }

    fn block(&mut self, block: &Block, place: &Place) {
        let style = &place.style;
        match block {
            Block::Paragraph { c } => self.inlines(c, style),
            Block::Heading { level: _, c } => self.inlines(c, &Style { bold: true, ..style.clone() }),
            Block::Code { lang, text } => {
                let code = Code::Block(lang.clone());
                self.push(text.trim_end_matches('\n'), &Style { quote: style.quote, code, ..Style::default() });
            }
            Block::Quote { c } => {
                let quote = Place { style: Style { quote: true, ..style.clone() }, ..place.clone() };
                self.blocks(c, &quote);
            }
            Block::List { start, items } => self.list(*start, items, place),
            Block::Table { align: _, head, rows } => self.table(head, rows, style),
            Block::Rule => self.push(RULE, style),
        }
    }

    fn list(&mut self, start: Option<u32>, items: &[ListItem], place: &Place) {
        let inside = Place { depth: place.depth + 1, ..place.clone() };
        for (index, ListItem { checked, c }) in items.iter().enumerate() {
            if index > 0 {
                self.line(place);
            }
            let number = start.map(|start| u64::from(start) + index as u64);
            let mark = match (checked, number) {
                (Some(true), _) => CHECKED.to_owned(),
                (Some(false), _) => UNCHECKED.to_owned(),
                (None, Some(number)) => format!("{number}. "),
                (None, None) => BULLET.to_owned(),
            };
            self.push(&mark, &place.style);
            self.blocks(c, &inside);
        }
    }

    /// The next line of a list.
    fn line(&mut self, place: &Place) {
        self.push(
            &format!("\n{}", INDENT.repeat(place.depth)),
            &Style { quote: place.style.quote, ..Style::default() },
        );
    }

    fn inlines(&mut self, inlines: &[Inline], style: &Style) {
        for inline in inlines {
            match inline {
                Inline::Text { text } => self.push(text, style),
                Inline::Code { text } => {
                    self.push(text, &Style { quote: style.quote, code: Code::Inline, ..Style::default() });
                }
                Inline::Emph { c } => self.inlines(c, &Style { italic: true, ..style.clone() }),
                Inline::Strong { c } => self.inlines(c, &Style { bold: true, ..style.clone() }),
                Inline::Strike { c } => self.inlines(c, &Style { strike: true, ..style.clone() }),
                Inline::Link { href, c } => {
                    // Telegram links to the web only.
                    let web = href.starts_with("http://") || href.starts_with("https://");
                    self.inlines(c, &Style { link: web.then(|| href.clone()), ..style.clone() });
                }
                Inline::Break => self.push("\n", style),
            }
        }
    }

    /// Columns under one another, with a line below the head.
    fn table(&mut self, head: &[Vec<Inline>], rows: &[Vec<Vec<Inline>>], style: &Style) {
        let cells = |row: &[Vec<Inline>]| -> Vec<String> { row.iter().map(|cell| seen(cell)).collect() };
        let head = cells(head);
        let rows: Vec<Vec<String>> = rows.iter().map(|row| cells(row)).collect();
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let width = |row: &Vec<String>| row.get(column).map_or(0, |cell| cell.chars().count());
                rows.iter().map(width).fold(width(&head), usize::max).min(MAX_COLUMN_CHARS)
            })
            .collect();
        let line = |row: &Vec<String>| {
            let cells = widths.iter().enumerate().map(|(column, width)| {
                let cell = row.get(column).map(String::as_str).unwrap_or_default();
                format!("{cell:width$}")
            });
            cells.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
        };
        let below = widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("-+-");
        let lines: Vec<String> = [line(&head), below].into_iter().chain(rows.iter().map(line)).collect();
        self.push(&lines.join("\n"), &Style { quote: style.quote, code: Code::Block(None), ..Style::default() });
    }
}

/// Where a block stands.
#[derive(Debug, Clone, Default)]
struct Place {
    style: Style,
    /// Lists around it.
    depth: usize,
}

/// A cell as one line.
fn seen(inlines: &[Inline]) -> String {
    let mut rich = Rich::default();
    rich.inlines(inlines, &Style::default());
    rich.text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<Inline> {
        vec![Inline::Text { text: text.to_owned() }]
    }

    fn paragraph(words: &str) -> Block {
        Block::Paragraph { c: text(words) }
    }

    fn item(c: Vec<Block>) -> ListItem {
        ListItem { checked: None, c }
    }

    #[test]
    fn lists_in_lists() {
        let inner = Block::List { start: Some(9), items: vec![item(vec![paragraph("x")]), item(vec![paragraph("y")])] };
        let done = ListItem { checked: Some(true), c: vec![paragraph("done")] };
        let items = vec![item(vec![paragraph("a"), inner]), item(vec![paragraph("b"), paragraph("c")]), done];
        let blocks = [paragraph("List:"), Block::List { start: None, items }, paragraph("End.")];
        let rich = Rich::of(&blocks, &["(Stopped.)"]);
        let expect = "List:\n\n• a\n   9. x\n   10. y\n• b\n   c\n☑ done\n\nEnd.\n\n(Stopped.)";
        assert_eq!(rich.text(), expect);
    }

    #[test]
    fn a_quote_stands_one_line_below() {
        let quote = Block::Quote { c: vec![paragraph("a"), paragraph("b")] };
        let rich = Rich::of(&[paragraph("You said:"), quote, paragraph("Yes.")], &[]);
        assert_eq!(rich.text(), "You said:\n\na\n\nb\n\nYes.");
    }

    #[test]
    fn tables_have_columns() {
        let row = |cells: &[&str]| cells.iter().map(|cell| text(cell)).collect::<Vec<_>>();
        let table = Block::Table {
            align: Vec::new(),
            head: row(&["Room", "°C"]),
            rows: vec![row(&["Küche", "21"]), row(&["Bad"])],
        };
        let rich = Rich::of(&[table], &[]);
        assert_eq!(rich.text(), "Room  | °C\n------+---\nKüche | 21\nBad   |");
        assert!(rich.is_code(0));
    }

    #[test]
    fn a_wide_cell_widens_no_other() {
        let wide = "x".repeat(70_000);
        let rows = vec![vec![text("a"), text("b")]; 5000];
        let table = Block::Table { align: Vec::new(), head: vec![text(&wide), text("c")], rows };
        let rich = Rich::of(&[table], &[]);
        assert!(rich.text().starts_with(&wide), "nothing is lost");
        assert!(rich.text().len() < wide.len() + 5002 * 2 * (MAX_COLUMN_CHARS + 3), "{}", rich.text().len());
    }

    #[test]
    fn a_part_keeps_its_styles() {
        let strong = Inline::Strong { c: text("bold") };
        let rich = Rich::of(&[Block::Paragraph { c: [text("ab"), vec![strong]].concat() }], &[]);
        let part = rich.part(1..4);
        let runs: Vec<_> = part.runs().map(|(text, style)| (text, style.bold)).collect();
        assert_eq!(runs, [("b", false), ("bo", true)]);
    }
}
