//! Who owns the top directories of a volume, through its mount point on the host.
//!
//! The container may write there, so every step goes through descriptors ([`super::folder`]).

use std::path::Path;

use supervisor_plan::spec::VolumeSpec;

use super::folder::{Access, Folder, FolderError};

/// The live database and workspace: the agent's alone.
const CURRENT: &str = "current";
/// Consistent copies: the group is backup's way in. Set-group-id, so that what is put there has the group.
const STAGING: &str = "staging";
const STAGING_MODE: u32 = 0o2750;

/// A restore in the making, and the state from before one: see `bot-backup swap`.
const RESTORED_PREFIX: &str = "restore-";
const PREVIOUS_PREFIX: &str = "previous-";
/// More than ever lie at the top of a volume.
const MAX_NAMES: usize = 4096;

/// Makes sure that a volume belongs to its container's uid, and that an agent's has its permanent directories.
pub fn ensure(mountpoint: &Path, spec: &VolumeSpec) -> Result<Folder, FolderError> {
    let VolumeSpec { name: _, uid, gid, staging_gid } = spec;
    let top = Folder::open(mountpoint)?;
    // A ledger that was lost and made anew may have given the container another uid.
    if top.owner()? != (*uid, *gid) {
        top.give_tree(*uid, *gid)?;
    }
    let Some(staging_gid) = staging_gid else {
        top.give(Access { uid: *uid, gid: *gid, mode: 0o700 })?;
        return Ok(top);
    };
    // The snapshot task passes through on its way to `staging`, and lists nothing.
    top.give(Access { uid: *uid, gid: *gid, mode: 0o711 })?;
    top.child(CURRENT, Access { uid: *uid, gid: *gid, mode: 0o700 })?;
    top.child(STAGING, Access { uid: *uid, gid: *staging_gid, mode: STAGING_MODE })?;
    Ok(top)
}

/// Puts a volume in order that a killed restore may have left behind, while nothing runs on it. Half a swap is taken
/// back: there is no `current`, and the state from before lies beside it.
pub fn sweep(mountpoint: &Path) -> Result<(), FolderError> {
    let top = Folder::open(mountpoint)?;
    let names = top.names(MAX_NAMES)?;
    if !names.iter().any(|name| name == CURRENT)
        && let Some(previous) = names.iter().find(|name| name.starts_with(PREVIOUS_PREFIX) && top.has_child(name))
    {
        top.rename(previous, CURRENT)?;
    }
    for leftover in names.iter().filter(|name| name.starts_with(RESTORED_PREFIX)) {
        top.remove_tree(leftover)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn an_agents_volume_has_its_directories_and_owners() {
        let volume = tempfile::tempdir().unwrap();
        std::fs::write(volume.path().join("old"), "x").unwrap();
        let spec = VolumeSpec { name: "v".into(), uid: 4242, gid: 4242, staging_gid: Some(4243) };
        ensure(volume.path(), &spec).unwrap();
        let check = |name: &str, uid: u32, gid: u32, mode: u32| {
            let metadata = std::fs::metadata(volume.path().join(name)).unwrap();
            assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (uid, gid, mode), "{name:?}");
        };
        check("", 4242, 4242, 0o711);
        check("current", 4242, 4242, 0o700);
        check("staging", 4242, 4243, 0o2750);
        assert_eq!(std::fs::metadata(volume.path().join("old")).unwrap().uid(), 4242);
    }

    #[test]
    fn half_a_swap_is_taken_back() {
        let volume = tempfile::tempdir().unwrap();
        for name in ["previous-a", "restore-a", "staging"] {
            std::fs::create_dir(volume.path().join(name)).unwrap();
            std::fs::write(volume.path().join(name).join("is"), name).unwrap();
        }
        sweep(volume.path()).unwrap();
        assert_eq!(std::fs::read_to_string(volume.path().join("current/is")).unwrap(), "previous-a");
        assert!(!volume.path().join("restore-a").exists());
        assert!(volume.path().join("staging/is").exists());
        sweep(volume.path()).unwrap();
        assert!(volume.path().join("current/is").exists());
    }

    #[test]
    fn a_link_in_place_of_staging_is_refused() {
        let (volume, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), volume.path().join("staging")).unwrap();
        let spec = VolumeSpec { name: "v".into(), uid: 4242, gid: 4242, staging_gid: Some(4243) };
        assert!(ensure(volume.path(), &spec).is_err());
        assert_eq!(std::fs::metadata(outside.path()).unwrap().uid(), 0);
    }
}
