//! What is asked of the daemon: files are applied or previewed, registries and secrets changed, operations started.

use std::collections::BTreeSet;
use std::sync::Arc;

use platform_types::{ProfileName, Timestamp};
use supervisor_config::{Finding, Severity};
use supervisor_plan::spec::ImageId;
use supervisor_plan::{Target, impact, plan};
use tokio::sync::oneshot;

use super::Reconciler;
use super::event::{Event, Prepared};
use super::sync;
use crate::desired::build::Ground;
use crate::desired::{Accepted, Wanted, build};
use crate::state::{Applied, ApplyError, Command, Operation, OperationError, OperationKind, Preview};
use crate::task::{self, Operator, Signal, Work};
use crate::words::chain;

/// How long the sender of a change waits for the container that is told of it.
const CONFIRM_MILLIS: i64 = 1000;
/// How long the answer to an apply waits for the first look at Docker: what stands in the way is not known before.
const FIRST_LOOK_MILLIS: i64 = 3000;

/// Why files were read.
#[derive(Debug)]
pub enum Purpose {
    Apply { reply: Option<oneshot::Sender<Result<Applied, ApplyError>>> },
    Preview { reply: oneshot::Sender<Result<Preview, ApplyError>> },
}

/// Somebody waits until a container has what the ledger and the files have.
#[derive(Debug)]
pub struct Confirmation {
    pub target: Target,
    pub until: Timestamp,
    pub reply: oneshot::Sender<bool>,
}

/// Somebody waits for the first plan after an apply.
#[derive(Debug)]
pub struct Report {
    /// Nobody waits longer for the first look at Docker.
    pub until: Timestamp,
    pub findings: Vec<Finding>,
    pub reply: oneshot::Sender<Result<Applied, ApplyError>>,
}

