//! A whole agent, as a program of its own, against a model that the test plays.

mod chat;
mod checkpoint;
mod faults;
mod hostile;
mod lifecycle;
mod openai;
mod restart;
mod support;
