# Makes sure that a Docker Engine answers. Sourced; needs say.sh.

readonly ENGINE_START_SECONDS=60

# A client may be installed without an engine, so ask the engine itself.
engine_answers() {
  [ -S /var/run/docker.sock ] || return 1
  if command -v curl >/dev/null; then
    [ "$(curl -sS --max-time 5 --unix-socket /var/run/docker.sock http://localhost/_ping 2>/dev/null)" = OK ]
  else
    docker version --format '{{.Server.Version}}' >/dev/null 2>&1
  fi
}

debian_like() { [ -r /etc/os-release ] && grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; }

# packages NAME...: installs what is missing.
packages() {
  local missing=() name
  for name in "$@"; do dpkg -s "$name" >/dev/null 2>&1 || missing+=("$name"); done
  [ ${#missing[@]} -eq 0 ] && return 0
  note "installing ${missing[*]}"
  if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/tmp/bot-platform-apt.$$ 2>&1; then
    apt-get update -qq >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/tmp/bot-platform-apt.$$ 2>&1 ||
      { tail -5 /tmp/bot-platform-apt.$$ >&2; fail "apt-get cannot install ${missing[*]}; install them and run this again"; }
  fi
  rm -f /tmp/bot-platform-apt.$$
}

ensure_engine() {
  engine_answers && return 0
  step "Docker Engine"
  if ! command -v dockerd >/dev/null; then
    debian_like || fail "no Docker Engine answers on /var/run/docker.sock; install one (https://docs.docker.com/engine/install/) and run this again"
    packages docker.io
  fi
  if [ -d /run/systemd/system ]; then
    systemctl start docker
  else
    note "starting dockerd in the background, log in /var/log/dockerd.log"
    rm -f /var/run/docker.pid
    setsid nohup dockerd >>/var/log/dockerd.log 2>&1 </dev/null &
  fi
  local deadline=$((SECONDS + ENGINE_START_SECONDS))
  until engine_answers; do
    [ $SECONDS -lt $deadline ] || fail "the Docker Engine did not answer within $ENGINE_START_SECONDS s; see /var/log/dockerd.log or: journalctl -u docker"
    sleep 0.2
  done
  note "Docker Engine $(docker version --format '{{.Server.Version}}' 2>/dev/null) answers"
}
