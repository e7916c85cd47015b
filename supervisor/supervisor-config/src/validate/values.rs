//! Which values may stand somewhere: a list of them, a word, or a table.

use platform_types::egress::{Field, Shape};
use serde_json::Value;

use super::Context;
use crate::path::KeyPath;
use crate::raw_values::{RawKind, RawScalar, RawValues, RawValuesTable};

const REMEDY: &str =
    "Write a list of values, \"boolean\", { text = 200 }, { integer = [1, 100] } or { number = [0, 30] }.";

impl Context<'_> {
    /// Required unless it says otherwise.
    pub(super) fn field(&mut self, raw: RawValues, path: &KeyPath) -> Option<Field> {
        let required = |shape| Field { shape, required: true };
        match raw {
            RawValues::OneOf(values) => self.one_of(values, path).map(required),
            RawValues::Kind(kind) => Some(required(of_kind(kind))),
            RawValues::Table(table) => self.table(table, path),
        }
    }

    fn table(&mut self, table: RawValuesTable, path: &KeyPath) -> Option<Field> {
        let RawValuesTable { one_of, text, integer, number, is, after, optional } = table;
        let shapes = [
            one_of.map(|values| self.one_of(values, path)),
            text.map(|chars| usize::try_from(chars).ok().map(|max_chars| Shape::Text { max_chars })),
            integer.map(|range| self.range(&range, path).map(|(min, max)| Shape::Integer { min, max })),
            number.map(|range| self.range(&range, path).map(|(min, max)| Shape::Number { min, max })),
            is.map(|kind| Some(of_kind(kind))),
        ];
        let mut shapes = shapes.into_iter().flatten();
        let (Some(shape), None) = (shapes.next(), shapes.next()) else {
            self.report.error(path, "it has to say exactly one kind of value", REMEDY);
            return None;
        };
        let shape = match after {
            Some(prefix) => self.after(prefix, shape?, path)?,
            None => shape?,
        };
        Some(Field { shape, required: !optional.unwrap_or(false) })
    }

    fn after(&mut self, prefix: String, then: Shape, path: &KeyPath) -> Option<Shape> {
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            let remedy = "Write for example: { after = \"eq.\", integer = [1, 100] }";
            self.report.error(&path.key("after"), "it is empty, or not printable ASCII without spaces", remedy);
            return None;
        }
        Some(Shape::After { prefix, then: Box::new(then) })
    }

    fn one_of(&mut self, values: Vec<RawScalar>, path: &KeyPath) -> Option<Shape> {
        let values = self.scalars(values, path)?;
        Some(Shape::OneOf { values })
    }

    /// At least one value, each once.
    pub(super) fn scalars(&mut self, raw: Vec<RawScalar>, path: &KeyPath) -> Option<Vec<Value>> {
        let mut values: Vec<Value> = Vec::with_capacity(raw.len());
        for RawScalar(value) in raw {
            if values.contains(&value) {
                self.report.error(path, "a value stands in the list twice", "Remove one of the two.");
                return None;
            }
            values.push(value);
        }
        if values.is_empty() {
            self.report.error(path, "no value is allowed", REMEDY);
            return None;
        }
        Some(values)
    }

    fn range(&mut self, range: &[i64], path: &KeyPath) -> Option<(i64, i64)> {
        match range {
            [min, max] if min <= max => Some((*min, *max)),
            _ => {
                self.report.error(path, "it is not a range", "Write the least and the most: [1, 100]");
                None
            }
        }
    }
}

fn of_kind(kind: RawKind) -> Shape {
    match kind {
        RawKind::Boolean => Shape::Boolean,
        RawKind::ApprovedChat => Shape::ApprovedChat,
    }
}
