//! Hints name the installation that they are about: beside the system's own there may be others, each under a root of its
//! own, and `botctl status` without that root is about another one, or is not found.

use clap::CommandFactory as _;
use platform_types::layout::Roots;

use super::args::Botctl;

const COMMAND: &str = "botctl ";
const SCRIPTS: [&str; 2] = ["./deploy/up", "./deploy/down"];

/// The text with its commands as they have to be typed for the installation at `roots`.
pub fn addressed(text: &str, roots: &Roots) -> String {
    let (Some(botctl), Some(root)) = (roots.botctl(), roots.runtime.parent()) else { return text.to_owned() };
    let root = root.display();
    let command = Botctl::command();
    let commands: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let is_command = |after: &str| {
        let word = after.split(|next: char| !next.is_ascii_lowercase()).next().unwrap_or_default();
        commands.contains(&word)
    };
    let text = replaced(text, COMMAND, &format!("{botctl} "), is_command);
    SCRIPTS.iter().fold(text, |text, script| {
        replaced(&text, script, &format!("{script} --root {root}"), |after| !after.starts_with(" --root"))
    })
}

/// Every `from` that is no end of a longer word, and where what comes after it is as it should be.
fn replaced(text: &str, from: &str, to: &str, fits: impl Fn(&str) -> bool) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(from) {
        let is_word = !before.ends_with(|last: char| last.is_alphanumeric() || "/-_.".contains(last));
        done.push_str(before);
        done.push_str(if is_word && fits(after) { to } else { from });
        rest = after;
    }
    done.push_str(rest);
    done
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn hints_are_about_the_installation_that_was_asked() {
        let check = |text: &str, expect: &str| {
            assert_eq!(addressed(text, &Roots::under(Path::new("/srv/x"))), expect);
            assert_eq!(addressed(text, &Roots::system()), text);
        };
        check("run botctl open ops", "run /srv/x/lib/bin/botctl --root /srv/x open ops");
        check(
            "`botctl apply`, then botctl status.",
            "`/srv/x/lib/bin/botctl --root /srv/x apply`, then /srv/x/lib/bin/botctl --root /srv/x status.",
        );
        check("run `./deploy/up`, which builds it", "run `./deploy/up --root /srv/x`, which builds it");
        check("start it with ./deploy/up --root /srv/x", "start it with ./deploy/up --root /srv/x");
        check("botctl and the supervisor", "botctl and the supervisor");
        check("not-botctl open ops, bin/botctl open", "not-botctl open ops, bin/botctl open");
    }
}
