//! What has to hold at an upstream before a request goes out: asked by the gate itself.

use gate_rules::{Admitted, fill_path, holds};
use platform_types::egress::Guard;

use super::ways::Way;
use crate::gate::Gate;

/// `Err` says why the request does not pass. What cannot be found out does not hold.
pub async fn check(gate: &Gate, way: &Way, admitted: &Admitted) -> Result<(), String> {
    let guards = way.upstream.rules.get(admitted.rule).map(|rule| rule.guards.as_slice()).unwrap_or_default();
    for guard in guards {
        let asking = ask(gate, way, guard, admitted);
        let found = tokio::time::timeout(gate.limits.confirm.fact_time, asking).await;
        found.unwrap_or_else(|_| Err(format!("{} does not say in time what it needs to know", way.upstream.name)))?;
    }
    Ok(())
}

async fn ask(gate: &Gate, way: &Way, guard: &Guard, admitted: &Admitted) -> Result<(), String> {
    let target = fill_path(&guard.path, &admitted.values).ok_or("what it needs to know cannot be asked")?;
    match gate.outside.fact(way, &target, &guard.pointer).await {
        Ok(value) if holds(&guard.holds, &value) => Ok(()),
        Ok(_) => Err(guard.otherwise.clone()),
        Err(reason) => Err(format!("{} ({reason})", guard.otherwise)),
    }
}
