//! The router against a scripted model box, and with its demo model.

mod configuration;
mod conformance;
mod demo;
mod faults;
mod https;
mod passing;
mod running;
mod scripted;
