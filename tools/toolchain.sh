#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Finds the private Debian 13 toolchain root that ./dev works in, or has it made, and prints its path.
#
#   tools/toolchain.sh base|peers
#
# A root is named after its package list and after the rules by which tools/make_root.sh unpacks it,
# and it is complete when its stamp says the same name and the programs are there; anything else is
# thrown away and made again. The stamp is also the root's lock and its clock: who is inside
# (tools/enter.sh) holds it shared, and who enters touches it.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
kind=${1:?usage: tools/toolchain.sh base|peers}
roots=${CASEMATE_ROOTS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/casemate}
[[ $roots = /* ]] || roots=$PWD/$roots  # whoever reads our answer has gone elsewhere

refuse() { printf 'dev: %s\n' "$*" >&2; exit 3; }
say() { printf 'dev: %s\n' "$*" >&2; }

# Without one of these a root builds nothing.
programs=(bash g++-14 ld cmake ninja ccache clang++-19 clang-format-19 protoc python3 git)

complete() { # root
  local program key=${1##*-}
  [ -f "$1/.complete" ] && [ "$(cat "$1/.complete")" = "$key" ] || return 1
  for program in "${programs[@]}"; do [ -x "$1/usr/bin/$program" ] || return 1; done
}

# Fails when somebody is inside. The stamp goes first, so that what is left of an interrupted removal
# is nobody's root; it is held until all is gone, so that nobody enters meanwhile.
remove() ( # root
  [ -d "$1" ] || exit 0
  if [ -f "$1/.complete" ]; then
    exec 8<"$1/.complete"
    flock -n -x 8 || exit 1
    rm -f "$1/.complete"
  fi
  rm -rf "$1"
)

for tool in flock sha256sum; do
  command -v "$tool" >/dev/null || refuse "'$tool' is missing, and the toolchain root is found with it:" \
    "install it, or Debian 13's packages (tools/packages.base)."
done
lists=("$here/packages.base")
[ "$kind" = peers ] && lists+=("$here/packages.peers")
key=$(grep -hv -e '^#' -e '^$' "${lists[@]}" | cat - "$here/make_root.sh" | sha256sum | cut -c1-16)
root=$roots/$kind-$key
if complete "$root"; then touch -c "$root/.complete" 2>/dev/null || true; echo "$root"; exit 0; fi

mkdir -p "$roots" || refuse "$roots cannot be made; set CASEMATE_ROOTS to a folder of yours."
exec 9>"$roots/.lock"
flock -n 9 || { say "another checkout is preparing a toolchain root, waiting for it ..."; flock 9; }
if complete "$root"; then echo "$root"; exit 0; fi

started=$SECONDS
say "preparing the Debian 13 toolchain root once ($root)"
remove "$root" || refuse "$root lacks something and somebody works in it: end that, and run this again."
# Names of ours and nobody else's: the folder may hold other things.
ours='(base|peers)-[0-9a-f]{16}'
find "$roots" -maxdepth 1 -type d -regextype posix-extended -regex ".*/$ours\.half" -exec rm -rf {} +
# Whatever it leaves running must not hold our lock.
"$here/make_root.sh" "$root.half" "$roots/.apt" "${lists[@]}" 9>&-
printf '%s' "$key" >"$root.half/.complete"
mv "$root.half" "$root"
complete "$root" || refuse "$root was made and lacks one of ${programs[*]}: is its package in tools/packages.base?"
# Roots of other package lists that nobody has entered for a month are dropped, and what is left of
# those that were being dropped.
find "$roots" -maxdepth 1 -type d -regextype posix-extended -regex ".*/$ours" ! -path "$root" -print0 |
while IFS= read -r -d '' old; do
  if [ ! -f "$old/.complete" ] || [ -n "$(find "$old/.complete" -mtime +30)" ]; then remove "$old" || true; fi
done
say "  done in $((SECONDS - started)) s"
echo "$root"
