//! What is understood, what is refused, and that the reference has every command.

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::*;

#[test]
fn the_commands_are_consistent() {
    Botctl::command().debug_assert();
}

#[test]
fn every_command_has_an_example() {
    fn walk(command: &clap::Command, path: &str) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Example: "), "{path} has no example");
        assert!(command.get_about().is_some(), "{path} does not say what it does");
        command.get_subcommands().for_each(|sub| walk(sub, &format!("{path} {}", sub.get_name())));
    }
    walk(&Botctl::command(), "botctl");
}

#[test]
fn every_argument_says_what_it_is() {
    fn walk(command: &clap::Command, path: &str) {
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{path} {} has no help", argument.get_id());
        }
        command.get_subcommands().for_each(|sub| walk(sub, &format!("{path} {}", sub.get_name())));
    }
    walk(&Botctl::command(), "botctl");
}

#[test]
fn every_example_parses() {
    fn walk(command: &clap::Command) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let example = help.split("Example: ").nth(1).unwrap_or_default();
        let example = example.split(['<', '>']).next().unwrap_or_default();
        let words: Vec<&str> = example.split_whitespace().skip_while(|word| *word != "botctl").collect();
        Botctl::try_parse_from(&words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
        command.get_subcommands().for_each(walk);
    }
    walk(&Botctl::command());
}

#[test]
fn what_is_refused() {
    let check = |words: &str, kind: ErrorKind| {
        let error = Botctl::try_parse_from(words.split(' ')).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{words}");
    };
    check("botctl nonsense", ErrorKind::InvalidSubcommand);
    check("botctl open Personal", ErrorKind::ValueValidation);
    check("botctl open", ErrorKind::MissingRequiredArgument);
    check("botctl device approve personal 1a2b-3c4d --scope root", ErrorKind::InvalidValue);
    check("botctl secret set ../passwd", ErrorKind::ValueValidation);
    check("botctl status --follow", ErrorKind::UnknownArgument);
    check("botctl events -n 1001", ErrorKind::ValueValidation);
}

#[test]
fn options_stand_before_or_after_the_command() {
    for words in ["botctl --json --root /srv/x status", "botctl status --json --root /srv/x"] {
        let parsed = Botctl::try_parse_from(words.split(' ')).unwrap();
        assert!(parsed.json);
        assert_eq!(parsed.root, Some(PathBuf::from("/srv/x")));
    }
}
#[test]
fn the_reference_has_every_command() {
    let page = include_str!("../../../../../docs/reference/botctl.md");
    for command in Botctl::command().get_subcommands() {
        let name = command.get_name();
        let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
        let heading = headings.into_iter().find(|heading| heading.split(' ').next() == Some(name));
        let heading = heading.unwrap_or_else(|| panic!("docs/reference/botctl.md has no section {name}"));
        for sub in command.get_subcommands() {
            assert!(heading.contains(sub.get_name()), "the section {heading:?} does not name {}", sub.get_name());
        }
    }
}
