#!/bin/sh
# Runs as root inside the new root file system, after the packages: leaves out what a server in a
# container never opens. Without the JIT's LLVM the image is a quarter of its size; PostgreSQL finds
# its module absent and goes on without.
set -eu
rm -f /usr/lib/postgresql/*/lib/llvmjit*.so /usr/lib/*/libLLVM-*.so* /usr/lib/*/libz3.so*
rm -rf /usr/lib/postgresql/*/lib/bitcode /usr/lib/llvm-*
# Debian's wrappers around the server's programs are Perl; the entrypoint calls the programs.
rm -rf /usr/share/perl /usr/share/perl5 /usr/lib/*/perl /usr/lib/*/perl5 /usr/lib/*/libperl.so.* \
    /usr/bin/perl /usr/share/i18n
find /var/log -type f -delete
rm -rf /var/cache/apt /var/lib/apt /usr/share/doc /usr/share/man /usr/share/info
rm -rf /var/lib/postgresql/*
mkdir -p /docker-entrypoint-initdb.d /run/postgresql /var/lib/postgresql/data
chown postgres:postgres /run/postgresql /var/lib/postgresql/data
chmod 0700 /var/lib/postgresql/data
chmod 0755 /usr/local/bin/docker-entrypoint.sh
