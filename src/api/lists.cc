#include <algorithm>
#include <array>

#include "api/api.h"
#include "core/jobs/tasks.h"

// The list of jobs: those that live in the World and those that are over, in the history, as one.

namespace tenbin {

namespace {

// Rows that a page looks at in the World while the publisher waits for it.
constexpr std::size_t looked_at_max = 100'000;

struct Item {
  std::uint64_t id;
  std::string text;
};

/// What was found of a page, and how far it was looked at everywhere.
class Found {
 public:
  Found(bool down, std::size_t limit) : down_(down), limit_(limit) {}

  std::vector<Item> items;

  /// One of the places where jobs are was not looked at beyond this id.
  void only_to(std::uint64_t id) {
    if (!cut_ || (down_ ? id > *cut_ : id < *cut_)) cut_ = id;
  }
  /// Sorts, drops what lies beyond and what is there twice; the id after which the next page
  /// begins, 0 if there is none.
  std::uint64_t finish() {
    // A job that ended between the two looks is in both: the settled one, added later, is newer.
    std::ranges::reverse(items);
    std::ranges::stable_sort(
        items, [&](const Item& a, const Item& b) { return down_ ? a.id > b.id : a.id < b.id; });
    const auto repeated = std::ranges::unique(items, {}, &Item::id);
    items.erase(repeated.begin(), repeated.end());
    std::erase_if(items,
                  [&](const Item& i) { return cut_ && (down_ ? i.id < *cut_ : i.id > *cut_); });
    if (items.size() <= limit_) return cut_.value_or(0);
    items.resize(limit_);
    return items.back().id;
  }

