#!/usr/bin/env bash
# The two checks that come with every folder must find what is planted, and nothing else.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failed=0
wrong() { echo "checks_test: $*" >&2; failed=1; }

# ---- check_includes.py ----

# One folder a block: what it may include of ours, then files with one include each.
planted='
folder base
  ok  a.h                <vector>
  bad a.h                "core/world.h"
  bad a.cc               <cstdio>
  ok  assert.cc          <cstdio>
folder core base
  ok  a.h                "base/id.h"
  ok  jobs/a.cc          "core/world.h"
  bad jobs/a.cc          "live/ports.h"
  bad jobs/a.cc          "world.h"
  bad jobs/a.cc          "../world.h"
  bad a.cc               <iostream>
  bad a.cc               <fstream>
  bad a.cc               <thread>
  bad a.cc               <mutex>
  bad a.h                <chrono>
  bad a.h                <filesystem>
  bad a.h                <random>
  bad a.cc               <unistd.h>
  ok  a_test.cc          <doctest/doctest.h>
  bad a.cc               <doctest/doctest.h>
folder codec base core
  ok  json.cc            <simdjson.h>
  bad decode.cc          <simdjson.h>
  bad decode.cc          <fstream>
  ok  decode_test.cc     <fstream>
folder live base core codec
  ok  driver.cc          <thread>
  ok  driver.cc          <sys/eventfd.h>
  bad driver.cc          <sqlite3.h>
  bad driver.cc          "store/sqlite.h"
folder net base
  ok  server.cc          <boost/beast.hpp>
folder store base core live
  ok  a.cc               <sqlite3.h>
  ok  a.cc               "live/ports.h"
  bad a.cc               "live/driver.h"
folder exec base core live
  ok  a.cc               <sys/wait.h>
  bad a.cc               "live/driver.h"
folder api base core codec net live twin
  ok  a.cc               "live/driver.h"
  bad a.cc               <boost/beast.hpp>
  ok  a.cc               <fcntl.h>
'
folder='' deps=() expected=
look() {  # at the files of the block that ends here
  [[ -n $folder ]] || return 0
  local passes=1
  python3 "$root/tools/check_includes.py" "$place/src" "$folder" "${deps[@]}" >"$place/output" || passes=
  [[ -z $passes || -z $expected ]] || wrong "$folder: passes"
  [[ -n $passes || -n $expected ]] || wrong "$folder: does not pass"
  sed -E 's/^([^:]*:[0-9]+): .*/\1/' "$place/output" | sort >"$place/found"
  printf %s "$expected" | sort | diff - "$place/found" >&2 || wrong "$folder: < was not found, > was found for no reason"
}
while read -r kind name rest; do
  case "$kind" in
    folder) look; folder=$name expected=; read -ra deps <<<"$rest" ;;
    ok | bad)
      file=$place/src/$folder/$name
      mkdir -p "$(dirname "$file")"
      printf '#include %s\n' "$rest" >>"$file"
      [[ $kind == ok ]] || expected+="$file:$(wc -l <"$file")"$'\n' ;;
  esac
done <<<"$planted"
look

# ---- check_pure ----

pure() {  # pure ok|bad NAME SOURCE [LIBRARY]: compiles, looks, leaves what was said in $place/output
  local expected=$1 name=$2 library=$place/${4:-libplanted.a} found=ok
  rm -f "$library"
  printf '%s\n' "$3" >"$place/$name.cc"
  "${CXX:-c++}" -std=c++20 -O1 -w -c "$place/$name.cc" -o "$place/$name.cc.o"
  ar rc "$library" "$place/$name.cc.o"
  "$root/tools/check_pure" "$library" >"$place/output" || found=bad
  if [[ $found != "$expected" ]]; then
    wrong "$name: expected $expected, was $found"
    cat "$place/output" >&2
  fi
  [[ $found == ok ]] || grep -qF "$name.cc.o asks for" "$place/output" || wrong "$name: does not say where"
}
uses() {  # a file that calls these functions, without their heavy headers
  local name
  for name; do printf 'extern "C" long %s(...); long f_%s() { return %s(1); }\n' "$name" "$name" "$name"; done
}
banned=(clock_gettime gettimeofday time fopen open read write socket poll pthread_create getenv
        getrandom fork abort exit __fprintf_chk)
pure bad functions "$(uses "${banned[@]}")"
for name in "${banned[@]}"; do grep -q ": $name\$" "$place/output" || wrong "does not find $name"; done
pure ok harmless "$(uses memcpy strlen malloc free crypto_generichash)"
pure ok own_name 'extern "C" { int open(int); __attribute__((noinline)) int open(int i) { return i + 1; } }
int f() { return open(0); }'
pure bad throwing 'void f(int i) { throw i; }'
pure ok containers '#include <map>
#include <string>
#include <vector>
std::string at(const std::vector<std::string>& v, std::map<int, int>& m) { return m[1] ? v.at(2) : v.at(3) + "x"; }'

pure bad library '#include <chrono>
#include <fstream>
#include <mutex>
#include <random>
#include <sstream>
#include <thread>
long now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
std::string text(int i) { std::ostringstream out; out << i; return out.str(); }
bool file() { return std::ifstream("x").good(); }
void thread() { std::thread([] {}).detach(); }
std::mutex m;
void lock() { std::lock_guard guard(m); }
unsigned chance() { return std::random_device{}(); }'
for symbol in steady_clock::now basic_ostringstream basic_ifstream _M_start_thread pthread_mutex_lock random_device; do
  grep -qF "$symbol" "$place/output" || wrong "does not find $symbol in a C++ file"
done

last_words='extern "C" { extern void* stderr; int fprintf(...); [[noreturn]] void abort(); }
void broken(int line) { fprintf(stderr, "line %d", line); abort(); }'
pure bad assert "$last_words"
pure bad other "$last_words" libbase.a
pure ok assert "$last_words" libbase.a

if "$root/tools/check_pure" "$place/nothing_here.a" >/dev/null 2>&1; then wrong "a missing library passes"; fi

exit "$failed"
