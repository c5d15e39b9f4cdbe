#!/bin/sh
# Makes, once, what the containers are given: the admin key, whose digest goes to .env, and the authority's secret, from
# which every id is derived. Both are kept in var/compose; keep a copy of the secret where the backups are.
set -eu
cd "$(dirname "$0")/.."
umask 077
key=var/compose/admin-key
secret=var/compose/authority-secret
mkdir -p var/compose
if [ ! -s "$key" ]; then
  printf 'bb_%s\n' "$(head -c 32 /dev/urandom | base64 | tr -d '=\n' | tr '+/' '-_')" >"$key"
fi
if [ ! -s "$secret" ]; then
  if [ -f .env ] && grep -q '^BOWERBIRD_AUTHORITY_SECRET=' .env; then
    echo "$secret is missing, and .env holds the secret of the ids that were given out: put the file back." >&2
    exit 1
  fi
  head -c 32 /dev/urandom | base64 >"$secret"
fi
digest=$(tr -d '\n' <"$key" | sha256sum | cut -d ' ' -f 1)
touch .env
chmod 600 .env
grep -v -e '^BOWERBIRD_ADMIN_KEY_SHA256=' -e '^BOWERBIRD_AUTHORITY_SECRET=' .env >.env.partial || true
printf 'BOWERBIRD_ADMIN_KEY_SHA256=%s\n' "$digest" >>.env.partial
printf 'BOWERBIRD_AUTHORITY_SECRET=%s\n' "$(cat "$secret")" >>.env.partial
mv .env.partial .env
echo "The admin key is in $key; next: docker compose up --build --detach"
