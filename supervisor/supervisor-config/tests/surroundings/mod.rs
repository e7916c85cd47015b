//! Surroundings in which everything exists that the files of the tests name.

use platform_types::SecretName;
use supervisor_config::{HostFolder, Surroundings};

/// Some secrets, some files, the tools of this release.
pub fn rich() -> Surroundings {
    let secrets = ["spark-key", "ha-token", "jobs-key", "jobs-apikey", "telegram-token", "spark-ssh"];
    let files = [
        ("bots/house.md", "You run the house.\n".to_owned()),
        ("bots/empty.md", " \n".to_owned()),
        ("bots/long.md", "word ".repeat(20_000)),
    ];
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIBszCCAWWg\n-----END CERTIFICATE-----\n";
    let certificates = [
        ("certs/house.pem", certificate.to_owned()),
        ("certs/key.pem", format!("{certificate}-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----\n")),
        ("certs/page.pem", "<!doctype html>\n".to_owned()),
    ];
    let folders = [
        ("/srv/documents", HostFolder::Open),
        ("/srv/private", HostFolder::Closed),
        ("/srv/gone", HostFolder::Missing),
        ("/srv/file", HostFolder::NotAFolder),
        ("/srv/link", HostFolder::Leads("/srv/place".to_owned())),
    ];
    Surroundings {
        folders: Some(folders.map(|(path, folder)| (path.to_owned(), folder)).into()),
        own_directories: vec!["/var/lib/bot-platform".to_owned()],
        open_secrets: [SecretName::new("shared-key").expect("a name")].into(),
        secrets: secrets.into_iter().map(|name| SecretName::new(name).expect("a name")).collect(),
        instructions: files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect(),
        certificates: certificates.into_iter().map(|(name, text)| (name.to_owned(), text)).collect(),
        tools: ["clock.now".to_owned()].into(),
    }
}
