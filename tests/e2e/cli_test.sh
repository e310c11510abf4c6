#!/usr/bin/env bash
# The command line as a person uses it: a service, the guide of `tenbin help start` word for word, the
# examples, both languages, wide and narrow terminals, pipes, completion in the shells that are there,
# and the manual.
#
#   cli_test.sh TENBIN SOURCE
set -uo pipefail
binary=$(realpath "$1") source=$(realpath "$2")
place=$(mktemp -d)
service=
finish() {
  [[ -n $service ]] && kill "$service" 2>/dev/null && wait "$service" 2>/dev/null
  rm -rf "$place"
}
trap finish EXIT

mkdir "$place/bin" "$place/home"
ln -s "$binary" "$place/bin/tenbin"
export PATH="$place/bin:$PATH" HOME="$place/home" TENBIN_STATE="$place/state" TZ=Asia/Tokyo LC_ALL=C.UTF-8
unset TENBIN_URL TENBIN_TOKEN TENBIN_CONTEXT XDG_CONFIG_HOME XDG_STATE_HOME NO_COLOR CLICOLOR_FORCE

failed=0
wrong() { echo "e2e_cli_test: $*" >&2; failed=1; }
# runs EXIT COMMAND...: with this exit code; what it printed is in $out and $err.
runs() {
  local wanted=$1 exit=0
  shift
  "$@" >"$place/out" 2>"$place/err" </dev/null || exit=$?
  out=$(<"$place/out") err=$(<"$place/err")
  ((exit == wanted)) || wrong "exit $exit, not $wanted: $* -- $out $err"
}
says() { [[ $out == *"$1"* ]] || wrong "no \"$1\" in: $out"; }
complains() { [[ $err == *"$1"* ]] || wrong "no \"$1\" in: $err"; }

serve() {
  setsid tenbin serve --port 0 --state "$TENBIN_STATE" >"$place/service.log" 2>&1 </dev/null &
  service=$!
  for _ in $(seq 200); do
    grep -q 'serving http' "$place/service.log" && return
    sleep 0.05
  done
  echo "e2e_cli_test: the service does not start:" >&2
  cat "$place/service.log" >&2
  exit 1
}

# ---- no service ----

runs 9 tenbin jobs
complains 'tenbin serve'

# ---- the guide, as it is printed ----

cd "$place" || exit 1
serve
tenbin help start --lang en | grep -E '^     ' | sed 's/^     //' >guide
tenbin help start --lang ja | grep -E '^     ' | sed 's/^     //' >guide.ja
cmp -s guide guide.ja || wrong 'the guides differ in what is typed'
# The service runs already, and the one elsewhere is not here.
grep -vE '^tenbin (serve|context)' guide >guide.sh
(($(wc -l <guide.sh) > 25)) || wrong 'the guide has lost its commands'
bash -e guide.sh >guide.out 2>&1 || wrong "the guide does not work: $(tail -5 guide.out)"
grep -qx hello guide.out || wrong 'the job of the guide has not said hello'
grep -q 'It adds up' guide.out || wrong 'the statement of the guide does not add up'

# Tanaka's token, made by the guide, in a context.
runs 0 tenbin context add lab --url "$(<"$TENBIN_STATE/url")" --token-file tanaka.token
[[ $(stat -c %a "$HOME/.config/tenbin/contexts.toml") == 600 ]] || wrong 'others can read the contexts'
runs 0 tenbin whoami
says tanaka
runs 4 tenbin funder create other --commitment '1 JPY' --credits-per-unit 1
complains not_permitted
runs 3 tenbin job show 999
runs 0 tenbin context remove lab
runs 0 tenbin whoami
says admin

# ---- declarations: created, the same again, changed ----

examples=$source/examples/japan-2024
runs 0 tenbin apply -f "$examples" --dry-run
says '+ funder microsoft'
runs 0 tenbin apply -f "$examples"
says 'created funder microsoft'
runs 0 tenbin apply -f "$examples"
says '0 created,'
runs 0 tenbin apply -f "$examples" --dry-run
says '0 would be created, 0 changed,'
[[ $out == *+* ]] && wrong "a second apply would change something: $out"
printf '[[price]]\npool = "east-h100"\ngpu_hour = 7\nfraction_factor = 1.1\n' >price.toml
runs 0 tenbin apply -f price.toml --dry-run
says '~ price east-h100: gpu_hour 600 -> 7'
runs 0 bash -c 'tenbin apply -f - <price.toml'
runs 0 tenbin apply -f price.toml --dry-run
says '= price east-h100'
printf '[[funder]]\nname = "aws"\ncommitment = { amount = "1", currency = "USD" }\ncredits_per_unit = 2\n' >funder.toml
runs 5 tenbin apply -f funder.toml --dry-run
says '! funder aws:'

# ---- every question, in every form and language ----

for noun in funder programme organisation grant lot project allocation person member provider region pool \
  node price policy; do
  for language in en ja; do
    runs 0 tenbin "$noun" list --lang "$language"
    [[ $out == *$'\x1b'* ]] && wrong "$noun list colours a pipe"
  done
  runs 0 tenbin "$noun" list -o json
  python3 -c 'import json, sys; assert isinstance(json.load(sys.stdin), list)' <"$place/out" || wrong "$noun list: not a list"
  runs 0 tenbin "$noun" list -o csv
  python3 -c 'import csv, sys; rows = list(csv.reader(sys.stdin)); assert len({len(r) for r in rows}) == 1' <"$place/out" ||
    wrong "$noun list: rows of different lengths"
