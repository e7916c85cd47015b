//! Reading `/proc`: mounts and listeners. Pure functions of its texts.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// A line of `/proc/self/mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub point: PathBuf,
    pub fs_type: String,
    /// Options of the mount and of its file system, comma separated.
    pub options: String,
}

impl Mount {
    pub fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|found| found == option)
    }

    /// The value of `name=value`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.options.split(',').find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }
}

/// Every mount, in the order in which they were made.
pub fn mounts(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(mount).collect()
}

/// The mount that a path lies on: the latest of the longest.
pub fn mount_of<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts.iter().filter(|mount| path.starts_with(&mount.point)).max_by_key(|mount| mount.point.as_os_str().len())
}

/// `36 35 98:0 /root /point options … - type source superoptions`.
fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ');
    let point = unescape(before.nth(4)?);
    let options = before.next()?;
    let mut after = after.split(' ');
    let fs_type = after.next()?.to_owned();
    let of_fs = after.nth(1).unwrap_or_default();
    Some(Mount { point: point.into(), fs_type, options: format!("{options},{of_fs}") })
}

/// Blanks, tabs, line breaks and backslashes are written in octal: `\040`.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

/// A TCP port that somebody listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// `None`: an IPv6 address that is not the loopback.
    pub address: Option<Ipv4Addr>,
    pub port: u16,
}

impl Listener {
    /// Nobody outside of this machine can connect.
    pub fn is_loopback(&self) -> bool {
        self.address.is_some_and(|address| address.is_loopback())
    }
}

/// Listeners in the text of `/proc/net/tcp` or `/proc/net/tcp6`.
pub fn listeners(text: &str) -> Vec<Listener> {
    text.lines().skip(1).filter_map(listener).collect()
}

/// `  0: 0100007F:495F 00000000:0000 0A …`: little-endian address, port, and the state of a listener.
fn listener(line: &str) -> Option<Listener> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Listener { address: address_of(address), port })
}

fn address_of(hex: &str) -> Option<Ipv4Addr> {
    const LOOPBACK_6: &str = "00000000000000000000000001000000";
    match hex.len() {
        8 => u32::from_str_radix(hex, 16).ok().map(|bits| Ipv4Addr::from(bits.swap_bytes())),
        32 if hex == LOOPBACK_6 => Some(Ipv4Addr::LOCALHOST),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
22 27 0:20 / /sys rw,nosuid - sysfs sysfs rw
27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 27 8:2 / /var/lib/docker rw,relatime shared:2 - xfs /dev/sdb1 rw,attr2,prjquota
40 27 0:50 / /run/bot-platform/run/ops/http rw,nosuid,noexec - tmpfs bot rw,size=1024k,nr_inodes=64
41 27 0:51 / /mnt/two\\040words rw - ext4 /dev/sdc rw
";

    #[test]
    fn mounts_are_read_and_found() {
        let mounts = mounts(MOUNTINFO);
        let check = |path: &str, fs_type: &str| {
            assert_eq!(mount_of(&mounts, Path::new(path)).map(|mount| mount.fs_type.as_str()), Some(fs_type), "{path}");
        };
        check("/etc", "ext4");
        check("/var/lib/docker/volumes/x/_data", "xfs");
        check("/run/bot-platform/run/ops/http", "tmpfs");
        assert_eq!(mounts[4].point, Path::new("/mnt/two words"));
        assert!(mounts[2].has("prjquota"));
        assert_eq!(mounts[3].value("size"), Some("1024k"));
        assert_eq!(mounts[3].value("mode"), None);
    }

    #[test]
    fn only_listeners_are_read() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0100007F:4965 0100007F:8000 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
   3: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 4
   4: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 5
";
        let found = listeners(text);
        assert_eq!(
            found.iter().map(|listener| (listener.port, listener.is_loopback())).collect::<Vec<_>>(),
            [(18789, true), (8080, false), (80, false), (81, true)]
        );
    }
}
