//! Who may ask: root, and the members of `bot-admin`. The files are read here, because a static binary has no NSS.

use std::path::Path;

use platform_types::text::neutral;

/// Members may use `botctl`.
pub const ADMIN_GROUP: &str = "bot-admin";
const GROUP_FILE: &str = "/etc/group";
const PASSWD_FILE: &str = "/etc/passwd";

/// The process at the other end, as the kernel tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
    pub pid: Option<i32>,
}

/// The group id of [`ADMIN_GROUP`]; `None` when the group does not exist, and then only root may ask.
pub fn admin_gid() -> Option<u32> {
    group(&read(GROUP_FILE), ADMIN_GROUP).map(|group| group.gid)
}

/// Whether the caller is answered. Read on every request: who is taken out of the group is out at once.
pub fn may_ask(caller: Caller) -> bool {
    caller.uid == 0 || is_member(caller, &read(GROUP_FILE), &read(PASSWD_FILE))
}

/// The caller's name for records; a uid without a name is written as `uid 1234`.
pub fn user_name(caller: Caller) -> String {
    named(caller.uid, &read(PASSWD_FILE))
}

fn named(uid: u32, users: &str) -> String {
    let name = users.lines().filter_map(user).find(|(_, known, _)| *known == uid).map(|(name, _, _)| neutral(name));
    name.unwrap_or_else(|| format!("uid {uid}"))
}

struct Group<'a> {
    gid: u32,
    members: Vec<&'a str>,
}

fn is_member(caller: Caller, groups: &str, users: &str) -> bool {
    let Some(group) = group(groups, ADMIN_GROUP) else { return false };
    if caller.gid == group.gid {
        return true;
    }
    users
        .lines()
        .filter_map(user)
        .any(|(name, uid, gid)| uid == caller.uid && (gid == group.gid || group.members.contains(&name)))
}

/// `name:password:gid:member,member`.
fn group<'a>(text: &'a str, name: &str) -> Option<Group<'a>> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let gid = fields.nth(1)?.parse().ok()?;
        let members = fields.next().unwrap_or_default().split(',').filter(|member| !member.is_empty()).collect();
        Some(Group { gid, members })
    })
}

/// `name:password:uid:gid:…`.
fn user(line: &str) -> Option<(&str, u32, u32)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some((name, uid, gid))
}

/// A file that cannot be read grants nothing.
fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(path)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\nbot-admin:x:990:alice,bob\nbot-admin2:x:991:eve\n";
    const USERS: &str = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n\
                         carol:x:1002:990::/:/bin/sh\neve:x:1003:991::/:/bin/sh\nbroken line\n";

    #[test]
    fn members_by_name_by_primary_group_or_by_the_group_they_run_in() {
        let check = |uid: u32, gid: u32, expect: bool| {
            assert_eq!(is_member(Caller { uid, gid, pid: None }, GROUPS, USERS), expect, "{uid}:{gid}");
        };
        check(1000, 1000, true);
        check(1001, 1001, true);
        check(1002, 990, true);
        check(1002, 1002, true);
        check(1003, 991, false);
        check(1004, 1004, false);
        check(1004, 990, true);
    }

    #[test]
    fn callers_are_named() {
        assert_eq!(named(1001, USERS), "bob");
        assert_eq!(named(4711, USERS), "uid 4711");
    }

    #[test]
    fn without_the_group_only_root_asks() {
        assert!(!is_member(Caller { uid: 1000, gid: 1000, pid: None }, "root:x:0:\n", USERS));
        assert!(!is_member(Caller { uid: 1000, gid: 1000, pid: None }, "", ""));
        assert!(may_ask(Caller { uid: 0, gid: 0, pid: None }));
    }
}
