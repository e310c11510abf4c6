#include "live/run.h"

#include <algorithm>
#include <utility>

#include "codec/index_list.h"

namespace tenbin {

namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}

// Thousandths as a whole number where Slurm knows no fractions: rounded up, so that half a core is
// one thread and not none.
std::int64_t whole(std::int64_t milli) {
  return (milli + 999) / 1'000;
}

}  // namespace

std::string expand_output(std::string_view pattern, const OutputNames& names) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      out += pattern[i];
      continue;
    }
    std::size_t at = i + 1;
    std::size_t width = 0;
    while (at < pattern.size() && digit(pattern[at])) {
      width = std::min<std::size_t>(width * 10 + static_cast<std::size_t>(pattern[at] - '0'), 10);
      ++at;
    }
    const char letter = at < pattern.size() ? pattern[at] : '\0';
    std::string value;
    bool number = false;
    switch (letter) {
      case 'j':
      case 'J': value = names.job, number = true; break;
      case 'A': value = names.array, number = true; break;
      case 'a': value = names.task, number = true; break;
      case 'x': value = names.name; break;
      case 'u': value = names.user; break;
      case 'N': value = names.node; break;
      case 't':
      case 'n': value = "%t"; break;
      case '%': value = "%%"; break;
      default: out += "%%"; continue;  // no pattern: a per cent sign
    }
    std::ranges::replace(value, '/', '_');
    if (number && value.size() < width) value.insert(0, width - value.size(), '0');
    out += value;
    i = at;
  }
  return out;
}

void describe_run(AttemptSpec& attempt, JobSpec spec, const World& world, const Job& job) {
  const std::string id = std::to_string(attempt.id.job);
  const Person* person = world.persons.find(job.person);
  const Pool* pool = world.pools.find(job.pool);
  const std::string array = job.array ? std::to_string(job.array.value) : id;
  const auto list =
      spec.array.empty() ? Result<IndexList>(failed("")) : IndexList::parse(spec.array);
  const std::uint32_t index = list ? list->at(job.task) : job.task;
  const bool is_array = job.array || list;

  const OutputNames names{.job = id,
                          .array = array,
                          .task = std::to_string(is_array ? index : 4'294'967'294),
                          .name = std::string(job.name),
                          .user = person ? std::string(person->name) : std::string(),
                          .node = attempt.members.empty() ? "" : attempt.members.front().node};

  auto& told = attempt.environment;
  const auto tell = [&](const char* name, std::string value) { told[name] = std::move(value); };
  std::map<std::string, std::string> plain = {
      {"SLURM_JOB_ACCOUNT", world.projects.at(job.project).name},
      {"SLURM_CLUSTER_NAME", "tenbin"},
      {"SLURM_JOB_PARTITION", pool ? std::string(pool->name) : std::string()},
      {"SLURM_JOB_USER", names.user},
      {"SLURM_JOB_NAME", names.name},
      {"SLURM_RESTART_COUNT", std::to_string(attempt.id.attempt - 1)},
  };
  if (attempt.id.attempt == 1) plain.erase("SLURM_RESTART_COUNT");  // as Slurm: not in the first
  if (!spec.submit_directory.empty()) plain["SLURM_SUBMIT_DIR"] = spec.submit_directory;
  if (job.shape.cpus > Cpus{0}) {
    const std::int64_t cpus = whole(job.shape.cpus.count);
    plain["SLURM_CPUS_PER_TASK"] = std::to_string(std::max<std::int64_t>(
        whole(job.shape.cpus.count / std::max<std::int64_t>(spec.tasks_per_member, 1)), 1));
    plain["SLURM_CPUS_ON_NODE"] = std::to_string(cpus);
    plain["SLURM_JOB_CPUS_PER_NODE"] =
        std::to_string(cpus) +
        (job.shape.members > 1 ? "(x" + std::to_string(job.shape.members) + ")" : std::string());
  }
  if (job.shape.memory > Memory{0})
    plain["SLURM_MEM_PER_NODE"] = std::to_string(job.shape.memory.count);
  if (is_array) {
    plain["SLURM_ARRAY_JOB_ID"] = array;
    plain["SLURM_ARRAY_TASK_ID"] = std::to_string(index);
    tell("TENBIN_ARRAY_JOB_ID", array);
    tell("TENBIN_ARRAY_TASK_ID", std::to_string(index));
    tell("TENBIN_TASK", std::to_string(index));
  }
  if (list) {
    plain["SLURM_ARRAY_TASK_COUNT"] = std::to_string(list->count());
    plain["SLURM_ARRAY_TASK_MIN"] = std::to_string(list->least());
    plain["SLURM_ARRAY_TASK_MAX"] = std::to_string(list->most());
    plain["SLURM_ARRAY_TASK_STEP"] = std::to_string(list->step());
  }
  for (auto& [name, value] : spec.environment) told.insert_or_assign(name, std::move(value));
  for (auto& [name, value] : plain) told.insert_or_assign(name, std::move(value));

  attempt.argv = std::move(spec.argv);
  attempt.script = std::move(spec.script);
  attempt.directory = std::move(spec.directory);
  attempt.output_cap = spec.output_cap;
  attempt.grace = Span{spec.grace_ms};
  attempt.output = expand_output(spec.output, names);
  attempt.error = expand_output(spec.error, names);
  attempt.append = spec.append;
  attempt.tasks_per_member = static_cast<std::int32_t>(spec.tasks_per_member);
  attempt.signal = spec.signal.empty() ? 0 : signal_number(spec.signal);
  attempt.signal_before = Span{spec.signal_before_ms};
  attempt.signal_to = static_cast<Warned>(spec.signal_to);
}

}  // namespace tenbin