impl Reconciler {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Apply { reply } => self.prepare(Purpose::Apply { reply: Some(reply) }),
            Command::Preview { reply } => self.prepare(Purpose::Preview { reply }),
            Command::RegistryChanged { profile, reply } => self.registry_changed(&profile, reply),
            Command::SecretChanged { reply } => {
                self.rebuild();
                self.provide();
                // Whether the files lack a secret is another thing now, and is told before anybody can ask.
                self.compare_files();
                self.intent.files_stamp = crate::desired::files::stamp(&self.hands.roots);
                self.publish();
                // Nobody may be listening any more.
                let _ = reply.send(());
            }
            Command::Confirm { target, reply } => self.confirm(target, reply),
            Command::ClearQuarantine { target, reply } => {
                let cleared = self.ledger.clear(&target);
                self.save_ledger();
                let _ = reply.send(cleared);
            }
            Command::Snapshot { profile, by, reason, progress, reply } => {
                let work = Work::Snapshot { reason, progress, reply };
                self.operate((profile, by), OperationKind::Snapshot, work);
            }
            Command::Check { profile, by, all_data, progress, reply } => {
                let work = Work::Check { all_data, progress, reply };
                self.operate((profile, by), OperationKind::Check, work);
            }
            Command::Restore { profile, by, snapshot, into, progress, reply } => {
                let work = Work::Restore { snapshot, into, progress, reply };
                self.operate((profile, by), OperationKind::Restore, work);
            }
        }
    }

    /// Reads the files and asks the engine for their images, as an effect.
    pub(super) fn prepare(&mut self, purpose: Purpose) {
        let hands = self.hands.clone();
        self.effects.spawn(async move {
            let result = match Accepted::from_disk(&hands.roots) {
                Ok(accepted) => {
                    let wanted = wanted_images(&accepted, &hands.roots);
                    // An engine that is away tells later; until then the images count as missing.
                    let images = sync::present(&hands, &wanted).await.unwrap_or_default();
                    Ok(Prepared { accepted, images })
                }
                Err(error) => Err(error),
            };
            Event::Prepared { purpose, result: Box::new(result) }
        });
    }

    pub(super) fn prepared(&mut self, purpose: Purpose, result: Result<Prepared, ApplyError>) {
        let result = result.and_then(|prepared| self.same_name(prepared));
        match (purpose, result) {
            (Purpose::Apply { reply }, Ok(prepared)) => self.accept(prepared, reply),
            (Purpose::Preview { reply }, Ok(prepared)) => {
                let _ = reply.send(self.preview(prepared));
            }
            (purpose, Err(error)) => {
                self.note_findings(&error);
                tracing::warn!(error = %chain(&error), "the files were not accepted");
                match purpose {
                    Purpose::Apply { reply: Some(reply) } => drop(reply.send(Err(error))),
                    Purpose::Apply { reply: None } => {}
                    Purpose::Preview { reply } => drop(reply.send(Err(error))),
                }
            }
        }
    }

    fn same_name(&self, prepared: Prepared) -> Result<Prepared, ApplyError> {
        let (old, new) = (&self.intent.accepted.config.name, &prepared.accepted.config.name);
        if old == new {
            return Ok(prepared);
        }
        Err(ApplyError::Refused(format!(
            "name is {old:?} and cannot become {new:?} while containers carry it; run ./deploy/down, then ./deploy/up",
            old = old.to_string(),
            new = new.to_string()
        )))
    }

    /// The files become the desired state. What failed before gets a fresh start.
    fn accept(&mut self, prepared: Prepared, reply: Option<oneshot::Sender<Result<Applied, ApplyError>>>) {
        let Prepared { accepted, images } = prepared;
        let previous = std::mem::replace(&mut self.intent.accepted, accepted);
        if let Err(error) = self.try_rebuild() {
            self.intent.accepted = previous;
            tracing::warn!(error = %error, "the files were not applied");
            if let Some(reply) = reply {
                let _ = reply.send(Err(ApplyError::Refused(error)));
            }
            return;
        }
        if let Err(error) = self.intent.accepted.keep_copy(&self.hands.roots) {
            tracing::warn!(error = %chain(&error), "the accepted files could not be kept");
        }
        let targets: Vec<_> = self.ledger.failures.keys().chain(self.ledger.quarantines.keys()).cloned().collect();
        for target in targets {
            self.ledger.clear(&target);
        }
        self.save_ledger();
        self.sight.observed.images.extend(images);
        self.provide();
        self.intent.unapplied = false;
        self.affairs.records.forget();
        self.intent.findings = Arc::new(self.intent.accepted.findings.clone());
        self.intent.files_stamp = crate::desired::files::stamp(&self.hands.roots);
        self.sync_within(0);
        tracing::info!("the files are in force");
        self.record("applied", None, "platform.toml was applied".to_owned());
        if reply.is_none() {
            self.did("config.applied", None, "platform.toml is in force as it is on the disk (SIGHUP)".to_owned());
        }
        let findings = self.intent.accepted.findings.clone();
        let until = self.now().plus_millis(FIRST_LOOK_MILLIS);
        self.affairs.reports.extend(reply.map(|reply| Report { until, findings, reply }));
    }

    fn preview(&self, prepared: Prepared) -> Result<Preview, ApplyError> {
        let Prepared { accepted, images } = prepared;
        let mut ledger = self.ledger.clone();
        let wanted = self.build(&accepted, &mut ledger).map_err(ApplyError::Refused)?;
        let mut observed = self.sight.observed.clone();
        observed.images.extend(images);
        // Ports that are wanted from now on, too.
        observed.ports_taken = self.taken_ports(&wanted.desired);
        let plan = plan(&wanted.desired, &observed, &ledger, self.now());
        Ok(Preview {
            changed: accepted.files != self.intent.accepted.files,
            impacts: impact(&self.intent.wanted.desired, &wanted.desired),
            findings: accepted.findings,
            actions: plan.actions,
            report: plan.report,
        })
    }

    /// A file changed on the disk: is it still what is in force, and would it be accepted?
    pub(super) fn compare_files(&mut self) {
        match Accepted::from_disk(&self.hands.roots) {
            Ok(accepted) => {
                self.intent.unapplied = accepted.files != self.intent.accepted.files;
                self.intent.findings = Arc::new(accepted.findings);
            }
            Err(error) => {
                self.intent.unapplied = true;
                self.note_findings(&error);
            }
        }
    }

    fn note_findings(&mut self, error: &ApplyError) {
        self.intent.unapplied = true;
        self.intent.findings = Arc::new(findings(error));
    }

    fn registry_changed(&mut self, profile: &ProfileName, reply: oneshot::Sender<bool>) {
        self.rebuild();
        self.confirm(Target::gate(profile), reply);
    }

    fn confirm(&mut self, target: Target, reply: oneshot::Sender<bool>) {
        let until = self.now().plus_millis(CONFIRM_MILLIS);
        self.affairs.confirmations.push(Confirmation { target, until, reply });
    }

    /// Composes again what is pushed. A ledger that cannot be read is a trouble that shows.
    pub(super) fn rebuild(&mut self) {
        if let Err(error) = self.try_rebuild() {
            self.telling.troubles.insert(error);
        }
    }

    fn try_rebuild(&mut self) -> Result<(), String> {
        let mut ledger = self.ledger.clone();
        self.intent.wanted = self.build(&self.intent.accepted, &mut ledger)?;
        self.ledger = ledger;
        if self.save_ledger() { Ok(()) } else { Err("the ledger cannot be written".to_owned()) }
    }

    fn build(&self, accepted: &Accepted, ledger: &mut supervisor_plan::Ledger) -> Result<Wanted, String> {
        let ground =
            Ground { roots: &self.hands.roots, store: &self.store, install: &self.hands.install, now: self.now() };
        build(accepted, ground, &mut ledger.ids).map_err(|error| chain(&error))
    }

    /// Makes what containers mount. What cannot be made is shown and tried again with the next change.
    pub(super) fn provide(&mut self) {
        let problems = self.hands.host.provide(&self.intent.wanted.provision);
        self.intent.host_problems = problems.iter().map(|error| chain(error)).collect();
        for problem in &self.intent.host_problems {
            tracing::error!(problem, "the host's side is not complete");
        }
    }

    /// After a pass: who waited for it is told.
    pub(super) fn answer_waiting(&mut self) {
        let now = self.now();
        for report in std::mem::take(&mut self.affairs.reports) {
            if !self.sight.synced && now < report.until {
                self.affairs.reports.push(report);
                continue;
            }
            let Report { until: _, findings, reply } = report;
            let applied = Applied { findings, actions: self.plan.actions.clone(), report: self.plan.report.clone() };
            let _ = reply.send(Ok(applied));
        }
        for confirmation in std::mem::take(&mut self.affairs.confirmations) {
            let confirmed = self.is_told(&confirmation.target);
            if confirmed || now >= confirmation.until {
                let _ = confirmation.reply.send(confirmed);
            } else {
                self.affairs.confirmations.push(confirmation);
            }
        }
    }

    /// The container has the configuration that is desired, and said so.
    fn is_told(&self, target: &Target) -> bool {
        let wanted = self.intent.wanted.desired.services.get(target).and_then(|service| service.config_digest.as_ref());
        let pushed = self.ledger.pushed.get(target).filter(|pushed| Some(&pushed.config_digest) == wanted);
        let Some(pushed) = pushed.filter(|_| !self.affairs.under_way.contains_key(target)) else { return false };
        let container = self.sight.observed.container(&pushed.container);
        container
            .and_then(|container| container.answer())
            .is_some_and(|answer| answer.revision >= Some(pushed.revision))
    }

    pub(super) fn operate(&mut self, (profile, by): (ProfileName, String), kind: OperationKind, work: Work) {
        let refusal = if !self.intent.accepted.config.profiles.contains_key(&profile) {
            Some(OperationError::UnknownProfile(profile.clone()))
        } else if self.affairs.operations.contains_key(&profile) {
            Some(OperationError::Busy { profile: profile.clone() })
        } else {
            None
        };
        if let Some(error) = refusal {
            return work.refuse(error);
        }
        let operation = Operation { kind, since: self.now(), progress: String::new() };
        self.affairs.operations.insert(profile.clone(), operation);
        let operator = Operator {
            hands: self.hands.clone(),
            store: self.store.clone(),
            world: self.shared.world.clone(),
            signals: self.inbox.operations_sender.clone(),
            topology: self.intent.wanted.topology.clone(),
            profile,
            by,
        };
        platform_kit::task::spawn("operation", task::run(operator, work));
    }

    pub(super) fn operation_signal(&mut self, profile: &ProfileName, signal: Signal) {
        match signal {
            Signal::Progress(line) => {
                if let Some(operation) = self.affairs.operations.get_mut(profile) {
                    operation.progress = line;
                }
            }
            Signal::Hold { reason, done } => {
                let now = self.now();
                self.ledger.hold(profile, reason, now);
                let saved = self.save_ledger();
                if !saved {
                    self.ledger.release(profile);
                }
                let _ = done.send(saved);
            }
            Signal::Release => {
                self.ledger.release(profile);
                self.save_ledger();
            }
            Signal::Ended { message } => {
                self.affairs.operations.remove(profile);
                self.affairs.records.forget();
                self.ledger.release(profile);
                self.save_ledger();
                self.record("operation", Some(profile.to_string()), message);
                self.sync_within(0);
            }
        }
    }
}

/// What an error says about the files; nothing of an earlier look is left.
fn findings(error: &ApplyError) -> Vec<Finding> {
    let as_a_whole = |message: String| Finding {
        severity: Severity::Error,
        line: 0,
        column: 0,
        key: String::new(),
        message,
        remedy: "What was applied last stays in force.".to_owned(),
    };
    match error {
        ApplyError::Config(findings) => findings.clone(),
        ApplyError::File { .. } | ApplyError::Refused(_) => vec![as_a_whole(error.to_string())],
    }
}

fn wanted_images(accepted: &Accepted, roots: &platform_types::layout::Roots) -> BTreeSet<ImageId> {
    let images = accepted.files.images(roots).ok();
    images
        .map(|images| [images.agent, images.gate, images.spark, images.backup].map(|image| image.id).into())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_takes_the_place_of_what_was_wrong_in_it() {
        let gone = ApplyError::File { path: "/etc/platform.toml".into(), reason: "it is not there; write one".into() };
        let said: Vec<String> = findings(&gone).iter().map(ToString::to_string).collect();
        let expect = "platform.toml: /etc/platform.toml cannot be read: it is not there; write one\n    \
                      What was applied last stays in force.";
        assert_eq!(said, [expect]);
    }
}
