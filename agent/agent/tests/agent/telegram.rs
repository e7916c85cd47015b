//! A chat over the Bot API: answers that are written on, commands, buttons, and a server that does not do as it is told.

use http::StatusCode;
use platform_types::UpstreamName;
use platform_types::agent::{
    AgentConfig, Approval, ApprovalList, ApprovalState, Effect, PolicyRule, SessionKind, SessionList,
};
use platform_types::channel::{AgentChannel, ChannelKind};
use platform_types::egress::Outcome;
use platform_types::health::Readiness;
use serde_json::{Value, json};

use crate::support::agent::{World, bot, config};
use crate::support::bot_api::{Server, in_group, of_gate, private, refusal};
use crate::support::model::{prompt, results};
use crate::support::until;

const PAGE: &str = "https://box.tail1234.ts.net/confirmations";

/// The bot `assistant` answers, `plain` may be chosen; the time is asked for.
fn with_telegram() -> AgentConfig {
    let channel = AgentChannel {
        name: UpstreamName::new("chat").unwrap(),
        kind: ChannelKind::Telegram,
        bot: bot("assistant", &[]).name,
        bots: vec![bot("plain", &[]).name],
        page: Some(PAGE.to_owned()),
    };
    let ask = PolicyRule {
        effect: Effect::Ask,
        bot: None,
        session: Some(SessionKind::Channel),
        tool: "clock.now".into(),
        when: [].into(),
        why: Some("the time is a secret".into()),
    };
    AgentConfig { channels: vec![channel], policy: vec![ask], ..config(1) }
}

async fn world() -> (World, Server) {
    let mut world = World::standby().await;
    let server = Server::start(world.directory.path());
    world.config = with_telegram();
    world.agent.activate_with(world.config.clone()).await.unwrap();
    (world, server)
}

async fn sessions(world: &World) -> usize {
    world.agent.admin.get::<SessionList>("/sessions").await.unwrap().sessions.len()
}

async fn approvals(world: &World) -> Vec<Approval> {
    world.agent.admin.get::<ApprovalList>("/approvals").await.unwrap().approvals
}

/// Written by somebody whose program is German.
fn german(message: i64, text: &str) -> Value {
    let mut message = private(message, 7, text);
    message["from"]["language_code"] = json!("de-AT");
    message
}

fn says(body: &Value, words: &str) -> bool {
    body["text"].as_str().unwrap().contains(words)
}

