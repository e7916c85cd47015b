"""What people do in Home Assistant's pages, over its own API.

    people.py URL onboard FILE   waits for a fresh server, makes the users owner, bot and readonly, writes their tokens to FILE
    people.py URL revoke TOKEN   the user of this token revokes it
"""

import asyncio
import json
import os
import sys
import time

import aiohttp

PASSWORD = "a password of the tests"
START_SECONDS = 120


async def post(session, url, *, data=None, form=None):
    async with session.post(url, json=data, data=form) as answer:
        text = await answer.text()
        if answer.status not in (200, 201):
            raise SystemExit(f"{url}: {answer.status} {text[:300]}")
        return json.loads(text)


class Socket:
    """A WebSocket that is signed in."""

    @classmethod
    async def open(cls, session, base, token):
        self = cls()
        self.count = 0
        self.socket = await session.ws_connect(f"{base}/api/websocket", max_msg_size=0)
        await self.socket.receive_json()
        await self.socket.send_json({"type": "auth", "access_token": token})
        answer = await self.socket.receive_json()
        if answer["type"] != "auth_ok":
            raise SystemExit(f"not signed in: {answer}")
        return self

    async def call(self, kind, **fields):
        self.count += 1
        await self.socket.send_json({"id": self.count, "type": kind, **fields})
        while True:
            message = await self.socket.receive_json()
            if message.get("id") == self.count and message["type"] == "result":
                if not message["success"]:
                    raise SystemExit(f"{kind}: {message['error']}")
                return message["result"]


async def fresh(session, base):
    """The server is fresh and answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            async with session.get(f"{base}/api/onboarding") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.2)
    raise SystemExit(f"{base} did not come up within {START_SECONDS} s")


async def token_of(session, base, code):
    form = {"grant_type": "authorization_code", "code": code, "client_id": f"{base}/"}
    return (await post(session, f"{base}/auth/token", form=form))["access_token"]


async def sign_in(session, base, user):
    start = {"client_id": f"{base}/", "handler": ["homeassistant", None], "redirect_uri": f"{base}/"}
    flow = await post(session, f"{base}/auth/login_flow", data=start)
    said = {"client_id": f"{base}/", "username": user, "password": PASSWORD}
    done = await post(session, f"{base}/auth/login_flow/{flow['flow_id']}", data=said)
    return await token_of(session, base, done["result"])


async def long_lived(session, base, access, user):
    socket = await Socket.open(session, base, access)
    return await socket.call("auth/long_lived_access_token", client_name=f"{user} of the tests", lifespan=30)


async def onboard(session, base, path):
    await fresh(session, base)
    first = {"client_id": f"{base}/", "name": "Owner", "username": "owner", "password": PASSWORD, "language": "en"}
    code = (await post(session, f"{base}/api/onboarding/users", data=first))["auth_code"]
    access = await token_of(session, base, code)
    tokens = {"owner": await long_lived(session, base, access, "owner")}
    owner = await Socket.open(session, base, access)
    for user, group in (("bot", "system-users"), ("readonly", "system-read-only")):
        made = (await owner.call("config/auth/create", name=user, group_ids=[group]))["user"]
        await owner.call("config/auth_provider/homeassistant/create", user_id=made["id"], username=user, password=PASSWORD)
        tokens[user] = await long_lived(session, base, await sign_in(session, base, user), user)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(tokens, file)


async def revoke(session, base, token):
    socket = await Socket.open(session, base, token)
    for known in await socket.call("auth/refresh_tokens"):
        if known["type"] == "long_lived_access_token" and known["is_current"]:
            # The connection may end before the answer, as it was made with this token.
            await socket.socket.send_json({"id": socket.count + 1, "type": "auth/delete_refresh_token", "refresh_token_id": known["id"]})
            await socket.socket.receive()
            return
    raise SystemExit("the token is not known")


async def main():
    base, what, argument = sys.argv[1:]
    async with aiohttp.ClientSession() as session:
        await {"onboard": onboard, "revoke": revoke}[what](session, base, argument)


asyncio.run(main())
