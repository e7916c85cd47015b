//! The supervisor's ledger in SQLite