/// What the buttons of a question carry: allow, deny.
fn buttons(body: &Value) -> [String; 2] {
    let row = body["reply_markup"]["inline_keyboard"][0].as_array().unwrap();
    [0, 1].map(|index| row[index]["callback_data"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_answer_is_one_message_that_is_written_on() {
    let (world, server) = world().await;
    server.writes(1, 7, "Tell me");
    let stream = world.model.next().await.stream();
    stream.text("Half of **it**").await;
    let draft = server.message(1, |body| says(body, "Half")).await;
    assert_eq!((draft["text"].as_str(), draft["parse_mode"].as_str()), (Some("Half of <b>it</b>"), Some("HTML")));
    stream.text(" and a < b").await;
    server.message(1, |body| body["text"] == "Half of <b>it</b> and a &lt; b").await;
    stream.text(", the end.").await;
    stream.finish("stop").await;
    server.message(1, |body| says(body, "the end.")).await;
    assert_eq!(server.shown().len(), 1, "{:?}", server.shown());
    assert!(!server.calls("sendChatAction").is_empty(), "somebody types");
    server.writes(2, 7, "Thanks");
    world.model.says("Welcome").await;
    assert_eq!(server.sent(2).await[1], (7, "Welcome".to_owned()));
}

#[tokio::test]
async fn a_restart_in_the_middle_ends_what_was_begun_and_repeats_nothing() {
    let (mut world, server) = world().await;
    server.writes(1, 7, "Tell me");
    let stream = world.model.next().await.stream();
    stream.text("The first").await;
    server.message(1, |body| says(body, "first")).await;
    stream.text(" half").await;
    server.message(1, |body| says(body, "first half")).await;
    server.confirmed().await;
    world.crash().await;
    let ended = server.message(1, |body| says(body, "agent was restarted")).await;
    assert!(ended["text"].as_str().unwrap().ends_with("<i>(Cut off: the agent was restarted.)</i>"), "{ended}");
    server.writes(1, 7, "Tell me");
    server.writes(2, 7, "Go on");
    world.model.says("The second half").await;
    let sent = server.sent(2).await;
    assert_eq!((sent.len(), sent[1].1.as_str()), (2, "The second half"));
}

#[tokio::test]
async fn a_draft_that_is_gone_or_not_taken_costs_no_answer() {
    let (world, server) = world().await;
    server.fault("sendMessage", refusal(400, "Bad Request: TOPIC_CLOSED"));
    server.writes(1, 7, "One");
    let stream = world.model.next().await.stream();
    stream.text("First").await;
    until("the refusal", async || (server.faults() == 0).then_some(())).await;
    stream.finish("stop").await;
    assert_eq!(server.sent(1).await, [(7, "First".to_owned())]);

    server.writes(2, 7, "Two");
    let stream = world.model.next().await.stream();
    stream.text("Second").await;
    server.sent(2).await;
    server.fault("editMessageText", refusal(400, "Bad Request: message to edit not found"));
    stream.text(" answer").await;
    stream.finish("stop").await;
    assert_eq!(server.sent(3).await[2], (7, "Second answer".to_owned()));
}

#[tokio::test]
async fn what_the_server_cannot_read_goes_as_plain_text() {
    let (world, server) = world().await;
    server.fault("sendMessage", refusal(400, "Bad Request: can't parse entities: Unsupported start tag"));
    server.writes(1, 7, "Hello");
    world.model.says("So **bold** < all").await;
    let plain = server.message(1, |_| true).await;
    assert_eq!((plain["text"].as_str(), plain.get("parse_mode")), (Some("So bold < all"), None));
}

#[tokio::test]
async fn a_person_who_blocked_the_bot_holds_nobody_up() {
    let (world, server) = world().await;
    server.fault("sendMessage", refusal(403, "Forbidden: bot was blocked by the user"));
    server.writes(1, 7, "Hello");
    world.model.says("You do not want to hear this").await;
    until("the refusal", async || (server.faults() == 0).then_some(())).await;
    server.writes(2, 8, "Hello");
    world.model.says("But you do").await;
    assert_eq!(server.sent(1).await, [(8, "But you do".to_owned())]);
}

#[tokio::test]
async fn commands_are_carried_out_without_a_model() {
    let (world, server) = world().await;
    let say = async |id: i64, text: &str| {
        server.update(id, &german(id, text));
        let count = usize::try_from(id).unwrap();
        server.sent(count).await[count - 1].1.clone()
    };
    assert_eq!(say(1, "/start x-1").await, "Hallo, hier ist ASSISTANT. Einfach schreiben. /help zeigt die Befehle.");
    assert!(say(2, "/help").await.contains("/new – ein neues Gespräch"));
    assert_eq!(say(3, "/stop").await, "Es läuft gerade nichts.");
    assert_eq!(say(4, "/status").await, "ASSISTANT wartet auf eine Nachricht. Modell: demo/echo.");
    assert!(say(5, "/bot").await.ends_with("assistant, plain."));
    assert!(say(6, "/bot nobody").await.starts_with("Diesen Bot gibt es hier nicht."));
    assert_eq!(say(7, "/bot PLAIN").await, "Ein neues Gespräch mit PLAIN.");
    assert!(say(8, "/frobnicate").await.contains("nicht"));
    assert_eq!(sessions(&world).await, 0, "nothing was said yet");
    server.update(9, &german(9, "Hallo"));
    let body = world.model.says("Guten Tag").await;
    assert!(body["messages"][0]["content"].as_str().unwrap().starts_with("You are plain."), "{body}");
    server.sent(9).await;
    assert_eq!(say(10, "/new").await, "Ein neues Gespräch mit PLAIN.");
    server.update(11, &german(11, "Und jetzt?"));
    let body = world.model.says("Von vorn").await;
    assert_eq!(prompt(&body).iter().filter(|(role, _)| role == "user").count(), 1, "what was before is not remembered");
    assert_eq!(sessions(&world).await, 2);
}

#[tokio::test]
async fn stop_ends_the_answer_that_runs_and_status_says_so() {
    let (world, server) = world().await;
    server.writes(1, 7, "Tell me everything");
    let stream = world.model.next().await.stream();
    stream.text("Once upon").await;
    server.sent(1).await;
    server.writes(2, 7, "/status");
    assert!(server.sent(2).await[1].1.starts_with("ASSISTANT has been answering for"));
    server.writes(3, 7, "/stop");
    server.sent(3).await;
    let ended = server.message(1, |body| says(body, "(Stopped.)")).await;
    assert_eq!(ended["text"], "Once upon\n\n<i>(Stopped.)</i>");
    assert_eq!(server.shown()[2], (7, "Stopped.".to_owned()));
}

#[tokio::test]
async fn what_comes_twice_is_done_once() {
    let (world, server) = world().await;
    let help = private(1, 7, "/help");
    let again = json!({ "update_id": 1, "message": help });
    server.updates.send_modify(|all| all.extend([again.clone(), again]));
    server.confirmed().await;
    server.writes(2, 7, "Hello");
    world.model.says("Hi").await;
    server.sent(2).await;
    server.writes(3, 7, "/new");
    server.sent(3).await;
    // The message of before, after another conversation has begun.
    server.update(4, &private(2, 7, "Hello"));
    server.writes(5, 7, "Who are you?");
    let body = world.model.says("A bot").await;
    assert_eq!(prompt(&body).last().unwrap().1, "Who are you?");
    let sent = server.sent(4).await;
    assert_eq!(sent.len(), 4, "{sent:?}");
}

#[tokio::test]
async fn what_has_no_text_is_refused_with_words() {
    let (world, server) = world().await;
    let with = |id: i64, media: &str| {
        let mut message = private(id, 7, "");
        message.as_object_mut().unwrap().remove("text");
        message["media"] = json!(media);
        message
    };
    for (id, media, words) in
        [(1, "voice", "dictate"), (2, "picture", "describe"), (3, "file", "paste"), (4, "hologram", "text only")]
    {
        server.update(id, &with(id, media));
        let count = usize::try_from(id).unwrap();
        let sent = server.sent(count).await;
        assert!(sent[count - 1].1.contains(words), "{sent:?}");
    }
    assert_eq!(sessions(&world).await, 0);
}

#[tokio::test]
async fn a_topic_is_a_conversation_of_its_own_and_answers_name_what_they_answer() {
    let (world, server) = world().await;
    let topic = |id: i64, topic: i64, text: &str| {
        let mut message = in_group(id, 7, text);
        (message["message_thread_id"], message["is_topic_message"]) = (topic.into(), true.into());
        message
    };
    server.update(1, &topic(1, 4, "Hello"));
    world.model.says("In four").await;
    let sent = server.message(1, |_| true).await;
    assert_eq!((&sent["chat_id"], &sent["message_thread_id"]), (&json!(-5), &json!(4)));
    assert_eq!(sent["reply_parameters"], json!({ "message_id": 1, "allow_sending_without_reply": true }));
    server.update(2, &topic(2, 9, "And you?"));
    let body = world.model.says("In nine").await;
    assert_eq!(prompt(&body).iter().filter(|(role, _)| role == "user").count(), 1);
    assert_eq!(server.message(2, |_| true).await["message_thread_id"], 9);
    let typing = server.calls("sendChatAction");
    assert!(typing.iter().all(|body| body["message_thread_id"].is_i64()), "{typing:?}");
}

#[tokio::test]
async fn a_button_is_good_for_the_one_who_was_asked_once_and_for_this_call() {
    let (world, server) = world().await;
    server.update(1, &in_group(1, 7, "What time is it?"));
    world.model.calls(&[("clock_now", "{}")]).await;
    let question = server.message(1, |body| says(body, "clock.now")).await;
    assert!(says(&question, "the time is a secret") && says(&question, "ASSISTANT asks"), "{question}");
    let [allow, deny] = buttons(&question);
    let answers = async |count: usize| {
        until("answers", async || Some(server.calls("answerCallbackQuery")).filter(|calls| calls.len() >= count)).await
    };
    let toast = |calls: &[Value], index: usize| calls[index]["text"].as_str().unwrap().to_owned();
    server.press(2, (-5, 8), (1, &allow));
    server.press(3, (-6, 7), (1, &allow));
    server.press(4, (-5, 7), (2, &allow));
    server.press(5, (-5, 7), (1, &format!("{}y", "0".repeat(32))));
    server.press(6, (-5, 7), (1, "y"));
    let calls = answers(5).await;
    let words: Vec<String> = (0..5).map(|index| toast(&calls, index)).collect();
    let over = "This question is over.";
    assert_eq!(words, ["This question is for somebody else.", over, over, over, over]);
    assert_eq!(approvals(&world).await[0].state, ApprovalState::Pending);
    // A press that is too old to be answered counts all the same.
    server.fault("answerCallbackQuery", refusal(400, "Bad Request: query is too old"));
    server.press(7, (-5, 7), (1, &allow));
    let body = world.model.says("It is late").await;
    assert!(!results(&body)[0].contains("not run"), "{:?}", results(&body));
    let closed = server.message(1, |body| says(body, "Allowed.")).await;
    assert_eq!(closed.get("reply_markup"), None);
    server.press(8, (-5, 7), (1, &deny));
    assert_eq!(toast(&answers(7).await, 6), over);
    let approval = &approvals(&world).await[0];
    assert_eq!((approval.state, approval.decided_by.as_deref()), (ApprovalState::Allowed, Some("sender chat/7")));
}

#[tokio::test]
async fn a_question_loses_its_buttons_however_it_ends() {
    let (mut world, server) = world().await;
    server.update(1, &german(1, "Wie spät ist es?"));
    world.model.calls(&[("clock_now", "{}")]).await;
    let question = server.message(1, |body| says(body, "clock.now")).await;
    assert_eq!(question["reply_markup"]["inline_keyboard"][0][1]["text"], "Ablehnen");
    server.press(2, (7, 7), (1, &buttons(&question)[1]));
    let body = world.model.says("Dann nicht").await;
    assert!(results(&body)[0].contains("a person said no"), "{:?}", results(&body));
    server.message(1, |body| says(body, "Abgelehnt.") && body.get("reply_markup").is_none()).await;
    server.sent(2).await;

    server.writes(3, 8, "What time is it?");
    world.model.calls(&[("clock_now", "{}")]).await;
    let asked = server.message(3, |body| says(body, "clock.now")).await;
    // One message goes out after another: with the next one the number of this one is on record.
    server.writes(4, 9, "Hello");
    world.model.says("Hello yourself").await;
    server.sent(4).await;
    world.crash().await;
    server.message(3, |body| says(body, "it was not done") && body.get("reply_markup").is_none()).await;
    server.press(5, (8, 8), (3, &buttons(&asked)[0]));
    until("an answer", async || (server.calls("answerCallbackQuery").len() == 2).then_some(())).await;
    assert!(approvals(&world).await.iter().all(|one| one.state != ApprovalState::Allowed));
}

#[tokio::test]
async fn a_question_whose_number_is_not_known_loses_its_buttons_with_the_first_press() {
    let (world, server) = world().await;
    // The server took it and its answer was lost, as when the agent is killed before it has recorded it.
    server.fault("sendMessage", (StatusCode::BAD_GATEWAY, of_gate("upstream_incomplete")));
    server.writes(1, 7, "What time is it?");
    world.model.calls(&[("clock_now", "{}")]).await;
    let asked = until("the question", async || server.calls("sendMessage").pop()).await;
    server.arrives(7, &asked);
    server.writes(2, 7, "/stop");
    server.sent(2).await;
    server.press(3, (7, 8), (1, &buttons(&asked)[0]));
    until("an answer", async || (server.calls("answerCallbackQuery").len() == 1).then_some(())).await;
    assert!(server.calls("editMessageText").is_empty(), "somebody else's press finds nothing");
    server.press(4, (7, 7), (1, &buttons(&asked)[0]));
    server.message(1, |body| says(body, "it was not done") && body.get("reply_markup").is_none()).await;
    assert!(approvals(&world).await.iter().all(|one| one.state != ApprovalState::Allowed));
}

#[tokio::test]
async fn a_channel_that_is_not_heard_is_a_note() {
    let (world, server) = world().await;
    let notes = async || world.agent.admin.get::<Readiness>("/readyz").await.unwrap().notes;
    server.writes(1, 7, "Hello");
    world.model.says("Hi").await;
    server.confirmed().await;
    // The question that waits is answered; the next one is refused.
    server.fault("getUpdates", refusal(409, "Conflict: terminated by other getUpdates request"));
    server.writes(2, 7, "Still there?");
    world.model.says("Yes").await;
    server.writes(3, 7, "Hello?");
    let deaf = until("a note", async || notes().await.into_iter().find(|note| note.contains("not heard"))).await;
    let why = "the server says 409: Conflict: terminated by other getUpdates request";
    assert_eq!(deaf, format!("channel chat is not heard since 0 min: {why}"));
    world.model.says("I hear you again").await;
    until("no note", async || (!notes().await.iter().any(|note| note.contains("heard"))).then_some(())).await;
}

#[tokio::test]
async fn a_confirmation_is_never_decided_in_a_chat() {
    let mut world = World::standby().await;
    let server = Server::start(world.directory.path());
    let allow = PolicyRule { effect: Effect::Allow, tool: "http.request".into(), ..with_telegram().policy.remove(0) };
    world.config = AgentConfig {
        bots: vec![bot("assistant", &["http.request"]), bot("plain", &[])],
        upstreams: vec![UpstreamName::new("jobs").unwrap()],
        policy: vec![allow],
        ..with_telegram()
    };
    world.agent.activate_with(world.config.clone()).await.unwrap();
    server.writes(1, 7, "Requeue job 7");
    let call = r#"{"upstream":"jobs","path":"/confirm","method":"POST","body":{"job":7}}"#;
    world.model.calls(&[("http_request", call)]).await;
    let pointer = server.message(1, |_| true).await;
    assert!(says(&pointer, "a paired device has to confirm: http.request"), "{pointer}");
    let button = &pointer["reply_markup"]["inline_keyboard"][0][0];
    assert_eq!(*button, json!({ "text": "Look and decide", "url": PAGE }));
    server.confirmation.send_replace(Some(Outcome::Denied));
    let body = world.model.says("It was denied").await;
    assert!(results(&body)[0].contains("denied"), "{:?}", results(&body));
    assert_eq!(server.sent(2).await[1].1, "It was denied");
}

#[tokio::test]
async fn numbers_of_updates_that_begin_anew_are_confirmed() {
    let (world, server) = world().await;
    server.writes(500, 7, "/help");
    server.sent(1).await;
    server.confirmed().await;
    // The question that waits is for 501 and on. A quiet week, or another bot's token: the server counts from elsewhere.
    server.update(20, &private(501, 7, "/help"));
    server.update(21, &private(502, 7, "Hello"));
    world.model.says("Hi").await;
    server.confirmed().await;
    assert_eq!(server.sent(3).await.len(), 3, "nothing is done again and again");
}

#[tokio::test]
async fn a_call_that_no_message_holds_has_no_buttons() {
    let (world, server) = world().await;
    server.writes(1, 7, "What time is it?");
    let call = json!({ "zone": "\u{1f600}".repeat(1985) }).to_string();
    world.model.calls(&[("clock_now", &call)]).await;
    let told = server.message(1, |_| true).await;
    assert!(says(&told, "too long") && says(&told, "clock.now") && told.get("reply_markup").is_none(), "{told}");
    assert_eq!(approvals(&world).await[0].state, ApprovalState::Pending);
    server.writes(2, 7, "/stop");
    server.sent(2).await;
}

#[tokio::test]
async fn what_a_person_is_asked_hides_nothing() {
    let (world, server) = world().await;
    server.writes(1, 7, "What time is it?");
    let call = json!({ "zone": "Europe/\u{202e}nilreB\u{200b}" }).to_string();
    world.model.calls(&[("clock_now", &call)]).await;
    let question = server.message(1, |body| says(body, "clock.now")).await;
    assert!(says(&question, r"Europe/\u{202e}nilreB\u{200b}"), "{question}");
}

#[tokio::test]
async fn another_bot_on_the_server_counts_for_itself() {
    let (world, server) = world().await;
    server.writes(1, 7, "Hello");
    world.model.says("Hi").await;
    server.confirmed().await;
    *server.me.lock().unwrap() = 43;
    // Its first message in the same person's chat.
    server.update(800, &private(1, 7, "Are you the new one?"));
    world.model.says("Yes").await;
    assert_eq!(server.sent(2).await[1], (7, "Yes".to_owned()));
    let mut answer = in_group(9, 7, "");
    answer["text"] = json!("And here?");
    answer["entities"] = json!([]);
    answer["reply_to_message"] = json!({ "message_id": 8, "from": { "id": 43 } });
    server.update(801, &answer);
    world.model.says("Here, too").await;
    assert_eq!(server.sent(3).await[2], (-5, "Here, too".to_owned()));
}