 private:
  bool down_;
  std::size_t limit_;
  std::optional<std::uint64_t> cut_;
};

bool is_over(std::string_view state) {
  return state == "completed" || state == "failed" || state == "cancelled" || state == "time_limit";
}

}  // namespace

void Api::jobs(const CallPtr& call) {
  // Ids are given in the order of submission.
  static constexpr std::array<std::string_view, 4> sorts{"-id", "id", "-submitted", "submitted"};
  Query query(call->query);
  const Page page = read_page(query, call->request, call->query, sorts, 100);
  HistoryQuery wanted{.project = query.text("project"),
                      .person = query.text("person"),
                      .state = query.choice("state", enum_names(JobState{})),
                      .name = query.text("name"),
                      .region = query.text("region"),
                      .order = page.down ? Order::newest_first : Order::oldest_first};
  const std::string label = query.text("label");
  const std::size_t equals = label.find('=');
  const std::string key = label.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : label.substr(equals + 1);
  if (!label.empty()) {
    if (key.empty() || equals == std::string::npos)
      query.complain("label", "expected KEY=VALUE", "「キー=値」の形で指定してください");
    std::string object;
    JsonWriter(object).begin_object().member(key, value).end_object();
    wanted.label = object.substr(1, object.size() - 2);
  }
  const Instant from = query.instant("submitted_from", Instant{0});
  const Instant to = query.instant("submitted_to", Instant{INT64_MAX});
  if (query.finish()) return call->deny(*query.finish());
  const auto after = static_cast<std::uint64_t>(parse_decimal(page.after, 0).value_or(0));

  slowly([this, call, page, wanted, key, value, from, to, after]() mutable {
    Found found(page.down, page.limit);
    std::vector<std::string> projects;
    std::optional<Reason> unknown;
    live_.read([&](const World& world) {
      ProjectId project;
      if (!wanted.project.empty()) {
        const auto named = world.index.projects.find(wanted.project);
        if (named == world.index.projects.end() || !may_see(world, call->caller, named->second)) {
          unknown = Reason::unknown_project;
          return;
        }
        project = named->second;
        projects.push_back(wanted.project);
      } else if (call->caller.sees_all()) {
        projects.emplace_back();  // all
      } else {
        // Members see their own projects: a list over all of them asks for each.
        world.projects.each([&](ProjectId id, const Project& p) {
          if (may_see(world, call->caller, id)) projects.push_back(p.name);
        });
      }
      if (!wanted.region.empty() && !world.index.regions.contains(wanted.region)) {
        unknown = Reason::unknown_region;
        return;
      }
      const auto person = world.index.persons.find(wanted.person);
      const PersonId by = person == world.index.persons.end() ? PersonId{} : person->second;

      // What is submitted from now on is not in this page, neither here nor in the history: a later
      // job must not be shown where an earlier one is missing.
      const std::uint64_t top = world.jobs.next_id().value;
      if (page.down) {
        wanted.before = page.after.empty() ? top : std::min(top, after);
      } else {
        wanted.before = top;
        wanted.from = after + 1;
      }
      if (is_over(wanted.state)) return;
      const auto fits = [&](ProjectId of, const Job& job, JobState state, PoolId at) {
        if ((project && of != project) || !may_see(world, call->caller, of) ||
            (!wanted.person.empty() && (!by || job.person != by)) || job.submitted < from ||
            job.submitted >= to || (!wanted.name.empty() && job.name != wanted.name)) {
          return false;
        }
        if (!wanted.state.empty() && name_of(state) != wanted.state) {
          return false;
        }
        if (!wanted.label.empty() && !std::ranges::count(job.labels, std::pair(key, value)))
          return false;
        if (wanted.region.empty()) return true;
        const Pool* pool = world.pools.find(at);
        return pool && world.regions.at(pool->region).name == wanted.region;
      };
      // Looks at jobs and tasks, or at arrays, until there is a page of them.
      const auto visitor = [&](auto write_if) {
        return [&, write_if, looked = std::size_t{0}, listed = std::size_t{0}](
                   JobId id, const auto& row) mutable {
          if (++looked > looked_at_max) {
            found.only_to(page.down ? id.value + 1 : id.value - 1);
            return false;
          }
          std::string text;
          if (!write_if(text, id, row)) return true;
          found.items.push_back({id.value, std::move(text)});
          if (++listed <= page.limit) return true;
          found.only_to(id.value);
          return false;
        };
      };
      // One line for an array, and one for each of its tasks that has started.
      auto visit_job = visitor([&](std::string& text, JobId id, const Job& job) {
        if (job.array && job.attempt == 0) return false;
        if (!fits(job.project, job, job.state, job.pool)) return false;
        JsonWriter out(text);
        write_job(out, world, id, job);
        return true;
      });
      auto visit_array = visitor([&](std::string& text, JobId id, const JobArray& array) {
        if (array.ended != Instant{}) return false;  // it is in the history
        const Job& job = world.jobs.at(*array.rows.begin());
        if (!fits(array.project, job, state_of(world, array), PoolId{})) return false;
        JsonWriter out(text);
        write_array(out, world, id, array);
        return true;
      });
      if (page.down) {
        world.jobs.walk_down(JobId{wanted.before}, visit_job);
        auto next = world.arrays.lower_bound(JobId{wanted.before});
        while (next != world.arrays.begin()) {
          --next;
          if (!visit_array(next->first, next->second)) break;
        }
      } else {
        world.jobs.walk_up(JobId{wanted.from}, visit_job);
        for (auto next = world.arrays.lower_bound(JobId{wanted.from}); next != world.arrays.end();
             ++next) {
          if (!visit_array(next->first, next->second)) break;
        }
      }
    });
    if (unknown) return call->deny(refuse(*unknown));

    if (wanted.state.empty() || is_over(wanted.state)) {
      // After that look: what had left the World by then is found here.
      if (!live_.catch_up_history()) return call->deny(history_behind());
      History& history = live_.history();
      const auto first = from.ms > 0 ? history.first_submitted(from) : 0;
      const auto last = to.ms < INT64_MAX ? history.first_submitted(to) : INT64_MAX;
      if (!first || !last) return call->deny(internal_error());
      wanted.from = std::max(wanted.from, *first);
      wanted.before = std::min(wanted.before, *last);
      wanted.limit = page.limit + 1;
      // Who is in many projects may look at less of each.
      if (projects.size() > 1)
        wanted.look_at = std::max(wanted.limit, wanted.look_at / projects.size());
      for (const std::string& project : projects) {
        if (wanted.before <= wanted.from) break;
        wanted.project = project;
        const auto settled = history.jobs(wanted);
        if (!settled) return call->deny(internal_error());
        for (const SettledJob& job : settled->jobs) {
          std::string text;
          JsonWriter out(text);
          write_job(out, job);
          found.items.push_back({job.job, std::move(text)});
        }
        if (settled->reached != 0) found.only_to(settled->reached);
      }
    }
    const std::uint64_t next = found.finish();
    std::string body;
    JsonWriter out(body);
    out.begin_object().key("items").begin_array();
    for (const Item& item : found.items) out.raw(item.text);
    out.end_array();
    member_or_null(out, "next", next != 0,
                   cursor_after(call->request, call->query, std::to_string(next)));
    out.end_object();
    call->reply(ok(std::move(body)));
  });
}

}  // namespace tenbin
