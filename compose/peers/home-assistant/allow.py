"""While Home Assistant is stopped: lets the user `bot` see and set the named entities and nothing else.

    allow.py CONFIG/.storage/auth ENTITY...

A group of one's own in its file of users is not in Home Assistant's pages; it keeps it over restarts and enforces it.
"""

import json
import sys

path, *entities = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    document = json.load(file)
policy = {"entities": {"entity_ids": {entity: True for entity in entities}}}
groups = [group for group in document["data"]["groups"] if group["id"] != "bot-allowlist"]
document["data"]["groups"] = [*groups, {"id": "bot-allowlist", "name": "Bot allowlist", "policy": policy}]
for user in document["data"]["users"]:
    if user["name"] == "bot":
        user["group_ids"] = ["bot-allowlist"]
with open(path, "w", encoding="utf-8") as file:
    json.dump(document, file, indent=2)
