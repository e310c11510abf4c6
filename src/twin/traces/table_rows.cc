#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "core/limits.h"
#include "twin/traces/fields.h"
#include "twin/traces/rows.h"

// Tables with a line that names their columns. They may stand in any order, and more of them are no
// harm.

namespace tenbin::traces {

namespace {

struct Column {
  std::string_view name;
  bool required = true;
};

constexpr std::array csv_columns{
    Column{"job_id"},         Column{"submit"},          Column{"gpus"},
    Column{"runtime"},        Column{"walltime", false}, Column{"user", false},
    Column{"owner", false},   Column{"models", false},   Column{"end", false},
    Column{"members", false}, Column{"cpus", false},     Column{"memory_mib", false}};
enum Csv : std::size_t {
  csv_id,
  csv_submit,
  csv_gpus,
  csv_runtime,
  csv_limit,
  csv_user,
  csv_owner,
  csv_models,
  csv_end,
  csv_members,
  csv_cpus,
  csv_memory
};

constexpr std::array openb_columns{Column{"name"},
                                   Column{"cpu_milli"},
                                   Column{"memory_mib"},
                                   Column{"num_gpu"},
                                   Column{"gpu_milli"},
                                   Column{"gpu_spec", false},
                                   Column{"qos", false},
                                   Column{"pod_phase", false},
                                   Column{"creation_time", false},
                                   Column{"deletion_time", false},
                                   Column{"scheduled_time", false}};
enum Openb : std::size_t {
  openb_name,
  openb_cpu,
  openb_memory,
  openb_gpus,
  openb_milli,
  openb_models,
  openb_qos,
  openb_phase,
  openb_created,
  openb_deleted,
  openb_scheduled
};

constexpr std::array philly_columns{Column{"submit_time"}, Column{"duration_s"}, Column{"num_gpus"},
                                    Column{"vc"}};
enum Philly : std::size_t { philly_submit, philly_runtime, philly_gpus, philly_vc };

// Helios and Acme have most columns in common; a virtual cluster makes it Helios, a type of
// workload Acme.
constexpr std::array helios_columns{Column{"job_id"}, Column{"user"},        Column{"gpu_num"},
                                    Column{"state"},  Column{"submit_time"}, Column{"duration"},
                                    Column{"vc"}};
constexpr std::array acme_columns{Column{"job_id"}, Column{"user"},        Column{"gpu_num"},
                                  Column{"state"},  Column{"submit_time"}, Column{"duration"},
                                  Column{"type"}};
enum Helios : std::size_t {
  helios_id,
  helios_user,
  helios_gpus,
  helios_state,
  helios_submit,
  helios_runtime,
  helios_group
};

constexpr std::array muri_columns{Column{"job_id"}, Column{"num_gpu"}, Column{"submit_time"},
                                  Column{"duration"}, Column{"model_name", false}};
enum Muri : std::size_t { muri_id, muri_gpus, muri_submit, muri_runtime, muri_model };

struct Table {
  TraceFormat format;
  std::span<const Column> columns;
};
constexpr std::array tables{
    Table{TraceFormat::csv, csv_columns},           Table{TraceFormat::openb, openb_columns},
    Table{TraceFormat::philly_csv, philly_columns}, Table{TraceFormat::helios, helios_columns},
    Table{TraceFormat::acme, acme_columns},         Table{TraceFormat::muri, muri_columns}};
constexpr std::size_t columns_max = 12;
constexpr std::uint8_t absent = 255;

constexpr std::string_view golden = "job_id,submit,gpus,runtime,walltime,user";

/// So many that it is out of range, and its thousandths still a number.
std::int64_t some(std::int64_t gpus) {
  return std::clamp<std::int64_t>(gpus, -1, 1'000'000'000);
}

TraceEnd end_of(std::string_view state) {
  if (state == "COMPLETED" || state == "Pass" || state == "completed") return TraceEnd::completed;
  if (state.starts_with("CANCEL") || state == "Killed" || state == "cancelled")
    return TraceEnd::cancelled;
  return TraceEnd::failed;  // with TIMEOUT and NODE_FAIL, as the authors of the traces count them
}

class TableRows final : public Rows {
 public:
  TableRows(Window& window, const TraceOptions& options, const Table& table,
            std::string_view first_line)
      : Rows(options), lines_(window) {
    info.format = table.format;
    place_.fill(absent);
    std::string unquoted;
    std::vector<std::string_view> fields;
    split(first_line, fields, unquoted);
    columns_ = fields.size();
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const auto found = std::ranges::find_if(
          fields, [&](std::string_view f) { return trimmed(f) == table.columns[c].name; });
      if (found != fields.end() && found - fields.begin() < absent)
        place_[c] = static_cast<std::uint8_t>(found - fields.begin());
    }
    plain_ = table.format == TraceFormat::csv && first_line == golden;
    switch (table.format) {
      case TraceFormat::csv: info.limits = plain_; break;
      case TraceFormat::openb:
        info.ends = has(openb_phase);
        info.times = has(openb_created) && has(openb_deleted);
        break;
      case TraceFormat::philly_csv: info.owners = info.dated = true; break;
      case TraceFormat::helios:
      case TraceFormat::acme: info.owners = info.dated = info.ends = true; break;
      case TraceFormat::muri:
      case TraceFormat::swf:
      case TraceFormat::philly:
      case TraceFormat::binary: break;
    }
  }

  Result<Step> next(TraceJob& job) override {
    while (true) {
      const auto any = lines_.next(text);
      if (!any) return std::unexpected(any.error());
      if (!*any) return Step::end;
      line = lines_.number;
      if (line == 1 || text.empty()) continue;
      if (lines_.too_long) return wrong(TraceFault::line_too_long);
      job = {};
      key.reset();
      if (plain_) return plain(job);
      split(text, fields_, unquoted_);
      if (fields_.size() != columns_) return wrong(TraceFault::columns);
      switch (info.format) {
        case TraceFormat::csv: return csv(job);
        case TraceFormat::openb: return openb(job);
        case TraceFormat::philly_csv: return philly(job);
        case TraceFormat::helios:
        case TraceFormat::acme: return helios(job);
        case TraceFormat::muri: return muri(job);
        case TraceFormat::swf:
        case TraceFormat::philly:
        case TraceFormat::binary: break;
      }
      return wrong(TraceFault::not_understood);
    }
  }

 private:
  bool has(std::size_t column) const { return place_[column] != absent; }
  std::string_view field(std::size_t column) const {
    return has(column) ? fields_[place_[column]] : std::string_view{};
  }

  /// Six whole numbers: the shape of large files.
  Step plain(TraceJob& job) {
    std::array<std::int64_t, 6> value{};
    const char* at = text.data();
    const char* const stop = at + text.size();
    const char* user_begin = at;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i + 1 == value.size()) user_begin = at;
      const auto [end, error] = std::from_chars(at, stop, value[i]);
      const bool last = i + 1 == value.size();
      if (error != std::errc{} || (last ? end != stop : end == stop || *end != ','))
        return wrong(std::ranges::count(text, ',') == 5 ? TraceFault::not_a_number
                                                        : TraceFault::columns);
      at = end + 1;
    }
    if (value[0] < 0 || value[5] < 0) return wrong(TraceFault::not_a_number);
    key = job.id = static_cast<std::uint64_t>(value[0]);
    job.submit = Instant{value[1]};
    job.shape = whole_gpus(some(value[2]));
    job.runtime = Span{value[3]};
    job.limit = Span{value[4]};
    if (!user({user_begin, static_cast<std::size_t>(stop - user_begin)}, job)) return Step::fault;
    own_owner(job);
    return Step::job;
  }

