#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <thread>

#include "bench.h"

namespace tenbin::bench {

namespace {

std::map<std::string, Benchmark, std::less<>>& all() {
  static std::map<std::string, Benchmark, std::less<>> benchmarks;
  return benchmarks;
}

std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return json + '"';
}

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string machine() {
  std::string model = "unknown cpu";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      model = line.substr(colon + 2);
      break;
    }
  }
  return model + ", " + std::to_string(std::thread::hardware_concurrency()) + " cores";
}

void print(const Measurement& m, const std::string& machine) {
  std::string line = "{\"name\":" + quoted(m.name) + ",\"value\":" + number(m.value) +
                     ",\"unit\":" + quoted(m.unit) + ",\"rounds\":" + std::to_string(m.rounds) +
                     ",\"limit_name\":" + quoted(m.limit_name) + ",\"limit\":" + number(m.limit) +
                     ",\"ratio\":" + number(m.value / m.limit) + ",\"machine\":" + quoted(machine);
  if (!m.note.empty()) line += ",\"note\":" + quoted(m.note);
  std::printf("%s}\n", line.c_str());
  std::fflush(stdout);
}

int complain(const std::string& what) {
  std::fprintf(stderr, "bench: %s; bench [--list] [--rounds N] [NAME...]\n", what.c_str());
  return 2;
}

int run(int count, char** words) {
  Options options;
  std::vector<std::string> names;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--list") {
      for (const auto& [name, benchmark] : all()) std::printf("%s\n", name.c_str());
      return 0;
    }
    if (word == "--rounds") {
      options.rounds = i + 1 < count ? std::atoi(words[++i]) : 0;
      if (options.rounds < 1) return complain("--rounds takes a number from 1");
      continue;
    }
    if (word.starts_with('-')) return complain("no option " + std::string(word));
    if (!all().contains(word)) return complain("no benchmark " + std::string(word));
    names.emplace_back(word);
  }
  if (names.empty()) {
    for (const auto& [name, benchmark] : all()) names.push_back(name);
  }
  const std::string here = machine();
  for (const std::string& name : names) {
    for (const Measurement& m : all()[name](options)) print(m, here);
  }
  return 0;
}

}  // namespace

Registered::Registered(std::string_view name, Benchmark run) {
  all().emplace(name, run);
}

}  // namespace tenbin::bench

int main(int count, char** words) {
  return tenbin::bench::run(count, words);
}
