#!/usr/bin/env bash
# The package has what it should, and what it brings is well-formed. With --install it is really
# installed and removed, which needs root and is for machines that may be changed.
#
#   packaging_test.sh BUILD PROGRAM [--install]
set -euo pipefail
build=${1:?the build folder} program=${2:?the program} mode=${3:-}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0
check() {  # check WORDS COMMAND...
  local words=$1
  shift
  if ! "$@" >"$scratch/out" 2>&1; then
    echo "packaging: $words"
    sed 's/^/  /' "$scratch/out"
    failures=$((failures + 1))
  fi
}

# The files that others read.
check "the dashboard is not valid JSON, or names a metric that the program does not have" \
  python3 - "$root" <<'PYTHON'
import json, re, sys
root = sys.argv[1]
source = open(root + "/src/operate/metrics.cc", encoding="utf-8").read()
known = set(re.findall(r'"((?:tenbin|process)_[a-z_]+)"', source)) | {"up"}
texts = open(root + "/packaging/prometheus/tenbin.rules.yml", encoding="utf-8").read()
dashboard = json.load(open(root + "/packaging/grafana/tenbin.json", encoding="utf-8"))
expressions = [t["expr"] for p in dashboard["panels"] for t in p["targets"]]
expressions += re.findall(r"^ *expr: (.*)$", texts, re.M)
assert len(expressions) > 20
for expression in expressions:
    for name in re.findall(r"\b(?:tenbin|process)_[a-z_]+", expression):
        name = re.sub(r"_(bucket|sum|count)$", "", name) if name not in known else name
        assert name in known, f"{name} in {expression}"
for panel in dashboard["panels"]:
    assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", panel["title"]), panel["title"]
    assert re.search(r"[A-Za-z]", panel["title"]), panel["title"]
assert texts.count("summary:") == texts.count("summary_ja:") == texts.count("alert:") > 5
PYTHON
check "the example settings are not right" \
  "$program" serve --check-config --config "$root/packaging/tenbin.toml"
says() {  # says EXIT WORDS COMMAND...: the command ends so and says that
  local code=0 want=$1 words=$2
  shift 2
  "$@" >"$scratch/said" 2>&1 || code=$?
  if ((code != want)) || ! grep -qF -- "$words" "$scratch/said"; then
    echo "packaging: not exit $want with \"$words\": $*"
    sed 's/^/  /' "$scratch/said"
    failures=$((failures + 1))
  fi
}
settings=$scratch/settings.toml
printf '# mine\nport = 7000\nprot = 1\nlease_ms = "x"\n' >"$settings"
says 2 "$settings:3:1: there is no setting \"prot\"; did you mean port?" \
  "$program" serve --check-config --config "$settings"
says 2 "$settings:4:12: lease_ms must be a whole number without quotes" \
  "$program" serve --check-config --config "$settings"
says 2 "did you mean --port?" "$program" serve --prot 1
says 2 "$scratch/none.toml: No such file" \
  "$program" serve --check-config --config "$scratch/none.toml"
printf 'port = 7000\n' >"$settings"
says 0 "port = 7000 " "$program" serve --print-config --config "$settings"
says 0 "# $settings:1:8" "$program" serve --print-config --config "$settings"
says 0 "# environment TENBIN_PORT" env TENBIN_PORT=5 TENBIN_CONFIG="$settings" "$program" serve --print-config
says 0 "# flag --port" env TENBIN_PORT=5 "$program" serve --print-config --port 6
chmod o+w "$settings"
says 2 "everybody may write it" "$program" serve --check-config --config "$settings"

if command -v systemd-analyze >/dev/null && [[ -e /usr/bin/tenbin ]]; then
  check "systemd does not understand the unit" \
    systemd-analyze verify "$root/packaging/systemd/tenbin.service"
fi

command -v dpkg-deb >/dev/null || { echo "packaging: no dpkg here"; exit $((failures ? 1 : 77)); }
(cd "$build" && cpack -G DEB -B "$scratch/package" >"$scratch/cpack.log" 2>&1) || {
  cat "$scratch/cpack.log"
  exit 1
}
package=$(echo "$scratch"/package/tenbin_*.deb)
[[ -e $package ]] || { echo "packaging: cpack made no package"; exit 1; }
dpkg-deb --contents "$package" >"$scratch/contents"
has() {
  check "the package has no $1" grep -qE " \./$1\$" "$scratch/contents"
}
has usr/bin/tenbin
has usr/lib/systemd/system/tenbin.service
has usr/share/tenbin/tenbin.rules.yml
has usr/share/tenbin/tenbin.json
has usr/share/doc/tenbin/README.md
has etc/tenbin/tenbin.toml
has usr/share/man/man1/tenbin.1
has usr/share/man/man1/tenbin-serve.1
has usr/share/man/ja/man1/tenbin-restore.1
has usr/share/man/ja/man1/tenbin.1
has usr/share/bash-completion/completions/tenbin
check "something in the package belongs to another than root" \
  bash -c "! grep -vE ' root/root ' '$scratch/contents'"
check "something in the package may be written by others" \
  bash -c "! grep -E '^.{8}w' '$scratch/contents' | grep -v '^l'"
dpkg-deb --field "$package" >"$scratch/control"
for field in 'Package: tenbin' 'Depends: .*libsqlite3' 'Section: admin'; do
  check "the package's control file has no '$field'" grep -qE "^$field" "$scratch/control"
done
dpkg-deb --control "$package" "$scratch/scripts"
check "the settings are no conffile" grep -qx /etc/tenbin/tenbin.toml "$scratch/scripts/conffiles"
for script in postinst prerm postrm; do
  check "$script is no shell script" sh -n "$scratch/scripts/$script"
done

if [[ $mode == --install && $failures == 0 ]]; then
  [[ $(id -u) == 0 ]] || { echo "packaging: not root"; exit 77; }
  if dpkg-query -W -f '${Status}' tenbin 2>/dev/null | grep -q 'ok installed'; then
    echo "packaging: tenbin is installed here; left alone"
    exit 77
  fi
  check "it cannot be installed" dpkg -i "$package"
  check "the installed program does not run" /usr/bin/tenbin serve --print-config
  check "the installed settings are not right" \
    /usr/bin/tenbin serve --check-config --config /etc/tenbin/tenbin.toml
  check "it cannot be removed" dpkg -r tenbin
  check "the program is still there" test ! -e /usr/bin/tenbin
  check "the settings are gone with the program" test -e /etc/tenbin/tenbin.toml
  check "it cannot be purged" dpkg -P tenbin
  check "the settings are still there" test ! -e /etc/tenbin/tenbin.toml
fi
if ((failures)); then exit 1; fi
echo "packaging: all well"
