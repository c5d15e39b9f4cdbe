#!/bin/sh
# Makes, once, what the containers are given: the authority's secret, from which every id is derived, and the admin key,
# whose digest goes to the file of administrators. All are kept in var/compose; keep a copy of the secret where the
# backups are.
set -eu
cd "$(dirname "$0")/.."
umask 077
kept=var/compose
key=$kept/admin-key
secret=$kept/authority-secret
admins=$kept/administrators
mkdir -p "$kept" "$admins"
# Nobody else comes as far as the files in it.
chmod 700 "$kept"
if [ ! -s "$secret" ]; then
  if [ -s "$admins/admin-keys" ]; then
    echo "$secret is missing, and ids may have been derived from it: put the file back." >&2
    exit 1
  fi
  head -c 32 /dev/urandom | base64 >"$secret"
fi
if [ ! -s "$key" ]; then
  text=bb_$(head -c 32 /dev/urandom | base64 | tr -d '=\n' | tr '+/' '-_')
  # The last eight digits check the others.
  printf '%s%s\n' "$text" "$(printf %s "$text" | sha256sum | cut -c 1-8)" >"$key"
fi
digest=$(tr -d '\n' <"$key" | sha256sum | cut -d ' ' -f 1)
if [ ! -s "$admins/admin-keys" ]; then
  printf 'first %s\n' "$digest" >"$admins/admin-keys"
fi
# Containers read these two, as another user than this; each is mounted by itself, without the folder that is closed.
chmod 755 "$admins"
chmod 644 "$admins/admin-keys" "$secret"
echo "The admin key is in $key; next: BOWERBIRD_PUBLIC_URL in .env, then docker compose up --build --detach"
