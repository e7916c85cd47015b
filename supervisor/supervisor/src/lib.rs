//! The supervisor daemon and botctl
