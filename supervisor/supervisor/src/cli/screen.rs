//! Standard output: colours where they are wanted, tables, moments, JSON.

use std::io::{IsTerminal as _, Write};

use jiff::tz::TimeZone;
use platform_kit::environment;
use platform_types::Timestamp;
use platform_types::text::neutral;
use serde::Serialize;

use crate::api::wire::Document;
use crate::measure::span;

/// How text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    #[default]
    Plain,
    /// Headings.
    Strong,
    /// What matters less.
    Faint,
    Good,
    Warn,
    Bad,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\u{1b}[1m",
            Self::Faint => "\u{1b}[2m",
            Self::Good => "\u{1b}[32m",
            Self::Warn => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
        }
    }
}

/// Text in the making, and how to write times and colours into it.
#[derive(Debug)]
pub struct Screen {
    text: String,
    colour: bool,
    /// It shows what people, bots or containers said.
    quotes: bool,
    now: Timestamp,
    zone: TimeZone,
}

impl Screen {
    /// For this process's standard output.
    pub fn for_stdout(now: Timestamp) -> Self {
        let colour = is_terminal() && environment::optional("NO_COLOR").is_none();
        Self { text: String::new(), colour, quotes: false, now, zone: TimeZone::system() }
    }

    /// Without colours, in UTC: the same everywhere.
    pub fn plain(now: Timestamp) -> Self {
        Self { text: String::new(), colour: false, quotes: false, now, zone: TimeZone::UTC }
    }

    pub fn has_colour(&self) -> bool {
        self.colour
    }

    /// From here on it is a quotation: nothing in it may be changed.
    pub fn quote(&mut self) {
        self.quotes = true;
    }

    pub fn quotes(&self) -> bool {
        self.quotes
    }

    /// Adds a line.
    pub fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref().trim_end());
        self.text.push('\n');
    }

    pub fn blank(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    pub fn tone(&self, tone: Tone, text: &str) -> String {
        if self.colour && tone != Tone::Plain { format!("{}{text}\u{1b}[0m", tone.code()) } else { text.to_owned() }
    }

    /// `5 min ago`, `in 12 min`, `now`.
    pub fn ago(&self, at: Timestamp) -> String {
        match self.now.millis_since(at) {
            millis if millis.abs() < 1_000 => "now".to_owned(),
            millis if millis < 0 => format!("in {}", span(-millis)),
            millis => format!("{} ago", span(millis)),
        }
    }

    /// The time zone of moments, by its IANA name; `None` where it has none.
    pub fn zone(&self) -> Option<&str> {
        self.zone.iana_name()
    }

    /// A moment as people write it: the time alone today, with its date otherwise.
    pub fn moment(&self, at: Timestamp) -> String {
        let zoned = |at: Timestamp| {
            let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            at.to_zoned(self.zone.clone())
        };
        let (now, at) = (zoned(self.now), zoned(at));
        let format = if now.date() == at.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        at.strftime(format).to_string()
    }

    /// Adds a table, indented by two.
    pub fn table(&mut self, table: &Table) {
        let widths: Vec<usize> = (0..table.heads.len()).map(|column| table.width(column)).collect();
        let heads: Vec<Cell> = table.heads.iter().map(|head| Cell::toned(Tone::Faint, *head)).collect();
        self.row(table, &widths, &heads);
        for row in &table.rows {
            self.row(table, &widths, &row.cells);
            for detail in &row.details {
                let line = format!("      {}", self.tone(detail.tone, &detail.text));
                self.line(line);
            }
        }
    }

    fn row(&mut self, table: &Table, widths: &[usize], cells: &[Cell]) {
        let mut line = String::from("  ");
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let padding = " ".repeat(width.saturating_sub(cell.text.chars().count()));
            let text = self.tone(cell.tone, &cell.text);
            if table.right.contains(&column) {
                line.extend([padding.as_str(), &text]);
            } else {
                line.extend([text.as_str(), &padding]);
            }
            line.push_str("  ");
        }
        self.line(line);
    }

    pub fn into_text(self) -> String {
        self.text
    }

    /// Writes it all out.
    pub fn show(self) -> std::io::Result<()> {
        write_out(&self.text)
    }
}

