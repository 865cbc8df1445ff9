#!/bin/sh
# House rules a machine can check. Every failure names file, line and rule.
set -u
bad=0
complain() {
    echo "lint: $*"
    bad=1
}

# 1. Layers: a folder may include itself and what stands to its left.
#    rtvmd/base <- hostprobe <- store <- runtime <- api <- rtvmd
rank() {
    case $1 in
    rtvmd/base/*) echo 1 ;; hostprobe/*) echo 2 ;; store/*) echo 3 ;; runtime/*) echo 4 ;; api/*) echo 5 ;;
    rtvmd/version.h) echo 1 ;; rtvmd/*) echo 6 ;; tests/*) echo 7 ;; *) echo 0 ;;
    esac
}
for f in $(git ls-files '*.c' '*.h'); do
    mine=$(rank "$f")
    includes=$(sed -n 's/^#include "\(.*\)"/\1/p' "$f")
    for include in $includes; do
        theirs=$(rank "$include")
        [ "$theirs" -eq 0 ] && complain "$f: include \"$include\" by its path from the root"
        [ "$theirs" -le "$mine" ] || complain "$f: may not include $include, which stands to its right"
    done
done

# 2. Each library is included in one place only.
only_in() {
    library=$1
    shift
    git grep -lE "#include <$library" -- '*.c' '*.h' ':!tests' | while read -r f; do
        for place in "$@"; do
            # shellcheck disable=SC2254  # the places are patterns
            case $f in $place) continue 2 ;; esac
        done
        echo "lint: $f: <$library is included only in $*"
    done | grep . && bad=1
}
only_in libvirt 'runtime/hypervisor/*'
only_in sqlite3 'store/*'
only_in mbedtls 'api/*' 'rtvmd/base/bytes.c'
only_in yaml 'runtime/spec/*'
only_in numa 'hostprobe/*'
only_in jansson 'rtvmd/base/json.h'
only_in event2 'rtvmd/base/loop.c' 'api/*' 'runtime/hypervisor/*'
only_in libxml 'runtime/domain/xml*'
only_in libisofs 'runtime/image/*'
only_in archive 'runtime/image/*' 'tests/unit/*'
only_in seccomp 'rtvmd/filter.h'

ours=$(git ls-files 'rtvmd/*.c' 'hostprobe/*.c' 'store/*.c' 'runtime/*.c' 'api/*.c' ':!runtime/latency/guest')
# 3. Forbidden words, long files, long lines.
sources=$(git ls-files '*.c' '*.h')
# shellcheck disable=SC2086
grep -nE '\b(sprintf|strcpy|strcat|gets|strtok|atoi|system|popen|tmpnam|setlocale)\(' $ours && complain "forbidden function (see above)"
git grep -nwE '(TODO|FIXME|XXX)' -- '*.c' '*.h' '*.sh' Makefile ':!tests/lint' && complain "unfinished work is named in the issue, not in the code"
for f in $sources; do
    lines=$(wc -l <"$f")
    limit=600
    case $f in tests/*) limit=900 ;; esac # long tables of cases
    [ "$lines" -le $limit ] || complain "$f: $lines lines; ask for the second noun (limit $limit)"
done

# 4. Formatting.
if command -v clang-format >/dev/null; then
    # shellcheck disable=SC2086
    clang-format --dry-run --Werror $sources || bad=1
else
    complain "clang-format is missing: make deps"
fi

# 5. Analyzers, on our own code (tests are read by the compiler and the sanitizers).
# shellcheck disable=SC2086
# preprocessorErrorDirective: cppcheck 2.10 loses count in macros within macros; clang-tidy reads those files
cppcheck --quiet --inline-suppr --enable=warning,portability,performance --error-exitcode=1 --std=c11 -I. \
    --suppress=missingIncludeSystem -j "$(nproc)" \
    --suppress=preprocessorErrorDirective '-Djson_array_foreach(a,i,v)=for(i=0;i<json_array_size(a)&&(v=json_array_get(a,i));i++)' \
    '-Djson_object_foreach(o,k,v)=for(k=json_first(o);k&&(v=json_next(o,k));)' $ours || bad=1
flags="-std=gnu17 -D_GNU_SOURCE -I. $(pkg-config --cflags libvirt libxml-2.0 libisofs-1 libarchive)"
# shellcheck disable=SC2086,SC2016
echo $ours | tr ' ' '\n' | xargs -P "$(nproc)" -n 4 sh -c 'flags=$0; clang-tidy --quiet "$@" -- $flags 2>/dev/null' "$flags" || bad=1

# 6. Shell.
# shellcheck disable=SC2046
shellcheck $(git ls-files '*.sh' tests/run .ci/run) || bad=1

[ "$bad" -eq 0 ] && echo "lint: clean"
exit "$bad"
