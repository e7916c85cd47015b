//! Processor time and memory of a process and its children, from `/proc` (see `proc(5)`).

use std::fs::read_to_string;

/// `/proc/PID/stat` counts in hundredths of a second on every architecture that Linux runs on today.
const MICROS_PER_TICK: u64 = 10_000;
/// Where utime and stime are in `/proc/PID/stat`, counted behind the name.
const UTIME: usize = 11;

#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub cpu_micros: u64,
    pub resident_kib: u64,
}

pub fn usage(pid: u32) -> Usage {
    let mut sum = Usage::default();
    for pid in family(pid) {
        // A process that has ended meanwhile counts no more.
        let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = fields.iter().skip(UTIME).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
        let status = read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        sum.cpu_micros += ticks * MICROS_PER_TICK;
        sum.resident_kib += resident.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    }
    sum
}

fn family(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        at += 1;
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let children = read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}
