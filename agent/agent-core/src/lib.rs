//! Turns, sessions and history as pure state machines
