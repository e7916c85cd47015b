//! Holds the dependency rules and the layout: see the test `rules`. Each rule is an architecture invariant of
//! `docs/ARCHITECTURE.md`.
