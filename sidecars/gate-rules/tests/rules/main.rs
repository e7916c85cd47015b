//! The rules, attacked: tables of tricks, and what holds for every request.

mod checks;
mod confirmations;
mod properties;
mod smuggling;
mod support;
