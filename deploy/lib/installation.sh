# One installation: its paths, files and processes. Sourced; needs say.sh; runs in the repository's root.

# Sets config, state, runtime and at_root from root (empty: the system's own places).
set_paths() {
  if [ -n "${root:-}" ]; then
    config=$root/etc state=$root/lib runtime=$root/run
    at_root=(--root "$root")
  else
    root='' config=/etc/bot-platform state=/var/lib/bot-platform runtime=/run/bot-platform
    at_root=()
  fi
}

readonly unit=/etc/systemd/system/bot-supervisor.service

with_systemd() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

# write_first_configuration NAME PERSONAL,OPS: an existing file is never changed.
write_first_configuration() {
  install -d -m 0755 "$config" "$config/bots" "$state"
  install -d -m 0700 "$config/secrets"
  if [ -e "$config/platform.toml" ]; then
    note "$config/platform.toml is kept as it is"
  else
    sed -e "s/^name = .*/name = \"$1\"/" -e "s/^port = 18789/port = ${2%,*}/" -e "s/^port = 18790/port = ${2#*,}/" \
      deploy/platform.example.toml >"$config/platform.toml"
    [ -z "$root" ] || sed -i 's/^metrics = /# metrics = /' "$config/platform.toml"
    note "$config/platform.toml is new"
  fi
  install -D -m 0644 images/seccomp/agent.json "$state/seccomp/agent.json"
}

# Replaces each binary in one step, so that a running one is not disturbed.
install_binaries() {
  local file
  install -d -m 0755 "$state/bin"
  for file in bot-supervisor botctl; do
    if ! cmp -s "$1/$file" "$state/bin/$file"; then
      install -m 0755 "$1/$file" "$state/bin/$file.new"
      mv "$state/bin/$file.new" "$state/bin/$file"
      changed=yes
    fi
  done
  [ -n "$root" ] && return 0
  getent group bot-admin >/dev/null || groupadd --system bot-admin
  ln -sfn "$state/bin/botctl" /usr/local/bin/botctl
}

start_supervisor() {
  if with_systemd; then
    if ! cmp -s deploy/systemd/bot-supervisor.service "$unit"; then
      install -m 0644 deploy/systemd/bot-supervisor.service "$unit"
      changed=yes
    fi
    systemctl daemon-reload
    systemctl enable --quiet bot-supervisor
    if [ -n "${changed:-}" ]; then systemctl restart bot-supervisor; else systemctl start bot-supervisor; fi
    return 0
  fi
  [ -z "${changed:-}" ] || stop_background_supervisor
  if supervisor_runs; then
    note "already running"
    return 0
  fi
  install -d -m 0755 "$runtime" "$state/log"
  note "no systemd: in the background, log in $state/log/supervisor.log"
  setsid nohup "$state/bin/bot-supervisor" "${at_root[@]}" >>"$state/log/supervisor.log" 2>&1 </dev/null &
  local deadline=$((SECONDS + 20))
  until supervisor_runs; do
    [ $SECONDS -lt $deadline ] || fail "the supervisor did not start: $(tail -n 3 "$state/log/supervisor.log")"
    sleep 0.1
  done
}

# The pid that holds the lock, from the file that the supervisor wrote.
supervisor_pid() { cat "$runtime/supervisor.lock" 2>/dev/null || true; }

supervisor_runs() { "$state/bin/botctl" "${at_root[@]}" status --json >/dev/null 2>&1; }

stop_background_supervisor() {
  local pid; pid=$(supervisor_pid)
  [ -n "$pid" ] && [ "$(readlink "/proc/$pid/exe" 2>/dev/null | sed 's/ (deleted)//')" = "$state/bin/bot-supervisor" ] || return 0
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

# Stopped is also stopped after the next boot.
stop_supervisor() {
  if with_systemd; then systemctl disable --now --quiet bot-supervisor 2>/dev/null || true; else stop_background_supervisor; fi
}

show_addresses() {
  local profile
  echo
  "$state/bin/botctl" "${at_root[@]}" status
  for profile in $("$state/bin/botctl" "${at_root[@]}" config show | sed -n 's/^\[profile\.\([a-z0-9-]*\)\]$/\1/p'); do
    echo
    "$state/bin/botctl" "${at_root[@]}" open "$profile"
  done
}
