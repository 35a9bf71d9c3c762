#!/bin/sh
# How Cargo starts each test program. Those whose tests wait most of the time, for polls, leases and
# deadlines, run at least four at once, however few processors there are; the others one for each.
case "$1" in
*/attach-* | */failure-*)
    [ "$(nproc)" -ge 4 ] || export RUST_TEST_THREADS="${RUST_TEST_THREADS:-4}"
    ;;
esac
exec "$@"