  Step csv(TraceJob& job) {
    const auto id = whole(field(csv_id)), submit = whole(field(csv_submit)),
               runtime = whole(field(csv_runtime));
    const auto milli = thousandths(field(csv_gpus));
    if (!id || *id < 0 || !submit || !runtime || !milli) return wrong(TraceFault::not_a_number);
    key = job.id = static_cast<std::uint64_t>(*id);
    job.submit = Instant{*submit};
    job.runtime = job.limit = Span{*runtime};
    if (!field(csv_limit).empty()) {
      const auto limit = whole(field(csv_limit));
      if (!limit) return wrong(TraceFault::not_a_number);
      job.limit = Span{*limit};
      info.limits = true;
    } else if (job.runtime.count == 0) {
      job.limit = Span{1};
    }
    // Without members, whole GPUs lie wherever there is room.
    job.shape.gpus = Gpus{*milli};
    if (const std::string_view members = field(csv_members); !members.empty()) {
      const auto count = whole(members);
      if (!count) return wrong(TraceFault::not_a_number);
      if (*count < 1 || *count > members_max) return wrong(TraceFault::shape_out_of_range);
      job.shape.members = static_cast<std::uint32_t>(*count);
    } else if (*milli % 1'000 == 0) {
      job.shape.packing = Packing::count;
    }
    if (!field(csv_cpus).empty()) {
      const auto cpus = thousandths(field(csv_cpus));
      if (!cpus) return wrong(TraceFault::not_a_number);
      job.shape.cpus = Cpus{*cpus};
    }
    if (!field(csv_memory).empty()) {
      const auto memory = whole(field(csv_memory));
      if (!memory) return wrong(TraceFault::not_a_number);
      job.shape.memory = Memory{*memory};
    }
    if (!user(field(csv_user), job)) return Step::fault;
    // A table has owners if its first job has one.
    if (!owners_) owners_ = !field(csv_owner).empty();
    if (*owners_) {
      if (!owner(field(csv_owner), job)) return Step::fault;
      info.owners = true;
    } else {
      own_owner(job);
    }
    if (!models(field(csv_models), job)) return Step::fault;
    if (const std::string_view end = field(csv_end); !end.empty()) {
      constexpr auto known = enum_names(TraceEnd{});
      if (std::ranges::find(known, end) == known.end()) return wrong(TraceFault::not_understood);
      job.end = end_of(end);
      info.ends = true;
    }
    return Step::job;
  }

