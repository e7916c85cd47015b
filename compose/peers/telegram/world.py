"""What the server knows: chats, messages, updates that are not confirmed. And what people do."""
import re
import threading
import time

from markup import Refused, bad, units

KINDS = ("voice", "audio", "photo", "video", "document", "sticker", "location")


class World:
    """All state. Whoever reads or changes it holds `lock`, which also says that something has changed."""

    def __init__(self, token, username):
        self.lock = threading.Condition()
        self.token = token
        self.bot = {"id": int(token.split(":")[0]), "is_bot": True, "first_name": "House", "username": username}
        self.chats, self.messages, self.presses, self.typing = {}, {}, {}, {}
        self.queue, self.calls, self.faults, self.blocked = [], [], [], set()
        self.numbers = {"update": 500_000_000, "message": 0, "press": 7_000_000_000}
        self.poll, self.allowed, self.webhook, self.sent = None, None, None, {}

    def next(self, kind):
        self.numbers[kind] += 1
        return self.numbers[kind]

    def update(self, kind, content):
        number = self.next("update")
        if self.allowed is None or kind in self.allowed:
            self.queue.append({"update_id": number, kind: content})
            self.lock.notify_all()
        return number

    def chat_of(self, params):
        """The chat that the bot means."""
        try:
            chat = int(params.get("chat_id"))
        except (TypeError, ValueError):
            raise bad("chat not found") from None
        if chat not in self.chats:
            raise bad("chat not found")
        if chat in self.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        return chat

    # What people do.

    def person(self, params):
        person = int(params["user_id"])
        user = {"id": person, "is_bot": False, "first_name": params.get("first_name", f"Person {person}"), "username": f"user{person}"}
        if params.get("language_code"):
            user["language_code"] = params["language_code"]
        return user

    def place(self, params):
        chat = int(params.get("chat_id", params["user_id"]))
        if chat not in self.chats:
            private = {"type": "private", "first_name": "Somebody"}
            group = {"type": params.get("chat_type", "supergroup"), "title": "A group", "is_forum": bool(params.get("thread_id"))}
            self.chats[chat] = {"id": chat, **(private if chat > 0 else group)}
        return self.chats[chat]

    def write(self, params):
        """Somebody writes, or sends something that is no text."""
        chat = self.place(params)
        message = {"message_id": self.next("message"), "from": self.person(params), "chat": chat, "date": int(time.time())}
        kind = params.get("kind")
        if kind in KINDS:
            file = {"file_id": "AgAD-secret", "file_unique_id": "u", "file_name": "secret.pdf", "duration": 3}
            message[kind] = [file] if kind == "photo" else file
        else:
            message["text"] = params["text"]
            entities = list(self.marks(params["text"]))
            if entities:
                message["entities"] = entities
        if params.get("thread_id"):
            message |= {"message_thread_id": int(params["thread_id"]), "is_topic_message": True}
        if params.get("reply_to"):
            message["reply_to_message"] = self.messages[chat["id"], int(params["reply_to"])]
        self.messages[chat["id"], message["message_id"]] = message
        return {"update_id": self.update("message", message), "message_id": message["message_id"]}

    def marks(self, text):
        for kind, pattern in (("mention", r"(?:^|\s)(@\w+)"), ("bot_command", r"(?:^|\s)(/\w{1,32}(?:@\w+)?)")):
            for found in re.finditer(pattern, text):
                yield {"type": kind, "offset": units(text[: found.start(1)]), "length": units(found.group(1))}

    def press(self, params):
        """Somebody presses a button, by its label or with data of his own."""
        chat = self.place(params)["id"]
        with_buttons = [key for key, message in sorted(self.messages.items()) if key[0] == chat and "reply_markup" in message]
        number = int(params.get("message_id") or (with_buttons[-1][1] if with_buttons else 0))
        message = self.messages.get((chat, number))
        if not message:
            raise Refused(404, "no such message")
        data = params.get("data")
        if data is None:
            buttons = [button for row in message.get("reply_markup", {}).get("inline_keyboard", []) for button in row]
            data = next((button["callback_data"] for button in buttons if button["text"] == params["label"]), None)
        if data is None:
            raise Refused(404, "no such button")
        press = str(self.next("press"))
        self.presses[press] = {"data": data, "answered": False}
        query = {"id": press, "from": self.person(params), "message": message, "chat_instance": "1", "data": data}
        return {"update_id": self.update("callback_query", query), "callback_query_id": press}

    def show(self, chat):
        messages = [message for (place, _), message in sorted(self.messages.items()) if place == chat]
        return {"messages": messages, "typing": time.time() - self.typing.get(chat, 0) < 5}
