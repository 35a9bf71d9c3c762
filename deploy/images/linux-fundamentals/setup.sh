#!/bin/sh
# Runs as root inside the new root file system, after the packages: the ordinary user of the exam.
# Written by hand, because a base this small has no useradd.
set -eu
echo 'candidate:x:1000:1000:Exam candidate:/home/candidate:/bin/bash' >>/etc/passwd
echo 'candidate:x:1000:' >>/etc/group
mkdir -p /home/candidate
chown 1000:1000 /home/candidate
# A scratch volume is mounted here, owned by root; some OCI runtimes give it the mode of this very
# folder. There is one user inside, so it is open to all.
chmod 1777 /home/candidate
# Nobody becomes anybody else here: with no new privileges these could only mislead.
find / -xdev -type f -perm /6000 -delete
rm -rf /var/cache/apt /var/lib/apt /usr/share/doc /usr/share/man /usr/share/info
find /var/log -type f -delete
