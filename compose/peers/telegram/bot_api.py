"""The methods that a bot calls. Names, errors and their words are those of the public Bot API."""
import json
import time

from markup import Refused, bad, formatted, keyboard

LONGEST_POLL = 50
SAME = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content"
    " and reply markup of the message"
)
OTHER_POLL = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
HOOKED = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"


class BotApi:
    """Each public method is one of the Bot API, in lower case. Called with the world locked."""

    def __init__(self, world, flood):
        self._world, self._flood = world, flood

    def getme(self, _):
        return self._world.bot | {
            "can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False,
            "can_connect_to_business": False, "has_main_web_app": False,
        }

    def setwebhook(self, params):
        self._world.webhook = params.get("url") or None
        return True

    def deletewebhook(self, _):
        self._world.webhook = None
        return True

    def getupdates(self, params):
        world = self._world
        if world.webhook:
            raise Refused(409, HOOKED)
        if world.poll:
            world.poll["conflict"] = True
            world.lock.notify_all()
        offset, limit = int(params.get("offset") or 0), int(params.get("limit") or 100)
        timeout = min(max(int(params.get("timeout") or 0), 0), LONGEST_POLL)
        if params.get("allowed_updates"):
            allowed = params["allowed_updates"]
            world.allowed = set(json.loads(allowed) if isinstance(allowed, str) else allowed)
        if offset > 0:
            world.queue = [update for update in world.queue if update["update_id"] >= offset]
            world.lock.notify_all()
        mine = world.poll = {"conflict": False}
        end = time.monotonic() + timeout
        try:
            while not world.queue and not mine["conflict"] and time.monotonic() < end:
                world.lock.wait(max(0.01, end - time.monotonic()))
            if mine["conflict"]:
                raise Refused(409, OTHER_POLL)
            return world.queue[: limit if 1 <= limit <= 100 else 100]
        finally:
            if world.poll is mine:
                world.poll = None

    def sendmessage(self, params):
        world, chat = self._world, self._world.chat_of(params)
        text, entities = formatted(params)
        self._pace(chat)
        reply = params.get("reply_parameters") or {}
        reply = json.loads(reply) if isinstance(reply, str) else reply
        answered = world.messages.get((chat, int(reply.get("message_id") or 0)))
        if reply and not answered and not reply.get("allow_sending_without_reply"):
            raise bad("message to be replied not found")
        message = {
            "message_id": world.next("message"), "from": world.bot, "chat": world.chats[chat],
            "date": int(time.time()), "text": text,
        }
        if params.get("message_thread_id"):
            message |= {"message_thread_id": int(params["message_thread_id"]), "is_topic_message": True}
        if entities:
            message["entities"] = entities
        if answered:
            message["reply_to_message"] = {key: value for key, value in answered.items() if key != "reply_to_message"}
        buttons = keyboard(params)
        if buttons:
            message["reply_markup"] = buttons
        world.messages[chat, message["message_id"]] = message
        return message

    def editmessagetext(self, params):
        world, chat = self._world, self._world.chat_of(params)
        message = world.messages.get((chat, int(params.get("message_id") or 0)))
        if not message:
            raise bad("message to edit not found")
        if message["from"]["id"] != world.bot["id"]:
            raise bad("message can't be edited")
        text, entities = formatted(params)
        buttons = keyboard(params)
        if (message["text"], message.get("entities", []), message.get("reply_markup")) == (text, entities, buttons):
            raise bad(SAME)
        self._pace(chat)
        for key, value in (("text", text), ("entities", entities), ("reply_markup", buttons), ("edit_date", int(time.time()))):
            message.pop(key, None)
            if value:
                message[key] = value
        return message

    def sendchataction(self, params):
        chat = self._world.chat_of(params)
        if params.get("action") != "typing":
            raise bad("wrong parameter action in request")
        self._world.typing[chat] = time.time()
        return True

    def answercallbackquery(self, params):
        press = self._world.presses.get(str(params.get("callback_query_id")))
        if not press or press["answered"]:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        press |= {"answered": True, "text": params.get("text")}
        return True

    def _pace(self, chat):
        """More than the server takes is refused: one a second in a chat, twenty a minute in a group."""
        if not self._flood:
            return
        now, window, most = time.time(), 60 if chat < 0 else 1, 20 if chat < 0 else self._flood
        lately = [at for at in self._world.sent.get(chat, []) if now - at < window]
        if len(lately) >= most:
            wait = max(1, int(lately[0] + window - now) + 1)
            raise Refused(429, f"Too Many Requests: retry after {wait}", wait)
        self._world.sent[chat] = [*lately, now]
