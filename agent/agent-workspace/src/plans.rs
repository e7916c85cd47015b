//! Plans and change requests: a form, checked against the documents of its bot, kept as Markdown.
//!
//! **Invariants.** They lie in `workspace/plans/<bot>/`, one bot's apart from another's. What is in a plan was checked: each file
//! exists, or is marked new and does not. Before a plan is replaced, its text is in the history.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use agent_store::StateDir;
use platform_types::BotName;

use crate::documents::Documents;
use crate::history::{History, Version};
use crate::notes::Hand;
use crate::{Folder, Name, WorkspaceError};

/// Plans of one bot.
pub const MAX_PLANS: usize = 1000;
/// Longest plan as Markdown, in bytes.
pub const MAX_PLAN_BYTES: usize = 64 * 1024;
/// Entries of one list of the form, and characters of one entry.
const MAX_ITEMS: usize = 100;
const MAX_ITEM_CHARS: usize = 2000;
const MAX_TITLE_CHARS: usize = 120;
const MARKDOWN: &str = ".md";

/// What somebody is to do, or to decide on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// It asks for a change of something that is there.
    pub is_change_request: bool,
    pub title: String,
    pub goal: String,
    pub steps: Vec<String>,
    pub files: Vec<Touched>,
    pub risks: Vec<String>,
    pub questions: Vec<String>,
    /// How one sees that it is done.
    pub acceptance: Vec<String>,
}

/// A file that is to be changed, or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    pub path: String,
    pub is_new: bool,
    pub why: String,
}

/// A plan that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPlan {
    pub name: Name,
    /// Below the workspace.
    pub file: String,
    /// Number of the version that it replaced.
    pub replaced: Option<u32>,
}

/// A plan, or an earlier version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownPlan {
    pub name: Name,
    pub text: String,
    pub versions: Vec<Version>,
}

/// The plans of all bots.
#[derive(Debug)]
pub struct Plans {
    state: StateDir,
    documents: Arc<Documents>,
    /// One write at a time.
    writing: Mutex<()>,
}

impl Plans {
    pub fn new(state: &StateDir, documents: Arc<Documents>) -> Self {
        Self { state: state.clone(), documents, writing: Mutex::new(()) }
    }

    /// Writes a plan under the name of its title; one that is there becomes an earlier version.
    pub fn write(&self, bot: &BotName, form: Form, hand: &Hand) -> Result<WrittenPlan, WorkspaceError> {
        let form = self.checked(bot, form)?;
        let text = markdown(&form, bot, &hand.today);
        if text.len() > MAX_PLAN_BYTES {
            let (found, most) = (text.len(), MAX_PLAN_BYTES);
            return Err(WorkspaceError::TooLarge { what: "the plan", found, unit: "bytes", most });
        }
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (folder, history) = self.open(bot)?;
        let name = Name::from_title(&form.title);
        let file = name.with(MARKDOWN);
        let before = folder.read(&file, MAX_PLAN_BYTES)?;
        if before.is_none() && folder.list()?.len() >= MAX_PLANS {
            return Err(WorkspaceError::Refused(format!("there are {MAX_PLANS} plans, which is the most")));
        }
        let mut replaced = None;
        if let Some(before) = before.filter(|before| *before != text) {
            history.keep(&name, &before, &hand.by, hand.now)?;
            replaced = history.read(&name)?.last().map(|version| version.n);
        }
        folder.write(&file, &text)?;
        Ok(WrittenPlan { file: format!("plans/{bot}/{file}"), name, replaced })
    }

    /// A plan as its file is, or as it was.
    pub fn show(&self, bot: &BotName, name: &str, version: Option<u32>) -> Result<ShownPlan, WorkspaceError> {
        let (folder, history) = self.open(bot)?;
        let name = name.trim().trim_end_matches(MARKDOWN);
        let exact = Name::new(name)?;
        let names = [exact, Name::from_title(name)];
        for name in names {
            let Some(text) = folder.read(&name.with(MARKDOWN), MAX_PLAN_BYTES)? else { continue };
            let versions = history.read(&name)?;
            let Some(n) = version else { return Ok(ShownPlan { name, text, versions }) };
            let Some(found) = versions.iter().find(|version| version.n == n) else {
                let known: Vec<String> = versions.iter().map(|version| version.n.to_string()).collect();
                let words = format!("there is no version {n} of {name}; there are: {}", known.join(", "));
                return Err(WorkspaceError::Refused(words));
            };
            return Ok(ShownPlan { text: found.text.clone(), name, versions });
        }
        let near = format!("plan_list gives {}", self.list(bot)?.len());
        Err(WorkspaceError::NotFound { what: "plan", name: name.chars().take(80).collect(), near })
    }

