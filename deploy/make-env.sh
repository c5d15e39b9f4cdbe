#!/usr/bin/env bash
# Makes .venv and installs the locked dependencies, once per state of the lock files; `dev` adds what checks and tests need.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  printf 'make env: %s\n' "$1" >&2
  exit 1
}

find_python() {
  local candidate
  for candidate in ${BASE_PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "there is no Python 3.11 or later on the path. On Debian 12 or Ubuntu: apt-get install python3 python3-venv."
}

# The digest of everything that decides what is installed: the lock, this script, the Python that is used.
state_of() {
  { .venv/bin/python -V; cat deploy/make-env.sh "requirements/$1.txt"; } | sha256sum | cut -d ' ' -f 1
}

installed() {
  [[ -f .venv/.installed-$1 && $(<".venv/.installed-$1") == "$(state_of "$1")" ]]
}

make_venv() {
  local python
  python=$(find_python)
  "$python" -c 'import ensurepip' 2>/dev/null ||
    fail "Python's venv module is incomplete. On Debian and Ubuntu: apt-get install python3-venv; then run this again."
  printf 'making .venv with %s\n' "$("$python" -V)"
  "$python" -m venv --clear .venv || fail "$python could not make .venv; see the lines above."
}

if ! .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  make_venv
fi
locks=()
for group in runtime embedded "$@"; do
  if ! installed "$group"; then locks+=(-r "requirements/$group.txt"); fi
done
if ((${#locks[@]} == 0)); then exit 0; fi
printf 'installing what the lock files name\n'
.venv/bin/python -m pip install --quiet --require-hashes "${locks[@]}" ||
  fail "the dependencies could not be installed; see the lines above. pip's own settings (pip config, PIP_*) are used."
# The command finds the source tree that its .venv stands in; nothing is installed under names as common as `libs`.
cat >.venv/bin/bowerbird <<'EOF'
#!/bin/sh
root=$(cd "$(dirname "$0")/../.." && pwd)
PYTHONPATH=$root exec "$root/.venv/bin/python" -m bowerbird "$@"
EOF
chmod +x .venv/bin/bowerbird
for group in runtime embedded "$@"; do state_of "$group" >".venv/.installed-$group"; done