done
runs 0 tenbin project show tokyo-llm --lang ja
says university-of-tokyo
runs 3 tenbin project show tokyo-lm
complains 'did you mean tokyo-llm?'
runs 0 tenbin statement --lang ja
says 収支は一致しています
runs 0 tenbin fleet --nodes -o csv
runs 0 tenbin token list
runs 0 tenbin job explain 1
says 'job 1:'
runs 2 tenbin jobs --stat running
complains 'did you mean --state?'

# ---- waiting and watching ----

runs 0 tenbin submit -q --project tokyo-llm --gpus 1 --time-limit 1m -- sleep 1
id=$out
runs 0 timeout 30 tenbin job show "$id" --watch -o json
says '"state":"running"'
says '"state":"completed"'
runs 0 tenbin submit -q --project tokyo-llm --gpus 1 --time-limit 1m -- sh -c 'exit 7'
runs 7 timeout 30 tenbin job wait "$out"
runs 0 tenbin submit -q --project tokyo-llm --gpus 1 --time-limit 1m -- sleep 60
id=$out
runs 8 tenbin job wait "$id" --timeout 200ms
runs 0 tenbin job cancel "$id"
runs 130 timeout 30 tenbin job wait "$id"
# A watcher whose reader goes away ends by itself.
timeout 20 tenbin fleet --watch -o json 2>/dev/null > >(head -n 1 >/dev/null) &
watcher=$!
sleep 1
tenbin price set east-h100 --gpu-hour 8 >/dev/null
ended=0
wait "$watcher" || ended=$?
((ended != 124)) || wrong 'a watcher without a reader goes on'

# ---- terminals ----

if command -v script >/dev/null; then
  terminal() {  # terminal COLUMNS COMMAND
    TERM=xterm script -qec "stty cols $1 rows 24; $2" /dev/null </dev/null | tr -d '\r'
  }
  for language in en ja; do
    for what in jobs 'project list' 'funder list' 'balance tokyo-llm' statement fleet help 'help job'; do
      for columns in 70 120; do
        terminal "$columns" "tenbin $what --lang $language --color never" >screen
        python3 - "$columns" "$what" <<'PYTHON' || failed=1
import sys, unicodedata
columns = int(sys.argv[1])
for line in open('screen', encoding='utf-8'):
    line = line.rstrip('\n')
    width = sum(2 if unicodedata.east_asian_width(c) in 'WF' else 1 for c in line)
    if width > columns:
        print(f'e2e_cli_test: {sys.argv[2]} at {columns}: {width} columns: {line}', file=sys.stderr)
        sys.exit(1)
PYTHON
      done
    done
  done
  terminal 80 'tenbin jobs' | grep -q $'\x1b\[32mcompleted' || wrong 'no colour on a terminal'
  terminal 80 'NO_COLOR=1 tenbin jobs' | grep -q $'\x1b' && wrong 'colour in spite of NO_COLOR'
fi

# ---- completion, in the shells that are there ----

bash -c '
  source <(tenbin completion bash)
  COMP_WORDS=(tenbin project show tok) COMP_CWORD=3
  _tenbin
  [[ ${COMPREPLY[*]} == tokyo-llm ]] || exit 1
  COMP_WORDS=(tenbin jobs --state = comp) COMP_CWORD=4
  _tenbin
  [[ ${COMPREPLY[*]} == completed ]] || exit 1
  COMP_WORDS=(tenbin apply -f gui) COMP_CWORD=3
  _tenbin
  [[ " ${COMPREPLY[*]} " == *" guide "* ]]' || wrong 'completion of bash'
if command -v zsh >/dev/null; then
  # What compsys would be given.
  zsh -fc '
    autoload -Uz compinit && compinit -u -d "$1/zcompdump"
    source <(tenbin completion zsh)
    [[ ${_comps[tenbin]} == _tenbin ]] || exit 1
    _describe() { given=("${(@P)@[-1]}") }
    _files() { given=(FILES) }
    words=(tenbin project show tok) CURRENT=4; _tenbin
    [[ ${given[1]} == tokyo-llm:* ]] || exit 1
    words=(tenbin apply -f "") CURRENT=4; _tenbin
    [[ ${given[1]} == FILES ]]' zsh "$place" || wrong 'completion of zsh'
fi
if command -v fish >/dev/null; then
  [[ $(fish -c 'tenbin completion fish | source; complete -C "tenbin project show tok"') == tokyo-llm$'\t'* ]] ||
    wrong 'completion of fish'
  [[ $(fish -c 'tenbin completion fish | source; complete -C "tenbin job rel"') == release$'\t'* ]] ||
    wrong 'completion of fish'
fi

# ---- the manual ----

runs 0 tenbin man --to "$place/man"
[[ -s $place/man/man1/tenbin-job.1 && -s $place/man/ja/man1/tenbin.1 ]] || wrong 'pages are missing'
if command -v mandoc >/dev/null; then
  mandoc -T lint -W warning "$place"/man/man1/*.1 "$place"/man/ja/man1/*.1 || wrong 'mandoc complains'
fi
if command -v groff >/dev/null; then
  for page in "$place"/man/man1/*.1 "$place"/man/ja/man1/*.1; do
    # That a long word of Japanese does not fill its line is no mistake.
    groff -K utf8 -man -ww -T utf8 -z "$page" 2>&1 | grep -vE "can't break line|cannot adjust line" &&
      wrong "groff complains about ${page##*/}"
  done
fi

((failed == 0)) && echo 'e2e_cli_test: all is well'
exit $failed
