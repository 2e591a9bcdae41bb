//! Stage 3: who is behind an address, by reverse DNS and by the databases of countries and networks.

pub mod geo;
pub mod rdns;
pub mod scope;
