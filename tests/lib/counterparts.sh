#!/usr/bin/env bash
# Sets up what the tests meet: the real model server, Home Assistant, PostgREST, the browser driver, the SDK. Cached; a second run does
# nothing.
#
#   tests/lib/counterparts.sh LOGS
set -euo pipefail
cd "$(dirname "$0")/../.."
logs=$1

compose/peers/llm/setup >"$logs/llm-setup.log" 2>&1 || { echo "the model server cannot be built; see $logs/llm-setup.log" >&2; exit 1; }
# About 2 minutes, bounded: a registry that hangs fails the run.
for peer in home-assistant postgrest; do
  timeout 600 "compose/peers/$peer/setup" >"$logs/$peer-setup.log" 2>&1 || { echo "$peer cannot be set up; see $logs/$peer-setup.log" >&2; exit 1; }
done

# Playwright's library drives Debian's Chromium; it downloads no browser.
browser=$BOT_TEST_CACHE/browser
if [ ! -d "$browser/node_modules/playwright-core" ]; then
  mkdir -p "$browser"
  npm install --prefix "$browser" --no-audit --no-fund --silent playwright-core@1.64.1 >"$logs/browser.log" 2>&1
fi

sdk=$BOT_TEST_CACHE/openai-sdk
if [ ! -x "$sdk/venv/bin/python" ] || ! "$sdk/venv/bin/python" -c 'import openai' 2>/dev/null; then
  mkdir -p "$sdk"
  python3 -m venv "$sdk/venv"
  "$sdk/venv/bin/pip" install -q -r tests/end-to-end/openai-sdk-requirements.txt >"$logs/openai-sdk.log" 2>&1
fi

# A client of the Bot API with typed models, which reads what the stand-in answers.
aiogram=$BOT_TEST_CACHE/aiogram
if [ ! -x "$aiogram/venv/bin/python" ] || ! "$aiogram/venv/bin/python" -c 'import aiogram' 2>/dev/null; then
  mkdir -p "$aiogram"
  python3 -m venv "$aiogram/venv"
  "$aiogram/venv/bin/pip" install -q -r compose/peers/telegram/requirements-check.txt >"$logs/aiogram.log" 2>&1
fi
