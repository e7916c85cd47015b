//! The only crate that talks to Docker
