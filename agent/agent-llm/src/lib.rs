//! The client of the model socket
