#!/bin/sh
# Runs as root inside the new root file system, after the packages.
set -eu
chmod 0644 /etc/pgbouncer/pgbouncer.ini /etc/pgbouncer/databases.ini
# Debian's wrappers around PostgreSQL's programs are Perl; the pooler is none of them.
rm -rf /usr/share/perl /usr/share/perl5 /usr/lib/*/perl /usr/lib/*/perl5 /usr/lib/*/libperl.so.* \
    /usr/bin/perl /usr/share/i18n
find / -xdev -type f -perm /6000 -delete
find /var/log -type f -delete
rm -rf /var/cache/apt /var/lib/apt /usr/share/doc /usr/share/man /usr/share/info
