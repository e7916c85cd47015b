//! What each command does: ask, then show. One module where a command is more than that.

mod approvals;
mod asking;
mod backups;
mod configuration;
mod streams;
mod switch;
mod waiting;

use std::path::PathBuf;

use http::Method;
use platform_kit::{Clock as _, SystemClock, environment};
use platform_types::layout::Roots;
use platform_types::text::neutral;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::{Botctl, Command, Device, Export, Memory, Scope, Session, Spark, Token};
use super::cron;
use super::dm;
use super::failure::{Failure, OTHER, USAGE, is_denied};
use super::hints;
use super::link::Supervisor;
use super::screen::{self, Screen};
use super::show;
use crate::api::wire::Document;
use crate::api::wire::audit::Trail;
use crate::api::wire::findings::Checkup;
use crate::api::wire::memory::{ForgetFact, Memories};
use crate::api::wire::planning::{Applied, ApplyRequest, Plan};
use crate::api::wire::registry as wire;
use crate::api::wire::sessions::Sessions;
use crate::api::wire::settings::ComposeText;
use crate::api::wire::status::Health;
use crate::doctor;
use crate::doctor::facts::Unseen;

/// Names the root of another installation, like `--root`.
const ROOT_VARIABLE: &str = "BOT_ROOT";

/// One call of `botctl`.
#[derive(Debug)]
pub(super) struct Call {
    supervisor: Supervisor,
    json: bool,
}

/// Does what was asked.
pub async fn run(botctl: Botctl) -> Result<(), Failure> {
    let Botctl { root, json, command } = botctl;
    let root = root.or_else(|| environment::optional(ROOT_VARIABLE).map(PathBuf::from));
    let roots = root.map_or_else(Roots::system, |root| Roots::under(&std::path::absolute(&root).unwrap_or(root)));
    let done = Call { supervisor: Supervisor::new(roots.clone()), json }.run(command).await;
    done.map_err(|failure| failure.map_message(|message| hints::addressed(&message, &roots)))
}

