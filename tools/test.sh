#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds every configuration that must work and runs its tests:
#
#     build/         gcc: everything, with all tests
#     build-asan/    clang, ASan + UBSan: unit tests and fuzz corpora
#     build-tsan/    gcc, TSan: the server's unit tests, and the server end to end under load (libtorch and
#                    libvips aren't instrumented)
#     build-bare/    nothing but libtorch: the golden test
#
# Prints one line "N passed, N failed, N skipped" at the end; exits non-zero when anything failed.
# With names as arguments only those configurations run: tools/test.sh build build-asan
set -eu
cd "$(dirname "$0")/.."
tools/install.sh --tests

configurations=${*:-build build-asan build-tsan build-bare}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

# setup DIR OPTION…: configures once; later runs only build.
setup() {
    dir=$1
    shift
    [ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" >"$log" 2>&1 || { cat "$log"; exit 1; }
    printf '== %s: building\n' "$dir"
    meson compile -C "$dir" >"$log" 2>&1 || { cat "$log"; exit 1; }
}

# check DIR ARGUMENT…: runs tests; what failed is printed whole.
check() {
    dir=$1
    shift
    printf '== %s: testing\n' "$dir"
    meson test -C "$dir" --no-rebuild --print-errorlogs "$@" || failed=1
}

sanitizer_env() {
    export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:strict_string_checks=1
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
    export LSAN_OPTIONS=suppressions=$PWD/tests/leaks.supp:print_suppressions=0
}

for configuration in $configurations; do
    case $configuration in
    build)
        setup build
        check build
        ;;
    build-asan)
        CC=clang CXX=clang++ setup build-asan -Db_sanitize=address,undefined -Db_lundef=false \
            -Dbuildtype=debugoptimized
        (sanitizer_env; check build-asan --timeout-multiplier 4 --suite unit --suite fuzz; exit $failed) || failed=1
        ;;
    build-tsan)
        setup build-tsan -Db_sanitize=thread -Db_lundef=false
        tests=$(meson test -C build-tsan --list 2>/dev/null |
            sed -n -e 's/^promptfix:unit \/ \(\(base\|server\|http\|api\|vlm\|webhooks\).*\)$/\1/p' \
                -e 's/^promptfix:e2e \/ \(e2e \(streams\|jobs\|kill\|reload\)\)$/\1/p' | tr '\n' '|')
        (sanitizer_env; export KILLS=15; IFS='|'; check build-tsan --timeout-multiplier 4 $tests; exit $failed) || failed=1
        ;;
    build-bare)
        setup build-bare -Dserver=disabled -Dvips=disabled
        check build-bare
        ;;
    *)
        echo "unknown configuration $configuration" >&2
        exit 2
        ;;
    esac
done

# The sum over all configurations, from the runner's own logs.
for configuration in $configurations; do
    cat "$configuration/meson-logs/testlog.json"
done | awk '
    /"result": "(OK|EXPECTEDFAIL)"/ { passed++; next }
    /"result": "SKIP"/ { skipped++; next }
    /"result": / { failed++ }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 || passed == 0 }
' || failed=1
exit $failed