  /// "V100|T4"
  bool models(std::string_view list, TraceJob& job) {
    while (!list.empty()) {
      const std::size_t bar = list.find('|');
      if (bar != 0 && !model(list.substr(0, bar), job)) return false;
      if (bar == std::string_view::npos) break;
      list.remove_prefix(bar + 1);
    }
    return true;
  }

  Step openb(TraceJob& job) {
    const auto cpu = whole(field(openb_cpu)), memory = whole(field(openb_memory)),
               gpus = whole(field(openb_gpus)), milli = whole(field(openb_milli));
    if (!cpu || !memory || !gpus || !milli) return wrong(TraceFault::not_a_number);
    job.id = line - 1;
    key = hash_of_name(field(openb_name));
    if (*gpus < 0 || *gpus > 1'000'000 || *milli < 0 || (*gpus > 0 && *milli > 1'000) ||
        (*gpus > 1 && *milli != 1'000) || (*gpus > 0 && *milli == 0))
      return wrong(TraceFault::gpus_out_of_range);
    job.shape.gpus = Gpus{*gpus * *milli};
    job.shape.cpus = Cpus{*cpu};
    job.shape.memory = Memory{*memory};
    if (!models(field(openb_models), job)) return Step::fault;
    // Pods are of a class, not of a user.
    if (!user(has(openb_qos) ? field(openb_qos) : std::string_view{}, job)) return Step::fault;
    own_owner(job);
    const std::string_view phase = field(openb_phase);
    job.end = phase == "Failed" ? TraceEnd::failed : TraceEnd::completed;
    job.limit = Span{1};
    if (!info.times) return Step::job;
    const auto created = thousandths(field(openb_created)),
               deleted = thousandths(field(openb_deleted));
    if (!created || !deleted) return wrong(TraceFault::not_a_number);
    job.submit = Instant{*created};
    // A pod that was never scheduled was wanted from its creation on.
    std::int64_t began = *created;
    if (!field(openb_scheduled).empty()) {
      const auto scheduled = thousandths(field(openb_scheduled));
      if (!scheduled) return wrong(TraceFault::not_a_number);
      began = *scheduled;
    }
    if (__builtin_sub_overflow(*deleted, began, &job.runtime.count))
      return wrong(TraceFault::runtime_out_of_range);
    job.limit = std::max(job.runtime, Span{1});
    return Step::job;
  }

  Step philly(TraceJob& job) {
    const auto submit = date(field(philly_submit));
    const auto runtime = thousandths(field(philly_runtime)), gpus = whole(field(philly_gpus));
    if (!submit) return wrong(TraceFault::not_a_time);
    if (!runtime || !gpus) return wrong(TraceFault::not_a_number);
    job.id = line - 1;
    job.submit = *submit;
    job.shape = whole_gpus(some(*gpus));
    job.runtime = Span{*runtime};
    job.limit = std::max(job.runtime, Span{1});
    // It names no users: a virtual cluster is one.
    if (!user(field(philly_vc), job)) return Step::fault;
    own_owner(job);
    return Step::job;
  }

  Step helios(TraceJob& job) {
    const auto gpus = thousandths(field(helios_gpus));
    if (!gpus) return wrong(TraceFault::not_a_number);
    if (trimmed(field(helios_submit)).empty()) return wrong(TraceFault::not_submitted);
    const auto submit = date(field(helios_submit));
    if (!submit) return wrong(TraceFault::not_a_time);
    if (trimmed(field(helios_runtime)).empty()) return wrong(TraceFault::never_ran);
    const auto runtime = thousandths(field(helios_runtime));
    if (!runtime) return wrong(TraceFault::not_a_number);
    // Helios numbers its jobs; those of Kalos have names.
    const auto id = whole(field(helios_id));
    if (!numbered_) numbered_ = id && *id >= 0;
    if (*numbered_) {
      if (!id || *id < 0) return wrong(TraceFault::not_a_number);
      key = job.id = static_cast<std::uint64_t>(*id);
    } else {
      job.id = line - 1;
      key = hash_of_name(field(helios_id));
    }
    job.submit = *submit;
    job.shape = whole_gpus(0);
    job.shape.gpus = Gpus{*gpus};
    job.runtime = Span{*runtime};
    job.limit = std::max(job.runtime, Span{1});
    if (!user(field(helios_user), job) || !owner(field(helios_group), job)) return Step::fault;
    job.end = end_of(trimmed(field(helios_state)));
    return Step::job;
  }

  Step muri(TraceJob& job) {
    const auto id = whole(field(muri_id)), gpus = whole(field(muri_gpus));
    const auto submit = whole(field(muri_submit)), runtime = whole(field(muri_runtime));
    if (!id || *id < 0 || !gpus || !submit || !runtime) return wrong(TraceFault::not_a_number);
    key = job.id = static_cast<std::uint64_t>(*id);
    job.submit = Instant{*submit};
    job.shape = whole_gpus(some(*gpus));
    job.runtime = Span{*runtime};
    job.limit = std::max(job.runtime, Span{1});
    if (!user(field(muri_model), job)) return Step::fault;
    own_owner(job);
    return Step::job;
  }

  Lines lines_;
  std::array<std::uint8_t, columns_max> place_{};
  std::size_t columns_ = 0;
  bool plain_ = false;
  std::optional<bool> numbered_, owners_;
  std::vector<std::string_view> fields_;
  std::string unquoted_;
};

std::size_t missing(const Table& table, const std::vector<std::string_view>& fields,
                    std::string* list) {
  std::size_t count = 0;
  for (const Column& column : table.columns) {
    if (!column.required || std::ranges::any_of(fields, [&](std::string_view f) {
          return trimmed(f) == column.name;
        })) {
      continue;
    }
    ++count;
    if (list) *list += (list->empty() ? "" : ", ") + std::string(column.name);
  }
  return count;
}

std::size_t required(const Table& table) {
  return static_cast<std::size_t>(std::ranges::count(table.columns, true, &Column::required));
}

}  // namespace

std::unique_ptr<Rows> table_rows(Window& window, const TraceOptions& options,
                                 std::string_view first_line) {
  std::vector<std::string_view> fields;
  std::string unquoted;
  split(first_line, fields, unquoted);
  for (const Table& table : tables) {
    if (options.format && *options.format != table.format) continue;
    if (missing(table, fields, nullptr) == 0)
      return std::make_unique<TableRows>(window, options, table, first_line);
  }
  return nullptr;
}

std::string nearest_table(std::string_view first_line, bool japanese) {
  std::vector<std::string_view> fields;
  std::string unquoted;
  split(first_line, fields, unquoted);
  const Table* nearest = nullptr;
  std::size_t most = 0;
  for (const Table& table : tables) {
    const std::size_t there = required(table) - missing(table, fields, nullptr);
    if (there > most) {
      nearest = &table;
      most = there;
    }
  }
  if (!nearest) return {};
  std::string list;
  missing(*nearest, fields, &list);
  const std::string format(enum_names(TraceFormat{})[static_cast<std::size_t>(nearest->format)]);
  return japanese ? format + " に最も近いものの、列 " + list + " がありません"
                  : "nearest to " + format + ", but without the columns " + list;
}

}  // namespace tenbin::traces