/// Columns that line up.
#[derive(Debug)]
pub struct Table {
    heads: Vec<&'static str>,
    right: Vec<usize>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    cells: Vec<Cell>,
    /// Lines below it, indented.
    details: Vec<Cell>,
}

/// A text that holds nothing a terminal acts on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub fn toned(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { text: neutral(text.as_ref()), tone }
    }

    /// The text, or a faint dash.
    pub fn or_dash(text: Option<String>) -> Self {
        text.map_or_else(|| Self::toned(Tone::Faint, "–"), |text| Self::toned(Tone::Plain, text))
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(Tone::Plain, text)
    }
}

impl Table {
    pub fn new<const N: usize>(heads: [&'static str; N]) -> Self {
        Self { heads: heads.to_vec(), right: Vec::new(), rows: Vec::new() }
    }

    /// Columns of numbers.
    #[must_use]
    pub fn right<const N: usize>(mut self, columns: [usize; N]) -> Self {
        self.right = columns.to_vec();
        self
    }

    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(Row { cells: cells.into(), details: Vec::new() });
    }

    /// Lines below the last row.
    pub fn details(&mut self, details: impl IntoIterator<Item = Cell>) {
        if let Some(row) = self.rows.last_mut() {
            row.details.extend(details);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.cells.get(column)).map(|cell| cell.text.chars().count());
        cells.chain([self.heads[column].chars().count()]).max().unwrap_or_default()
    }
}

pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Writes to standard output.
pub fn write_out(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A document as JSON text, with its schema name first.
pub fn json<T: Document>(document: &T) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Named<'a, T> {
        schema: &'static str,
        #[serde(flatten)]
        document: &'a T,
    }
    let named = Named { schema: T::SCHEMA, document };
    Ok(harmless(&serde_json::to_string_pretty(&named)?) + "\n")
}

/// The same on one line, for streams.
pub fn json_line<T: Document>(document: &T) -> Result<String, serde_json::Error> {
    let text = json(document)?;
    let value: serde_json::Value = serde_json::from_str(&text)?;
    Ok(harmless(&value.to_string()) + "\n")
}

/// JSON keeps C1 controls and marks of direction as they are; here they are escaped, which means the same.
fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        let escaped = neutral(character.encode_utf8(&mut [0; 4]));
        if character.is_ascii() || escaped.starts_with(character) {
            text.push(character);
        } else {
            let mut units = [0; 2];
            text.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn tables_line_up() {
        let mut table = Table::new(["NAME", "COUNT", "NOTE"]).right([1]);
        table.row(["a".into(), "7".into(), "x".into()]);
        table.details(["below".into()]);
        table.row(["longer name".into(), "1234567".into(), Cell::or_dash(None)]);
        let mut screen = Screen::plain(NOW);
        screen.table(&table);
        assert_eq!(
            screen.into_text(),
            "  NAME           COUNT  NOTE\n  a                  7  x\n      below\n  longer name  1234567  –\n"
        );
    }

    #[test]
    fn moments_and_spans() {
        let screen = Screen::plain(NOW);
        assert_eq!(screen.moment(NOW), "08:00:00");
        assert_eq!(screen.moment(Timestamp(1_799_000_000_000)), "2027-01-03 18:13:20");
        assert_eq!(screen.ago(NOW.plus_millis(-300_000)), "5 min ago");
        assert_eq!(screen.ago(NOW.plus_millis(720_000)), "in 12 min");
        assert_eq!(screen.ago(NOW), "now");
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        let mut screen = Screen::plain(NOW);
        assert_eq!(screen.tone(Tone::Bad, "x"), "x");
        screen.colour = true;
        assert_eq!(screen.tone(Tone::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(screen.tone(Tone::Plain, "x"), "x");
    }

    #[test]
    fn nothing_in_a_cell_or_in_json_acts_on_a_terminal() {
        assert_eq!(Cell::from("a\u{1b}[2Jb\nc").text, r"a\u{1b}[2Jb\nc");
        assert_eq!(harmless("{\"a\":\"\u{9b}31m \u{202e} ü 👋\"}"), "{\"a\":\"\\u009b31m \\u202e ü 👋\"}");
    }
}
