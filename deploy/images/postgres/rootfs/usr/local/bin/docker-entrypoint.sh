#!/bin/bash
# Starts PostgreSQL on the data directory in $PGDATA, making it first where it is empty. It knows the
# part of the public `postgres` image's interface that Carrel uses, so either image serves:
# POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, and /docker-entrypoint-initdb.d/*.sql on first start.
set -euo pipefail

bin=$(echo /usr/lib/postgresql/*/bin)
export PATH="$bin:$PATH"
: "${PGDATA:=/var/lib/postgresql/data}" "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}" "${POSTGRES_PASSWORD:=}"

# Started as root: take over the volume, then go on as the unprivileged owner of the data.
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /run/postgresql
    chown -R postgres:postgres "$PGDATA" /run/postgresql
    chmod 0700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi

# First start uses a private socket, so that nobody can connect to a half-made database.
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    auth="${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}"
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$auth" != trust ]; then
        echo 'POSTGRES_PASSWORD is empty: set it, or set POSTGRES_HOST_AUTH_METHOD=trust' >&2
        exit 1
    fi
    # A first start that was killed half way leaves files and no marker: begin again. No server
    # ever served them, because the marker moves into place last.
    find "$PGDATA" -mindepth 1 -delete
    new="$PGDATA/.new"
    password=$(mktemp)
    printf '%s\n' "${POSTGRES_PASSWORD:-unused}" >"$password"
    initdb --pgdata="$new" --username="$POSTGRES_USER" --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host="$auth" --pwfile="$password" >/dev/null
    rm "$password"
    printf 'host all all all %s\n' "$auth" >>"$new/pg_hba.conf"

    private=$(mktemp -d)
    pg_ctl --pgdata="$new" --wait --silent \
        --options="-c listen_addresses='' -c unix_socket_directories='$private'" start >&2
    sql=(psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --host="$private" --username="$POSTGRES_USER")
    if [ "$POSTGRES_DB" != postgres ]; then
        printf 'CREATE DATABASE :"name";\n' | "${sql[@]}" --dbname=postgres --set=name="$POSTGRES_DB"
    fi
    for script in /docker-entrypoint-initdb.d/*.sql; do
        [ -e "$script" ] || continue
        "${sql[@]}" --dbname="$POSTGRES_DB" --file="$script"
    done
    pg_ctl --pgdata="$new" --wait --silent --mode=fast stop
    rm -rf "$private"

    mv "$new/PG_VERSION" "$new/.PG_VERSION"
    find "$new" -mindepth 1 -maxdepth 1 ! -name .PG_VERSION -exec mv -t "$PGDATA" {} +
    sync -f "$PGDATA"
    mv "$new/.PG_VERSION" "$PGDATA/PG_VERSION"
    rmdir "$new"
fi

if [ "${1:-}" = postgres ]; then
    shift
    exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql "$@"
fi
exec "$@"
