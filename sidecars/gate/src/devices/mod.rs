//! What a paired device does about devices, on the gate's own page: it decides about requests to pair, or takes a new key.
//!
//! ```text
//! page                          gate                               supervisor
//!  │ POST /gate/pairings/{id} ─▶ │ scope, signature, what waits       │
//!  │  or /gate/device/key        │ ── act (event) ──────────────────▶ │  checks again, writes its ledger,
//!  │                             │ ◀─ configuration, POST /acts/{id} ─ │  then answers
//!  │ ◀─ 200 or why not ───────── │                                    │
//! ```
//!
//! The agent has no part in it: none of these routes is forwarded, and no header tells it.
//!
//! | module | what |
//! |---|---|
//! | [`acts`] | those that wait for the supervisor's word |
//! | [`routes`] | what a page asks for |
//! | [`view`] | what a page is shown |

pub mod acts;
pub mod routes;
pub mod view;
