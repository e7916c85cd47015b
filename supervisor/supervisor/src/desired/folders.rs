//! What lies at the folders of the host that `documents` names.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use platform_types::layout::Roots;
use supervisor_config::{HostFolder, documents};

/// Listed and entered by those who are neither owner nor of the group.
const OTHERS_MAY: u32 = 0o005;

/// Looks at each folder that the text of a `platform.toml` names.
pub fn look(text: &str) -> BTreeMap<String, HostFolder> {
    documents::named(text).into_iter().map(|path| (path.clone(), folder(&path))).collect()
}

/// Directories of the platform itself.
pub fn own(roots: &Roots) -> Vec<String> {
    let Roots { config, state, runtime } = roots;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let both = [config, state, runtime].into_iter().flat_map(|path| [path.clone(), real(path)]);
    both.map(|path| path.display().to_string()).collect()
}

fn folder(path: &str) -> HostFolder {
    let Ok(real) = Path::new(path).canonicalize() else { return HostFolder::Missing };
    if real != Path::new(path) {
        return HostFolder::Leads(real.display().to_string());
    }
    match std::fs::metadata(&real) {
        Err(_) => HostFolder::Missing,
        Ok(found) if !found.is_dir() => HostFolder::NotAFolder,
        Ok(found) if found.permissions().mode() & OTHERS_MAY == OTHERS_MAY => HostFolder::Open,
        Ok(_) => HostFolder::Closed,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn folders_are_told_apart() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name).display().to_string();
        for (name, mode) in [("open", 0o755), ("closed", 0o750)] {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        std::fs::write(at("file"), "").unwrap();
        symlink("open", at("link")).unwrap();
        let check = |name: &str, expect: HostFolder| assert_eq!(folder(&at(name)), expect, "{name}");
        check("open", HostFolder::Open);
        check("closed", HostFolder::Closed);
        check("file", HostFolder::NotAFolder);
        check("gone", HostFolder::Missing);
        check("link", HostFolder::Leads(at("open")));
    }
}
