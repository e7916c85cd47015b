# Runs a kind of test and adds to the counts. Sourced by tests/run; needs say.sh.

passed=0 failed=0 skipped=0

# counted WHAT LOG COMMAND...: one check, by its exit code.
counted() {
  local what=$1 log=$2; shift 2
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1)); note "ok    $what"
  else
    failed=$((failed + 1)); printf '    %sFAIL%s  %s\n' "$red" "$plain" "$what"; tail -n 60 "$log" >&2
  fi
}

# add KIND LOG PASSED FAILED SKIPPED EXIT: a runner that failed without counting a failure counts as one.
add() {
  local failures=$4
  [ "$6" = 0 ] || [ "$failures" != 0 ] || failures=1
  passed=$((passed + $3)) failed=$((failed + failures)) skipped=$((skipped + $5))
  note "$3 passed, $failures failed, $5 skipped"
  [ "$failures" = 0 ] || { printf '    %sFAIL%s  see %s\n' "$red" "$plain" "$2"; tail -n 150 "$2" >&2; }
  [ "$3" != 0 ] || [ "$failures" != 0 ] || { failed=$((failed + 1)); printf '    %sFAIL%s  no test ran\n' "$red" "$plain"; }
}

# nextest LOG ARGUMENTS...
nextest() {
  local log=$1 code=0; shift
  cargo nextest run --locked "$@" >"$log" 2>&1 || code=$?
  local summary; summary=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -E 'Summary \[' | tail -1)
  number() { printf '%s' "$summary" | grep -oE "[0-9]+ $1" | grep -oE '[0-9]+' || echo 0; }
  # What the filter leaves out runs in another step, so it is not skipped.
  add nextest "$log" "$(number passed)" "$(number failed)" 0 "$code"
}

# node_tests LOG FOLDER
node_tests() {
  local log=$1 code=0
  node --test --test-concurrency=1 --test-reporter=spec --test-reporter-destination=stdout $(find "$2" -name '*.test.mjs' | sort) >"$log" 2>&1 || code=$?
  number() { sed -n "s/^ℹ $1 \([0-9]*\)$/\1/p" "$log" | tail -1 | grep . || echo 0; }
  add node "$log" "$(number pass)" "$(($(number fail) + $(number cancelled)))" "$(($(number skipped) + $(number todo)))" "$code"
}

# The line that machines read; a skip is a failure.
closing_line() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ] && [ "$skipped" = 0 ]
}
