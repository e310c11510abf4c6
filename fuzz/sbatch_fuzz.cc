// Any bytes may be handed in as a batch script. Whatever is understood of them is a request that is
// JSON, and what was put in order stays in order: the array's indexes, outputs below the folder.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "cli/sbatch.h"
#include "codec/index_list.h"
#include "codec/json.h"
#include "codec/spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tenbin;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const cli::Surroundings around{.variable = [](const char*) { return std::string(); },
                                 .out = [](std::string_view) {},
                                 .err = [](std::string_view) {},
                                 .sleep = [](Span) {}};
  const cli::Context context(around);
  static const cli::FleetNames fleet{.pools = {{"pool", "region", "NVIDIA H100"}}};
  cli::SbatchOptions options;
  cli::read_sbatch_script(context, text, "fuzz.sbatch", options);
  cli::SlurmNames names;
  if (auto read = cli::parse_slurm_names(context, text, "slurm.toml")) names = *read;
  const cli::JobRequest job = cli::request_of(context, options, names, fleet);
  if (job.array) TENBIN_ASSERT(IndexList::parse(*job.array).has_value());
  for (const auto& file : {job.output, job.error}) TENBIN_ASSERT(!file || stays_below(*file));
  if (job.time_limit) TENBIN_ASSERT(*job.time_limit > Span{0});
  bool refused = false;
  for (const cli::Notice& notice : options.notices) refused = refused || notice.fatal;
  if (!refused) {
    JsonDocument document;
    TENBIN_ASSERT(document.parse(job.json()).has_value());
  }
  return 0;
}
