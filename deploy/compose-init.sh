#!/bin/sh
# Makes the admin key of the containers, once: the key goes to var/compose/admin-key, its digest to .env.
set -eu
cd "$(dirname "$0")/.."
umask 077
key=var/compose/admin-key
if [ ! -s "$key" ]; then
  mkdir -p var/compose
  printf 'bb_%s\n' "$(head -c 32 /dev/urandom | base64 | tr -d '=\n' | tr '+/' '-_')" >"$key"
fi
digest=$(tr -d '\n' <"$key" | sha256sum | cut -d ' ' -f 1)
touch .env
grep -v '^BOWERBIRD_ADMIN_KEY_SHA256=' .env >.env.partial || true
printf 'BOWERBIRD_ADMIN_KEY_SHA256=%s\n' "$digest" >>.env.partial
mv .env.partial .env
echo "The admin key is in $key; next: docker compose up --build --detach"
