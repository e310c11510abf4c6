#include "report/replay_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "codec/json.h"
#include "report/embedded.h"
#include "twin/policy.h"

namespace tenbin {

namespace {

constexpr std::size_t owners_shown = 15;
constexpr std::size_t nodes_named = 4'000;
constexpr std::size_t jobs_listed = 8;

constexpr std::array<std::int64_t, 11> size_limits{999,    1'000,  2'000,   4'000,   8'000,  16'000,
                                                   32'000, 64'000, 128'000, 256'000, 512'000};
constexpr std::array<std::string_view, 12> size_names{"< 1",    "1",       "2",       "3–4",
                                                      "5–8",    "9–16",    "17–32",   "33–64",
                                                      "65–128", "129–256", "257–512", "> 512"};

std::size_t size_class(Gpus gpus) {
  return static_cast<std::size_t>(std::ranges::lower_bound(size_limits, gpus.count) -
                                  size_limits.begin());
}

std::string base64(const std::vector<std::uint8_t>& bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 3; ++k)
      three = three << 8 | (i + k < bytes.size() ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? digits[three >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

/// One rectangle of the Gantt: a part of a job on GPUs that lie side by side.
struct Piece {
  std::uint32_t job = 0;           // row
  std::int64_t low = 0, high = 0;  // milli-GPU, over the whole fleet
};

class Maker {
 public:
  explicit Maker(const ReplayPage& page) : page_(page), replays_(page.replays) {
    for (const Replayed& replay : replays_) {
      for (const JobOutcome& job : replay.measure->jobs()) {
        begin_ = std::min(begin_, job.submit);
        end_ = std::max({end_, job.submit, job.over() ? job.end : job.submit});
      }
      if (replay.measure->figures().stopped || replay.measure->figures().over > 0)
        end_ = std::max(end_, replay.measure->figures().last_end);
    }
    if (begin_ > end_) begin_ = end_;
    unit_ = (end_ - begin_).count > 3'000'000 ? 1'000 : 1;
    for (const ReplayPool& pool : page_.pools) {
      bases_.push_back(capacity_);
      if (pool.kind == PoolKind::counted) lanes_ = true;
      for (std::size_t n = 0; n < pool.nodes.size(); ++n)
        put_node(capacity_ + static_cast<std::int64_t>(n) * pool.gpus_per_node * 1'000);
      capacity_ += pool.gpus().count;
    }
    choose_owners();
  }

  std::string data() {
    JsonWriter out(json_);
    out.begin_object()
        .member("lang", page_.japanese ? "ja" : "en")
        .member("title", page_.title)
        .member("made", "天秤 Tenbin · tenbin replay")
        .member("dated", page_.dated)
        .member("limits", page_.limits)
        .member("left", page_.left_out)
        .member("t0", begin_.ms)
        .member("unit", unit_)
        .member("horizon", std::max<std::int64_t>(1, units(end_ - begin_)))
        .member("lanes", lanes_)
        .member("jobs", replays_.empty() ? 0 : replays_[0].measure->figures().jobs)
        .member("atlimit", replays_.empty() ? 0 : replays_[0].measure->figures().at_limit);
    real(out, "gpus", static_cast<double>(capacity_) / 1'000);
    write_pools(out);
    out.key("sizes").begin_array();
    for (const std::string_view name : size_names) out.value(name);
    out.end_array().key("owners").begin_array();
    for (const std::uint32_t owner : owners_)
      out.value(owner < page_.owners.size() ? page_.owners[owner] : std::to_string(owner));
    if (others_) out.null();
    out.end_array().key("policies").begin_array();
    for (const Replayed& replay : replays_) write_policy(out, replay);
    out.end_array().key("pairs").begin_array();
    const auto stopped = [&](std::size_t i) { return replays_[i].measure->figures().stopped; };
    std::size_t first = 0;  // of those that went to their end: the others compare with nothing
    while (first < replays_.size() && stopped(first)) ++first;
    for (std::size_t a = first; a < replays_.size(); ++a) {
      for (std::size_t b = a + 1; b < replays_.size(); ++b) {
        if (stopped(a) || stopped(b)) continue;
        if (a == first || replays_.size() <= 6) write_pair(out, a, b);
      }
    }
    out.end_array().end_object();
    return std::move(json_);
  }

 private:
  /// The next node in the order of the pools begins here on the axis.
  void put_node(std::int64_t base) {
    const std::uint64_t id = page_.node_ids.empty() ? nodes_ + 1 : page_.node_ids[nodes_].value;
    ++nodes_;
    if (id > node_bases_.size()) node_bases_.resize(id);
    node_bases_[id - 1] = base;
  }
  std::int64_t units(Span span) const { return span.count / unit_; }
  static double seconds(double ms) { return ms / 1'000; }
  static double seconds(Span span) { return seconds(static_cast<double>(span.count)); }
  static void real(JsonWriter& out, std::string_view key, double value) {
    out.key(key).raw(fmt::format("{:.6g}", value));
  }

  Instant end_of(const Replayed& replay, const JobOutcome& job) const {
    return job.over() ? job.end : std::max(job.start, replay.measure->figures().last_end);
  }

  /// Those with most GPU time under the first policy; the others are one.
  void choose_owners() {
    std::map<std::uint32_t, double> times;
    if (replays_.empty()) return;
    for (const JobOutcome& job : replays_[0].measure->jobs()) {
      double& time = times[job.owner];
      if (job.started()) {
        time += static_cast<double>(job.gpus.count) *
                static_cast<double>((end_of(replays_[0], job) - job.start).count);
      }
    }
    for (const auto& [owner, time] : times) owners_.push_back(owner);
    std::ranges::stable_sort(owners_,
                             [&](std::uint32_t a, std::uint32_t b) { return times[a] > times[b]; });
    if (owners_.size() > owners_shown + 1) {
      owners_.resize(owners_shown);
      others_ = true;
    }
    for (std::size_t i = 0; i < owners_.size(); ++i) place_of_[owners_[i]] = i;
  }
  std::size_t owner_place(std::uint32_t owner) const {
    const auto found = place_of_.find(owner);
    return found == place_of_.end() ? owners_.size() : found->second;
  }
  std::size_t owner_places() const { return owners_.size() + (others_ ? 1 : 0); }

  void write_pools(JsonWriter& out) {
    const bool named = nodes_ <= nodes_named;
    out.key("pools").begin_array();
    for (const ReplayPool& pool : page_.pools) {
      out.begin_object()
          .member("name", pool.name)
          .member("gpus", pool.gpus().count / 1'000)
          .member("each", pool.gpus_per_node)
          .key("nodes")
          .begin_array();
      for (const std::string& node : pool.nodes) {
        if (named) out.value(node);
      }
      out.end_array().end_object();
    }
    out.end_array();
  }

  void write_groups(JsonWriter& out, std::string_view key,
                    std::vector<std::vector<std::int64_t>>& groups) {
    out.key(key).begin_array();
    for (std::vector<std::int64_t>& waits : groups) {
      const Spread s = spread_of(waits);
      out.begin_object().member("n", s.count);
      real(out, "mean", seconds(s.mean));
      out.key("q").begin_array();
      for (const Span q : {s.p5, s.p25, s.p50, s.p75, s.p95})
        out.raw(fmt::format("{:.6g}", seconds(q)));
      out.end_array().end_object();
    }
    out.end_array();
  }

  void write_policy(JsonWriter& out, const Replayed& replay) {
    const Figures& f = replay.measure->figures();
    out.begin_object()
        .member("name", replay.name)
        .member("parts", words_of(replay.policy))
        .member("jobs", f.jobs)
        .member("refused", f.refused)
        .member("started", f.started)
        .member("stopped", f.stopped)
        .key("wait")
        .begin_object();
    real(out, "mean", seconds(f.wait.mean));
    real(out, "p50", seconds(f.wait.p50));
    real(out, "p95", seconds(f.wait.p95));
    real(out, "p99", seconds(f.wait.p99));
    real(out, "max", seconds(f.wait.max));
    out.end_object();
    real(out, "slowdown", f.slowdown);
    real(out, "jct", seconds(f.jct.mean));
    real(out, "utilisation", f.utilisation);
    if (f.fragmentation) {
      real(out, "fragmentation", *f.fragmentation);
    } else {
      out.key("fragmentation").null();
    }
    real(out, "makespan", seconds(f.makespan));
    real(out, "credits", static_cast<double>(f.charged.count) / 1e6);

    const Course& course = replay.measure->course();
    out.key("course").begin_object();
    real(out, "each", seconds(course.each));
    const auto line = [&](std::string_view key, auto value, double scale) {
      out.key(key).begin_array();
      for (const Course::Part& part : course.parts) {
        out.raw(fmt::format("{:.4g}", static_cast<double>(part.*value) /
                                          static_cast<double>(course.each.count) / scale));
      }
      out.end_array();
    };
    line("used", &Course::Part::used, 1'000);
    line("waiting", &Course::Part::waiting, 1);
    line("asked", &Course::Part::asked, 1'000);
    out.end_object();

    std::vector<std::vector<std::int64_t>> sizes(size_names.size()), owners(owner_places());
    for (const JobOutcome& job : replay.measure->jobs()) {
      if (!job.started()) continue;
      sizes[size_class(job.gpus)].push_back(job.wait().count);
      owners[owner_place(job.owner)].push_back(job.wait().count);
    }
    write_groups(out, "sizes", sizes);
    write_groups(out, "owners", owners);
    write_gantt(out, replay);
    out.end_object();
  }

  // ---- the Gantt ----

  /// Rows for jobs of pools that are counted: the lowest GPUs that are free.
  void lay_out(const Replayed& replay, std::size_t pool, std::vector<Piece>& pieces) const {
    const std::vector<JobOutcome>& jobs = replay.measure->jobs();
    std::vector<std::uint32_t> by_start;
    for (std::uint32_t i = 0; i < jobs.size(); ++i) {
      if (jobs[i].started() && jobs[i].pool == pool + 1) by_start.push_back(i);
    }
    std::ranges::stable_sort(by_start, {}, [&](std::uint32_t i) { return jobs[i].start; });
    std::map<std::int64_t, std::int64_t> free{
        {bases_[pool], bases_[pool] + page_.pools[pool].gpus().count}};
    std::multimap<Instant, Piece> running;
    for (const std::uint32_t i : by_start) {
      while (!running.empty() && running.begin()->first <= jobs[i].start) {
        auto [low, high] = std::pair(running.begin()->second.low, running.begin()->second.high);
        running.erase(running.begin());
        auto next = free.lower_bound(low);
        if (next != free.end() && next->first == high) {
          high = next->second;
          next = free.erase(next);
        }
        if (next != free.begin() && std::prev(next)->second == low) {
          std::prev(next)->second = high;
        } else {
          free.emplace(low, high);
        }
      }
      std::int64_t need = jobs[i].gpus.count;
      while (need > 0 && !free.empty()) {
        const auto first = free.begin();
        const std::int64_t part = std::min(need, first->second - first->first);
        const Piece piece{i, first->first, first->first + part};
        pieces.push_back(piece);
        if (end_of(replay, jobs[i]) > jobs[i].start)
          running.emplace(end_of(replay, jobs[i]), piece);
        need -= part;
        if (end_of(replay, jobs[i]) <= jobs[i].start) continue;  // it took no time and no room
        const std::int64_t rest = first->second;
        free.erase(first);
        if (piece.high < rest) free.emplace(piece.high, rest);
      }
    }
  }

  std::vector<Piece> pieces_of(const Replayed& replay) const {
    std::vector<Piece> pieces;
    const std::vector<JobOutcome>& jobs = replay.measure->jobs();
    const std::vector<Slice>& places = replay.measure->places();
    for (std::uint32_t i = 0; i < jobs.size(); ++i) {
      for (std::uint32_t p = 0; p < jobs[i].places; ++p) {
        const Slice& slice = places[jobs[i].place + p];
        const std::int64_t base = node_bases_[slice.node.value - 1];
        for (std::uint32_t device = 0; device < 32; ++device) {
          if ((slice.mask >> device & 1) == 0) continue;
          const std::int64_t low = base + device * 1'000;
          const std::int64_t high = low + (slice.milli ? slice.milli : 1'000);
          if (!pieces.empty() && pieces.back().job == i && pieces.back().high == low) {
            pieces.back().high = high;
          } else {
            pieces.push_back({i, low, high});
          }
        }
      }
    }
    for (std::size_t pool = 0; pool < page_.pools.size(); ++pool) {
      if (page_.pools[pool].kind == PoolKind::counted) lay_out(replay, pool, pieces);
    }
    return pieces;
  }

  void write_gantt(JsonWriter& out, const Replayed& replay) {
    const std::vector<JobOutcome>& jobs = replay.measure->jobs();
    std::vector<Piece> pieces = pieces_of(replay);
    const bool many = replays_.size() > 8;
    const auto rows =
        static_cast<std::size_t>(std::clamp<std::int64_t>(capacity_ / 1'000, 1, many ? 48 : 128));
    const std::size_t columns = many ? 200 : 360;
    const double width =
        std::max(1.0, static_cast<double>((end_ - begin_).count)) / static_cast<double>(columns);
    const double height =
        static_cast<double>(std::max<std::int64_t>(1, capacity_)) / static_cast<double>(rows);
    std::vector<double> busy(rows * columns);
    std::vector<double> areas(pieces.size());
    double all_area = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const Piece& piece = pieces[i];
      const JobOutcome& job = jobs[piece.job];
      const auto from = static_cast<double>((job.start - begin_).count);
      const auto to = static_cast<double>((end_of(replay, job) - begin_).count);
      areas[i] = (to - from) * static_cast<double>(piece.high - piece.low);
      all_area += areas[i];
      const auto low = static_cast<double>(piece.low), high = static_cast<double>(piece.high);
      const auto last = [](double at, double each, std::size_t count) {
        return std::min(count - 1, static_cast<std::size_t>(at / each));
      };
      for (std::size_t r = last(low, height, rows); r <= last(high, height, rows); ++r) {
        const double tall = std::min(high, static_cast<double>(r + 1) * height) -
                            std::max(low, static_cast<double>(r) * height);
        if (tall <= 0) continue;
        for (std::size_t c = last(from, width, columns); c <= last(to, width, columns); ++c) {
          const double wide = std::min(to, static_cast<double>(c + 1) * width) -
                              std::max(from, static_cast<double>(c) * width);
          if (wide > 0) busy[r * columns + c] += wide * tall;
        }
      }
    }
    std::vector<std::uint8_t> shade;
    for (const double b : busy) {
      shade.push_back(
          static_cast<std::uint8_t>(std::clamp(b / (width * height) * 255 + 0.5, 0.0, 255.0)));
    }

    // The largest pieces, in the order of the jobs.
    const std::size_t most =
        std::clamp<std::size_t>(24'000 / std::max<std::size_t>(1, replays_.size()), 1'000, 6'000);
    std::vector<std::uint32_t> order(pieces.size());
    std::iota(order.begin(), order.end(), 0u);
    if (order.size() > most) {
      std::ranges::nth_element(order, order.begin() + static_cast<std::ptrdiff_t>(most),
                               [&](std::uint32_t a, std::uint32_t b) {
                                 return areas[a] != areas[b] ? areas[a] > areas[b] : a < b;
                               });
      order.resize(most);
    }
    std::ranges::sort(order);
    double shown_area = 0;
    for (const std::uint32_t i : order) shown_area += areas[i];

    out.key("gantt")
        .begin_object()
        .member("rows", rows)
        .member("columns", columns)
        .member("heat", base64(shade))
        .member("pieces", pieces.size())
        .member("shown", order.size());
    real(out, "share", all_area > 0 ? shown_area / all_area : 1);
    out.key("rects").begin_object();
    const auto column = [&](std::string_view key, auto value) {
      out.key(key).begin_array();
      for (const std::uint32_t i : order) out.value(value(pieces[i], jobs[pieces[i].job]));
      out.end_array();
    };
    column("t", [&](const Piece&, const JobOutcome& j) { return units(j.start - begin_); });
    column("d",
           [&](const Piece&, const JobOutcome& j) { return units(end_of(replay, j) - j.start); });
    column("w", [&](const Piece&, const JobOutcome& j) { return units(j.wait()); });
    column("y", [&](const Piece& p, const JobOutcome&) { return p.low; });
    column("h", [&](const Piece& p, const JobOutcome&) { return p.high - p.low; });
    column("g", [&](const Piece&, const JobOutcome& j) { return j.gpus.count; });
    column("j", [&](const Piece&, const JobOutcome& j) { return j.id; });
    column("o", [&](const Piece&, const JobOutcome& j) {
      const std::size_t place = owner_place(j.owner);
      return place < owners_.size() ? static_cast<int>(place) : -1;
    });
    out.end_object().end_object();
  }

  // ---- gains and losses ----

  struct Change {
    std::uint64_t better = 0, same = 0, worse = 0;
    Wide sum = 0;  // ms
    void add(Span change) {
      ++(change.count < -1'000 ? better : change.count > 1'000 ? worse : same);
      sum += change.count;
    }
    void write(JsonWriter& out) const {
      const auto n = static_cast<double>(std::max<std::uint64_t>(1, better + same + worse));
      out.member("better", better).member("same", same).member("worse", worse);
      real(out, "mean", seconds(static_cast<double>(sum) / n));
    }
  };

  void write_pair(JsonWriter& out, std::size_t a, std::size_t b) {
    const std::vector<JobOutcome>& from = replays_[a].measure->jobs();
    const std::vector<JobOutcome>& to = replays_[b].measure->jobs();
    Change all;
    std::vector<Change> sizes(size_names.size()), owners(owner_places());
    std::vector<std::pair<std::int64_t, std::uint32_t>> changes;
    for (std::uint32_t i = 0; i < std::min(from.size(), to.size()); ++i) {
      if (!from[i].started() || !to[i].started()) continue;
      const Span change = to[i].wait() - from[i].wait();
      all.add(change);
      sizes[size_class(from[i].gpus)].add(change);
      owners[owner_place(from[i].owner)].add(change);
      if (change.count != 0) changes.emplace_back(change.count, i);
    }
    out.begin_object().member("a", a).member("b", b);
    all.write(out);
    const auto groups = [&](std::string_view key, const std::vector<Change>& list) {
      out.key(key).begin_array();
      for (const Change& change : list) {
        out.begin_object();
        change.write(out);
        out.end_object();
      }
      out.end_array();
    };
    groups("sizes", sizes);
    groups("owners", owners);
    const auto jobs = [&](std::string_view key, bool gain) {
      const std::size_t count = std::min(jobs_listed, changes.size());
      std::ranges::partial_sort(changes, changes.begin() + static_cast<std::ptrdiff_t>(count),
                                [&](const auto& x, const auto& y) {
                                  if (x.first != y.first) return gain == (x.first < y.first);
                                  return x.second < y.second;
                                });
      out.key(key).begin_array();
      for (std::size_t k = 0; k < count; ++k) {
        if (gain != (changes[k].first < 0)) break;
        const JobOutcome& job = from[changes[k].second];
        out.begin_object()
            .member("id", job.id)
            .member("owner", job.owner < page_.owners.size() ? page_.owners[job.owner]
                                                             : std::to_string(job.owner));
        real(out, "gpus", static_cast<double>(job.gpus.count) / 1'000);
        real(out, "a", seconds(job.wait()));
        real(out, "b", seconds(to[changes[k].second].wait()));
        out.end_object();
      }
      out.end_array();
    };
    jobs("gain", true);
    jobs("lose", false);
    out.end_object();
  }

  const ReplayPage& page_;
  std::span<const Replayed> replays_;
  Instant begin_{INT64_MAX}, end_{0};
  std::int64_t unit_ = 1;
  std::int64_t capacity_ = 0;                     // milli-GPU
  std::vector<std::int64_t> bases_, node_bases_;  // of pools, of nodes, on the Gantt's axis
  std::size_t nodes_ = 0;
  bool lanes_ = false;
  std::vector<std::uint32_t> owners_;
  std::map<std::uint32_t, std::size_t> place_of_;
  bool others_ = false;
  std::string json_;
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string replay_page(const ReplayPage& page) {
  std::string data = Maker(page).data();
  // Inside a script element nothing may look like its end.
  for (std::size_t at = data.find('<'); at != std::string::npos; at = data.find('<', at + 6))
    data.replace(at, 1, "\\u003c");
  std::string html = "<!DOCTYPE html>\n<html lang=\"";
  html += page.japanese ? "ja" : "en";
  html +=
      "\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n<title>Tenbin — ";
  html += escaped(page.title);
  html += "</title>\n<style>\n";
  html += replay_css();
  html += "</style>\n</head>\n<body>\n<header><h1>";
  html += escaped(page.title);
  html +=
      "</h1><p></p><nav></nav></header>\n<main><noscript>This page draws its charts with "
      "JavaScript. / 図表の表示には JavaScript が必要です。</noscript></main>\n<footer></footer>\n"
      "<script id=\"data\" type=\"application/json\">";
  html += data;
  html += "</script>\n<script>\n";
  html += replay_js();
  html += "</script>\n</body>\n</html>\n";
  return html;
}

}  // namespace tenbin
