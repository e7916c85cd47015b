"""Text as the Bot API counts and reads it: UTF-16 units, the HTML subset, inline keyboards."""
import html.parser
import json

MAX_TEXT = 4096
TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "code": "code", "pre": "pre",
    "a": "text_link", "tg-spoiler": "spoiler", "blockquote": "blockquote",
}


class Refused(Exception):
    def __init__(self, code, description, retry_after=None):
        super().__init__(description)
        self.code, self.description, self.retry_after = code, description, retry_after


def bad(description):
    return Refused(400, "Bad Request: " + description)


def units(text):
    return len(text.encode("utf-16-le")) // 2


class Entities(html.parser.HTMLParser):
    """HTML to a text and its entities. What is not in the subset is an error, as with the real server."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.text, self.open, self.entities = "", [], []

    def handle_starttag(self, tag, attributes):
        if tag not in TAGS:
            offset = len(self.text.encode())
            raise bad(f'can\'t parse entities: Unsupported start tag "{tag}" at byte offset {offset}')
        self.open.append((tag, units(self.text), dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            expected = self.open[-1][0] if self.open else ""
            raise bad(f'can\'t parse entities: Unmatched end tag, expected "</{expected}>", found "</{tag}>"')
        tag, offset, attributes = self.open.pop()
        length = units(self.text) - offset
        if length:
            link = {"url": attributes.get("href", "")} if tag == "a" else {}
            self.entities.append({"type": TAGS[tag], "offset": offset, "length": length, **link})

    def handle_data(self, data):
        self.text += data


def formatted(params):
    """The text of a message and its entities."""
    text, mode, entities = params.get("text") or "", (params.get("parse_mode") or "").lower(), []
    if mode == "html":
        parser = Entities()
        parser.feed(text)
        parser.close()
        if parser.open:
            raise bad(f'can\'t parse entities: Can\'t find end tag corresponding to start tag "{parser.open[-1][0]}"')
        text, entities = parser.text, parser.entities
    elif mode:
        raise bad("unsupported parse_mode")
    text = text.strip()
    if not text:
        raise bad("message text is empty")
    if units(text) > MAX_TEXT:
        raise bad("message is too long")
    return text, entities


def keyboard(params):
    """The inline keyboard of a message; None without one."""
    markup = params.get("reply_markup")
    if not markup:
        return None
    if isinstance(markup, str):
        markup = json.loads(markup)
    rows = [row for row in markup.get("inline_keyboard", []) if row]
    for button in (button for row in rows for button in row):
        if len({"url", "callback_data"} & set(button)) != 1:
            raise bad("Text buttons are not allowed in the inline keyboard")
        if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= 64:
            raise bad("BUTTON_DATA_INVALID")
        if "url" in button and not button["url"].startswith(("http://", "https://", "tg://")):
            raise bad("inline keyboard button URL is invalid")
    return {"inline_keyboard": rows} if rows else None
