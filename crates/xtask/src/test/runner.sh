#!/bin/sh
# How Cargo starts each test program. Those whose tests wait most of the time, for polls, leases and
# deadlines, run at least four at once, however few processors there are; the others one for each. Of the
# cluster's, two at once, however many: all have pods on one node, beside two other lanes.
name="${1##*/}"
case "$name" in
attach-* | failure-*)
    [ "$(nproc)" -ge 4 ] || export RUST_TEST_THREADS="${RUST_TEST_THREADS:-4}"
    ;;
kubernetes-*)
    export RUST_TEST_THREADS="${RUST_TEST_THREADS:-2}"
    ;;
esac
# Two enter the room of the stories whole, by the same locks (`system_tests::Weight`): the one that compares
# how long answers take has it alone, and a second cluster is started while nobody has it alone.
door="$CARREL_BIN_DIR/system-tests.door"
room="$CARREL_BIN_DIR/system-tests.room"
case "$name" in
indistinguishable-*)
    exec flock --close "$door" flock --close "$room" "$@"
    ;;
cluster-*)
    flock "$door" true
    exec flock --close --shared "$room" "$@"
    ;;
esac
exec "$@"
