//! How the supervisor of an installation is started, and where its log is. Pure.

use std::path::Path;

use platform_types::layout::Roots;

/// What people without access to the supervisor have to do, after the name of the thing. `group`: there is a group bot-admin,
/// which `deploy/up` makes for the system's own installation.
pub fn ask_for_access(group: bool) -> &'static str {
    if group {
        "become a member of bot-admin (usermod -aG bot-admin NAME) and log in again, or use sudo"
    } else {
        "use sudo: this machine has no group bot-admin"
    }
}

/// The commands for one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub start: String,
    pub restart: String,
    pub log: String,
}

impl Service {
    /// `socket` tells which installation is meant.
    pub fn of(socket: &Path) -> Self {
        let root = socket.parent().and_then(Path::parent);
        match root.filter(|_| socket != Roots::system().supervisor_socket()) {
            None => Self {
                start: "systemctl start bot-supervisor, or ./deploy/up".to_owned(),
                restart: "systemctl restart bot-supervisor".to_owned(),
                log: "journalctl -u bot-supervisor".to_owned(),
            },
            Some(root) => {
                let (start, root) = (format!("./deploy/up --root {}", root.display()), root.display());
                Self {
                    restart: format!("kill $(cat {root}/run/supervisor.lock), then {start}"),
                    start,
                    log: format!("{root}/lib/log/supervisor.log"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_a_group_that_is_not_there() {
        assert!(ask_for_access(true).contains("usermod"));
        assert!(!ask_for_access(false).contains("usermod") && ask_for_access(false).contains("sudo"));
    }

    #[test]
    fn each_installation_has_commands_of_its_own() {
        let system = Service::of(&Roots::system().supervisor_socket());
        assert!(system.start.contains("systemctl start") && system.log.contains("journalctl"));
        let other = Service::of(&Roots::under(Path::new("/srv/x")).supervisor_socket());
        assert_eq!(other.start, "./deploy/up --root /srv/x");
        assert_eq!(other.log, "/srv/x/lib/log/supervisor.log");
        assert!(!format!("{other:?}").contains("systemctl"));
    }
}
