//! Devices by the name and the code that people know them by.

use std::collections::BTreeMap;

use platform_types::DeviceId;

use crate::registry::code;

/// What stands before the id of a device, in records of gates and agents.
const WORD: &str = "device ";
/// Digits of the id of a device.
const DIGITS: usize = 64;

/// The text with each `device <64 digits>` as people know it. One that the ledger does not know keeps its code alone.
pub fn named(text: &str, devices: &BTreeMap<DeviceId, String>) -> String {
    let mut parts = text.split(WORD);
    let mut named = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(DIGITS).unwrap_or((part, ""));
        match DeviceId::new(digits).ok().filter(|_| !rest.starts_with(|next: char| next.is_ascii_alphanumeric())) {
            Some(id) => {
                let label = match devices.get(&id) {
                    Some(name) => format!("{name} ({})", code::short(&id)),
                    None => format!("{WORD}{}", code::short(&id)),
                };
                named.extend([label.as_str(), rest]);
            }
            None => named.extend([WORD, part]),
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_called_by_its_name_and_code() {
        let id = |digit: &str| digit.repeat(DIGITS);
        let devices = BTreeMap::from([(DeviceId::new(id("a")).unwrap(), "Chrome on Linux".to_owned())]);
        let check = |text: &str, expect: &str| assert_eq!(named(text, &devices), expect, "{text}");
        check(&format!("device {}", id("a")), "Chrome on Linux (aaaa-aaaa)");
        check(
            &format!("by device {}, then device {}.", id("a"), id("b")),
            "by Chrome on Linux (aaaa-aaaa), then device bbbb-bbbb.",
        );
        check("operator anna", "operator anna");
        check("device kitchen", "device kitchen");
        check("device ü", "device ü");
        check(&format!("digest {}", id("a")), &format!("digest {}", id("a")));
        check(&format!("device {}0", id("a")), &format!("device {}0", id("a")));
    }
}