    /// Names of a bot's plans, the newest first.
    pub fn list(&self, bot: &BotName) -> Result<Vec<Name>, WorkspaceError> {
        let mut files = self.open(bot)?.0.list()?;
        files.sort_by_key(|file| std::cmp::Reverse(file.modified));
        Ok(files.into_iter().filter_map(|file| file.name.without(MARKDOWN)).collect())
    }

    fn open(&self, bot: &BotName) -> Result<(Folder, History), WorkspaceError> {
        let current = Folder::open(&self.state.current())?;
        let folder = current.folder("workspace")?.folder("plans")?.folder(bot.as_str())?;
        let history = History::new(folder.folder("history")?);
        Ok((folder, history))
    }

    /// The form in one line an entry, with paths as lists give them; or everything that is wrong with it.
    fn checked(&self, bot: &BotName, form: Form) -> Result<Form, WorkspaceError> {
        let mut wrong = Vec::new();
        let Form { is_change_request, title, goal, steps, files, risks, questions, acceptance } = form;
        let (title, goal) = (one_line(&title), one_line(&goal));
        let lists = [("steps", steps), ("risks", risks), ("questions", questions), ("acceptance", acceptance)];
        let [steps, risks, questions, acceptance] = lists.map(|(name, items)| {
            let items: Vec<String> = items.iter().map(|item| one_line(item)).filter(|item| !item.is_empty()).collect();
            if items.len() > MAX_ITEMS || items.iter().any(|item| item.chars().count() > MAX_ITEM_CHARS) {
                wrong.push(format!("{name}: at most {MAX_ITEMS} entries of {MAX_ITEM_CHARS} characters"));
            }
            items
        });
        if title.is_empty() || title.chars().count() > MAX_TITLE_CHARS {
            wrong.push(format!("title: 1 to {MAX_TITLE_CHARS} characters"));
        }
        if goal.is_empty() || goal.chars().count() > MAX_ITEM_CHARS {
            wrong.push(format!("goal: 1 to {MAX_ITEM_CHARS} characters, what is different afterwards"));
        }
        if steps.is_empty() {
            wrong.push("steps: at least one".to_owned());
        }
        if acceptance.is_empty() {
            wrong.push("acceptance: at least one way to see that it is done".to_owned());
        }
        if files.len() > MAX_ITEMS {
            wrong.push(format!("files: at most {MAX_ITEMS}"));
        }
        let files = self.files(bot, files, &mut wrong)?;
        if !wrong.is_empty() {
            return Err(WorkspaceError::Refused(format!(
                "nothing was written; mend and send all of it again. {}",
                wrong.join("; ")
            )));
        }
        Ok(Form { is_change_request, title, goal, steps, files, risks, questions, acceptance })
    }

    fn files(
        &self,
        bot: &BotName,
        files: Vec<Touched>,
        wrong: &mut Vec<String>,
    ) -> Result<Vec<Touched>, WorkspaceError> {
        let mut checked: Vec<Touched> = Vec::new();
        for Touched { path, is_new, why } in files.into_iter().take(MAX_ITEMS) {
            let path = match self.documents.path(bot, &path) {
                Ok(path) => path,
                Err(WorkspaceError::Refused(words)) => {
                    wrong.push(words);
                    continue;
                }
                Err(other) => return Err(other),
            };
            match (self.documents.has(bot, &path)?, is_new) {
                (true, true) => wrong.push(format!("{path} exists already, it is not new")),
                (false, false) => {
                    let near = self.documents.near(bot, &path)?;
                    let near = if near.is_empty() {
                        "there are no files".to_owned()
                    } else {
                        format!("the nearest are {}", near.join(", "))
                    };
                    wrong.push(format!("{path} does not exist: {near}; for a file to make, say new: true"));
                }
                _ if checked.iter().any(|file| file.path == path) => wrong.push(format!("{path} stands there twice")),
                _ => checked.push(Touched { path, is_new, why: one_line(&why).chars().take(MAX_ITEM_CHARS).collect() }),
            }
        }
        Ok(checked)
    }
}

