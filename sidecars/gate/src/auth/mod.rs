//! Who is calling: signatures of devices, tickets of open sockets, tokens of scripts. And how often one may be wrong.

pub mod bucket;
pub mod caller;
pub mod signature;
pub mod tickets;
