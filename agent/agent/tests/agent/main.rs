//! A whole agent in a directory of its own, against a model that the test plays.

mod chat;
mod support;
