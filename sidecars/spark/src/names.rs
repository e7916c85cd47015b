//! Names to addresses, without the C library, which crashes in a static program.

use std::net::IpAddr;

use hickory_resolver::{ResolverBuilder, TokioResolver};

/// Asks the name servers of `/etc/resolv.conf`, and remembers for as long as they allow.
#[derive(Debug, Clone)]
pub struct Names(Result<TokioResolver, String>);

impl Names {
    pub fn new() -> Self {
        Self(TokioResolver::builder_tokio().map(ResolverBuilder::build).map_err(|error| error.to_string()))
    }

    /// At least one address, or the cause, in words.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let resolver = self.0.as_ref().map_err(|error| format!("no name can be resolved: {error}"))?;
        match resolver.lookup_ip(host).await {
            Ok(found) if found.iter().next().is_some() => Ok(found.iter().collect()),
            Ok(_) => Err("its name has no address".to_owned()),
            // The resolver's own words are those of a protocol trace.
            Err(error) if error.is_no_records_found() => Err("its name cannot be resolved".to_owned()),
            Err(error) => Err(format!("its name cannot be resolved: {error}")),
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}
