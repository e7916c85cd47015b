//! The files that bots write. Everything here blocks: it belongs on a thread that may.
//!
//! | module | what |
//! |---|---|
//! | [`folder`] | a folder whose files are read and replaced safely, one name at a time |
//! | [`name`] | names of files: made from titles, or checked |
//! | [`note`] | one note: front matter and facts, as text and back |
//! | [`matter`] | the front matter's small part of YAML |
//! | [`history`] | earlier versions of a note |
//! | [`notes`] | all notes: written, found, shown, edited |
//! | [`memory`] | what a bot remembers |
//! | [`documents`] | folders of the host that a bot may read |
//! | [`plans`] | plans and change requests, checked against the documents |
//! | [`error`] | what can go wrong, in words for a model |

pub mod documents;
pub mod error;
pub mod folder;
pub mod history;
pub mod matter;
pub mod memory;
pub mod name;
pub mod note;
pub mod notes;
pub mod plans;

pub use documents::Documents;
pub use error::WorkspaceError;
pub use folder::Folder;
pub use memory::{Memory, Remembered};
pub use name::Name;
pub use notes::Notes;
pub use plans::Plans;
