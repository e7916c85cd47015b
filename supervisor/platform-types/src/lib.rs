//! Nouns and wire contracts that every process shares
