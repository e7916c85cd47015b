//! Holds the dependency rules and the layout