/// Text without line ends and control characters: an entry of the form stays one entry of the document.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn markdown(form: &Form, bot: &BotName, today: &str) -> String {
    let kind = if form.is_change_request { "Change request" } else { "Plan" };
    let mut text = format!("# {}\n\n{kind} of {today}, by the bot {bot}.\n\n## Goal\n\n{}\n", form.title, form.goal);
    let files = form.files.iter().map(|file| {
        let (mark, colon) = (if file.is_new { " (new)" } else { "" }, if file.why.is_empty() { "" } else { ": " });
        format!("- `{}`{mark}{colon}{}", file.path, file.why)
    });
    let plain = |items: &[String], mark: &str| items.iter().map(|item| format!("{mark} {item}")).collect::<Vec<_>>();
    let steps = form.steps.iter().enumerate().map(|(n, step)| format!("{}. {step}", n + 1)).collect();
    let sections: [(&str, Vec<String>); 5] = [
        ("Steps", steps),
        ("Files to touch", files.collect()),
        ("Risks", plain(&form.risks, "-")),
        ("Open questions", plain(&form.questions, "-")),
        ("Acceptance", plain(&form.acceptance, "- [ ]")),
    ];
    for (title, lines) in sections {
        let lines = if lines.is_empty() { "None.".to_owned() } else { lines.join("\n") };
        // Writing to a text cannot fail.
        let _ = write!(text, "\n## {title}\n\n{lines}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use platform_types::Timestamp;

    use super::*;

    fn world() -> (tempfile::TempDir, Plans, BotName) {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("documents/project/docs");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("routes.md"), "GET /").unwrap();
        let state = StateDir::new(place.path().join("state"));
        std::fs::create_dir_all(state.current()).unwrap();
        let documents = Arc::new(Documents::new(place.path().join("documents")));
        (place, Plans::new(&state, documents), BotName::new("project").unwrap())
    }

    fn hand() -> Hand {
        Hand { by: "bot project".into(), now: Timestamp(7), today: "2026-11-23".into() }
    }

    fn touched(path: &str, is_new: bool) -> Touched {
        Touched { path: path.into(), is_new, why: "it lists them".into() }
    }

    fn form() -> Form {
        Form {
            is_change_request: true,
            title: "Add a health route".into(),
            goal: "Everybody can ask\nwhether it runs.".into(),
            steps: vec!["Write it down.".into(), "Tell people.".into()],
            files: vec![touched("docs/routes.md", false), touched("health.md", true)],
            risks: Vec::new(),
            questions: vec!["Who may ask?".into()],
            acceptance: vec!["The route is listed.".into()],
        }
    }

    #[test]
    fn a_plan_is_markdown_and_keeps_what_it_was() {
        let (place, plans, bot) = world();
        let written = plans.write(&bot, form(), &hand()).unwrap();
        assert_eq!((written.file.as_str(), written.replaced), ("plans/project/add-a-health-route.md", None));
        let file = place.path().join("state/current/workspace").join(&written.file);
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            text,
            "# Add a health route\n\nChange request of 2026-11-23, by the bot project.\n\n## Goal\n\nEverybody can ask whether it runs.\n\
             \n## Steps\n\n1. Write it down.\n2. Tell people.\n\
             \n## Files to touch\n\n- `docs/routes.md`: it lists them\n- `docs/health.md` (new): it lists them\n\
             \n## Risks\n\nNone.\n\n## Open questions\n\n- Who may ask?\n\n## Acceptance\n\n- [ ] The route is listed.\n"
        );
        let again = plans.write(&bot, Form { risks: vec!["None known.".into()], ..form() }, &hand()).unwrap();
        assert_eq!(again.replaced, Some(1));
        assert_eq!(plans.show(&bot, "Add a health route", Some(1)).unwrap().text, text);
        assert_eq!(plans.list(&bot).unwrap().len(), 1, "the history is no plan");
        assert!(plans.show(&bot, "x", None).is_err());
        assert!(plans.show(&bot, "../../notes/a", None).is_err());
        assert!(plans.list(&BotName::new("other").unwrap()).unwrap().is_empty(), "one bot's are not another's");
    }

    #[test]
    fn everything_wrong_is_said_at_once_and_nothing_is_written() {
        let (_place, plans, bot) = world();
        let files = vec![touched("docs/route.md", false), touched("docs/routes.md", true), touched("../x", true)];
        let bad = Form { steps: vec![" ".into()], acceptance: Vec::new(), files, ..form() };
        let error = plans.write(&bot, bad, &hand()).unwrap_err().to_string();
        for words in [
            "steps: at least one",
            "acceptance: at least one",
            "docs/route.md does not exist: the nearest are docs/routes.md",
            "docs/routes.md exists already",
            "\"../x\" is no path",
        ] {
            assert!(error.contains(words), "{words}: {error}");
        }
        assert!(plans.list(&bot).unwrap().is_empty());
    }
}
