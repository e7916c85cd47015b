//! Sessions, messages and events in SQLite
