#!/bin/sh
# Makes the secrets that docker-compose.yml wants, in ./secrets; those that are there stay as they are.
# The folder is closed to others; the files are readable, since the container's user is not this one.
set -eu
cd "$(dirname "$0")/.."
mkdir -p secrets
chmod 700 secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
[ -s secrets/database_password ] || random > secrets/database_password
[ -s secrets/link_secret ] || random > secrets/link_secret
[ -f secrets/smtp_password ] || : > secrets/smtp_password
printf 'postgresql+psycopg://paperwatch:%s@database/paperwatch' "$(cat secrets/database_password)" > secrets/database_url
chmod 644 secrets/*
echo "secrets/ is made; write the relay's password into secrets/smtp_password, and keep link_secret backed up"
