//! The model box can be reached, answers, and lists every model that the configuration names, as spark saw it last.

use crate::api::view::degraded;
use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let Some(spark) = &daemon.world.config.spark else {
        return Finding::ok("no [spark] is configured; the built-in demo model answers");
    };
    let mut faults = degraded(&daemon.world).into_iter();
    match faults.next() {
        None => Finding::ok(format!("{} lists the configured models", spark.url)),
        Some(first) => {
            let remedy =
                "botctl spark health asks it now; botctl spark models lists the ids that may stand in platform.toml";
            Finding::problem(first, remedy).with_details(faults.collect())
        }
    }
}
