//! What happens in a store in its life, once in every table, and whether it is found again.

use agent_core::prompt::{Prompt, Usage};
use agent_core::turn::{Answer, Record};
use agent_store::cron::{Fired, NewRun};
use agent_store::{
    Answered, Asked, ChatPlace, JobKey, NewChat, NewMessage, NewQuestion, Partial, Store, StoredSummary, Wrote,
};
use platform_kit::chain;
use platform_types::audit::GENESIS;
use platform_types::channel::ChatId;
use platform_types::chat::{Author, Note, NoteCode, ToolCard, ToolState, TurnOutcome};
use platform_types::cron::{Cause, Outcome};
use platform_types::{BotName, JobName, Timestamp, UpstreamName};

/// One life; its ids are its own, so that a second one has room beside it.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    name: &'static str,
    session: &'static str,
    chat: i64,
}

impl Life {
    pub const FIRST: Self = Self { name: "first", session: "first-page", chat: 7 };
    pub const SECOND: Self = Self { name: "second", session: "second-page", chat: 8 };

    pub fn session(self) -> &'static str {
        self.session
    }

    pub fn is_lived(self, store: &mut Store) {
        self.page(store);
        self.chat(store);
        self.job(store);
    }

    /// `newest`: what was not there yet in an older schema is not looked for.
    pub fn is_found(self, store: &Store, newest: u32) {
        self.page_is_found(store, newest);
        if newest >= 2 {
            let approvals: Vec<_> =
                store.approvals().unwrap().into_iter().filter(|one| one.id == self.id("ask")).collect();
            assert_eq!(approvals[0].decided_by.as_deref(), Some("operator anna"));
            let entries = store.audit_page(0).unwrap().entries;
            assert!(!entries.is_empty());
            let mut before = GENESIS.to_owned();
            for entry in &entries {
                assert_eq!(chain::hash(&before, entry), entry.hash);
                before.clone_from(&entry.hash);
            }
        }
        if newest >= 3 {
            let chat = store.current_chat(&self.place()).unwrap().unwrap();
            assert_eq!((chat.session.id, chat.secret), (self.id("chat"), self.id("secret")));
        }
        if newest >= 5 {
            let run = store.runs(&self.key()).unwrap().remove(0);
            assert_eq!((run.id, run.outcome), (self.id("run"), Some(Outcome::Completed)));
        }
        if newest >= 7 {
            assert_eq!(store.summaries(self.session).unwrap()[0].text, "what was decided");
        }
        if newest >= 8 {
            let question = store.question(&channel(), &self.id("question")).unwrap().unwrap();
            assert_eq!((question.number, question.asked.person), (Some(71), ChatId(self.chat)));
        }
    }

    fn page_is_found(self, store: &Store, newest: u32) {
        let page = store.transcript(self.session, 100).unwrap();
        let said: Vec<_> = page.messages.iter().map(|one| (one.seq, one.author, one.text.as_str())).collect();
        let expected =
            [(1, Author::Person, "Hello"), (2, Author::Bot, "Hi"), (3, Author::Person, "And?"), (4, Author::Bot, "Hi")];
        assert_eq!(said, expected);
        assert_eq!(page.messages[1].tools, [card()]);
        assert_eq!(page.messages[1].note.as_ref().unwrap().code, NoteCode::Length);
        assert_eq!(page.summaries.len(), usize::from(newest >= 7));
        assert!(!store.events(&self.id("t1")).unwrap().is_empty());
    }

    fn id(self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }

    fn key(self) -> JobKey {
        JobKey { bot: bot(), job: JobName::new(self.name).unwrap() }
    }

    fn place(self) -> ChatPlace {
        ChatPlace { channel: channel(), chat: ChatId(self.chat), topic: None }
    }

    fn says(self, store: &mut Store, (session, n, text): (&str, &str, &str), wrote: Option<Wrote>) {
        let new = NewMessage {
            session: session.to_owned(),
            id: self.id(&format!("m{n}")),
            text: text.to_owned(),
            at: Timestamp(2),
            turn: self.id(&format!("t{n}")),
            start: true,
            history_bytes: 10_000,
            wrote,
        };
        assert!(!store.accept(&new, drop).unwrap().known);
    }

    fn is_answered(self, store: &mut Store, n: &str) {
        let records = [(Timestamp(3), Record::Finished { outcome: TurnOutcome::Completed })];
        assert!(store.finish(&self.id(&format!("t{n}")), &answer(), &records, Timestamp(4)).unwrap().is_some());
    }

    fn page(self, store: &mut Store) {
        store.create_session(self.session, &bot(), Timestamp(1)).unwrap();
        self.says(store, (self.session, "1", "Hello"), None);
        let records = vec![(Timestamp(3), Record::ModelCalled { call: 1, messages: 1, left_out: 0 })];
        let partial = Partial { text: "H".to_owned(), tools: vec![card()], records };
        store.save_partial(&self.id("t1"), &partial, true).unwrap();
        self.asks(store, "ask", self.session, "t1");
        let yes = Answered {
            id: self.id("ask"),
            digest: self.id("digest"),
            allow: true,
            by: "operator anna".to_owned(),
            at: Timestamp(3),
        };
        store.answer(&yes).unwrap();
        self.is_answered(store, "1");
        self.says(store, (self.session, "2", "And?"), None);
        self.is_answered(store, "2");
        let summary = StoredSummary { through: 1, below: 2, at: Timestamp(4), text: "what was decided".to_owned() };
        assert!(store.summarise(self.session, &summary).unwrap().is_some());
        store.probe(Timestamp(5)).unwrap();
        store.tidy().unwrap();
    }

    fn asks(self, store: &mut Store, id: &str, session: &str, turn: &str) {
        let asked = Asked {
            id: self.id(id),
            turn: self.id(turn),
            session: session.to_owned(),
            bot: bot(),
            call: format!("call-{id}"),
            tool: "door.open".to_owned(),
            arguments: "{}".to_owned(),
            why: "a rule".to_owned(),
            digest: self.id("digest"),
            created_at: Timestamp(3),
            expires_at: Timestamp(10_000),
        };
        store.ask(&asked).unwrap();
    }

    fn chat(self, store: &mut Store) {
        let new = NewChat { session: self.id("chat"), secret: self.id("secret") };
        let session = store.open_chat(&self.place(), &new, &[bot()], Timestamp(1)).unwrap().session.id;
        let wrote = Wrote { person: ChatId(self.chat), number: 70, language: "de".to_owned() };
        self.says(store, (&session, "3", "Servus"), Some(wrote));
        store.draft_sent(&self.id("t3"), 72).unwrap();
        self.asks(store, "ask-in-chat", &session, "t3");
        let question = NewQuestion {
            id: self.id("question"),
            approval: self.id("ask-in-chat"),
            digest: self.id("digest"),
            person: ChatId(self.chat),
            language: "de".to_owned(),
        };
        assert!(store.ask_in_chat(&question).unwrap());
        store.question_sent(&question.id, 71).unwrap();
        store.question_closed(&question.id).unwrap();
        self.is_answered(store, "3");
        let waiting = store.deliveries(&channel(), Timestamp(5)).unwrap();
        let mine = waiting.iter().find(|one| one.place.chat.0 == self.chat).unwrap();
        assert_eq!((mine.text.as_str(), mine.draft), ("Hi", Some(72)));
        store.delivery_begun(&self.id("t3"), 1).unwrap();
        store.delivery_ended(&self.id("t3"), None, Timestamp(6)).unwrap();
        assert!(store.handle(&channel(), self.chat).unwrap());
    }

    fn job(self, store: &mut Store) {
        store.keep_jobs(&[(self.key(), "0 20 * * * UTC".to_owned())], Timestamp(0)).unwrap();
        let new = NewRun {
            id: self.id("run"),
            message: self.id("m4"),
            session: self.id("job"),
            due: Timestamp(5),
            ticks: 1,
            cause: Cause::Schedule,
            by: None,
            seen: Timestamp(5),
        };
        let Fired::In(session) = store.fire(&self.key(), &new, Timestamp(5)).unwrap() else { panic!("there is room") };
        self.says(store, (&session.id, "4", "Write."), None);
        self.is_answered(store, "4");
        let over = store.attempt(&self.id("m4")).unwrap().1.unwrap();
        store.close_run((&self.key(), &new.id), &over, None, Timestamp(6)).unwrap();
    }
}

fn bot() -> BotName {
    BotName::new("assistant").unwrap()
}

fn channel() -> UpstreamName {
    UpstreamName::new("chat").unwrap()
}

fn card() -> ToolCard {
    ToolCard {
        id: "call00001".to_owned(),
        name: "clock.now".to_owned(),
        arguments: "{}".to_owned(),
        state: ToolState::Done,
        result: None,
        asking: None,
    }
}

fn answer() -> Answer {
    let text = "Hi".to_owned();
    Answer {
        outcome: TurnOutcome::Completed,
        tools: vec![card()],
        note: Some(Note { code: NoteCode::Length, detail: Some("cut".to_owned()) }),
        failure: None,
        shortened: true,
        exchange: vec![Prompt::Assistant { text: text.clone(), calls: Vec::new() }],
        usage: Some(Usage { input_tokens: 5, output_tokens: 6 }),
        model_calls: 1,
        tool_calls: 1,
        denied_calls: 0,
        window: None,
        text,
    }
}