impl Call {
    async fn run(&self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Status => self.get("/status", show::status::show).await,
            Command::Health { wait } => self.health(wait).await,
            Command::Logs(logs) => streams::logs(self, logs).await,
            Command::Events { follow, lines } => streams::events(self, follow, lines).await,
            Command::Plan => self.plan().await,
            Command::Apply { retry, quiet } => self.apply(retry, quiet).await,
            Command::Open { profile, scopes, qr } => self.open(profile.as_str(), &scopes, qr).await,
            Command::Device(device) => self.device(device).await,
            Command::Dm(dm) => dm::run(self, dm).await,
            Command::Token(token) => self.token(token).await,
            Command::Session(session) => self.session(session).await,
            Command::Cron(cron) => cron::run(self, cron).await,
            Command::Memory(memory) => self.memory(memory).await,
            Command::Approval(approval) => approvals::approval(self, approval).await,
            Command::Audit { profile, lines, verify } => self.audit(profile.as_str(), lines, verify).await,
            Command::Spark(Spark::Models) => self.get("/spark/models", show::spark::models).await,
            Command::Spark(Spark::Health) => self.get("/spark/health", show::spark::health).await,
            Command::Spark(Spark::Switch { model, yes }) => switch::switch(self, model, yes).await,
            Command::Spark(Spark::Usage) => self.get("/spark/usage", show::spark::usage).await,
            Command::Backup(backup) => backups::backup(self, backup).await,
            Command::Secret(secret) => configuration::secret(self, secret).await,
            Command::Config(config) => configuration::config(self, config).await,
            Command::Doctor { security, verbose } => self.doctor(security, verbose).await,
            Command::Export(Export::Compose) => {
                let ComposeText { text } = self.supervisor.get("/export/compose").await?;
                Ok(screen::write_out(&text)?)
            }
        }
    }

    /// Asks for a document and shows it.
    pub(in crate::cli) async fn get<T: Document + DeserializeOwned>(
        &self,
        target: &str,
        show: impl FnOnce(&mut Screen, &T),
    ) -> Result<(), Failure> {
        let document = self.supervisor.get(target).await?;
        self.show(&document, show)
    }

    pub(in crate::cli) async fn post<Q: Serialize + Sync, T: Document + DeserializeOwned>(
        &self,
        target: &str,
        body: &Q,
        show: impl FnOnce(&mut Screen, &T),
    ) -> Result<(), Failure> {
        let document = self.supervisor.post(target, body).await?;
        self.show(&document, show)
    }

    fn show<T: Document>(&self, document: &T, show: impl FnOnce(&mut Screen, &T)) -> Result<(), Failure> {
        if self.json {
            return Ok(screen::write_out(&screen::json(document)?)?);
        }
        let mut screen = Screen::for_stdout(SystemClock.now());
        show(&mut screen, document);
        self.print(screen)
    }

    /// Hints in it are about this installation; what others said stays as they said it.
    fn print(&self, screen: Screen) -> Result<(), Failure> {
        let quotes = screen.quotes();
        let text = screen.into_text();
        let text = if quotes { text } else { hints::addressed(&text, &self.supervisor.roots) };
        Ok(screen::write_out(&text)?)
    }

    async fn health(&self, wait: Option<u64>) -> Result<(), Failure> {
        let unwell = match wait {
            Some(seconds) => waiting::until_well(&self.supervisor, seconds).await?,
            None => None,
        };
        self.get::<Health>("/health", show::health::show).await?;
        match unwell {
            None => Ok(()),
            Some(what) => Err(Failure::other(format!("not everything became well in time: {}", neutral(&what)))),
        }
    }

    async fn plan(&self) -> Result<(), Failure> {
        let plan: Result<Plan, _> = self.supervisor.try_get("/plan").await;
        let plan = plan.map_err(|error| Failure::call_about_files(&error, &self.supervisor.socket()))?;
        self.show(&plan, show::planning::show)
    }

    /// Files that are in force, and that something keeps from being true, are a failure.
    async fn apply(&self, retry: bool, quiet: bool) -> Result<(), Failure> {
        let applied: Result<Applied, _> = self.supervisor.try_post("/apply", &ApplyRequest { retry }).await;
        let applied = applied.map_err(|error| Failure::call_about_files(&error, &self.supervisor.socket()))?;
        if !quiet {
            self.show(&applied, show::planning::applied)?;
        }
        show::planning::stuck(&applied.open).map_or(Ok(()), |what| Err(Failure::other(what)))
    }

    async fn open(&self, profile: &str, scopes: &[Scope], qr: bool) -> Result<(), Failure> {
        let request = wire::LinkRequest { scopes: wire_scopes(scopes) };
        let target = format!("/profiles/{profile}/links");
        self.post(&target, &request, |screen, link: &wire::Link| {
            // A phone cannot open an address of this machine.
            let reachable = link.url.starts_with("https://");
            show::registry::link(screen, link, qr || (reachable && screen::is_terminal()));
        })
        .await
    }

    async fn device(&self, device: Device) -> Result<(), Failure> {
        match device {
            Device::List { profile } => {
                self.get(&format!("/profiles/{profile}/devices"), show::registry::devices).await
            }
            Device::Approve { profile, code, scopes } => {
                let request = wire::ApproveRequest { code, scopes: wire_scopes(&scopes) };
                let target = format!("/profiles/{profile}/devices/approve");
                self.post(&target, &request, show::registry::approved).await
            }
            Device::Refuse { profile, code } => {
                let target = format!("/profiles/{profile}/devices/refuse");
                self.post(&target, &wire::DeviceRequest { code }, show::registry::refused).await
            }
            Device::Scope { profile, code, scopes } => {
                let scopes = scopes.into_iter().map(Into::into).collect();
                let target = format!("/profiles/{profile}/devices/scope");
                self.post(&target, &wire::ScopeRequest { code, scopes }, show::registry::changed).await
            }
            Device::Rename { profile, code, name } => {
                let target = format!("/profiles/{profile}/devices/rename");
                self.post(&target, &wire::RenameRequest { code, name }, show::registry::changed).await
            }
            Device::Revoke { profile, code } => {
                let target = format!("/profiles/{profile}/devices/revoke");
                self.post(&target, &wire::DeviceRequest { code }, show::registry::revoked).await
            }
        }
    }

    /// A chain that is broken, or cannot be read, is a failure of the verification.
    async fn audit(&self, profile: &str, lines: u32, verify: bool) -> Result<(), Failure> {
        if lines == 0 && !verify {
            return Err(Failure::new(USAGE, "-n 0 shows nothing; with --verify it shows whether the chains hold"));
        }
        let trail: Trail =
            self.supervisor.get(&format!("/profiles/{profile}/audit?limit={lines}&verify={verify}")).await?;
        self.show(&trail, show::audit::show)?;
        if trail.verified == Some(false) { Err(Failure::silent(OTHER)) } else { Ok(()) }
    }

    async fn token(&self, token: Token) -> Result<(), Failure> {
        match token {
            Token::List { profile } => self.get(&format!("/profiles/{profile}/tokens"), show::registry::tokens).await,
            Token::Create { profile, name } => {
                let target = format!("/profiles/{profile}/tokens");
                self.post(&target, &wire::TokenRequest { name }, show::registry::token_created).await
            }
            Token::Revoke { profile, name } => {
                let target = format!("/profiles/{profile}/tokens/revoke");
                self.post(&target, &wire::TokenRequest { name }, show::registry::token_revoked).await
            }
        }
    }

    async fn session(&self, session: Session) -> Result<(), Failure> {
        match session {
            Session::List { profile } => self.get(&format!("/profiles/{profile}/sessions"), show::sessions::list).await,
            Session::Show { profile, session } => {
                let target = self.session_target(profile.as_str(), &session).await?;
                self.get(&target, show::sessions::show).await
            }
            Session::Export { profile, session } => {
                let target = self.session_target(profile.as_str(), &session).await?;
                let transcript = self.supervisor.get(&target).await?;
                let text = if self.json {
                    screen::json(&transcript)?
                } else {
                    show::sessions::markdown(&Screen::for_stdout(SystemClock.now()), &transcript)
                };
                Ok(screen::write_out(&text)?)
            }
        }
    }

    async fn memory(&self, memory: Memory) -> Result<(), Failure> {
        match memory {
            Memory::List { profile } => self.get(&format!("/profiles/{profile}/memory"), show::memory::list).await,
            Memory::Forget { profile, bot, fact } => {
                let list: Memories = self.supervisor.get(&format!("/profiles/{profile}/memory")).await?;
                let facts = list.memories.iter().filter(|memory| memory.bot == bot).flat_map(|memory| &memory.facts);
                let command = format!("botctl memory list {profile}");
                let id = one_of(facts.map(|fact| fact.id.as_str()), &fact, "remembered fact", &command)?.to_owned();
                let target = format!("/profiles/{profile}/memory/forget");
                self.post(&target, &ForgetFact { bot, id }, show::memory::forgotten).await
            }
        }
    }

    /// The route of the one session that is meant.
    async fn session_target(&self, profile: &str, begin: &str) -> Result<String, Failure> {
        let list: Sessions = self.supervisor.get(&format!("/profiles/{profile}/sessions")).await?;
        let ids = list.sessions.iter().map(|session| session.id.as_str());
        let id = one_of(ids, begin, "session", &format!("botctl session list {profile}"))?;
        Ok(format!("/profiles/{profile}/sessions/{id}"))
    }

    /// Asks the supervisor; looks for itself when there is none.
    async fn doctor(&self, security: bool, verbose: bool) -> Result<(), Failure> {
        let target = if security { "/doctor?security=true" } else { "/doctor" };
        let checkup = match self.supervisor.try_get::<Checkup>(target).await {
            Ok(checkup) => checkup,
            Err(error) => {
                let why = Failure::call(&error, &self.supervisor.socket()).message.unwrap_or_default();
                let silence = Unseen { why, denied: is_denied(&error) };
                let facts = doctor::facts::without_daemon(&self.supervisor.roots, SystemClock.now(), silence).await;
                let mut checks = doctor::examine(&facts);
                checks.extend(security.then(doctor::security::unseen).into_iter().flatten());
                Checkup { supervisor: false, checks }
            }
        };
        self.show(&checkup, |screen, checkup| show::checkup::show(screen, checkup, verbose))
    }

    async fn stream(&self, target: &str) -> Result<platform_kit::lines::Lines, Failure> {
        self.supervisor.stream(Method::GET, target, Vec::new()).await
    }
}

