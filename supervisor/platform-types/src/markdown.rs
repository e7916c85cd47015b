//! A message as a tree of a closed set of node types.
//!
//! No HTML crosses the wire: the page builds DOM nodes from this tree and sets text with `textContent`.
//! Links are `http`, `https` and `mailto` only; images are reduced to a link; raw HTML is shown as text.

use serde::{Deserialize, Serialize};

/// A block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum Block {
    Paragraph {
        c: Vec<Inline>,
    },
    /// `level` is 1 to 6.
    Heading {
        level: u8,
        c: Vec<Inline>,
    },
    /// `lang` is the first word of the info string: letters, digits, `+`, `-`, `#` and `.` only.
    Code {
        lang: Option<String>,
        text: String,
    },
    Quote {
        c: Vec<Block>,
    },
    /// `start` is set for ordered lists.
    List {
        start: Option<u32>,
        items: Vec<ListItem>,
    },
    Table {
        align: Vec<Align>,
        head: Vec<Vec<Inline>>,
        rows: Vec<Vec<Vec<Inline>>>,
    },
    Rule,
}

/// `checked` is set for task list items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListItem {
    pub checked: Option<bool>,
    pub c: Vec<Block>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Align {
    None,
    Left,
    Center,
    Right,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum Inline {
    Text { text: String },
    Code { text: String },
    Emph { c: Vec<Inline> },
    Strong { c: Vec<Inline> },
    Strike { c: Vec<Inline> },
    Link { href: String, c: Vec<Inline> },
    Break,
}
