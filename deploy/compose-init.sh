#!/bin/sh
# Makes, once, what the containers are given: the admin key, whose digest goes to the file of administrators, and the
# authority's secret, from which every id is derived. All are kept in var/compose; keep a copy of the secret where the
# backups are.
set -eu
cd "$(dirname "$0")/.."
umask 077
key=var/compose/admin-key
secret=var/compose/authority-secret
admins=var/compose/administrators
mkdir -p var/compose "$admins"
if [ ! -s "$key" ]; then
  text=bb_$(head -c 32 /dev/urandom | base64 | tr -d '=\n' | tr '+/' '-_')
  # The last eight digits check the others.
  printf '%s%s\n' "$text" "$(printf %s "$text" | sha256sum | cut -c 1-8)" >"$key"
fi
if [ ! -s "$secret" ]; then
  if [ -f .env ] && grep -q '^BOWERBIRD_AUTHORITY_SECRET=' .env; then
    echo "$secret is missing, and .env holds the secret of the ids that were given out: put the file back." >&2
    exit 1
  fi
  head -c 32 /dev/urandom | base64 >"$secret"
fi
digest=$(tr -d '\n' <"$key" | sha256sum | cut -d ' ' -f 1)
# No secrets: the issuer, another user in its container, reads them.
chmod 755 "$admins"
if [ ! -s "$admins/admin-keys" ]; then
  printf 'first %s\n' "$digest" >"$admins/admin-keys"
  chmod 644 "$admins/admin-keys"
fi
touch .env
chmod 600 .env
grep -v -e '^BOWERBIRD_AUTHORITY_SECRET=' .env >.env.partial || true
printf 'BOWERBIRD_AUTHORITY_SECRET=%s\n' "$(cat "$secret")" >>.env.partial
mv .env.partial .env
echo "The admin key is in $key; next: BOWERBIRD_PUBLIC_URL in .env, then docker compose up --build --detach"