fn wire_scopes(scopes: &[Scope]) -> Option<Vec<platform_types::gate::Scope>> {
    (!scopes.is_empty()).then(|| scopes.iter().map(|scope| (*scope).into()).collect())
}

/// The one id that begins so.
fn one_of<'a>(ids: impl Iterator<Item = &'a str>, begin: &str, what: &str, list: &str) -> Result<&'a str, Failure> {
    let begin = begin.to_ascii_lowercase();
    let mut found = ids.filter(|id| !begin.is_empty() && id.starts_with(&begin));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Failure::other(format!("no {what} begins with {begin:?}; {list} shows them"))),
        (Some(_), Some(_)) => Err(Failure::other(format!("several {what}s begin with {begin:?}; give more of the id"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_named_by_its_beginning() {
        let ids = ["abc1", "abc2", "def0"];
        let check = |begin: &str, expect: Option<&str>| {
            assert_eq!(one_of(ids.into_iter(), begin, "session", "list").ok(), expect, "{begin:?}");
        };
        check("d", Some("def0"));
        check("ABC2", Some("abc2"));
        check("abc", None);
        check("x", None);
        check("", None);
    }

    #[tokio::test]
    async fn to_ask_for_nothing_is_a_mistake_and_no_answer() {
        let call =
            Call { supervisor: Supervisor::new(Roots::under(std::path::Path::new("/nobody/there"))), json: false };
        let exit = |result: Result<(), Failure>| result.unwrap_err().exit;
        assert_eq!(exit(call.audit("personal", 0, false).await), USAGE);
        assert_eq!(exit(call.audit("personal", 0, true).await), super::super::failure::UNREACHABLE);
        let logs = |follow| super::super::args::Logs { who: None, follow, lines: 0 };
        assert_eq!(exit(streams::logs(&call, logs(false)).await), USAGE);
        assert_eq!(exit(streams::logs(&call, logs(true)).await), super::super::failure::UNREACHABLE);
    }
}
