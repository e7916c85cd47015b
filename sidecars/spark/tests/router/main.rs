//! The router against a scripted model box, and with its demo model.

#[cfg(test)]
mod breaking;
#[cfg(test)]
mod client;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod counting;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod https;

#[cfg(test)]
mod keeping;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod passing;
#[cfg(test)]
mod queueing;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod redacting;
#[cfg(test)]
mod running;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod vanishing;
#[cfg(test)]
mod waiting;
