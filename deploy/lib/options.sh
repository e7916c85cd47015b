# What is given on the command line, checked before anything is done. Sourced; needs say.sh, and usage of whoever sources it.

readonly PROGRAMS=(bot-agent bot-gate bot-spark bot-backup bot-supervisor botctl)

# misuse WHAT: what is wrong, then how it is right.
misuse() { printf '%serror:%s %s\n' "$red" "$plain" "$1" >&2; usage >&2; exit 2; }

# The rule of `name` in platform.toml; nothing is written before it holds.
check_name() {
  [ -z "$1" ] || [[ ${#1} -le 32 && $1 =~ ^[a-z]([a-z0-9-]*[a-z0-9])?$ ]] ||
    misuse "--name \"$1\": use lower-case letters, digits and hyphens, beginning with a letter, at most 32"
}

check_ports() {
  [ -z "$1" ] || [[ $1 =~ ^[0-9]{1,5},[0-9]{1,5}$ && ${1%,*} != "${1#*,}" ]] || misuse "--ports \"$1\": give two different ports, as 28789,28790"
}

check_binaries() {
  local program missing=()
  for program in "${PROGRAMS[@]}"; do [ -x "$1/$program" ] || missing+=("$program"); done
  [ ${#missing[@]} -eq 0 ] || fail "--binaries $1: there is no ${missing[*]}"
}

# check_kept_name NAME: a file that is there is never changed, so a name that it does not have would not count.
check_kept_name() {
  local kept
  [ -n "$1" ] && [ -e "$config/platform.toml" ] || return 0
  kept=$(sed -n 's/^name *= *"\([^"]*\)".*/\1/p' "$config/platform.toml")
  [ "${kept:-bot}" = "$1" ] || fail "$config/platform.toml has the name \"${kept:-bot}\", not \"$1\": another name is another installation, under a root of its own (--root)"
}
