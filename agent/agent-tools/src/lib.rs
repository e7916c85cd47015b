//! Typed tools with a risk class
