//! The only door of a profile
